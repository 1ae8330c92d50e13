"""docs/READING.md: what it says that other tools are to be told gives what is in the table."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from deltalake import DeltaTable

from orchestration.project import load, open_workspace
from tests.support.cli_calls import DAILY, EPISODE, write
from tests.support.setup_script import ROOT

PAGE = (ROOT / "docs" / "READING.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^```(?:python|sql) (\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
WORST = [("danang", None), ("hanoi", 205), ("hcmc", 99)]
"""What each example is to give: a day without a value is no worst day, and no zero."""


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A warehouse whose table of days has two versions, and a file of the first that the second does not have."""
    uri = str(tmp_path_factory.mktemp("reading") / "warehouse")
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": uri}}))

    def day(location: str, number: int, worst: int | None) -> dict[str, Any]:
        whole = {one.name: 1 for one in workspace.contracts[DAILY].columns if one.type in ("integer", "long", "double")}
        key = {"daily_record_id": f"{location}-{number}", "location_key": location, "date_utc": date(2025, 8, number)}
        return whole | key | {"dominant_pollutant_daily": "pm25", "aqi_daily_max": worst}

    write(workspace, DAILY, [day("hanoi", 18, 999)], **{"2025-08-18/hanoi": 1})
    DeltaTable(f"{uri}/gold/fact_city_daily").delete()
    rows = [("hanoi", 18, 160), ("hanoi", 19, 205), ("hcmc", 18, 99), ("hcmc", 19, None), ("danang", 18, None)]
    write(workspace, DAILY, [day(*row) for row in rows], **{f"2025-08-{day}/{at}": 1 for at, day, _ in rows})
    return uri


def run(name: str, warehouse: str, **given: Any) -> dict[str, Any]:
    """What an example of Python leaves behind."""
    found = dict(given)
    exec(compile(EXAMPLES[name].replace("WAREHOUSE", warehouse), f"READING.md {name}", "exec"), found)  # noqa: S102
    return found


def test_each_is_five_lines_at_the_most() -> None:
    assert set(EXAMPLES) == {"duckdb", "polars", "pandas", "spark", "trino", "version", "tables"}
    readers = [text for name, text in EXAMPLES.items() if name != "tables"]
    assert all(len([line for line in text.splitlines() if line]) <= 5 for text in readers)


def test_duckdb(warehouse: str) -> None:
    assert run("duckdb", warehouse)["worst"].fetchall() == WORST


@pytest.mark.costly
def test_polars(warehouse: str) -> None:
    assert run("polars", warehouse)["worst"].rows() == WORST


def test_pandas(warehouse: str) -> None:
    worst = run("pandas", warehouse)["worst"]
    rows = json.loads(worst.to_json(orient="values"))
    assert [(location, value) for location, value in rows] == WORST


@pytest.mark.spark
def test_spark(warehouse: str, spark: Any) -> None:
    assert [tuple(row) for row in run("spark", warehouse, spark=spark)["worst"].collect()] == WORST
    [package] = re.findall(r"io\.delta:(\S+):([\d.]+)", PAGE)
    locked = json.loads((ROOT / "config" / "java.lock.json").read_text(encoding="utf-8"))
    assert package in [(one["name"], one["version"]) for one in _libraries(locked)]


