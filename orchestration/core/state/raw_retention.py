"""Which kept raw answers are still needed, which may go, and which nothing knows of.

| an answer                                          | is kept                                                 |
|----------------------------------------------------|---------------------------------------------------------|
| some of whose rows are those of the table: *owned* | as long as that is so (``keep_owned``)                  |
| whose last row was replaced, or that was turned    | ``days`` after that: at the latest, that was when the   |
| away, or that brought nothing new                  | newest answer was asked for that has rows in its place  |
| that no commit and no moment names: an *orphan*    | in the same way, and for a day: a run may be under way  |

Where all together are larger than ``size_bytes``, the oldest that are not owned go first.

Pure: where answers, commits and moments are kept is the business of ``resources``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from orchestration.core.calendar import DAY, instant_of
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.state.partition_record import PartitionRecord

ORPHANS_STAY = DAY
"""A run that has kept an answer and not yet committed what it made of it takes no longer."""

Asked = Mapping[str, PartitionSet]
"""Moment of asking (ISO 8601, UTC) → the partitions."""


class Kept(Protocol):
    """What has to be known of a kept answer. asked: ISO 8601, UTC. size: in bytes."""

    @property
    def name(self) -> str: ...

    @property
    def asked(self) -> str: ...

    @property
    def partitions(self) -> PartitionSet: ...

    @property
    def size(self) -> int: ...


K = TypeVar("K", bound=Kept)


@dataclass(frozen=True, slots=True)
class RetentionRules:
    """days: after the last row was lost. size_bytes: of all together; None: no bound. keep_owned: whatever the age."""

    days: float = 30
    size_bytes: int | None = None
    keep_owned: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """What a table, its commits and the moments tell of answers.

    records: of the table as it is. named: what earlier commits, or the moments, named. since: the moment from which on
    commits are there to tell; of what was asked before it they may have; empty where they are there from the first on.
    removed: partitions whose rows were removed as a whole, and when; as far as commits are there to tell.
    began: when the table was made; empty where that is not known. What nothing names was an earlier one's until then.
    """

    records: Mapping[PartitionKey, PartitionRecord]
    named: Asked = field(default_factory=dict)
    since: str = ""
    removed: Sequence[tuple[PartitionSet, str]] = ()
    began: str = ""


@dataclass(frozen=True, slots=True)
class Retention(Generic[K]):
    """remove: those that may go. orphans: those that nothing names; some may go. missing: partitions some of whose rows
    are of answers that are not there, though answers were kept when they were asked for."""

    remove: tuple[K, ...]
    orphans: tuple[K, ...]
    missing: PartitionSet


def retention_of(
    files: Iterable[K], told: Told, rules: RetentionRules, now: datetime, since: datetime | None = None
) -> Retention[K]:
    """What becomes of the kept answers of a table. files: all that are there, and sound. now: aware.

    since: from which moment on answers were kept; None: from that of the first of ``files`` on.

    Rows whose answer is not there may be of a location whose renaming is not known any more: all answers of that moment
    and day count as owned.
    """
    ordered = sorted(files, key=lambda file: (instant_of(file.asked), file.name))
    owners = _owners(told.records)
    named = _named(told, owners)
    missing = _missing(ordered, owners, since)
    lost = PartitionSet.union_of(missing.values())
    owned = {id(file) for file in ordered if _owns(file, owners, missing)}
    orphans = [file for file in ordered if id(file) not in owned and not _is_named(file, named, told.since)]
    stay = {id(file) for file in orphans if now - instant_of(file.asked) < ORPHANS_STAY}
    stay |= owned if rules.keep_owned else set()
    may_go = [file for file in ordered if id(file) not in stay]
    newest, unnamed = _Newest(told.records), set(map(id, orphans))

    def is_past(file: K) -> bool:
        moments = [_lost_at(file, told, newest)]
        moments += [instant_of(told.began)] if told.began and id(file) in unnamed else []
        return now - max(moments) > timedelta(days=rules.days)

    gone = {id(file) for file in may_go if is_past(file)}
    if rules.size_bytes is not None:
        left = sum(file.size for file in ordered if id(file) not in gone)
        for file in sorted(may_go, key=lambda file: id(file) in owned):  # a stable sort: by the moment of asking then
            if left <= rules.size_bytes:
                break
            if id(file) not in gone:
                gone.add(id(file))
                left -= file.size
    return Retention(tuple(file for file in ordered if id(file) in gone), tuple(orphans), lost)


_ByMoment = Mapping[datetime, PartitionSet]


def _owners(records: Mapping[PartitionKey, PartitionRecord]) -> _ByMoment:
    """When what has rows in the table was asked for; format 1 did not keep that."""
    return _by_moment((one.asked, of) for record, of in _alike(records) for one in record.answers)


def _named(told: Told, owners: _ByMoment) -> _ByMoment:
    """What the table's records, earlier commits and the moments name."""
    records = list(_alike(told.records))
    others = _by_moment((one.asked, of) for record, of in records for one in record.turned_away)
    current = _by_moment((record.as_of, of) for record, of in records)
    named: dict[datetime, list[PartitionSet]] = {}
    for said in (owners, others, current):
        for moment, partitions in said.items():
            named.setdefault(moment, []).append(partitions)
    for asked, partitions in told.named.items():
        named.setdefault(instant_of(asked), []).append(partitions)
    return {moment: PartitionSet.union_of(sets) for moment, sets in named.items()}


