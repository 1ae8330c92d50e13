"""Lineages of columns in the logs of a warehouse's tables, as steps record them; written by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping

from orchestration.core.lineage.columns import ColumnLineage, Edge, Sources
from orchestration.core.lineage.kinds import Kind
from orchestration.core.state.provenance import Provenance
from orchestration.engine.workspace import Workspace
from tests.support.cli_calls import AT, DAILY, EPISODE

BRONZE, SILVER, HOURLY = (
    "bronze.open_meteo_hourly",
    "silver.air_quality_hourly_clean",
    "gold.fact_air_quality_hourly",
)


def sources(*edges: str, unknown: tuple[str, ...] = ()) -> Sources:
    """``bronze.rows.level IDENTITY``."""
    found = []
    for edge in edges:
        name, kind = edge.split()
        of, _, column = name.rpartition(".")
        found.append(Edge(of, column, Kind(kind)))
    return Sources(frozenset(found), frozenset(unknown))


LINEAGES = {
    BRONZE: ColumnLineage(
        {
            "aqi": sources("open_meteo.us_aqi IDENTITY", f"{BRONZE}.aqi IDENTITY"),
            "pm25": sources("open_meteo.pm2_5 IDENTITY", f"{BRONZE}.pm25 IDENTITY"),
            "model_domain": sources(),
        }
    ),
    SILVER: ColumnLineage({"aqi": sources(f"{BRONZE}.aqi IDENTITY")}, sources(f"{BRONZE}.pm25 FILTER")),
    HOURLY: ColumnLineage({"aqi": sources(f"{SILVER}.aqi IDENTITY")}),
    EPISODE: ColumnLineage(
        {
            "peak_aqi": sources(f"{HOURLY}.aqi AGGREGATION"),
            "dominant_pollutant": sources(f"{HOURLY}.aqi CONDITIONAL", unknown=("some_function",)),
            "rule_code": sources(),
        },
        sources(f"{HOURLY}.aqi FILTER"),
    ),
    DAILY: ColumnLineage({"aqi_daily_max": sources(f"{HOURLY}.aqi AGGREGATION")}),
}
"""Some of the project's columns; of the last table the code is an earlier one."""


def record_columns(
    workspace: Workspace, lineages: Mapping[str, ColumnLineage], code_parts: Mapping[str, str] | None = None
) -> None:
    """A commit without files in each table, which is made where it is not there. code_parts: where not today's."""
    parts = {**workspace.code_parts(lineages), **(code_parts or {})}
    for key, lineage in lineages.items():
        asset = workspace.catalog[key]
        if workspace.warehouse.state(asset).version is None:
            workspace.warehouse.create(asset, workspace.contracts[key])
        text = json.dumps(lineage.to_json(), separators=(",", ":"))
        workspace.warehouse.record(asset, Provenance("run-1", key, AT, {}, columns_of={parts[key]: text}))
