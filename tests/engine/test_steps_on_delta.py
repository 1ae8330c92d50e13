"""What lies in Delta: contracts in the schema, one commit a step with its provenance, blocking checks."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from assets import CATALOG
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Column, Contract
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.runs.outcome import StepOutcome
from orchestration.engine.fingerprints import aggregate
from orchestration.project import load
from resources.delta.log import DeltaLog
from resources.delta.warehouse import Warehouse
from tests.support import oracle
from tests.support.feed import Feed
from tests.support.small_lake import Lake
from tests.support.strategies import LOCATIONS, random_bronze

DAYS = "2025-03-01..2025-03-03"


@pytest.fixture(scope="module")
def made(either: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A lake with three days, its rows and the summary of the run that made it."""
    rows = random_bronze(31, days=3, first=date(2025, 3, 1))
    with Feed(rows) as feed:
        lake = Lake(tmp_path_factory.mktemp("lake"), either, feed.server.url)
        yield lake, rows, lake.materialize(DAYS)


def test_schema_not_null_and_comments_come_from_the_contract(made: Any) -> None:
    lake, _, _ = made
    workspace = lake.workspace
    for asset in workspace.catalog:
        actions = DeltaLog(workspace.warehouse.table_uri(asset.key)).actions(0)
        metadata = next(action["metaData"] for action in actions if "metaData" in action)
        fields = {field["name"]: field for field in json.loads(metadata["schemaString"])["fields"]}
        for column in workspace.contracts[asset.key].columns:
            assert fields[column.name]["nullable"] == column.nullable, (asset.key, column.name)
            assert fields[column.name]["metadata"]["comment"] == column.comment
        protocol = next(action["protocol"] for action in actions if "protocol" in action)
        assert (protocol["minReaderVersion"], protocol["minWriterVersion"]) == (1, 2)


def test_a_step_is_one_commit_that_carries_its_provenance(made: Any) -> None:
    lake, _, summary = made
    workspace = lake.workspace
    for outcome in summary.outcomes:
        asset = workspace.catalog[outcome.step.asset]
        log = DeltaLog(workspace.warehouse.table_uri(asset.key))
        assert log.versions() == [0, 1], asset.key
        provenance = log.commit(1).provenance
        assert provenance is not None
        assert provenance.run_id == summary.run_id
        assert [str(key) for key in sorted(provenance.records)] == outcome.step.partitions.keys()
        for key, record in provenance.records.items():
            for mapping in asset.upstream:
                upstream = workspace.warehouse.state(workspace.catalog[mapping.of])
                for consulted, fingerprint in record.inputs[mapping.of].items():
                    assert fingerprint == upstream.fingerprint(PartitionKey.parse(consulted)), key


def test_provenance_that_is_too_large_lies_in_a_file_named_by_digest(either: Any, tmp_path: Path) -> None:
    small = Warehouse(str(tmp_path), LOCATIONS, inline_characters=500)
    rows = random_bronze(13, days=3)
    days = sorted({row["date_utc"] for row in rows})
    with Feed(rows) as feed:
        lake = Lake(tmp_path, either, feed.server.url, adapt=lambda workspace: replace(workspace, warehouse=small))
        lake.materialize(f"{days[0]}..{days[-1]}", f"+{oracle.CITY_DAILY}")
        again = lake.materialize(f"{days[0]}..{days[-1]}", f"+{oracle.CITY_DAILY}")
    assert list((tmp_path / "silver" / "air_quality_hourly_clean" / "_aqi").glob("*.json"))
    assert not any(outcome.written for outcome in again.outcomes)


def run_with(lake: Lake, asset: Asset, days: str, selection: str) -> dict[str, StepOutcome]:
    """A run in Hà Nội whose catalog has ``asset`` instead of the one of its key: the outcomes by asset."""
    with_asset = lake.workspace.catalog.with_asset(asset)
    lake.adapt = lambda workspace: replace(workspace, project=replace(workspace.project, catalog=with_asset))
    return {outcome.step.asset: outcome for outcome in lake.materialize(days, selection, ["hanoi"]).outcomes}


