"""Tables, sources and functions for OpenLineage: their names, and where they are."""

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
"""The namespace of anything that a plan reads and nobody declared, for instance a file that a function opens."""


def dataset_of(workspace: Workspace, of: str) -> Dataset:
    """The dataset of a table or a source. of: asset key, or name of the source."""
    if of in workspace.assets:
        return dataset_at(workspace.warehouse.table_uri(of))
    if of in workspace.sources:
        return source_dataset(of, workspace.sources[of].address)
    return Dataset(UNDECLARED, of)


def source_facts(workspace: Workspace, name: str) -> TableFacts:
    """What OpenLineage is told about a source, with the source's own names of columns."""
    source = workspace.sources[name]
    columns = tuple(Column(source.called.get(own, own), kind, True, "", "") for own, kind in source.columns)
    return TableFacts(dataset_of(workspace, name), Contract(name, "", columns, ()), stored=False)


def code_of(workspace: Workspace, asset: Asset) -> SourceCode | None:
    """Where the asset's function stands, if it is in a git checkout; else None."""
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
