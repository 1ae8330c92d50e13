"""The engine Spark: rows in scratch and not in memory, files read as they are, deltalake's commits where it can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from orchestration.core.partitions.keys import PartitionSet
from orchestration.engine.engines.spark import SparkEngine, rows_at_once
from orchestration.engine.steps import ROWS_A_PARTITION
from resources.delta.features import Features
from resources.delta.warehouse import Warehouse
from tests.assets.test_tables import expected, span
from tests.support import oracle
from tests.support.days_and_keys import days
from tests.support.feed import Feed
from tests.support.small_lake import DATED, Lake
from tests.support.strategies import random_bronze

pytestmark = pytest.mark.spark

FACTS, SILVER = "gold.fact_air_quality_hourly", "silver.air_quality_hourly_clean"


@pytest.mark.parametrize(("partitions", "days"), [(3, 3), pytest.param(40, 6, marks=pytest.mark.slow)])
def test_tables_made_in_batches_are_those_of_the_oracle(
    on_spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partitions: int, days: int
) -> None:
    """In a folder whose name Spark would take for a pattern."""
    monkeypatch.setattr(
        "tests.support.engines.SparkEngine",
        lambda warehouse, provider: SparkEngine(warehouse, provider, ROWS_A_PARTITION * partitions),
    )
    rows = random_bronze(149, days=days)
    with Feed(rows) as feed:
        lake = Lake(tmp_path / "a {b} ?*", on_spark, feed.server.url)
        summary = lake.materialize(span(rows))
        assert summary.ok, [problem.message for one in summary.outcomes for problem in one.problems][:1]
        tables = lake.tables()
    want = expected(rows)
    for key in DATED:
        assert tables[key] == want[key], key


def test_rows_lie_in_scratch_until_they_are_let_go_of(on_spark: Any, tmp_path: Path) -> None:
    engine = on_spark.engine(Warehouse(str(tmp_path / "lake")))
    early, late, later = (PartitionSet.of(days(of), ["hue"]) for of in ("2025-08-01", "2025-08-02", "2025-08-03"))
    persistent = on_spark.session.sparkContext._jsc.getPersistentRDDs
    before = set(persistent())  # Delta keeps the states of tables
    with engine.working("a test"):
        parts = [
            (early, engine.evaluate(on_spark.session.range(3))),
            (late, engine.evaluate(on_spark.session.range(5))),
        ]
        rows = engine.together(parts)
        counts = [rows.frame(of).count() for of in (None, early, late, early | late, early | later)]
        nothing = engine.evaluate(on_spark.session.range(0))
        assert nothing.frame().count() == 0
    assert counts == [8, 3, 5, 8, 3]
    assert set(persistent()) <= before
    scratch = Path(engine.scratch.folder)
    assert len(list(scratch.iterdir())) == 3
    rows.let_go()
    nothing.let_go()
    assert not list(scratch.iterdir())
    engine.stop()
    assert not scratch.exists()


def test_what_is_fetched_does_not_go_into_the_plan_as_rows(on_spark: Any, tmp_path: Path) -> None:
    """Or the driver has every one of them several times, in boxes."""
    engine = on_spark.engine(Warehouse(str(tmp_path / "lake")))
    with engine.working("a test"):
        many = engine.rows(pa.table({"value": list(range(300_000))}))
        plan = many._jdf.queryExecution().optimizedPlan().toString()
    assert "LocalRelation" not in plan
    assert many.selectExpr("sum(value)").first()[0] == sum(range(300_000))


def test_what_fails_leaves_nothing_in_scratch(on_spark: Any, tmp_path: Path) -> None:
    engine = on_spark.engine(Warehouse(str(tmp_path / "lake")))
    with engine.working("a test"), pytest.raises(Exception, match="DIVIDE_BY_ZERO"):
        engine.evaluate(on_spark.session.range(3).selectExpr("1 / id"))
    assert not list(Path(engine.scratch.folder).iterdir())


# Commits ------------------------------------------------------------------------------------------------------------


def engines_of_commits(lake: Lake, key: str) -> list[str]:
    """Who made the commits of a table, the first one first."""
    history = DeltaTable(lake.workspace.warehouse.table_uri(key)).history()
    made = [entry.get("engineInfo") or entry.get("clientVersion") or "" for entry in reversed(history)]
    return ["Spark" if "Spark" in one else "deltalake" for one in made]


@pytest.mark.parametrize(
    ("properties", "by"),
    [
        ({"delta.logRetentionDuration": "interval 60 days"}, "deltalake"),
        ({"delta.columnMapping.mode": "name", "delta.minReaderVersion": "2", "delta.minWriterVersion": "5"}, "Spark"),
        pytest.param({"delta.enableChangeDataFeed": "true"}, "Spark", marks=pytest.mark.slow),
        pytest.param(
            {"CHECK": 'location_key rlike "^[a-z]+$"'}, "Spark", marks=pytest.mark.slow
        ),  # no deltalake's plan
    ],
)
def test_a_table_to_which_others_gave_a_feature(
    on_spark: Any, tmp_path: Path, properties: dict[str, str], by: str
) -> None:
    """It is read and committed to by who knows the feature; its rows are those of any other table."""
    rows = random_bronze(151, days=2)
    with Feed(rows) as feed:
        lake = Lake(tmp_path / "lake", on_spark, feed.server.url)
        begin, _, end = span(rows).partition("..")
        assert lake.materialize(begin).ok
        uri = lake.workspace.warehouse.table_uri(FACTS)
        told = ", ".join(f"'{name}' = '{value}'" for name, value in properties.items())
        change = f"SET TBLPROPERTIES ({told})"
        if "CHECK" in properties:
            change = f"ADD CONSTRAINT named CHECK ({properties['CHECK']})"
        on_spark.session.sql(f"ALTER TABLE delta.`{uri}` {change}")
        assert lake.materialize(f"{begin}..{end}").ok
        assert lake.materialize(f"{begin}..{end}", force=True).ok
        tables = lake.tables([key for key in DATED if key != FACTS])
        stored = on_spark.session.read.format("delta").load(uri).drop("_ingested_at").toArrow().to_pylist()
    want = expected(rows)
    for key, found in (tables | {FACTS: oracle.canonical(stored, oracle.COLUMNS[FACTS])}).items():
        assert found == want[key], key
    assert engines_of_commits(lake, FACTS)[-1] == by
    assert engines_of_commits(lake, SILVER)[-1] == "deltalake"


@pytest.mark.parametrize("heap", [512 << 20, 1 << 30, 4 << 30])
def test_what_is_made_at_once_follows_from_the_heap(heap: int) -> None:
    assert rows_at_once(heap) * 4096 == heap


def test_features_that_deltalake_answers_for(tmp_path: Path) -> None:
    uri = str(tmp_path / "table")
    write_deltalake(uri, pa.table({"a": [1]}))
    assert Features.of_table(DeltaTable(uri)).take_commits
    DeltaTable(uri).alter.add_constraint({"positive": "a > 0"})
    assert not Features.of_table(DeltaTable(uri)).take_commits  # others' expressions are Spark's
    write_deltalake(str(tmp_path / "fed"), pa.table({"a": [1]}), configuration={"delta.enableChangeDataFeed": "true"})
    assert not Features.of_table(DeltaTable(str(tmp_path / "fed"))).take_commits
