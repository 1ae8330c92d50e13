"""Partitions as values: the key of one partition, and sets of keys.

A *partition key* is a day and a location, ``2025-08-08/north``. An unpartitioned asset has the single key ``null``.
Which period of time a key's day stands for, the asset's scheme says (``scheme``). A set holds intervals of days for
each location (``days``). So ten years of a thousand locations are a thousand small tuples, and no operation goes
through single days.

Must not know: assets, storage, the clock.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import total_ordering
from itertools import pairwise
from operator import itemgetter
from typing import Any, TypeVar

from orchestration.core.errors import PartitionRangeError
from orchestration.core.partitions.days import ChunkMode, Days, chunks, first_and_last_day, parse_range
from orchestration.core.partitions.in_words import set_in_words
from orchestration.core.partitions.location import LOCATION_KEY

__all__ = [
    "NULL_KEY",
    "ChunkMode",
    "Days",
    "PartitionKey",
    "PartitionSet",
    "chunks",
    "parse_range",
]

_DATED_KEY = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})/({LOCATION_KEY.pattern})")


@total_ordering
@dataclass(frozen=True, slots=True)
class PartitionKey:
    """One partition: a day and a location, or neither of them for an unpartitioned asset.

    Ordered with ``null`` first, then by day, then by location.
    """

    day: date | None
    location: str | None

    def __post_init__(self) -> None:
        if (self.day is None) != (self.location is None):
            raise ValueError(f"a partition key has a day and a location, or neither (got {self!r})")

    def __str__(self) -> str:
        return "null" if self.day is None else f"{self.day.isoformat()}/{self.location}"

    def __lt__(self, other: PartitionKey) -> bool:
        return self._order() < other._order()

    def _order(self) -> tuple[date, str]:
        return self.day or date.min, self.location or ""

    @classmethod
    def parse(cls, text: str) -> PartitionKey:
        """The key whose text is ``text``. Raises PartitionRangeError for any other text."""
        if text == "null":
            return NULL_KEY
        if not (read := _DATED_KEY.fullmatch(text)):
            raise PartitionRangeError(f"cannot read partition key {text!r}", "write it as 2025-08-08/north, or null")
        try:
            day = date.fromisoformat(read[1])
        except ValueError:
            day, _ = first_and_last_day(read[1], f"partition key {text!r}")  # says what is wrong with it
        return cls(day, read[2])


NULL_KEY = PartitionKey(None, None)
"""The only key of an unpartitioned asset."""


@dataclass(frozen=True, slots=True)
class PartitionSet:
    """An immutable set of partition keys: intervals of days for each location, and the null key or not.

    Most locations have the same days; they share one ``Days`` object, and an operation on two sets computes each pair
    of objects only once. An operation whose result equals an operand returns that operand itself. Iteration goes by
    key: ``null`` first, then by day, then by location.
    """

    has_null: bool = False
    """Whether the null key is in the set."""
    parts: tuple[tuple[str, Days], ...] = ()
    """(location, its days), sorted by location. Each location occurs once and has days."""

    def __post_init__(self) -> None:
        if any(a >= b for (a, _), (b, _) in pairwise(self.parts)) or not all(days.pieces for _, days in self.parts):
            raise ValueError(f"locations must be sorted, named once and have days (got {self.parts})")

    @classmethod
    def empty(cls) -> PartitionSet:
        """No partition."""
        return _NOTHING

    @classmethod
    def null(cls) -> PartitionSet:
        """The one partition of an unpartitioned asset."""
        return _NULL

    @classmethod
    def of(cls, days: Days, locations: Iterable[str]) -> PartitionSet:
        """Every one of ``days`` at every one of ``locations``."""
        return cls._from_parts(False, ((location, days) for location in set(locations)))

    @classmethod
    def one(cls, key: PartitionKey) -> PartitionSet:
        """The set with a single key; much faster than ``from_keys``."""
        if key.day is None or key.location is None:
            return cls.null()
        return cls(False, ((key.location, Days.of(key.day)),))

    @classmethod
    def from_keys(cls, keys: Iterable[PartitionKey]) -> PartitionSet:
        """The set of the given keys, in any order, repeated or not. A ``PartitionSet`` is returned as it is."""
        if isinstance(keys, PartitionSet):
            return keys
        has_null, dates = False, dict[str, list[date]]()
        for key in keys:
            if key.day is None or key.location is None:
                has_null = True
            else:
                dates.setdefault(key.location, []).append(key.day)
        return cls._from_parts(has_null, ((location, Days.from_dates(of)) for location, of in dates.items()))

    @classmethod
    def union_of(cls, sets: Iterable[PartitionSet]) -> PartitionSet:
        """Every partition that is in at least one of ``sets``. The cost grows little with the number of sets."""
        several = list({id(one): one for one in sets if one}.values())
        if len(several) < 2:
            return several[0] if several else _NOTHING
        days: dict[str, list[Days]] = {}
        for one in several:
            for location, of in one.parts:
                days.setdefault(location, []).append(of)
        known: dict[tuple[int, ...], Days] = {}
        parts: list[tuple[str, Days]] = []
        for location, together in days.items():
            at = tuple(map(id, together))
            if at not in known:
                known[at] = Days.union_of(together)
            parts.append((location, known[at]))
        return cls._from_parts(any(one.has_null for one in several), parts, several[0])

    @classmethod
    def _from_parts(cls, has_null: bool, parts: Iterable[tuple[str, Days]], *operands: PartitionSet) -> PartitionSet:
        """The set of parts in any order, without those that have no days; one of ``operands`` if it is equal."""
        ordered = sorted((part for part in parts if part[1].pieces), key=itemgetter(0))
        same: dict[int, Days] = {}  # by object, which ``ordered`` holds: most are, and the rest is compared
        known: dict[Days, Days] = {}
        for _, days in ordered:
            if id(days) not in same:
                same[id(days)] = known.setdefault(days, days)
        alike = tuple(ordered) if len(same) == len(known) else tuple((at, same[id(days)]) for at, days in ordered)
        return cls._of_them(has_null, alike, *operands)

    @classmethod
    def _of_them(cls, has_null: bool, parts: tuple[tuple[str, Days], ...], *operands: PartitionSet) -> PartitionSet:
        """The set of these parts; one of ``operands`` if it is equal."""
        for one in operands:
            if one.has_null == has_null and one.parts == parts:
                return one
        return cls(has_null, parts) if parts else (_NULL if has_null else _NOTHING)

    def __or__(self, other: PartitionSet) -> PartitionSet:
        if self is other or not other:
            return self
        if not self:
            return other
        has_null = self.has_null or other.has_null
        if self.parts == other.parts:
            return self._of_them(has_null, self.parts, self, other)
        mine, theirs, union = dict(self.parts), dict(other.parts), _once(Days.__or__)
        both = {at: union(mine[at], theirs[at]) for at in mine.keys() & theirs.keys()}
        return self._from_parts(has_null, (mine | theirs | both).items(), self, other)

    def __and__(self, other: PartitionSet) -> PartitionSet:
        if self is other or not self:
            return self
        if not other:
            return other
        has_null = self.has_null and other.has_null
        if self.parts == other.parts:
            return self._of_them(has_null, self.parts, self, other)
        theirs, intersection = dict(other.parts), _once(Days.__and__)
        shared = [(at, intersection(days, theirs[at])) for at, days in self.parts if at in theirs]
        return self._from_parts(has_null, shared, self, other)

    def __sub__(self, other: PartitionSet) -> PartitionSet:
        if self is other:
            return _NOTHING
        if not self or not other:
            return self
        has_null = self.has_null and not other.has_null
        if self.parts == other.parts:
            return _NULL if has_null else _NOTHING
        theirs, difference = dict(other.parts), _once(Days.__sub__)
        rest = [(at, difference(days, theirs[at]) if at in theirs else days) for at, days in self.parts]
        return self._from_parts(has_null, rest, self)

    def __le__(self, other: PartitionSet) -> bool:
        if self is other or not self:
            return True
        if (self.has_null and not other.has_null) or len(self.parts) > len(other.parts):
            return False
        theirs, inside = dict(other.parts), _once(Days.__le__)
        return all(at in theirs and inside(days, theirs[at]) for at, days in self.parts)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, PartitionKey):
            return False
        return self.has_null if key.location is None else key.day in self.days_of(key.location)

    def __len__(self) -> int:
        return self.has_null + sum(len(days) for _, days in self.parts)

    def __bool__(self) -> bool:
        return self.has_null or bool(self.parts)

    def __iter__(self) -> Iterator[PartitionKey]:
        if self.has_null:
            yield NULL_KEY
        distinct = {id(days): days for _, days in self.parts}
        pieces = {piece for days in distinct.values() for piece in days.pieces}
        edges = {a.toordinal() for a, _ in pieces} | {b.toordinal() + 1 for _, b in pieces}
        for start, end in pairwise(sorted(edges)):  # between two edges the locations are the same every day
            first = date.fromordinal(start)
            inside = {at for at, days in distinct.items() if first in days}
            here = [at for at, days in self.parts if id(days) in inside]
            for day in map(date.fromordinal, range(start, end) if here else ()):
                for location in here:
                    yield PartitionKey(day, location)

    def __str__(self) -> str:
        """For people, short: ``2025-08 × east, north``, ``2025 × 50 locations: p000 … p049``, ``null``, ``nothing``."""
        return set_in_words(self.has_null, [(days.pieces, at) for days, at in self._groups()])

    def in_full(self) -> str:
        """The whole set as text, for instance ``2025-08-08..2025-09-20 × east, north, west``; ``null``; ``nothing``."""
        groups = [f"{days} × {', '.join(at)}" for days, at in self._groups()]
        return "; ".join(["null"] * self.has_null + groups) or "nothing"

    def _groups(self) -> list[tuple[Days, list[str]]]:
        """Each ``Days`` with the locations that have it."""
        together: dict[Days, list[str]] = {}
        for location, days in self.parts:
            together.setdefault(days, []).append(location)
        return sorted(together.items(), key=lambda group: group[0].pieces)

    @property
    def locations(self) -> tuple[str, ...]:
        """The locations of the set, in alphabetical order."""
        return tuple(location for location, _ in self.parts)

    @property
    def days(self) -> Days:
        """Every day that at least one location has."""
        return Days.union_of({days for _, days in self.parts})

    def days_of(self, location: str) -> Days:
        """The days of ``location``; no days where the set has no such location."""
        at = bisect_left(self.parts, location, key=itemgetter(0))
        return self.parts[at][1] if at < len(self.parts) and self.parts[at][0] == location else Days.empty()

    def pieces(self) -> list[tuple[str, date, date]]:
        """The contiguous intervals (location, first day, last day), by location, then by day."""
        return [(location, first, last) for location, days in self.parts for first, last in days.pieces]

    def to_json(self) -> list[list[str] | None]:
        """The intervals as JSON values: ``[location, first day, last day]`` each; the null key as a null before
        them.
        """
        dated: list[list[str] | None] = [[at, first.isoformat(), last.isoformat()] for at, first, last in self.pieces()]
        return [None, *dated] if self.has_null else dated

    @classmethod
    def from_json(cls, data: Iterable[Any]) -> PartitionSet:
        """The inverse of ``to_json``. Raises ValueError or TypeError for other data."""
        has_null, pieces = False, dict[str, list[tuple[date, date]]]()
        for item in data:
            if item is None:
                has_null = True
            else:
                at, first, last = item
                pieces.setdefault(at, []).append((date.fromisoformat(first), date.fromisoformat(last)))
        known: dict[tuple[tuple[date, date], ...], Days] = {}
        alike = ((at, tuple(of)) for at, of in pieces.items())
        return cls(has_null, tuple((at, known.get(of) or known.setdefault(of, Days(of))) for at, of in alike))

    def keys(self) -> list[str]:
        """The keys as texts, in order. There are as many as partitions: for output only."""
        return [str(key) for key in self]

    def restrict(self, locations: Iterable[str] | None = None, days: Days | None = None) -> PartitionSet:
        """The partitions at ``locations`` and on ``days``; None does not restrict.

        The null key has neither day nor location and stays; see ``without_null``.
        """
        if (locations is None and days is None) or not self.parts:
            return self
        wanted = None if locations is None else set(locations)
        inside = [part for part in self.parts if wanted is None or part[0] in wanted]
        if days is not None:
            cut = _once(Days.__and__)
            inside = [(at, cut(of, days)) for at, of in inside]
        return self._from_parts(self.has_null, inside, self)

    def map_days(self, change: Callable[[str, Days], Days]) -> PartitionSet:
        """The set with ``change(location, days)`` in place of the days of every location. The null key stays."""
        return self._from_parts(self.has_null, [(at, change(at, days)) for at, days in self.parts], self)

    def without_null(self) -> PartitionSet:
        """Without the null key."""
        return self._of_them(False, self.parts, self)


_NOTHING, _NULL = PartitionSet(), PartitionSet(has_null=True)

_Result = TypeVar("_Result")


def _once(operation: Callable[[Days, Days], _Result]) -> Callable[[Days, Days], _Result]:
    """``operation``, but called only once for the same two objects, as long as the caller keeps these objects."""
    known: dict[tuple[int, int], _Result] = {}

    def of(mine: Days, theirs: Days) -> _Result:
        pair = id(mine), id(theirs)
        if pair not in known:
            known[pair] = operation(mine, theirs)
        return known[pair]

    return of
