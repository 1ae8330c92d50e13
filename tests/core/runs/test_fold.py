"""The fold of answers, hour by hour: cases, and any sequence against a fold of plain dicts written apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.runs.fold import ALL, Arrived, Folded, Hours, begun_by, fold, late, standing
from orchestration.core.state.partition_record import Answer, PartitionRecord, TurnedAway

ESSENTIAL = ("aqi", "pm25")
MIDNIGHT = datetime(2025, 9, 10, tzinfo=UTC)
FULL = Hours(0b111, {"aqi": 0b111, "pm25": 0b111, "dust": 0b111})


def answer(asked: str, hours: Hours, *, forced: bool = False, question: str = "", begun: int = ALL) -> Arrived:
    return Arrived(asked, f"digest {asked}", hours, begun, forced, question)


def folded(*answers: Arrived) -> Folded:
    state: Folded | None = None
    for one in answers:
        state = fold(state, one, ESSENTIAL)
    assert state is not None
    return state


def nulls(hours: int, *names: str, broken: int = 0) -> Hours:
    """Of all rows but for these values."""
    values = {name: mask & ~(hours if name in names else 0) for name, mask in FULL.values.items()}
    return Hours(0b111, values, broken)


def test_the_first_answer_owns_what_it_has() -> None:
    found = folded(answer("1", FULL))
    assert (found.answers, found.turned_away) == ((Answer("1", "digest 1", broken=0),), ())
    assert (found.taken, found.hours) == (0b111, FULL)


@pytest.mark.parametrize(
    ("second", "taken", "turned_away"),
    [
        (FULL, 0b111, ()),
        (nulls(0b010, "aqi"), 0b101, (TurnedAway("2", "digest 2", 0b010, ("aqi",)),)),
        (nulls(0b111, "aqi", "pm25"), 0, (TurnedAway("2", "digest 2", 0b111, ("aqi", "pm25")),)),
        (nulls(0b111, "dust"), 0b111, ()),
        (FULL.only(0b011), 0b011, (TurnedAway("2", "digest 2", 0b100, ()),)),
        (Hours(), 0, (TurnedAway("2", "digest 2", 0b111, ()),)),
        (
            nulls(0b001, "pm25").only(0b011),
            0b010,
            (TurnedAway("2", "digest 2", 0b100, ()), TurnedAway("2", "digest 2", 0b001, ("pm25",))),
        ),
    ],
)
def test_a_second_answer_takes_no_essential_value_away(
    second: Hours, taken: int, turned_away: tuple[TurnedAway, ...]
) -> None:
    found = folded(answer("1", FULL), answer("2", second))
    assert (found.taken, found.turned_away) == (taken, turned_away)
    assert all(found.hours.values[name] == 0b111 for name in ESSENTIAL)
    assert found.new_regressions == turned_away


def test_who_owns_an_hour_is_recorded() -> None:
    found = folded(answer("1", FULL), answer("2", nulls(0b010, "aqi")))
    assert found.answers == (
        Answer("1", "digest 1", hours=0b010, broken=0),
        Answer("2", "digest 2", hours=0b101, broken=0),
    )
    assert folded(answer("1", FULL), answer("2", FULL)).answers == (Answer("2", "digest 2", broken=0),)


def test_an_optional_value_may_turn_null_and_is_told() -> None:
    assert folded(answer("1", FULL), answer("2", nulls(0b100, "dust"))).faded == {"dust": 0b100}
    assert folded(answer("1", nulls(0b100, "dust")), answer("2", FULL)).faded == {}


def test_a_row_that_broke_a_rule_is_replaced_by_anything() -> None:
    broken = replace(FULL, broken=0b001)
    found = folded(answer("1", broken), answer("2", nulls(0b111, "aqi")))
    assert (found.taken, found.hours.values["aqi"], found.hours.broken) == (0b001, 0b110, 0)
    assert folded(answer("1", broken)).answers == (Answer("1", "digest 1", broken=0b001),)
    assert folded(answer("1", broken), answer("2", Hours())).hours.rows == 0b110


def test_force_replaces_everything() -> None:
    found = folded(answer("1", FULL), answer("2", nulls(0b111, "aqi").only(0b011), forced=True))
    assert (found.hours.rows, found.hours.values["aqi"], found.turned_away) == (0b011, 0, ())
    assert found.answers == (Answer("2", "digest 2", forced=True, broken=0),)


def test_an_hour_without_essential_values_is_not_kept_against_one_that_is_left_out() -> None:
    assert folded(answer("1", nulls(0b100, "aqi", "pm25")), answer("2", FULL.only(0b011))).hours.rows == 0b011


def test_of_hours_that_had_not_begun_an_answer_says_nothing() -> None:
    found = folded(answer("1", FULL), answer("2", FULL, begun=0b001))
    assert (found.taken, found.hours, found.turned_away) == (0b001, FULL, ())
    assert folded(answer("1", FULL), answer("2", FULL.only(0b001), begun=0b001)).turned_away == ()


def test_the_same_answer_again_brings_nothing() -> None:
    first = folded(answer("1", FULL), answer("2", nulls(0b010, "aqi")))
    again = fold(first, replace(answer("3", nulls(0b010, "aqi")), digest="digest 2"), ESSENTIAL)
    assert (again.answers, again.turned_away, again.taken) == (first.answers, first.turned_away, 0)
    forced = fold(first, replace(answer("3", nulls(0b010, "aqi"), forced=True), digest="digest 2"), ESSENTIAL)
    assert (forced.taken, forced.hours.values["aqi"]) == (0b111, 0b101)


def test_what_was_turned_away_is_forgotten_once_the_source_has_it_again() -> None:
    assert folded(answer("1", FULL), answer("2", Hours()), answer("3", FULL)).turned_away == ()
    found = folded(answer("1", FULL), answer("2", Hours()), answer("3", FULL.only(0b001)))
    assert found.turned_away == (TurnedAway("3", "digest 3", 0b110, ()),)


def test_a_row_of_another_question_is_not_kept() -> None:
    first = fold(None, answer("1", FULL, question="there"), ESSENTIAL)
    here = answer("2", nulls(0b001, "aqi").only(0b011), question="here")
    found = fold(first, here, ESSENTIAL, is_elsewhere=lambda then, now: (then, now) == ("there", "here"))
    assert (found.hours.rows, found.hours.values["aqi"], found.turned_away) == (0b011, 0b010, ())
    kept = fold(first, here, ESSENTIAL)
    assert kept.hours.rows == 0b111
    assert [one.question for one in kept.answers] == ["there", ""]


def test_an_answer_without_rows_is_recorded() -> None:
    assert folded(answer("1", Hours())).answers == (Answer("1", "digest 1", broken=0),)
    assert folded(answer("1", nulls(0b111, "aqi", "pm25")), answer("2", Hours())).answers == (
        Answer("2", "digest 2", broken=0),
    )


def test_what_is_recorded_is_where_a_fold_goes_on() -> None:
    record = PartitionRecord(3, "f", {"api": {"k": "d"}}, "c", "c", answers=(Answer("1", "d"),), question="q")
    assert standing("api", "k", record, FULL) == Folded(FULL, (Answer("1", "d"),), (), "1", "d", "q")
    old = PartitionRecord(3, "f", {"api": {"k": "d"}}, "c", "c", at="2025-09-11T00:00:00Z")
    assert standing("api", "k", old, FULL).answers == (Answer("2025-09-11T00:00:00Z", "d"),)
    assert standing("api", "k", replace(old, as_of="2025-09-10T06:00:00Z"), FULL).asked == "2025-09-10T06:00:00Z"


@pytest.mark.parametrize(
    ("hours", "result"), [(-1, 0), (0, 0b1), (0.99, 0b1), (1, 0b11), (23.5, ALL), (24, ALL), (99, ALL)]
)
def test_hours_that_had_begun(hours: float, result: int) -> None:
    assert begun_by(MIDNIGHT, MIDNIGHT + timedelta(hours=hours)) == result


def test_a_moment_that_has_not_come_is_not_believed() -> None:
    """The same answer again takes the place of one that was asked for later than now."""
    ahead = folded(answer("2025-09-12", FULL))
    again = replace(answer("2025-09-11", FULL), digest=ahead.digest)
    assert fold(ahead, again, ESSENTIAL, latest="2025-09-11").answers == (Answer("2025-09-11", ahead.digest, broken=0),)
    assert fold(ahead, again, ESSENTIAL, latest="2025-09-12").answers == ahead.answers
    old = PartitionRecord(3, "f", {"api": {"k": "d"}}, "c", "c", at="2025-09-12")
    assert standing("api", "k", old, FULL, latest="2025-09-11").answers == (Answer("", "d"),)


def test_whether_a_row_broke_a_rule_was_judged_when_it_was_folded() -> None:
    rows = replace(FULL, broken=0b011)
    record = PartitionRecord(3, "f", {}, "c", "c", answers=(Answer("1", "d", broken=0b110),))
    assert standing("api", "k", record, rows).hours.broken == 0b110
    unjudged = replace(record, answers=(Answer("1", "d"),))
    assert standing("api", "k", unjudged, rows).hours.broken == 0b011


@pytest.mark.parametrize(
    ("there", "came", "taken"),
    [
        (FULL, FULL, 0),
        (nulls(0b010, "aqi"), FULL, 0b010),
        (nulls(0b010, "aqi"), nulls(0b010, "pm25"), 0),
        (FULL.only(0b011), FULL, 0b100),
    ],
)
def test_a_late_answer_takes_only_what_it_adds_to(there: Hours, came: Hours, taken: int) -> None:
    found = late(folded(answer("2", there)), answer("1", came), ESSENTIAL)
    assert found.taken == taken
    if taken:
        assert [one.asked for one in found.answers] == ["1", "2"]
    assert found.asked == "2"


# Any sequence ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    rows: dict[int, dict[str, bool]]
    broken: frozenset[int]
    begun: int
    forced: bool


ROWS = st.dictionaries(
    st.integers(0, 3), st.fixed_dictionaries({name: st.booleans() for name in ("aqi", "pm25", "dust")})
)
SENT = st.builds(Sent, ROWS, st.frozensets(st.integers(0, 3), max_size=1), st.integers(0, 5), st.just(False))
SENT |= st.builds(Sent, ROWS, st.frozensets(st.integers(0, 3)), st.integers(0, 5), st.booleans())


def as_answer(number: int, sent: Sent) -> Arrived:
    rows = sum(1 << hour for hour in sent.rows)
    values = {name: sum(1 << hour for hour, row in sent.rows.items() if row[name]) for name in ("aqi", "pm25", "dust")}
    broken = sum(1 << hour for hour in sent.broken if hour in sent.rows)
    return answer(f"{number:02}", Hours(rows, values, broken), forced=sent.forced, begun=(1 << sent.begun) - 1)


@settings(max_examples=400)
@given(st.lists(SENT, min_size=1, max_size=6))
def test_any_sequence_comes_out_as_hour_by_hour(several: list[Sent]) -> None:
    rows: dict[int, tuple[int, dict[str, bool], bool]] = {}
    withheld: set[int] = set()
    for number, sent in enumerate(several):
        for hour in range(min(sent.begun, 24)):
            then, now = rows.get(hour), sent.rows.get(hour)
            given = now or dict.fromkeys(("aqi", "pm25", "dust"), False)
            may = then is None or then[2] or sent.forced or all(given[of] or not then[1][of] for of in ESSENTIAL)
            withheld.discard(hour)
            if not may:
                withheld.add(hour)
            elif now is None:
                rows.pop(hour, None)
            else:
                rows[hour] = (number, now, hour in sent.broken)
    found = folded(*[as_answer(number, sent) for number, sent in enumerate(several)])
    assert found.hours.rows == sum(1 << hour for hour in rows)
    for name in ("aqi", "pm25", "dust"):
        assert found.hours.values.get(name, 0) == sum(1 << hour for hour, row in rows.items() if row[1][name])
    assert found.hours.broken == sum(1 << hour for hour, row in rows.items() if row[2])
    owned = {int(one.asked): found.hours.rows if one.hours is None else one.hours for one in found.answers}
    assert {hour: number for number, mask in owned.items() for hour in range(24) if mask >> hour & 1} == {
        hour: row[0] for hour, row in rows.items()
    }
    assert {hour for one in found.turned_away for hour in range(24) if one.hours >> hour & 1} == withheld
