"""What fails is named, fails alone, and everything else is there."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.partitions.keys import PartitionSet
from resources.simulator.faults import Fault
from resources.simulator.server import Simulator
from tests.support import oracle
from tests.support.feed import Feed
from tests.support.small_lake import DATED, FETCHED, NOW, Lake
from tests.support.strategies import LOCATIONS, random_bronze

DAYS = "2025-03-01..2025-03-06"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Six days of three locations without long runs: every hour far below the threshold."""
    made = random_bronze(50, days=6, first=date(2025, 3, 1), breaking=False)
    return [{**row, "aqi": min(row["aqi"], 100) if row["aqi"] is not None else None} for row in made]


def outcomes(summary: Any) -> dict[str, Any]:
    return {outcome.step.asset: outcome for outcome in summary.outcomes}


def test_an_api_that_ends_in_mid_run_fails_exactly_the_days_that_did_not_come(
    either_slowly: Any, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    """Two requests of three days each; the server ends after the first."""
    flags = {"open_meteo": {"max_days_per_request": 3, "connect_timeout_seconds": 1}}
    with Feed(rows, [Fault("die", 1)]) as feed:
        lake = Lake(tmp_path, either_slowly, feed.server.url, flags=flags)
        summary = lake.materialize(DAYS)
    assert summary.exit_status == 1
    found = outcomes(summary)
    lost = {f"2025-03-0{day}/{location}" for day in (4, 5, 6) for location in LOCATIONS}
    assert set(found[oracle.BRONZE].failed.keys()) == lost
    for key in DATED[1:]:
        assert set(found[key].skipped.keys()) == lost, key
        assert not found[key].failed
        assert {str(item) for item in found[key].succeeded} == {
            f"2025-03-0{day}/{location}" for day in (1, 2, 3) for location in LOCATIONS
        }
    assert {row["date_utc"] for row in lake.rows(oracle.FACT_HOURLY)} <= {date(2025, 3, day) for day in (1, 2, 3)}
    assert len(lake.rows(oracle.DIM_DATE)) == len(oracle.dim_date())
    with Feed(rows) as feed:
        mended = Lake(tmp_path, either_slowly, feed.server.url)
        assert mended.materialize(DAYS).ok
        whole = Lake(tmp_path / "whole", either_slowly, feed.server.url)
        whole.materialize(DAYS, FETCHED)
        assert mended.tables() == whole.tables()


def test_one_bad_location_fails_alone(embedded: Any, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    with Simulator(now=lambda: NOW, refuse_locations={LOCATIONS["hcmc"]}) as simulator:
        lake = Lake(tmp_path, embedded, simulator.url)
        summary = lake.materialize("2025-03-01..2025-03-02", FETCHED)
    found = outcomes(summary)
    assert summary.exit_status == 1
    assert found[oracle.BRONZE].failed.locations == ("hcmc",)
    assert "No data is available for this location" in found[oracle.BRONZE].problems[0].message
    for key in DATED[1:]:
        assert found[key].skipped.locations == ("hcmc",), key
        assert found[key].succeeded.locations == ("danang", "hanoi"), key
    assert {row["location_key"] for row in lake.rows(oracle.CITY_DAILY)} == {"danang", "hanoi"}


def test_a_failure_beside_a_run_over_midnight_concerns_the_episodes_that_reach_it(
    embedded: Any, tmp_path: Path
) -> None:
    """Hours at the end of the last good day are flagged: its episodes depend on the day that failed."""
    made = random_bronze(51, days=4, locations=["hanoi"], first=date(2025, 3, 1), breaking=False)
    flagged = [
        {**row, "aqi": 200 if row["date_utc"] == date(2025, 3, 2) and row["ts_utc"].hour >= 20 else 50} for row in made
    ]
    flags = {"open_meteo": {"max_days_per_request": 2, "connect_timeout_seconds": 1}}
    with Feed(flagged, [Fault("die", 1)]) as feed:
        lake = Lake(tmp_path, embedded, feed.server.url, flags=flags)
        summary = lake.materialize("2025-03-01..2025-03-04", FETCHED, ["hanoi"])
    episode = outcomes(summary)[oracle.EPISODE]
    assert episode.succeeded == PartitionSet.from_keys(
        [key for key in episode.step.partitions if str(key) == "2025-03-01/hanoi"]
    )
    assert outcomes(summary)[oracle.CITY_DAILY].succeeded.keys() == ["2025-03-01/hanoi", "2025-03-02/hanoi"]


@pytest.mark.parametrize(("fault", "said"), [("html", "HTML"), ("error", "500"), ("nonsense", "another shape")])
def test_an_api_that_answers_nonsense_leaves_the_tables_as_they_were(
    embedded: Any, tmp_path: Path, fault: str, said: str
) -> None:
    with Simulator(now=lambda: NOW, faults=(Fault(fault),)) as simulator:
        lake = Lake(tmp_path, embedded, simulator.url)
        summary = lake.materialize("2025-03-01", FETCHED)
    assert summary.exit_status == 1
    problem = summary.outcomes[0].problems[0]
    assert said in problem.message
    assert "127.0.0.1" in problem.message
    assert set(lake.versions().values()) == {None}
