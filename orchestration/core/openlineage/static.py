"""OpenLineage's static metadata: tables and jobs without a run.

A table or source is a DatasetEvent. An asset is a JobEvent, with the datasets that it reads and writes. They say the
same as events of runs, about the present state. Must not know: how events are sent or written, and the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from orchestration.core.openlineage.events import SourceCode, TableFacts, instant, job_of, table_facets


def dataset_event(at: datetime, table: TableFacts) -> dict[str, Any]:
    """The description of a table or source."""
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
    """The description of an asset's job, with inputs and output. The facets of the output say from what its columns are
    made."""
    return {
        "eventTime": instant(at),
        "job": job_of(namespace, name, "TASK", description, code),
        "inputs": [{**table.dataset.to_json(), "facets": {}, "inputFacets": {}} for table in reads],
        "outputs": [{**writes.dataset.to_json(), "facets": _facets(writes), "outputFacets": {}}],
    }


def _facets(table: TableFacts) -> dict[str, Any]:
    facets = table_facets(table)
    return facets if table.lineage is None else facets | {"columnLineage": table.lineage.facet()}
