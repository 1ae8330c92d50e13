"""`aqi materialize SELECTION --record-columns`: what it goes with, and what it says without an engine."""

from __future__ import annotations

import pytest

from tests.support.cli_calls import DAILY, EPISODE, Aqi, tree


@pytest.mark.parametrize(
    ("option", "more"),
    [
        ("--partitions", ["--partitions", "last:7"]),
        ("--locations", ["--locations", "hanoi"]),
        ("--hourly", ["--hourly"]),
        ("--force", ["--force"]),
        ("--from-raw", ["--from-raw"]),
        ("--profile-run", ["--profile-run"]),
    ],
)
def test_what_is_about_partitions_is_refused(option: str, more: list[str], aqi: Aqi) -> None:
    result = aqi("materialize", "*", "--record-columns", *more)
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: --record-columns makes no partition, and {option} is about partitions\n"
        f"  Leave out {option}, or --record-columns.\n"
    )


def test_several_are_named_together(aqi: Aqi) -> None:
    result = aqi("materialize", "*", "--record-columns", "--partitions", "last:7", "--force")
    assert (result.exit_code, "Leave out --partitions and --force, or" in result.stderr) == (2, True)


def test_what_would_be_recorded_is_said_and_nothing_done(lake: str, aqi: Aqi) -> None:
    text = aqi.text(
        "materialize", f"{DAILY} or gold.dim_pollutant", "--record-columns", "--dry-run", AQI_WAREHOUSE__URI=lake
    )
    assert text == (f"gold.dim_pollutant: has no table yet; what makes it will record them\n{DAILY}: to be recorded\n")


def test_where_there_is_no_table_nothing_is_made(aqi: Aqi) -> None:
    before = tree(aqi.folder)
    found = aqi.json("materialize", f"{DAILY} or {EPISODE}", "--record-columns")
    assert found == [{"asset": DAILY, "state": "no table"}, {"asset": EPISODE, "state": "no table"}]
    assert not [path for path in tree(aqi.folder).keys() - before.keys() if "gold" in path]
