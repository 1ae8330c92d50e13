"""A range of days never touches what has no days: of every command that takes one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.cli_calls import DAILY, EPISODE, Aqi

DAY = "2025-08-18"
DIMENSIONS = ("gold.dim_date", "gold.dim_time")
COMMANDS = ("materialize", "plan", "status", "repair", "wipe", "verify")


@pytest.fixture
def copied(lake: str, tmp_path: Path) -> str:
    """The lake, to be changed."""
    shutil.copytree(lake, tmp_path / "lake")
    return str(tmp_path / "lake")


@pytest.mark.parametrize("command", [*COMMANDS, "show", "plan --if"])
def test_a_range_of_what_has_no_days_is_refused(aqi: Aqi, lake: str, command: str) -> None:
    error, remedy = aqi.refusal(*command.split(), "gold.dim_time", "--partitions", DAY, AQI_WAREHOUSE__URI=lake)
    assert error == "gold.dim_time has no partitions: a range of days means nothing there"
    assert remedy == f"Leave out --partitions {DAY}."


@pytest.mark.parametrize("command", COMMANDS)
def test_all_of_them_are_named(aqi: Aqi, lake: str, command: str) -> None:
    error, _ = aqi.refusal(command, " or ".join(DIMENSIONS), "--partitions", "last:7", AQI_WAREHOUSE__URI=lake)
    assert error.startswith("gold.dim_date and gold.dim_time have no partitions:")


def test_a_backfill_of_what_has_no_days_names_the_command_that_makes_it(aqi: Aqi, lake: str) -> None:
    days = ("--start-date", DAY, "--end-date", DAY)
    _, remedy = aqi.refusal("backfill", *days, "--select", "gold.dim_time", AQI_WAREHOUSE__URI=lake)
    assert remedy == "A backfill is of days: aqi materialize gold.dim_time"


def test_a_wipe_of_everything_on_a_day_leaves_dimensions(aqi: Aqi, copied: str) -> None:
    before = aqi.json("show", "gold.dim_time", AQI_WAREHOUSE__URI=copied)
    asked = aqi("wipe", "*", "--partitions", DAY, "--dry-run", AQI_WAREHOUSE__URI=copied)
    assert f"remove {EPISODE} {DAY}" in asked.stdout
    assert "gold.dim_" not in asked.stdout
    assert asked.stderr.startswith("left as they are, for they have no days: gold.dim_date, gold.dim_time")
    log = sorted(Path(copied, "gold", "dim_time", "_delta_log").iterdir())
    assert aqi("wipe", "*", "--partitions", DAY, "--yes", AQI_WAREHOUSE__URI=copied).exit_code == 0
    assert sorted(Path(copied, "gold", "dim_time", "_delta_log").iterdir()) == log
    assert aqi.json("show", "gold.dim_time", AQI_WAREHOUSE__URI=copied) == before


def test_a_wipe_without_a_range_removes_dimensions(aqi: Aqi, copied: str) -> None:
    assert "remove gold.dim_time (1 partition" in aqi.text("wipe", "gold.dim_time", "--yes", AQI_WAREHOUSE__URI=copied)


def test_the_status_of_a_range_tells_of_dimensions_as_well(aqi: Aqi, lake: str) -> None:
    found = {item["asset"] for item in aqi.json("status", "--partitions", DAY, AQI_WAREHOUSE__URI=lake)}
    assert {DAILY, EPISODE, "gold.dim_time"} <= found


def test_a_plan_of_everything_in_a_range_makes_dimensions_along(aqi: Aqi, lake: str) -> None:
    steps = {step["asset"] for step in aqi.json("plan", "*", "--partitions", DAY, AQI_WAREHOUSE__URI=lake)["steps"]}
    assert {"gold.dim_pollutant", EPISODE} <= steps
