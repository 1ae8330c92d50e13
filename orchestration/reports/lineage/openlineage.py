"""Lineage as static metadata of the OpenLineage standard, one event per line.

There is a DatasetEvent for each source and table, with its schema and recorded ``columnLineage``, and a JobEvent for
each asset. Data catalogs accept these events at the same address as events of runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestration.core.openlineage.events import TableFacts
    from orchestration.engine.lineage.recorded import RecordedColumns
    from orchestration.engine.workspace import Workspace


def render(workspace: Workspace, keys: Sequence[str]) -> str:
    """The events of the assets ``keys`` and of the sources that they are fetched from."""
    from resources.openlineage.static import complete_static

    lines = (json.dumps(complete_static(event), ensure_ascii=False) for event in events(workspace, keys))
    return "".join(f"{line}\n" for line in lines)


def events(workspace: Workspace, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The events: first of sources, then of tables, then of jobs."""
    from orchestration.core.openlineage.static import dataset_event, job_event
    from orchestration.engine.lineage.datasets import code_of, source_facts
    from orchestration.reports.lineage.facts.columns import recorded_of

    catalog, at, recorded = workspace.catalog, workspace.settings.now(), recorded_of(workspace, keys)
    upstream = dict.fromkeys(of for key in keys for of in (*catalog[key].upstream_keys, key))
    tables = {key: _table(workspace, key, recorded) for key in upstream}
    sources = {name: source_facts(workspace, name) for key in keys if (name := catalog[key].source)}
    for source in sources.values():
        yield dataset_event(at, source)
    for key in keys:
        yield dataset_event(at, tables[key])
    for key in keys:
        asset = catalog[key]
        reads = [tables[of] for of in asset.upstream_keys]
        if asset.source is not None:
            reads += [sources[asset.source], *([tables[key]] if asset.hours is not None else [])]  # rows that it keeps
        namespace = workspace.settings.openlineage.namespace
        yield job_event(at, namespace, key, asset.description, code_of(workspace, asset), reads, tables[key])


def _table(workspace: Workspace, key: str, recorded: RecordedColumns) -> TableFacts:
    from orchestration.core.openlineage.columns import reported_columns
    from orchestration.core.openlineage.events import TableFacts
    from orchestration.engine.lineage.datasets import dataset_of

    state, lineage = workspace.states([key]).get(key), recorded.lineages.get(key)
    return TableFacts(
        dataset=dataset_of(workspace, key),
        contract=workspace.contracts[key],
        version=None if state is None else state.version,
        columns=workspace.catalog[key].partition_columns,
        lineage=None if lineage is None else reported_columns(lineage, partial(dataset_of, workspace)),
    )