def test_a_blocking_check_leaves_the_partition_as_it_was(either: Any, tmp_path: Path) -> None:
    """A transformation that doubles a row of one day: that day fails, the others are published."""
    rows = random_bronze(14, days=3, locations=["hanoi"], breaking=False)
    days = sorted({row["date_utc"] for row in rows})
    with Feed(rows) as feed:
        lake = Lake(tmp_path, either, feed.server.url)
        asset = lake.workspace.catalog[oracle.SILVER]

        def doubled(frame: Any, **parameters: Any) -> Any:
            clean = asset.function(frame, **parameters)
            return clean.unionByName(clean.where(F.col("date_utc") == F.lit(days[1])))

        broken = replace(asset, function=doubled)
        outcomes = run_with(lake, broken, f"{days[0]}..{days[-1]}", f"+{oracle.CITY_DAILY} or +{oracle.EPISODE}")
    bad = f"{days[1]}/hanoi"
    assert outcomes[oracle.SILVER].failed.keys() == [bad]
    assert "unique" in outcomes[oracle.SILVER].problems[0].message
    assert outcomes[oracle.CITY_DAILY].skipped.keys() == [bad], outcomes[oracle.FACT_HOURLY].problems
    assert {row["date_utc"] for row in lake.rows(oracle.SILVER)} == {days[0], days[2]}
    assert bad in [str(key) for key in outcomes[oracle.EPISODE].skipped]


def test_a_column_of_another_type_is_named(embedded: Any, tmp_path: Path) -> None:
    rows = random_bronze(15, days=1, locations=["hanoi"], breaking=False)
    day = rows[0]["date_utc"]
    with Feed(rows) as feed:
        lake = Lake(tmp_path, embedded, feed.server.url)
        asset = lake.workspace.catalog[oracle.CITY_DAILY]
        wrong = replace(asset, function=lambda frame: asset.function(frame).withColumn("date_key", F.lit("x")))
        outcomes = run_with(lake, wrong, str(day), f"+{oracle.CITY_DAILY}")
    assert "date_key: function string, contract integer" in outcomes[oracle.CITY_DAILY].problems[0].message


def test_fingerprints(either: Any, tmp_path: Path) -> None:
    """Order does not count; a value that moves between columns does; null and absent differ; _columns stay out."""
    parameters = load(environment={}).parameters
    asset = replace(CATALOG[oracle.CITY_DAILY], checks=())
    names = ("location_key", "date_utc", "a", "b", "_c")
    contract = Contract("t", "", tuple(Column(name, "x", name in "ab", "", "") for name in names), ("a",))
    types = {"location_key": pa.string(), "date_utc": pa.date32(), "a": pa.int32(), "b": pa.int32(), "_c": pa.int32()}
    engine = either.engine(Warehouse(str(tmp_path)))

    def fingerprint(*rows: tuple[int | None, int | None, int]) -> str:
        made = [dict(zip(types, ("hanoi", date(2025, 1, 1), *row), strict=True)) for row in rows]
        with engine.working("fingerprints"):
            frame = engine.rows(pa.Table.from_pylist(made, pa.schema(types)))
            return aggregate(frame, asset, contract, parameters)[PartitionKey.parse("2025-01-01/hanoi")].fingerprint

    assert fingerprint((1, 2, 0), (3, 4, 0)) == fingerprint((3, 4, 0), (1, 2, 9))
    assert fingerprint((1, None, 0)) != fingerprint((None, 1, 0))
    assert fingerprint((1, 2, 0)) != fingerprint((2, 1, 0))
    assert fingerprint((1, None, 0)) != fingerprint((1, 0, 0))
    assert fingerprint((1, 2, 0)) != fingerprint((1, 2, 0), (1, 2, 0))
    assert fingerprint((1, 2, 0), (3, 4, 0)) != fingerprint((1, 4, 0), (3, 2, 0))


def test_a_table_whose_creation_was_broken_off_is_created(either: Any, tmp_path: Path) -> None:
    """What a kill -9 leaves at the first moment: a log folder with an unfinished file. Spark alone would fail."""
    lake = Lake(tmp_path, either, "http://127.0.0.1:9")
    log = Path(lake.uri("gold.dim_time")) / "_delta_log"
    log.mkdir(parents=True)
    (log / ".00000000000000000000.json.1d288c01.tmp").touch()
    assert lake.materialize("2025-03-01", "gold.dim_time or gold.dim_pollutant").ok
    assert len(lake.rows("gold.dim_time")) == 24
    actions = [DeltaLog(lake.uri(key)).actions(0) for key in ("gold.dim_time", "gold.dim_pollutant")]
    without, usual = ({name: item[name] for item in found for name in item} for found in actions)
    assert without["protocol"] == usual["protocol"]
    for name in ("description", "configuration", "partitionColumns"):
        assert (name == "description") or without["metaData"][name] == usual["metaData"][name]
    fields = json.loads(without["metaData"]["schemaString"])["fields"]
    contract = lake.workspace.contracts["gold.dim_time"]
    assert [(field["name"], field["nullable"]) for field in fields] == [
        (column.name, column.nullable) for column in contract.columns
    ]
    assert without["metaData"]["description"] == contract.description
