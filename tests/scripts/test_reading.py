"""docs/READING.md: what it says that other tools are to be told gives what is in the table."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from deltalake import DeltaTable

from orchestration.project import load, open_workspace
from tests.support.cli_calls import DAILY, write
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
    assert set(EXAMPLES) == {"duckdb", "polars", "pandas", "spark", "trino", "version"}
    assert all(len([line for line in text.splitlines() if line]) <= 5 for text in EXAMPLES.values())


def test_duckdb(warehouse: str) -> None:
    assert run("duckdb", warehouse)["worst"].fetchall() == WORST


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
