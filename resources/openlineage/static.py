"""Static lineage metadata as OpenLineage events: with the producer, and the schema of each facet.

Imports OpenLineage's client: to be imported only by modules that write lineage as OpenLineage events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openlineage.client.event_v2 import DatasetEvent, JobEvent

from resources.openlineage.facets import DATASET, JOB, PRODUCER, with_schemas


def complete_static(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event of ``core.openlineage.static``, ready to be sent. Raises KeyError for a facet of unknown name."""
    said: dict[str, Any] = {**event, "producer": PRODUCER}
    if "dataset" in event:
        return said | {"schemaURL": DatasetEvent._get_schema(), "dataset": _dataset(event["dataset"])}
    job = event["job"]
    return said | {
        "schemaURL": JobEvent._get_schema(),
        "job": {**job, "facets": with_schemas(job["facets"], JOB)},
        "inputs": [_dataset(one) for one in event["inputs"]],
        "outputs": [_dataset(one) for one in event["outputs"]],
    }


def _dataset(dataset: Mapping[str, Any]) -> dict[str, Any]:
    return {**dataset, "facets": with_schemas(dataset["facets"], DATASET)}
