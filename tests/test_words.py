"""The core and the engine know no air and no provider: no name, string or comment of theirs has a word of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.words import words_of_air

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("core", "engine")
FILES = [file for room in ROOMS for file in sorted((ROOT / "orchestration" / room).rglob("*.py"))]
OF_OURS = (
    r'"aqi"',  # the mark of our commits, our tags on a Prefect server, our folders of caches and logs, the command
    r'"aqi-environment:"',  # what is stored on a Prefect server cannot be renamed
)
"""Names that are stored, or of folders: the command's."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT / "orchestration")))
def test_no_word_of_air_stands_in_core_and_engine(file: Path) -> None:
    assert words_of_air(file.read_text(encoding="utf-8"), *OF_OURS) == []
    assert words_of_air(str(file.relative_to(ROOT / "orchestration"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "rows of a city",
        "The air is asked for.",
        'ask("open_meteo")',
        "# Open-Meteo's days",
        "aqi_pm25 = 3",
        '"AQI>=151_4h"',
        "2025-08-08/hanoi",
        "an_episode_of = 4",
        "the US AQI",
    ],
)
def test_a_word_of_air_is_found(text: str) -> None:
    assert words_of_air(f"{text}\nand another line") != []


@pytest.mark.parametrize(
    "text",
    ["`aqi repair` mends it", "Look: aqi status KEY", "AQI_WAREHOUSE__URI", "a pair of stairs"],
)
def test_the_name_of_the_command_is_none(text: str) -> None:
    assert words_of_air(text) == []
