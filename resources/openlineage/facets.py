"""OpenLineage facets with the keys that each needs: ``_producer``, who made it, and ``_schemaURL``, its schema.

The schemas are those of the classes in OpenLineage's client, so that they change with an upgrade of the client.
Imports that client: to be imported only by modules that send events.
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
"""Name of a facet → its class, for each part of an event in which facets may be."""


def complete(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event of ``core.openlineage.events`` with all keys that OpenLineage wants. Raises KeyError for a facet of
    unknown name."""
    run, job = event["run"], event["job"]
    return {
        **event,
        "producer": PRODUCER,
        "schemaURL": RunEvent._get_schema(),
        "run": {**run, "facets": with_schemas(run["facets"], RUN)},
        "job": {**job, "facets": with_schemas(job["facets"], JOB)},
        "inputs": [_dataset(one, "inputFacets", INPUT) for one in event["inputs"]],
        "outputs": [_dataset(one, "outputFacets", OUTPUT) for one in event["outputs"]],
    }


def _dataset(dataset: Mapping[str, Any], place: str, classes: Mapping[str, Any]) -> dict[str, Any]:
    return {**dataset, "facets": with_schemas(dataset["facets"], DATASET), place: with_schemas(dataset[place], classes)}


def with_schemas(facets: Mapping[str, Any], classes: Mapping[str, Any]) -> dict[str, Any]:
    """Facets with ``_producer`` and ``_schemaURL``. classes: name → class of the facets that may be in this part of an
    event."""
    return {
        name: {"_producer": PRODUCER, "_schemaURL": classes[name]._get_schema(), **facet}
        for name, facet in facets.items()
    }
