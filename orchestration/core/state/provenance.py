"""Provenance: what a commit says of the partitions that it changes.

A commit of this project records, for each partition: number of rows, fingerprint, the fingerprints of the upstream
partitions on which it depends, the versions of code and contract, and the results of checks. It also holds what those
records refer to by a digest. All commits of a table together give its state (``table_state``). ``provenance_format``
says how records are written.

Pure: ``resources`` reads and writes the commits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.state.columnar import column_from_json, column_to_json
from orchestration.core.state.partition_record import (
    ABSENT,
    UNRECORDED,
    Answer,
    Inputs,
    PartitionRecord,
    Question,
    Shape,
    Stamp,
    TurnedAway,
    as_items,
)
from orchestration.core.state.versions import Equal

__all__ = [
    "ABSENT",
    "FORMAT",
    "MARK",
    "UNRECORDED",
    "Answer",
    "Inputs",
    "PartitionRecord",
    "Provenance",
    "Question",
    "Shape",
    "TurnedAway",
    "dumps",
    "format_of",
    "is_ours",
    "said_from_json",
    "said_to_json",
]

FORMAT = 2
MARK = "aqi"
"""The name in a commit's user metadata that holds the format in which the rest is written."""

_ASKED = ("source", "domain", "variables", "latitude", "longitude")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What one commit says."""

    run_id: str
    asset: str
    at: str
    """When the commit was made (ISO 8601, UTC)."""
    records: Mapping[PartitionKey, PartitionRecord]
    wiped: PartitionSet = field(default_factory=PartitionSet.empty)
    """The partitions that the commit removed, as if they had never been made (`aqi wipe`)."""
    questions: Mapping[str, Question] = field(default_factory=dict)
    """The questions that the records refer to, by id."""
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    """The shapes of contracts that the records refer to, by the contract's digest."""
    equal: tuple[Equal, ...] = ()
    """Code versions that count as equal from this commit on (`aqi accept`)."""
    past: tuple[Mapping[str, Any], ...] = ()
    """Locations as settings once had them. They explain code versions of scheme 1."""
    columns_of: Mapping[str, str] = field(default_factory=dict)
    """Code part of a code version → the lineage of the columns that this code makes (``ColumnLineage``, as compact
    JSON)."""
    by: str = ""
    """The version of this package that made the commit."""
    lost: PartitionSet = field(default_factory=PartitionSet.empty)
    """The partitions whose rows the commit took out of the table because their files were lost. Their records only say
    what they once were."""
    kinds: tuple[str, ...] = ()
    """The kinds of source (``source.REAL``, …) of the rows of a fetched asset, as far as the table did not know them
    yet."""

    def to_json(self) -> dict[str, Any]:
        """JSON values in format 2; empty fields are left out."""
        from orchestration.core.state.provenance_format import records_to_json

        said: dict[str, Any] = {
            "by": self.by,
            "partitions": records_to_json(self.records),
            "wiped": self.wiped.to_json(),
            "lost": self.lost.to_json(),
            **said_to_json(self.questions, self.shapes, self.equal, self.past, self.columns_of, self.kinds),
        }
        named = {MARK: FORMAT, "run": self.run_id, "asset": self.asset, "at": self.at}
        return named | {name: value for name, value in said.items() if value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], version: int) -> Provenance:
        """The inverse of ``to_json``; it reads format 1 too. version: the version of the table that the commit became.

        Raises ValueError, KeyError or TypeError, among others, for data of neither format.
        """
        from orchestration.core.state.provenance_format import records_from_json, records_from_json_1

        stamp = Stamp(version, data["run"], data["at"])
        wiped = PartitionSet.from_json(data.get("wiped", ()))
        if data[MARK] == 1:
            return cls(data["run"], data["asset"], data["at"], records_from_json_1(data, stamp), wiped)
        if data[MARK] != FORMAT:
            raise ValueError(f"provenance must have the format 1 or {FORMAT} (got {data[MARK]!r})")
        return cls(
            run_id=data["run"],
            asset=data["asset"],
            at=data["at"],
            records=records_from_json(data.get("partitions", {}), stamp),
            wiped=wiped,
            by=data.get("by", ""),
            lost=PartitionSet.from_json(data.get("lost", ())),
            **said_from_json(data),
        )


def said_to_json(
    questions: Mapping[str, Question],
    shapes: Mapping[str, Shape],
    equal: Iterable[Equal],
    past: Iterable[Mapping[str, Any]],
    columns_of: Mapping[str, str],
    kinds: Iterable[str] = (),
) -> dict[str, Any]:
    """What commits say besides records, as JSON values: see ``Provenance``."""
    return {
        "questions": _questions_to_json(questions),
        "shapes": {
            name: {"columns": [list(column) for column in of.columns], "rest": of.rest, "key": list(of.key)}
            for name, of in shapes.items()
        },
        "equal": [[one.asset, one.location, one.one, one.other] for one in equal],
        "past": [dict(one) for one in past],
        "columns_of": [list(item) for item in columns_of.items()],  # in their order
        "kinds": sorted(kinds),
    }


def said_from_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of ``said_to_json``: arguments of ``Provenance``."""
    past = tuple(data.get("past", ()))
    hash(tuple(map(as_items, past)))  # TypeError for what could not stand in a state
    return {
        "questions": _questions_from_json(data.get("questions")),
        "shapes": {
            name: Shape(
                tuple((column, kind, null) for column, kind, null in of["columns"]),
                of["rest"],
                tuple(of.get("key", ())),
            )
            for name, of in data.get("shapes", {}).items()
        },
        "equal": tuple(Equal(*one) for one in data.get("equal", ())),
        "past": past,
        "columns_of": _texts(data.get("columns_of", ())),
        "kinds": tuple(_texts((one, one) for one in data.get("kinds", ()))),
    }


def _texts(pairs: Iterable[Any]) -> dict[str, str]:
    found: dict[str, str] = dict(pairs)
    if not all(isinstance(one, str) for item in found.items() for one in item):
        raise TypeError("texts by text are expected")
    return found


def _questions_to_json(questions: Mapping[str, Question]) -> dict[str, Any]:
    """The questions in columns (see ``columnar``): those of many locations differ only in latitude and longitude."""
    ids = sorted(questions)
    if not ids:
        return {}
    return {"ids": ids} | {name: column_to_json([getattr(questions[of], name) for of in ids]) for name in _ASKED}


def _questions_from_json(data: Mapping[str, Any] | None) -> dict[str, Question]:
    if data is None:
        return {}
    columns = [column_from_json(data[name], len(data["ids"])) for name in _ASKED]
    return {of: Question(*asked) for of, *asked in zip(data["ids"], *columns, strict=True)}


def dumps(data: Mapping[str, Any]) -> str:
    """Compact, deterministic JSON."""
    return json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def is_ours(metadata: str | None) -> bool:
    """Whether a commit's user metadata was written by this project, be it by a newer version of it."""
    return format_of(metadata) is not None


def format_of(metadata: str | None) -> int | None:
    """The format of a commit of ours, which may be newer than ``FORMAT``; None for a commit of somebody else."""
    if not metadata or not metadata.startswith("{"):
        return None
    try:
        data = json.loads(metadata)
    except (ValueError, RecursionError):
        return None
    mark = data.get(MARK)
    return mark if isinstance(mark, int) and not isinstance(mark, bool) and mark > 0 else None
