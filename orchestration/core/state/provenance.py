"""Provenance: what a commit says of the partitions it stands for.

A commit of ours carries, per partition, its own rows and fingerprint, the fingerprints of the upstream partitions
consulted, the versions of code and contract, and the check results; and what these refer to. ``TableState``
(``table_state``) is the fold of a table's commits. How records are written: ``provenance_format``.

Pure: where commits are read from and written to is the business of ``resources``.
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
    """What one commit says: the run, the asset, and a record per partition (by partition key).

    wiped: the partitions that the commit made as if they had never been made. lost: those whose rows it took out of the
    table because their files were lost: what is recorded of them is no more than what they were.
    questions: by id, those that the records refer to. shapes: by contract digest. equal: versions that are accepted
    from now on. past: locations as settings once had them, of which code versions of scheme 1 may tell.
    columns_of: by code part of a code version, the lineage of the columns that it makes (``ColumnLineage``, as compact
    JSON). by: version of the package. kinds: of the sources (``source.REAL``, …) that rows of a fetched asset are from,
    where they were not known to be so far.
    """

    run_id: str
    asset: str
    at: str
    records: Mapping[PartitionKey, PartitionRecord]
    wiped: PartitionSet = field(default_factory=PartitionSet.empty)
    questions: Mapping[str, Question] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    equal: tuple[Equal, ...] = ()
    past: tuple[Mapping[str, Any], ...] = ()
    columns_of: Mapping[str, str] = field(default_factory=dict)
    by: str = ""
    lost: PartitionSet = field(default_factory=PartitionSet.empty)
    kinds: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON values in format 2; what is empty is left out."""
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
        """The inverse of ``to_json``, for a commit that became ``version``; of format 1, too.

        Raises ValueError, KeyError or TypeError, among others, for what is neither.
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
    """What commits say besides records, as JSON values."""
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
    """In columns (see ``columnar``), since those of many locations differ in little else than where these are."""
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
    except ValueError:
        return None
    mark = data.get(MARK)
    return mark if isinstance(mark, int) and not isinstance(mark, bool) and mark > 0 else None
