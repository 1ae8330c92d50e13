"""Answers of a bad day through the whole command: days of nulls, one null hour, clocks that are wrong."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from resources.machine.clock import system_clock
from resources.simulator.server import Simulator
from tests.conftest import in_shared
from tests.support import oracle
from tests.support.aqi_process import Commands
from tests.support.field_server import FieldServer, with_added

pytestmark = pytest.mark.prefect

HANOI = ("--locations", "hanoi")
BRONZE, DAILY, EPISODE = oracle.BRONZE, oracle.CITY_DAILY, oracle.EPISODE
NULL_DAY, FILLED = "02_last_day_null.json", "02_three_days_filled.json"
NULL_HOUR, EPISODE_OF_60 = "09_one_pm25_hour_null.json", "09_episode_of_60_hours.json"


@pytest.fixture(scope="session")
def field() -> Path:
    """The folder with made-up answers; required in CI, elsewhere tests skip without it."""
    return in_shared("field", "the answers of a bad day")


@dataclass
class Machine:
    """Commands with an injected clock. done: the last command that was called."""

    commands: Commands
    done: subprocess.CompletedProcess[str] | None = None

    def at(self, now: str | datetime) -> Machine:
        self.commands.environment["AQI_CLOCK__NOW"] = now if isinstance(now, str) else now.isoformat()
        return self

    def asks(self, url: str) -> Machine:
        self.commands.base_url = url
        return self

    def run(self, *arguments: str, status: int = 0) -> str:
        """What a command says, on standard output and standard error."""
        self.done = done = self.commands(*arguments)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def make(self, days: str) -> str:
        return self.run("materialize", "*", "--partitions", days, *HANOI)

    def hourly(self) -> str:
        return self.run("materialize", "*", "--hourly", *HANOI)

    def status(self, asset: str = BRONZE, days: str = "") -> dict[str, Any]:
        """By day of hanoi what `aqi status --json` says."""
        found = self.commands.json("status", asset, *(("--partitions", days) if days else ()), *HANOI)
        return {item["partition"].partition("/")[0]: item for item in found}

    def marks(self, asset: str = BRONZE) -> dict[str, list[str]]:
        """The marks by day, of days that have some."""
        return {day: item["marks"] for day, item in self.status(asset).items() if item["marks"]}

    def covered_until(self, asset: str = BRONZE) -> str | None:
        lags = self.commands.read("freshness", asset, "--json")  # its exit status is another matter
        assert lags.returncode in (0, 1), lags.stderr
        (lag,) = (lag for lag in json.loads(lags.stdout) if lag["location"] == "hanoi")
        return None if lag["covered_until"] is None else str(lag["covered_until"])

    def hours(self, day: str, column: str = "aqi") -> list[str]:
        """A column of bronze, hour by hour of a day; empty texts are nulls."""
        rows = sorted(self.commands.csv(BRONZE), key=lambda row: row["ts_utc"])
        return [row[column] for row in rows if row["date_utc"] == day]

    def versions(self) -> dict[str, int]:
        """The number of commits of each table."""
        logs = Path(self.commands.warehouse).glob("*/*/_delta_log")
        return {str(log.parent.name): len(list(log.glob("*.json"))) for log in logs}


@pytest.fixture
def machine(server: str, tmp_path: Path) -> Machine:
    environment = {"PREFECT_API_URL": server, "AQI_ENGINE": "embedded"}
    return Machine(Commands(tmp_path, tmp_path / "warehouse", "", environment))


WHOLE = [str(80 + hour) for hour in range(24)]
"""The index of a day of the inputs 02."""


# --- 02: a day of nulls ---------------------------------------------------------------------------


def test_a_day_of_nulls_is_told_of_and_comes_in_by_itself(machine: Machine, serve: Callable[..., FieldServer]) -> None:
    machine.at("2025-09-11T06:00:00Z")
    with serve(NULL_DAY) as api:
        said = machine.asks(api.url).make("2025-09-08..2025-09-10")
    assert re.search(r"2025-09-10\S* .*incomplete.* 0 of 24 hours", said)
    assert not re.search(r"2025-09-0[89].*incomplete", said)
    assert list(machine.marks()) == ["2025-09-10"]
    assert machine.marks()["2025-09-10"] == ["incomplete: 0 of 24 hours"]
    assert {item["state"] for item in machine.status().values()} == {"fresh"}
    assert machine.covered_until() == "2025-09-10T00:00:00Z"
    assert machine.covered_until(DAILY) == "2025-09-10T00:00:00Z"
    assert machine.hours("2025-09-10") in ([], 24 * [""])

    machine.at("2025-09-14T06:00:00Z")
    with serve(FILLED) as api:
        machine.asks(api.url).hourly()
        assert any(first <= "2025-09-10" <= last for first, last in api.asked)
        assert not any(first <= "2025-09-09" for first, last in api.asked), "what is whole is not asked for"
    assert machine.hours("2025-09-10") == WHOLE
    assert "2025-09-10" not in machine.marks()
    (day,) = (row for row in machine.commands.csv(DAILY) if row["date_utc"] == "2025-09-10")
    assert (day["hours_measured"], day["aqi_daily_max"]) == ("24", "103")


def test_nulls_of_an_outage_take_no_good_hour_away(machine: Machine, serve: Callable[..., FieldServer]) -> None:
    with serve(FILLED, NULL_DAY) as api:
        machine.at("2025-09-11T05:00:00Z").asks(api.url).make("2025-09-08..2025-09-10")
        good = machine.commands.csv(BRONZE)
        machine.at("2025-09-11T06:00:00Z")
        said = machine.hourly()
        kept = [row for row in machine.commands.csv(BRONZE) if row["date_utc"] <= "2025-09-10"]
        assert sorted(map(str, kept)) == sorted(map(str, good))
        assert re.search(r"24 hours of 2025-09-10\S*.* stay as they were", " ".join(said.split()))
        assert "withdrawn: 24 hours" in machine.marks()["2025-09-10"]
        assert not any("incomplete" in mark for mark in machine.marks()["2025-09-10"])
        versions = machine.versions()
        said = machine.at("2025-09-11T06:20:00Z").hourly()
        assert machine.versions() == versions, "the same answer again is not new"
        assert "stay as they were" not in said


# --- 09: one null hour of PM2.5 -------------------------------------------------------------------


def test_one_null_hour_cuts_an_episode_until_it_is_filled(machine: Machine, serve: Callable[..., FieldServer]) -> None:
    machine.at("2025-08-16T00:30:00Z")
    with serve(NULL_HOUR) as api:
        said = machine.asks(api.url).make("2025-08-12..2025-08-15")
    assert episodes(machine) == [("2025-08-12T19:00:00Z", 15), ("2025-08-14T10:00:00Z", 21)]
    assert list(machine.marks()) == ["2025-08-13", "2025-08-14"]
    assert [machine.marks()[day][0].partition(" hours")[0] for day in ("2025-08-13", "2025-08-14")] == [
        "incomplete: 10 of 24",
        "incomplete: 14 of 24",
    ]
    assert "10 of 24" in said
    assert "14 of 24" in said
    assert machine.covered_until() == "2025-08-16T00:00:00Z"

    machine.at("2025-08-18T06:00:00Z")
    with serve(EPISODE_OF_60) as api:
        machine.asks(api.url).hourly()
    assert episodes(machine) == [("2025-08-12T19:00:00Z", 60)]
    start = datetime(2025, 8, 12, 19, tzinfo=UTC)
    (row,) = machine.commands.csv(EPISODE)
    assert row["episode_id"] == oracle.episode_id("hanoi", start, oracle.rule_code())
    assert not {"2025-08-13", "2025-08-14"} & machine.marks().keys()
    assert {item["state"] for item in machine.status(EPISODE, "2025-08-12..2025-08-15").values()} == {"fresh"}


def episodes(machine: Machine) -> list[tuple[str, int]]:
    return sorted((row["start_ts_utc"], int(row["duration_hours"])) for row in machine.commands.csv(EPISODE))


# --- clocks ---------------------------------------------------------------------------------------

CALLS: dict[str, tuple[str, ...]] = {
    "materialize": ("materialize", BRONZE, "--partitions", "2025-09-09..2025-09-10", *HANOI),
    "backfill": (
        *("backfill", "--start-date", "2025-09-09", "--end-date", "2025-09-10", "--chunk-mode", "daily"),
        *("--select", BRONZE, *HANOI),
    ),
    "hourly": ("materialize", BRONZE, "--hourly", *HANOI),
}
RIGHT = datetime(2025, 9, 10, 6, 10, tzinfo=UTC)
"""On the last day of the inputs."""
AHEAD = {"an hour": timedelta(hours=1), "a day": timedelta(days=1)}
wrong_clocks = pytest.mark.parametrize(
    ("ahead", "call"),
    [
        pytest.param(ahead, call, marks=() if (ahead, call) == ("a day", "materialize") else pytest.mark.slow)
        for ahead in AHEAD
        for call in CALLS
    ],
)


@wrong_clocks
def test_what_a_clock_ahead_recorded_is_not_believed(
    machine: Machine, serve: Callable[..., FieldServer], field: Path, tmp_path: Path, ahead: str, call: str
) -> None:
    """The source's Date is not compared with an injected clock: forecasts come in, and the real hours after them."""
    with serve(FILLED) as api:
        machine.at(RIGHT + AHEAD[ahead]).asks(api.url).run(*CALLS[call])
    assert len(machine.hours("2025-09-10")) == (24 if ahead == "a day" else 8)
    machine.at(RIGHT)
    found = machine.status()["2025-09-10"]
    assert found["state"] == "stale"
    assert "a moment that has not come" in found["reason"]
    right = with_added(field, FILLED, tmp_path / "right.json", "pm2_5", 100.0)
    with serve(right) as api:
        machine.asks(api.url).run(*CALLS[call])
        assert [float(text) for text in machine.hours("2025-09-10", "pm25")[:7]] == [130.0 + hour for hour in range(7)]
        machine.at(RIGHT + timedelta(hours=18)).run(*CALLS[call])
    assert [float(text) for text in machine.hours("2025-09-10", "pm25")] == [130.0 + hour for hour in range(24)]
    assert machine.status()["2025-09-10"]["state"] == "fresh"
    assert not machine.marks().get("2025-09-10")


