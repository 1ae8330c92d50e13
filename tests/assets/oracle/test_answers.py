"""The fold of answers, in cases worked out by hand, and what holds for any answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import oracle
from tests.support.oracle.answers import ESSENTIAL, TOLERANCE, Folded, Said, fold, in_order
from tests.support.strategies import LOCATIONS, plain_row

DAY = date(2025, 3, 3)
MIDNIGHT = datetime(2025, 3, 3, tzinfo=UTC)
LATER = datetime(2025, 3, 4, 6, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
HANOI = {"hanoi": LOCATIONS["hanoi"]}

GOOD = {column: plain_row("hanoi", MIDNIGHT, 60)[column] for column in (*oracle.INDEXES, *oracle.CONCENTRATIONS)}
NULLS: dict[str, Any] = dict.fromkeys(GOOD)
REVISED = GOOD | {"pm25": 41.5}
WITHOUT_PM25 = GOOD | {"pm25": None}
WITHOUT_DUST = GOOD | {"dust": None, "aqi_co": None}
ONLY_DUST = NULLS | {"dust": 3.0}
WITHOUT_O3_REVISED = REVISED | {"o3": None}
NEGATIVE = GOOD | {"co": -1.0}
NOT_FINITE = GOOD | {"pm10": float("nan")}
IMPLAUSIBLE = GOOD | {"pm25": 5000.5}
ON_THE_LIMIT = GOOD | {"pm25": 5000.0}
NEGATIVE_AND_NULL = NEGATIVE | {"pm25": None}
LEFT_OUT = None


def said(values: Mapping[str, Any] | None, number: int = 0, **more: Any) -> Said:
    """An answer about the first hour of the day, asked so many hours after the first one."""
    hours = {} if values is None else {("hanoi", MIDNIGHT): values}
    answer = Said(LATER + number * HOUR, HANOI, DAY, DAY, hours)
    return replace(answer, **more)


def values_of(folded: Folded) -> dict[str, Any] | None:
    """The values of the one row, None where there is no row."""
    assert len(folded.rows) <= 1
    return {name: folded.rows[0][name] for name in GOOD} if folded.rows else None


CASES: Sequence[tuple[str, Mapping[str, Any] | None, Mapping[str, Any] | None, bool]] = [
    # what the row is, what is sent, whether that takes its place
    ("a revision", GOOD, REVISED, True),
    ("the same again", GOOD, GOOD, True),
    ("nulls over values", GOOD, NULLS, False),
    ("an hour left out", GOOD, LEFT_OUT, False),
    ("one essential value less", GOOD, WITHOUT_PM25, False),
    ("optional values less", GOOD, WITHOUT_DUST, True),
    ("one essential value more", WITHOUT_PM25, GOOD, True),
    ("one more, another less", WITHOUT_PM25, WITHOUT_O3_REVISED, False),
    ("the same one lacks", WITHOUT_PM25, REVISED | {"pm25": None}, True),
    ("values over nulls", NULLS, GOOD, True),
    ("nulls over nulls", NULLS, NULLS, True),
    ("nulls left out", NULLS, LEFT_OUT, True),
    ("optional alone, left out", ONLY_DUST, LEFT_OUT, True),
    ("optional alone, nulls", ONLY_DUST, NULLS, True),
    ("negative, mended", NEGATIVE, GOOD, True),
    ("negative, nulls", NEGATIVE, NULLS, True),
    ("negative, left out", NEGATIVE, LEFT_OUT, True),
    ("not finite, less", NOT_FINITE, WITHOUT_PM25, True),
    ("implausible, less", IMPLAUSIBLE, WITHOUT_PM25, True),
    ("on the limit breaks nothing", ON_THE_LIMIT, WITHOUT_PM25, False),
    ("implausible over good", GOOD, IMPLAUSIBLE, True),
    ("NaN is a value", GOOD, NOT_FINITE, True),
    ("broken and null over good", GOOD, NEGATIVE_AND_NULL, False),
    ("a sub-index breaks a rule too", GOOD | {"aqi_co": -1}, NULLS, True),
]


@pytest.mark.parametrize(("row", "sent", "taken"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_an_answer_takes_the_place_of_a_row(
    row: Mapping[str, Any], sent: Mapping[str, Any] | None, taken: bool
) -> None:
    first, second = said(row), said(sent, 1)
    folded = fold([first, second])
    kept = row if not taken else sent
    assert repr(values_of(folded)) == repr(None if kept is None else dict(kept))
    assert folded.owners.get(("hanoi", MIDNIGHT)) is (None if kept is None else second if taken else first)
    assert bool(folded.regressions) is (not taken)
    forced = fold([first, replace(second, forced=True)])
    assert repr(values_of(forced)) == repr(None if sent is None else dict(sent))
    assert not forced.regressions


def test_a_regression_says_hour_variables_and_when() -> None:
    folded = fold([said(GOOD), said(WITHOUT_O3_REVISED | {"dust": None, "aqi": None}, 1), said(LEFT_OUT, 2)])
    asked = [LATER + HOUR, LATER + 2 * HOUR]
    assert [(one.location, one.instant, one.asked) for one in folded.regressions] == [
        ("hanoi", MIDNIGHT, moment) for moment in asked
    ]
    assert [one.variables for one in folded.regressions] == [("aqi", "o3"), ESSENTIAL]
    assert folded.standing == folded.regressions
    mended = fold([said(GOOD), said(LEFT_OUT, 1), said(REVISED, 2)])
    assert (len(mended.regressions), mended.standing) == (1, ())


def test_optional_values_that_fade_are_told() -> None:
    folded = fold([said(GOOD), said(WITHOUT_DUST, 1)])
    assert folded.faded == ((("hanoi", MIDNIGHT), ("aqi_co", "dust")),)
    assert not folded.regressions


def test_what_is_essential_is_configured() -> None:
    without_dust = [said(GOOD), said(GOOD | {"dust": None, "pm25": None}, 1)]
    assert values_of(fold(without_dust, essential=("dust",))) == GOOD
    assert values_of(fold(without_dust, essential=("co2",))) == GOOD | {"dust": None, "pm25": None}


def test_hours_that_had_not_begun_are_not_looked_at() -> None:
    """Neither what was sent of them, nor that they were left out."""
    at_ten = Said(MIDNIGHT + 10.5 * HOUR, HANOI, DAY, DAY, {("hanoi", MIDNIGHT + n * HOUR): GOOD for n in range(24)})
    assert [row["ts_utc"].hour for row in fold([at_ten]).rows] == list(range(11))
    on_the_hour = replace(at_ten, asked=MIDNIGHT + 10 * HOUR)
    assert len(fold([on_the_hour]).rows) == 11
    an_hour_back = replace(
        at_ten, asked=MIDNIGHT + 9.5 * HOUR, hours={("hanoi", MIDNIGHT + n * HOUR): REVISED for n in range(10)}
    )
    folded = fold([at_ten, replace(an_hour_back, clock=MIDNIGHT + 9.5 * HOUR)])
    assert [row["pm25"] for row in folded.rows] == 10 * [41.5] + [GOOD["pm25"]]
    assert not folded.regressions


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        ({"domain": "cams_europe"}, True),
        ({"locations": {"hanoi": (21.1278, 105.8342)}}, False),  # a tenth of a degree is the same question
        ({"locations": {"hanoi": (21.1279, 105.8342)}}, True),
        ({"locations": {"hanoi": (21.0278, 105.7)}}, True),
    ],
)
@pytest.mark.parametrize("sent", [NULLS, LEFT_OUT])
def test_rows_of_another_question_are_not_kept(change: dict[str, Any], taken: bool, sent: Any) -> None:
    folded = fold([said(GOOD), said(sent, 1, **change)])
    assert values_of(folded) == (GOOD if not taken else sent)
    assert bool(folded.regressions) is not taken


def test_a_kept_row_has_the_coordinates_that_it_was_asked_with() -> None:
    moved = {"locations": {"hanoi": (21.1, 105.8342)}}
    assert [row["latitude"] for row in fold([said(GOOD), said(NULLS, 1, **moved)]).rows] == [21.0278]
    assert [row["latitude"] for row in fold([said(GOOD), said(REVISED, 1, **moved)]).rows] == [21.1]


def test_days_that_were_not_asked_for_stay() -> None:
    other = said(LEFT_OUT, 1, first=DAY + timedelta(days=1), last=DAY + timedelta(days=1))
    assert values_of(fold([said(GOOD), other])) == GOOD
    assert values_of(fold([said(GOOD), said(LEFT_OUT, 1, locations={"hcmc": LOCATIONS["hcmc"]})])) == GOOD


def test_late_ones_are_put_where_they_belong() -> None:
    """Asked before, landed after: values that another answer lacks come in, values that it has do not."""
    late = [said(GOOD, 1), said(REVISED, 0, clock=LATER + HOUR)]
    assert values_of(fold(late)) == GOOD
    filled = fold([said(WITHOUT_PM25, 1), said(REVISED, 0, clock=LATER + HOUR)])
    assert values_of(filled) == REVISED
    assert [(one.variables, one.asked) for one in filled.standing] == [(("pm25",), LATER + HOUR)]


@pytest.mark.parametrize(("ahead", "later"), [(TOLERANCE, False), (TOLERANCE + timedelta(seconds=1), True)])
def test_a_moment_that_has_not_come_is_not_believed(ahead: timedelta, later: bool) -> None:
    from_the_future, now = said(GOOD, asked=LATER + ahead), said(REVISED)
    assert in_order([from_the_future, now]) == ([from_the_future, now] if later else [now, from_the_future])
    assert values_of(fold([from_the_future, now])) == (REVISED if later else GOOD)


@pytest.mark.parametrize("row", [GOOD, NULLS, ON_THE_LIMIT])
def test_gold_follows_from_what_was_kept(row: Mapping[str, Any]) -> None:
    folded = fold([said(row), said(NULLS, 1), said(LEFT_OUT, 2)])
    tables = oracle.dated_tables(folded.rows)
    assert [one["aqi"] for one in tables[oracle.SILVER]] == ([] if row is NULLS else [row["aqi"]])


# --- any answers ----------------------------------------------------------------------------------

SENT = (GOOD, REVISED, NULLS, WITHOUT_PM25, WITHOUT_DUST, WITHOUT_O3_REVISED, ONLY_DUST, LEFT_OUT)
any_answers = st.lists(st.sampled_from([*SENT, NEGATIVE, IMPLAUSIBLE, NEGATIVE_AND_NULL]), max_size=8)
thorough = settings(max_examples=200, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


def essential_of(values: Mapping[str, Any] | None) -> set[str]:
    return {name for name in ESSENTIAL if values is not None and values[name] is not None}


@thorough
@given(st.lists(st.sampled_from(SENT), max_size=8))
def test_no_essential_value_is_lost_to_any_answer(sent: list[Any]) -> None:
    had: set[str] = set()
    for number in range(len(sent) + 1):
        have = essential_of(values_of(fold([said(one, at) for at, one in enumerate(sent[:number])])))
        assert have >= had
        had = have


@thorough
@given(any_answers, st.randoms(use_true_random=False))
def test_the_order_of_landing_is_nothing(sent: list[Any], chance: Any) -> None:
    answers = [said(one, number, clock=LATER + len(sent) * HOUR) for number, one in enumerate(sent)]
    shuffled = list(answers)
    chance.shuffle(shuffled)
    assert fold(shuffled) == fold(answers)


@thorough
@given(any_answers)
def test_the_right_answer_last_is_what_is_there(sent: list[Any]) -> None:
    """Whatever came before: it has all essential values."""
    folded = fold([*(said(one, number) for number, one in enumerate(sent)), said(GOOD, len(sent))])
    assert values_of(folded) == GOOD
    assert not folded.standing


@thorough
@given(any_answers)
def test_whole_rows_of_one_answer_each(sent: list[Any]) -> None:
    folded = fold([said(one, number) for number, one in enumerate(sent)])
    assert values_of(folded) in [*({**one} for one in sent if one is not None), None]
