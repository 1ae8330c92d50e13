"""The tables of the data model against the oracle, on random data, through the real client, an engine and Delta."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from resources.simulator.faults import Fault
from resources.simulator.server import Simulator
from tests.support import oracle
from tests.support.feed import Feed
from tests.support.small_lake import DATED, FETCHED, NOW, Lake
from tests.support.strategies import hours_of, plain_row, random_bronze

"""All but the dimensions."""


def expected(bronze: list[dict[str, Any]]) -> dict[str, Any]:
    """Every dated table that the oracle makes of bronze rows, in comparable form."""
    return {key: oracle.canonical(rows, oracle.COLUMNS[key]) for key, rows in oracle.dated_tables(bronze).items()}


def span(rows: list[dict[str, Any]]) -> str:
    days = [row["date_utc"] for row in rows]
    return f"{min(days)}..{max(days)}"


@pytest.mark.parametrize(
    "seed",
    [*(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 7)), pytest.param(42, marks=pytest.mark.slow), 149],
)
def test_random_data_gives_the_oracles_tables(either: Any, tmp_path: Path, seed: int) -> None:
    """Nulls, gaps, rule-breaking values, ties, episodes over midnights; seed 149: a leap day and a run of a week."""
    rows = random_bronze(seed, days=9 if seed % 2 else 14)
    with Feed(rows) as feed:
        lake = Lake(tmp_path, either, feed.server.url)
        summary = lake.materialize(span(rows))
        assert summary.ok, [p.message for o in summary.outcomes for p in o.problems]
        tables = lake.tables()
    want = expected(rows)
    for key in DATED:
        assert tables[key] == want[key], key
    assert len(tables[oracle.BRONZE]) == len(tables[oracle.SILVER]) + len(tables[oracle.QUARANTINE])


@pytest.mark.pipeline
def test_dimensions(either: Any, tmp_path: Path) -> None:
    lake = Lake(tmp_path, either, "http://127.0.0.1:9")
    workspace = lake.workspace
    request = workspace.requested(workspace.select("tag:dimension"), None)
    summary = lake.materialize(None, "tag:dimension")
    assert summary.ok, [problem.message for one in summary.outcomes for problem in one.problems]
    for key, rows in (
        (oracle.DIM_DATE, oracle.dim_date()),
        (oracle.DIM_TIME, oracle.dim_time()),
        (oracle.DIM_LOCATION, oracle.dim_location()),
        (oracle.DIM_POLLUTANT, oracle.dim_pollutant()),
    ):
        assert key in request.assets
        assert lake.canonical(key) == oracle.canonical(rows, oracle.COLUMNS[key]), key


def test_doubled_hours_are_taken_once_and_a_conflict_is_refused(embedded: Any, tmp_path: Path) -> None:
    rows = random_bronze(14, days=3, locations=["hanoi"], breaking=False)
    with Feed(rows, [Fault("duplicate", 0.3)]) as feed:
        lake = Lake(tmp_path / "doubled", embedded, feed.server.url)
        assert lake.materialize(span(rows), FETCHED, ["hanoi"]).ok
        assert lake.tables() == expected(rows)
    with Simulator(now=lambda: NOW, faults=(Fault("conflict", 1.0),)) as simulator:
        lake = Lake(tmp_path / "conflict", embedded, simulator.url)
        summary = lake.materialize("2025-03-01", FETCHED, ["hanoi"])
    bronze = summary.outcomes[0]
    assert bronze.failed == bronze.step.partitions
    assert "different" in bronze.problems[0].message
    assert lake.versions()[oracle.BRONZE] is None


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_chunks_do_not_matter(either: Any, tmp_path: Path) -> None:
    """One range; halves in reverse; single days in a scrambled order, one of them twice: the same rows and ids."""
    rows = random_bronze(3, days=5, locations=2, breaking=False)
    days = sorted({row["date_utc"] for row in rows})
    first, last, middle = days[0], days[-1], days[len(days) // 2]
    with Feed(rows) as feed:
        in_one = Lake(tmp_path / "one", either, feed.server.url)
        in_one.materialize(f"{first}..{last}")
        halves = Lake(tmp_path / "halves", either, feed.server.url)
        halves.materialize(f"{middle}..{last}")
        halves.materialize(f"{first}..{middle}")
        daily = Lake(tmp_path / "daily", either, feed.server.url)
        for day in [*days[::2], *days[1::2], first]:
            assert daily.materialize(str(day), FETCHED, force=True).ok
    assert in_one.tables() == expected(rows)
    assert halves.tables() == in_one.tables()
    assert daily.tables() == in_one.tables()


@pytest.mark.pipeline
@pytest.mark.costly
def test_again_changes_no_file_and_commits_nothing(embedded: Any, tmp_path: Path) -> None:
    rows = random_bronze(2, days=4)
    with Feed(rows) as feed:
        lake = Lake(tmp_path, embedded, feed.server.url)
        lake.materialize(span(rows))
        files, versions = lake.files(), lake.versions()
        assert lake.materialize(span(rows)).plan.steps == ()
        again = lake.materialize(span(rows), force=True)
    assert again.ok
    assert {outcome.step.asset for outcome in again.outcomes} == {*lake.workspace.catalog.keys}
    assert all(not outcome.written for outcome in again.outcomes)
    assert lake.files() == files
    assert lake.versions() == versions


def test_a_revision_rewrites_its_day_and_what_follows(either_slowly: Any, tmp_path: Path) -> None:
    """One hour of one city changes: one partition per table, and an episode only where it really changes."""
    rows = random_bronze(4, days=4, locations=["hanoi", "danang"], breaking=False)
    revised = next(row for row in rows if row["location_key"] == "hanoi" and row["aqi"] and row["aqi"] < 40)
    key = f"{revised['date_utc']}/hanoi"
    with Feed(rows) as feed:
        lake = Lake(tmp_path, either_slowly, feed.server.url)
        lake.materialize(span(rows), FETCHED)
        feed.revise("hanoi", revised["ts_utc"], pm25=77.5)
        summary = lake.materialize(span(rows), FETCHED, force=True)
        assert lake.tables() == expected(feed.rows)
    written = {outcome.step.asset: outcome.written.keys() for outcome in summary.outcomes if outcome.written}
    assert written == {
        "bronze.open_meteo_hourly": [key],
        "silver.air_quality_hourly_clean": [key],
        "gold.fact_air_quality_hourly": [key],
    }


def test_a_withdrawn_hour_is_removed_and_the_last_one_empties_the_day(either_slowly: Any, tmp_path: Path) -> None:
    rows = random_bronze(6, days=3, locations=["hcmc"], breaking=False)
    day = rows[-1]["date_utc"]
    with Feed(rows) as feed:
        lake = Lake(tmp_path, either_slowly, feed.server.url)
        lake.materialize(span(rows), FETCHED, ["hcmc"])
        for row in [row for row in rows if row["date_utc"] == day]:
            feed.withdraw("hcmc", row["ts_utc"])
        summary = lake.materialize(span(rows), FETCHED, ["hcmc"], force=True)
        assert summary.ok
        assert lake.tables() == expected(feed.rows)
    state = lake.workspace.warehouse.state(lake.workspace.catalog[oracle.CITY_DAILY])
    assert {str(key): record.rows for key, record in state.records.items()}[f"{day}/hcmc"] == 0


@pytest.mark.pipeline
def test_hours_after_the_clock_never_enter_bronze(embedded: Any, tmp_path: Path) -> None:
    rows = random_bronze(9, days=3, locations=["hanoi"], first=date(2025, 3, 1), breaking=False)
    now = datetime(2025, 3, 3, 6, 30, tzinfo=UTC)
    with Feed(rows, now=now) as feed:
        lake = Lake(tmp_path, embedded, feed.server.url, now=now)
        summary = lake.materialize("2025-03-01..2025-03-05", FETCHED, ["hanoi"])
        assert summary.ok
        assert lake.canonical(oracle.BRONZE) == expected([row for row in rows if row["ts_utc"] <= now])[oracle.BRONZE]
    assert {item.partitions.keys()[0] for item in summary.plan.left_out} == {"2025-03-04/hanoi"}
    state = lake.workspace.warehouse.state(lake.workspace.catalog[oracle.BRONZE])
    as_of = {str(key): record.as_of for key, record in state.records.items()}
    assert as_of == {"2025-03-01/hanoi": "", "2025-03-02/hanoi": "", "2025-03-03/hanoi": "2025-03-03T06:30:00Z"}


def test_a_day_outside_the_calendar_fails_its_check_and_says_which_setting(embedded: Any, tmp_path: Path) -> None:
    rows = [plain_row("hanoi", hour) for hour in hours_of(date(2025, 3, 1), 3)]
    rules = {"calendar": {"first": date(2025, 3, 2), "last": date(2025, 12, 31)}}
    with Feed(rows) as feed:
        lake = Lake(tmp_path, embedded, feed.server.url, flags={"rules": rules})
        summary = lake.materialize("2025-03-01..2025-03-03", FETCHED, ["hanoi"])
    hourly = next(outcome for outcome in summary.outcomes if outcome.step.asset == oracle.FACT_HOURLY)
    assert hourly.failed.keys() == ["2025-03-01/hanoi"]
    assert "rules.calendar" in hourly.problems[0].message
    assert summary.exit_status == 1
    days = {row["date_utc"] for row in lake.rows(oracle.CITY_DAILY)}
    assert date(2025, 3, 1) not in days
    assert days


def test_thresholds_are_configuration(embedded: Any, tmp_path: Path) -> None:
    rows = random_bronze(12, days=5, breaking=False)
    with Feed(rows) as feed:
        lake = Lake(
            tmp_path, embedded, feed.server.url, flags={"rules": {"episode": {"threshold": 101, "min_hours": 2}}}
        )
        assert lake.materialize(span(rows), f"+{oracle.EPISODE}").ok
    want = oracle.episodes(oracle.fact_hourly(oracle.silver(rows)), threshold=101, min_hours=2)
    assert lake.canonical(oracle.EPISODE) == oracle.canonical(want, oracle.COLUMNS[oracle.EPISODE])
    assert want
