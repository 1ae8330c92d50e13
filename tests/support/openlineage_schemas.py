"""OpenLineage's JSON schemas, made of its client's classes, and what is wrong with an event by them.

The client's package has no schema files, but classes that the specification's own generator made of them: fields and
their types, which ones are required, the values of enumerations, and validators for instants, addresses and UUIDs. Here
these become schemas again, by the address that a facet names as its own. They are narrower than the published ones in
one way: what the specification does not name is refused, as it would be a slip of ours.

A folder with the published schema files can be given instead.
"""

from __future__ import annotations

import inspect
import json
import sys
import types
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attr
from jsonschema import Draft202012Validator
from openlineage.client import facet_v2 as facets
from openlineage.client.event_v2 import DatasetEvent, JobEvent, RunEvent
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

FACETS: Mapping[str, Mapping[str, type]] = {
    "run": {
        "errorMessage": facets.error_message_run.ErrorMessageRunFacet,
        "nominalTime": facets.nominal_time_run.NominalTimeRunFacet,
        "parent": facets.parent_run.ParentRunFacet,
        "processing_engine": facets.processing_engine_run.ProcessingEngineRunFacet,
        "tags": facets.tags_run.TagsRunFacet,
        "test": facets.test_run.TestRunFacet,
    },
    "job": {
        "documentation": facets.documentation_job.DocumentationJobFacet,
        "jobType": facets.job_type_job.JobTypeJobFacet,
        "sourceCodeLocation": facets.source_code_location_job.SourceCodeLocationJobFacet,
    },
    "dataset": {
        "columnLineage": facets.column_lineage_dataset.ColumnLineageDatasetFacet,
        "dataQualityMetrics": facets.data_quality_metrics_dataset.DataQualityMetricsDatasetFacet,
        "datasetType": facets.dataset_type_dataset.DatasetTypeDatasetFacet,
        "documentation": facets.documentation_dataset.DocumentationDatasetFacet,
        "schema": facets.schema_dataset.SchemaDatasetFacet,
        "storage": facets.storage_dataset.StorageDatasetFacet,
        "version": facets.dataset_version_dataset.DatasetVersionDatasetFacet,
    },
    "input": {
        "dataQualityAssertions": facets.data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet,
        "subset": facets.base_subset_dataset.InputSubsetInputDatasetFacet,
    },
    "output": {
        "outputStatistics": facets.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
        "subset": facets.base_subset_dataset.OutputSubsetOutputDatasetFacet,
    },
}
"""Which facet stands where by which name, read from the specification; an entry more is an errand for this table."""
EVENTS = {kind._get_schema(): kind for kind in (RunEvent, JobEvent, DatasetEvent)}
"""Of runs, and static metadata."""
FORMATS = {"isoparse": "date-time", "urlparse": "uri", "UUID(": "uuid"}
"""What validators of the client call, and the format that stands in the schema."""
CHECKER = Draft202012Validator.FORMAT_CHECKER


def problems(event: Mapping[str, Any], published: Path | None = None) -> list[str]:
    """What is wrong with an event, a line each. published: a folder with the schema files of the specification."""
    registry = _registry() if published is None else _published(published)
    url = event.get("schemaURL")
    found = list(_told("event", event, url if url in EVENTS else RunEvent._get_schema(), registry))
    for where, name, facet in _facets_of(event):
        location = f"{where}.{name}"
        kind = FACETS[where.partition(" ")[0]].get(name)
        if kind is None:
            found.append(f"{location}: no such facet there")
        elif not isinstance(facet, Mapping) or facet.get("_schemaURL") != kind._get_schema():  # type: ignore[attr-defined]
            found.append(f"{location}: _schemaURL is not {kind._get_schema()}")  # type: ignore[attr-defined]
        else:
            found += _told(location, facet, facet["_schemaURL"], registry)
    return found


def _told(location: str, what: Any, url: str, registry: Registry[Any]) -> Iterator[str]:
    validator = Draft202012Validator({"$ref": url}, registry=registry, format_checker=CHECKER)
    for error in validator.iter_errors(what):
        yield f"{location}{error.json_path[1:]}: {error.message[:200]}"


