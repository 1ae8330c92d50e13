"""Freshness: whether a partition is what its upstream partitions, its code and its contract would make of it now.

It follows from what the last commit of ours recorded of the partition and from what the upstream tables record now;
versions of tables and times of runs play no part. A partition depends on just those upstream partitions whose
fingerprints its record holds, absent ones included: as long as these are the same, so is the set of them.

Pure: table states, versions and the clock come in as values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache, partial
from typing import Protocol

from orchestration.core.calendar import day_of, instant_of
from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.state.changed_parameters import CODE_OR_PARAMETERS
from orchestration.core.state.completeness import Completeness, CompletenessOf, hours_withdrawn, not_yet
from orchestration.core.state.damage import Damage, as_made
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import TableState


class Way(StrEnum):
    """How a partition that is not fresh is brought up to date.

    MAKE: from what is upstream, or fetched. REWRITE: the stored rows of a fetched partition go through its function
    again, without the network. REFETCH: only the source could give it, and is asked only if somebody says so.
    """

    MAKE = "make"
    REWRITE = "rewrite"
    REFETCH = "refetch"


class State(StrEnum):
    """What a partition is. FAILED is STALE or MISSING of which the journal knows that the last attempt failed. DAMAGED:
    its rows are, or may be, lost; or nobody can read them as the table is."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    FAILED = "failed"
    UNRECORDED = "unrecorded"
    DAMAGED = "damaged"


NOT_ANSWERED = ""
"""In place of a digest: the source was asked, and did not answer."""
NO_LONGER_CONFIGURED = "no longer configured"
"""The mark of a partition of a location that was taken out of the configuration."""

NOT_MENDED = "its repair is not done (rows that were lost, or are not compared yet)"
"""Begins the reason of a partition whose rows were given up in its table's log, and that nobody has made since."""
CHANGED, DOUBTED = "changed", "was changed by somebody else"
"""What became of an upstream partition."""
INCOMPLETE, GIVEN_UP = "incomplete", "given up"
"""Words that marks begin with of partitions that have fewer values than hours."""


