"""A limit that is used up in a run: one line, what came before is there, and the next call goes on."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.runs.outcome import RunSummary
from orchestration.engine.flow import NOT_ASKED, SAME_CAUSE
from resources.simulator.server import Simulator
from tests.support import oracle
from tests.support.aqi_process import Commands
from tests.support.keeping_lake import KeepingLake
from tests.support.small_lake import Lake

pytestmark = pytest.mark.engine

NOW = datetime(2025, 8, 20, 10, 30, tzinfo=UTC)
BRONZE = oracle.BRONZE
LIMIT = 429, {"error": True, "reason": "Daily API request limit exceeded. Please try again tomorrow."}
DATES = r"\d{4}-\d\d-\d\d(\.\.[\d-]+)?"
RUNS: dict[str, Callable[[Lake], RunSummary]] = {
    "materialize": lambda lake: lake.materialize("2025-08-01..2025-08-06", BRONZE),
    "backfill": lambda lake: lake.backfill("2025-08-01", "2025-08-06", "daily", BRONZE),
    "hourly": lambda lake: lake.hourly(BRONZE),
}


class Limited(Simulator):
    """Its limit is used up after ``left`` requests."""

    def __init__(self, left: int) -> None:
        super().__init__(now=lambda: NOW)
        self.left = left
        self.tried = 0

    def answer(self, query: str) -> tuple[int, Any]:
        self.tried += 1
        return super().answer(query) if self.tried <= self.left else LIMIT


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("left", [0, 1])
def test_nothing_more_is_asked_and_the_next_run_goes_on(tmp_path: Path, embedded: Any, name: str, left: int) -> None:
    run, flags = RUNS[name], {"open_meteo": {"max_days_per_request": 1}}

    def lake(folder: str, api: Simulator) -> KeepingLake:
        return KeepingLake(tmp_path / folder, embedded, api.url, flags, now=NOW)

    with Limited(left) as api:
        summary = run(lake("limited", api))
        assert api.tried == left + 1
        told = [re.sub(DATES, "…", line) for line in summary.in_words().splitlines()]
        assert len(told) == 2
        assert f"HTTP 429 ({LIMIT[1]['reason']})" in told[0]
        assert re.fullmatch(r"  not asked: \d days? of 3 locations", told[1])
        problems = [problem for one in summary.to_json()["steps"] for problem in one["problems"]]
        assert all(LIMIT[1]["reason"] in problem["message"] for problem in problems)
        assert summary.exit_status == 1
        written = sum(len(outcome.written) for outcome in summary.outcomes)
        assert written == 3 * left
        api.left = 99
        assert run(lake("limited", api)).ok
        assert run(lake("good", api)).ok
        assert lake("limited", api).canonical(BRONZE) == lake("good", api).canonical(BRONZE)


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_three_years_by_the_command(tmp_path: Path) -> None:
    """One request, one line that says why, one failed fetch; those that were not asked are no failed tasks."""
    call = ("backfill", "--start-date", "2023-01-01", "--end-date", "2025-07-31", "--select", BRONZE)
    with Limited(0) as api:
        aqi = Commands(tmp_path, tmp_path / "w", api.url, {"AQI_CLOCK__NOW": "2025-08-20T10:30:00Z"})
        done = aqi(*call)
        assert done.returncode == 1
        assert api.tried == 1
        assert done.stdout.count(LIMIT[1]["reason"]) == 1
        asked = re.search(r" on (\S+)\.\.(\S+)\. The limit of ", done.stdout)  # of two chunks that go at once, either
        assert asked, done.stdout
        first_day, last_day = map(date.fromisoformat, asked.groups())
        not_asked = (date(2025, 7, 31) - date(2023, 1, 1)).days - (last_day - first_day).days
        assert f"  not asked: {not_asked} days of 3 locations" in done.stdout.splitlines(), done.stdout
        first, *others = done.stderr.splitlines()
        assert first.startswith("warning There is no warehouse") and len(others) == 1, done.stderr
        assert len(done.stdout.splitlines()) < 12, done.stdout
    with contextlib.closing(sqlite3.connect(tmp_path / "prefect" / "prefect.db")) as history:
        states = "SELECT state_type, state_name, count(*) FROM task_run WHERE name LIKE 'fetch%' GROUP BY 1, 2"
        found = sorted(history.execute(states))
        assert found == [("CANCELLED", NOT_ASKED, 90), ("CANCELLED", SAME_CAUSE, 2), ("FAILED", "Failed", 1)]
