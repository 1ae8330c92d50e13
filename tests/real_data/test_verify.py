"""`aqi verify`: partitions made anew on an engine, and compared with what another one, or other code, has recorded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console

from assets.facts import fact_city_daily
from orchestration.cli.progress import Quiet
from orchestration.core.errors import RunError
from orchestration.engine.verify import Verified, verify
from tests.support import oracle, spark_only
from tests.support.aqi_process import Commands
from tests.support.feed import Feed
from tests.support.kept.trees import RANGE, unpack
from tests.support.small_lake import Lake
from tests.support.strategies import random_bronze

pytestmark = pytest.mark.engine

DAILY = oracle.CITY_DAILY


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse that d35dc26 made, on Spark."""
    return unpack(tmp_path_factory.mktemp("kept") / "warehouse")


def files_in(folder: Path) -> dict[str, float]:
    return {str(path): path.stat().st_mtime for path in folder.rglob("*") if path.is_file()}


def verified(lake: Lake, shared: Any, selection: str, days: str) -> dict[str, Verified]:
    """What `aqi verify` finds on another engine than the lake's own."""
    workspace = lake.workspace
    request = workspace.requested(workspace.select(selection), days)
    listener = Quiet(Console(stderr=True))
    found: Iterator[Verified] = verify(
        workspace, workspace.select(selection), request.partitions, listener, shared.make
    )
    return {one.asset: one for one in found}


def test_what_spark_made_years_ago_comes_out_the_same_and_nothing_is_written(kept: Path, tmp_path: Path) -> None:
    shutil.copytree(kept, tmp_path / "warehouse")
    aqi = Commands(tmp_path, tmp_path / "warehouse", "http://127.0.0.1:9", {"AQI_CLOCK__NOW": "2026-01-01T00:00:00Z"})
    before = files_in(tmp_path / "warehouse")
    found = aqi.json("verify", "*", "--partitions", RANGE, "--engine", "embedded")
    assert {one["asset"] for one in found} == set(oracle.COLUMNS)
    assert sum(len(one["equal"]) for one in found) == 256
    assert [one for one in found if one["different"] or one["left_out"] or one["engine"] != "embedded"] == []
    assert files_in(tmp_path / "warehouse") == before


@pytest.mark.spark
def test_what_embedded_made_comes_out_the_same_on_spark(embedded: Any, on_spark: Any, tmp_path: Path) -> None:
    rows = random_bronze(5, days=6)
    days = f"{min(row['date_utc'] for row in rows)}..{max(row['date_utc'] for row in rows)}"
    with Feed(rows) as feed:
        lake = Lake(tmp_path, embedded, feed.server.url)
        assert lake.materialize(days).ok
        found = verified(lake, on_spark, "*", days)
    assert {key: (len(one.different), dict(one.left_out)) for key, one in found.items()} == dict.fromkeys(
        found, (0, {})
    )
    assert sum(len(one.equal) for one in found.values()) > 100


def at_random(fact_air_quality_hourly: DataFrame) -> DataFrame:
    made: DataFrame = fact_city_daily.function(fact_air_quality_hourly)
    highest = F.coalesce("aqi_daily_max", F.lit(0))  # of what it is declared to be made of
    return made.withColumn("aqi_daily_max", (F.rand() * 1_000_000_000 + highest).cast("int"))


def test_a_row_that_comes_out_otherwise_is_named_and_what_is_not_fresh_is_left_out(
    embedded: Any, tmp_path: Path
) -> None:
    rows = random_bronze(7, days=3, locations=["hanoi"], breaking=False)
    first = rows[0]["date_utc"]
    with Feed(rows) as feed:
        lake = Lake(tmp_path, embedded, feed.server.url)
        catalog = lake.workspace.catalog.with_asset(replace(fact_city_daily, function=at_random))
        lake.adapt = lambda workspace: replace(workspace, project=replace(workspace.project, catalog=catalog))
        with pytest.raises(RunError, match="nothing can be compared"):
            verified(lake, embedded, DAILY, str(first))
        assert lake.materialize(str(first), f"+{DAILY}", ["hanoi"]).ok
        found = verified(lake, embedded, f"{oracle.FACT_HOURLY} or {DAILY}", f"{first}..{rows[-1]['date_utc']}")
    assert found[oracle.FACT_HOURLY].equal.keys() == [f"{first}/hanoi"]
    assert found[DAILY].different.keys() == [f"{first}/hanoi"]
    assert (
        f"{first}/hanoi: in the row location_key=hanoi" in found[DAILY].why and "aqi_daily_max was" in found[DAILY].why
    )
    assert set(found[DAILY].left_out.values()) == {"missing: never made"}
    assert f"{rows[-1]['date_utc']}/hanoi" in map(str, found[DAILY].left_out)


@pytest.mark.spark
def test_a_function_that_differs_is_found_where_the_list_does_not_refuse_it(
    embedded: Any, on_spark: Any, tmp_path: Path
) -> None:
    """Past the check at import: an asset with `weekday`, made on Spark, loses its Sundays on the embedded engine."""
    rows = random_bronze(3, days=9, locations=["hanoi"], breaking=False)
    days = f"{rows[0]['date_utc']}..{rows[-1]['date_utc']}"
    sundays = sorted({f"{row['date_utc']}/hanoi" for row in rows if row["date_utc"].isoweekday() == 7})
    with Feed(rows) as feed:
        lake = Lake(tmp_path, on_spark, feed.server.url)
        catalog = lake.workspace.catalog.with_asset(replace(fact_city_daily, function=spark_only.every_day))
        lake.adapt = lambda workspace: replace(workspace, project=replace(workspace.project, catalog=catalog))
        assert lake.materialize(days, f"+{DAILY}", ["hanoi"]).ok
        found = verified(lake, embedded, DAILY, days)[DAILY]
    assert found.different.keys() == sundays != []
    assert "is not made any more" in found.why
