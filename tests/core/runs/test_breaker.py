"""However a source behaves: what is asked of it is bounded, what fails alone fails alone, and what is open stays so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.errors import (
    AnswerNotKept,
    FetchCancelled,
    SourceClock,
    SourceError,
    SourceKeyRefused,
    SourceLimited,
    SourceNonsense,
    SourceNotAsked,
    SourceRefused,
    SourceTooMuch,
    SourceUnreachable,
    SourceVariableRefused,
)
from orchestration.core.runs.breaker import IN_A_ROW, Breaker, Found, ask

PASSES = (SourceError, SourceUnreachable)
"""What a source may say that is asked again as long as there are attempts."""
OURS = (SourceLimited, SourceKeyRefused, SourceVariableRefused, SourceTooMuch, SourceClock, AnswerNotKept)
REFUSALS = (SourceRefused, SourceNonsense)
THREE = ("danang", "hanoi", "hcmc")
FIFTY = tuple(f"p{number:02}" for number in range(50))


@dataclass
class Scripted:
    """A source. replies: what each attempt meets, None where it is answered; good for ever when they have ended.
    bad: locations with which a request meets an error of its own, always. asked: the locations of every attempt."""

    attempts: int = 5
    replies: list[type[SourceError] | None] = field(default_factory=list)
    bad: Mapping[str, type[SourceError]] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def send(self, locations: tuple[str, ...], attempts: int | None) -> tuple[dict[str, str], int]:
        given = self.attempts if attempts is None else attempts
        for left in reversed(range(min(given, self.attempts))):
            left += given - min(given, self.attempts)
            kind = self.attempt(locations)
            if kind is None:
                return dict.fromkeys(locations, "rows"), left
            error = kind(f"{kind.__name__} of {', '.join(locations)}")
            if left == given - min(given, self.attempts) or kind not in PASSES:
                error.attempts_left = left
                raise error
        raise AssertionError("no attempt")

    def attempt(self, locations: tuple[str, ...]) -> type[SourceError] | None:
        self.asked.append(locations)
        blamed = next((self.bad[key] for key in locations if key in self.bad), None)
        return (self.replies.pop(0) if self.replies else None) or blamed


def run(source: Scripted, requests: Sequence[Sequence[str]]) -> tuple[Breaker, list[Found[str]]]:
    breaker = Breaker()
    for locations in requests:
        breaker = breaker.of(locations)
    found = []
    for locations in requests:
        breaker, one = ask(breaker, locations, source.send)
        found.append(one)
    return breaker, found


def kinds(found: Found[str]) -> dict[str, str]:
    return {key: type(one).__name__ for key, one in found.items()}


# --- for any sequence of faults -----------------------------------------------------------------------------------


@st.composite
def requests_of_a_run(draw: st.DrawFn) -> list[tuple[str, ...]]:
    locations = draw(st.sampled_from((THREE, FIFTY[:9], FIFTY)))
    some = st.lists(st.sampled_from(locations), min_size=1, unique=True).map(tuple)
    return draw(st.lists(st.one_of(st.just(locations), some), min_size=1, max_size=12))


@settings(max_examples=300, deadline=None)
@given(
    requests_of_a_run(),
    st.integers(1, 5),
    st.lists(st.sampled_from((None, None, *PASSES, *REFUSALS, *OURS)), max_size=120),
    st.dictionaries(st.sampled_from((*THREE, *FIFTY)), st.sampled_from((SourceError, *REFUSALS)), max_size=20),
)
def test_requests_are_bounded_and_nothing_is_lost_or_made_up(
    requests: list[tuple[str, ...]],
    attempts: int,
    replies: list[type[SourceError] | None],
    bad: dict[str, type[SourceError]],
) -> None:
    """At most (requests without faults) × attempts + one a location; every location has its answer or its error."""
    source = Scripted(attempts, replies, bad)
    breaker, found = run(source, requests)
    assert len(source.asked) <= len(requests) * attempts + len({key for one in requests for key in one})
    assert [set(one) for one in found] == [set(one) for one in requests]
    for request, one in zip(requests, found, strict=True):
        for key in request:
            assert one[key] == "rows" or isinstance(one[key], SourceError)
            assert key not in bad or one[key] != "rows"  # no answer but its own
    opened = [at for at, one in enumerate(found) if any(isinstance(error, OURS) for error in one.values())]
    for one in found[opened[0] + 1 :] if opened else ():
        assert set(kinds(one).values()) == {"SourceNotAsked"}
    assert breaker.spare >= 0


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from((THREE, FIFTY[:9], FIFTY)).flatmap(
        lambda locations: st.tuples(st.just(locations), st.sampled_from(locations))
    ),
    st.integers(1, 5),
    st.sampled_from((SourceError, *REFUSALS)),
    st.integers(1, 30),
)
def test_of_one_location_that_is_to_blame_only_that_one_fails(
    of: tuple[tuple[str, ...], str], attempts: int, kind: type[SourceError], number: int
) -> None:
    """In the first request and in all that follow, however few attempts there are."""
    locations, bad = of
    source = Scripted(attempts, bad={bad: kind})
    breaker, found = run(source, [locations] * number)
    for one in found:
        assert {key for key, answer in one.items() if answer != "rows"} == {bad}
    assert breaker.opened is None
    assert len(source.asked) <= number * attempts + len(locations)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from(FIFTY), min_size=1), st.sampled_from(REFUSALS))
def test_of_many_in_a_first_request_each_that_is_to_blame_is_found(bad: set[str], kind: type[SourceError]) -> None:
    source = Scripted(bad=dict.fromkeys(bad, kind))
    _, (found,) = run(source, [FIFTY])
    assert {key for key, answer in found.items() if answer != "rows"} == bad
    assert all(str(found[key]) == f"{kind.__name__} of {key}" for key in bad)  # its own words, not those of others too


# --- at once, and after several -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OURS)
def test_what_is_of_no_location_is_asked_once(kind: type[SourceError]) -> None:
    source = Scripted(replies=[kind])
    breaker, (first, *others) = run(source, [THREE] * 32)
    assert source.asked == [THREE]
    assert set(kinds(first).values()) == {kind.__name__}
    for found in others:
        assert all(isinstance(one, SourceNotAsked) and one.because is breaker.opened for one in found.values())
        assert {str(one) for one in found.values()} == {f"not asked: {kind.__name__} of danang, hanoi, hcmc"}


def test_a_host_that_is_not_reached_is_asked_for_one_request() -> None:
    source = Scripted(replies=[SourceUnreachable] * 999)
    _, found = run(source, [THREE] * 32)
    assert source.asked == [THREE] * 5
    assert [set(kinds(one).values()) for one in found] == [{"SourceUnreachable"}, *[{"SourceNotAsked"}] * 31]


@pytest.mark.parametrize(("kind", "asked"), [(SourceError, 5 * IN_A_ROW + 3), (SourceNonsense, IN_A_ROW * (1 + 3))])
def test_a_source_that_fails_is_not_asked_for_ever(kind: type[SourceError], asked: int) -> None:
    source = Scripted(replies=[kind] * 999)
    breaker, found = run(source, [THREE] * 32)
    assert len(source.asked) == asked
    assert type(breaker.opened) is kind
    assert [set(kinds(one).values()) for one in found[: IN_A_ROW + 1]] == [{kind.__name__}] * 3 + [{"SourceNotAsked"}]


def test_an_answer_begins_a_new_row() -> None:
    alone = ("hanoi",)
    source = Scripted(1, [SourceError, SourceError, None, SourceError, SourceError, None])
    breaker, found = run(source, [alone] * 6)
    assert [one["hanoi"] == "rows" for one in found] == [False, False, True, False, False, True]
    assert breaker.opened is None


def test_refusals_are_answers_of_a_source_that_is_there() -> None:
    source = Scripted(bad=dict.fromkeys(THREE, SourceRefused))
    breaker, found = run(source, [THREE] * 9)
    assert breaker.opened is None
    assert all(isinstance(error, SourceRefused) for one in found for error in one.values())


def test_who_cancels_says_nothing_of_the_source() -> None:
    source = Scripted(replies=[FetchCancelled])
    breaker, found = run(source, [THREE, THREE])
    assert breaker.opened is None
    assert [set(kinds(one).values()) for one in found] == [{"FetchCancelled"}, {"str"}]


# --- narrowing down -----------------------------------------------------------------------------------------------


def test_few_are_asked_one_by_one_and_the_bad_one_by_itself_from_then_on() -> None:
    source = Scripted(bad={"hanoi": SourceRefused})
    run(source, [THREE, THREE])
    others = ("danang", "hcmc")
    assert source.asked == [THREE, ("danang",), ("hanoi",), ("hcmc",), others, ("hanoi",)]


def test_one_that_is_answered_again_is_asked_with_the_others_again() -> None:
    source = Scripted(bad={"hanoi": SourceRefused})
    breaker, _ = run(source, [THREE])
    source.bad = {}
    for _ in range(2):
        breaker, found = ask(breaker, THREE, source.send)
        assert set(found.values()) == {"rows"}
    assert source.asked[-3:] == [("danang", "hcmc"), ("hanoi",), THREE]


def test_many_are_halved() -> None:
    source = Scripted(bad={"p00": SourceRefused})
    run(source, [FIFTY])
    assert [len(one) for one in source.asked] == [50, 25, 25, 13, 12, 7, 6, 4, 3, 1, 1, 1, 1]


def test_by_itself_it_is_asked_with_what_is_left_of_the_attempts() -> None:
    """A fault that passes, while one is looked for, fails nobody as long as attempts are left."""
    source = Scripted(replies=[SourceRefused, SourceError, None, None, None])
    _, (found,) = run(source, [THREE])
    assert set(found.values()) == {"rows"}
    assert source.asked == [THREE, ("danang",), ("danang",), ("hanoi",), ("hcmc",)]


def test_where_nothing_is_spare_all_of_a_request_fail_with_what_was_said_of_them() -> None:
    source = Scripted(1, bad={"hanoi": SourceRefused})
    breaker, _ = run(source, [THREE])
    assert breaker.spare == 0
    source.bad = {"danang": SourceRefused, "hanoi": SourceRefused}
    _, found = ask(breaker, THREE, source.send)
    assert str(found["danang"]) == str(found["hcmc"]) == "SourceRefused of danang, hcmc"
    assert str(found["hanoi"]) == "not asked: SourceRefused of hanoi"


def test_a_host_that_goes_away_while_one_is_looked_for_is_not_asked_for_all() -> None:
    source = Scripted(replies=[SourceRefused, *[SourceUnreachable] * 999])
    breaker, (found,) = run(source, [FIFTY])
    assert breaker.opened is not None
    assert len(source.asked) == 1 + IN_A_ROW
    assert set(kinds(found).values()) == {"SourceUnreachable", "SourceNotAsked"}
