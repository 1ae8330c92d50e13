"""Runs that were measured, for a warehouse that is looked at: their journal, steps and profiles."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from orchestration.core.calendar import instant_of, iso
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.runs.journal import Attempt, RunEntry, RunState
from orchestration.core.runs.profile import Phase, Profile, ProfiledStep, Span
from resources.delta.step_history import StepHistory, StepRow
from resources.storage.journal import Journal
from resources.storage.run_profiles import RunProfiles

BEGAN = instant_of("2025-08-18T06:00:00Z")
STEPS = ("bronze.open_meteo_hourly", "gold.fact_city_daily", "gold.fact_episode")


def run_id(number: int) -> str:
    return f"{_at(number):%Y%m%dT%H%M%S}-00000{number}"


def keep_measured_runs(uri: str, number: int = 3) -> None:
    """So many runs, an hour apart, each of three steps: the second and the third side by side."""
    days = PartitionSet.of(Days.of(date(2025, 8, 18)), ["hanoi"])
    rows = []
    for at in range(number):
        began = _at(at)
        attempts = {key: Attempt(days, (), days) for key in STEPS}
        title, ended = f"hourly {at}", iso(began + timedelta(seconds=8))
        Journal(uri).write(
            RunEntry(run_id(at), title, iso(began), ended, RunState.COMPLETED, seconds=8.0, attempts=attempts)
        )
        RunProfiles(uri).write(_profile(at))
        rows += [
            StepRow(run_id(at), "", title, key, key, "completed", began, 2.0, 24 + at, 1, 0, 0, 0, 1.5 + at)
            for key in STEPS
        ]
    StepHistory(uri).append(rows, lambda text: None)


def _at(number: int) -> datetime:
    return BEGAN + timedelta(hours=number)


def _profile(number: int) -> Profile:
    fetched, daily, episodes = STEPS
    steps = (
        ProfiledStep(fetched, fetched),
        ProfiledStep(daily, daily, (fetched,)),
        ProfiledStep(episodes, episodes, (fetched,)),
    )
    spans = [Span(Phase.PLAN, 0.0, 1.0), Span(Phase.STEPS, 1.0, 8.0), Span(Phase.FETCH, 1.0, 2.0, 1, fetched)]
    for key, begin, thread in ((fetched, 2.0, 2), (daily, 4.0, 2), (episodes, 4.5, 3)):
        spans += [
            Span(Phase.STEP, begin, begin + 2, thread, key),
            Span(Phase.COMPUTE, begin, begin + 1.5, thread, key),
            Span(Phase.COMMIT, begin + 1.5, begin + 2, thread, key),
        ]
    return Profile(run_id(number), f"hourly {number}", iso(_at(number)), 8.0, steps, tuple(spans))
