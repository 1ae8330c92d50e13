"""The profile of a run: for what its time was used.

A run is measured in spans. Spans of one thread lie within each other or one after the other. A phase gets a span's
*own* time, without the spans within it, so nothing is counted twice. The phases of the run, on its main thread, add up
to the time of the run. The phases of a step add up to the time from the moment when everything it waits for was done
until its end. Time without a span is the phase ``other``.

Pure: ``engine.profiling`` measures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from orchestration.core.planning.plan import Plan

FORMAT = 1
MAIN = 0
"""The run's own thread; other threads are numbered as they come."""
DIGITS = 5
"""Digits of seconds in JSON: 10 µs."""


class Phase(StrEnum):
    """For what time is used: phases of a run (``OF_RUN``), phases of a step (``OF_STEP``), and STEP for a step as a
    whole. The values are stored in files."""

    PLAN = "plan"
    LOOK = "look"
    LOCK = "lock"
    TABLES = "tables"
    SERVER = "server"
    PREFECT = "prefect"
    HISTORY = "history"
    STEPS = "steps"
    STOP = "stop"
    END = "end"
    SESSION = "session"
    FETCH = "fetch"
    WAIT = "wait"
    STEP = "step"
    READ = "read"
    COMPUTE = "compute"
    AGGREGATE = "aggregate"
    CHECK = "check"
    COMMIT = "commit"
    OTHER = "other"


OF_RUN = (
    *(Phase.PLAN, Phase.LOOK, Phase.LOCK, Phase.TABLES, Phase.SESSION, Phase.SERVER, Phase.PREFECT),
    *(Phase.STEPS, Phase.HISTORY, Phase.STOP, Phase.END, Phase.OTHER),
)
"""The phases of a run, in their order."""
OF_STEP = (
    *(Phase.WAIT, Phase.SESSION, Phase.READ, Phase.COMPUTE, Phase.AGGREGATE, Phase.CHECK, Phase.COMMIT),
    *(Phase.END, Phase.OTHER),
)
"""The phases of a step, in their order."""


@dataclass(frozen=True, slots=True)
class Span:
    """Something that one thread did. begin, end: seconds since the run began. step: id of its step; empty for the run
    itself."""

    phase: Phase
    begin: float
    end: float
    thread: int = MAIN
    step: str = ""

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class ProfiledStep:
    """A step of the plan. upstream: ids of the steps for which it waits."""

    id: str
    asset: str
    upstream: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepTimes:
    """For what the time of one step was used, in seconds."""

    step: ProfiledStep
    ready: float
    """When everything was done for which the step waits: upstream steps and fetches. Seconds since the run began."""
    seconds: float
    """The time from ``ready`` to the end of the step."""
    phases: Mapping[Phase, float]
    """The parts of ``seconds``."""
    fetching: float
    """For how long something was fetched for the step before it was ready."""

    def to_json(self) -> dict[str, Any]:
        return {
            "step": self.step.id,
            "asset": self.step.asset,
            "ready": round(self.ready, DIGITS),
            "seconds": round(self.seconds, DIGITS),
            "fetching": round(self.fetching, DIGITS),
            "phases": _rounded(self.phases),
        }


@dataclass(frozen=True, slots=True)
class Link:
    """One piece of the critical path: a step, or what was fetched for it. begin, end: seconds since the run began."""

    step: str
    phase: Phase
    begin: float
    end: float

    def to_json(self) -> dict[str, Any]:
        ends = {"begin": round(self.begin, DIGITS), "end": round(self.end, DIGITS)}
        return {"step": self.step, "phase": str(self.phase)} | ends


