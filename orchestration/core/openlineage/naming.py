"""The names of runs, jobs and datasets in OpenLineage.

The rules are OpenLineage's naming conventions. A dataset has a namespace, which says where it is, and a name within it.

| table                             | namespace               | name                     |
|-----------------------------------|-------------------------|--------------------------|
| ``/data/lake/gold/days``          | ``file``                | ``/data/lake/gold/days`` |
| ``file:///data/lake/gold/days``   | ``file``                | ``/data/lake/gold/days`` |
| ``hdfs://namenode:8020/lake/days``| ``hdfs://namenode:8020``| ``/lake/days``           |
| ``s3a://bucket/lake/days``        | ``s3://bucket``         | ``lake/days``            |

Must not know: what is reported about them (``events``), and how that is sent.
"""

from __future__ import annotations

import re
import uuid
from typing import NamedTuple

RUNS = uuid.UUID("5f0d3a52-8f5c-5d0e-9b7a-4c1e6f2a9d10")
"""The namespace of the ids of runs. It must never change: the same run would get another id."""

_PLACE = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[^/]*)(?P<path>/.*)?", re.IGNORECASE)
_OBJECTS = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs"}
"""Scheme of an object store, whose keys begin without a slash → its scheme in the conventions."""


class Dataset(NamedTuple):
    """The name of a dataset."""

    namespace: str
    name: str

    def to_json(self) -> dict[str, str]:
        return {"namespace": self.namespace, "name": self.name}


def run_uuid(run_id: str, step: str = "") -> str:
    """The id of a run, or of one of its steps. The same names always give the same id."""
    return str(uuid.uuid5(RUNS, f"{run_id}\n{step}" if step else run_id))


def dataset_at(uri: str) -> Dataset:
    """The dataset at a URI or an absolute path; see the table above. User and password are left out."""
    found = _PLACE.fullmatch(uri)
    if found is None:
        return Dataset("file", _path(uri))
    scheme, host = found["scheme"].lower(), found["host"].rpartition("@")[2].lower()
    path = _path(found["path"] or "")
    if scheme == "file":
        return Dataset(f"file://{host}" if host else "file", path)
    if scheme in _OBJECTS:
        return Dataset(f"{_OBJECTS[scheme]}://{host}", path.lstrip("/"))
    return Dataset(f"{scheme}://{host}", path)


def source_dataset(name: str, address: str) -> Dataset:
    """The dataset of a source: ``name`` at the host of its address, or in the folder from which it reads files.

    address: the address that the source itself gives, without secrets.
    """
    found = _PLACE.fullmatch(address)
    if found is None or found["scheme"].lower() in ("file", "hdfs", *_OBJECTS):
        return dataset_at(address)
    host = found["host"].rpartition("@")[2].lower()
    return Dataset(f"{found['scheme'].lower()}://{host}", name)


def _path(path: str) -> str:
    return path.rstrip("/") or "/"
