"""Folds answers into the rows of fetched assets: new ones into those of the table, or all that are kept from the start.

What becomes of each hour ``core.runs.fold`` decides. A partition is folded anew from the kept answers where an answer
lands late, where somebody else changed its rows, and where that is asked for (``--from-raw``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from orchestration.core.calendar import instant_of, midnight
from orchestration.core.declarations.asset import Asset, HourlyRows
from orchestration.core.declarations.contract import Contract, RowRule
from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.runs.decisions import Sourced
from orchestration.core.runs.fold import ALL, Arrived, Folded, Hours, begun_by, fold, is_late, late, standing
from orchestration.core.runs.notes import hours_in_words
from orchestration.core.source import INGESTED_AT, RawAnswer, Source
from orchestration.core.state.freshness import Current
from orchestration.core.state.partition_record import Question
from orchestration.core.state.table_state import TableState
from orchestration.engine.hourly_rows import HourlyTable, schema_of, stamped
from resources.delta.warehouse import Warehouse
from resources.machine.clock import Clock
from resources.raw.answers import RawAnswers
from resources.raw.files import RawFile

if TYPE_CHECKING:
    import pyarrow as pa

NOTHING = PartitionSet.empty()


class Questions(Protocol):
    """What sources are asked, and were asked."""

    def question(self, asset: Asset, location: str | None) -> Question | None: ...

    def question_of(self, asset: Asset, key: PartitionKey, record: Any, own: TableState) -> Question | None: ...


@dataclass(frozen=True)
class Rows:
    """Rows of partitions after a fold, in the source's columns, and what each rests on.

    frozen: of partitions, the hours of a feed that stands still.
    """

    table: pa.Table
    folded: Mapping[PartitionKey, Folded] = field(default_factory=dict)
    frozen: Mapping[PartitionKey, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Reply:
    """A kept answer, or the one at hand. table: its rows of the partitions that are folded."""

    asked: str
    forced: bool
    table: HourlyTable
    hours: Mapping[PartitionKey, Hours]
    digests: Mapping[PartitionKey, str]
    questions: Mapping[str, str]


class Folding:
    """Folds for the fetched assets of a warehouse that keep hours.

    essential: of an asset. contracts: by asset key. frozen_hours: from so many equal hours on a feed stands still.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        raw: RawAnswers,
        sources: Mapping[str, Source[Any]],
        contracts: Mapping[str, Contract],
        current: Current,
        questions: Questions,
        now: Clock,
        frozen_hours: int,
    ) -> None:
        self._warehouse, self._raw, self._sources = warehouse, raw, sources
        self._contracts, self._current, self._questions = contracts, current, questions
        self._now, self._frozen_hours = now, frozen_hours

    def fold(
        self,
        asset: Asset,
        targets: PartitionSet,
        own: TableState,
        fetched: pa.Table | None,
        sourced: Mapping[PartitionKey, Sourced],
        anew: PartitionSet,
        columns: Sequence[str],
    ) -> Rows:
        """The rows of ``targets``, in ``columns``.

        fetched: what was fetched of them; sourced: what that was. anew: those that are folded from kept answers alone.
        """
        of = _One(self, asset, own, columns)
        before: dict[PartitionKey, Folded | None] = {}
        stored = PartitionSet.from_keys(
            key for key in targets - anew if (record := own.trusted(key)) is not None and record.rows
        )
        there = None if not stored else of.table(self._stored(asset, stored, own, columns))
        stored_hours = {} if there is None else there.hours()
        again: list[PartitionKey] = list(anew)
        late_ones: set[PartitionKey] = set()
        for key in targets - anew:
            before[key] = of.standing(key, stored_hours.get(key, Hours()))
            last, came = before[key], sourced[key]
            if key in own.unrecorded:
                again.append(key)
            elif last is not None and is_late(last, came.asked, self._now(), self._current.clock_tolerance):
                again.append(key)
                late_ones.add(key)
        new = None if fetched is None else of.table(fetched)
        new_hours = {} if new is None else new.hours()
        arrived = {
            key: of.arrived(key, came, new_hours.get(key, Hours())) for key, came in sourced.items() if key in targets
        }
        refolded = self._from_kept(of, again, arrived, new, late_ones) if again else Rows(of.nothing)
        folded: dict[PartitionKey, Folded] = dict(refolded.folded)
        for key in targets:
            if key in folded:
                continue
            if key in late_ones:
                standing_now = before[key]
                assert standing_now is not None, "it was asked for later"
                folded[key] = late(standing_now, arrived[key], of.essential)
            else:
                folded[key] = fold(before[key], arrived[key], of.essential, is_elsewhere=of.is_elsewhere(key))
        direct = [key for key in targets if key not in refolded.folded]
        parts = [refolded.table]
        if there is not None:
            parts.append(there.only({key: folded[key].hours.rows & ~folded[key].taken for key in direct}))
        if new is not None:
            parts.append(new.only({key: folded[key].taken for key in direct}))
        table = of.together(parts)
        return Rows(table, folded, of.table(table).frozen(self._frozen_hours))

    def lacking(
        self, asset: Asset, partitions: PartitionSet, own: TableState
    ) -> tuple[tuple[PartitionSet, Exception], ...]:
        """Those of ``partitions`` that cannot be folded from kept answers, because some are gone; with the hours."""
        gone_in: dict[int, list[PartitionKey]] = {}
        named: dict[PartitionKey, set[str]] = {}
        for file in self._raw.of(asset.key, partitions):
            for key in PartitionSet.of(Days.of(file.first, file.last), file.locations) & partitions:
                named.setdefault(key, set()).add(file.asked)
        for key in partitions:
            record = own.records.get(key)
            kept = named.get(key, set())
            if record is None or not record.answers:
                gone = 0 if kept else ALL
            else:
                gone = 0
                for one in record.answers:
                    if one.asked not in kept:
                        gone |= ALL if one.hours is None else one.hours
            if gone:
                gone_in.setdefault(gone, []).append(key)
        return tuple(
            (PartitionSet.from_keys(keys), _gone(asset.key, PartitionSet.from_keys(keys), hours))
            for hours, keys in gone_in.items()
        )

    # Kept answers ---------------------------------------------------------------------------------------------------

    def _from_kept(
        self,
        of: _One,
        keys: Iterable[PartitionKey],
        arrived: Mapping[PartitionKey, Arrived],
        new: HourlyTable | None,
        late_ones: set[PartitionKey],
    ) -> Rows:
        """``keys`` folded from all kept answers, and the ones at hand, in the order of asking.

        Those of ``late_ones`` of which an answer is gone are left out.
        """
        wanted = PartitionSet.from_keys(keys)
        replies = [self._reply(of, file, wanted) for file in self._raw.of(of.asset.key, wanted)]
        if new is not None:
            replies += _at_hand(of, {key: arrived[key] for key in wanted if key in arrived}, new, replies)
        replies.sort(key=lambda reply: reply.asked)
        folded: dict[PartitionKey, Folded] = {}
        won: list[dict[PartitionKey, int]] = [{} for _ in replies]
        for key in wanted:
            told = [number for number, reply in enumerate(replies) if key in reply.digests]
            if key in late_ones and not of.are_all_there(key, [replies[number] for number in told]):
                continue
            state: Folded | None = None
            for number in told:
                reply = replies[number]
                one = Arrived(
                    reply.asked,
                    reply.digests[key],
                    reply.hours.get(key, Hours()),
                    _begun(key, reply.asked),
                    reply.forced,
                    reply.questions.get(str(key.location), ""),
                )
                state = fold(state, one, of.essential, is_elsewhere=of.is_elsewhere(key))
                for masks in won:
                    if key in masks:
                        masks[key] &= state.hours.rows & ~state.taken
                won[number][key] = state.taken
            if state is not None:
                folded[key] = state
        tables = [reply.table.only(masks) for reply, masks in zip(replies, won, strict=True) if any(masks.values())]
        return Rows(of.together(tables), folded)

    def _reply(self, of: _One, file: RawFile, wanted: PartitionSet) -> _Reply:
        raw: RawAnswer = self._raw.read(file)
        return self.reply(of, raw, wanted)

    def reply(self, of: _One, raw: RawAnswer, wanted: PartitionSet) -> _Reply:
        """What a kept answer says of ``wanted``."""
        asked = instant_of(raw.asked)
        answers = [
            answer
            for answer in of.source.read(raw.request, raw.body, asked)
            if wanted.restrict(locations=[answer.location])
        ]
        rows = [of.source.only(answer.rows, wanted.days_of(answer.location)) for answer in answers]
        table = of.table(of.together([stamped(one, asked) for one in rows]))
        digests = {
            key: digest
            for answer in answers
            for day, digest in answer.digests.items()
            if (key := PartitionKey(day, answer.location)) in wanted
        }
        questions = {answer.location: of.source.asked_then(raw.request, answer.location) for answer in answers}
        of.asked |= {question.id: question for question in questions.values()}
        return _Reply(
            raw.asked, raw.forced, table, table.hours(), digests, {at: one.id for at, one in questions.items()}
        )

    def _stored(self, asset: Asset, partitions: PartitionSet, own: TableState, columns: Sequence[str]) -> pa.Table:
        """The rows of ``partitions`` in the table, in those of ``columns`` that it has."""
        import pyarrow as pa
        import pyarrow.compute as pc

        at = asset.partition_columns
        assert at is not None and own.version is not None, "there are rows"
        days = partitions.days
        found = self._warehouse.read_arrow(
            asset.key,
            own.version,
            filters=[
                (at.day, ">=", days.first),
                (at.day, "<=", days.last),
                (at.location, "in", list(partitions.locations)),
            ],
        )
        missing = [name for name in columns if name not in found.column_names]
        for name in missing:
            found = found.append_column(name, pa.nulls(found.num_rows))
        masks = [
            pc.and_(
                pc.equal(found[at.location], location),
                pc.is_in(found[at.day], value_set=pa.array(list(partitions.days_of(location)), pa.date32())),
            )
            for location in partitions.locations
        ]
        if len(partitions) == len(days) * len(partitions.locations) and len(days.pieces) == 1:
            return found.select(list(columns))
        wanted = masks[0]
        for mask in masks[1:]:
            wanted = pc.or_(wanted, mask)
        return found.filter(wanted).select(list(columns))


