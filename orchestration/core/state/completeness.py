"""Completeness: how many hours of a fetched partition have every essential value, of how many that had begun.

Null is not a value: an hour whose row lacks an essential one counts no more than an hour without a row. Days before a
source's first values at a location are not offered, and then neither complete nor incomplete.

Pure: records and what holds now come in as values.
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
    """How complete a partition is. of: its hours that had begun when it was asked for last.

    have: of how many of them each essential column that is offered has a value.
    """

    of: int
    have: Mapping[str, int]

    @property
    def hours(self) -> int:
        """So many hours at the most have every essential value."""
        return min(self.have.values(), default=self.of)

    @property
    def whole(self) -> bool:
        """Whether no hour that had begun lacks a value."""
        return self.hours >= self.of

    @property
    def in_words(self) -> str:
        """``0 of 24 hours``; where only some columns lack values, with these: ``0 of 24 hours (flow 0, level 23)``."""
        lacking = [f"{name} {count}" for name, count in self.have.items() if count < self.of]
        named = f" ({', '.join(lacking)})" if 0 < len(lacking) < len(self.have) else ""
        return f"{self.hours} of {self.of} hours{named}"


def is_counted(record: PartitionRecord) -> bool:
    """Whether the record says how many values there are; those of format 1 do not."""
    return bool(record.values) or not record.rows


class CompletenessOf:
    """Says of partitions of one table how complete they are.

    records: of the table. essential: columns; values_from: the day from which on the source has values of them
    everywhere. Before it, a column is offered at a location from the day after the first that has a value of it: that
    one may be a part of a day.
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
        """How complete a partition is with ``record``; None where that is not known, or nothing of it is offered."""
        if not is_counted(record):
            return None
        values, rows = record.values, record.rows
        have = {name: values.get(name, rows) for name in self._offered(key)}  # what is not counted cannot be null
        return Completeness(self._begun(key, record), have) if have else None

    def _offered(self, key: PartitionKey) -> Sequence[str]:
        """The essential columns of which there may be values."""
        day, location = key.day, key.location
        if day is None or location is None or day >= self._values_from:
            return self._essential
        return [name for name in self._essential if day > self._first.get((location, name), date.max)]

    def may_lack(self, records: Records) -> Iterable[PartitionKey]:
        """The partitions that may lack values; of all others it is known that they do not, or are not counted."""
        from orchestration.core.state.record_values import after_the_first, with_fewer

        dated = records.partitions.without_null()
        if not dated or not self._scheme.is_even:
            return records
        one = next(iter(dated))
        hours = (self._scheme.ends(one) - self._scheme.begins(one)) // HOUR
        fewer = with_fewer(records, self._essential, hours)
        return map(records.key, after_the_first(records, fewer, self._first, self._values_from).tolist())

    def changes_at(self, location: str | None) -> set[date]:
        """The days from which on other columns are offered at a location than before."""
        return {self._values_from, *(day + DAY for (at, _), day in self._first.items() if at == location)}

    def _begun(self, key: PartitionKey, record: PartitionRecord) -> int:
        """How many hours of the period had begun when it was asked for last."""
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
    """When a partition was asked for last (ISO 8601, UTC); empty where that is not recorded.

    What a format 1 recorded of a period that had ended is only when it was committed.
    """
    told = [one.asked for one in record.answers] + [one.asked for one in record.turned_away]
    return max([record.as_of, *told])


def hours_withdrawn(record: PartitionRecord) -> int:
    """In how many hours a later answer of the source lacked values that the partition has."""
    hours = 0
    for one in record.turned_away:
        hours |= one.hours
    return hours.bit_count()


def not_yet(moments: Iterable[str], latest: datetime) -> str:
    """The first of ``moments`` (ISO 8601; empty: none) that lies after ``latest``; empty where none does."""
    return next((text for text in moments if text and instant_of(text) > latest), "")
