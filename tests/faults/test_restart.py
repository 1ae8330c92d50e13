"""`backfill --restart` that is broken off and called again goes on where it was; when it is done, it begins anew."""

from __future__ import annotations

import signal
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.support import oracle
from tests.support.aqi_process import Commands
from tests.support.clocks import MovingClock
from tests.support.provider import Provider, full_rows

pytestmark = pytest.mark.prefect

FIRST, DAYS = date(2025, 3, 1), 5
RESTART = ("backfill", "--start-date", "2025-03-01", "--end-date", "2025-03-05", "--chunk-mode", "daily", "--restart")
BRONZE_ALONE = ("--select", oracle.BRONZE, "--locations", "hanoi")


def test_a_restart_that_was_killed_goes_on_and_one_that_is_done_begins_anew(server: str, tmp_path: Path) -> None:
    clock = MovingClock(datetime(2025, 3, 20, 12, 10, tzinfo=UTC))
    environment = {"PREFECT_API_URL": server, "AQI_ENGINE": "embedded"}
    with Provider(clock, full_rows(["hanoi"], FIRST, DAYS)) as provider:
        aqi = Commands(tmp_path, tmp_path / "warehouse", provider.url, environment)

        def run(status: int, **env: str) -> tuple[list[date], str]:
            """The days that were asked for, and what was said."""
            aqi.environment = environment | {"AQI_CLOCK__NOW": clock().isoformat()} | env
            before = len(provider.requests)
            done = aqi(*RESTART, *BRONZE_ALONE)
            assert done.returncode == status, done.stdout + done.stderr
            clock.pass_(hours=1)
            return sorted(first for first, _, _ in provider.requests[before:]), done.stdout + done.stderr

        run(-signal.SIGKILL, AQI_CRASH_POINT="between-chunks:3")
        folder = tmp_path / "warehouse" / "_aqi" / "restarts"
        assert len(list(folder.glob("*.json"))) == 1
        made = {item["partition"] for item in aqi.json("status", oracle.BRONZE) if item["state"] == "fresh"}
        assert 1 < len(made) < DAYS, "chunks are written side by side"
        asked, said = run(0)
        assert {f"{day}/hanoi" for day in asked}.isdisjoint(made)
        assert len(asked) + len(made) == DAYS
        assert "Goes on with the restart that run " in said
        assert not list(folder.glob("*.json"))
        asked, said = run(0)
        assert asked == [date(2025, 3, day) for day in (1, 2, 3, 4, 5)]
        assert "Goes on" not in said
