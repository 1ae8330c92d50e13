"""The hourly run on the recorded hours, with a clock that goes on: hour after hour, over a gap, when nothing is new."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from resources.simulator.server import Simulator
from tests.support import oracle
from tests.support.small_lake import FETCHED, Lake

pytestmark = pytest.mark.engine

HOUR = timedelta(hours=1)
EVENING = datetime(2025, 9, 9, 22, 20, tzinfo=UTC)
"""Inside the run of 94 hours of Hà Nội, which goes on over two midnights of UTC."""


class Hours:
    """A lake that is loaded hour by hour, and the API as it was at that hour."""

    def __init__(self, folder: Path, shared: Any, recorded: Path, now: datetime) -> None:
        self.now = now
        self.api = Simulator(now=lambda: self.now, replay=recorded)
        self._folder, self._shared = folder, shared

    @property
    def lake(self) -> Lake:
        return Lake(self._folder, self._shared, self.api.url, now=self.now)

    def __enter__(self) -> Hours:
        self.api.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.api.stop()


@pytest.fixture
def shared(request: pytest.FixtureRequest) -> Any:
    """The embedded engine, unless a test names another one."""
    return request.getfixturevalue(getattr(request, "param", "embedded"))


on_both = pytest.mark.parametrize(
    "shared", ["embedded", pytest.param("on_spark", marks=pytest.mark.spark)], indirect=True
)


@pytest.fixture(scope="module")
def _evening(tmp_path_factory: pytest.TempPathFactory, embedded: Any, recorded: Path) -> Path:
    """A lake of one hourly run in the evening."""
    folder = tmp_path_factory.mktemp("evening") / "hourly"
    with Hours(folder, embedded, recorded, EVENING) as hours:
        assert hours.lake.hourly().ok
    return folder


@pytest.fixture
def loaded(tmp_path: Path, shared: Any, recorded: Path, _evening: Path) -> Iterator[Hours]:
    """As ``hours``, after the hourly run of the evening, whichever engine goes on with it."""
    shutil.copytree(_evening, tmp_path / "hourly")
    with Hours(tmp_path / "hourly", shared, recorded, EVENING) as hours:
        yield hours


@pytest.fixture
def hours(tmp_path: Path, shared: Any, recorded: Path) -> Iterator[Hours]:
    with Hours(tmp_path / "hourly", shared, recorded, EVENING) as hours:
        yield hours


def one_range(hours: Hours, folder: Path, days: str) -> dict[str, Any]:
    """The tables of one run over all days, at the hour that it is now."""
    lake = Lake(folder, hours.lake.shared, hours.api.url, now=hours.now)
    assert lake.materialize(days, FETCHED).ok
    return lake.tables()


ON_SPARK = [pytest.mark.spark, pytest.mark.slow]
"""What is left to be seen there, the day that ended shows."""


@pytest.mark.parametrize(
    ("runs", "skipped", "shared"),
    [
        pytest.param(3, 0, "embedded", id="3 hours over midnight"),
        pytest.param(3, 0, "on_spark", id="3 hours over midnight on Spark", marks=ON_SPARK),
        pytest.param(48, 0, "embedded", id="48 hours", marks=[pytest.mark.slow, pytest.mark.timeout(2700)]),
        pytest.param(1, 26, "embedded", id="a gap of 26 hours"),
        pytest.param(1, 24 * 5, "embedded", id="a gap of 5 days"),
        pytest.param(1, 24 * 5, "on_spark", id="a gap of 5 days on Spark", marks=ON_SPARK),
    ],
    indirect=["shared"],
)
def test_hour_by_hour_ends_in_the_tables_of_one_range(loaded: Hours, tmp_path: Path, runs: int, skipped: int) -> None:
    loaded.now += skipped * HOUR
    for _ in range(runs):
        loaded.now += HOUR
        summary = loaded.lake.hourly()
        assert summary.ok, summary.in_words()
    first = EVENING.date() - timedelta(days=2)
    assert loaded.lake.tables() == one_range(loaded, tmp_path / "range", f"{first}..{loaded.now.date()}")
    assert set(loaded.lake.states()[oracle.CITY_DAILY]) == {"fresh"}


def test_an_hour_in_which_nothing_is_new_needs_no_session_and_writes_nothing(loaded: Hours) -> None:
    before = loaded.lake.versions()
    loaded.now += timedelta(minutes=20)
    lake = loaded.lake
    summary = lake.hourly()
    assert (summary.ok, summary.outcomes, lake.sessions_wanted) == (True, (), 0)
    assert loaded.lake.versions() == before


@on_both
def test_a_day_that_ended_is_recorded_as_such_without_a_new_file(hours: Hours) -> None:
    """At 23:20 all hours of the day were there; after midnight it is known that no more will come."""
    hours.now = datetime(2025, 9, 9, 23, 20, tzinfo=UTC)
    assert hours.lake.hourly().ok
    files = hours.lake.files()[oracle.BRONZE]
    hours.now = datetime(2025, 9, 10, 0, 10, tzinfo=UTC)
    summary = hours.lake.hourly()
    bronze = next(outcome for outcome in summary.outcomes if outcome.step.asset == oracle.BRONZE)
    assert {key.day for key in bronze.unchanged} == {datetime(2025, 9, 9).date()}
    assert set(files) <= set(hours.lake.files()[oracle.BRONZE])
    assert hours.lake.states(oracle.BRONZE, "2025-09-09") == {
        oracle.BRONZE: {"fresh": ["2025-09-09/danang", "2025-09-09/hanoi", "2025-09-09/hcmc"]}
    }


def test_an_api_that_is_away_fails_the_run_without_a_session(loaded: Hours) -> None:
    before, lake = loaded.lake.versions(), loaded.lake
    loaded.api.stop()
    summary = lake.hourly()
    assert not summary.ok
    assert "bronze.open_meteo_hourly" in summary.in_words() and "failed: " in summary.in_words()
    assert lake.sessions_wanted == 0
    assert lake.versions() == before
