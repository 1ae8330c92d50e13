"""The compiled row rules agree with pandera's own validation and with the oracle, row by row."""

from __future__ import annotations

from datetime import UTC, date, datetime
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from assets import contracts
from assets.row_rules import broken_rules
from orchestration.engine.pandera_contracts import contract_of
from orchestration.project import load
from resources.delta.warehouse import Warehouse
from tests.support import oracle
from tests.support.engines import SharedEngine
from tests.support.strategies import bronze_rows

LIMITS = load(environment={}).parameters.limits
MODEL = contracts.models(LIMITS)["AirQualityHourlyClean"]
CONTRACT = contract_of("AirQualityHourlyClean", MODEL)
INSTANT = datetime(2025, 3, 1, 5, tzinfo=UTC)

SCHEMA = T.StructType(
    [
        T.StructField(field.name, field.dataType)
        for field in T.StructType.fromJson(CONTRACT.delta_schema()).fields
        if field.name != "_ingested_at"
    ]
)
ARROW = to_arrow_schema(SCHEMA, timezone="UTC")
NAMES = SCHEMA.names

CASES: list[dict[str, Any]] = [
    {},
    {"pm25": -0.1},
    {"pm25": float("nan")},
    {"pm25": float("inf")},
    {"pm25": float("-inf")},
    {"pm25": 5000.0},
    {"pm25": 5000.1},
    {"aqi": -1},
    {"aqi_co": -5},
    {"co2": 249.9},
    {"co2": 250.0},
    {"co2": 2000.1},
    {"uv_index": 25.5},
    {"ts_utc": INSTANT.replace(minute=30)},
    {"date_utc": date(2025, 3, 2)},
    {"pm10": None, "co2": None, "aqi": None},
    {"location_key": None},
    {"pm25": -1.0, "co2": 9.0, "dust": float("nan")},
]


def row(changes: dict[str, Any]) -> dict[str, Any]:
    good = {column.name: (1 if column.type == "integer" else 1.0) for column in CONTRACT.columns}
    good |= {"location_key": "hanoi", "ts_utc": INSTANT, "date_utc": date(2025, 3, 1), "co2": 420.0}
    good |= {"date_key": 20250301, "time_key": 500}
    return {**good, **changes}


def broken(shared: SharedEngine, rows: list[dict[str, Any]]) -> list[list[str]]:
    table = pa.Table.from_pylist([{name: one[name] for name in NAMES} for one in rows], ARROW)
    with TemporaryDirectory() as folder:
        engine = shared.engine(Warehouse(folder))
        with engine.working("row rules"):
            found = engine.rows(table).select(broken_rules(CONTRACT.rules).alias("broken")).collect()
    return [list(item["broken"]) for item in found]


@pytest.mark.spark
def test_compiled_rules_agree_with_panderas_validate(spark: Any, on_spark: SharedEngine) -> None:
    """A row breaks a compiled rule exactly where pandera reports an error for it."""
    cases = [CASES[number] for number in (0, 1, 2, 6, 13)]  # some 40 queries each
    found = broken(on_spark, [row(case) for case in cases])
    for case, names in zip(cases, found, strict=True):
        # By way of Arrow: the row is part of the query, which then needs no job.
        frame = spark.createDataFrame(pa.Table.from_pylist([row(case)], ARROW), SCHEMA)
        frame = frame.withColumn("_ingested_at", F.current_timestamp())
        errors = MODEL.validate(check_obj=frame, lazy=True).pandera.errors
        assert bool(errors.get("DATA") or errors.get("SCHEMA")) == bool(names), (case, names, errors)


def agrees_with_the_oracle(shared: SharedEngine, one: dict[str, Any]) -> None:
    assert broken(shared, [{**one, "date_key": 0, "time_key": 0}]) == [oracle.broken_rules(one)]


@settings(max_examples=60, deadline=None)
@given(bronze_rows())
def test_compiled_rules_agree_with_the_oracle(embedded: SharedEngine, one: dict[str, Any]) -> None:
    agrees_with_the_oracle(embedded, one)


@pytest.mark.spark
@settings(max_examples=6, deadline=None)
@given(bronze_rows())
def test_compiled_rules_agree_with_the_oracle_on_spark(on_spark: SharedEngine, one: dict[str, Any]) -> None:
    agrees_with_the_oracle(on_spark, one)


def test_compiled_rules_agree_with_the_oracle_on_the_cases(either: SharedEngine) -> None:
    assert broken(either, [row(case) for case in CASES]) == [oracle.broken_rules(row(case)) for case in CASES]
