"""Snapshots: the state of a table as JSON. A snapshot outlives the commits that it follows from.

A *whole* snapshot holds the whole state. A *supplement* holds what changed since a whole snapshot. A supplement is
written after every run, the costly whole snapshot only now and then: see ``snapshot_due``.

Pure: ``resources`` names the files, and knows whether a file belongs to the table that is there now.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from orchestration.core.errors import PartitionRangeError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.partition_record import as_items
from orchestration.core.state.provenance import Provenance, dumps, said_from_json, said_to_json
from orchestration.core.state.provenance_format import records_from_json, records_to_json
from orchestration.core.state.record_columns import Records
from orchestration.core.state.table_state import FileSpan, TableState
from orchestration.core.state.versions import Equal

FORMAT = 2
"""The format that is written. Format 1, which is still read, had only records, grouped by commit."""
COMMITS_APART = 20
"""A whole snapshot is due after this many commits."""
CHANGED_SHARE = 0.05
"""A whole snapshot is due when more than this share of the records changed."""


def snapshot_due(
    state: TableState, *, commits_apart: int = COMMITS_APART, changed_share: float = CHANGED_SHARE
) -> bool:
    """Whether a whole snapshot is due: there is none, or 20 commits were made since, or 5 % of the records changed
    since.

    False for a table that does not exist.
    """
    if state.version is None or state.snapshot is None:
        return state.version is not None
    if state.version - state.snapshot >= commits_apart:
        return True
    changed = int((state.records.version > state.snapshot).sum())
    return changed > 0 and changed >= changed_share * len(state.records)


def to_json(state: TableState, commit: str, since: int | None = None) -> dict[str, Any]:
    """A snapshot of ``state`` as JSON values.

    commit: digest of the commit that made the state's version. It tells the table from an earlier one in the same
    folder. since: the version of a whole snapshot; then the result is a supplement to that snapshot. In a supplement
    ``there`` names the records of the whole snapshot that still exist.
    """
    records = state.records if since is None else state.records.since(since)
    past = sorted((dict(items) for items in state.past), key=dumps)
    equal = sorted(state.equal, key=_in_order)
    said = said_to_json(state.questions, state.shapes, equal, past, state.columns_of, state.kinds)
    data: dict[str, Any] = {
        "format": FORMAT,
        "version": state.version,
        "commit": commit,
        "records": records_to_json(records, stamped=True),
        "unrecorded": (state.unrecorded - state.damaged).to_json(),
        "files": {path: _span_to_json(span) for path, span in state.files.items()},
        "sizes": [state.files[path].size for path in sorted(state.files)],
        "schema": state.schema,
        "description": state.description,
        "protocol": state.protocol,
        "properties": state.properties,
        "said": {name: value for name, value in said.items() if value},
    }
    if state.taken_out:
        data["taken_out"] = state.taken_out.to_json()
    if since is not None:
        data |= {"since": since, "there": state.records.partitions.to_json()}
    return data


def from_json(data: Mapping[str, Any], base: TableState | None = None) -> tuple[TableState, str]:
    """The inverse of ``to_json``: the state, and the digest of the commit. base: the whole snapshot of a supplement.

    Raises ValueError for data that are no snapshot, for a format above ``FORMAT``, and for a supplement to another
    snapshot.
    """
    try:
        return _from_json(data, base)
    except (LookupError, TypeError, AttributeError, OverflowError, PartitionRangeError) as error:
        raise ValueError(f"this is no snapshot ({error!r})") from error


def _from_json(data: Mapping[str, Any], base: TableState | None) -> tuple[TableState, str]:
    if data["format"] not in (1, FORMAT):
        raise ValueError(f"a snapshot must have the format 1 or {FORMAT} (got {data['format']!r})")
    if data.get("since") != (None if base is None else base.version):
        raise ValueError(f"a supplement needs its base (version {data.get('since')})")
    records = Records.empty()
    if base is not None:
        records = base.records.restricted(PartitionSet.from_json(data["there"]))
    said: dict[str, Any] = {}
    if data["format"] == 1:
        for version, provenance in data["records"]:
            records = records.updated(Provenance.from_json(provenance, version).records)
    else:
        records = records.updated(records_from_json(data["records"]))
        said = said_from_json(data["said"])
        said |= {name: frozenset(said[name]) for name in ("equal", "kinds")}
        said["past"] = frozenset(map(as_items, said["past"]))
    state = TableState(
        version=int(data["version"]),
        records=records,
        unrecorded=PartitionSet.from_json(data["unrecorded"]),
        taken_out=PartitionSet.from_json(data.get("taken_out", ())),
        files=_files_from_json(data["files"], data.get("sizes")),
        snapshot=int(data["version"]) if base is None else base.version,
        kept=int(data["version"]),
        schema=data.get("schema"),
        description=data.get("description"),
        protocol=data.get("protocol"),
        properties=data.get("properties"),
        **said,
    )
    return state, str(data["commit"])


def _in_order(equal: Equal) -> tuple[str, ...]:
    return equal.asset, equal.location or "", equal.one, equal.other


def _span_to_json(span: FileSpan) -> list[str | None] | None:
    if span.has_null:
        return None
    days = [None if day is None else day.isoformat() for day in (span.first_day, span.last_day)]
    return [*days, span.first_location, span.last_location]


def _files_from_json(spans: Mapping[str, Any], sizes: list[int | None] | None) -> dict[str, FileSpan]:
    """The data files by path. sizes: in bytes, in the order of the paths; None in an older snapshot, which has no
    sizes."""
    known = [None] * len(spans) if sizes is None else sizes
    return {path: _span_from_json(spans[path], size) for path, size in zip(sorted(spans.keys()), known, strict=True)}


def _span_from_json(data: list[str | None] | None, size: int | None) -> FileSpan:
    if data is None:
        return FileSpan(has_null=True, size=size)
    first, last, low, high = data
    first_day, last_day = (None if day is None else date.fromisoformat(day) for day in (first, last))
    return FileSpan(first_day, last_day, low, high, size=size)
