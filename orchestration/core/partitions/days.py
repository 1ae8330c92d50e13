"""Sets of UTC days as plain values: the algebra on intervals, the ranges that people write, and chunks.

Must not know: locations, assets, storage, the clock. *Today* is always an argument.
"""

from __future__ import annotations

import calendar
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Literal

from orchestration.core.calendar import DAY
from orchestration.core.errors import PartitionRangeError
from orchestration.core.partitions.in_words import days_in_words

ChunkMode = Literal["monthly", "weekly", "daily"]

_DAY_OR_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})(?:-([0-9]{2}))?")
_RANGE_FORMS = (
    "write a day (2025-08-08), days with both ends in (2025-08-08..2025-08-14), a month (2025-08), "
    "months (2025-08..2025-09) or last:7"
)


@dataclass(frozen=True, slots=True)
class Days:
    """An immutable set of UTC days. Use the constructors ``of``, ``from_dates``, ``union_of`` and ``empty``."""

    pieces: tuple[tuple[date, date], ...] = ()
    """The contiguous intervals (first day, last day), both ends included. They are sorted and neither overlap nor
    touch, so equal sets have equal pieces."""

    def __post_init__(self) -> None:
        if any(first > last for first, last in self.pieces):
            raise ValueError(f"an interval of days must not end before it starts (got {self.pieces})")
        if any(b.toordinal() - a.toordinal() < 2 for (_, a), (b, _) in pairwise(self.pieces)):
            raise ValueError(f"intervals of days must be sorted, disjoint and not adjacent (got {self.pieces})")

    @classmethod
    def of(cls, first: date, last: date | None = None) -> Days:
        """All days from ``first`` to ``last``, both in; the one day ``first`` where ``last`` is not given."""
        return cls(((first, first if last is None else last),))

    @classmethod
    def from_dates(cls, dates: Iterable[date]) -> Days:
        """The given days, in any order, repeated or not."""
        return cls._from_spans((day.toordinal(), day.toordinal() + 1) for day in dates)

    @classmethod
    def union_of(cls, sets: Iterable[Days]) -> Days:
        """Every day that is in at least one of ``sets``."""
        several = list({id(days): days for days in sets if days.pieces}.values())
        if len(several) < 2:
            return several[0] if several else _NO_DAYS
        return cls._from_spans(span for days in several for span in days._spans())

    @classmethod
    def empty(cls) -> Days:
        """No day."""
        return _NO_DAYS

    def __or__(self, other: Days) -> Days:
        if self._holds_by_its_ends(other):
            return self
        if other._holds_by_its_ends(self):
            return other
        return self._sweep(other, lambda mine, theirs: mine or theirs)

    def __and__(self, other: Days) -> Days:
        if other._holds_by_its_ends(self):
            return self
        if self._holds_by_its_ends(other):
            return other
        if self._lies_apart_from(other):
            return _NO_DAYS
        return self._sweep(other, lambda mine, theirs: mine and theirs)

    def __sub__(self, other: Days) -> Days:
        if other._holds_by_its_ends(self):
            return _NO_DAYS
        if not other.pieces or self._lies_apart_from(other):
            return self
        return self._sweep(other, lambda mine, theirs: mine and not theirs)

    def __le__(self, other: Days) -> bool:
        return not self - other

    def __contains__(self, day: object) -> bool:
        if not isinstance(day, date):
            return False
        at = bisect_right(self.pieces, (day, date.max)) - 1
        return at >= 0 and day <= self.pieces[at][1]

    def __len__(self) -> int:
        return sum(end - start for start, end in self._spans())

    def __bool__(self) -> bool:
        return bool(self.pieces)

    def __iter__(self) -> Iterator[date]:
        for start, end in self._spans():
            yield from map(date.fromordinal, range(start, end))

    def __str__(self) -> str:
        """For instance ``2025-08-08..2025-08-14, 2025-08-20``; ``no days`` where there are none."""
        return ", ".join(f"{a}" if a == b else f"{a}..{b}" for a, b in self.pieces) or "no days"

    def in_short(self) -> str:
        """Short, for people: months and years as such; of many separate days only the first ones and the last."""
        return days_in_words(self.pieces)

    @property
    def first(self) -> date:
        """The earliest day; ValueError where there is none."""
        return self._ends()[0]

    @property
    def last(self) -> date:
        """The latest day; ValueError where there is none."""
        return self._ends()[1]

    def _ends(self) -> tuple[date, date]:
        if not self.pieces:
            raise ValueError("an empty set of days has neither a first nor a last day")
        return self.pieces[0][0], self.pieces[-1][1]

    def _holds_by_its_ends(self, other: Days) -> bool:
        """Whether ``other`` is certainly a part of this set, which is quick to see: it is empty, equal, or within one
        piece."""
        if self is other or not other.pieces:
            return True
        if len(self.pieces) == 1:
            return self.pieces[0][0] <= other.pieces[0][0] and other.pieces[-1][1] <= self.pieces[0][1]
        return self.pieces == other.pieces

    def _lies_apart_from(self, other: Days) -> bool:
        """Whether one set ends before the other begins. Both have days."""
        return self.pieces[-1][1] < other.pieces[0][0] or other.pieces[-1][1] < self.pieces[0][0]

    def _spans(self) -> Iterator[tuple[int, int]]:
        """The pieces as ordinals. The second ordinal is the one after the last day."""
        return ((first.toordinal(), last.toordinal() + 1) for first, last in self.pieces)

    @classmethod
    def _from_spans(cls, spans: Iterable[tuple[int, int]]) -> Days:
        """From pairs of ordinals (first, one after the last), in any order, overlapping or not."""
        joined: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if joined and start <= joined[-1][1]:
                joined[-1] = joined[-1][0], max(end, joined[-1][1])
            else:
                joined.append((start, end))
        return cls(tuple((date.fromordinal(start), date.fromordinal(end - 1)) for start, end in joined))

    def _sweep(self, other: Days, keep: Callable[[bool, bool], bool]) -> Days:
        """Every day for which ``keep(in self, in other)``, in one pass over the ends of both."""
        edges = sorted(
            [(at, 0) for span in self._spans() for at in span] + [(at, 1) for span in other._spans() for at in span]
        )
        inside, kept, changes = [False, False], False, []
        for at, group in groupby(edges, itemgetter(0)):
            for _, side in group:
                inside[side] = not inside[side]
            if keep(*inside) != kept:
                kept = not kept
                changes.append(at)
        return Days(
            tuple(
                (date.fromordinal(start), date.fromordinal(end - 1))
                for start, end in zip(changes[::2], changes[1::2], strict=True)
            )
        )


