"""The fold in masks against the fold in loops that was written apart from it: any answers about one day."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from operator import ne
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.calendar import iso
from orchestration.core.runs.fold import Arrived, Folded, Hours, begun_by, fold
from tests.support import oracle
from tests.support.oracle import answers as said_by_oracle
from tests.support.oracle.answers import ESSENTIAL, TOLERANCE, Said
from tests.support.strategies import LOCATIONS, plain_row

DAY = date(2025, 3, 3)
MIDNIGHT = datetime(2025, 3, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
COLUMNS = (*oracle.INDEXES, *oracle.CONCENTRATIONS)
GOOD = {column: plain_row("hanoi", MIDNIGHT, 60)[column] for column in COLUMNS}
CLOCK_SET_BACK = -655
"""Minutes: moments after that have not come, and the other steps never lead to within the tolerance of one of them."""
DOMAINS = ("cams_global", "cams_europe")
CHANGES: Sequence[Mapping[str, Any] | None] = (
    {},
    {"pm25": 41.5},
    {"pm25": None},
    {"o3": None, "co": None},
    {"dust": None},
    {"co": None},
    dict.fromkeys(COLUMNS),
    {"co": -1.0},
    {"pm25": 9000.0, "o3": None},
    {"pm10": float("nan")},
    None,
)
"""What an answer says of an hour, beside what is right; None: the hour is left out."""


@st.composite
def any_answers(draw: st.DrawFn) -> list[Said]:
    """Answers at moments of the day and the one after it, most of all hours alike but for a few."""
    answers, asked = [], MIDNIGHT + draw(st.integers(0, 20)) * HOUR / 2
    for _ in range(draw(st.integers(1, 7))):
        asked += draw(st.sampled_from((1, 30, 60, 600, CLOCK_SET_BACK))) * timedelta(minutes=1)
        whole = draw(st.sampled_from(range(len(CHANGES))))
        odd = draw(st.dictionaries(st.integers(0, 23), st.sampled_from(range(len(CHANGES))), max_size=4))
        sent = {hour: CHANGES[odd.get(hour, whole)] for hour in range(24)}
        hours = {("hanoi", MIDNIGHT + hour * HOUR): GOOD | {**what} for hour, what in sent.items() if what is not None}
        forced, domain = draw(st.integers(0, 9)) == 9, DOMAINS[draw(st.integers(0, 9)) == 9]
        answers.append(Said(asked, {"hanoi": LOCATIONS["hanoi"]}, DAY, DAY, hours, forced=forced, domain=domain))
        if draw(st.integers(0, 4)) == 4:  # the same content once more
            asked += HOUR
            answers.append(replace(draw(st.sampled_from(answers)), asked=asked, forced=False))
    return answers


def arrived(said: Said) -> Arrived:
    """An answer as the step has it: hours that had not begun left out of the digest."""
    hours = {instant.hour: values for (_, instant), values in said.hours.items() if said.had_begun(instant)}
    masks = {column: mask(hour for hour, values in hours.items() if values[column] is not None) for column in COLUMNS}
    rows = {hour: row(hour, values) for hour, values in hours.items()}
    broken = mask(hour for hour, values in rows.items() if oracle.broken_rules(values))
    digest = sha256(json.dumps(sorted(hours.items())).encode()).hexdigest()[:32]
    begun = begun_by(MIDNIGHT, said.asked)
    return Arrived(iso(said.asked), digest, Hours(mask(hours), masks, broken), begun, said.forced, said.domain)


def row(hour: int, values: Mapping[str, Any]) -> dict[str, Any]:
    return plain_row("hanoi", MIDNIGHT + hour * HOUR) | dict(values)


def mask(hours: Any) -> int:
    return sum(1 << hour for hour in hours)


def hours_of(number: int) -> list[int]:
    return [hour for hour in range(24) if number >> hour & 1]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(any_answers())
def test_any_answers_fold_alike(answers: list[Said]) -> None:
    folded: Folded | None = None
    for number, said in enumerate(answers, 1):
        before = folded
        latest = iso(said.asked + TOLERANCE)
        folded = fold(before, arrived(said), ESSENTIAL, is_elsewhere=ne, latest=latest)
        want = said_by_oracle.fold(answers[:number])
        assert hours_of(folded.hours.rows) == [one["ts_utc"].hour for one in want.rows]
        for column in COLUMNS:
            have = [one["ts_utc"].hour for one in want.rows if one[column] is not None]
            assert hours_of(folded.hours.values.get(column, 0) & folded.hours.rows) == have, column
        assert hours_of(folded.hours.broken) == [one["ts_utc"].hour for one in want.rows if oracle.broken_rules(one)]
        assert content(folded, answers) == [
            (instant.hour, repr(owner.hours[location, instant])) for (location, instant), owner in want.owners.items()
        ]
        turned = {hour for one in folded.turned_away for hour in hours_of(one.hours)}
        assert turned == {one.instant.hour for one in want.standing}


def content(folded: Folded, answers: Sequence[Said]) -> list[tuple[int, str]]:
    """What the recorded owners say of their hours: with any answer of that moment and digest, which are equal."""
    found = []
    for one in folded.answers:
        said = next(said for said in answers if (iso(said.asked), arrived(said).digest) == (one.asked, one.digest))
        owned = folded.hours.rows if one.hours is None else one.hours
        found += [(hour, repr(said.hours["hanoi", MIDNIGHT + hour * HOUR])) for hour in hours_of(owned)]
    return sorted(found)
