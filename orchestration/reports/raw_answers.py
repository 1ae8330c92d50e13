"""The answers of a source about partitions: when they came, and what of them is in the table. Reads kept answers,
without a JVM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from math import isnan
from typing import TYPE_CHECKING, Any

from orchestration.core.errors import SourceError, UsageError, WarehouseError, in_a_line
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.source import Answer, Source
from orchestration.core.state.partition_record import PartitionRecord
from orchestration.engine.workspace import Workspace
from resources.raw.files import RawFile
from resources.raw.renames import under_names_of_today

if TYPE_CHECKING:
    import pyarrow as pa

_READ_AT_ONCE = 8
"""The number of answers that are in memory at once."""


@dataclass(frozen=True, slots=True)
class RawLine:
    """A kept answer, in its relation to one partition."""

    asked: str
    """When the request was sent (ISO 8601, UTC)."""
    partition: str
    run_id: str
    forced: bool
    became: str
    """What became of the answer, in words: which rows of the table are from it."""
    owns: int
    """The number of hours whose rows in the table are from this answer."""
    turned_away: int
    """The number of hours in which the answer did not replace the row."""
    rows: int | None
    """The number of the answer's rows; None where the answer cannot be read."""
    changed_hours: int | None
    """The number of hours in which the answer differs from the kept answer before it; None for the first one."""
    changed_columns: tuple[str, ...]
    """The columns in which it differs there."""


@dataclass(frozen=True, slots=True)
class RawHistory:
    """Lines by partition, and within each in the order of the requests. notes: descriptions of broken answers."""

    lines: tuple[RawLine, ...]
    notes: tuple[str, ...]

    @property
    def table(self) -> pa.Table:
        """The lines as Arrow, with a column for each field of ``RawLine``."""
        import pyarrow as pa

        texts, numbers = pa.string(), pa.int64()
        schema = pa.schema(
            [
                ("asked", texts),
                ("partition", texts),
                ("run_id", texts),
                ("forced", pa.bool_()),
                ("became", texts),
                ("owns", numbers),
                ("turned_away", numbers),
                ("rows", numbers),
                ("changed_hours", numbers),
                ("changed_columns", pa.list_(texts)),
            ]
        )
        return pa.Table.from_pylist(
            [{name: getattr(line, name) for name in schema.names} for line in self.lines], schema=schema
        )


