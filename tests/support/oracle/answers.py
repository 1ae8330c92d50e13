"""Bronze as a fold over a source's answers, in the order in which they were asked for.

Hour by hour: every hour of a location is decided by itself, from the list of what was said about it. Slow and plain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.support.oracle.bronze_and_silver import broken_rules
from tests.support.oracle.names import (
    BRONZE,
    COLUMNS,
    CONCENTRATIONS,
    DAY,
    DEFAULT_LIMITS,
    HOUR,
    INDEXES,
    Row,
)

ESSENTIAL = ("aqi", "pm25", "pm10", "o3", "no2", "so2", "co")
"""The index and the six concentrations that it is made of."""
TOLERANCE = timedelta(minutes=5)
"""So far ahead of the clock a moment of asking may lie and still be believed."""
NEARBY_DEGREES = 0.1
"""Coordinates no farther away than this are the same question."""

HourOf = tuple[str, datetime]
"""A location's key and the hour (its first instant)."""
Values = Mapping[str, Any]
"""Column → value or None; a column that is not in it is None."""
Limits = Mapping[str, tuple[float | None, float | None]]


@dataclass(frozen=True)
class Said:
    """One answer that came.

    asked: the moment of asking. locations: by key, latitude and longitude as they were asked about. first, last: days,
    both in. hours: what was sent; an hour that is not in it was left out. clock: of the run that took the answer in,
    None for ``asked``.
    """

    asked: datetime
    locations: Mapping[str, tuple[float, float]]
    first: date
    last: date
    hours: Mapping[HourOf, Values]
    forced: bool = False
    domain: str = "auto"
    clock: datetime | None = None

    def had_begun(self, instant: datetime) -> bool:
        return instant <= self.asked


@dataclass(frozen=True)
class Regression:
    """An hour whose row an answer did not get to replace. variables: essential ones that it had no value for."""

    location: str
    instant: datetime
    asked: datetime
    variables: tuple[str, ...]


@dataclass(frozen=True)
class Folded:
    """What a fold came to.

    rows: bronze. owners: the answer that each hour's row is of. regressions: all that there ever were, standing: those
    of hours whose row is still the one that was kept. faded: (hour, optional variables) that turned null with a new
    row.
    """

    rows: list[Row]
    owners: Mapping[HourOf, Said]
    regressions: tuple[Regression, ...] = ()
    standing: tuple[Regression, ...] = ()
    faded: tuple[tuple[HourOf, tuple[str, ...]], ...] = ()


@dataclass
class _Hour:
    """One hour of a location while answers are folded. owner: None where there is no row."""

    owner: Said | None = None
    values: Values = field(default_factory=dict)
    regressions: list[Regression] = field(default_factory=list)
    standing: list[Regression] = field(default_factory=list)
    faded: list[tuple[str, ...]] = field(default_factory=list)


def fold(landed: Iterable[Said], essential: Sequence[str] = ESSENTIAL, limits: Limits = DEFAULT_LIMITS) -> Folded:
    """Bronze after all answers. landed: in the order in which they were taken in, which need not be that of asking."""
    landed = list(landed)
    asked_for = sorted({(location, day) for said in landed for location in said.locations for day in _days(said)})
    rows: list[Row] = []
    owners: dict[HourOf, Said] = {}
    regressions: list[Regression] = []
    standing: list[Regression] = []
    faded: list[tuple[HourOf, tuple[str, ...]]] = []
    for location, day in asked_for:
        about = in_order(said for said in landed if location in said.locations and said.first <= day <= said.last)
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        for instant in (midnight + number * HOUR for number in range(24)):
            hour = _fold_hour(location, instant, about, essential, limits)
            regressions += hour.regressions
            standing += hour.standing
            faded += [((location, instant), variables) for variables in hour.faded]
            if hour.owner is not None:
                owners[location, instant] = hour.owner
                rows.append(_row(location, instant, hour.owner, hour.values))
    return Folded(rows, owners, tuple(regressions), tuple(standing), tuple(faded))


def in_order(landed: Iterable[Said]) -> list[Said]:
    """Answers by their moments of asking; of equal moments the one that landed later comes later.

    A moment that had not come, by the clock of the run that took the next answer in, is not believed: that next answer
    is the later one.
    """
    ordered: list[Said] = []
    for said in landed:
        clock = said.clock or said.asked
        before = 0
        for number, other in enumerate(ordered, 1):
            if other.asked <= said.asked or other.asked > clock + TOLERANCE:
                before = number
        ordered.insert(before, said)
    return ordered


def _fold_hour(
    location: str, instant: datetime, about: Sequence[Said], essential: Sequence[str], limits: Limits
) -> _Hour:
    hour = _Hour()
    for said in about:
        if not said.had_begun(instant):
            continue
        sent = said.hours.get((location, instant))
        if hour.owner is None:
            if sent is not None:
                hour.owner, hour.values = said, sent
            continue
        had = [name for name in essential if hour.values.get(name) is not None]
        lost = tuple(name for name in had if sent is None or sent.get(name) is None)
        may_go = (
            not lost
            or said.forced
            or bool(broken_rules(_row(location, instant, hour.owner, hour.values), limits))
            or _another_question(location, hour.owner, said)
        )
        if not may_go:
            regression = Regression(location, instant, said.asked, lost)
            hour.regressions.append(regression)
            hour.standing.append(regression)
            continue
        hour.standing = []
        if sent is None:
            hour.owner, hour.values = None, {}
            continue
        optional = [name for name in (*INDEXES, *CONCENTRATIONS) if name not in essential]
        gone = tuple(name for name in optional if hour.values.get(name) is not None and sent.get(name) is None)
        if gone:
            hour.faded.append(gone)
        hour.owner, hour.values = said, sent
    return hour


def _another_question(location: str, then: Said, now: Said) -> bool:
    """Whether a row was the answer to another question than ``now`` is."""
    old, new = then.locations[location], now.locations[location]
    farther = max(abs(old[0] - new[0]), abs(old[1] - new[1])) > NEARBY_DEGREES + 1e-9
    return then.domain != now.domain or farther


def _row(location: str, instant: datetime, said: Said, values: Values) -> Row:
    latitude, longitude = said.locations[location]
    row: Row = dict.fromkeys(COLUMNS[BRONZE])
    row |= {name: values.get(name) for name in (*INDEXES, *CONCENTRATIONS)}
    row |= {"location_key": location, "ts_utc": instant, "date_utc": instant.date()}
    row |= {"latitude": latitude, "longitude": longitude, "model_domain": said.domain, "request_timezone": "UTC"}
    return row


def _days(said: Said) -> list[date]:
    return [said.first + number * DAY for number in range((said.last - said.first).days + 1)]
