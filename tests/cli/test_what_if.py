"""`aqi plan --if`: what a change would make stale, on a warehouse whose commits say what columns are made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from orchestration.core.lineage.columns import ColumnLineage, Edge, Sources
from orchestration.core.lineage.kinds import Kind
from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionSet
from orchestration.core.planning.what_if import Reached
from orchestration.core.state.provenance import Provenance, dumps
from orchestration.engine.changes.what_if import WhatIf
from orchestration.engine.workspace import Workspace
from orchestration.reports.what_if import print_what_if
from tests.assets import lineage_by_hand as by_hand
from tests.assets.lineage_by_hand import BRONZE, DAYS, EPISODES, HOURS, QUARANTINE, SILVER
from tests.support.cli_calls import AT, Aqi, arrow_schema, record

ROWS: Mapping[str, int] = {BRONZE: 24, SILVER: 24, QUARANTINE: 0, HOURS: 24, DAYS: 1, EPISODES: 2}
"""Of each partition: 2025-08-16..2025-08-19 at hanoi and hcmc, episodes one day less."""
LOCATIONS = ("hanoi", "hcmc")


def sources(edges: Iterable[tuple[str, str, str]]) -> Sources:
    return Sources(frozenset(Edge(of, column, Kind(kind)) for of, column, kind in edges))


def made_of(key: str) -> ColumnLineage:
    """Of silver, that pm25 decides which rows there are; of gold, what the data model says."""
    if key == SILVER:
        columns = {name: [(BRONZE, name, "IDENTITY")] for name in ("location_key", "aqi", "pm25", "co2")}
        rows = {(BRONZE, "pm25", "FILTER")}
        return ColumnLineage({name: sources(of) for name, of in columns.items()}, sources(rows), frozenset({BRONZE}))
    columns = {name: sources(of) for name, of in by_hand.columns_of(key).items()}
    return ColumnLineage(columns, sources(by_hand.rows_of(key)), frozenset({by_hand.MADE_FROM[key]}))


def commit(workspace: Workspace, key: str, columns_of: Mapping[str, ColumnLineage]) -> None:
    """Records alone, as of a step. columns_of: by code part."""
    from deltalake import CommitProperties, write_deltalake

    days = Days.of(date(2025, 8, 16), date(2025, 8, 18 if key == EPISODES else 19))
    records = {one: record(workspace, key, one, ROWS[key]) for one in PartitionSet.of(days, LOCATIONS)}
    told = {part: json.dumps(one.to_json()) for part, one in columns_of.items()}
    metadata = {"userMetadata": dumps(Provenance("run-1", key, AT, records, columns_of=told).to_json())}
    write_deltalake(
        workspace.warehouse.table_uri(key),
        arrow_schema(workspace.contracts[key]).empty_table(),
        commit_properties=CommitProperties(custom_metadata=metadata),
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the quarantine no columns are recorded, of days only those of earlier code."""
    from orchestration.project import load, open_workspace

    uri = str(tmp_path_factory.mktemp("lake"))
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": uri}}))
    parts = workspace.code_parts(ROWS) | {DAYS: "2:earlier"}
    for key in ROWS:
        commit(workspace, key, {} if key in (BRONZE, QUARANTINE) else {parts[key]: made_of(key)})
    return uri


@pytest.fixture
def said(aqi: Aqi, lake: str) -> Callable[..., Any]:
    return lambda *call: aqi.json("plan", "--if", *call, AQI_WAREHOUSE__URI=lake)


def numbers(said: Any) -> dict[str, tuple[int, int, int]]:
    """By asset: partitions that may differ, their rows, partitions that come out the same."""
    return {one["asset"]: (one["partitions"], one["rows"], one["same_partitions"]) for one in said["reached"]}


