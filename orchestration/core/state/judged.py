"""Freshness of many partitions at once: partitions that must get the same judgement are judged once.

``Judge`` (in ``freshness``) is what decides. This module only finds out which partitions ``Judge`` cannot tell apart:
they have the same location; their records agree in all that a judgement depends on; their days lie on the same side of
every day at which a rule changes; and the same upstream partitions changed (``upstream_changes``). The first partition
of such a group is judged. A partition whose judgement depends on more is judged by itself.

Pure: table states, versions and the clock come in as values.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from orchestration.core.calendar import day_of
from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.state.completeness import Completeness, not_yet
from orchestration.core.state.freshness import (
    CHANGED,
    CHANGED_BY_OTHERS,
    Current,
    Judge,
    Judgement,
    Tables,
    moved_upstream,
)
from orchestration.core.state.record_kinds import Kind
from orchestration.core.state.record_texts import Numbers
from orchestration.core.state.upstream_changes import first_changes

FEW = 256
"""Up to this many partitions are judged one by one, which is faster than to go through all records."""


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """A group of partitions with the same judgement."""

    partitions: PartitionSet
    judgement: Judgement
    """The judgement of the first partition of the group."""
    recorded: bool
    """Whether the partitions of the group have a record. All of them have one, or none has."""
    completeness: Completeness | None
    """How complete each of them is; None where that is not known."""
    judgement_of: Callable[[PartitionKey], Judgement]
    """Gives the judgement of one partition of the group. Its reason may name another upstream partition than that of
    the first."""


def judged(judge: Judge, partitions: PartitionSet) -> list[Alike]:
    """The judgements of ``partitions``, as disjoint groups, ordered by the first partition of each group."""
    own = judge.own
    trusted = partitions - own.unrecorded
    with_record = trusted & own.records.partitions
    unrecorded, unmended = partitions & own.unrecorded, partitions & own.taken_out - own.damaged
    found = _damaged(judge, unrecorded & own.damaged) + _of_one_judgement(judge, unmended)
    found += _of_one_judgement(judge, unrecorded - own.damaged - unmended)
    found += _of_one_judgement(judge, trusted - with_record)
    found += _one_by_one(judge, with_record) if len(with_record) <= FEW else _by_classes(judge, with_record)
    return sorted(found, key=lambda alike: next(iter(alike.partitions)))


def not_fresh(
    asset: Asset, partitions: PartitionSet, tables: Tables, current: Current
) -> dict[Judgement, PartitionSet]:
    """Those of ``partitions`` that are not fresh, by the judgement of the first partition of each group."""
    kinds: dict[str, list[Alike]] = {}
    for alike in judged(Judge(asset, tables, current), partitions):
        if not alike.judgement.fresh:
            kinds.setdefault(alike.judgement.in_short, []).append(alike)
    return {of[0].judgement: PartitionSet.union_of(alike.partitions for alike in of) for of in kinds.values()}


def _of_one_judgement(judge: Judge, partitions: PartitionSet) -> list[Alike]:
    """The groups of partitions without a trusted record. Only whether their location is configured tells them apart."""
    recorded = judge.own.records.partitions
    gone = partitions.without_null().restrict(
        locations=[one for one in partitions.locations if not judge.current.is_configured(one)]
    )
    found = []
    for here in (gone, partitions - gone):
        for some, has_records in ((here & recorded, True), (here - recorded, False)):
            if some:
                said = _Group(judge(next(iter(some))), None)
                found.append(said.of(some, recorded=has_records))
    return found


def _damaged(judge: Judge, partitions: PartitionSet) -> list[Alike]:
    """The groups of damaged partitions. Their reasons may name different files."""
    found = _of_one_judgement(judge, partitions)
    return [replace(alike, judgement_of=judge) for alike in found]


def _one_by_one(judge: Judge, partitions: PartitionSet) -> list[Alike]:
    """The groups of partitions with trusted records, where each partition is judged by itself."""
    groups, keys = _Groups(judge), list[list[PartitionKey]]()
    for key in partitions:
        number = groups.number_of(key)
        if number == len(keys):
            keys.append([])
        keys[number].append(key)
    return [said.of(PartitionSet.from_keys(of)) for said, of in zip(groups.said, keys, strict=True)]


def _by_classes(judge: Judge, partitions: PartitionSet) -> list[Alike]:
    """The groups of partitions with trusted records, where one partition of each class is judged."""
    records = judge.own.records
    at = records.index(partitions)
    classes = _Classes(judge, at).numbers()
    by_key = np.lexsort((records.location[at], records.day[at]))
    _, first, class_of = np.unique(classes[by_key], return_index=True, return_inverse=True)
    groups, group_of = _Groups(judge), np.empty(len(first), dtype=np.int64)
    for number in np.argsort(first):  # in the order of keys, so that the first of a group speaks for it
        group_of[number] = groups.number_of(records.key(at[by_key[first[number]]]))
    group = np.empty(len(at), dtype=np.int64)
    group[by_key] = group_of[class_of]
    order = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[order], np.arange(1, len(groups.said)))
    return [said.of(records.set_of(at[some])) for said, some in zip(groups.said, np.split(order, ends), strict=True)]


class _Group(NamedTuple):
    """The judgement of a group."""

    judgement: Judgement
    completeness: Completeness | None
    upstream: str = ""
    """The upstream asset that the reason names."""
    beside: int | None = None
    """The reason names the upstream partition that lies this many days after the partition itself. None where the
    reason names none."""
    why: str = ""
    """``CHANGED`` or ``CHANGED_BY_OTHERS``."""

    def of(self, partitions: PartitionSet, *, recorded: bool = True) -> Alike:
        """The group as the value that ``judged`` returns."""
        return Alike(partitions, self.judgement, recorded, self.completeness, self.judgement_of)

    def judgement_of(self, key: PartitionKey) -> Judgement:
        """The judgement of a partition of the group."""
        if self.beside is None or key.day is None:
            return self.judgement
        text = str(PartitionKey(key.day + timedelta(self.beside), key.location))
        return replace(self.judgement, reason=moved_upstream(self.upstream, text, self.why).reason)

    @property
    def same(self) -> Hashable:
        """Two groups are one if this value is equal."""
        judgement = self.judgement if self.beside is None else replace(self.judgement, reason="")
        hours = self.completeness
        have = None if hours is None else (hours.of, tuple(hours.have.items()))
        return judgement, have, self.upstream, self.beside, self.why


class _Groups:
    """Judges partitions with trusted records one by one, and puts partitions with equal judgements into one group."""

    def __init__(self, judge: Judge) -> None:
        self.said: list[_Group] = []
        self._judge = judge
        self._numbers: dict[Hashable, int] = {}

    def number_of(self, key: PartitionKey) -> int:
        """The number of a partition's group. A new group gets the next number."""
        judgement = self._judge(key)
        said = _Group(judgement, self._judge.completeness(key), *self._named(key, judgement))
        number = self._numbers.setdefault(said.same, len(self.said))
        if number == len(self.said):
            self.said.append(said)
        return number

    def _named(self, key: PartitionKey, judgement: Judgement) -> tuple[str, int | None, str]:
        """Which upstream partition the reason names, if it lies at the same location: asset, days after this partition,
        why."""
        if key.day is None or not judgement.reason.startswith("upstream "):
            return "", None, ""
        record = self._judge.own.records[key]
        for upstream, _ in self._judge.upstream:
            for text in record.inputs.get(upstream, {}):
                for why in (CHANGED, CHANGED_BY_OTHERS):
                    if moved_upstream(upstream, text, why).reason == judgement.reason:
                        one = PartitionKey.parse(text)
                        if one.day is not None and one.location == key.location:
                            return upstream, (one.day - key.day).days, why
        return "", None, ""


