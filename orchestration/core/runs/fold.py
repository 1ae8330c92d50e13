"""A fetched partition as the fold of the answers about it, hour by hour, in the order in which they were asked for.

An answer replaces the row of an hour if it has a value in every essential column in which the row has one, or if the
row broke a row rule or answers another question, or by ``--force``; otherwise the row stays whole. An hour that had
begun and is left out counts as a row of nulls. Of hours that had not begun an answer says nothing.

| row           | answer            | becomes                                       |
|---------------|-------------------|-----------------------------------------------|
| none          | any               | the answer's                                  |
| all values    | all values        | the answer's                                  |
| all values    | one essential null | stays; turned away                           |
| all values    | left out          | stays; turned away                            |
| one null      | the same null     | the answer's                                  |
| nulls         | left out          | none                                          |
| breaks a rule | anything, or none | the answer's, or none                         |
| any           | forced            | the answer's, or none                         |

Hours are masks: bit 0 is the first hour of the period. Pure: what rows have is told in masks, whoever has the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from orchestration.core.calendar import HOUR
from orchestration.core.state.partition_record import Answer, PartitionRecord, TurnedAway

HOURS = 24
ALL = (1 << HOURS) - 1
"""Every hour of a UTC day."""
LAST = "9999"
"""Later than every moment."""


@dataclass(frozen=True, slots=True)
class Hours:
    """What rows of a partition have: in which hours there is one, a value in each column, a broken row rule."""

    rows: int = 0
    values: Mapping[str, int] = field(default_factory=dict)
    broken: int = 0

    def only(self, hours: int) -> Hours:
        """Of some hours alone."""
        values = {name: mask & hours for name, mask in self.values.items()}
        return Hours(self.rows & hours, values, self.broken & hours)

    def beside(self, other: Hours) -> Hours:
        """Together with other hours."""
        names = self.values.keys() | other.values.keys()
        values = {name: self.values.get(name, 0) | other.values.get(name, 0) for name in names}
        return Hours(self.rows | other.rows, values, self.broken | other.broken)


@dataclass(frozen=True, slots=True)
class Arrived:
    """An answer about a partition. question: the id of what was asked. begun: the hours that had begun by then."""

    asked: str
    digest: str
    hours: Hours
    begun: int
    forced: bool = False
    question: str = ""


@dataclass(frozen=True, slots=True)
class Folded:
    """Rows of a partition, and what they rest on.

    answers: that own hours, in the order of the fold; turned_away: what did not get to replace a row that still stands.
    asked, digest, question: of the answer that was folded in last. taken: the hours whose rows are that answer's since.
    faded: optional columns that turned null with its rows.
    """

    hours: Hours = field(default_factory=Hours)
    answers: tuple[Answer, ...] = ()
    turned_away: tuple[TurnedAway, ...] = ()
    asked: str = ""
    digest: str = ""
    question: str = ""
    taken: int = 0
    faded: Mapping[str, int] = field(default_factory=dict)

    @property
    def last_asked(self) -> str:
        """The latest moment of all answers that are known (ISO 8601, UTC)."""
        told = [*(one.asked for one in self.answers), *(one.asked for one in self.turned_away)]
        return max([self.asked, *told])

    @property
    def new_regressions(self) -> tuple[TurnedAway, ...]:
        """What the answer that was folded in last did not get to replace."""
        return tuple(one for one in self.turned_away if (one.asked, one.digest) == (self.asked, self.digest))


def begun_by(midnight: datetime, asked: datetime) -> int:
    """The hours of the UTC day from ``midnight`` on that had begun at ``asked``.

    | asked   | result      |
    |---------|-------------|
    | 00:00   | hour 0      |
    | 06:30   | hours 0 … 6 |
    | earlier | none        |
    | later   | all         |
    """
    passed = (asked - midnight) // HOUR + 1
    return (1 << max(0, min(HOURS, passed))) - 1


def standing(source: str, key: str, record: PartitionRecord, hours: Hours, latest: str = LAST) -> Folded:
    """What is recorded of a partition, as the beginning of a fold.

    hours: of its rows; which of them break a row rule was judged when their answers were folded, where that is
    recorded. latest: what was asked for later has not come. Format 1 has no moment for a day that had ended: the
    commit's time stands for it, if that has come.
    """
    digest = record.inputs.get(source, {}).get(key, "")
    told = [*(one.asked for one in record.answers), *(one.asked for one in record.turned_away)]
    asked = max([record.as_of, *told]) or (record.at if record.at <= latest else "")
    answers = record.answers or (Answer(asked, digest),)
    judged = 0
    for one in answers:
        judged |= _owned(one, hours) & (hours.broken if one.broken is None else one.broken)
    return Folded(replace(hours, broken=judged), answers, record.turned_away, asked, digest, record.question)


def fold(
    before: Folded | None,
    answer: Arrived,
    essential: Iterable[str],
    *,
    is_elsewhere: Callable[[str, str], bool] = lambda _then, _now: False,
    latest: str = LAST,
) -> Folded:
    """``before`` after one more answer.

    is_elsewhere: of the ids of two questions, whether rows of the first are of another question than the second.
    latest: what was asked for later has not come, and is not believed. The same answer again brings nothing, unless it
    is forced, or the one before is not believed.
    """
    if before is None:
        before = Folded()
    elif (
        answer.digest == before.digest
        and not answer.forced
        and before.last_asked <= latest
        and not is_elsewhere(before.question, answer.question)
    ):
        return replace(before, asked=answer.asked, question=answer.question, taken=0, faded={})
    there, sent = before.hours, answer.hours.only(answer.begun)
    free = ALL if answer.forced else there.broken
    for one in before.answers:
        if is_elsewhere(one.question or before.question, answer.question):
            free |= _owned(one, there)
    lost = {
        name: there.values.get(name, 0) & answer.begun & ~sent.values.get(name, 0) & ~free & there.rows
        for name in essential
    }
    regress = _any(lost.values())
    taken, gone = sent.rows & ~regress, there.rows & answer.begun & ~sent.rows & ~regress
    kept = there.rows & ~taken & ~gone
    owners = [_keeps(one, there, kept) for one in before.answers]
    owners = [
        replace(one, question=one.question or _other(before.question, answer.question)) for one in owners if one.hours
    ]
    turned = _turned_away(before, answer, regress, sent.rows, lost)
    if taken or not any(one.digest == answer.digest for one in turned):
        owners.append(Answer(answer.asked, answer.digest, answer.forced, taken, broken=sent.broken & taken))
    hours = there.only(kept).beside(sent.only(taken))
    faded = {
        name: mask
        for name in there.values.keys() - set(lost)
        if (mask := there.values[name] & there.rows & taken & ~sent.values.get(name, 0))
    }
    return Folded(
        hours,
        tuple(replace(one, hours=None) if one.hours == hours.rows else one for one in owners),
        turned,
        answer.asked,
        answer.digest,
        answer.question,
        taken,
        faded,
    )


def late(before: Folded, answer: Arrived, essential: Sequence[str]) -> Folded:
    """``before`` after an answer that was asked for earlier, where what came between is not known any more.

    It takes an hour only with all essential values of the row and at least one more.
    """
    there, sent = before.hours, answer.hours.only(answer.begun)
    lost = _any(there.values.get(name, 0) & ~sent.values.get(name, 0) for name in essential)
    more = _any(sent.values.get(name, 0) & ~there.values.get(name, 0) for name in essential)
    taken = sent.rows & more & ~lost
    if not taken:
        return replace(before, taken=0, faded={})
    kept = there.rows & ~taken
    owners = [_keeps(one, there, kept) for one in before.answers]
    own = Answer(answer.asked, answer.digest, answer.forced, taken, broken=sent.broken & taken)
    owners = sorted([own, *(one for one in owners if one.hours)], key=lambda one: one.asked)
    hours = there.only(kept).beside(sent.only(taken))
    return replace(
        before,
        hours=hours,
        answers=tuple(replace(one, hours=None) if one.hours == hours.rows else one for one in owners),
        turned_away=_left(before.turned_away, taken),
        taken=taken,
        faded={},
    )


def _owned(answer: Answer, there: Hours) -> int:
    return there.rows if answer.hours is None else answer.hours & there.rows


def _keeps(answer: Answer, there: Hours, kept: int) -> Answer:
    """An answer with those of its hours that are kept."""
    broken = None if answer.broken is None else answer.broken & kept
    return replace(answer, hours=_owned(answer, there) & kept, broken=broken)


def _other(then: str, now: str) -> str:
    """The question of an answer, where the partition's is another by now."""
    return "" if then == now else then


def _turned_away(
    before: Folded, answer: Arrived, regress: int, sent: int, lost: Mapping[str, int]
) -> tuple[TurnedAway, ...]:
    """What stands of earlier ones, and this answer's; the same one again stays as it was recorded first."""
    found = list(_left(before.turned_away, answer.begun))
    for hours, names in (
        (regress & ~sent, ()),
        (regress & sent, tuple(sorted(name for name, mask in lost.items() if mask & sent))),
    ):
        if hours:
            new = TurnedAway(answer.asked, answer.digest, hours, names)
            again = (one for one in before.turned_away if replace(one, asked=answer.asked) == new)
            found.append(next(again, new))
    return tuple(found)


def _left(turned_away: Iterable[TurnedAway], spoken_of: int) -> tuple[TurnedAway, ...]:
    """Without the hours that a later answer speaks of."""
    left = (replace(one, hours=one.hours & ~spoken_of) for one in turned_away)
    return tuple(one for one in left if one.hours)


def _any(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found