def test_an_asset_as_json(said: Callable[..., Any]) -> None:
    """docs/OPERATIONS.md: these keys and no others."""
    found = said(HOURS, "--partitions", "2025-08-17", "--locations", "hanoi")
    assert list(found) == [
        "asset", "column", "partitions", "rows", "intervals", "reached", "of_older_code", "deployments",
        "freshness_targets",
    ]  # fmt: skip
    assert found["reached"].pop() == {
        "asset": EPISODES,
        "partitions": 2,
        "rows": 4,
        "intervals": [["hanoi", "2025-08-17", "2025-08-18"]],
        "same_partitions": 0,
        "same_rows": 0,
        "same_intervals": [],
        "there": 6,
        "path": [HOURS, EPISODES],
        "columns": [],
        "whole": False,
        "unknown": "",
    }
    assert numbers(found) == {DAYS: (1, 1, 0)}
    assert (found["asset"], found["column"], found["partitions"], found["rows"]) == (HOURS, None, 1, 24)
    assert found["intervals"] == [["hanoi", "2025-08-17", "2025-08-17"]]
    assert found["deployments"] == ["hourly", "gold", "everything", "backfill"]
    assert found["freshness_targets"] == {EPISODES: 3}  # whose newest day at hanoi is reached; that of days is not


def test_all_that_is_there(said: Callable[..., Any]) -> None:
    found = said(BRONZE)
    assert (found["partitions"], found["rows"]) == (8, 192)
    assert numbers(found) == {
        SILVER: (8, 192, 0),
        QUARANTINE: (8, 0, 0),
        HOURS: (8, 192, 0),
        DAYS: (8, 8, 0),
        EPISODES: (6, 12, 0),
    }
    assert said(EPISODES)["reached"] == []
    assert said("gold.dim_time")["partitions"] == 0


def test_a_column(said: Callable[..., Any]) -> None:
    found = said(f"{BRONZE}.co2")
    assert numbers(found) == {
        SILVER: (8, 192, 0),
        QUARANTINE: (8, 0, 0),
        HOURS: (8, 192, 0),
        DAYS: (0, 0, 8),
        EPISODES: (0, 0, 6),
    }
    by_asset = {one["asset"]: one for one in found["reached"]}
    assert by_asset[HOURS]["columns"] == ["co2", "data_completeness", "concentrations_measured"]
    assert by_asset[QUARANTINE]["unknown"] == "its columns are not recorded"
    assert found["of_older_code"] == [DAYS]
    assert numbers(said(f"{BRONZE}.pm25"))[DAYS] == (8, 8, 0)  # it decides which rows there are


def test_for_people(aqi: Aqi, lake: str) -> None:
    text = aqi.text("plan", "--if", f"{BRONZE}.co2", "--locations", "hanoi", AQI_WAREHOUSE__URI=lake)
    lines = text.splitlines()
    assert lines[0] == f"If {BRONZE}.co2 changed (4 partitions, 96 rows: 2025-08-16..2025-08-19 × hanoi):"
    of_hours, of_days = (next(line for line in lines if line.startswith(key)) for key in (HOURS, DAYS))
    columns = ["co2,", "data_completeness,", "concentrations_measured"]
    assert of_hours.split() == [HOURS, "may", "differ", "4", "8", "96", *columns, SILVER]
    assert "comes out the same" in of_days
    assert "reads it, and none of this column" in of_days
    below = "\n".join(lines[6:])
    assert "In all 12 partitions of 3 assets with 192 rows would be stale and may come out otherwise" in below
    assert "7 partitions would be stale and made again for nothing; after them nothing is stale." in below
    assert f"Of {QUARANTINE} no columns are recorded, so they count as concerned." in below
    assert "`aqi materialize SELECTION --record-columns`" in below
    assert f"Of earlier code than now's are the recorded columns of {DAYS}." in below
    assert "Deployments that make these tables: hourly, silver, gold, everything, backfill." in below
    assert "Freshness targets that wait: gold.fact_air_quality_hourly (3 h), " in below


def test_nothing_there_and_nothing_made_from_it(aqi: Aqi, lake: str) -> None:
    (aqi.folder / "warehouse" / "_aqi").mkdir(parents=True)
    assert aqi.text("plan", "--if", HOURS) == f"Nothing of {HOURS} is there that could change.\n"
    text = aqi.text("plan", "--if", EPISODES, AQI_WAREHOUSE__URI=lake)
    assert text.splitlines()[1:] == ["Nothing that is there is made from it."]