class _Classes:
    """Classes of the partitions at some positions of the records, all of them with trusted records. ``Judge`` cannot
    tell partitions of one class apart."""

    def __init__(self, judge: Judge, at: Numbers) -> None:
        self._judge, self._at, self._records = judge, at, judge.own.records
        self._location, self._day = self._records.location[at], self._records.day[at]
        self._essential = frozenset(judge.current.essential_of(judge.asset))

    def numbers(self) -> Numbers:
        """The number of each partition's class. A partition whose judgement depends on more has a class of its own."""
        numbers, kind_of = np.unique(self._records.kind[self._at], return_inverse=True)
        kinds = [self._records.columns.kinds[number] for number in numbers.tolist()]
        alone = np.array([self._is_alone(kind) for kind in kinds], dtype=bool)[kind_of] | self._asked_about()
        some = np.flatnonzero(~alone)
        classes = np.full(len(self._at), -1)
        classes[some] = self._of_class(some, kinds, kind_of[some])
        classes[alone] = classes.max() + 1 + np.arange(np.count_nonzero(alone))
        return classes

    def _is_alone(self, kind: Kind) -> bool:
        """Whether the judgement depends on more than what the classes tell apart."""
        asset, scheme = self._judge.asset, self._judge.asset.partitions
        if kind.as_of or any(isinstance(one, str) and one != "null" for _, which in kind.inputs for one in which):
            return True
        if asset.source is None:
            return False
        unasked = self._judge.current.history is not None and not kind.question
        return unasked or (self._judge.complete is not None and scheme is not None and not scheme.is_even)

    def _asked_about(self) -> npt.NDArray[np.bool_]:
        """For which partitions it is known what the source sends now."""
        asked = np.zeros(len(self._at), dtype=bool)
        sent = self._judge.current.sent.get(self._judge.asset.source or "", {})
        if sent:
            asked[np.isin(self._at, self._records.index(PartitionSet.from_keys(sent)))] = True
        return asked

    def _of_class(self, some: Numbers, kinds: list[Kind], kind_of: Numbers) -> Numbers:
        counted = [tuple(item for item in kind.values if item[0] in self._essential) for kind in kinds]
        seen: dict[Hashable, int] = {}
        numbers = [seen.setdefault(self._seen(*of), len(seen)) for of in zip(kinds, counted, strict=True)]
        classes = _both(np.array(numbers)[kind_of], self._location[some])
        if self._judge.complete is not None:
            by_rows = np.array([len(of) < len(self._essential) for of in counted], dtype=bool)[kind_of]
            classes = _both(classes, np.where(by_rows, self._records.rows[self._at[some]], -1))
            classes = _both(classes, self._stretches(some))
        for upstream, state in self._judge.upstream:
            changes = first_changes(self._records, upstream, state, self._judge.lacking[upstream])
            classes = _both(classes, changes[self._at[some]])
        return classes

    def _seen(self, kind: Kind, counted: Hashable) -> Hashable:
        """All of a kind of records on which a judgement may depend. counted: how many values each essential column
        has.
        """
        common = kind.code, kind.contract, kind.question, tuple(name for name, _ in kind.inputs)
        if self._judge.complete is None:
            return common
        latest = self._judge.current.now + self._judge.current.clock_tolerance
        ahead = not_yet((asked for asked, *_ in kind.answers), latest)
        return *common, counted, bool(kind.values), kind.turned_away, ahead

    def _stretches(self, some: Numbers) -> Numbers:
        """A number for each partition, which changes at every day from which on other columns are offered or incomplete
        days are asked for again."""
        assert self._judge.complete is not None
        current, days, location = self._judge.current, self._day[some], self._location[some]
        asked_again = (day_of(current.now) - timedelta(current.incomplete_days)).toordinal()
        stretch = np.zeros(len(some), dtype=np.int64)
        for number in np.unique(location):
            here = location == number
            name = self._records.locations[number] if number >= 0 else None
            ends = sorted({asked_again, *map(date.toordinal, self._judge.complete.changes_at(name))})
            stretch[here] = np.searchsorted(np.array(ends), days[here], side="right")
        return stretch


def _both(classes: Numbers, more: Numbers) -> Numbers:
    """A number for each pair of numbers."""
    other = np.unique(more, return_inverse=True)[1]
    if not len(other) or not other.max():
        return classes
    _, numbers = np.unique(classes * (int(other.max()) + 1) + other, return_inverse=True)
    return numbers
