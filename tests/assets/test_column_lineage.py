"""Column lineage of every asset: both engines say the same, nothing of a plan is unread, and it is what DATA_MODEL.md
says of every gold column, written down here by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assets import CATALOG
from orchestration.core.lineage.columns import ColumnLineage
from orchestration.engine.engines.engine import Engine
from orchestration.engine.lineage.of_frames import lineage_of_asset
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace

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
