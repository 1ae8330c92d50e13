"""Column lineage of every asset: both engines say the same, nothing of a plan is unread, and it is what DATA_MODEL.md
says of every gold column, written down here by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assets import CATALOG
from orchestration.core.declarations.origins import declared_columns
from orchestration.core.lineage.columns import ColumnLineage, Sources
from orchestration.core.lineage.compare import differences
from orchestration.core.lineage.walk import downstream, ends, field_of, upstream
from orchestration.engine.engines.engine import Engine
from orchestration.engine.lineage.declared import compared
from orchestration.engine.lineage.of_frames import lineage_of_asset
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from tests.assets import lineage_by_hand as by_hand

KEYS = [asset.key for asset in CATALOG]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    uri = str(tmp_path_factory.mktemp("lake"))
    return open_workspace(load(environment={}, flags={"warehouse": {"uri": uri}}))


def lineage(key: str, engine: Engine, workspace: Workspace) -> ColumnLineage:
    asset = CATALOG[key]
    source = None if asset.source is None else workspace.sources[asset.source]
    with engine.working(key):
        return lineage_of_asset(asset, engine, workspace.contracts, workspace.code.arguments(asset), source)


@pytest.mark.spark
@pytest.mark.parametrize("key", KEYS)
def test_both_engines_say_the_same(key: str, workspace: Workspace, embedded: Any, on_spark: Any) -> None:
    with_jvm = lineage(key, on_spark.engine(workspace.warehouse), workspace)
    without = lineage(key, embedded.engine(workspace.warehouse), workspace)
    assert without.to_json() == with_jvm.to_json()
    assert not with_jvm.unknown


@pytest.fixture(scope="module")
def lineages(workspace: Workspace, embedded: Any) -> dict[str, ColumnLineage]:
    engine = embedded.engine(workspace.warehouse)
    return {key: lineage(key, engine, workspace) for key in KEYS}


def plain(sources: Sources) -> set[tuple[str, str, str]]:
    return {(edge.of, edge.column, str(edge.kind)) for edge in sources.edges}


@pytest.mark.parametrize("key", [key for key in by_hand.COLUMNS if key.startswith("gold.")])
def test_every_gold_column_comes_from_where_the_data_model_says(key: str, lineages: dict[str, ColumnLineage]) -> None:
    found = lineages[key]
    assert {column: plain(sources) for column, sources in found.columns.items()} == by_hand.columns_of(key)
    assert plain(found.rows) == by_hand.rows_of(key)


def test_bronze_is_what_the_provider_sends_and_what_was_kept_of_it(lineages: dict[str, ColumnLineage]) -> None:
    bronze = lineages[by_hand.BRONZE]
    for column, variable in by_hand.API.items():
        assert plain(bronze.columns[column]) == {
            ("open_meteo", variable, "IDENTITY"),
            (by_hand.BRONZE, column, "IDENTITY"),
        }
    assert plain(bronze.columns["_ingested_at"]) == {(by_hand.BRONZE, "_ingested_at", "IDENTITY")}
    assert bronze.reads == {"open_meteo", by_hand.BRONZE}
    assert not bronze.columns["model_domain"].edges


def test_silver_is_bronze_without_what_breaks_a_rule(lineages: dict[str, ColumnLineage]) -> None:
    silver = lineages[by_hand.SILVER]
    made = {"date_key": ("date_utc", "TRANSFORMATION"), "time_key": ("ts_utc", "TRANSFORMATION")}
    for column, sources in silver.columns.items():
        name, kind = made.get(column, (column, "IDENTITY"))
        assert plain(sources) == {(by_hand.BRONZE, name, kind)}
    ruled = {*by_hand.INDEXES.split(), *by_hand.MEASURED.split(), "location_key", "ts_utc", "date_utc"}
    assert plain(silver.rows) == {(by_hand.BRONZE, column, "FILTER") for column in ruled}


def test_quarantine_says_which_rules_by_looking_at_all_of_their_columns(lineages: dict[str, ColumnLineage]) -> None:
    quarantine = lineages[by_hand.QUARANTINE]
    assert {(of, column) for of, column, _ in plain(quarantine.columns["broken_rules"])} == {
        (of, column) for of, column, _ in plain(lineages[by_hand.SILVER].rows)
    }
    assert quarantine.columns["broken_rules"].direct == set()
    assert plain(quarantine.rows) == plain(lineages[by_hand.SILVER].rows)


@pytest.mark.parametrize("text", by_hand.AT_LAST)
def test_a_column_goes_back_to_the_variables_of_the_provider(text: str, lineages: dict[str, ColumnLineage]) -> None:
    found = ends(upstream(lineages, field_of(text, lineages)))
    expected = [part.split() for part in by_hand.AT_LAST[text].split(",")]
    assert plain(Sources(found)) == {("open_meteo", variable, kind) for kind, variable in expected}


def test_a_variable_goes_on_to_all_that_is_made_of_it(lineages: dict[str, ColumnLineage]) -> None:
    walk = downstream(lineages, field_of("open_meteo.us_aqi_ozone", lineages))
    assert {str(hop.target) for hop in walk.hops} == {
        f"{by_hand.BRONZE}.aqi_o3",
        f"{by_hand.SILVER}.aqi_o3",
        f"{by_hand.QUARANTINE}.aqi_o3",
        f"{by_hand.QUARANTINE}.broken_rules",
        f"{by_hand.HOURS}.aqi_o3",
        f"{by_hand.HOURS}.dominant_pollutant",
        f"{by_hand.DAYS}.dominant_pollutant_daily",
        f"{by_hand.EPISODES}.dominant_pollutant",
    }


def test_what_is_declared_is_what_plans_read(lineages: dict[str, ColumnLineage], workspace: Workspace) -> None:
    for asset in CATALOG:
        own = () if asset.source is None else (asset.source, asset.key)
        assert differences(asset.key, (*asset.upstream_keys, *own), lineages[asset.key].reads) == ()
        assert compared(asset, workspace.contracts, lineages[asset.key]) == ()


def test_contracts_say_of_every_column_of_made_tables_what_it_is_made_of(workspace: Workspace) -> None:
    for key, contract in workspace.contracts.items():
        said = {column.name for column in contract.columns if column.made_of is not None}
        assert not CATALOG[key].upstream or said == set(contract.column_names), key
    declared = declared_columns(CATALOG[by_hand.DAYS], workspace.contracts[by_hand.DAYS])
    assert declared["hours_measured"] == {(by_hand.HOURS, "aqi")}
    declared = declared_columns(CATALOG[by_hand.BRONZE], workspace.contracts[by_hand.BRONZE])
    assert {column: {("open_meteo", name)} for column, name in by_hand.API.items()}.items() <= declared.items()


def test_lineage_is_the_same_after_it_was_written(lineages: dict[str, ColumnLineage]) -> None:
    for found in lineages.values():
        assert ColumnLineage.from_json(json.loads(json.dumps(found.to_json()))) == found
