"""How the answers of a source become the rows of a fetched partition, hour by hour.

The answers are *folded* in the order in which they were asked for. An answer replaces the row of an hour if it has a
value in every essential column in which the row has one. It also replaces a row that broke a row rule or that answers
another question, and with ``--force`` every row. Otherwise the row stays as a whole, and the answer is *turned away*
for that hour. An hour that had begun and that the answer leaves out counts as a row of nulls. An answer says nothing
about hours that had not begun.

| row           | answer             | result                       |
|---------------|--------------------|------------------------------|
| none          | any                | the row of the answer        |
| all values    | all values         | the row of the answer        |
| all values    | one essential null | the row; answer turned away  |
| all values    | left out           | the row; answer turned away  |
| one null      | the same null      | the row of the answer        |
| nulls         | left out           | no row                       |
| breaks a rule | any, or left out   | the row of the answer, or no row |
| any           | forced             | the row of the answer, or no row |

Hours are masks: bit 0 is the first hour of the period. Pure: the rows themselves stay outside; masks say what they
have.
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
"""Later than every moment in ISO 8601."""


@dataclass(frozen=True, slots=True)
class Hours:
    """What the rows of a partition have, as masks of hours."""

    rows: int = 0
    """The hours that have a row."""
    values: Mapping[str, int] = field(default_factory=dict)
    """Column → the hours in which it has a value."""
    broken: int = 0
    """The hours whose row breaks a row rule."""

    def only(self, hours: int) -> Hours:
        """The same for some hours alone."""
        values = {name: mask & hours for name, mask in self.values.items()}
        return Hours(self.rows & hours, values, self.broken & hours)

    def beside(self, other: Hours) -> Hours:
        """The same together with other hours."""
        names = self.values.keys() | other.values.keys()
        values = {name: self.values.get(name, 0) | other.values.get(name, 0) for name in names}
        return Hours(self.rows | other.rows, values, self.broken | other.broken)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A new answer about a partition."""

    asked: str
    """When it was asked for (ISO 8601, UTC)."""
    digest: str
    """Digest of what the source sent for the partition."""
    hours: Hours
    begun: int
    """The hours that had begun at that moment, as a mask."""
    forced: bool = False
    """Whether ``--force`` was given."""
    question: str = ""
    """Id of the question to the source."""


@dataclass(frozen=True, slots=True)
class Folded:
    """The rows of a partition after some answers, and from which answers they are."""

    hours: Hours = field(default_factory=Hours)
    answers: tuple[Answer, ...] = ()
    """The answers from which at least one row is, in the order in which they were folded."""
    turned_away: tuple[TurnedAway, ...] = ()
    """The hours in which an answer did not replace the row, where that row is still there."""
    asked: str = ""
    """When the last folded answer was asked for (ISO 8601, UTC)."""
    digest: str = ""
    """The digest of that answer."""
    question: str = ""
    """Id of the question to which that answer is."""
    taken: int = 0
    """The hours whose rows are from that answer, as a mask."""
    faded: Mapping[str, int] = field(default_factory=dict)
    """Optional columns that became null with rows of that answer, with the hours as masks."""

    @property
    def last_asked(self) -> str:
        """The latest moment at which any of the known answers was asked for (ISO 8601, UTC)."""
        moments = [*(one.asked for one in self.answers), *(one.asked for one in self.turned_away)]
        return max([self.asked, *moments])

    @property
    def new_regressions(self) -> tuple[TurnedAway, ...]:
        """The hours in which the last folded answer did not replace the row."""
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
    """The recorded state of a partition, to which further answers can be folded.

    hours: what the stored rows have. Which rows break a row rule is taken from the record where it says so. latest:
    answers asked for after this moment (ISO 8601) are not believed. Format 1 did not record the moment for a day that
    was over; then the time of the commit stands for it, if it is not after ``latest``.
    """
    digest = record.inputs.get(source, {}).get(key, "")
    moments = [*(one.asked for one in record.answers), *(one.asked for one in record.turned_away)]
    asked = max([record.as_of, *moments]) or (record.at if record.at <= latest else "")
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

    is_elsewhere: takes the ids of two questions; whether rows that answer the first do not answer the second. latest:
    answers asked for after this moment (ISO 8601) are not believed. An answer equal to the last one changes nothing,
    unless it is forced or the last one is not believed.
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
    """``before`` after an answer that was asked for *earlier* than the last folded one, where the answers between them
    are not known.

    The answer replaces a row only if it has all the row's essential values, and at least one more.
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
    """The answer, with only those of its hours that are in ``kept``."""
    broken = None if answer.broken is None else answer.broken & kept
    return replace(answer, hours=_owned(answer, there) & kept, broken=broken)


def _other(then: str, now: str) -> str:
    """The question of an answer, where it is not the one of the partition; else empty."""
    return "" if then == now else then


def _turned_away(
    before: Folded, answer: Arrived, regress: int, sent: int, lost: Mapping[str, int]
) -> tuple[TurnedAway, ...]:
    """The hours turned away before, as far as they still hold, and those of this answer. The same answer again stays as
    it was first recorded."""
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
    """``turned_away`` without the hours about which a later answer says something."""
    left = (replace(one, hours=one.hours & ~spoken_of) for one in turned_away)
    return tuple(one for one in left if one.hours)


def _any(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found
