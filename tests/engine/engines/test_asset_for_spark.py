"""An asset that is declared with engine="spark", in a run of the embedded engine: Spark makes its rows alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from assets import CATALOG
from orchestration.core.declarations.engine_functions import DIFFERENCES, check_functions
from orchestration.core.errors import DeclarationError
from orchestration.engine.engines.embedded import EmbeddedEngine
from orchestration.engine.engines.engine import Engine
from orchestration.engine.engines.spark_child import SparkChild
from orchestration.project import load
from resources.delta.warehouse import Warehouse
from resources.spark.driver import spark_conf
from tests.support import oracle, spark_only
from tests.support.engines import SharedEmbedded
from tests.support.feed import Feed
from tests.support.small_lake import Lake
from tests.support.strategies import random_bronze

DAILY = CATALOG[oracle.CITY_DAILY]


@dataclass
class WithSpark:
    """The embedded engine of the tests, beside which a Spark session can be started."""

    embedded: SharedEmbedded
    child: SparkChild
    name: str = "embedded"

    def engine(self, warehouse: Warehouse) -> Engine:
        made = EmbeddedEngine(warehouse, self.embedded.process, lambda: self.child)
        made.start()
        return made

    def make(self, warehouse: Warehouse, run_id: str, rows_expected: int, inherited: list[int]) -> Engine:
        return self.engine(warehouse)


@pytest.fixture(scope="module")
def with_spark(embedded: SharedEmbedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WithSpark]:
    log = tmp_path_factory.mktemp("child") / "spark.log"
    child = SparkChild(spark_conf(load(environment={}), "tests", 1), log)
    yield WithSpark(embedded, child)
    mine = [one for one in psutil.Process().children() if "spark_child" in " ".join(one.cmdline())]
    below = [one for process in mine for one in (process, *process.children(recursive=True))]
    child.end()
    assert not [one for one in psutil.wait_procs(below, 10)[1] if one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.spark
def test_spark_makes_its_rows_and_its_failure_is_its_own(with_spark: WithSpark, tmp_path: Path) -> None:
    rows = random_bronze(3, days=9, locations=["hanoi"], breaking=False)
    days = f"{rows[0]['date_utc']}..{rows[-1]['date_utc']}"
    assert any(row["date_utc"].isoweekday() == 7 for row in rows)
    with Feed(rows) as feed:
        plain = Lake(tmp_path / "plain", with_spark.embedded, feed.server.url)
        assert plain.materialize(days, "+gold.fact_city_daily", ["hanoi"]).ok
        for function, ok in ((spark_only.that_fails, False), (spark_only.every_day, True)):
            lake = Lake(tmp_path / "lake", with_spark, feed.server.url)
            catalog = lake.workspace.catalog.with_asset(replace(DAILY, function=function, engine="spark"))
            lake.adapt = lambda workspace, catalog=catalog: replace(
                workspace, project=replace(workspace.project, catalog=catalog)
            )
            summary = lake.materialize(days, "+gold.fact_city_daily", ["hanoi"])
            bad = {outcome.step.asset for outcome in summary.outcomes if outcome.not_made}
            assert bad == (set() if ok else {oracle.CITY_DAILY})
            if not ok:
                (outcome,) = (one for one in summary.outcomes if one.not_made)
                assert "made to fail" in outcome.problems[0].message
    assert lake.canonical(oracle.CITY_DAILY) == plain.canonical(oracle.CITY_DAILY)


def test_only_such_an_asset_may_use_what_differs() -> None:
    with pytest.raises(DeclarationError, match=r'weekday.*\n.*engine="spark"'):
        check_functions([replace(DAILY, function=spark_only.every_day)], {"assets", "tests"}, DIFFERENCES)
    check_functions([replace(DAILY, function=spark_only.every_day, engine="spark")], {"assets", "tests"}, DIFFERENCES)
