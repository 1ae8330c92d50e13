"""When a day was asked for: recorded where it was not over, and before the request was sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from assets import CATALOG
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.runs.records import as_of as recorded_as_of
from orchestration.engine.fetching import Fetching
from resources.simulator.server import HourValues, Simulator
from tests.support import oracle
from tests.support.clocks import MovingClock
from tests.support.fetches import KEYS, NOW, STEP, UNFINISHED, good_answer, outcomes, refusal, simulator, source
from tests.support.scripted_api import ScriptedApi


@pytest.mark.parametrize(
    ("day", "as_of"),
    [
        (date(2025, 8, 8), ""),
        (date(2025, 8, 9), "2025-08-09T10:30:00Z"),
        (date(2025, 8, 10), "2025-08-09T10:30:00Z"),
    ],
)
def test_only_a_day_that_is_not_over_has_an_as_of(day: date, as_of: str) -> None:
    with simulator() as server:
        asked = source(server.url, PartitionSet.of(Days.of(day), ["hanoi"]))
        outcomes(asked)
    assert as_ofs(asked) == {str(day): {as_of}}


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock(NOW)


def as_ofs(asked: Fetching, step: str = STEP) -> dict[str, set[str]]:
    """The moments that are recorded, by day."""
    found: dict[str, set[str]] = {}
    for key, sent in asked.sourced(step).items():
        found.setdefault(str(key.day), set()).add(recorded_as_of(CATALOG[oracle.BRONZE], key, sent.asked))
    return found


def test_as_of_is_when_it_was_asked_and_not_when_it_is_read(clock: MovingClock) -> None:
    """Between the answer and the step that reads it, the day ends."""
    with Simulator(now=clock) as server:
        asked = source(server.url, now=clock)
        outcomes(asked)
        before = asked.sourced(STEP)
    clock.pass_(days=2)
    assert as_ofs(asked) == {"2025-08-08": {""}, "2025-08-09": {"2025-08-09T10:30:00Z"}}
    assert asked.sourced(STEP) == before
    table = asked.table(STEP)
    assert table is not None
    assert set(table["_ingested_at"].to_pylist()) == {NOW + timedelta(days=2)}


def test_a_day_ends_with_its_last_instant(clock: MovingClock) -> None:
    for asked_at, as_of in (
        (datetime(2025, 8, 9, 23, 59, 59, tzinfo=UTC), "2025-08-09T23:59:59Z"),
        (datetime(2025, 8, 10, tzinfo=UTC), ""),
    ):
        clock.instant = asked_at
        with Simulator(now=clock) as server:
            asked = source(server.url, PartitionSet.of(Days.of(UNFINISHED), ["hanoi"]), now=clock)
            outcomes(asked)
        assert as_ofs(asked) == {"2025-08-09": {as_of}}


def test_as_of_is_before_the_request_was_sent(clock: MovingClock) -> None:
    """While the server answers, hours pass and the day ends: what came may lack what was said meanwhile."""

    def slowly(latitude: float, longitude: float, values: HourValues) -> HourValues:
        clock.pass_(hours=1)
        return values

    with Simulator(now=clock, override=slowly) as server:
        asked = source(server.url, now=clock)
        outcomes(asked)
    assert clock() > NOW + timedelta(days=1)
    assert as_ofs(asked)["2025-08-09"] == {"2025-08-09T10:30:00Z"}


def test_locations_of_one_request_have_one_as_of_and_requests_each_their_own(clock: MovingClock) -> None:
    """The clock moves by half an hour with every task; a request for each day, sent when its first task begins."""
    with Simulator(now=lambda: NOW + timedelta(days=3), injected=False) as server:
        days = PartitionSet.of(Days.of(UNFINISHED, date(2025, 8, 10)), KEYS)
        asked = source(server.url, days, max_days=1, now=clock)
        for task in asked.tasks:
            asked.fetch(task)
            clock.pass_(minutes=30)
    assert as_ofs(asked) == {"2025-08-09": {"2025-08-09T10:30:00Z"}, "2025-08-10": {"2025-08-09T12:00:00Z"}}


def test_locations_that_are_asked_again_one_by_one_have_each_their_own_moment(clock: MovingClock) -> None:
    """The first request, for all, is refused: nothing came of it."""

    def answer(latitudes: list[str], number: int) -> tuple[int, bytes]:
        clock.pass_(minutes=40)
        return refusal(400, "No data is available for this location") if number == 1 else good_answer(latitudes)

    with ScriptedApi(answer) as server:
        asked = source(server.url, now=clock)
        assert outcomes(asked) == {"hanoi": 36, "hcmc": 36, "danang": 37}
        assert len(server.asked) == 4
    moments = {key.location: sent.asked for key, sent in asked.sourced(STEP).items()}
    assert moments == {
        "hanoi": "2025-08-09T11:10:00Z",
        "hcmc": "2025-08-09T11:50:00Z",
        "danang": "2025-08-09T12:30:00Z",
    }
