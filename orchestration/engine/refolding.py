"""Folds partitions again from kept answers, in the order in which these were asked for.

It takes two passes. The first reads what each answer has, as masks, and decides. The second reads the rows of only
those answers from which rows remain. So memory holds the masks and the resulting rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.runs.fold import ALL, LAST, Arrived, Folded, Hours, fold
from orchestration.core.runs.notes import hours_in_words
from orchestration.core.state.partition_record import PartitionRecord
from orchestration.core.state.table_state import TableState
from orchestration.engine.folded_asset import FoldedAsset, begun
from orchestration.engine.hourly_rows import HourlyTable, stamped
from resources.raw.answers import RawAnswers
from resources.raw.files import RawFile
from resources.raw.renames import under_names_of_today

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Refolded:
    """The resulting rows, and for each partition from which answers they are."""

    table: pa.Table
    folded: Mapping[PartitionKey, Folded] = field(default_factory=dict)


@dataclass(frozen=True)
class _Reply:
    """What one answer has for some partitions. file: None for an answer that was just fetched. questions: location →
    id."""

    file: RawFile | None
    asked: str
    forced: bool
    hours: Mapping[PartitionKey, Hours]
    digests: Mapping[PartitionKey, str]
    questions: Mapping[str, str]


class Refolding:
    """Folds again. arrived: the answers that were just fetched, even if they are stored already. new: their rows."""

    def __init__(
        self, of: FoldedAsset, raw: RawAnswers, arrived: Mapping[PartitionKey, Arrived], new: HourlyTable | None
    ) -> None:
        self._of, self._raw, self._arrived, self._new = of, raw, arrived, new

    def late(self, before: Mapping[PartitionKey, Folded | None]) -> set[PartitionKey]:
        """The partitions whose fetched answer was asked for earlier than another known answer.

        before: the recorded states. Known answers are those that are recorded, kept, or were in vain. Moments in the
        future are not believed.
        """
        latest = self._of.latest
        there = {key: state.last_asked for key, state in before.items() if state is not None}
        found = {key for key, moment in there.items() if self._arrived[key].asked < moment <= latest}
        last = {key for key, moment in there.items() if moment > latest}
        since = min((self._arrived[key].asked for key in there), default=LAST)
        for file in self._raw.of(self._of.asset.key, PartitionSet.from_keys(there), since) if there else ():
            about = [key for key in there if self._arrived[key].asked < file.asked and key in file.partitions]
            (found if file.asked <= latest else last).update(about)
        return found - last

    def rows(self, asked: Sequence[PartitionKey], needed: Sequence[PartitionKey]) -> Refolded:
        """Partitions folded from kept answers and those that were just fetched.

        asked: are folded from all answers up to the last recorded one. Later answers were stored by runs that were
        killed before they used them, or that only observed. needed: are folded from the answers since the first
        recorded one; a partition for which one of these is gone is left out.
        """
        if not asked and not needed:
            return Refolded(self._of.together([]))
        wanted = PartitionSet.from_keys([*asked, *needed])
        since = {key: self._since(key) for key in needed}
        until = {key: self._until(key) for key in asked}
        first = "" if asked else min(since.values())
        replies = [self._reply(file, wanted)[0] for file in self._raw.of(self._of.asset.key, wanted, first)]
        if self._new is not None:
            replies += self._at_hand(wanted, replies)
        replies.sort(key=lambda reply: reply.asked)
        numbers_of: dict[PartitionKey, list[int]] = {}
        for number, reply in enumerate(replies):
            for key in reply.digests:
                if since.get(key, "") <= reply.asked and self._moment(key, reply.asked) <= until.get(key, LAST):
                    numbers_of.setdefault(key, []).append(number)
        folded: dict[PartitionKey, Folded] = {}
        owned: list[dict[PartitionKey, int]] = [{} for _ in replies]
        for key in wanted:
            numbers = sorted(numbers_of.get(key, []), key=lambda number: self._order(key, replies[number]))
            if key in since and not self._are_all_there(key, [replies[number] for number in numbers]):
                continue
            state, owners = self._fold(key, {number: replies[number] for number in numbers})
            if state is not None:
                folded[key] = state
                for number, mask in owners.items():
                    owned[number][key] = mask
        tables = [self._rows_of(reply, masks) for reply, masks in zip(replies, owned, strict=True) if masks]
        return Refolded(self._of.together(tables), folded)

    def _fold(self, key: PartitionKey, replies: Mapping[int, _Reply]) -> tuple[Folded | None, dict[int, int]]:
        """A partition after all replies; and for each reply the hours whose rows are from it in the end."""
        of, state, owners = self._of, None, dict[int, int]()
        for number, reply in replies.items():
            one = Arrived(
                reply.asked,
                reply.digests[key],
                reply.hours.get(key, Hours()),
                begun(key, reply.asked),
                reply.forced,
                reply.questions.get(str(key.location), ""),
            )
            state = fold(state, one, of.essential, is_elsewhere=of.is_elsewhere)
            left = state.hours.rows & ~state.taken
            owners = {at: mask & left for at, mask in owners.items() if mask & left}
            if state.taken:
                owners[number] = state.taken
        return state, owners

    def _since(self, key: PartitionKey) -> str:
        """When the first answer was asked for that matters for an existing partition."""
        moments = [] if key not in self._arrived else [self._arrived[key].asked]
        record = self._of.own.records.get(key)
        moments += [asked for asked, _ in _answers_of(record) if asked]
        return min(moments, default="")

    def _until(self, key: PartitionKey) -> str:
        """When the last recorded answer of a partition was asked for; later than everything where none is recorded."""
        moments = [asked for asked, _ in _answers_of(self._of.own.trusted(key)) if asked]
        return max((self._moment(key, asked) for asked in moments), default=LAST)

    def _moment(self, key: PartitionKey, asked: str) -> str:
        """When an answer was asked for, by the clocks of the recorded answers after it."""
        record = self._of.own.trusted(key)
        owners: list[str] = [] if record is None else [one.asked for one in record.answers]
        later: list[str] = owners[owners.index(asked) + 1 :] if asked in owners else []
        return min([asked, *later])

    def _order(self, key: PartitionKey, reply: _Reply) -> tuple[str, bool, int]:
        """Sorts answers by time. Within the same second, a fetched answer comes last, and a recorded one after an
        unrecorded one."""
        moment, own = self._moment(key, reply.asked), (reply.asked, reply.digests[key])
        recorded, arrived = _answers_of(self._of.own.trusted(key)), self._arrived.get(key)
        location = recorded.index(own) if own in recorded else -1
        if arrived is not None and own == (arrived.asked, arrived.digest):
            location = len(recorded)
        return moment, moment == reply.asked, location  # whose clock was ahead came before

    def _are_all_there(self, key: PartitionKey, replies: Iterable[_Reply]) -> bool:
        """Whether all recorded answers of a partition are kept."""
        record = self._of.own.trusted(key)
        kept = {(reply.asked, reply.digests[key]) for reply in replies}
        if record is not None and record.rows and not record.answers:
            return False
        return kept.issuperset(_answers_of(record))

    def _at_hand(self, wanted: PartitionSet, kept: Sequence[_Reply]) -> list[_Reply]:
        """The fetched answers that are not kept: one for each moment."""
        known = {(reply.asked, key, digest) for reply in kept for key, digest in reply.digests.items()}
        left = {
            key: one
            for key in wanted
            if (one := self._arrived.get(key)) is not None and (one.asked, key, one.digest) not in known
        }
        found = []
        for moment, forced in sorted({(one.asked, one.forced) for one in left.values()}):
            of = {key: one for key, one in left.items() if (one.asked, one.forced) == (moment, forced)}
            hours = {key: one.hours for key, one in of.items()}
            digests = {key: one.digest for key, one in of.items()}
            asked = {str(key.location): one.question for key, one in of.items()}
            found.append(_Reply(None, moment, forced, hours, digests, asked))
        return found

    def _rows_of(self, reply: _Reply, masks: Mapping[PartitionKey, int]) -> pa.Table:
        """The rows of a reply in the hours that remain from it."""
        if reply.file is None:
            assert self._new is not None, "it is at hand"
            return self._new.only(masks)
        return self._reply(reply.file, PartitionSet.from_keys(masks))[1].only(masks)

    def _reply(self, file: RawFile, wanted: PartitionSet) -> tuple[_Reply, HourlyTable]:
        """What a kept answer has for ``wanted``, and its rows for it."""
        of, raw = self._of, self._raw.read(file)
        asked, then = file.asked_at, {now: key for key, now in file.names.items()}
        sent = under_names_of_today(of.source.read(raw.request, raw.body, asked), file.names, of.location)
        answers = [one for one in sent if wanted.days_of(one.location)]
        of.meet({one.kind for one in answers})
        rows = [of.source.only(answer.rows, wanted.days_of(answer.location)) for answer in answers]
        table = of.table(of.together([stamped(one, asked) for one in rows]))
        digests = {
            key: digest
            for answer in answers
            for day, digest in answer.digests.items()
            if (key := PartitionKey(day, answer.location)) in wanted
        }
        questions = {one.location: of.source.asked_then(raw.request, then[one.location]) for one in answers}
        of.asked |= {question.id: question for question in questions.values()}
        asked_then = {at: one.id for at, one in questions.items()}
        return _Reply(file, raw.asked, raw.forced, table.hours(), digests, asked_then), table


def lacking(
    raw: RawAnswers, asset: Asset, partitions: PartitionSet, own: TableState, *, repair: bool = False
) -> tuple[tuple[PartitionSet, Exception], ...]:
    """Those of ``partitions`` that cannot be folded from kept answers because some of these are gone; with an error
    that says how many hours are concerned.

    If no record says which hours are from a lost answer, all hours that had begun may be. repair: whether this is for a
    repair, whose remedy is another one.
    """
    gone_in: dict[int, list[PartitionKey]] = {}
    kept: dict[PartitionKey, set[str]] = {}
    found = raw.of(asset.key, partitions)
    for file in found:
        for key in file.partitions & partitions:
            kept.setdefault(key, set()).add(file.asked)
    unrecorded = PartitionSet.from_keys(key for key in partitions if key not in own.records)
    lost: dict[PartitionKey, int] = {}
    for asked, of in raw.lost(asset.key, unrecorded, found) if unrecorded else ():
        for key in of:
            lost[key] = lost.get(key, 0) | begun(key, asked)
    for key in partitions:
        record, gone = own.records.get(key), 0
        if record is None or (not record.answers and not record.rows):
            gone = lost.get(key, 0) if key in kept else ALL
        elif not record.answers:
            gone = ALL
        for one in () if record is None else record.answers:
            if one.asked not in kept.get(key, ()):
                gone |= ALL if one.hours is None else one.hours
        if gone:
            gone_in.setdefault(gone, []).append(key)
    return tuple(
        (PartitionSet.from_keys(keys), _gone(asset.key, PartitionSet.from_keys(keys), hours, repair))
        for hours, keys in gone_in.items()
    )


def _gone(asset: str, partitions: PartitionSet, hours: int, repair: bool) -> WarehouseError:
    return WarehouseError(
        f"{asset}: no answer is kept that has the hours {hours_in_words(hours)} of {partitions}.",
        f"`aqi repair --refetch {asset}` asks the source again, which may send other values by now."
        if repair
        else "Leave out --from-raw to ask the source again.",
    )


def _answers_of(record: PartitionRecord | None) -> list[tuple[str, str]]:
    """When each recorded answer was asked for, and its digest."""
    if record is None:
        return []
    answers = [(one.asked, one.digest) for one in record.answers]
    return answers + [(one.asked, one.digest) for one in record.turned_away]
