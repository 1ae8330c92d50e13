"""Retention of raw answers: which kept answers of sources are still needed, and which may be deleted.

| an answer                                            | is kept                                                |
|------------------------------------------------------|--------------------------------------------------------|
| *owned*: some rows of the table are from it          | as long as that is so (``keep_owned``)                 |
| replaced: its last row was replaced, or it never had | ``days`` after that; at the latest, that was when the  |
| a row (it was turned away, or brought nothing new)   | newest answer was asked for that has rows instead      |
| an *orphan*: neither a commit nor a moment names it  | likewise, and at least a day: a run may be under way   |

If all answers together are larger than ``size_bytes``, the oldest ones that are not owned are deleted first. A *moment*
is the note that a request brought nothing new.

Pure: ``resources`` keeps answers, commits and moments.
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
"""No run takes longer than this between keeping an answer and committing the rows from it."""

Asked = Mapping[str, PartitionSet]
"""When a request was sent (ISO 8601, UTC) → the requested partitions."""


class Kept(Protocol):
    """What has to be known of a kept answer. asked: when the request was sent (ISO 8601, UTC). size: in bytes."""

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
    """How long answers are kept."""

    days: float = 30
    """An answer is kept this many days after its last row was replaced."""
    size_bytes: int | None = None
    """All answers together may have this size; None: any size."""
    keep_owned: bool = True
    """Whether owned answers are kept however old they are."""


@dataclass(frozen=True, slots=True)
class KnownRequests:
    """What is known about the answers from the table, its commits, and the moments."""

    records: Mapping[PartitionKey, PartitionRecord]
    """The present records of the table."""
    named: Asked = field(default_factory=dict)
    """The requests that earlier commits, or moments, name."""
    since: str = ""
    """The commits before this moment are gone (ISO 8601, UTC): they may have named requests from before it. Empty where
    all commits are there."""
    removed: Sequence[tuple[PartitionSet, str]] = ()
    """Partitions whose rows were removed as a whole, and when, as far as the commits are there."""
    began: str = ""
    """When the table was made (ISO 8601, UTC); empty where that is not known. An answer that nothing names belonged to
    an earlier table until then."""


@dataclass(frozen=True, slots=True)
class Retention(Generic[K]):
    """What is to become of the kept answers of a table."""

    remove: tuple[K, ...]
    """The answers that may be deleted."""
    orphans: tuple[K, ...]
    """The answers that nothing names; some of them may be deleted too."""
    missing: PartitionSet
    """Partitions with rows of an answer that should have been kept and is not there."""


def retention_of(
    files: Iterable[K], requests: KnownRequests, rules: RetentionRules, now: datetime, since: datetime | None = None
) -> Retention[K]:
    """What is to become of the kept answers of a table. files: all undamaged answers. now: aware.

    since: the moment from which on answers were kept; None: the moment of the oldest of ``files``.

    If the answer of a partition's rows is not there, its location may have been renamed since, and nobody knows. Then
    all answers of the same moment and day count as owned.
    """
    ordered = sorted(files, key=lambda file: (instant_of(file.asked), file.name))
    owners = _owners(requests.records)
    named = _named(requests, owners)
    missing = _missing(ordered, owners, since)
    lost = PartitionSet.union_of(missing.values())
    owned = {id(file) for file in ordered if _owns(file, owners, missing)}
    orphans = [file for file in ordered if id(file) not in owned and not _is_named(file, named, requests.since)]
    stay = {id(file) for file in orphans if now - instant_of(file.asked) < ORPHANS_STAY}
    stay |= owned if rules.keep_owned else set()
    may_go = [file for file in ordered if id(file) not in stay]
    newest, unnamed = _Newest(requests.records), set(map(id, orphans))

    def is_past(file: K) -> bool:
        moments = [_lost_at(file, requests, newest)]
        moments += [instant_of(requests.began)] if requests.began and id(file) in unnamed else []
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
    """When the requests were sent from whose answers the table has rows. Format 1 did not keep that."""
    return _by_moment((one.asked, of) for record, of in _alike(records) for one in record.answers)


def _named(requests: KnownRequests, owners: _ByMoment) -> _ByMoment:
    """The requests that the table's records, earlier commits, or moments name."""
    records = list(_alike(requests.records))
    others = _by_moment((one.asked, of) for record, of in records for one in record.turned_away)
    current = _by_moment((record.as_of, of) for record, of in records)
    named: dict[datetime, list[PartitionSet]] = {}
    for said in (owners, others, current):
        for moment, partitions in said.items():
            named.setdefault(moment, []).append(partitions)
    for asked, partitions in requests.named.items():
        named.setdefault(instant_of(asked), []).append(partitions)
    return {moment: PartitionSet.union_of(sets) for moment, sets in named.items()}


def _alike(records: Mapping[PartitionKey, PartitionRecord]) -> Iterator[tuple[PartitionRecord, PartitionSet]]:
    """The partitions in groups whose records agree in which answers they name; with one record of each group."""
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
    """The partitions with rows of an answer that should have been kept and is not there, by the moment of the
    request.
    """
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
    """Whether something names the answer, or may have named it."""
    moment = instant_of(file.asked)
    if since and moment < instant_of(since):
        return True
    return bool(named.get(moment, PartitionSet.empty()) & file.partitions)


class _Newest:
    """When the newest of the answers was asked for from which a partition has rows, as far as that is recorded."""

    def __init__(self, records: Mapping[PartitionKey, PartitionRecord]) -> None:
        from orchestration.core.state.record_columns import Records

        self._records = Records.of(records)
        asked = [max((one.asked for one in record.answers), default="") for record in self._records.kinds]
        self._moments = [instant_of(one) if one else None for one in asked]

    def of(self, partitions: PartitionSet) -> list[datetime]:
        """The moments of ``partitions``, each moment once."""
        moments = {
            self._moments[number] for number in set(self._records.kind[self._records.index(partitions)].tolist())
        }
        return [moment for moment in moments if moment is not None]


def _lost_at(file: Kept, requests: KnownRequests, newest: _Newest) -> datetime:
    """The latest moment at which an answer can have lost its last row."""
    moments = [instant_of(file.asked), *newest.of(file.partitions)]
    moments += [instant_of(at) for removed, at in requests.removed if removed & file.partitions]
    return max(moments)