def _alike(records: Mapping[PartitionKey, PartitionRecord]) -> Iterator[tuple[PartitionRecord, PartitionSet]]:
    """The partitions whose records are alike in what was asked when, with one of these."""
    from orchestration.core.state.record_columns import Records

    of = Records.of(records)
    return ((of.kinds[number], of.set_of(at)) for number, at in enumerate(of.by_kind()))


def _by_moment(asked: Iterable[tuple[str, PartitionSet]]) -> _ByMoment:
    instants: dict[str, datetime] = {}
    sets: dict[datetime, list[PartitionSet]] = {}
    for moment, of in asked:
        if moment:
            instant = instants.get(moment) or instants.setdefault(moment, instant_of(moment))
            sets.setdefault(instant, []).append(of)
    return {instant: PartitionSet.union_of(of) for instant, of in sets.items()}


def _missing(files: Sequence[Kept], owners: _ByMoment, since: datetime | None) -> _ByMoment:
    """The partitions with rows of an answer that is not there, though answers were kept by then. files: by moment."""
    there: dict[datetime, list[PartitionSet]] = {}
    for file in files:
        there.setdefault(instant_of(file.asked), []).append(file.partitions)
    since = min(there, default=None) if since is None else since
    known = {moment: of for moment, of in owners.items() if since is not None and moment >= since}
    left = {moment: of - PartitionSet.union_of(there.get(moment, ())) for moment, of in known.items()}
    return {moment: of for moment, of in left.items() if of}


def _owns(file: Kept, owners: _ByMoment, missing: _ByMoment) -> bool:
    moment, nothing = instant_of(file.asked), PartitionSet.empty()
    if owners.get(moment, nothing) & file.partitions:
        return True
    return bool(missing.get(moment, nothing).days & file.partitions.days)


def _is_named(file: Kept, named: _ByMoment, since: str) -> bool:
    """Whether something names it, or may have done so."""
    moment = instant_of(file.asked)
    if since and moment < instant_of(since):
        return True
    return bool(named.get(moment, PartitionSet.empty()) & file.partitions)


class _Newest:
    """When the newest answer that has rows in a partition was asked for, as far as that is recorded."""

    def __init__(self, records: Mapping[PartitionKey, PartitionRecord]) -> None:
        from orchestration.core.state.record_columns import Records

        self._records = Records.of(records)
        asked = [max((one.asked for one in record.answers), default="") for record in self._records.kinds]
        self._moments = [instant_of(one) if one else None for one in asked]

    def of(self, partitions: PartitionSet) -> list[datetime]:
        """Those of ``partitions``, each once."""
        moments = {
            self._moments[number] for number in set(self._records.kind[self._records.index(partitions)].tolist())
        }
        return [moment for moment in moments if moment is not None]


def _lost_at(file: Kept, told: Told, newest: _Newest) -> datetime:
    """The latest moment at which an answer can have lost its last row."""
    moments = [instant_of(file.asked), *newest.of(file.partitions)]
    moments += [instant_of(at) for removed, at in told.removed if removed & file.partitions]
    return max(moments)
