"""What columns are made of: recorded by the steps that make them, once for each code version, and checked as it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from assets import CATALOG
from orchestration.core.declarations.asset import Asset
from orchestration.core.lineage.columns import ColumnLineage
from orchestration.core.partitions.mappings import Identity
from orchestration.core.runs.outcome import RunSummary, StepOutcome
from orchestration.core.runs.step_parts import SoFar
from orchestration.engine.changes.record_columns import planned_columns, record_columns
from orchestration.engine.lineage import of_steps
from orchestration.engine.lineage.declared import compared
from orchestration.engine.lineage.of_frames import ELSEWHERE, lineage_of_frame
from orchestration.engine.lineage.recorded import recorded_columns
from orchestration.engine.workspace import Workspace
from tests.support import oracle
from tests.support.feed import Feed
from tests.support.small_lake import ALL, Lake
from tests.support.strategies import random_bronze

DAY = "2025-03-01"
KEY = oracle.CITY_DAILY


@pytest.fixture(scope="module")
def made(embedded: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    rows = random_bronze(31, days=1, first=date(2025, 3, 1), locations=["hanoi"])
    with Feed(rows) as feed:
        lake = Lake(tmp_path_factory.mktemp("lake"), embedded, feed.server.url)
        assert lake.materialize(DAY, locations=["hanoi"]).ok
        yield lake


@pytest.fixture
def lake(made: Lake) -> Lake:
    """With the assets as they are."""
    made.adapt = lambda workspace: workspace
    return made


def with_asset(lake: Lake, **other: Any) -> Asset:
    asset = replace(lake.workspace.catalog[KEY], **other)
    catalog = lake.workspace.catalog.with_asset(asset)
    lake.adapt = lambda workspace: replace(workspace, project=replace(workspace.project, catalog=catalog))
    return asset


def run(lake: Lake, **more: Any) -> RunSummary:
    return lake.materialize(DAY, KEY, ["hanoi"], **more)


def only(summary: RunSummary) -> StepOutcome:
    (outcome,) = summary.outcomes
    return outcome


def recorded(lake: Lake, key: str = KEY) -> ColumnLineage | None:
    """Of the code as it is."""
    workspace = lake.workspace
    text = workspace.states((key,))[key].columns_of.get(workspace.code_parts((key,))[key])
    return None if text is None else ColumnLineage.from_json(json.loads(text))


class Listener:
    """Hears everything, and says nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


# --- recorded -----------------------------------------------------------------------------------------------------


def test_the_first_step_of_every_asset_records_its_columns(lake: Lake) -> None:
    workspace = lake.workspace
    found = recorded_columns(workspace, workspace.states(workspace.select(ALL)))
    assert (set(found.lineages), found.lacking, found.of_older_code) == (set(workspace.catalog.keys), (), frozenset())
    for key, lineage in found.lineages.items():
        assert tuple(lineage.columns) == workspace.contracts[key].column_names
        assert not lineage.unknown
        assert compared(workspace.catalog[key], workspace.contracts, lineage) == ()
    assert found.lineages[oracle.BRONZE].reads == {"open_meteo", oracle.BRONZE}


