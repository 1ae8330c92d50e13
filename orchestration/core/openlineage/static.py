"""What is told of tables and jobs without a run: OpenLineage's static metadata.

A table, or what a source sends, is a DatasetEvent; an asset is a JobEvent, with what it reads and writes. They say what
events of runs say, of what is there now.
Must not know: how they are sent or written, and the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from orchestration.core.openlineage.events import SourceCode, TableFacts, instant, job_of, table_facets


def dataset_event(at: datetime, table: TableFacts) -> dict[str, Any]:
    """What a table or a source is."""
    return {"eventTime": instant(at), "dataset": table.dataset.to_json() | {"facets": _facets(table)}}


def job_event(
    at: datetime,
    namespace: str,
    name: str,
    description: str,
    code: SourceCode | None,
    reads: Sequence[TableFacts],
    writes: TableFacts,
) -> dict[str, Any]:
    """What the job of an asset is, and what goes in and comes out; where from, the facets of its table say."""
    return {
        "eventTime": instant(at),
        "job": job_of(namespace, name, "TASK", description, code),
        "inputs": [{**table.dataset.to_json(), "facets": {}, "inputFacets": {}} for table in reads],
        "outputs": [{**writes.dataset.to_json(), "facets": _facets(writes), "outputFacets": {}}],
    }


def _facets(table: TableFacts) -> dict[str, Any]:
    facets = table_facets(table)
    return facets if table.lineage is None else facets | {"columnLineage": table.lineage.facet()}
