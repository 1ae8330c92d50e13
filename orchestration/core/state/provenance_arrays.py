"""Partition keys, and the fingerprints of upstream partitions, in format 2 of provenance: from JSON to arrays and back.

``provenance_format`` describes the layout. Days of a location are written as ranges; other keys as texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np

from orchestration.core.state.column_arrays import (
    Coded,
    coded_by,
    coded_from_json,
    coded_to_json,
    texts_from_json,
    texts_to_json,
)
from orchestration.core.state.record_arrays import A_LOCATION, Columns
from orchestration.core.state.record_kinds import OWN, Which, key_of
from orchestration.core.state.record_texts import Numbers, Texts, as_list, same, spread, taken, text_at, texts_of


@dataclass(frozen=True)
class WrittenKeys:
    """Partition keys in the order in which they are written."""

    locations: tuple[str, ...]
    """The locations, each once."""
    location: Numbers
    """For each key the number of its location in ``locations``; -1 for a key that is a text."""
    day: Numbers
    """For each key its day as ordinal; 0 for a key that is a text."""
    texts: Mapping[str, int]
    """The keys that are not a day and a location, with their positions."""

    def find(self, text: str) -> int:
        """The position of a key; -1 where there is none."""
        key = key_of(text)
        if not key.day:
            return self.texts.get(text, -1)
        return int(self.positions((key.location,), np.zeros(1, dtype=np.int64), np.array([key.day]))[0])

    def positions(self, locations: Sequence[str], location: Numbers, day: Numbers) -> Numbers:
        """The positions of dated keys, -1 for keys that are not there. location: numbers in ``locations``."""
        numbers = {at: number for number, at in enumerate(self.locations)}
        new = np.array([*(numbers.get(one, -1) for one in locations), -1], dtype=np.int64)[location]
        codes, order = self._sorted
        if not len(codes):
            return np.full(len(day), -1, dtype=np.int64)
        found = np.minimum(codes.searchsorted(new * A_LOCATION + day), len(codes) - 1)
        return np.where((new >= 0) & (codes[found] == new * A_LOCATION + day), order[found], -1)

    @cached_property
    def _sorted(self) -> tuple[Numbers, Numbers]:
        codes = self.location * A_LOCATION + self.day
        order = np.argsort(codes, kind="stable")
        return codes[order], order

    def seen_from(self, at: int, text: str) -> int | str:
        """How the partition at position ``at`` names an upstream key: as days from its own day, or as text."""
        key, day = key_of(text), int(self.day[at])
        if not day:
            return 0 if self.texts.get(text) == at else text
        return key.day - day if key.day and key.location == self.locations[self.location[at]] else text


def keys_from_json(data: Iterable[Any]) -> WrittenKeys:
    """Keys as they were written. Raises ValueError or TypeError for other data."""
    numbers: dict[str, int] = {}
    spans: list[tuple[int, int, int]] = []
    texts: dict[str, int] = {}
    count = repeated = 0
    for item in data:
        if isinstance(item, str):
            key = key_of(item)
            first = last = key.day
            number = numbers.setdefault(key.location, len(numbers)) if key.day else -1
            if not key.day:
                repeated += item in texts
                texts[item] = count
        else:
            location, *ends = item
            first, last = (date.fromisoformat(end).toordinal() for end in ends)
            number = numbers.setdefault(location, len(numbers))
        spans.append((number, first, max(last + 1 - first, 0)))
        count += max(last + 1 - first, 0)
    of = np.array(spans, dtype=np.int64).reshape(len(spans), 3)
    location, day = np.repeat(of[:, 0], of[:, 2]), spread(of[:, 1], of[:, 2])
    dated = (location * A_LOCATION + day)[location >= 0]
    if len(dated) > 1 and not (dated[1:] > dated[:-1]).all():
        repeated += len(dated) - len(np.unique(dated))
    if repeated or not count:
        raise ValueError("keys must stand once")
    return WrittenKeys(tuple(numbers), location, day, texts)


def keys_to_json(locations: Sequence[str], location: Numbers, day: Numbers) -> list[str | list[str]]:
    """Dated keys in their order: ``[location, first day, last day]``."""
    if not len(day):
        return []
    codes = location.astype(np.int64) * A_LOCATION + day
    ends = np.flatnonzero(np.diff(codes) != 1)
    first, last = np.append(0, ends + 1), np.append(ends, len(codes) - 1)
    days = [[date.fromordinal(one).isoformat() for one in day[at].tolist()] for at in (first, last)]
    return [[locations[at], a, b] for at, a, b in zip(location[first].tolist(), *days, strict=True)]


# reading --------------------------------------------------------------------------------------------------------


def upstream_from_json(data: Mapping[str, Any], keys: WrittenKeys) -> tuple[Coded, Texts]:
    """The upstream partitions on which each of ``keys`` depends: which keys, coded, and their fingerprints one after
    the other.

    Raises ValueError, KeyError or TypeError for other data.
    """
    count = len(keys.day)
    numbers, values = (
        coded_from_json(data["consulted"], count) if "consulted" in data else (np.zeros(count, int), [OWN])
    )
    which = [None if one is None else _in_order(one) for one in values]
    counts = np.array([len(one or ()) for one in which], dtype=np.int64)
    there = keys_from_json(data["keys"]) if "keys" in data else keys
    said = texts_from_json(data["fp"], len(there.day)) if "fp" in data else None
    if said is None:
        if int(counts[numbers].sum()):
            raise KeyError("fp")
        return (numbers, which), np.empty(0, dtype="S1")
    is_plain = "keys" not in data and which == [OWN]
    texts = said if is_plain else taken(said, _positions(numbers, which, keys, there))
    if data.get("but"):
        texts = _but(data["but"], texts, np.append(0, np.cumsum(counts[numbers])), (numbers, which), keys)
    return (numbers, which), texts


def _in_order(which: Any) -> Which:
    if not isinstance(which, tuple) or not all(isinstance(one, int | str) for one in which):
        raise TypeError(f"keys that were consulted must be days and texts (got {which!r})")
    days = sorted(one for one in which if not isinstance(one, str))
    return (*days, *sorted(one for one in which if isinstance(one, str)))


def _positions(numbers: Numbers, which: Sequence[Which | None], keys: WrittenKeys, there: WrittenKeys) -> Numbers:
    """The position in ``there`` of each upstream key; KeyError where it is not there."""
    of = np.array([len(one or ()) for one in which], dtype=np.int64)
    flat = [one for ones in which for one in ones or ()]
    counts = of[numbers]
    inside = spread((np.cumsum(of) - of)[numbers], counts)
    own = np.repeat(np.arange(len(keys.day)), counts)
    by_text = np.array([there.find(one) if isinstance(one, str) else -1 for one in flat], dtype=np.int64)[inside]
    is_text = np.array([isinstance(one, str) for one in flat], dtype=bool)[inside]
    offset = np.array([0 if isinstance(one, str) else one for one in flat], dtype=np.int64)[inside]
    found = there.positions(keys.locations, keys.location[own], keys.day[own] + offset)
    null = (keys.location[own] < 0) & (offset == 0)
    found = np.where(is_text, by_text, np.where(null, there.texts.get("null", -1), found))
    if (found < 0).any():
        raise KeyError("a key that was consulted has no fingerprint")
    return found


def own_texts(kind: Numbers, which: Sequence[Which | None], starts: Numbers) -> Numbers:
    """For each partition, the position of the fingerprint of its own key among the upstream fingerprints; -1 where
    there is none.

    starts: where the texts of each partition begin.
    """
    within = np.array([one.index(0) if one and 0 in one else -1 for one in which], dtype=np.int64)[kind]
    return np.where(within < 0, -1, starts[:-1] + within)


def _but(data: Mapping[str, Any], texts: Texts, starts: Numbers, which: Coded, keys: WrittenKeys) -> Texts:
    """``texts`` with the exceptions of the JSON field ``but``. starts: where the texts of each partition begin."""
    new = as_list(texts)
    numbers, values = which
    for number, fingerprints in data.items():
        at = int(number)
        if not 0 <= at < len(numbers):
            raise ValueError(f"there is no partition {number} (of {len(numbers)})")
        one = values[numbers[at]] or ()
        for text, fingerprint in fingerprints.items():
            new[int(starts[at]) + one.index(keys.seen_from(at, text))] = fingerprint
    return texts_of(new)


# writing --------------------------------------------------------------------------------------------------------


def upstream_to_json(columns: Columns, upstream: str) -> dict[str, Any]:
    """The upstream partitions of one upstream asset on which each partition depends, as JSON values."""
    of = ("in", upstream)
    which = [kind.consulted(upstream) for kind in columns.kinds]
    texts = columns.texts[of]
    data: dict[str, Any] = {}
    if all(one == OWN for one in which):
        return {"fp": texts_to_json(texts)}
    data["consulted"] = coded_to_json(coded_by(columns.kind, which))
    if not len(texts):
        return data
    said = _Said(columns, upstream, which)
    if not said.are_own_keys:
        data["keys"] = said.keys
    data["fp"] = texts_to_json(taken(texts, said.firsts))
    but: dict[str, dict[str, str]] = {}
    for at in np.flatnonzero(~same(texts, taken(texts, said.first_of))).tolist():
        but.setdefault(str(said.own[at]), {})[said.text(at)] = text_at(texts, at)
    return data | {"but": but} if but else data


class _Said:
    """All keys of an upstream asset on which any partition depends.

    own: for each text, the partition that depends on it. firsts: for each key, the position of its first fingerprint,
    in the order in which the keys are written. first_of: the same for each text.
    """

    def __init__(self, columns: Columns, upstream: str, which: Sequence[Which | None]) -> None:
        counts = columns.counts(("in", upstream))
        flat = [one for ones in which for one in ones or ()]
        texts = sorted(
            {one for one in flat if isinstance(one, str)} | {"null"}, key=lambda one: (key_of(one).day > 0, one)
        )
        keys = [key_of(text) for text in texts]
        numbers = {text: number for number, text in enumerate(texts)}
        inside = spread((np.cumsum(counts) - counts)[columns.kind], counts[columns.kind])
        self.own = np.repeat(np.arange(len(columns.kind)), counts[columns.kind])
        number = np.array([numbers[one] if isinstance(one, str) else -1 for one in flat], dtype=np.int64)[inside]
        offset = np.array([0 if isinstance(one, str) else one for one in flat], dtype=np.int64)[inside]
        number = np.where((number < 0) & (columns.location[self.own] < 0), numbers["null"], number)
        locations = tuple(sorted({*columns.locations, *(key.location for key in keys if key.day)}))
        at = {location: number for number, location in enumerate(locations)}
        new = np.array([*(at[one] for one in columns.locations), -1], dtype=np.int64)
        own = new[columns.location[self.own]] * A_LOCATION + columns.day[self.own] + offset
        by_text = [at[key.location] * A_LOCATION + key.day if key.day else n - len(keys) for n, key in enumerate(keys)]
        self._texts, self._locations = texts, locations
        self._codes = np.where(number >= 0, np.array(by_text, dtype=np.int64)[number], own)
        codes, firsts, inverse = np.unique(self._codes, return_index=True, return_inverse=True)
        self.firsts, self.first_of = firsts, firsts[inverse]
        dated = codes[codes >= 0]
        self.keys = [
            *(texts[one] for one in (codes[codes < 0] + len(keys)).tolist()),
            *keys_to_json(locations, dated // A_LOCATION, dated % A_LOCATION),
        ]
        mine = np.where(
            columns.location < 0, numbers["null"] - len(keys), new[columns.location] * A_LOCATION + columns.day
        )
        self.are_own_keys = np.array_equal(codes, mine)

    def text(self, at: int) -> str:
        """The key of a text, as text."""
        code = int(self._codes[at])
        if code < 0:
            return self._texts[code + len(self._texts)]
        location, day = divmod(code, A_LOCATION)
        return f"{date.fromordinal(day).isoformat()}/{self._locations[location]}"
