"""Facets with what every one of them must say: who made it, and the schema that it follows.

The schemas are those of the client's own classes, so that an upgrade of it cannot leave them behind.
Imports OpenLineage's client: only for who sends events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openlineage.client import facet_v2 as known
from openlineage.client.event_v2 import RunEvent

from resources.machine.package import VERSION

PRODUCER = f"urn:aqi:{VERSION}"

RUN = {
    "errorMessage": known.error_message_run.ErrorMessageRunFacet,
    "nominalTime": known.nominal_time_run.NominalTimeRunFacet,
    "parent": known.parent_run.ParentRunFacet,
    "processing_engine": known.processing_engine_run.ProcessingEngineRunFacet,
    "tags": known.tags_run.TagsRunFacet,
    "test": known.test_run.TestRunFacet,
}
JOB = {
    "documentation": known.documentation_job.DocumentationJobFacet,
    "jobType": known.job_type_job.JobTypeJobFacet,
    "sourceCodeLocation": known.source_code_location_job.SourceCodeLocationJobFacet,
}
DATASET = {
    "columnLineage": known.column_lineage_dataset.ColumnLineageDatasetFacet,
    "dataQualityMetrics": known.data_quality_metrics_dataset.DataQualityMetricsDatasetFacet,
    "datasetType": known.dataset_type_dataset.DatasetTypeDatasetFacet,
    "documentation": known.documentation_dataset.DocumentationDatasetFacet,
    "schema": known.schema_dataset.SchemaDatasetFacet,
    "storage": known.storage_dataset.StorageDatasetFacet,
    "version": known.dataset_version_dataset.DatasetVersionDatasetFacet,
}
INPUT = {
    "dataQualityAssertions": known.data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet,
    "subset": known.base_subset_dataset.InputSubsetInputDatasetFacet,
}
OUTPUT = {
    "outputStatistics": known.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
    "subset": known.base_subset_dataset.OutputSubsetOutputDatasetFacet,
}
"""The classes of facets, by where they stand and their name there."""


def complete(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event of ``core.openlineage.events`` as it is sent. Raises KeyError for a facet that is unknown there."""
    run, job = event["run"], event["job"]
    return {
        **event,
        "producer": PRODUCER,
        "schemaURL": RunEvent._get_schema(),
        "run": {**run, "facets": told(run["facets"], RUN)},
        "job": {**job, "facets": told(job["facets"], JOB)},
        "inputs": [_dataset(one, "inputFacets", INPUT) for one in event["inputs"]],
        "outputs": [_dataset(one, "outputFacets", OUTPUT) for one in event["outputs"]],
    }


def _dataset(dataset: Mapping[str, Any], place: str, classes: Mapping[str, Any]) -> dict[str, Any]:
    return {**dataset, "facets": told(dataset["facets"], DATASET), place: told(dataset[place], classes)}


def told(facets: Mapping[str, Any], classes: Mapping[str, Any]) -> dict[str, Any]:
    """Facets with what every one of them says. classes: of those that may stand there, by name."""
    return {
        name: {"_producer": PRODUCER, "_schemaURL": classes[name]._get_schema(), **facet}
        for name, facet in facets.items()
    }