_NO_DAYS = Days()


def parse_range(text: str, today: date, feed_begins: date = date.min) -> Days:
    """The days that a RANGE of the command line names, whole even where it reaches past ``today``.

    ========================  ==========================================================
    2025-08-08                that day
    2025-08-08..2025-08-14    both ends in; either end may be a month instead
    2025-08                   the month
    last:7                    the seven days that ended last, and today
    ========================  ==========================================================

    Raises PartitionRangeError for a text that cannot be read, a day that does not exist, an end before the
    start, a start before ``feed_begins``, the first day that any source has (UTC), and a start after ``today`` (UTC).
    """
    name = f"partition range {text!r}"
    start, dots, end = text.strip().partition("..")
    if start.startswith("last:") and not dots:
        return _last_days(start.removeprefix("last:"), name, today, feed_begins)
    first, last = first_and_last_day(start, name)
    if dots:
        last = first_and_last_day(end, name)[1]
    if last < first:
        raise PartitionRangeError(f"{name} ends before it starts", f"swap its ends: {end}..{start}")
    if first < feed_begins:
        raise PartitionRangeError(
            f"{name} starts on {first}, before the feed begins", f"start on {feed_begins} or later"
        )
    if first > today:
        raise PartitionRangeError(
            f"{name} starts on {first}, in the future: today is {today} (UTC)", f"start on {today} or earlier"
        )
    return Days.of(first, last)


def _last_days(count: str, name: str, today: date, feed_begins: date) -> Days:
    if not re.fullmatch(r"[0-9]{1,9}", count):
        raise PartitionRangeError(
            f"{name} must have a number of days, 0 or more, after last: (got {count!r})",
            "write for instance last:7, the last seven days that have ended and today",
        )
    most = (today - feed_begins).days
    if int(count) > most:
        raise PartitionRangeError(
            f"{name} starts before the feed begins on {feed_begins}", f"write last:{most} or fewer"
        )
    return Days.of(today - int(count) * DAY, today)


def first_and_last_day(text: str, name: str) -> tuple[date, date]:
    """The first and the last day of ``2025-08-08`` or ``2025-08``; ``name`` is what errors call the whole."""
    if not (read := _DAY_OR_MONTH.fullmatch(text)):
        raise PartitionRangeError(f"cannot read {name}", _RANGE_FORMS)
    year, month = int(read[1]), int(read[2])
    if not (year and 1 <= month <= 12):
        raise PartitionRangeError(f"there is no month {text[:7]} in {name}", "months are 01 to 12, years 0001 to 9999")
    length = calendar.monthrange(year, month)[1]
    if read[3] is None:
        return date(year, month, 1), date(year, month, length)
    if not 1 <= int(read[3]) <= length:
        raise PartitionRangeError(f"there is no day {text} in {name}", f"{text[:7]} has the days 01 to {length}")
    return (day := date(year, month, int(read[3]))), day


def parse_day(text: str, name: str) -> date:
    """The day ``2025-08-08``; ``name`` is what errors call it. Raises PartitionRangeError."""
    if len(text) != len("2025-08-08"):
        raise PartitionRangeError(f"{name} must be a day (got {text!r})", "write it as 2025-08-08")
    return first_and_last_day(text, name)[0]


def chunks(days: Days, mode: ChunkMode) -> list[Days]:
    """``days`` cut for a backfill, in order; empty chunks are left out and the last may be short.

    monthly: calendar months. weekly: seven days each, counted from the first day. daily: one day each.
    """
    match mode:
        case "monthly":
            return _grouped(days, lambda day: day.year * 12 + day.month)
        case "weekly":
            return _grouped(days, lambda day: (day - days.first).days // 7)
        case "daily":
            return _grouped(days, date.toordinal)


def _grouped(days: Days, number: Callable[[date], int]) -> list[Days]:
    return [Days.from_dates(together) for _, together in groupby(days, number)]
