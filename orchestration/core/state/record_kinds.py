"""Kinds of records: what the records of thousands of partitions have in common is kept once.

A record is a kind, and what belongs to the partition alone: rows, fingerprints, digests, and its commit. The kind says
on which upstream partitions the partition depends: as days from its own at its own location, or as texts of keys
elsewhere. The fingerprints of those upstream partitions are not part of the kind.

Must not know: arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.state.partition_record import Answer, Inputs, PartitionRecord, Stamp, TurnedAway, nothing

Which = tuple[int | str, ...]
"""The upstream keys on which a partition depends: days from its own at its location, then other keys as text; both
sorted."""
OWN: Which = (0,)
"""The partition's own key and no other, as for most partitions."""
Items = tuple[tuple[str, Any], ...]
"""A mapping as its items, sorted by name."""
AnswerKind = tuple[str, bool, int | None, str, int | None]
"""An ``Answer`` without its digest: asked, forced, hours, question, broken."""


class Key(NamedTuple):
    """A partition key as text; for a dated key also its parts."""

    location: str
    day: int
    """The day as ordinal; 0 for a key without a day."""
    text: str

    def beside(self, days: int) -> str:
        """The text of the key at the same location, ``days`` days later."""
        return f"{date.fromordinal(self.day + days).isoformat()}/{self.location}"


def key_of(text: str) -> Key:
    """The key that a text stands for. It need not be known of which scheme a dated key is."""
    if text[10:11] == "/":
        try:
            day = date.fromisoformat(text[:10])
        except ValueError:
            return Key("", 0, text)
        if day.isoformat() == text[:10]:
            return Key(text[11:], day.toordinal(), text)
    return Key("", 0, text)


class Kind(NamedTuple):
    """What many records have in common. The fields are those of ``PartitionRecord``."""

    code: str
    contract: str
    checks: Items
    as_of: str
    also: tuple[str, ...]
    """The digests of earlier contracts."""
    answers: tuple[AnswerKind, ...]
    turned_away: tuple[TurnedAway, ...]
    question: str
    values: Items
    check_versions: Items
    inputs: tuple[tuple[str, Which], ...]
    """For each upstream asset, by name, which of its keys the partition depends on."""

    def consulted(self, upstream: str) -> Which | None:
        """The keys of ``upstream`` on which the partition depends; None where the record says nothing of it."""
        return next((which for name, which in self.inputs if name == upstream), None)


class Own(NamedTuple):
    """The texts of one partition, in the order in which its kind names them."""

    also: Sequence[str]
    digests: Sequence[str]
    inputs: Sequence[Sequence[str]]


def taken_apart(key: PartitionKey, record: PartitionRecord) -> tuple[Kind, Own]:
    """The kind of a record, and what is its own besides rows, fingerprint and commit."""
    own = str(key)
    consulted = [(name, *_consulted(own, of)) for name, of in sorted(record.inputs.items())]
    also = sorted(record.also.items()) if record.also else ()
    answers = record.answers
    kind = Kind(
        record.code,
        record.contract,
        _items(record.checks),
        record.as_of,
        tuple(name for name, _ in also),
        tuple((one.asked, one.forced, one.hours, one.question, one.broken) for one in answers),
        tuple(record.turned_away),
        record.question,
        _items(record.values),
        _items(record.check_versions),
        tuple((name, which) for name, which, _ in consulted),
    )
    return kind, Own([text for _, text in also], [one.digest for one in answers], [texts for *_, texts in consulted])


def _items(mapping: Mapping[str, Any]) -> Items:
    return tuple(sorted(mapping.items())) if mapping else ()


def _consulted(own: str, consulted: Mapping[str, str]) -> tuple[Which, Sequence[str]]:
    if len(consulted) == 1 and own in consulted:
        return OWN, (consulted[own],)
    at = key_of(own)
    days: list[tuple[int, str]] = []
    others: list[tuple[str, str]] = []
    for text, fingerprint in consulted.items():
        key = key_of(text)
        if text == own:
            days.append((0, fingerprint))
        elif key.day and at.day and key.location == at.location:
            days.append((key.day - at.day, fingerprint))
        else:
            others.append((text, fingerprint))
    ordered: list[tuple[int | str, str]] = [*sorted(days), *sorted(others)]
    return tuple(one for one, _ in ordered), [fingerprint for _, fingerprint in ordered]


def _texts(own: str, which: Which) -> list[str]:
    """The keys that were consulted, as text."""
    if which == OWN:
        return [own]
    key = key_of(own)
    return [one if isinstance(one, str) else key.beside(one) if one else own for one in which]


class Maker:
    """Makes records of kinds; parts that are equal for many are one object."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self._kinds = kinds
        self._mappings: dict[Items, Mapping[str, Any]] = {(): nothing()}
        self._inputs: dict[Any, Inputs] = {}
        self._parts: dict[int, tuple[Any, ...]] = {}

    def record(
        self, key: PartitionKey, number: int, rows: int, fingerprint: str, stamp: Stamp, own: Own
    ) -> PartitionRecord:
        """The record of a partition of kind ``number``."""
        kind = self._kinds[number]
        shared = self._parts.get(number)
        if shared is None:
            shared = tuple(map(self._mapping, (kind.checks, kind.values, kind.check_versions)))
            self._parts[number] = shared
        checks, values, check_versions = shared
        return PartitionRecord(
            rows,
            fingerprint,
            self._inputs_of(key, kind, own.inputs),
            kind.code,
            kind.contract,
            checks,
            kind.as_of,
            stamp.run_id,
            stamp.at,
            stamp.version,
            dict(zip(kind.also, own.also, strict=True)) if kind.also else nothing(),
            tuple(map(_answer, kind.answers, own.digests)),
            kind.turned_away,
            kind.question,
            values,
            check_versions,
        )

    def _mapping(self, items: Items) -> Mapping[str, Any]:
        return self._mappings.setdefault(items, dict(items))

    def _inputs_of(self, key: PartitionKey, kind: Kind, texts: Iterable[Sequence[str]]) -> Inputs:
        own = str(key)
        named = [(name, _texts(own, which)) for name, which in kind.inputs]
        if any(isinstance(one, int) for _, which in kind.inputs for one in which):
            return {name: dict(zip(keys, of, strict=True)) for (name, keys), of in zip(named, texts, strict=True)}
        at = kind.inputs, tuple(map(tuple, texts))
        if at not in self._inputs:
            pairs = zip(named, at[1], strict=True)
            self._inputs[at] = {name: dict(zip(keys, of, strict=True)) for (name, keys), of in pairs}
        return self._inputs[at]


def _answer(kind: AnswerKind, digest: str) -> Answer:
    asked, forced, hours, question, broken = kind
    return Answer(asked, digest, forced, hours, question, broken)
