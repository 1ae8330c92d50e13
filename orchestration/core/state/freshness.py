"""Freshness: whether a partition is what today's code, contract and upstream partitions would make of it.

A partition is judged by its last record and by the present records of its upstream tables. The record names the
upstream partitions on which the partition depends, absent ones included, with their fingerprints of that time. As long
as these fingerprints are the same, the partition depends on the same upstream partitions. Versions of tables and times
of runs do not matter.

Pure: table states, code versions and the clock come in as values.
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
    """How a partition that is not fresh is brought up to date."""

    MAKE = "make"
    """It is made from upstream tables, or fetched from its source."""
    REWRITE = "rewrite"
    """The stored rows of a fetched partition go through the asset's function again, without the network."""
    REFETCH = "refetch"
    """Only the source could give it. A source is asked for it only on request (`aqi repair --refetch`, `--force`)."""


class State(StrEnum):
    """What a partition is."""

    FRESH = "fresh"
    """It is what today's code, contract and upstream partitions would make of it."""
    STALE = "stale"
    """It exists, and would be made otherwise today."""
    MISSING = "missing"
    """It was never made, or was wiped."""
    FAILED = "failed"
    """It is stale or missing, and by the journal the last attempt to make it failed, or skipped it because of something
    upstream that is still in the way."""
    UNRECORDED = "unrecorded"
    """Somebody else than this project changed its data."""
    DAMAGED = "damaged"
    """Its rows are lost, or may be, or the table cannot be read."""


NOT_ANSWERED = ""
"""Stands in place of a digest where the source was asked and did not answer."""
NO_LONGER_CONFIGURED = "no longer configured"
"""The mark of a partition whose location is no longer in the configuration."""

NOT_MENDED = "its repair is not done (rows that were lost, or are not compared yet)"
"""Begins the reason of a partition whose lost rows were taken out of the table, and that nobody has made again."""
CHANGED, CHANGED_BY_OTHERS = "changed", "was changed by somebody else"
"""What happened to an upstream partition: its content changed, or somebody else than this project changed it."""
INCOMPLETE, GIVEN_UP = "incomplete", "given up"
"""How the marks of partitions begin that have fewer values than hours."""