def test_a_second_run_reads_no_plan(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise AssertionError("a plan is read, or marked")

    monkeypatch.setattr(of_steps, "all_marked", fail)
    monkeypatch.setattr(of_steps, "lineage_of_frame", fail)
    before = lake.versions()
    assert lake.materialize(DAY, locations=["hanoi"], force=True).ok
    changed = {key for key, version in lake.versions().items() if version != before[key]}
    assert changed <= {oracle.BRONZE}, "it names the newest answer"


def test_rows_and_records_that_come_out_unchanged_are_a_commit_without_files(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_asset(lake, function=lambda fact_air_quality_hourly: daily(fact_air_quality_hourly))
    with monkeypatch.context() as as_before:  # of a version that recorded no columns
        as_before.setattr(SoFar, "to_tell", lambda *_: "")
        assert run(lake).ok
    assert recorded(lake) is None
    files, version = lake.files()[KEY], lake.versions()[KEY]
    outcome = only(run(lake, force=True))
    assert (outcome.state, outcome.version) == ("unchanged", (version or 0) + 1)
    assert lake.files()[KEY] == files
    assert recorded(lake) is not None
    assert only(run(lake, force=True)).version == outcome.version


def daily(hours: DataFrame) -> DataFrame:
    made: DataFrame = CATALOG[KEY].function(hours)
    return made


def test_a_plan_that_cannot_be_read_fails_no_step_and_is_told_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with_asset(lake, function=lambda fact_air_quality_hourly: daily(fact_air_quality_hourly).where(F.lit(True)))
    with monkeypatch.context() as broken:
        broken.setattr(of_steps, "lineage_of_frame", lambda *_: 1 / 0)
        outcome = only(run(lake))
    assert not outcome.not_made
    assert outcome.notes == (
        "what its columns are made of could not be read from its plan: ZeroDivisionError: division by zero",
    )
    found = recorded(lake)
    assert found is not None and found.unknown == {"a plan that cannot be read (ZeroDivisionError)"}
    assert only(run(lake, force=True)).notes == ()
    (again,) = record_columns(lake.workspace, (KEY,), Listener(), lake.shared.make)
    assert again.what == "recorded"
    found = recorded(lake)
    assert found is not None and not found.unknown


# --- checked ------------------------------------------------------------------------------------------------------


def failing(lake: Lake) -> str:
    """What a run says that fails, and changes nothing."""
    before = lake.versions()
    summary = run(lake, force=True)
    assert (summary.exit_status, lake.versions()) == (1, before)
    (problem,) = only(summary).problems
    assert problem.check == "lineage"
    assert recorded(lake) is None
    return problem.message


def test_an_undeclared_read(lake: Lake, tmp_path: Path) -> None:
    pq.write_table(pa.table({"location_key": ["hanoi"], "weight": [1]}), tmp_path / "secret.parquet")

    def days(fact_air_quality_hourly: DataFrame) -> DataFrame:
        other = SparkSession.active().read.parquet(str(tmp_path))
        return daily(fact_air_quality_hourly).join(other, "location_key", "left")

    with_asset(lake, function=days)
    assert failing(lake).startswith(
        f"{KEY}: check lineage failed: {KEY} reads parquet {tmp_path}, says its plan, and does not declare it. "
    )


def test_an_upstream_that_is_never_used(lake: Lake) -> None:
    def days(fact_air_quality_hourly: DataFrame, air_quality_hourly_clean: DataFrame) -> DataFrame:
        return daily(fact_air_quality_hourly)

    upstream = (*lake.workspace.catalog[KEY].upstream, Identity(oracle.SILVER))
    with_asset(lake, function=days, upstream=upstream)
    assert failing(lake).startswith(
        f"{KEY}: check lineage failed: {KEY} declares {oracle.SILVER}, which is never read, says its plan. "
    )


def test_a_column_that_is_made_of_another_than_its_contract_says(lake: Lake) -> None:
    def days(fact_air_quality_hourly: DataFrame) -> DataFrame:
        hours = fact_air_quality_hourly
        highest = hours.groupBy("location_key", "date_utc").agg(F.max("aqi_pm25").alias("aqi_daily_max"))
        return daily(hours).drop("aqi_daily_max").join(highest, ["location_key", "date_utc"])

    with_asset(lake, function=days)
    assert failing(lake) == (
        f"{KEY}: check lineage failed: {KEY}.aqi_daily_max is made of {oracle.FACT_HOURLY}.aqi, says its contract, and "
        f"of {oracle.FACT_HOURLY}.aqi_pm25, says its plan. Declare what the function reads and what its columns are "
        "made of, or change the function."
    )


def saying(lake: Lake, column: str, made_of: str) -> None:
    """The contract says otherwise, and the code is as it was."""
    workspace = lake.workspace
    contract = workspace.contracts[KEY]
    columns = tuple(replace(one, made_of=(made_of,)) if one.name == column else one for one in contract.columns)
    contracts = {**workspace.contracts, KEY: replace(contract, columns=columns)}

    def adapt(workspace: Workspace) -> Workspace:
        vars(workspace)["contracts"] = contracts
        return workspace

    lake.adapt = adapt


def test_a_contract_that_says_otherwise_once_all_is_recorded(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    said = f"{KEY}.aqi_daily_max is made of {oracle.FACT_HOURLY}.aqi_pm25, says its contract, and of"
    saying(lake, "aqi_daily_max", "aqi_pm25")
    before = lake.versions()
    summary = run(lake, force=True)
    assert (summary.exit_status, lake.versions()) == (1, before)
    assert said in only(summary).problems[0].message
    (found,) = record_columns(lake.workspace, (KEY,), Listener(), lake.shared.make)
    assert (found.what, said in found.why) == ("failed", True)


def test_what_an_earlier_version_read_otherwise_is_read_anew(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step is judged by its plan, not by what was once read of it."""
    with_asset(lake, function=lambda fact_air_quality_hourly: daily(fact_air_quality_hourly).where(F.lit(1) > 0))
    right = lineage_of_frame

    def wrong(*of: Any) -> ColumnLineage:
        found = right(*of)
        return replace(found, columns={**found.columns, "aqi_daily_max": found.columns["date_key"]})

    with monkeypatch.context() as earlier:
        earlier.setattr(of_steps, "lineage_of_frame", wrong)
        earlier.setattr(of_steps, "compared", lambda *_: ())
        assert run(lake).ok
    known = recorded(lake)
    assert known is not None and known.columns["aqi_daily_max"] == known.columns["date_key"]
    assert run(lake, force=True).ok
    (found,) = record_columns(lake.workspace, (KEY,), Listener(), lake.shared.make)
    assert found.what == "recorded"
    known = recorded(lake)
    assert known is not None and known.columns["aqi_daily_max"] != known.columns["date_key"]


def test_nothing_is_claimed_of_what_cannot_be_read(lake: Lake) -> None:
    """Of columns whose plan is known what is wrong is told all the same."""

    def days(fact_air_quality_hourly: DataFrame, air_quality_hourly_clean: DataFrame) -> DataFrame:
        return daily(fact_air_quality_hourly).withColumn("hours_measured", F.expr("hours_measured + 0"))

    upstream = (*lake.workspace.catalog[KEY].upstream, Identity(oracle.SILVER))
    with_asset(lake, function=days, upstream=upstream)
    assert run(lake).ok
    found = recorded(lake)
    assert found is not None and found.columns["hours_measured"].unknown and found.reads == {oracle.FACT_HOURLY}


# --- without rows -------------------------------------------------------------------------------------------------


def test_columns_are_recorded_where_all_is_fresh(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with_asset(lake, function=lambda fact_air_quality_hourly: daily(fact_air_quality_hourly.where(F.lit(True))))
    monkeypatch.setattr(SoFar, "to_tell", lambda *_: "")
    assert run(lake).ok
    states, files = lake.states(KEY, DAY), lake.files()
    workspace = lake.workspace
    keys = workspace.select(ALL)
    assert [one.asset for one in planned_columns(workspace, keys) if one.what == "to be recorded"] == [KEY]
    found = record_columns(workspace, keys, Listener(), lake.shared.make)
    assert {one.asset: one.what for one in found} == {**dict.fromkeys(keys, "known"), KEY: "recorded"}
    assert recorded(lake) is not None
    assert (lake.states(KEY, DAY), lake.files()) == (states, files)
    assert {one.what for one in record_columns(lake.workspace, keys, Listener(), None)} == {"known"}


def test_a_table_that_is_not_there_is_not_made(lake: Lake, tmp_path: Path) -> None:
    empty = replace(lake, folder=tmp_path / "empty")
    workspace: Workspace = empty.workspace
    (found,) = record_columns(workspace, (KEY,), Listener(), None)
    assert str(found) == f"{KEY}: has no table yet; what makes it will record them"
    assert not (tmp_path / "empty").exists()


def test_what_is_not_as_declared_is_not_recorded_without_rows_either(lake: Lake) -> None:
    def days(fact_air_quality_hourly: DataFrame) -> DataFrame:
        return daily(fact_air_quality_hourly.withColumn("aqi", F.col("aqi_pm25")))

    with_asset(lake, function=days)
    (found,) = record_columns(lake.workspace, (KEY,), Listener(), lake.shared.make)
    assert found.what == "failed"
    assert f"{KEY}.aqi_daily_max is made of {oracle.FACT_HOURLY}.aqi, says its contract" in found.why
    assert recorded(lake) is None


def test_what_another_process_makes_is_told_as_unknown(lake: Lake) -> None:
    with_asset(lake, engine="spark", function=lambda fact_air_quality_hourly: daily(fact_air_quality_hourly.limit(10)))
    (found,) = record_columns(lake.workspace, (KEY,), Listener(), lake.shared.make)
    assert found.what == "recorded"
    known = recorded(lake)
    assert known is not None and known.unknown == {ELSEWHERE}


@pytest.mark.spark
def test_spark_records_the_same(lake: Lake, on_spark: Any, tmp_path: Path) -> None:
    other = replace(lake, folder=tmp_path / "spark", shared=on_spark)
    assert other.materialize(DAY, locations=["hanoi"]).ok
    workspaces = [one.workspace for one in (lake, other)]
    there, here = (of.states(of.select(ALL)) for of in workspaces)
    assert {key: dict(state.columns_of) for key, state in here.items()} == {
        key: {part: there[key].columns_of[part]} for key, part in workspaces[0].code_parts(there).items()
    }
