"""Tables, sources and functions as OpenLineage is told of them: what they are called, and where they are."""

from __future__ import annotations

import inspect
from pathlib import Path

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Column, Contract
from orchestration.core.openlineage.events import SourceCode, TableFacts
from orchestration.core.openlineage.naming import Dataset, dataset_at, source_dataset
from orchestration.engine.workspace import Workspace
from resources.machine.checkout import checkout_of

UNDECLARED = "undeclared"
"""The namespace of what a plan reads and nobody declared: a file that a function opens by itself."""


def dataset_of(workspace: Workspace, of: str) -> Dataset:
    """What a table or a source is called, by asset key or by the name of the source."""
    if of in workspace.assets:
        return dataset_at(workspace.warehouse.table_uri(of))
    if of in workspace.sources:
        return source_dataset(of, workspace.sources[of].address)
    return Dataset(UNDECLARED, of)


def source_facts(workspace: Workspace, name: str) -> TableFacts:
    """What a source sends, by its own names of columns."""
    source = workspace.sources[name]
    columns = tuple(Column(source.called.get(own, own), kind, True, "", "") for own, kind in source.columns)
    return TableFacts(dataset_of(workspace, name), Contract(name, "", columns, ()), stored=False)


def code_of(workspace: Workspace, asset: Asset) -> SourceCode | None:
    """Where the asset's function stands, if it is part of a git checkout."""
    code = getattr(inspect.unwrap(asset.function), "__code__", None)
    file = None if code is None else Path(code.co_filename)
    checkout = None if file is None else checkout_of(file)
    if file is None or checkout is None:
        return None
    path, template = file.resolve().relative_to(checkout.root).as_posix(), workspace.settings.openlineage
    url = file.resolve().as_uri()
    if template.source_url is not None:
        url = template.source_url.replace("{path}", path).replace("{version}", checkout.commit or "HEAD")
    return SourceCode(url, path, checkout.commit)
