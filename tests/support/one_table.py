"""The rows that one asset makes of rows upstream that a test makes up, on an engine, checked as a run checks them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from orchestration.core.declarations.checks import STANDARD_CHECKS
from orchestration.core.declarations.contract import Column, Contract
from orchestration.engine.fingerprints import aggregate
from orchestration.engine.frames import conform
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from tests.support.engines import SharedEngine

FIRST = datetime(2025, 3, 1, tzinfo=UTC)


@cache
def _workspace() -> Workspace:
    return open_workspace(load(environment={}))


def made(shared: SharedEngine, key: str, **upstream: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the asset ``key``, in the columns of its contract and the order of its key.

    upstream: by the name of each upstream asset, its rows. A column that a row does not name is null where it may be;
    else the number of the row, as its type has it: the day 2025-03-01 and those after it, the hours of 2025-03-01, a
    location of the configuration, ``name-0``, ``name-1``, …

    Raises AssertionError where a blocking check fails: of the key, of a null that must not be, one of its own.
    """
    import pyarrow as pa
    from deltalake import Schema

    workspace = _workspace()
    asset, contract = workspace.catalog[key], workspace.contracts[key]
    assert set(upstream) == {one.partition(".")[2] for one in asset.upstream_keys}, "rows of each upstream asset"
    engine = shared.engine(workspace.warehouse)
    with engine.working(key):
        frames = []
        for one in asset.upstream_keys:
            of = workspace.contracts[one]
            rows = [_filled(row, number, of, workspace) for number, row in enumerate(upstream[one.partition(".")[2]])]
            schema = pa.schema(Schema.from_json(json.dumps(of.delta_schema())))
            frames.append(engine.rows(pa.Table.from_pylist(rows, pa.schema([(one.name, one.type) for one in schema]))))
        kept = engine.evaluate(conform(engine.call(asset, frames, workspace.code.arguments(asset)), asset, contract))
        try:
            facts = aggregate(kept.frame(), asset, contract, workspace.parameters)
            found: list[dict[str, Any]] = kept.frame().toArrow().to_pylist()
        finally:
            kept.let_go()
    blocking = STANDARD_CHECKS.keys() | {check.name for check in asset.checks if check.blocking}
    broken = {str(one): fact.violations for one, fact in facts.items() if blocking & fact.violations.keys()}
    assert not broken, f"{key}: checks that failed: {broken}"
    return sorted(found, key=lambda row: tuple(row[name] for name in contract.key))


def _filled(row: Mapping[str, Any], number: int, of: Contract, workspace: Workspace) -> dict[str, Any]:
    names = of.column_names
    unknown = [name for name in row if name not in names]
    assert not unknown, f"{of.name} has no column {', '.join(unknown)}; it has {', '.join(names)}"
    return {column.name: row.get(column.name, _any(column, number, workspace)) for column in of.columns}


def _any(column: Column, number: int, workspace: Workspace) -> Any:
    if column.nullable:
        return None
    if column.name == "location_key":
        return workspace.settings.locations[0].key
    of_type: dict[str, Any] = {
        "string": f"{column.name}-{number}",
        "date": date(FIRST.year, FIRST.month, FIRST.day) + timedelta(days=number),
        "timestamp": FIRST + timedelta(hours=number),
        "boolean": False,
        "double": float(number),
        "array<string>": [],
    }
    return of_type.get(column.type, number)
