"""Freshness: whether a partition is what its upstream partitions, its code and its contract would make of it now.

It follows from what the last commit of ours recorded of the partition and from what the upstream tables record now;
versions of tables and times of runs play no part. A partition depends on just those upstream partitions whose
fingerprints its record holds, absent ones included: as long as these are the same, so is the set of them.

Pure: table states, versions and the clock come in as values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache

from orchestration.asset import Asset
from orchestration.partitions import PartitionKey, PartitionSet
from orchestration.provenance import PartitionRecord, TableState


class State(StrEnum):
    """What a partition is. FAILED is STALE or MISSING of which the journal knows that the last attempt failed."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    FAILED = "failed"
    UNRECORDED = "unrecorded"


NOT_ANSWERED = ""
"""In place of a digest: the source was asked, and did not answer."""


@dataclass(frozen=True, slots=True)
class Current:
    """What holds now. code: the code version of an asset at a location; contracts: digests by asset key.

    sent: by source, the digests of what it sends now, of the partitions that it was asked about.
    """

    code: Callable[[Asset, str | None], str]
    contracts: Mapping[str, str]
    now: datetime
    sent: Mapping[str, Mapping[PartitionKey, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A partition's state. reason: why, of this partition; in_short: the same for many partitions together."""

    state: State
    reason: str
    in_short: str

    @property
    def fresh(self) -> bool:
        return self.state is State.FRESH


Tables = Mapping[str, TableState]
"""The states of tables, by asset key; a table that is not there may be left out."""

_FRESH = Judgement(State.FRESH, "", "fresh")
_MISSING = Judgement(State.MISSING, "never made", "missing")
_UNRECORDED = Judgement(State.UNRECORDED, "somebody else changed the table's data", "changed by somebody else")


class Judge:
    """Says of each partition of ``asset`` what it is; the journal aside, so never FAILED."""

    def __init__(self, asset: Asset, tables: Tables, current: Current) -> None:
        self._asset = asset
        self._own = tables.get(asset.key, TableState())
        self._upstream = [(key, tables.get(key, TableState())) for key in asset.upstream_keys]
        self._code: dict[str | None, str] = {}
        self._current = current

    def __call__(self, key: PartitionKey) -> Judgement:
        if key in self._own.unrecorded:
            return _UNRECORDED
        record = self._own.records.get(key)
        if record is None:
            return _MISSING
        return next(self._staleness(key, record), _FRESH)

    def _staleness(self, key: PartitionKey, record: PartitionRecord) -> Iterator[Judgement]:
        """Why the partition is stale: a judgement per reason, the plainest first."""
        if record.code != self._code_at(key.location):
            yield _stale("its code or parameters changed")
        if record.contract != self._current.contracts[self._asset.key]:
            yield _stale("its contract changed")
        yield from self._source_went_on(key, record)
        for upstream, state in self._upstream:
            consulted = record.inputs.get(upstream)
            if consulted is None:
                yield _stale(f"{upstream} was not among its upstream assets")
                continue
            for text, fingerprint in consulted.items():
                one = _parse(text)
                if state.unrecorded and one in state.unrecorded:
                    why = "was changed by somebody else"
                elif state.fingerprint(one) != fingerprint:
                    why = "changed"
                else:
                    continue
                where = upstream if text == "null" else f"{upstream} {text}"
                yield Judgement(State.STALE, f"upstream {where} {why}", f"{upstream} {why}")

    def _source_went_on(self, key: PartitionKey, record: PartitionRecord) -> Iterator[Judgement]:
        """Whether the source has something else now; as far as it was not asked, whether it may have more.

        Where it still sends what is recorded of a day that goes on, there is nothing more to be had; one that has ended
        is to be recorded as such.
        """
        source = self._asset.source
        sent = None if source is None else self._current.sent.get(source, {}).get(key)
        if source is not None and sent == NOT_ANSWERED:
            yield _stale(f"{source} was asked whether it is still the same, and did not answer")
        elif source is not None and sent is not None and sent != record.inputs.get(source, {}).get(str(key)):
            yield _stale(f"{source} sends something else now")
        if not record.as_of or (sent is not None and not _over(key, self._current.now)):
            return
        if more_has_passed(key, datetime.fromisoformat(record.as_of), self._current.now):
            yield Judgement(
                State.STALE, f"fetched before the day ended ({record.as_of})", "fetched before the day ended"
            )

    def _code_at(self, location: str | None) -> str:
        if location not in self._code:
            self._code[location] = self._current.code(self._asset, location)
        return self._code[location]


def judge(asset: Asset, key: PartitionKey, tables: Tables, current: Current) -> Judgement:
    """The state of one partition; for many of them make one ``Judge``."""
    return Judge(asset, tables, current)(key)


def not_fresh(
    asset: Asset, partitions: PartitionSet, tables: Tables, current: Current
) -> dict[Judgement, PartitionSet]:
    """Those of ``partitions`` that are not fresh, by the judgement of the first partition of each kind."""
    firsts: dict[str, Judgement] = {}
    keys: dict[str, list[PartitionKey]] = {}
    of = Judge(asset, tables, current)
    for key in partitions:
        judgement = of(key)
        if judgement is not _FRESH:
            firsts.setdefault(judgement.in_short, judgement)
            keys.setdefault(judgement.in_short, []).append(key)
    return {judgement: PartitionSet.from_keys(keys[in_short]) for in_short, judgement in firsts.items()}


def _stale(why: str) -> Judgement:
    return Judgement(State.STALE, why, why)


_parse = lru_cache(maxsize=1 << 18)(PartitionKey.parse)


def more_has_passed(key: PartitionKey, as_of: datetime, now: datetime) -> bool:
    """Whether an hour of the day of ``key`` has begun or the day has ended since the source was asked at ``as_of``.

    | asked at | now           | result |
    |----------|---------------|--------|
    | 06:30    | 06:59         | False  |
    | 06:30    | 07:00         | True   |
    | 23:10    | 23:50         | False  |
    | 23:10    | the day after | True   |
    """
    if key.day is None:
        return False
    return _hour(min(now, _end(key.day))) > _hour(as_of)


def _over(key: PartitionKey, now: datetime) -> bool:
    return key.day is not None and now >= _end(key.day)


def _end(day: date) -> datetime:
    return datetime.combine(day, time(), UTC) + timedelta(days=1)


def _hour(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
