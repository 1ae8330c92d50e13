"""`aqi show --raw`: what the source sent about partitions, when, what became of it, and how answers differ."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.state.partition_record import Answer, TurnedAway
from tests.support.cli_calls import EPISODE, Aqi, tree
from tests.support.raw_bronze import ALL_HOURS, BRONZE, INDEX, PM25, RawBronze, ago, key, record


@pytest.fixture
def bronze(tmp_path: Path) -> RawBronze:
    """Four answers about the 18th at two locations, of which the last repeats the one before it."""
    bronze = RawBronze(tmp_path / "lake")
    both = ("hanoi", "hcmc")
    bronze.keep(ago(1.25), "2025-08-18", {}, locations=both, hours=22)
    bronze.keep(ago(1), "2025-08-18", {(3, PM25): 7.5, (4, PM25): 7.5, (3, INDEX): 31}, locations=both)
    bronze.keep(ago(0.5), "2025-08-18", {(hour, PM25): None for hour in range(24)}, run_id="run-2", forced=True)
    bronze.keep(ago(0.25), "2025-08-18", {(hour, PM25): None for hour in range(24)}, run_id="run-3")
    bronze.keep(ago(0), "2025-08-19", {}, hours=24)
    at_hanoi = record((ago(1), ALL_HOURS - 1), (ago(0.5), 1), turned_away=((ago(0.5), ALL_HOURS - 1),))
    bronze.commit({key("2025-08-18"): at_hanoi, key("2025-08-18", "hcmc"): record((ago(1), None))})
    bronze.moments.keep(BRONZE, "run-3", {key("2025-08-18"): ago(0.25)})
    return bronze


def shown(aqi: Aqi, bronze: RawBronze, *options: str, range_: str = "2025-08-18") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = aqi.json(
        "show", BRONZE, "--raw", "--partitions", range_, *options, AQI_WAREHOUSE__URI=str(bronze.folder)
    )
    return rows


@pytest.mark.parametrize("packed", [False, True])
def test_what_was_sent_and_what_became_of_it(aqi: Aqi, bronze: RawBronze, packed: bool) -> None:
    if packed:
        assert bronze.raw.pack(BRONZE, bronze.workspace.settings.now().date()) > 0
    before = tree(bronze.folder)
    rows = shown(aqi, bronze)
    assert [tuple(row.values()) for row in rows] == [
        (ago(1.25), "2025-08-18/hanoi", "run-1", False, "nothing left", 0, 0, 22, None, []),
        (ago(1), "2025-08-18/hanoi", "run-1", False, "owns 23 hours", 23, 0, 24, 4, rows[1]["changed_columns"]),
        (ago(0.5), "2025-08-18/hanoi", "run-2", True, rows[2]["became"], 1, 23, 24, 24, ["aqi", "pm25"]),
        (ago(0.25), "2025-08-18/hanoi", "run-3", False, "nothing new", 0, 0, 24, 0, []),
        (ago(1.25), "2025-08-18/hcmc", "run-1", False, "nothing left", 0, 0, 22, None, []),
        (ago(1), "2025-08-18/hcmc", "run-1", False, "owns 24 hours", 24, 0, 24, 2, rows[5]["changed_columns"]),
    ]
    assert rows[2]["became"] == "owns 1 hour, turned away 23 hours"
    assert list(rows[0]) == [
        "asked",
        "partition",
        "run_id",
        "forced",
        "became",
        "owns",
        "turned_away",
        "rows",
        "changed_hours",
        "changed_columns",
    ]
    assert {"aqi", "pm25", "co2"} <= set(rows[1]["changed_columns"]), "two hours more have all columns"
    assert "ts_utc" not in rows[1]["changed_columns"]
    assert tree(bronze.folder) == before


def test_answers_of_one_moment_are_told_apart_by_what_they_say(aqi: Aqi, tmp_path: Path) -> None:
    """An injected clock stands still."""
    bronze = RawBronze(tmp_path / "lake")
    for run, value in (("run-1", 1.0), ("run-2", 2.0), ("run-3", 3.0)):
        bronze.keep(ago(1), values={(3, PM25): value}, run_id=run)
    digests = {
        file.run_id: bronze.workspace.sources["open_meteo"]
        .read(file.request, bronze.raw.read(file).body, file.asked_at)[0]
        .digests[date(2025, 8, 18)]
        for file in bronze.raw.all(BRONZE).files
    }
    owner = replace(record(), answers=(Answer(ago(1), digests["run-2"], False, 7),))
    bronze.commit(
        {key("2025-08-18"): replace(owner, turned_away=(TurnedAway(ago(1), digests["run-3"], 1, ("pm25",)),))}
    )
    assert {row["run_id"]: row["became"] for row in shown(aqi, bronze)} == {
        "run-1": "nothing left",
        "run-2": "owns 3 hours",
        "run-3": "turned away 1 hour",
    }


def test_of_some_locations_and_no_more_than_asked_for(aqi: Aqi, bronze: RawBronze) -> None:
    assert [row["asked"] for row in shown(aqi, bronze, "--locations", "hcmc")] == [ago(1.25), ago(1)]
    assert [row["asked"] for row in shown(aqi, bronze, "--limit", "2")] == [ago(1.25), ago(1)]
    rows = shown(aqi, bronze, range_="2025-08-18..2025-08-19")
    assert [row["partition"] for row in rows[-1:]] == ["2025-08-19/hanoi"]
    assert shown(aqi, bronze, range_="2025-08-01") == []


def test_as_csv_and_as_a_table(aqi: Aqi, bronze: RawBronze) -> None:
    options = ("show", BRONZE, "--raw", "--partitions", "2025-08-18", "--locations", "hanoi")
    text = aqi.text(*options, "--format", "csv", AQI_WAREHOUSE__URI=str(bronze.folder))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["became"] for row in rows] == [row["became"] for row in shown(aqi, bronze, "--locations", "hanoi")]
    assert (rows[0]["forced"], rows[0]["changed_hours"], rows[2]["changed_columns"]) == ("false", "", "aqi;pm25")
    header, *lines = aqi.text(*options, AQI_WAREHOUSE__URI=str(bronze.folder)).splitlines()
    assert header.split()[:3] == ["asked", "partition", "run_id"]
    assert len(lines) == 4


def test_a_table_that_was_never_made(aqi: Aqi, tmp_path: Path) -> None:
    bronze = RawBronze(tmp_path / "lake")
    bronze.keep(ago(1))
    (row,) = shown(aqi, bronze)
    assert (row["became"], row["rows"]) == ("nothing left", 24)


def test_what_is_broken_is_named_and_the_rest_is_shown(aqi: Aqi, bronze: RawBronze) -> None:
    bronze.keep(ago(0.1), "2025-08-18", body=b"<html>")
    first = bronze.raw.all(BRONZE).files[0]
    (bronze.folder / "_aqi/raw" / first.path).write_bytes(b"")
    options = ("show", BRONZE, "--raw", "--partitions", "2025-08-18", "--locations", "hanoi", "--json")
    done = aqi(*options, AQI_WAREHOUSE__URI=str(bronze.folder))
    assert done.exit_code == 0
    broken, unread = done.stderr.splitlines()
    assert broken.startswith(f"note: the raw answer {first.path} (")
    assert unread.startswith(f"note: the answer asked at {ago(0.1)} cannot be read: Open-Meteo answered")
    assert '"rows": null' in done.stdout or '"rows":null' in done.stdout


# --- refusals -------------------------------------------------------------------------------------


def test_an_asset_without_a_source(aqi: Aqi) -> None:
    place, remedy = aqi.refusal("show", EPISODE, "--raw", "--partitions", "2025-08-18")
    assert place == f"{EPISODE} is made from other tables: no source sent it"
    assert remedy == f"Fetched are {BRONZE}."


def test_without_a_range(aqi: Aqi) -> None:
    place, remedy = aqi.refusal("show", BRONZE, "--raw")
    assert place == "--raw wants to know of which partitions"
    assert remedy == "Add --partitions, for instance 2025-08-13..2025-08-20."


def test_an_unknown_location(aqi: Aqi) -> None:
    place, remedy = aqi.refusal("show", BRONZE, "--raw", "--partitions", "2025-08-18", "--locations", "hanoy")
    assert place == "location 'hanoy' is unknown"
    assert remedy == "Did you mean 'hanoi'?"