class History(Protocol):
    """What is known of how partitions came about that were made by other code, contracts or settings.

    own: everywhere the state of the asset's own table.
    """

    def same(self, asset: Asset, location: str | None, recorded: str, own: TableState) -> bool:
        """Whether what the code version ``recorded`` made is what today's would make."""
        ...

    def lacking(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...] | None:
        """The columns that today's contract has and the one with the digest ``recorded`` had not; None where it was
        another contract than today's without such columns."""
        ...

    def absent(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...]:
        """The columns that today's contract has and the one with the digest ``recorded`` had not, whatever else."""
        ...

    def outdated(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> str:
        """Why what the source was asked for is not what it would be asked for today; empty where it is.

        The same for all records of a location that name the same question.
        """
        ...


@dataclass(frozen=True, slots=True)
class Current:
    """What holds now. code: the code version of an asset at a location; contracts: digests by asset key.

    sent: by source, the digests of what it sends now, of the partitions that it was asked about. history: None where
    nothing but what holds now is known. configured: the locations that are; None: any. check_version: of an asset and
    the name of one of its checks. essential: the essential columns of fetched assets where they are others than
    declared. values_from: by source, from which day on it has values everywhere. incomplete_days: incomplete days that
    are older are given up. clock_tolerance: so much later than now may an answer have been asked for. behind: of an
    asset, a location and a code version of then, what changed since; None: that is not known.
    """

    code: Callable[[Asset, str | None], str]
    contracts: Mapping[str, str]
    now: datetime
    sent: Mapping[str, Mapping[PartitionKey, str]] = field(default_factory=dict)
    history: History | None = None
    configured: frozenset[str] | None = None
    check_version: Callable[[Asset, str], str] | None = None
    essential: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values_from: Mapping[str, date] = field(default_factory=dict)
    incomplete_days: int = 30
    clock_tolerance: timedelta = timedelta(minutes=5)
    behind: Callable[[Asset, str | None, str], str] | None = None

    def essential_of(self, asset: Asset) -> tuple[str, ...]:
        """The columns whose values count as an hour of a fetched asset; none of an asset without hours."""
        return () if asset.hours is None else self.essential.get(asset.key, asset.hours.essential)

    def completeness_of(self, asset: Asset, own: TableState) -> CompletenessOf | None:
        """Says how complete partitions of an asset are; None of an asset without hours."""
        if asset.hours is None or asset.partitions is None or asset.source is None:
            return None
        values_from = self.values_from.get(asset.source, date.min)
        return CompletenessOf(asset.partitions, own.records, self.essential_of(asset), values_from)

    def is_given_up(self, key: PartitionKey) -> bool:
        """Whether an incomplete partition is too old to be asked for again."""
        return key.day is not None and (day_of(self.now) - key.day).days > self.incomplete_days

    def is_configured(self, location: str | None) -> bool:
        """Whether a location is; what has none always is."""
        return self.configured is None or location is None or location in self.configured

    def same(self, asset: Asset, location: str | None, recorded: str, own: TableState) -> bool:
        """Whether rows that the code version ``recorded`` made are as good as today's."""
        if recorded == self.code(asset, location):
            return True
        return self.history is not None and self.history.same(asset, location, recorded, own)

    def why_behind(self, asset: Asset, location: str | None, recorded: str) -> str:
        """What changed since the code version ``recorded``, in words."""
        return CODE_OR_PARAMETERS if self.behind is None else self.behind(asset, location, recorded)

    def lacking(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...] | None:
        """See ``History.lacking``."""
        if recorded == self.contracts[asset]:
            return ()
        return None if self.history is None else self.history.lacking(asset, recorded, own)

    def columns_lacking(self, asset: str, own: TableState, recorded: str) -> tuple[str, ...]:
        """What a reader has to do without of rows that were made under the contract ``recorded``."""
        if recorded == self.contracts[asset] or self.history is None:
            return ()
        return self.history.absent(asset, recorded, own)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A partition's state. reason: why, of this partition; in_short: the same for many partitions together.

    way: how it is brought up to date. marks: what else is to be known of it, beside its state.
    """

    state: State
    reason: str
    in_short: str
    way: Way = Way.MAKE
    marks: tuple[str, ...] = ()

    @property
    def fresh(self) -> bool:
        return self.state is State.FRESH


Tables = Mapping[str, TableState]
"""The states of tables, by asset key; a table that is not there may be left out."""

_FRESH = Judgement(State.FRESH, "", "fresh")
_MISSING = Judgement(State.MISSING, "never made", "missing")
_UNRECORDED = Judgement(State.UNRECORDED, "somebody else changed the table's data", "changed by somebody else")


class Judge:
    """Says of each partition of ``asset`` what it is; the journal aside, so never FAILED.

    Of many partitions see ``judged``: what a judgement rests on is said there once more.
    lacking: by upstream asset, what a reader has to do without of rows that were made under a contract.
    complete: how complete partitions are; None of an asset without hours.
    """

    def __init__(self, asset: Asset, tables: Tables, current: Current) -> None:
        self.asset = asset
        self._scheme = asset.partitions
        self.own = tables.get(asset.key, TableState())
        # What was made of a partition before it was damaged is right still.
        self.upstream = [(key, as_made(state)) for key, state in _told(asset, tables)]
        self.current = current
        self.lacking = {
            key: lru_cache(maxsize=None)(partial(current.columns_lacking, key, state)) for key, state in self.upstream
        }
        self._same: dict[tuple[str | None, str], bool] = {}
        self._without: dict[str, tuple[str, ...] | None] = {}
        self.complete = current.completeness_of(asset, self.own)

    def __call__(self, key: PartitionKey) -> Judgement:
        if self.own.damage is not None and (found := self._damaged(key, self.own.damage)) is not None:
            return found
        if self.own.unrecorded and key in self.own.unrecorded:
            gone, found = not self.current.is_configured(key.location), _UNRECORDED
            if key in self.own.taken_out:
                told = f"{NOT_MENDED}: `aqi repair {self.asset.key}` goes on"
                found = Judgement(State.UNRECORDED, told, told)
            return replace(found, marks=(NO_LONGER_CONFIGURED,)) if gone else found
        record = self.own.records.get(key)
        if record is None:
            return _MISSING
        marks = self._marks(key, record)
        found = next(self._staleness(key, record), _FRESH)
        return replace(found, marks=marks) if marks else found

    def _damaged(self, key: PartitionKey, damage: Damage) -> Judgement | None:
        unknown = damage.trouble is not None and not damage.trouble.recorded and key not in self.own.unrecorded
        if not unknown and key not in damage.partitions:
            return None
        remedy, gone = damage.remedy(self.asset.key), not self.current.is_configured(key.location)
        marks = (NO_LONGER_CONFIGURED,) if gone else ()
        return Judgement(State.DAMAGED, f"{damage.why(key)}. {remedy}", f"{damage.in_short}. {remedy}", Way.MAKE, marks)

    def completeness(self, key: PartitionKey) -> Completeness | None:
        """How complete a partition is; None of an asset without hours, or where that is not known or not offered."""
        record = self.own.trusted(key)
        return None if record is None or self.complete is None else self.complete(key, record)

    def _marks(self, key: PartitionKey, record: PartitionRecord) -> tuple[str, ...]:
        without = self._lacks(record)
        marks = [f"without {', '.join(without)}"] if without else []
        if self.own.damage is not None and self.own.damage.trouble is not None:
            marks.append(f"cannot be written: {self.own.damage.trouble.what}")
        hours = self.completeness(key)
        if hours is not None and not hours.whole:
            gone = self.current.is_given_up(key)
            marks.append(f"{GIVEN_UP if gone else INCOMPLETE}: {hours.in_words}")
        if self.complete is not None and record.turned_away:
            withdrawn = hours_withdrawn(record)
            marks.append(f"withdrawn: {withdrawn} hour{'' if withdrawn == 1 else 's'}")
        return tuple(marks if self.current.is_configured(key.location) else [*marks, NO_LONGER_CONFIGURED])

    def _staleness(self, key: PartitionKey, record: PartitionRecord) -> Iterator[Judgement]:
        """Why the partition is stale: a judgement per reason, the plainest first.

        What can only be fetched is said before what stored rows are enough for; but the source is not asked anew about
        a day that it had answered whole to another question. A location that is no longer configured has no code and
        no question of today.
        """
        if self.current.is_configured(key.location):
            yield from self._asked_in_the_future(record)
            whys = [self._behind(key, record), self._source_went_on(key, record)]
            if self.asset.source is not None and (record.as_of or not self._outdated(key, record)):
                whys.reverse()
            for whole in whys:
                yield from whole
        for upstream, state in self.upstream:
            consulted = record.inputs.get(upstream)
            if consulted is None:
                yield _stale(f"{upstream} was not among its upstream assets")
                continue
            for text, fingerprint in consulted.items():
                one = _parse(text)
                if state.unrecorded and one in state.unrecorded:
                    yield moved_upstream(upstream, text, DOUBTED)
                elif not state.holds(one, fingerprint, self.lacking[upstream]):
                    yield moved_upstream(upstream, text, CHANGED)

    def _asked_in_the_future(self, record: PartitionRecord) -> Iterator[Judgement]:
        """Whether an answer was asked for by a clock that was ahead: hours that it took for past may not be."""
        if self.complete is None:
            return
        latest = self.current.now + self.current.clock_tolerance
        if moment := not_yet((one.asked for one in record.answers), latest):
            in_short = "asked for at a moment that has not come"
            yield Judgement(State.STALE, f"{in_short} ({moment})", in_short)

    def _behind(self, key: PartitionKey, record: PartitionRecord) -> Iterator[Judgement]:
        """Whether the partition lies behind its question, its code or its contract."""
        if self.asset.source is not None:
            why = self._outdated(key, record)
            if why:
                yield replace(_stale(f"behind its question: refetch ({why})"), way=Way.REFETCH)
        if not self._is_same(key.location, record.code):
            yield self._behind_its_code(self.current.why_behind(self.asset, key.location, record.code))
        if self._lacks(record) is None:
            yield self._behind_its_code("its contract changed")

    def _outdated(self, key: PartitionKey, record: PartitionRecord) -> str:
        history = self.current.history
        return "" if history is None else history.outdated(self.asset, key, record, self.own)

    def _behind_its_code(self, why: str) -> Judgement:
        if self.asset.source is None:
            return _stale(why)
        return replace(_stale(f"behind its code: rewrite ({why})"), way=Way.REWRITE)

    def _source_went_on(self, key: PartitionKey, record: PartitionRecord) -> Iterator[Judgement]:
        """Whether the source has something else now; as far as it was not asked, whether it may have more.

        A source that still sends what is recorded has nothing more of a period that goes on. A period that has ended is
        fetched once more, so that its end is recorded.
        """
        source = self.asset.source
        sent = None if source is None else self.current.sent.get(source, {}).get(key)
        if source is not None and sent == NOT_ANSWERED:
            yield _stale(f"{source} was asked whether it is still the same, and did not answer")
        elif source is not None and sent is not None and sent != record.inputs.get(source, {}).get(str(key)):
            yield _stale(f"{source} sends something else now")
        scheme, now = self._scheme, self.current.now
        if scheme is None or not record.as_of or (sent is not None and not scheme.is_over(key, now)):
            return
        if scheme.more_has_passed(key, instant_of(record.as_of), now):
            yield Judgement(
                State.STALE, f"fetched before the day ended ({record.as_of})", "fetched before the day ended"
            )

    def _is_same(self, location: str | None, recorded: str) -> bool:
        at = (location, recorded)
        if at not in self._same:
            self._same[at] = self.current.same(self.asset, location, recorded, self.own)
        return self._same[at]

    def _lacks(self, record: PartitionRecord) -> tuple[str, ...] | None:
        if record.contract not in self._without:
            self._without[record.contract] = self.current.lacking(self.asset.key, record.contract, self.own)
        return self._without[record.contract]


def _told(asset: Asset, tables: Tables) -> Iterator[tuple[str, TableState]]:
    """The upstream tables of which it is known what they were."""
    for key in asset.upstream_keys:
        state = tables.get(key, TableState())
        trouble = None if state.damage is None else state.damage.trouble
        if trouble is None or trouble.recorded:
            yield key, state


def moved_upstream(upstream: str, text: str, why: str) -> Judgement:
    """Of a partition that consulted the partition ``text`` of ``upstream``, which is, or may be, another now."""
    where = upstream if text == "null" else f"{upstream} {text}"
    return Judgement(State.STALE, f"upstream {where} {why}", f"{upstream} {why}")


def judge(asset: Asset, key: PartitionKey, tables: Tables, current: Current) -> Judgement:
    """The state of one partition; of many of them see ``judged``."""
    return Judge(asset, tables, current)(key)


def _stale(why: str) -> Judgement:
    return Judgement(State.STALE, why, why)


_parse = lru_cache(maxsize=1 << 12)(PartitionKey.parse)
