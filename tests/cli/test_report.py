"""The report as a file: whole, of a selection, and refused before any work where it cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.reports import page
from tests.support.cli_calls import EPISODE, Aqi


def test_a_report(aqi: Aqi, lake: str) -> None:
    done = aqi("report", "-o", "it.html", AQI_WAREHOUSE__URI=lake)
    assert (done.exit_code, done.stderr) == (0, f"reads 10 assets of {lake}\n")
    assert done.stdout.startswith("it.html: 0.1 MB, in ")
    text = (aqi.folder / "it.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>\n")


def test_of_a_selection_and_as_json(aqi: Aqi, lake: str) -> None:
    done = aqi("report", "-o", "it.html", EPISODE, "--json", AQI_WAREHOUSE__URI=lake)
    assert done.exit_code == 0
    text = (aqi.folder / "it.html").read_text(encoding="utf-8")
    assert f'"path": "it.html",\n  "bytes": {len(text.encode())},\n  "assets": 1' in done.stdout


def test_printed(aqi: Aqi, lake: str) -> None:
    done = aqi("report", "-o", "-", EPISODE, AQI_WAREHOUSE__URI=lake)
    assert (done.exit_code, done.stderr) == (0, f"reads 1 asset of {lake}\n")
    assert done.stdout.startswith("<!doctype html>")
    assert done.stdout.endswith("</html>\n")
    assert not (aqi.folder / "-").exists()
    assert aqi.refusal("report", "-o", "-", "--json")[1] == "Leave out --json, or name a file."


@pytest.mark.parametrize("output", ["nowhere/it.html", "file/it.html", "folder", "/proc/it.html"])
def test_an_output_that_cannot_be_written(aqi: Aqi, output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (aqi.folder / "file").touch()
    (aqi.folder / "folder").mkdir()
    monkeypatch.setattr(page, "render_page", pytest.fail)
    place, remedy = aqi.refusal("report", "-o", output)
    assert place.startswith(f"{output} cannot be written (")
    assert remedy == "Name a file that can."


def test_an_output_has_to_be_named(aqi: Aqi) -> None:
    done = aqi("report")
    assert (done.exit_code, done.stdout) == (2, "")


def test_the_disk_is_full_at_last(aqi: Aqi, lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError("no space left on device")

    monkeypatch.setattr("orchestration.reports.output.write_output", full)
    done = aqi("report", "-o", "it.html", AQI_WAREHOUSE__URI=lake)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "it.html cannot be written (no space left on device)" in done.stderr
    assert not Path("it.html").exists()


def test_a_word_that_is_no_asset(aqi: Aqi) -> None:
    assert "gold.fact_episode" in aqi.refusal("report", "-o", "it.html", "gold.fact_episodes")[1]
