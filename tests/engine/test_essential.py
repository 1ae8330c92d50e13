"""The section of the settings that names essential columns: what is taken, and what is refused before any work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration.core.errors import ConfigurationError
from orchestration.project import load, open_workspace
from tests.support import oracle

DECLARED = "aqi, pm25, pm10, o3, no2, so2, co"


def opened(folder: Path, essential: Any) -> Any:
    return open_workspace(load(environment={}, flags={"warehouse": {"uri": str(folder)}, "essential": essential}))


def test_they_take_the_place_of_the_declared_ones(tmp_path: Path) -> None:
    workspace = opened(tmp_path, {oracle.BRONZE: ["pm25", "dust", "pm25"]})
    asset = workspace.catalog[oracle.BRONZE]
    assert workspace.current().essential_of(asset) == ("pm25", "dust")
    assert opened(tmp_path, {}).current().essential_of(asset) == tuple(DECLARED.split(", "))
    assert workspace.current().essential_of(workspace.catalog[oracle.SILVER]) == ()


@pytest.mark.parametrize(
    ("essential", "message", "remedy"),
    [
        (
            {"bronze.open_meteo_hourl": ["aqi"]},
            "essential: 'bronze.open_meteo_hourl' is no fetched asset whose rows are hours",
            f"Did you mean '{oracle.BRONZE}'?",
        ),
        (
            {"x": ["aqi"]},
            "essential: 'x' is no fetched asset whose rows are hours",
            f"Known are {oracle.BRONZE}.",
        ),
        (
            {oracle.SILVER: ["aqi"]},
            f"essential: '{oracle.SILVER}' is no fetched asset whose rows are hours",
            f"Known are {oracle.BRONZE}.",
        ),
        (
            {oracle.BRONZE: ["aqi", "pm2_5"]},
            f"essential.{oracle.BRONZE}: open_meteo brings no column 'pm2_5'",
            "Did you mean 'pm25'?",
        ),
        (
            {oracle.BRONZE: []},
            f"essential.{oracle.BRONZE}: must name at least one column (got none)",
            f"Leave it out, and these are: {DECLARED}.",
        ),
    ],
)
def test_refusals(tmp_path: Path, essential: dict[str, list[str]], message: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        opened(tmp_path, essential)
    assert (refused.value.message, refused.value.remedy) == (message, remedy)


@pytest.mark.parametrize("name", ["ts_utc", "location_key", "date_utc"])
def test_what_says_which_row_it_is_has_no_values(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"brings no column '{name}'"):
        opened(tmp_path, {oracle.BRONZE: [name]})