def read_raw_answers(
    workspace: Workspace, key: str, days: str | None, locations: Sequence[str] = (), limit: int | None = None
) -> RawHistory:
    """The kept answers about the partitions of a RANGE; at most ``limit`` lines.

    Raises UsageError for an asset without source, for a missing range, and for an unknown location.
    """
    asset = workspace.catalog[key]
    if asset.source is None:
        fetched = ", ".join(one.key for one in workspace.project.fetched)
        raise UsageError(f"{key} is made from other tables: no source sent it", f"Fetched are {fetched}.")
    if days is None:
        raise UsageError(
            "--raw wants to know of which partitions", f"Add --partitions, for instance {workspace.a_week}."
        )
    state = workspace.warehouse.state(asset)
    there = state.present.locations
    workspace.check_locations(locations, there)
    known = locations or {*there, *(location.key for location in workspace.settings.locations)}
    partitions = PartitionSet.of(workspace.days(days), known)
    found = workspace.raw.look(key, partitions)
    notes = [f"the raw answer {path} is broken" for path in found.broken]
    source = workspace.sources[asset.source]
    column = None if asset.partition_columns is None else asset.partition_columns.location

    def answers(file: RawFile) -> Mapping[str, Answer]:
        try:
            raw = workspace.raw.read(file)
            sent = source.read(raw.request, raw.body, file.asked_at)
            return {one.location: one for one in under_names_of_today(sent, file.names, column)}
        except (SourceError, WarehouseError) as error:
            notes.append(f"the answer asked at {file.asked} cannot be read: {in_a_line(error)}")
            return {}

    reading = _Reading(
        source,
        [name for name in workspace.contracts[key].key if name in dict(source.columns)],
        lru_cache(_READ_AT_ONCE)(answers),
        state.records,
        workspace.moments.named(key),
    )
    return RawHistory(tuple(islice(reading.lines(found.files, partitions), limit)), tuple(notes))


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads the lines of one asset."""

    source: Source[Any]
    key: Sequence[str]
    """The columns that identify the hour of a row."""
    answers: Callable[[RawFile], Mapping[str, Answer]]
    """Returns the answers in a file, by location; empty where the file cannot be read."""
    records: Mapping[PartitionKey, PartitionRecord]
    moments: Mapping[str, PartitionSet]
    """Moment of a request → the partitions about which its answer had nothing new."""

    def lines(self, files: Sequence[RawFile], wanted: PartitionSet) -> Iterator[RawLine]:
        about = [(file, file.partitions) for file in files]
        for key in wanted & PartitionSet.union_of(partitions for _, partitions in about):
            before: _Rows | None = None
            here = [file for file, partitions in about if key in partitions]
            moments = Counter(file.asked for file in here)
            for file in here:
                rows = self._rows(file, key)
                yield self._line(file, key, rows, before, alone=moments[file.asked] == 1)
                before = before if rows is None else rows

    def _line(
        self, file: RawFile, key: PartitionKey, rows: _Rows | None, before: _Rows | None, *, alone: bool
    ) -> RawLine:
        """The line of a file about a partition. alone: whether no other request was sent at the same moment; otherwise
        the digest decides which of the answers is recorded."""

        def is_it(asked: str, digest: str) -> bool:
            return asked == file.asked and (alone or rows is None or digest == rows.digest)

        record = self.records.get(key)
        owns = turned_away = 0
        if record is not None:
            masks = [one.hours for one in record.answers if is_it(one.asked, one.digest)]
            owns = sum(record.rows if mask is None else mask.bit_count() for mask in masks)
            turned = [one.hours for one in record.turned_away if is_it(one.asked, one.digest)]
            turned_away = sum(mask.bit_count() for mask in turned)
        changed = None if rows is None or before is None else rows.changes(before)
        return RawLine(
            file.asked,
            str(key),
            file.run_id,
            file.forced,
            self._became(file, key, owns, turned_away),
            owns,
            turned_away,
            None if rows is None else len(rows.by_hour),
            None if changed is None else changed[0],
            () if changed is None else changed[1],
        )

    def _became(self, file: RawFile, key: PartitionKey, owns: int, turned_away: int) -> str:
        parts = [f"owns {_hours(owns)}"] if owns else []
        parts += [f"turned away {_hours(turned_away)}"] if turned_away else []
        if not parts and key in self.moments.get(file.asked, PartitionSet.empty()):
            return "nothing new"
        return ", ".join(parts) or "nothing left"

    def _rows(self, file: RawFile, key: PartitionKey) -> _Rows | None:
        answer = self.answers(file).get(key.location or "")
        if answer is None or key.day is None:
            return None
        rows = self.source.only(answer.rows, Days.of(key.day)).to_pylist()
        names = self.key or list(rows[0] if rows else ())
        values = [{name: value for name, value in row.items() if name not in names} for row in rows]
        by_hour = {tuple(row[name] for name in names): of for row, of in zip(rows, values, strict=True)}
        return _Rows(by_hour, answer.digests.get(key.day, ""))


@dataclass(frozen=True, slots=True)
class _Rows:
    """The values of a partition in an answer, by hour. digest: as in the partition's record."""

    by_hour: Mapping[tuple[Any, ...], Mapping[str, Any]]
    digest: str

    def changes(self, before: _Rows) -> tuple[int, tuple[str, ...]]:
        """The number of hours in which the values differ from ``before``, and the columns in which they differ."""
        hours, columns = 0, dict[str, None]()
        for hour in self.by_hour.keys() | before.by_hour.keys():
            now, then = self.by_hour.get(hour), before.by_hour.get(hour)
            names = _differ(now or {}, then or {})
            if names or now is None or then is None:
                hours += 1
                columns |= dict.fromkeys(names)
        sent = next(iter((self.by_hour or before.by_hour).values()), {})
        return hours, tuple(name for name in sent if name in columns)


def _differ(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    return [name for name in now or then if not _same(now.get(name), then.get(name))]


def _same(one: Any, other: Any) -> bool:
    return one == other or (isinstance(one, float) and isinstance(other, float) and isnan(one) and isnan(other))


def _hours(count: int) -> str:
    return "1 hour" if count == 1 else f"{count} hours"