def test_trino(warehouse: str) -> None:
    """Its dialect is read, and its query answered by another engine; there is no Trino here."""
    schema, call, query = sqlglot.parse(EXAMPLES["trino"].replace("WAREHOUSE", f"file://{warehouse}"), dialect="trino")
    assert schema is not None and schema.sql("trino") == "CREATE SCHEMA IF NOT EXISTS delta.gold"
    assert call is not None and call.sql("trino").startswith("CALL delta.system.register_table(")
    assert query is not None
    assert isinstance(query, sqlglot.exp.Select)
    [table] = query.find_all(sqlglot.exp.Table)
    assert table.sql("trino") == "delta.gold.fact_city_daily"
    days = DeltaTable(f"{warehouse}/gold/fact_city_daily").to_pyarrow_table()
    asked = query.sql("duckdb").replace("delta.gold.fact_city_daily", "days")
    assert duckdb.sql(asked).fetchall() == WORST
    assert days.num_rows == 5


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    """The answers to the page's questions, of hours at hanoi (UTC+7), by name.

    From 17:00 of 2025-08-17 on, UTC. The index of an hour is its number, on the 18th ten times that. Of the 19th, which
    goes on, hours 0 to 9 came; 3 is without an index, 5 and 6 are in quarantine.
    """
    uri = str(tmp_path_factory.mktemp("questions") / "warehouse")
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": uri}}))
    plain = {"integer": 1, "long": 1, "double": 1.0, "string": "x", "boolean": False, "array<string>": ["negative"]}

    def row(asset: str, day: int, **said: Any) -> dict[str, Any]:
        at = datetime(2025, 8, day, tzinfo=UTC)
        usual = plain | {"date": at.date(), "timestamp": at}
        whole = {one.name: usual[one.type] for one in workspace.contracts[asset].columns}
        return whole | {"location_key": "hanoi"} | said

    def hour(asset: str, day: int, number: int) -> dict[str, Any]:
        at = datetime(2025, 8, day, number, tzinfo=UTC)
        local = at + timedelta(hours=7)
        there = {"ts_local": f"{local:%Y-%m-%dT%H}:00:00+07:00", "date_local": local.date(), "hour_local": local.hour}
        names = {one.name for one in workspace.contracts[asset].columns}
        index = None if (day, number) == (19, 3) else number * (10 if day == 18 else 1)
        said = {"ts_utc": at, "date_utc": at.date(), "aqi": index, **there}
        return row(asset, day, **{name: value for name, value in said.items() if name in names})

    sent = [(17, number) for number in range(17, 24)] + [(18, number) for number in range(24)]
    sent += [(19, number) for number in range(10)]
    broken = [(19, 5), (19, 6)]
    clean = [one for one in sent if one not in broken]
    keys = "bronze.open_meteo_hourly", "silver.air_quality_hourly_quarantine", "gold.fact_air_quality_hourly"
    for key, hours in zip(keys, (sent, broken, clean), strict=True):
        write(workspace, key, [hour(key, *one) for one in hours], **{"2025-08-18/hanoi": 24})
    days = [(18, 24, 230, True), (19, 7, 9, False)]
    found = [
        row(DAILY, day, date_utc=date(2025, 8, day), hours_measured=hours, aqi_daily_max=worst, has_last_hour=last)
        for day, hours, worst, last in days
    ]
    write(workspace, DAILY, found, **{"2025-08-18/hanoi": 1})
    episodes = [row(EPISODE, day, start_date_utc=date(2025, 8, day), is_open=day == 19) for day in (18, 19)]
    write(workspace, EPISODE, episodes, **{"2025-08-18/hanoi": 1})
    names = ["night", "morning", "afternoon", "evening"]
    shifts = [row("gold.dim_time", 18, hour=number, work_shift=names[number // 6]) for number in range(24)]
    write(
        workspace, "gold.dim_time", [{k: v for k, v in one.items() if k != "location_key"} for one in shifts], null=24
    )
    run("tables", uri)
    questions = re.findall(r"^```sql question (\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return {name: duckdb.sql(text).fetchall() for name, text in questions}


def test_the_worst_hour_is_in_local_time(asked: dict[str, list[tuple[Any, ...]]]) -> None:
    assert asked["worst_hour"] == [("hanoi", 230, "2025-08-19T06:00:00+07:00")]


def test_a_local_day_is_another_than_the_utc_day_and_counts_where_it_is_whole(
    asked: dict[str, list[tuple[Any, ...]]],
) -> None:
    """The local 18th ends at 17:00 UTC: the worst hour of the UTC day is in the local 19th, of which hours lack."""
    assert asked["local_days"] == [("hanoi", date(2025, 8, 18), 160, 230)]


def test_which_episodes_may_go_on(asked: dict[str, list[tuple[Any, ...]]]) -> None:
    assert [(location, start.date()) for location, start, *_ in asked["open_episodes"]] == [
        ("hanoi", date(2025, 8, 19))
    ]


def test_hours_that_a_day_lacks_are_accounted_for(asked: dict[str, list[tuple[Any, ...]]]) -> None:
    assert asked["incomplete_days"] == [("hanoi", date(2025, 8, 19), False, 7, 1, 2, 14)]


def test_shifts_are_of_the_local_clock(asked: dict[str, list[tuple[Any, ...]]]) -> None:
    """Hours above 150 are 16:00 to 23:00 UTC of the 18th: 23:00, then 00:00 to 06:00 local time."""
    assert [(shift, unhealthy) for _, shift, unhealthy, _ in asked["shifts"]] == [
        ("night", 6),
        ("morning", 1),
        ("afternoon", 0),
        ("evening", 1),
    ]
    assert sum(measured for *_, measured in asked["shifts"]) == 38


def test_an_earlier_version(warehouse: str) -> None:
    assert run("version", warehouse)["first"].num_rows == 0, "what was written first was removed there"


def test_files_are_not_the_table(warehouse: str) -> None:
    """Why the page says to go by the log."""
    files = str(Path(warehouse, "gold", "fact_city_daily", "*.parquet"))
    assert duckdb.sql(f"SELECT max(aqi_daily_max) FROM '{files}'").fetchall() == [(999,)]


def _libraries(locked: Any) -> list[dict[str, str]]:
    """Every library that is named anywhere in the lock."""
    if isinstance(locked, dict) and {"name", "version"} <= set(locked):
        return [locked]
    inner = locked.values() if isinstance(locked, dict) else locked if isinstance(locked, list) else ()
    return [one for of in inner for one in _libraries(of)]