@pytest.mark.parametrize(
    ("of_source", "of_asset"),
    [
        ("open_meteo.carbon_dioxide", f"{BRONZE}.co2"),
        ("open_meteo.us_aqi", f"{BRONZE}.aqi"),
        ("open_meteo.time", f"{BRONZE}.ts_utc"),
        ("open_meteo", BRONZE),
    ],
)
def test_a_variable_of_the_source_is_the_column_that_it_becomes(
    said: Callable[..., Any], of_source: str, of_asset: str
) -> None:
    assert said(of_source) == said(of_asset)


@pytest.mark.parametrize(
    ("call", "place", "remedy"),
    [
        ("gold.fact_city_dayly", "the asset 'gold.fact_city_dayly' is unknown", f"Did you mean {DAYS}?"),
        ("gold.fact_city_dayly.aqi", "the asset 'gold.fact_city_dayly' is unknown", f"Did you mean {DAYS}.aqi?"),
        ("fact_episode", "the asset 'fact_episode' is unknown", f"Did you mean {EPISODES}?"),
        ("fact_episode.peak_aqi", "the asset 'fact_episode.peak_aqi' is unknown", f"Did you mean {EPISODES}.peak_aqi?"),
        ("fact_episodes", "the asset 'fact_episodes' is unknown", f"Did you mean {EPISODES}?"),
        ("zzz", "the asset 'zzz' is unknown", "Known are bronze.open_meteo_hourly, "),
        ("", "the asset '' is unknown", "Known are "),
        (f"{EPISODES}.peak_aqy", f"{EPISODES} has no column 'peak_aqy'", f"Did you mean {EPISODES}.peak_aqi?"),
        (f"{EPISODES}.", f"{EPISODES} has no column ''", "Its columns are episode_id, "),
        (f"{EPISODES}.peak_aqi.x", f"{EPISODES} has no column 'peak_aqi.x'", f"Did you mean {EPISODES}.peak_aqi?"),
        ("open_meteo.pm2_6", "the source open_meteo has no variable 'pm2_6'", "Did you mean open_meteo.pm2_5?"),
        ("open_meteo.", "the source open_meteo has no variable ''", "Its variables are location_key, time, "),
        ("open_meto.pm2_5", "the asset 'open_meto.pm2_5' is unknown", "Known are "),
        (f"{EPISODES} --force", "--if names what changes itself", "Leave out SELECTION, --force and --changed."),
        (f"{EPISODES} --changed", "--if names what changes itself", "Leave out SELECTION, --force and --changed."),
        (f"{EPISODES} gold.*", "--if names what changes itself", "Leave out SELECTION, --force and --changed."),
        ("gold.dim_time --partitions last:1", "gold.dim_time has no partitions", "Leave out --partitions last:1."),
        ("gold.dim_time --locations hanoi", "gold.dim_time has no partitions", "Leave out --locations."),
        (f"{EPISODES} --locations hanoy", "location 'hanoy' is unknown", "Did you mean 'hanoi'?"),
        (f"{EPISODES} --partitions 2025-13", "there is no month 2025-13", "months are 01 to 12"),
    ],
)
def test_wrong_calls(aqi: Aqi, call: str, place: str, remedy: str) -> None:
    told = aqi.refusal("plan", "--if", *call.split(" "))
    assert place in told[0]
    assert told[1].startswith(remedy)


def test_a_plan_that_could_not_be_read_is_not_one_that_is_not_recorded() -> None:
    there = PartitionSet.one(NULL_KEY)
    reached = Reached(DAYS, there, PartitionSet.empty(), 1, 0, 1, (HOURS, DAYS), (), True, "its plan could not be read")
    with StringIO() as file:
        print_what_if(Console(file=file, width=200), WhatIf(HOURS, "aqi", there, 1, (reached,), (), (), {}))
        text = file.getvalue()
    assert "anything: its plan could not be read" in text
    assert "no columns are recorded" not in text