class History(Protocol):
    """What is known about partitions that were made by other code, under other contracts, or with other settings.

    own: in every method, the state of the asset's own table.
    """

    def same(self, asset: Asset, location: str | None, recorded: str, own: TableState) -> bool:
        """Whether the code version ``recorded`` makes the same rows as today's."""
        ...

    def lacking(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...] | None:
        """The columns of today's contract that the contract with the digest ``recorded`` did not have.

        None where the two contracts differ in more than added nullable columns.
        """
        ...

    def absent(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...]:
        """The columns of today's contract that the contract with the digest ``recorded`` did not have, whatever else
        differs."""
        ...

    def outdated(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> str:
        """Why the source would be asked another question today than when the partition was fetched; empty where it
        would not.

        The answer is the same for all records of one location that name the same question.
        """
        ...


@dataclass(frozen=True, slots=True)
class Current:
    """Everything besides the tables that decides whether a partition is fresh: code, contracts, settings, clock."""

    code: Callable[[Asset, str | None], str]
    """Asset, location → the code version of today."""
    contracts: Mapping[str, str]
    """Asset key → the digest of today's contract."""
    now: datetime
    """The clock (aware)."""
    sent: Mapping[str, Mapping[PartitionKey, str]] = field(default_factory=dict)
    """Source → partition → digest of what the source sends now. Only for partitions for which it was asked."""
    history: History | None = None
    """None where nothing is known of earlier code, contracts or settings."""
    configured: frozenset[str] | None = None
    """The configured locations; None: every location counts as configured."""
    check_version: Callable[[Asset, str], str] | None = None
    """Asset, name of a check → the version of the check."""
    essential: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Asset key → its essential columns, where the settings name others than the asset declares."""
    values_from: Mapping[str, date] = field(default_factory=dict)
    """Source → the first day from which on it has values at every location."""
    incomplete_days: int = 30
    """Incomplete days that are older than this are given up: their source is not asked again."""
    clock_tolerance: timedelta = timedelta(minutes=5)
    """An answer that was asked for later than ``now`` by more than this is not believed."""
    behind: Callable[[Asset, str | None, str], str] | None = None
    """Asset, location, earlier code version → what changed since, in words. None where nobody can tell."""

    def essential_of(self, asset: Asset) -> tuple[str, ...]:
        """The essential columns: an hour counts as complete if its row has a value in all of them. Empty for an asset
        that does not keep hours."""
        return () if asset.hours is None else self.essential.get(asset.key, asset.hours.essential)

    def completeness_of(self, asset: Asset, own: TableState) -> CompletenessOf | None:
        """Tells how complete partitions of an asset are. None for an asset that does not keep hours."""
        if asset.hours is None or asset.partitions is None or asset.source is None:
            return None
        values_from = self.values_from.get(asset.source, date.min)
        return CompletenessOf(asset.partitions, own.records, self.essential_of(asset), values_from)

    def is_given_up(self, key: PartitionKey) -> bool:
        """Whether an incomplete partition is too old to be asked for again."""
        return key.day is not None and (day_of(self.now) - key.day).days > self.incomplete_days

    def is_configured(self, location: str | None) -> bool:
        """Whether a location is configured. True for None, the location of an unpartitioned asset."""
        return self.configured is None or location is None or location in self.configured

    def same(self, asset: Asset, location: str | None, recorded: str, own: TableState) -> bool:
        """Whether rows that the code version ``recorded`` made are as good as today's."""
        if recorded == self.code(asset, location):
            return True
        return self.history is not None and self.history.same(asset, location, recorded, own)

    def why_behind(self, asset: Asset, location: str | None, recorded: str) -> str:
        """What changed since the earlier code version ``recorded``, in words."""
        return CODE_OR_PARAMETERS if self.behind is None else self.behind(asset, location, recorded)

    def lacking(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...] | None:
        """See ``History.lacking``."""
        if recorded == self.contracts[asset]:
            return ()
        return None if self.history is None else self.history.lacking(asset, recorded, own)

    def columns_lacking(self, asset: str, own: TableState, recorded: str) -> tuple[str, ...]:
        """The columns of today's contract that rows made under the contract ``recorded`` do not have."""
        if recorded == self.contracts[asset] or self.history is None:
            return ()
        return self.history.absent(asset, recorded, own)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The state of a partition, and why."""

    state: State
    reason: str
    """Why, for this partition; may name other partitions."""
    in_short: str
    """Why, in words that fit many partitions."""
    way: Way = Way.MAKE
    """How it is brought up to date."""
    marks: tuple[str, ...] = ()
    """Further facts that people should know, for instance ``incomplete: 0 of 24 hours``."""

    @property
    def fresh(self) -> bool:
        return self.state is State.FRESH


Tables = Mapping[str, TableState]
"""The states of tables, by asset key; a table that is not there may be left out."""

_FRESH = Judgement(State.FRESH, "", "fresh")
_MISSING = Judgement(State.MISSING, "never made", "missing")
_UNRECORDED = Judgement(State.UNRECORDED, "somebody else changed the table's data", "changed by somebody else")


class Judge:
    """Judges partitions of ``asset``, one by one. It does not know the journal, so it never says FAILED.

    ``judged`` does the same for many partitions at once. Whatever a judgement is made to depend on here has to be known
    there too.
    """

    def __init__(self, asset: Asset, tables: Tables, current: Current) -> None:
        self.asset = asset
        self._scheme = asset.partitions
        self.own = tables.get(asset.key, TableState())
        # What was made of a partition before it was damaged is right still.
        self.upstream = [(key, as_made(state)) for key, state in _with_known_state(asset, tables)]
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
                reason = f"{NOT_MENDED}: `aqi repair {self.asset.key}` goes on"
                found = Judgement(State.UNRECORDED, reason, reason)
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
        """How complete a partition is. None for an asset that does not keep hours, or where it is not known, or where
        the source offers nothing for that day."""
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
        """Why the partition is stale: one judgement per reason, the most obvious reason first.

        Reasons that need a fetch come before those for which the stored rows are enough. But the source is not asked
        again for a day that it answered completely to another question. A location that is no longer configured has
        neither a code version nor a question of today.
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
                    yield moved_upstream(upstream, text, CHANGED_BY_OTHERS)
                elif not state.holds(one, fingerprint, self.lacking[upstream]):
                    yield moved_upstream(upstream, text, CHANGED)

    def _asked_in_the_future(self, record: PartitionRecord) -> Iterator[Judgement]:
        """Whether an answer was asked for by a clock that was ahead. Hours that such an answer shows as past may not be
        past."""
        if self.complete is None:
            return
        latest = self.current.now + self.current.clock_tolerance
        if moment := not_yet((one.asked for one in record.answers), latest):
            in_short = "asked for at a moment that has not come"
            yield Judgement(State.STALE, f"{in_short} ({moment})", in_short)

    def _behind(self, key: PartitionKey, record: PartitionRecord) -> Iterator[Judgement]:
        """Whether today's question, code or contract is another than the recorded one."""
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
        """Whether the source sends something else now; and where it was not asked now, whether it may have more.

        While a period goes on, a source that still sends what is recorded has nothing more. A period that has ended is
        fetched once more, so that the record says that it ended.
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


def _with_known_state(asset: Asset, tables: Tables) -> Iterator[tuple[str, TableState]]:
    """The upstream tables whose states are known."""
    for key in asset.upstream_keys:
        state = tables.get(key, TableState())
        trouble = None if state.damage is None else state.damage.trouble
        if trouble is None or trouble.recorded:
            yield key, state


def moved_upstream(upstream: str, text: str, why: str) -> Judgement:
    """The judgement of a partition that depends on the partition ``text`` of ``upstream``, where that one is, or may
    be, another now. why: ``CHANGED`` or ``CHANGED_BY_OTHERS``."""
    where = upstream if text == "null" else f"{upstream} {text}"
    return Judgement(State.STALE, f"upstream {where} {why}", f"{upstream} {why}")


def judge(asset: Asset, key: PartitionKey, tables: Tables, current: Current) -> Judgement:
    """The state of one partition; for many partitions see ``judged``."""
    return Judge(asset, tables, current)(key)


def _stale(why: str) -> Judgement:
    return Judgement(State.STALE, why, why)


_parse = lru_cache(maxsize=1 << 12)(PartitionKey.parse)
