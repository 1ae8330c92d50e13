"""Freshness of many partitions at once: those that are judged alike are judged once.

``Judge`` (in ``freshness``) is the truth. Said here is only which partitions it cannot tell apart: those whose records
say the same of all that a judgement rests on, at one location, on the same side of the days from which on something
else holds, and of whose upstream partitions the same changed (``upstream_changes``). The first of them is judged.
What hangs on more than that is judged one by one.

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
from orchestration.core.state.freshness import CHANGED, DOUBTED, Current, Judge, Judgement, Tables, moved_upstream
from orchestration.core.state.record_kinds import Kind
from orchestration.core.state.record_texts import Numbers
from orchestration.core.state.upstream_changes import first_changes

FEW = 256
"""So few are judged one by one: to look through all that is recorded takes longer."""


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """Partitions that are judged alike.

    judgement: of the first of them. recorded: whether all of them have a record; else none has. completeness: of each
    of them. told: the judgement of any of them, whose reason may name another partition than the first one's.
    """

    partitions: PartitionSet
    judgement: Judgement
    recorded: bool
    completeness: Completeness | None
    told: Callable[[PartitionKey], Judgement]


def judged(judge: Judge, partitions: PartitionSet) -> list[Alike]:
    """What ``partitions`` are, by groups that are disjoint; in the order of the first of each."""
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
    """Those of ``partitions`` that are not fresh, by the judgement of the first partition of each kind."""
    kinds: dict[str, list[Alike]] = {}
    for alike in judged(Judge(asset, tables, current), partitions):
        if not alike.judgement.fresh:
            kinds.setdefault(alike.judgement.in_short, []).append(alike)
    return {of[0].judgement: PartitionSet.union_of(alike.partitions for alike in of) for of in kinds.values()}


def _of_one_judgement(judge: Judge, partitions: PartitionSet) -> list[Alike]:
    """Of partitions without a record that is trusted: only whether their location is configured tells them apart."""
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
    """Of damaged partitions, whose reasons may name different files."""
    found = _of_one_judgement(judge, partitions)
    return [replace(alike, told=judge) for alike in found]


def _one_by_one(judge: Judge, partitions: PartitionSet) -> list[Alike]:
    """Of partitions that have trusted records."""
    groups, keys = _Groups(judge), list[list[PartitionKey]]()
    for key in partitions:
        number = groups.number_of(key)
        if number == len(keys):
            keys.append([])
        keys[number].append(key)
    return [said.of(PartitionSet.from_keys(of)) for said, of in zip(groups.said, keys, strict=True)]


def _by_classes(judge: Judge, partitions: PartitionSet) -> list[Alike]:
    """Of partitions that have trusted records."""
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
    """What is said of a group. beside: its reason names the upstream partition so many days beside the own one."""

    judgement: Judgement
    completeness: Completeness | None
    upstream: str = ""
    beside: int | None = None
    why: str = ""

    def of(self, partitions: PartitionSet, *, recorded: bool = True) -> Alike:
        """The group itself."""
        return Alike(partitions, self.judgement, recorded, self.completeness, self.told)

    def told(self, key: PartitionKey) -> Judgement:
        """The judgement of a partition of the group."""
        if self.beside is None or key.day is None:
            return self.judgement
        text = str(PartitionKey(key.day + timedelta(self.beside), key.location))
        return replace(self.judgement, reason=moved_upstream(self.upstream, text, self.why).reason)

    @property
    def same(self) -> Hashable:
        """Equal for groups of which the same is said."""
        judgement = self.judgement if self.beside is None else replace(self.judgement, reason="")
        hours = self.completeness
        have = None if hours is None else (hours.of, tuple(hours.have.items()))
        return judgement, have, self.upstream, self.beside, self.why


class _Groups:
    """Judges partitions that have trusted records, one by one, and puts those together of which the same is said."""

    def __init__(self, judge: Judge) -> None:
        self.said: list[_Group] = []
        self._judge = judge
        self._numbers: dict[Hashable, int] = {}

    def number_of(self, key: PartitionKey) -> int:
        """The number of the group of a partition; a new one's is the next."""
        judgement = self._judge(key)
        said = _Group(judgement, self._judge.completeness(key), *self._named(key, judgement))
        number = self._numbers.setdefault(said.same, len(self.said))
        if number == len(self.said):
            self.said.append(said)
        return number

    def _named(self, key: PartitionKey, judgement: Judgement) -> tuple[str, int | None, str]:
        """Which upstream partition at the own location the reason names, as days from the own one."""
        if key.day is None or not judgement.reason.startswith("upstream "):
            return "", None, ""
        record = self._judge.own.records[key]
        for upstream, _ in self._judge.upstream:
            for text in record.inputs.get(upstream, {}):
                for why in (CHANGED, DOUBTED):
                    if moved_upstream(upstream, text, why).reason == judgement.reason:
                        one = PartitionKey.parse(text)
                        if one.day is not None and one.location == key.location:
                            return upstream, (one.day - key.day).days, why
        return "", None, ""


class _Classes:
    """Which of the partitions at these positions, which have trusted records, nothing tells apart for a judge."""

    def __init__(self, judge: Judge, at: Numbers) -> None:
        self._judge, self._at, self._records = judge, at, judge.own.records
        self._location, self._day = self._records.location[at], self._records.day[at]
        self._essential = frozenset(judge.current.essential_of(judge.asset))

    def numbers(self) -> Numbers:
        """A number for each: those of one number are judged alike. What hangs on more has a number of its own."""
        numbers, kind_of = np.unique(self._records.kind[self._at], return_inverse=True)
        kinds = [self._records.columns.kinds[number] for number in numbers.tolist()]
        alone = np.array([self._is_alone(kind) for kind in kinds], dtype=bool)[kind_of] | self._asked_about()
        some = np.flatnonzero(~alone)
        classes = np.full(len(self._at), -1)
        classes[some] = self._of_class(some, kinds, kind_of[some])
        classes[alone] = classes.max() + 1 + np.arange(np.count_nonzero(alone))
        return classes

    def _is_alone(self, kind: Kind) -> bool:
        """Whether a judgement hangs on more than what classes tell apart."""
        asset, scheme = self._judge.asset, self._judge.asset.partitions
        if kind.as_of or any(isinstance(one, str) and one != "null" for _, which in kind.inputs for one in which):
            return True
        if asset.source is None:
            return False
        unasked = self._judge.current.history is not None and not kind.question
        return unasked or (self._judge.complete is not None and scheme is not None and not scheme.is_even)

    def _asked_about(self) -> npt.NDArray[np.bool_]:
        """Where it is known what the source sends now."""
        told = np.zeros(len(self._at), dtype=bool)
        sent = self._judge.current.sent.get(self._judge.asset.source or "", {})
        if sent:
            told[np.isin(self._at, self._records.index(PartitionSet.from_keys(sent)))] = True
        return told

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
        """What of a kind a judgement may rest on. counted: how many values it has of each essential column."""
        common = kind.code, kind.contract, kind.question, tuple(name for name, _ in kind.inputs)
        if self._judge.complete is None:
            return common
        latest = self._judge.current.now + self._judge.current.clock_tolerance
        ahead = not_yet((asked for asked, *_ in kind.answers), latest)
        return *common, counted, bool(kind.values), kind.turned_away, ahead

    def _stretches(self, some: Numbers) -> Numbers:
        """On which side of the days each lies from which on more is offered, or what is incomplete is asked again."""
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
