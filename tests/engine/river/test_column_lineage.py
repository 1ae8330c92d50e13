"""Column lineage of another project: both engines say the same of its assets, and nothing of a plan is unread."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestration.core.declarations.origins import tables_of
from orchestration.core.lineage.columns import ColumnLineage
from orchestration.core.lineage.compare import differences
from orchestration.engine.lineage.of_frames import lineage_of_asset
from orchestration.engine.workspace import Workspace
from tests.support.river.project import PROJECT
from tests.support.river.tables import CATALOG


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    flags = {"warehouse": {"uri": str(tmp_path_factory.mktemp("lake"))}}
    return Workspace.open(PROJECT, PROJECT.load(environment={}, flags=flags))


def lineages_on(shared: Any, workspace: Workspace) -> dict[str, ColumnLineage]:
    engine, found = shared.engine(workspace.warehouse), {}
    for asset in CATALOG:
        source = None if asset.source is None else workspace.sources[asset.source]
        with engine.working(asset.key):
            found[asset.key] = lineage_of_asset(
                asset, engine, workspace.contracts, workspace.code.arguments(asset), source
            )
    return found


@pytest.mark.spark
def test_both_engines_say_the_same(workspace: Workspace, embedded: Any, on_spark: Any) -> None:
    spark, connect = lineages_on(on_spark, workspace), lineages_on(embedded, workspace)
    for key, lineage in spark.items():
        assert connect[key].to_json() == lineage.to_json(), key
        assert not lineage.unknown, key
    assert json.dumps({key: lineage.to_json() for key, lineage in spark.items()})


def test_what_is_declared_is_what_plans_read(workspace: Workspace, embedded: Any) -> None:
    for key, lineage in lineages_on(embedded, workspace).items():
        asset = CATALOG[key]
        assert differences(key, tables_of(asset), lineage.reads) == ()
        assert (key in lineage.reads) == (asset.hours is not None)
