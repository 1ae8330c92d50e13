"""Where the time of a run went: every second counts once, in the run and in each step."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.runs.profile import (
    OF_RUN,
    OF_STEP,
    Link,
    Phase,
    Profile,
    ProfiledStep,
    Span,
    by_asset,
)

WITHIN_STEP = [phase for phase in OF_STEP if phase not in (Phase.OTHER, Phase.WAIT)]
WITHIN_RUN = [phase for phase in OF_RUN if phase not in (Phase.OTHER, Phase.STEPS)]
CLOSE = {"rel": 1e-9, "abs": 1e-9}


def profile(*spans: Span, seconds: float = 10.0, steps: tuple[ProfiledStep, ...] = ()) -> Profile:
    return Profile("run-1", "* last:1", "2026-01-01T00:00:00Z", seconds, steps, spans)


@st.composite
def nested(draw: st.DrawFn, first: int, last: int, thread: int, step: str, phases: list[Phase]) -> list[Span]:
    """Spans of a thread within [first, last] milliseconds, beside and within each other."""
    cuts = sorted(draw(st.lists(st.integers(first, last), max_size=6)))
    spans = []
    for begin, end in zip(cuts[::2], cuts[1::2], strict=False):
        spans.append(Span(draw(st.sampled_from(phases)), begin / 1000, end / 1000, thread, step))
        if end - begin > 10 and draw(st.booleans()):
            spans += draw(nested(begin, end, thread, step, phases))
    return spans


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """Of runs whose steps run in threads of their own, after what they wait for."""
    whole = draw(st.integers(100, 20_000))
    going = draw(st.integers(0, whole // 2))
    spans = [Span(Phase.STEPS, going / 1000, whole / 1000)]
    spans += draw(nested(0, going, 0, "", WITHIN_RUN))
    steps: list[ProfiledStep] = []
    ended: dict[str, int] = {}
    for number in range(draw(st.integers(0, 5))):
        before = tuple(step.id for step in steps if draw(st.booleans()))
        step = ProfiledStep(f"step-{number}", f"asset-{number % 2}", before)
        steps.append(step)
        ready = max([going, *(ended[id] for id in before if id in ended)])
        if draw(st.booleans()):
            fetched = draw(st.integers(ready, whole))
            spans.append(Span(Phase.FETCH, ready / 1000, fetched / 1000, 10 + number, step.id))
            ready = fetched
        if draw(st.booleans()):
            begin = draw(st.integers(ready, whole))
            ended[step.id] = end = draw(st.integers(begin, whole))
            spans.append(Span(Phase.STEP, begin / 1000, end / 1000, 20 + number, step.id))
            spans += draw(nested(begin, end, 20 + number, step.id, WITHIN_STEP))
    return profile(*draw(st.permutations(spans)), seconds=whole / 1000, steps=tuple(steps))


@given(profiles())
def test_every_second_counts_once(of: Profile) -> None:
    assert sum(of.phases.values()) == pytest.approx(of.seconds, **CLOSE)
    assert list(of.phases) == [phase for phase in OF_RUN if phase in of.phases]
    ran = {span.step: span for span in of.spans if span.phase is Phase.STEP}
    assert [times.step.id for times in of.step_times] == [step.id for step in of.steps if step.id in ran]
    for times in of.step_times:
        assert sum(times.phases.values()) == pytest.approx(times.seconds, **CLOSE)
        assert times.ready + times.seconds == pytest.approx(ran[times.step.id].end, **CLOSE)
        assert min(times.phases.values()) >= 0


@given(profiles())
def test_own_times_of_a_thread_are_what_its_spans_cover(of: Profile) -> None:
    threads = {span.thread for span in of.spans}
    for thread in threads:
        marks = sorted({mark for span in of.spans if span.thread == thread for mark in (span.begin, span.end)})
        covered = sum(
            after - before
            for before, after in pairwise(marks)
            if any(s.thread == thread and s.begin <= before and after <= s.end for s in of.spans)
        )
        own = sum(seconds for span, seconds in of.own if span.thread == thread)
        assert own == pytest.approx(covered, **CLOSE)
    assert all(seconds > -1e-9 for _, seconds in of.own)


@given(profiles())
def test_a_step_waits_for_what_was_last(of: Profile) -> None:
    ends = {span.step: span.end for span in of.spans if span.phase is Phase.STEP}
    begins = {span.step: span.begin for span in of.spans if span.phase is Phase.STEP}
    for times in of.step_times:
        assert all(ends[id] <= times.ready for id in times.step.upstream if id in ends)
        assert times.ready <= begins[times.step.id]
    for wait in of.waits:
        assert wait.seconds >= 0


@given(profiles())
def test_the_critical_path_ends_with_the_run_and_goes_back_without_overlap(of: Profile) -> None:
    path = of.critical_path
    assert bool(path) == bool(of.step_times)
    if path:
        assert path[-1].end == max(span.end for span in of.spans if span.phase is Phase.STEP)
        assert all(one.end <= other.begin + 1e-9 for one, other in pairwise(path))


@given(profiles())
def test_it_comes_back_from_json(of: Profile) -> None:
    data = json.loads(json.dumps(of.to_json()))
    again = Profile.from_json(data)
    assert again == of
    assert again.to_json() == data


@given(profiles())
def test_the_steps_of_an_asset_together(of: Profile) -> None:
    together = by_asset(of.step_times)
    assert sum(count for count, _ in together) == len(of.step_times)
    assert sum(times.seconds for _, times in together) == pytest.approx(
        sum(times.seconds for times in of.step_times), **CLOSE
    )
    for _, times in together:
        assert sum(times.phases.values()) == pytest.approx(times.seconds, **CLOSE)


def test_a_run_in_numbers() -> None:
    feed, clean = ProfiledStep("feed", "feed"), ProfiledStep("clean", "clean", ("feed",))
    of = profile(
        Span(Phase.PLAN, 0, 1),
        Span(Phase.LOOK, 0.2, 0.5),
        Span(Phase.PREFECT, 1, 9),
        Span(Phase.STEPS, 2, 8),
        Span(Phase.SESSION, 1, 4, 1),
        Span(Phase.FETCH, 2, 3, 2, "feed"),
        Span(Phase.FETCH, 2.5, 3.5, 3, "feed"),
        Span(Phase.STEP, 3.75, 6, 4, "feed"),
        Span(Phase.SESSION, 3.75, 4, 4, "feed"),
        Span(Phase.COMPUTE, 4, 5, 4, "feed"),
        Span(Phase.READ, 4.5, 4.75, 4, "feed"),
        Span(Phase.COMMIT, 5.5, 6, 4, "feed"),
        Span(Phase.STEP, 6.25, 8, 5, "clean"),
        steps=(feed, clean),
    )
    assert of.phases == {
        Phase.PLAN: 0.7,
        Phase.LOOK: 0.3,
        Phase.PREFECT: 2,
        Phase.STEPS: 6,
        Phase.OTHER: 1,
    }
    assert of.beside == {Phase.SESSION: 3, Phase.FETCH: 1.5}
    one, other = of.step_times
    assert (one.ready, one.seconds, one.fetching) == (3.5, 2.5, 1.5)
    assert one.phases == {
        Phase.WAIT: 0.25,
        Phase.SESSION: 0.25,
        Phase.READ: 0.25,
        Phase.COMPUTE: 0.75,
        Phase.COMMIT: 0.5,
        Phase.OTHER: 0.5,
    }
    assert (other.ready, other.seconds, other.phases) == (6, 2, {Phase.WAIT: 0.25, Phase.OTHER: 1.75})
    assert of.critical_path == (
        Link("feed", Phase.FETCH, 2.5, 3.5),
        Link("feed", Phase.STEP, 3.5, 6),
        Link("clean", Phase.STEP, 6, 8),
    )


def test_what_was_asked_before_the_plan_is_not_waited_for() -> None:
    of = profile(
        Span(Phase.LOOK, 0, 2),
        Span(Phase.FETCH, 0, 2, 1, "feed"),
        Span(Phase.STEPS, 3, 9),
        Span(Phase.STEP, 4, 5, 2, "feed"),
        steps=(ProfiledStep("feed", "feed"),),
    )
    assert of.step_times[0].ready == 3
    assert of.critical_path == (Link("feed", Phase.STEP, 3, 5),)


def test_a_step_that_the_main_thread_runs_is_not_the_runs_own() -> None:
    of = profile(
        Span(Phase.STEPS, 1, 5),
        Span(Phase.STEP, 2, 4, 0, "feed"),
        Span(Phase.END, 3, 4, 0, "feed"),
        steps=(ProfiledStep("feed", "feed"),),
    )
    assert of.phases == {Phase.STEPS: 4, Phase.OTHER: 6}


def told(**changed: Any) -> dict[str, Any]:
    return profile(Span(Phase.PLAN, 0, 1)).to_json() | changed


def test_what_a_later_version_adds_is_passed_over() -> None:
    data = told(news=1, spans=[["plan", None, 0, 0.0, 1.0], ["dreaming", None, 0, 1.0, 2.0]])
    assert Profile.from_json(data).phases == {Phase.PLAN: 1, Phase.OTHER: 9}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (told(format=2), "must have the format 1 (got 2)"),
        ({}, "no profile of a run"),
        (told(spans=[["plan"]]), "not enough values"),
        (told(spans=[["plan", 3, 0, 0.0, 1.0]]), "no profile of a run"),
        (told(steps=None), "no profile of a run"),
    ],
)
def test_what_is_no_profile(data: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("(", r"\(").replace(")", r"\)")):
        Profile.from_json(data)


def test_names_are_for_ever() -> None:
    assert [str(phase) for phase in Phase] == [
        *("plan", "look", "lock", "tables", "server", "prefect", "history", "steps", "stop", "end"),
        *("session", "fetch", "wait", "step", "read", "compute", "aggregate", "check", "commit", "other"),
    ]
    assert set(OF_RUN) | set(OF_STEP) == set(Phase) - {Phase.STEP, Phase.FETCH}


def test_a_run_without_a_step() -> None:
    of = replace(profile(), seconds=0.0)
    assert (of.phases, of.step_times, of.critical_path, of.beside) == ({Phase.OTHER: 0.0}, (), (), {})