class _One:
    """What a fold of one asset goes by."""

    def __init__(self, folding: Folding, asset: Asset, own: TableState, columns: Sequence[str]) -> None:
        assert asset.hours is not None and asset.source is not None and asset.partition_columns is not None
        self.asset, self.own, self.columns = asset, own, tuple(columns)
        self.source = folding._sources[asset.source]
        self.hours: HourlyRows = asset.hours
        self.essential = folding._current.essential_of(asset)
        self.asked: dict[str, Question] = {}
        self._location = asset.partition_columns.location
        self._questions = folding._questions
        judge = asset.hours.judged_by
        self._rules: tuple[RowRule, ...] = folding._contracts[judge].rules if judge else ()
        self._values = [name for name in self.columns if name not in (self._location, self.hours.instant, INGESTED_AT)]

    @property
    def nothing(self) -> pa.Table:
        """No rows."""
        return self.together([])

    def table(self, rows: pa.Table) -> HourlyTable:
        return HourlyTable(rows, self._location, self.hours.instant, self._values, self._rules)

    def together(self, tables: Sequence[pa.Table]) -> pa.Table:
        """Rows one after the other, in the source's columns and types, in one chunk."""
        import pyarrow as pa

        schema = schema_of(self.source)
        parts = [one.select(schema.names).cast(schema) for one in tables if one.num_rows]
        return pa.concat_tables(parts).combine_chunks() if parts else schema.empty_table()

    def standing(self, key: PartitionKey, hours: Hours) -> Folded | None:
        """What is recorded of a partition, with the question that it answered; None where nothing is."""
        record = self.own.trusted(key)
        if record is None:
            return None
        found = standing(str(self.asset.source), str(key), record, hours)
        then = self._questions.question_of(self.asset, key, record, self.own)
        if then is not None:
            self.asked[then.id] = then
        return replace(found, question=record.question or ("" if then is None else then.id))

    def arrived(self, key: PartitionKey, came: Sourced, hours: Hours) -> Arrived:
        question = came.question or self._questions.question(self.asset, key.location)
        if question is not None:
            self.asked[question.id] = question
        asked = "" if question is None else question.id
        return Arrived(came.asked, came.digest, hours, _begun(key, came.asked), came.forced, asked)

    def is_elsewhere(self, key: PartitionKey) -> Callable[[str], bool]:
        """Of the id of a question, whether its rows are of another question than that of today."""
        today = self._questions.question(self.asset, key.location)

        def elsewhere(question: str) -> bool:
            then = self.asked.get(question) or self.own.questions.get(question)
            if then is None or today is None or then == today:
                return False
            return then.domain != today.domain or self.source.is_elsewhere(then, today)

        return elsewhere

    def are_all_there(self, key: PartitionKey, replies: Sequence[_Reply]) -> bool:
        """Whether everything that is recorded of a partition is among kept answers."""
        record = self.own.trusted(key)
        kept = {(reply.asked, reply.digests[key]) for reply in replies}
        if record is None:
            return True
        told = [(one.asked, one.digest) for one in record.answers]
        told += [(one.asked, one.digest) for one in record.turned_away]
        return kept.issuperset(told)


def _at_hand(
    of: _One, arrived: Mapping[PartitionKey, Arrived], new: HourlyTable, kept: Sequence[_Reply]
) -> list[_Reply]:
    """The answers at hand, as far as they are not among those that are kept: one for every moment."""
    known = {(reply.asked, key, digest) for reply in kept for key, digest in reply.digests.items()}
    left = {key: one for key, one in arrived.items() if (one.asked, key, one.digest) not in known}
    return [
        _Reply(
            moment,
            forced,
            new,
            {key: one.hours for key, one in left.items()},
            {key: one.digest for key, one in left.items() if (one.asked, one.forced) == (moment, forced)},
            {str(key.location): one.question for key, one in left.items()},
        )
        for moment, forced in sorted({(one.asked, one.forced) for one in left.values()})
    ]


def _gone(asset: str, partitions: PartitionSet, hours: int) -> WarehouseError:
    return WarehouseError(
        f"{asset}: no answer is kept any more that has the hours {hours_in_words(hours)} of {partitions}.",
        "Leave out --from-raw to ask the source again.",
    )


def _begun(key: PartitionKey, asked: str) -> int:
    assert key.day is not None, "fetched assets have days"
    return begun_by(midnight(key.day), instant_of(asked))