@dataclass(frozen=True)
class Profile:
    """For what the time of a run was used."""

    run_id: str
    title: str
    started_at: str
    """ISO 8601, UTC."""
    seconds: float
    """The time of the whole run."""
    steps: tuple[ProfiledStep, ...] = ()
    """In the plan's order."""
    spans: tuple[Span, ...] = ()

    @cached_property
    def own(self) -> tuple[tuple[Span, float], ...]:
        """Every span with its own seconds, without those of the spans within it."""
        return tuple(_own_times(self.spans))

    @cached_property
    def phases(self) -> dict[Phase, float]:
        """The phases of the run, which add up to its seconds. Phases without time are left out."""
        spent: dict[Phase, float] = defaultdict(float)
        for span, seconds in _own_times(span for span in self.spans if span.thread == MAIN and not span.step):
            spent[span.phase] += seconds
        return _with_rest(spent, self.seconds, OF_RUN)

    @cached_property
    def beside(self) -> dict[Phase, float]:
        """What other threads did meanwhile, for the run or for fetches, in seconds. Overlapping spans count once."""
        going: dict[Phase, list[Span]] = {}
        for span in self.spans:
            if span.phase is Phase.FETCH or (span.phase is Phase.SESSION and not span.step and span.thread != MAIN):
                going.setdefault(span.phase, []).append(span)
        return {phase: _covered(spans) for phase, spans in going.items()}

    @cached_property
    def step_times(self) -> tuple[StepTimes, ...]:
        """The times of every step that ran."""
        ran, fetched, ready = self._ran, self._fetched, self._ready
        spent: dict[str, dict[Phase, float]] = {id: defaultdict(float) for id in ran}
        for span, seconds in self.own:
            if span.step in spent and span.phase not in (Phase.FETCH, Phase.STEP):
                spent[span.step][span.phase] += seconds
        times = []
        for step in self.steps:
            if step.id in ran:
                begin, whole = ready[step.id], ran[step.id].end - ready[step.id]
                phases = spent[step.id]
                phases[Phase.WAIT] += ran[step.id].begin - begin
                fetching = _covered(fetched.get(step.id, ()))
                times.append(StepTimes(step, begin, whole, _with_rest(phases, whole, OF_STEP), fetching))
        return tuple(times)

    @cached_property
    def waits(self) -> tuple[Span, ...]:
        """For each step that ran, how long it waited for its turn, as a span of the thread that then ran it."""
        return tuple(
            Span(Phase.WAIT, self._ready[step], span.begin, span.thread, step) for step, span in self._ran.items()
        )

    @cached_property
    def critical_path(self) -> tuple[Link, ...]:
        """The chain that decided when the last step ended: from its end back to what it waited for last, and so on."""
        ran, fetched = self._ran, self._fetched
        upstream = {step.id: step.upstream for step in self.steps}
        chain: list[Link] = []
        at = max(ran, key=lambda id: ran[id].end, default=None)
        while at is not None:
            chain.append(Link(at, Phase.STEP, self._ready[at], ran[at].end))
            before = max((id for id in upstream[at] if id in ran), key=lambda id: ran[id].end, default=None)
            last = max(fetched.get(at, ()), key=lambda span: span.end, default=None)
            if last is not None and last.end >= self._ready[at]:  # neither an upstream step nor the others were later
                chain.append(Link(at, Phase.FETCH, last.begin, last.end))
                before = None
            at = before
        return tuple(reversed(chain))

    def to_json(self) -> dict[str, Any]:
        """Format 1. ``steps``, ``threads`` and ``spans`` are what was measured; the rest follows from it.

        spans: ``[phase, step, thread, begin, end]``, the step as its number in ``steps``, null for the run itself;
        begin and end in seconds since the run began.
        """
        number = {step.id: position for position, step in enumerate(self.steps)}
        return {
            "format": FORMAT,
            "run_id": self.run_id,
            "title": self.title,
            "started_at": self.started_at,
            "seconds": round(self.seconds, DIGITS),
            "phases": _rounded(self.phases),
            "beside": _rounded(self.beside),
            "step_times": [times.to_json() for times in self.step_times],
            "critical_path": [link.to_json() for link in self.critical_path],
            "steps": [
                [step.id, step.asset, [number[id] for id in step.upstream if id in number]] for step in self.steps
            ],
            "spans": [
                [str(of.phase), number.get(of.step), of.thread, round(of.begin, DIGITS), round(of.end, DIGITS)]
                for of in self.spans
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Profile:
        """The inverse of ``to_json``. Unknown fields are passed over; an unknown phase becomes ``other``.

        Raises ValueError for data that are no profile, or of a higher format.
        """
        try:
            if data["format"] > FORMAT:
                raise ValueError(f"a profile must have the format {FORMAT} (got {data['format']!r})")
            ids = [id for id, _, _ in data["steps"]]
            return cls(
                run_id=data["run_id"],
                title=data["title"],
                started_at=data["started_at"],
                seconds=float(data["seconds"]),
                steps=tuple(
                    ProfiledStep(id, asset, tuple(ids[number] for number in upstream))
                    for id, asset, upstream in data["steps"]
                ),
                spans=tuple(
                    Span(_phase(phase), float(begin), float(end), int(thread), "" if step is None else ids[step])
                    for phase, step, thread, begin, end in data["spans"]
                ),
            )
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(f"this is no profile of a run ({error!r})") from error

    @cached_property
    def _ran(self) -> dict[str, Span]:
        """The span of each step that ran, by its id."""
        known = {step.id for step in self.steps}
        return {span.step: span for span in self.spans if span.phase is Phase.STEP and span.step in known}

    @cached_property
    def _fetched(self) -> dict[str, list[Span]]:
        found: dict[str, list[Span]] = {}
        for span in self.spans:
            if span.phase is Phase.FETCH:
                found.setdefault(span.step, []).append(span)
        return found

    @cached_property
    def _ready(self) -> dict[str, float]:
        """When everything was done for which each step waits, for each step that ran."""
        ran, fetched = self._ran, self._fetched
        first = min((span.begin for span in self.spans if span.phase is Phase.STEPS), default=0.0)
        ready = {}
        for step in self.steps:
            if step.id in ran:
                came = [ran[id].end for id in step.upstream if id in ran]
                came += [span.end for span in fetched.get(step.id, ())]
                ready[step.id] = min(max(first, *came) if came else first, ran[step.id].begin)
        return ready


def steps_of(plan: Plan) -> tuple[ProfiledStep, ...]:
    """The steps of a plan, as a profile has them."""
    return tuple(ProfiledStep(step.id, step.asset, step.upstream_steps) for step in plan.steps)


def by_asset(times: Sequence[StepTimes]) -> list[tuple[int, StepTimes]]:
    """The times of each asset's steps added up, with the number of its steps; ordered by the first step."""
    found: dict[str, list[StepTimes]] = {}
    for of in times:
        found.setdefault(of.step.asset, []).append(of)
    return [(len(some), _together(asset, some)) for asset, some in found.items()]


def _together(asset: str, times: Sequence[StepTimes]) -> StepTimes:
    phases = {phase: sum(of.phases.get(phase, 0.0) for of in times) for phase in OF_STEP}
    return StepTimes(
        ProfiledStep(asset, asset),
        min(of.ready for of in times),
        sum(of.seconds for of in times),
        {phase: seconds for phase, seconds in phases.items() if seconds},
        sum(of.fetching for of in times),
    )


def _own_times(spans: Iterable[Span]) -> Iterable[tuple[Span, float]]:
    """Each span and its seconds without those of the spans within it, thread by thread."""
    found: list[tuple[Span, float]] = []
    open_: list[tuple[int, Span]] = []
    for span in sorted(spans, key=lambda span: (span.thread, span.begin, -span.end)):
        while open_ and (open_[-1][1].thread != span.thread or open_[-1][1].end <= span.begin):
            open_.pop()
        if open_:
            number, around = open_[-1]
            found[number] = (around, found[number][1] - span.seconds)
        open_.append((len(found), span))
        found.append((span, span.seconds))
    return found


def _covered(spans: Iterable[Span]) -> float:
    """For how many seconds at least one of the spans was going on."""
    seconds, until = 0.0, 0.0
    for span in sorted(spans, key=lambda span: span.begin):
        seconds += max(0.0, span.end - max(span.begin, until))
        until = max(until, span.end)
    return seconds


def _with_rest(spent: Mapping[Phase, float], whole: float, order: Sequence[Phase]) -> dict[Phase, float]:
    """The phases of ``order`` in this order. The rest of ``whole`` is ``other``; phases that are not in ``order`` are
    part of it."""
    found = {phase: spent[phase] for phase in order if spent.get(phase, 0) > 0 and phase is not Phase.OTHER}
    return found | {Phase.OTHER: max(0.0, whole - sum(found.values()))}


def _rounded(phases: Mapping[Phase, float]) -> dict[str, float]:
    return {str(phase): round(seconds, DIGITS) for phase, seconds in phases.items()}


def _phase(name: str) -> Phase:
    return Phase(name) if name in set(Phase) else Phase.OTHER