@pytest.mark.parametrize(
    "call", ["hourly", *(pytest.param(call, marks=pytest.mark.slow) for call in ("materialize", "backfill"))]
)
def test_a_clock_an_hour_back_takes_no_hour_away(
    machine: Machine, serve: Callable[..., FieldServer], field: Path, tmp_path: Path, call: str
) -> None:
    revised = with_added(field, FILLED, tmp_path / "revised.json", "pm2_5", 100.0)
    with serve(FILLED) as api:
        machine.at(RIGHT).asks(api.url).run(*CALLS[call])
    with serve(revised) as api:
        machine.at(RIGHT - timedelta(hours=1)).asks(api.url).run(*CALLS[call])
        values = [float(text) for text in machine.hours("2025-09-10", "pm25")]
        assert values == [*(130.0 + hour for hour in range(6)), 36.0]
        machine.at(RIGHT + timedelta(hours=1)).run(*CALLS[call])
    assert [float(text) for text in machine.hours("2025-09-10", "pm25")] == [130.0 + hour for hour in range(8)]


@pytest.mark.parametrize(
    "off",
    [
        timedelta(days=1),
        pytest.param(timedelta(hours=1), marks=pytest.mark.slow),
        pytest.param(timedelta(hours=-1), marks=pytest.mark.slow),
        timedelta(minutes=4),
    ],
)
def test_a_clock_that_the_source_contradicts_is_refused(machine: Machine, off: timedelta) -> None:
    """Where the source's Date is compared: both moments are named, and nothing is committed; minutes are let pass."""
    with Simulator(now=lambda: RIGHT) as simulator:
        machine.asks(simulator.url).at(RIGHT + off)
        refused = off > timedelta(minutes=5) or off < -timedelta(minutes=5)
        for call in CALLS if refused else ("materialize",):
            said = machine.run(*CALLS[call], status=1 if refused else 0)
            if refused:
                for moment in (RIGHT, RIGHT + off):
                    assert f"{moment:%Y-%m-%dT%H:%M}" in said, said
        assert machine.versions().get(BRONZE.partition(".")[2], 0) <= (0 if refused else 2)
    if refused:
        assert all(one["version"] is None for one in machine.commands.json("status", BRONZE, *HANOI))


@pytest.mark.parametrize("off", [timedelta(hours=-1), pytest.param(timedelta(days=1), marks=pytest.mark.slow)])
def test_a_clock_of_the_day_that_the_source_contradicts_is_refused(machine: Machine, off: timedelta) -> None:
    """As the time of day and a provider's Date are compared, which no header says are made up."""
    machine.commands.environment.pop("AQI_CLOCK__NOW", None)
    with Simulator(now=system_clock, injected=False, date_offset=off) as simulator:
        begun = system_clock()
        said = machine.asks(simulator.url).run("materialize", BRONZE, "--partitions", "last:1", *HANOI, status=1)
    for moment in (begun, begun + off):
        assert f"{moment:%Y-%m-%dT}" in said
    assert "max_clock_difference" in said or "min apart" in said
    assert all(one["version"] is None for one in machine.commands.json("status", BRONZE, *HANOI))
