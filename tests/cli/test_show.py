"""Rows: as CSV, as JSON, as a table; and what `aqi show` refuses."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pytest

from orchestration.cli.rows import as_csv, as_lines
from tests.support.cli_calls import EPISODE, QUARANTINE, Aqi, tree
from tests.support.terminal import on_a_terminal


def test_rows_as_csv(aqi: Aqi, lake: str) -> None:
    """DESIGN, Commands: dates, timestamps, nothing for null; in the order of the key."""
    before = tree(Path(lake))
    assert aqi.text("show", EPISODE, "--format", "csv", AQI_WAREHOUSE__URI=lake) == (
        "episode_id,location_key,start_ts_utc,end_ts_utc,start_date_utc,duration_hours,peak_aqi,hours_flagged,"
        "dominant_pollutant,rule_code,end_exclusive_ts_utc,is_open\n"
        "danang-18-7,danang,2025-08-18T07:00:00Z,2025-08-18T10:00:00Z,2025-08-18,4,160,4,pm25,AQI>=151_4h,,\n"
        "hanoi-18-0,hanoi,2025-08-18T00:00:00Z,2025-08-18T03:00:00Z,2025-08-18,4,500,4,pm25,AQI>=151_4h,,\n"
        "hanoi-18-9,hanoi,2025-08-18T09:00:00Z,2025-08-18T12:00:00Z,2025-08-18,4,160,4,,AQI>=151_4h,,\n"
    )
    assert tree(Path(lake)) == before


def test_booleans_and_text_with_signs_as_csv(aqi: Aqi, lake: str) -> None:
    assert aqi.text("show", "gold.dim_date", "--format", "csv", AQI_WAREHOUSE__URI=lake).splitlines()[1:] == [
        '20250815,2025-08-15,16,6,33,8,"August, hot [red]",3,2025,false',
        '20250816,2025-08-16,16,6,33,8,"August, hot [red]",3,2025,true',
    ]


def test_lists_and_odd_numbers_as_csv(aqi: Aqi, lake: str) -> None:
    text = aqi.text("show", QUARANTINE, "--format", "csv", AQI_WAREHOUSE__URI=lake)
    [row] = csv.DictReader(io.StringIO(text))
    assert row["broken_rules"] == "negative;not_finite"
    assert (row["ts_utc"], row["date_utc"]) == ("2025-08-18T06:00:00Z", "2025-08-18")
    assert row["_ingested_at"] == "2025-08-20T06:00:01Z"
    assert (row["latitude"], row["pm25"], row["aqi"]) == ("21.0278", "-1.5", "")
    assert (row["pm10"], row["co"]) == ("NaN", "Infinity")


def test_rows_as_json(aqi: Aqi, lake: str) -> None:
    [row] = aqi.json("show", QUARANTINE, AQI_WAREHOUSE__URI=lake)
    assert row["broken_rules"] == ["negative", "not_finite"]
    assert (row["ts_utc"], row["date_utc"]) == ("2025-08-18T06:00:00Z", "2025-08-18")
    assert (row["latitude"], row["pm25"], row["aqi"]) == (21.0278, -1.5, None)
    assert (row["pm10"], row["co"]) == ("NaN", "Infinity"), "JSON has no such numbers"
    dates = json.loads(aqi.text("show", "gold.dim_date", "--format", "json", AQI_WAREHOUSE__URI=lake))
    assert [(row["date_value"], row["is_weekend"]) for row in dates] == [("2025-08-15", False), ("2025-08-16", True)]


@pytest.mark.parametrize("key", [QUARANTINE, EPISODE, "gold.dim_date"])
def test_rows_as_a_table_are_whole(aqi: Aqi, lake: str, key: str) -> None:
    header, *rows = aqi.text("show", key, AQI_WAREHOUSE__URI=lake).splitlines()
    cells = list(csv.reader(io.StringIO(aqi.text("show", key, "--format", "csv", AQI_WAREHOUSE__URI=lake))))
    assert header.split() == cells[0]
    assert len(rows) == len(cells) - 1
    for row, expected in zip(rows, cells[1:], strict=True):
        assert row.split() == " ".join(expected).split()


def test_the_limit_of_rows(aqi: Aqi, lake: str) -> None:
    def hours(*options: str) -> list[int]:
        return [row["hour"] for row in aqi.json("show", "gold.dim_time", *options, AQI_WAREHOUSE__URI=lake)]

    assert hours() == list(range(24)), "whoever pipes them wants all"
    assert hours("--limit", "0") == list(range(24))
    assert hours("--limit", "3") == [0, 1, 2]
    assert hours("--limit", "100") == list(range(24))
    assert aqi.text("show", "gold.dim_time", "--format", "csv", AQI_WAREHOUSE__URI=lake).count("\n") == 1 + 24


def test_a_table_is_cut_by_rows_and_says_so(aqi: Aqi, lake: str) -> None:
    cut = aqi("show", "gold.dim_time", AQI_WAREHOUSE__URI=lake)
    assert (cut.exit_code, cut.stdout.count("\n"), cut.stderr) == (0, 1 + 20, "20 of 24 rows; --limit 0 for all\n")
    assert aqi.text("show", "gold.dim_time", "--limit", "0", AQI_WAREHOUSE__URI=lake).count("\n") == 1 + 24
    assert aqi.text("show", "gold.dim_time", "--limit", "3", AQI_WAREHOUSE__URI=lake).count("\n") == 1 + 3


def test_some_columns(aqi: Aqi, lake: str) -> None:
    call = ("show", "gold.dim_time", "--limit", "2", "--columns", "hour, time_key,hour")
    assert aqi.text(*call, "--format", "csv", AQI_WAREHOUSE__URI=lake) == "hour,time_key\n0,0\n1,100\n"
    assert aqi.json(*call, AQI_WAREHOUSE__URI=lake) == [{"hour": 0, "time_key": 0}, {"hour": 1, "time_key": 100}]
    assert aqi.text(*call, AQI_WAREHOUSE__URI=lake).split() == ["hour", "time_key", "0", "0", "1", "100"]
    twice = (*call[:4], "--columns", "hour", "--columns", "time_key")
    assert aqi.json(*twice, AQI_WAREHOUSE__URI=lake) == aqi.json(*call, AQI_WAREHOUSE__URI=lake)


@pytest.mark.parametrize(
    ("value", "told", "as_csv_has"),
    [
        (100 / 6, "16.6667", "16.666666666666668"),
        (105.8342, "105.8342", "105.8342"),
        (12345678.5, "12345678.5", "12345678.5"),
        (1e-5 / 3, "3.33333e-06", "3.3333333333333333e-06"),
        (None, "", ""),
    ],
)
def test_a_number_of_many_digits_is_rounded_for_people_alone(value: float | None, told: str, as_csv_has: str) -> None:
    rows = pa.table({"share": pa.array([value], pa.float64())})
    assert [line.strip() for line in as_lines(rows, ["share"])] == ["share", told]
    assert "".join(as_csv(rows)).splitlines()[1] in (as_csv_has, repr(value), '""')


@pytest.mark.parametrize(
    ("columns", "place", "remedy"),
    [
        ("huor", "column 'huor' is unknown", "Did you mean 'hour'?"),
        ("zzz,hour,yyy", "columns 'zzz', 'yyy' are unknown", "Columns are hour, time_key, time_value, work_shift."),
        (" , ", "--columns names no column", "Columns are time_key, time_value, hour, work_shift."),
    ],
)
def test_columns_that_are_not_there(aqi: Aqi, lake: str, columns: str, place: str, remedy: str) -> None:
    done = aqi("show", "gold.dim_time", "--columns", columns, AQI_WAREHOUSE__URI=lake)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"error: {place}\n  {remedy}\n"


def test_the_last_days(aqi: Aqi, lake: str) -> None:
    """Up to the newest that the table has, whatever today is; that one was made, and has no episode."""
    whole = aqi.json("show", EPISODE, AQI_WAREHOUSE__URI=lake)
    assert aqi.json("show", EPISODE, "--last", "1", AQI_WAREHOUSE__URI=lake) == []
    for count in ("2", "99999999"):
        assert aqi.json("show", EPISODE, "--last", count, AQI_WAREHOUSE__URI=lake) == whole
    assert aqi.json("show", EPISODE, "--last", "2", "--locations", "hanoi", AQI_WAREHOUSE__URI=lake) == whole[1:]


@pytest.mark.parametrize(
    ("call", "place"),
    [
        (("gold.dim_time", "--last", "3"), "gold.dim_time has no days"),
        ((EPISODE, "--last", "3", "--partitions", "2025-08"), "--last chooses the days itself"),
        ((EPISODE, "--last", "3", "--raw"), "--last chooses the days itself"),
    ],
)
def test_last_where_it_chooses_nothing(aqi: Aqi, lake: str, call: tuple[str, ...], place: str) -> None:
    done = aqi("show", *call, AQI_WAREHOUSE__URI=lake)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {place}\n")


# --- on a terminal ----------------------------------------------------------------------------------


@pytest.mark.costly
def test_a_terminal_is_not_overrun_and_no_value_is_cut(lake: str) -> None:
    cells = {EPISODE: {"hanoi", "2025-08-18T09:00:00Z", "AQI>=151_4h"}, QUARANTINE: {"hanoi", "21.0278"}}
    for key, there in cells.items():
        seen = on_a_terminal("show", key, AQI_WAREHOUSE__URI=lake)
        assert (seen.status, seen.lines[0].split()[0] in ("episode_id", "location_key")) == (0, True)
        assert seen.widest <= 80
        assert "…" not in "".join(seen.lines)
        assert there <= set(" ".join(seen.lines).split())
        first, *names = seen.errors.splitlines()
        shown, _, rest = first.partition(" of ")
        assert int(shown) == len(seen.lines[0].split())
        assert rest.endswith("columns; --columns A,B for others, --format csv for all:")
        assert int(rest.split()[0]) == int(shown) + len(" ".join(names).replace(",", "").split())
        assert all(len(line) <= 80 for line in names)
    assert "aqi" not in seen.lines[0].split(), "no row has a value of it"


@pytest.mark.costly
def test_a_wide_terminal_has_all_columns_that_have_a_value(aqi: Aqi, lake: str) -> None:
    seen = on_a_terminal("show", EPISODE, width=200, AQI_WAREHOUSE__URI=lake)
    empty = {"end_exclusive_ts_utc", "is_open"}
    header = aqi.text("show", EPISODE, "--format", "csv", AQI_WAREHOUSE__URI=lake).splitlines()[0].split(",")
    assert seen.lines[0].split() == [name for name in header if name not in empty]
    assert seen.errors == ""


@pytest.mark.costly
def test_a_terminal_that_is_too_narrow_for_the_key_has_a_line_a_column(aqi: Aqi, lake: str) -> None:
    """With every column that has values; a long value stands below its name, and nothing is left out."""
    seen = on_a_terminal("show", EPISODE, "--limit", "2", width=40, AQI_WAREHOUSE__URI=lake)
    paragraphs = [of.splitlines() for of in "\n".join(seen.lines).split("\n\n")]
    header = aqi.text("show", EPISODE, "--format", "csv", AQI_WAREHOUSE__URI=lake).splitlines()[0].split(",")
    there = [name for name in header if name not in ("end_exclusive_ts_utc", "is_open")]
    for lines, values in zip(paragraphs, (["danang", "2025-08-18T07:00:00Z"], ["hanoi", "500"]), strict=True):
        assert [line.split()[0] for line in lines if not line.startswith("  ")] == there
        assert set(values) <= {line.split()[-1] for line in lines}
    assert seen.widest <= 40
    assert seen.errors == ""


@pytest.mark.costly
def test_rows_as_csv_on_a_terminal_are_the_first_ones(lake: str) -> None:
    seen = on_a_terminal("show", "gold.dim_time", "--format", "csv", AQI_WAREHOUSE__URI=lake)
    assert (len(seen.lines), seen.errors) == (21, "20 of 24 rows; --limit 0 for all\n")


def test_rows_of_partitions(aqi: Aqi, lake: str) -> None:
    def shown(*options: str) -> list[str]:
        return [row["episode_id"] for row in aqi.json("show", EPISODE, *options, AQI_WAREHOUSE__URI=lake)]

    assert shown("--locations", "hanoi") == ["hanoi-18-0", "hanoi-18-9"]
    assert shown("--locations", "danang,hcmc") == ["danang-18-7"]
    assert shown("--partitions", "2025-08-18", "--limit", "2") == ["danang-18-7", "hanoi-18-0"]
    assert shown("--partitions", "2025-08-18", "--locations", "hanoi", "--limit", "1") == ["hanoi-18-0"]
    assert shown("--partitions", "2025-08-19") == []


def test_no_rows(aqi: Aqi, lake: str) -> None:
    options = ("show", EPISODE, "--partitions", "2025-08-19", "--format", "csv")
    assert aqi.text(*options, AQI_WAREHOUSE__URI=lake).count("\n") == 1


# --- refusals -------------------------------------------------------------------------------------


def test_show_wants_one_asset(aqi: Aqi) -> None:
    place, remedy = aqi.refusal("show", "gold.fact_*")
    assert place == "gold.fact_* means 3 assets"
    assert remedy == "Name one of gold.fact_air_quality_hourly, gold.fact_city_daily, gold.fact_episode."


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_show_wants_a_table(aqi: Aqi, form: str) -> None:
    (aqi.folder / "warehouse" / "_aqi").mkdir(parents=True)
    place, remedy = aqi.refusal("show", EPISODE, "--format", form)
    assert place == f"{EPISODE} has no table in {aqi.folder / 'warehouse'}"
    assert f"aqi materialize '+{EPISODE}'" in remedy
