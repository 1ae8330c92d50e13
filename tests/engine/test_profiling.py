"""Spans are measured by threads, nest in each, and cost little."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orchestration.core.planning.plan import Plan
from orchestration.core.runs.profile import Phase, Profile, Span
from orchestration.engine.profiling import Spans

EMPTY = Plan((), ())


class Clock:
    """Seconds that go on by one whenever they are looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def profile_of(spans: Spans) -> Profile:
    return spans.profile("run-1", "a title", EMPTY)


def test_spans_nest_and_inherit_their_step() -> None:
    spans = Spans(Clock())
    with spans.span(Phase.STEP, "feed"), spans.span(Phase.COMPUTE), spans.span(Phase.READ):
        pass
    with spans.span(Phase.END):
        pass
    assert profile_of(spans).spans == (
        Span(Phase.STEP, 1, 6, 0, "feed"),
        Span(Phase.COMPUTE, 2, 5, 0, "feed"),
        Span(Phase.READ, 3, 4, 0, "feed"),
        Span(Phase.END, 7, 8, 0, ""),
    )
    assert profile_of(spans).started_at.endswith("Z")


def test_what_goes_on_goes_on_until_now() -> None:
    spans = Spans(Clock())
    with spans.span(Phase.PLAN), spans.span(Phase.LOOK):
        found = profile_of(spans)
    assert (found.seconds, found.spans) == (3, (Span(Phase.PLAN, 1, 3), Span(Phase.LOOK, 2, 3)))


def test_a_span_ends_with_an_error_too() -> None:
    spans = Spans(Clock())
    with pytest.raises(ValueError, match="no"), spans.span(Phase.PLAN):
        raise ValueError("no")
    assert spans.timed(Phase.STOP, lambda: 5)() == 5
    assert [span.phase for span in profile_of(spans).spans] == [Phase.PLAN, Phase.STOP]


@pytest.mark.parametrize("raising", [False, True])
def test_around_measures_the_ends_and_not_what_is_between(raising: bool) -> None:
    spans, seen = Spans(Clock()), list[str]()

    @contextmanager
    def within() -> Iterator[str]:
        try:
            yield "value"
        except ValueError:
            seen.append("error")
            raise
        finally:
            seen.append("left")

    def use() -> None:
        with spans.around(Phase.LOCK, within()) as value:
            assert value == "value"
            if raising:
                raise ValueError("no")

    if raising:
        with pytest.raises(ValueError, match="no"):
            use()
    else:
        use()
    assert seen == (["error", "left"] if raising else ["left"])
    assert profile_of(spans).spans == (Span(Phase.LOCK, 1, 2), Span(Phase.LOCK, 3, 4))


def test_around_says_when_it_cannot_be_entered() -> None:
    spans = Spans(Clock())

    @contextmanager
    def within() -> Iterator[None]:
        raise ValueError("no")
        yield

    with pytest.raises(ValueError, match="no"), spans.around(Phase.LOCK, within()):
        raise AssertionError("not reached")
    assert profile_of(spans).spans == (Span(Phase.LOCK, 1, 2),)


def test_several_threads_at_once() -> None:
    """Each has a number of its own as long as it lives, and spans that nest."""
    spans, threads, gate = Spans(), 8, threading.Barrier(8)

    def work(number: int) -> None:
        gate.wait()
        for _ in range(200):
            with spans.span(Phase.STEP, f"step-{number}"), spans.span(Phase.COMPUTE):
                pass

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    found = profile_of(spans)
    assert len(found.spans) == threads * 400
    assert {span.thread for span in found.spans} == set(range(1, threads + 1))
    assert all(len({span.step for span in found.spans if span.thread == number}) == 1 for number in range(1, 9))
    assert all(seconds >= 0 for _, seconds in found.own)
    whole = sum(span.seconds for span in found.spans if span.phase is Phase.STEP)
    assert sum(seconds for _, seconds in found.own) == pytest.approx(whole)


def test_a_span_costs_some_microseconds() -> None:
    spans, count = Spans(), 20_000
    began = time.thread_time()
    for _ in range(count):
        with spans.span(Phase.COMMIT):
            pass
    assert (time.thread_time() - began) / count < 50e-6, "a hundred of them are a run of ten steps"