def _facets_of(event: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for kind, of in (("run", event.get("run")), ("job", event.get("job"))):
        for name, facet in ((of or {}).get("facets") or {}).items():
            yield kind, name, facet
    for name, facet in ((event.get("dataset") or {}).get("facets") or {}).items():
        yield "dataset", name, facet
    for kind in ("input", "output"):
        for number, dataset in enumerate(event.get(f"{kind}s") or []):
            for name, facet in (dataset.get("facets") or {}).items():
                yield f"dataset {kind} {number}", name, facet
            for name, facet in (dataset.get(f"{kind}Facets") or {}).items():
                yield f"{kind} {number}", name, facet


# --- of classes ----------------------------------------------------------------------------------------------------


@cache
def _registry() -> Registry[Any]:
    kinds = [*EVENTS.values(), *(kind for names in FACETS.values() for kind in names.values())]
    by_file: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        file, _, pointer = kind._get_schema().partition("#/$defs/")
        made = _of_class(kind, is_facet=kind not in EVENTS.values())
        by_file.setdefault(file, {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": {}})
        by_file[file]["$defs"][pointer] = made
    return Registry().with_resources(
        (file, Resource.from_contents(schema, default_specification=DRAFT202012)) for file, schema in by_file.items()
    )


def _of_class(kind: Any, *, is_facet: bool = False) -> dict[str, Any]:
    properties, required = dict[str, Any](), list[str]()
    for one in attr.fields(kind):
        if one.name == "_schemaURL":
            properties[one.name] = {"const": kind._get_schema()} if is_facet else {"type": "string"}
            required.append(one.name)
            continue
        made = _of_type(_hint(kind, one.name))
        is_constant = isinstance(one.default, str) and one.name == "type"
        if is_constant:
            made = {"const": one.default}
        if one.validator is not None:
            source = inspect.getsource(one.validator)
            made = made | next(({"format": known} for call, known in FORMATS.items() if call in source), {})
        properties[one.name] = made
        if one.default is attr.NOTHING or is_constant or one.name in ("_producer", "producer", "schemaURL"):
            required.append(one.name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _hint(kind: Any, name: str) -> Any:
    """The type of a field, by the names of the module of the class that has it."""
    base = next(base for base in kind.__mro__ if name in vars(base).get("__annotations__", {}))
    shim = types.new_class(
        "Shim", exec_body=lambda body: body.update(__annotations__={name: base.__annotations__[name]})
    )
    return get_type_hints(shim, vars(sys.modules[base.__module__]))[name]


def _of_type(kind: Any) -> dict[str, Any]:
    origin, arguments = get_origin(kind), [one for one in get_args(kind) if one is not type(None)]
    if origin in (Union, types.UnionType):
        return _of_type(arguments[0]) if len(arguments) == 1 else {"oneOf": [_of_type(one) for one in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": _of_type(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of_type(arguments[1])}
    if kind is Any:
        return {}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [one.value for one in kind]}
    simple = {str: "string", bool: "boolean", int: "integer", float: "number"}
    if kind in simple:
        return {"type": simple[kind]}
    if kind.__name__.endswith("Facet"):  # looked at by its own schema, wherever it stands
        return {"type": "object", "required": ["_producer", "_schemaURL"]}
    return _nested(kind)


_NESTED: list[type] = []


def _nested(kind: type) -> dict[str, Any]:
    """A class in a class; conditions hold conditions, of which so many levels are looked at."""
    if _NESTED.count(kind) > 4:
        return {"type": "object"}
    _NESTED.append(kind)
    try:
        return _of_class(kind)
    finally:
        _NESTED.pop()


# --- as they are published -----------------------------------------------------------------------------------------


@cache
def _published(folder: Path) -> Registry[Any]:
    """By the addresses that the classes name, too: the client may be ahead of a folder by a version."""
    files = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.json"))]
    made = [(file["$id"], file) for file in files if "$id" in file]
    named = {file.rpartition("/")[2]: schema for file, schema in made}
    wanted = {kind._get_schema().partition("#")[0] for names in FACETS.values() for kind in names.values()}  # type: ignore[attr-defined]
    made += [(url, named[url.rpartition("/")[2]] | {"$id": url}) for url in wanted - dict(made).keys()]
    return Registry().with_resources(
        (url, Resource.from_contents(schema, default_specification=DRAFT202012)) for url, schema in made
    )
