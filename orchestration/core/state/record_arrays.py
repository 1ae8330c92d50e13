"""The arrays that hold the records of partitions, and what is done with all records at once. Used by
``record_columns``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionKey, PartitionSet
from orchestration.core.state.partition_record import PartitionRecord, Stamp
from orchestration.core.state.record_kinds import OWN, Items, Kind, Maker, Own
from orchestration.core.state.record_texts import (
    Numbers,
    Texts,
    same,
    spread,
    taken,
    text_at,
    texts_of,
)

ALSO, DIGESTS = ("also", ""), ("answers", "")
"""Names of texts of partitions that are not fingerprints of upstream partitions; those are named ("in", upstream
asset)."""

A_LOCATION = 1 << 22
"""More than there are days. The number of a location × this + the day is one number, in the order of the records."""
_AT_HAND = 1024
"""At most this many records are kept as objects: a record that was asked for once is often asked for again."""


def frozen(values: Sequence[int] | Numbers, kind: npt.DTypeLike = np.int32) -> Numbers:
    """The same numbers as an array that cannot be changed. A given array itself stays changeable for its owner."""
    made = np.asarray(values, dtype=kind).view()
    made.flags.writeable = False
    return made


@dataclass(frozen=True, eq=False)
class Columns:
    """Records in columns; see ``Records`` for those of one value each.

    texts: by what they are of (see ``ALSO``), those of all partitions one after the other; how many a partition has,
    its kind says. Locations and kinds that no record has are none of them.
    """

    locations: tuple[str, ...]
    location: Numbers
    day: Numbers
    rows: Numbers
    fingerprint: Texts
    stamps: tuple[Stamp, ...]
    stamp: Numbers
    kinds: tuple[Kind, ...]
    kind: Numbers
    texts: Mapping[tuple[str, str], Texts]
    _at_hand: dict[int, PartitionRecord] = field(default_factory=dict, repr=False)

    @staticmethod
    def empty() -> Columns:
        """No record."""
        return _EMPTY

    # one of them ----------------------------------------------------------------------------------------------------

    def find(self, key: object) -> int:
        """The position of a key; -1 where it has no record."""
        if not isinstance(key, PartitionKey) or len(self.rows) == 0:
            return -1
        if key.day is None or key.location is None:
            return 0 if self.location[0] < 0 else -1
        span = self._spans.get(key.location)
        if span is None:
            return -1
        start, end, first = span
        day = key.day.toordinal()
        at = start + day - first
        if start <= at < end and self.day[at] == day:  # as long as no day before it is missing
            return at
        at = start + int(self.day[start:end].searchsorted(day))
        return at if at < end and self.day[at] == day else -1

    @cached_property
    def _spans(self) -> Mapping[str, tuple[int, int, int]]:
        """By location: its first position, its last, that one out, and its first day."""
        starts = self.location.searchsorted(np.arange(len(self.locations) + 1)).tolist()
        days = self.day[starts[:-1]].tolist()
        return {at: (starts[n], starts[n + 1], days[n]) for n, at in enumerate(self.locations)}

    def key(self, at: int) -> PartitionKey:
        """The key at a position."""
        number = self.location[at]
        return NULL_KEY if number < 0 else PartitionKey(date.fromordinal(int(self.day[at])), self.locations[number])

    def content(self, at: int) -> tuple[int, str, str]:
        """Rows, fingerprint and contract of the record at a position."""
        return int(self.rows[at]), text_at(self.fingerprint, at), self.kinds[self.kind[at]].contract

    def record(self, at: int, keep: bool = True) -> PartitionRecord:
        """The record at a position. keep: whether it may be asked for again soon."""
        found = self._at_hand.get(at)
        if found is None:
            found = self._made(at)
            if keep:
                if len(self._at_hand) >= _AT_HAND:
                    self._at_hand.clear()
                self._at_hand[at] = found
        return found

    def _made(self, at: int) -> PartitionRecord:
        number = int(self.kind[at])
        kind = self.kinds[number]
        own = Own(
            self._texts_at(ALSO, at) if kind.also else (),
            self._texts_at(DIGESTS, at) if kind.answers else (),
            [self._texts_at(("in", name), at) for name, _ in kind.inputs],
        )
        stamp = self.stamps[self.stamp[at]]
        fingerprint = text_at(self.fingerprint, at)
        return self._maker.record(self.key(at), number, int(self.rows[at]), fingerprint, stamp, own)

    @cached_property
    def _maker(self) -> Maker:
        return Maker(self.kinds)

    def _texts_at(self, of: tuple[str, str], at: int) -> list[str]:
        starts = self.starts(of)
        texts = self.texts[of]
        return [text_at(texts, one) for one in range(starts[at], starts[at + 1])]

    # how many texts each has ----------------------------------------------------------------------------------------

    def counts(self, of: tuple[str, str]) -> Numbers:
        """For each kind, how many texts a record of it has."""
        where, name = of
        if where == "also":
            return np.array([len(kind.also) for kind in self.kinds], dtype=np.int64)
        if where == "answers":
            return np.array([len(kind.answers) for kind in self.kinds], dtype=np.int64)
        return np.array([len(kind.consulted(name) or ()) for kind in self.kinds], dtype=np.int64)

    def starts(self, of: tuple[str, str]) -> Numbers:
        """Where the texts of each record begin; one more number for the end of the last."""
        found = self._starts.get(of)
        if found is None:
            counts = self.counts(of)
            if len(counts) and (counts == counts[0]).all():
                found = np.arange(len(self.rows) + 1, dtype=np.int64) * counts[0]
            else:
                found = np.concatenate([[0], np.cumsum(counts[self.kind])])
            self._starts[of] = found
        return found

    @cached_property
    def _starts(self) -> dict[tuple[str, str], Numbers]:
        return {}

    # all of them ----------------------------------------------------------------------------------------------------

    @cached_property
    def version(self) -> Numbers:
        """For each record the table version that its commit became."""
        return frozen(np.array([stamp.version for stamp in self.stamps], dtype=np.int64)[self.stamp], np.int64)

    @cached_property
    def firsts(self) -> Numbers:
        """The position of the first record of each kind."""
        firsts = np.empty(len(self.kinds), dtype=np.int64)
        firsts[self.kind[::-1]] = np.arange(len(self.kind) - 1, -1, -1)
        return firsts

    @cached_property
    def codes(self) -> Numbers:
        """A number for each key, ascending."""
        return self.location.astype(np.int64) * A_LOCATION + self.day

    @cached_property
    def partitions(self) -> PartitionSet:
        """The partitions that are there."""
        return self.set_of(np.arange(len(self.rows)))

    def set_of(self, positions: Numbers) -> PartitionSet:
        """The partitions at ascending positions, or at those that a mask selects."""
        codes = self.codes[positions]
        has_null = len(codes) > 0 and bool(codes[0] < 0)
        codes = codes[1:] if has_null else codes
        if len(codes) == 0:
            return PartitionSet(has_null)
        ends = np.flatnonzero(np.diff(codes) != 1)
        first, last = codes[np.concatenate([[0], ends + 1])], codes[np.concatenate([ends, [len(codes) - 1]])]
        pieces: dict[int, list[tuple[date, date]]] = {}
        days = _Days()
        for number, a, b in zip(
            (first // A_LOCATION).tolist(), (first % A_LOCATION).tolist(), (last % A_LOCATION).tolist(), strict=True
        ):
            pieces.setdefault(number, []).append((days[a], days[b]))
        known: dict[tuple[tuple[date, date], ...], Days] = {}
        alike = ((number, tuple(of)) for number, of in pieces.items())
        return PartitionSet(
            has_null, tuple((self.locations[n], known.get(of) or known.setdefault(of, Days(of))) for n, of in alike)
        )

    def index(self, partitions: PartitionSet) -> Numbers:
        """The positions of those of ``partitions`` that have a record, ascending."""
        numbers = {at: number for number, at in enumerate(self.locations)}
        spans = [
            (number * A_LOCATION + a.toordinal(), number * A_LOCATION + b.toordinal())
            for at, days in partitions.parts
            if (number := numbers.get(at, -1)) >= 0
            for a, b in days.pieces
        ]
        if partitions.has_null and len(self.location) and self.location[0] < 0:
            spans.insert(0, (-A_LOCATION, -A_LOCATION))
        if not spans:
            return np.empty(0, dtype=np.int64)
        ends = np.array(spans, dtype=np.int64)
        first = self.codes.searchsorted(ends[:, 0], "left")
        return spread(first, self.codes.searchsorted(ends[:, 1], "right") - first)

    def positions(self, locations: Sequence[str], location: Numbers, day: Numbers) -> Numbers:
        """The positions of keys given as arrays, -1 where there is no record; see ``Records.find``."""
        if len(self.rows) == 0:
            return np.full(len(day), -1, dtype=np.int64)
        numbers = {at: number for number, at in enumerate(self.locations)}
        of = np.array([*(numbers.get(at, len(numbers)) for at in locations), -1], dtype=np.int64)  # [-1]: the null key
        codes = of[location] * A_LOCATION + day
        found = np.minimum(self.codes.searchsorted(codes), len(self.rows) - 1)
        return np.where(self.codes[found] == codes, found, -1)

    def consulted(self, upstream: str) -> tuple[Any, ...] | None:
        """The field values of ``Consulted``."""
        of = ("in", upstream)
        if of not in self.texts:
            return None
        which = [kind.consulted(upstream) for kind in self.kinds]
        is_own = np.array([one == OWN for one in which], dtype=bool)[self.kind]
        others = np.flatnonzero(np.array([one is not None and one != OWN for one in which], dtype=bool)[self.kind])
        own = np.flatnonzero(is_own)
        starts, texts = self.starts(of), self.texts[of]
        own_texts = texts if len(own) == len(texts) == len(self.rows) else taken(texts, starts[own])
        numbers: dict[str, int] = {}
        flat = [one for ones in which for one in ones or ()]
        offset = np.array([0 if isinstance(one, str) else one for one in flat], dtype=np.int32)
        text = np.array(
            [numbers.setdefault(one, len(numbers)) if isinstance(one, str) else -1 for one in flat], dtype=np.int32
        )
        counts = self.counts(of)
        at, kinds = np.concatenate([[0], np.cumsum(counts)]), self.kind[others]
        inside = spread(at[kinds], counts[kinds])
        return (
            own,
            own_texts,
            others,
            np.concatenate([[0], np.cumsum(counts[kinds])]),
            offset[inside],
            text[inside],
            tuple(numbers),
            taken(texts, spread(starts[others], counts[kinds])),
        )

    def says_the_same_as(self, other: Columns) -> bool:
        """Whether both are the same records of the same keys."""
        if len(self.rows) != len(other.rows) or self.locations != other.locations:
            return False
        numbers = {kind: number for number, kind in enumerate(self.kinds)}
        stamps = {stamp: number for number, stamp in enumerate(self.stamps)}
        kinds = np.array([numbers.get(kind, -1) for kind in other.kinds], dtype=np.int32)
        stamped = np.array([stamps.get(stamp, -1) for stamp in other.stamps], dtype=np.int32)
        return (
            all(
                np.array_equal(one, another)
                for one, another in (
                    (self.location, other.location),
                    (self.day, other.day),
                    (self.rows, other.rows),
                    (self.kind, kinds[other.kind]),
                    (self.stamp, stamped[other.stamp]),
                )
            )
            and bool(same(self.fingerprint, other.fingerprint).all())
            and all(bool(same(texts, other.texts[of]).all()) for of, texts in self.texts.items() if len(texts))
        )

    # others of them -------------------------------------------------------------------------------------------------

    def taken(self, at: Numbers) -> Columns:
        """The records at positions that are in the order of their keys."""
        kind = self.kind[at]
        kinds, kind = _used(self.kinds, kind)
        stamps, stamp = _used(self.stamps, self.stamp[at])
        locations, location = _used(self.locations, self.location[at])
        texts, known = {}, dict[int, Texts]()
        for of, column in self.texts.items():
            starts = self.starts(of)
            if id(column) not in known:  # what an answer brought is what was consulted: one column
                counts = self.counts(of)[self.kind[at]]
                inside = starts[at] if (counts == 1).all() else spread(starts[at], counts)
                known[id(column)] = taken(column, inside)
            if len(known[id(column)]) or any(("in", name) == of for one in kinds for name, _ in one.inputs):
                texts[of] = known[id(column)]
        return Columns(
            locations,
            frozen(location),
            frozen(self.day[at]),
            frozen(self.rows[at], np.int64),
            taken(self.fingerprint, at),
            stamps,
            frozen(stamp),
            kinds,
            frozen(kind),
            texts,
        )

    def at_version(self, version: int) -> Columns:
        """The same records, as of the commit that became ``version``."""
        if all(stamp.version == version for stamp in self.stamps):
            return self
        new = [stamp._replace(version=version) for stamp in self.stamps]
        stamps = numbered(new)
        numbers = np.array([stamps[stamp] for stamp in new], dtype=np.int32)[self.stamp]
        return replace(self, stamps=tuple(stamps), stamp=frozen(numbers), _at_hand={})

    def with_values(self, at: Numbers, values: tuple[Numbers, Sequence[Items]]) -> Columns:
        """The records, with other counts of values at the ascending positions ``at``. values: a number for each
        position, and what the numbers stand for."""
        pairs = np.full(len(self.rows), -1, dtype=np.int64)
        pairs[at] = values[0]
        new, numbers = np.unique(self.kind * np.int64(len(values[1]) + 1) + pairs + 1, return_inverse=True)
        split = [divmod(one, len(values[1]) + 1) for one in new.tolist()]
        kinds = [self.kinds[a]._replace(values=values[1][b - 1]) if b else self.kinds[a] for a, b in split]
        kind = numbered(kinds)
        numbers = np.array([kind[one] for one in kinds], dtype=np.int32)[numbers]
        return replace(self, kinds=tuple(kind), kind=frozen(numbers), _at_hand={})

    def without(self, at: Numbers) -> Columns:
        """The records without those at positions."""
        if len(at) == 0:
            return self
        left = np.ones(len(self.rows), dtype=bool)
        left[at] = False
        return self.taken(np.flatnonzero(left))


class _Days(dict[int, date]):
    """Days by their ordinals."""

    def __missing__(self, ordinal: int) -> date:
        found = self[ordinal] = date.fromordinal(ordinal)
        return found


def numbered(values: Iterable[Any]) -> dict[Any, int]:
    """Each distinct value → its number, from 0 on, in the order in which the values first occur."""
    return {value: number for number, value in enumerate(dict.fromkeys(values))}


def _used(values: tuple[Any, ...], numbers: Numbers) -> tuple[tuple[Any, ...], Numbers]:
    """Those of ``values`` whose number occurs in ``numbers``, and ``numbers`` renumbered accordingly; -1 stays."""
    used = np.bincount(numbers[numbers >= 0], minlength=len(values)) > 0
    if used.all():
        return values, numbers
    new = np.append(np.cumsum(used) - 1, -1).astype(np.int32)
    return tuple(value for value, is_used in zip(values, used.tolist(), strict=True) if is_used), new[numbers]


_NONE = np.empty(0, dtype=np.int32)
_EMPTY = Columns((), _NONE, _NONE, _NONE.astype(np.int64), texts_of([]), (), _NONE, (), _NONE, {})
