"""Completeness: in how many of its hours a fetched partition has a value in every essential column.

Only hours count that had begun when the source was asked. An hour whose row has a null in an essential column counts as
little as an hour without a row. A day before the first values of a source at a location is neither complete nor
incomplete: the source does not offer it.

Pure: records and today's settings come in as values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from orchestration.core.calendar import DAY, HOUR, instant_of
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.partitions.scheme import PartitionScheme
from orchestration.core.state.partition_record import PartitionRecord

if TYPE_CHECKING:
    from orchestration.core.state.record_columns import Records


@dataclass(frozen=True, slots=True)
class Completeness:
    """How complete a partition is."""

    of: int
    """The number of its hours that had begun when the source was last asked."""
    have: Mapping[str, int]
    """In how many of these hours each essential column has a value. Columns that the source does not offer are left
    out."""

    @property
    def hours(self) -> int:
        """At most this many hours have a value in every essential column."""
        return min(self.have.values(), default=self.of)

    @property
    def whole(self) -> bool:
        """Whether every hour that had begun has all values."""
        return self.hours >= self.of

    @property
    def in_words(self) -> str:
        """``0 of 24 hours``; ``0 of 24 hours (flow 0, level 23)`` where the columns differ."""
        lacking = [f"{name} {count}" for name, count in self.have.items() if count < self.of]
        named = f" ({', '.join(lacking)})" if 0 < len(lacking) < len(self.have) else ""
        return f"{self.hours} of {self.of} hours{named}"


def is_counted(record: PartitionRecord) -> bool:
    """Whether the record says how many values there are. Records of format 1 do not."""
    return bool(record.values) or not record.rows


class CompletenessOf:
    """Tells how complete the partitions of one table are.

    essential: the essential columns. values_from: the first day from which on the source has values at every location.
    Before that day, a column is offered at a location from the day after its first value there; the first day itself
    may be only partly covered.
    """

    def __init__(
        self,
        scheme: PartitionScheme,
        records: Mapping[PartitionKey, PartitionRecord],
        essential: Sequence[str],
        values_from: date = date.min,
    ) -> None:
        self._scheme, self._essential, self._values_from = scheme, tuple(essential), values_from
        self._first: Mapping[tuple[str, str], date] = {}
        if values_from > date.min:
            from orchestration.core.state.record_values import first_values

            self._first = first_values(records, self._essential, values_from)

    def __call__(self, key: PartitionKey, record: PartitionRecord) -> Completeness | None:
        """How complete a partition with ``record`` is; None where that is not known, or where the source offers nothing
        for that day."""
        if not is_counted(record):
            return None
        values, rows = record.values, record.rows
        have = {name: values.get(name, rows) for name in self._offered(key)}  # what is not counted cannot be null
        return Completeness(self._begun(key, record), have) if have else None

    def _offered(self, key: PartitionKey) -> Sequence[str]:
        """The essential columns that the source offers for the partition."""
        day, location = key.day, key.location
        if day is None or location is None or day >= self._values_from:
            return self._essential
        return [name for name in self._essential if day > self._first.get((location, name), date.max)]

    def may_lack(self, records: Records) -> Iterable[PartitionKey]:
        """The partitions that may lack values. All others are complete, or their values are not counted."""
        from orchestration.core.state.record_values import after_the_first, with_fewer

        dated = records.partitions.without_null()
        if not dated or not self._scheme.is_even:
            return records
        one = next(iter(dated))
        hours = (self._scheme.ends(one) - self._scheme.begins(one)) // HOUR
        fewer = with_fewer(records, self._essential, hours)
        return map(records.key, after_the_first(records, fewer, self._first, self._values_from).tolist())

    def changes_at(self, location: str | None) -> set[date]:
        """The days from which on the source offers other columns at a location than on the day before."""
        return {self._values_from, *(day + DAY for (at, _), day in self._first.items() if at == location)}

    def _begun(self, key: PartitionKey, record: PartitionRecord) -> int:
        """How many hours of the period had begun when the source was last asked."""
        begins, ends = self._scheme.begins(key), self._scheme.ends(key)
        if not record.as_of:  # it was over then
            return (ends - begins) // HOUR
        return hours_begun(begins, ends, instant_of(last_asked(record)))


def hours_begun(begins: datetime, ends: datetime, asked: datetime) -> int:
    """How many hours of a period had begun at an instant.

    | period | asked              | result |
    |--------|--------------------|--------|
    | a day  | before it          | 0      |
    | a day  | 00:00              | 1      |
    | a day  | 06:59              | 7      |
    | a day  | 23:00, or after it | 24     |
    """
    return max(0, min((asked - begins) // HOUR + 1, (ends - begins) // HOUR))


def last_asked(record: PartitionRecord) -> str:
    """When the source was last asked for a partition (ISO 8601, UTC); empty where that is not recorded.

    Format 1 did not record it for a period that had ended; its record only says when it was committed.
    """
    moments = [one.asked for one in record.answers] + [one.asked for one in record.turned_away]
    return max([record.as_of, *moments])


def hours_withdrawn(record: PartitionRecord) -> int:
    """The number of hours in which a later answer of the source has no value although the partition has one."""
    hours = 0
    for one in record.turned_away:
        hours |= one.hours
    return hours.bit_count()


def not_yet(moments: Iterable[str], latest: datetime) -> str:
    """The first of ``moments`` (ISO 8601) that lies after ``latest``; empty where none does. Empty moments are passed
    over."""
    return next((text for text in moments if text and instant_of(text) > latest), "")
