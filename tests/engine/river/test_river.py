"""The unchanged engine on another project: other sources, columns, parameters, checks and mappings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from rich.console import Console

from orchestration.cli.progress import Quiet
from orchestration.core.runs.outcome import RunSummary
from orchestration.engine.changes.rename import run_rename
from tests.support.engines import SharedEngine
from tests.support.river.filled import BEFORE, DAYS, ENDED, FIRST, NOW, RANGE, TODAY, fill
from tests.support.river.lake import RiverLake, Rivers
from tests.support.river.oracle import DAILY, DATED, DIM_ALARM, DIM_GAUGE, FLOODS, LEVELS, RAINFALL, READINGS, REFUSED
from tests.support.river.service import GAUGES, at


@pytest.fixture
def rivers(tmp_path: Path) -> Iterator[Rivers]:
    """Sources of the test's own."""
    found = fill(tmp_path)
    with found.service:
        yield found


def lake_of(folder: Path, shared: SharedEngine, rivers: Rivers) -> RiverLake:
    return RiverLake(folder / "lake", shared, rivers.service.url, now=NOW, rain=rivers.folder)


def make(lake: RiverLake) -> None:
    """The days, in three steps."""
    for step in (lambda: lake.materialize("2025-03-01"), lambda: lake.materialize(RANGE), lake.hourly):
        summary = step()
        assert summary.ok, summary.in_words()


@pytest.fixture(scope="module")
def _made(embedded: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the days."""
    folder = tmp_path_factory.mktemp("rivers")
    rivers = fill(folder)
    with rivers.service:
        make(lake_of(folder, embedded, rivers))
    return folder / "lake"


@pytest.fixture
def lake(_made: Path, embedded: Any, rivers: Rivers, tmp_path: Path) -> RiverLake:
    """A copy of that warehouse, on sources of the test's own."""
    shutil.copytree(_made, tmp_path / "lake")
    return lake_of(tmp_path, embedded, rivers)


def written(summary: RunSummary) -> dict[str, list[str]]:
    return {outcome.step.asset: outcome.written.keys() for outcome in summary.outcomes if outcome.written}


def all_fresh(lake: RiverLake) -> bool:
    return all(states == {"fresh"} for states in lake.state_names(RANGE).values())


def test_the_tables_are_those_of_the_oracle(either_slowly: Any, rivers: Rivers, tmp_path: Path) -> None:
    """Of a range in two steps, and of an hourly run after them."""
    lake = lake_of(tmp_path, either_slowly, rivers)
    make(lake)
    expected = rivers.expected(DAYS, now=NOW)
    assert lake.tables() == expected
    assert [len(expected[key]) for key in (REFUSED, FLOODS)] == [2, 2], "or the test says little"
    assert all_fresh(lake)


def test_a_second_run_writes_nothing_and_needs_no_session(lake: RiverLake, rivers: Rivers) -> None:
    versions = lake.versions()
    summary = lake.materialize(RANGE)
    assert (summary.plan.steps, summary.ok, rivers.service.asked) == ((), True, [])
    hourly = lake.hourly()
    assert (hourly.plan.steps, hourly.ok, len(rivers.service.asked)) == ((), True, 1)
    assert (lake.versions(), lake.sessions_wanted) == (versions, 0)


def test_a_file_that_grows_makes_exactly_its_days_stale_in_an_hourly_run(lake: RiverLake, rivers: Rivers) -> None:
    """Two days before today are compared; a day before them is not asked about, though its file has changed too."""
    for day in (ENDED[1], ENDED[3]):
        rivers.rain["birch", day].append(2.5)
    rivers.write()
    summary = lake.hourly()
    assert summary.ok, summary.in_words()
    assert written(summary) == {RAINFALL: ["2025-03-04/birch"], DAILY: ["2025-03-04/birch"]}
    rivers.rain["birch", ENDED[1]].pop()
    assert lake.tables() == rivers.expected(DAYS, now=NOW)


def test_an_hour_later_what_is_new_and_what_was_revised_follows_through(lake: RiverLake, rivers: Rivers) -> None:
    """The gauges have more of a day until it is over; nobody waits for a file. The flood of birch, which ended with its
    day, has an hour more of the day after.
    """
    rivers.service.levels["birch", at(date(2025, 3, 4), 0)] = (4.5, 20.0)
    lake.now = NOW + timedelta(hours=1)
    today = [f"{TODAY}/{gauge}" for gauge in GAUGES]
    assert lake.states(READINGS)[READINGS]["stale"] == today
    assert set(lake.states(RAINFALL)[RAINFALL]) == {"fresh"}
    summary = lake.hourly()
    assert summary.ok, summary.in_words()
    changed = {"2025-03-04/birch", *today}
    assert {key: set(keys) for key, keys in written(summary).items()} == {
        READINGS: changed,
        LEVELS: changed,
        DAILY: changed,
        FLOODS: {"2025-03-03/birch"},
    }
    assert lake.tables() == rivers.expected(DAYS, now=lake.now)


def test_rows_changed_by_hand_are_mended(lake: RiverLake) -> None:
    before = lake.tables()
    DeltaTable(lake.uri(DAILY)).delete("reading_day = '2025-03-02' AND gauge_id = 'alder'")
    DeltaTable(lake.uri(RAINFALL)).update({"rain_mm": "99"}, predicate="fell_on = '2025-03-03' AND bucket = 1")
    DeltaTable(lake.uri(DIM_ALARM)).update({"min_hours": "99"})
    states = lake.states()
    assert "2025-03-02/alder" in states[DAILY]["unrecorded"]
    assert "2025-03-03/birch" in states[RAINFALL]["unrecorded"]
    assert states[DIM_ALARM] == {"unrecorded": ["null"]}
    summary = lake.repair()
    assert summary.ok, summary.in_words()
    assert written(summary)[DAILY] == ["2025-03-02/alder"]
    assert {key[:10] for key in written(summary)[RAINFALL]} == {"2025-03-03"}
    assert lake.tables() == before
    assert all_fresh(lake)
    assert lake.repair().plan.steps == ()


def test_a_gauge_that_fails_fails_alone(lake: RiverLake, rivers: Rivers) -> None:
    rivers.service.broken = {"birch"}
    summary = lake.materialize(f"{BEFORE}")
    assert summary.exit_status == 1
    found = {outcome.step.asset: outcome for outcome in summary.outcomes}
    assert found[READINGS].failed.keys() == [f"{BEFORE}/birch"]
    assert "no data of birch" in found[READINGS].problems[0].message
    assert not found[RAINFALL].not_made
    for key in (LEVELS, REFUSED, DAILY, FLOODS):
        assert (found[key].skipped.keys(), found[key].failed.keys()) == ([f"{BEFORE}/birch"], []), key
    rivers.service.broken = set()
    assert lake.materialize(f"{BEFORE}").ok
    assert lake.tables() == rivers.expected([BEFORE, *DAYS], now=NOW)


def test_a_source_that_is_away_leaves_what_the_other_brings(lake: RiverLake, tmp_path: Path) -> None:
    lake.rain = tmp_path / "nowhere"
    summary = lake.materialize(f"{BEFORE}", locations=["alder"])
    assert summary.exit_status == 1
    found = {outcome.step.asset: outcome for outcome in summary.outcomes}
    assert {key for key, outcome in found.items() if not outcome.not_made} == {READINGS, LEVELS, REFUSED, FLOODS}
    assert "the folder of rain" in found[RAINFALL].problems[0].message
    lake.base_url = "http://127.0.0.1:9"
    (problem,) = lake.materialize(f"{BEFORE}", READINGS, ["willow"]).outcomes[0].problems
    assert "the gauges cannot be reached" in problem.message


def test_a_check_of_its_own_leaves_the_partition_as_it_was(lake: RiverLake, rivers: Rivers) -> None:
    before = lake.canonical(DAILY)
    rivers.service.levels["willow", at(date(2025, 3, 4), 9)] = (12.0, 40.0)
    summary = lake.hourly()
    assert summary.exit_status == 1
    (problem,) = next(outcome for outcome in summary.outcomes if outcome.step.asset == DAILY).problems
    assert problem.partitions.keys() == ["2025-03-04/willow"]
    assert "check above_the_crest failed" in problem.message
    assert "look at the gauge" in problem.message
    assert lake.canonical(DAILY) == before
    lake.flags = {"gauging": {"crest": 15.0}}
    assert lake.materialize("2025-03-04", DAILY).ok
    assert max(row["level_max_m"] for row in lake.rows(DAILY)) == 12.0


def test_a_warning_of_its_own_counts_and_publishes(lake: RiverLake) -> None:
    """Three hours were refused or are not known; of a day that goes on it says nothing."""
    state = lake.workspace.warehouse.state(lake.workspace.catalog[DAILY])
    found = {str(key): dict(record.checks) for key, record in state.records.items() if record.checks}
    unread = {"hours_unread": 1}
    assert found == {"2025-03-02/birch": unread, "2025-03-02/willow": unread, "2025-03-03/willow": unread}
    assert len([row for row in lake.rows(DAILY) if row["reading_day"] == TODAY]) == 3


def test_another_parameter_makes_stale_what_is_made_of_it(lake: RiverLake, rivers: Rivers) -> None:
    lake.flags = {"alarm": {"level": 5.5, "min_hours": 2}}
    stale = {key for key, states in lake.states(days=RANGE).items() if "stale" in states}
    assert stale == {FLOODS, DIM_ALARM}
    summary = lake.materialize(f"{FIRST}..{TODAY}")
    assert {outcome.step.asset for outcome in summary.outcomes} == stale
    assert lake.tables() == rivers.expected(DAYS, level=5.5, min_hours=2, now=NOW)


def test_other_code_of_its_own_package_makes_stale(lake: RiverLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is a package inside another one: what lies in it counts, what lies beside it does not."""
    from tests.support.river import tables

    before = lake.workspace.code.of(tables.levels, "alder")
    assert lake.workspace.code.of(tables.levels, "birch") == before, "it reads nothing of its location"
    monkeypatch.setattr(tables, "_breaks", lambda rule: tables.F.lit(False))
    stale = {key for key, states in lake.states(days=RANGE).items() if "stale" in states}
    assert stale == {LEVELS, REFUSED}


def test_a_gauge_that_was_moved_lies_behind_its_question(lake: RiverLake) -> None:
    locations = [dict(location.model_dump()) for location in lake.workspace.settings.locations]
    locations[0]["latitude"] += 0.5
    lake.flags = {"locations": locations}
    states = lake.states(days=RANGE)
    assert set(states[READINGS]["stale"]) == {f"{day}/alder" for day in ENDED}
    assert set(states[RAINFALL]) == {"fresh"}, "files go by the gauge's key"
    assert states[DIM_GAUGE] == {"stale": ["null"]}
    left_out = lake.materialize(RANGE).plan.left_out
    assert "the gauge alder was moved" in left_out[0].reason


def test_a_gauge_that_is_gone_is_kept_and_said(lake: RiverLake) -> None:
    locations = [dict(location.model_dump()) for location in lake.workspace.settings.locations][:2]
    lake.flags = {"locations": locations}
    assert lake.materialize(RANGE).ok
    marks = {
        record.key
        for record in lake.workspace.history.past_locations
        if record not in lake.workspace.settings.configured_locations
    }
    assert marks == {"willow"}, "its row is no more, and what it was is kept"


def test_a_gauge_gets_another_key_without_a_fetch(lake: RiverLake, rivers: Rivers) -> None:
    """In columns that have other names in every table."""
    locations = [dict(location.model_dump()) for location in lake.workspace.settings.locations]
    locations[0]["key"] = "elder"
    lake.flags = {"locations": locations}
    run_rename(lake.workspace, "alder", "elder", Quiet(Console(stderr=True)), lake.shared.make)
    levels, rain = rivers.service.levels, rivers.rain
    rivers.service.levels = {("elder" if of == "alder" else of, hour): value for (of, hour), value in levels.items()}
    rivers.rain = {("elder" if of == "alder" else of, day): buckets for (of, day), buckets in rain.items()}
    assert lake.tables(DATED) == rivers.expected(DAYS, keys=DATED, now=NOW)
    assert {row["gauge_id"] for row in lake.rows(DIM_GAUGE)} == {"elder", "birch", "willow"}
    assert all_fresh(lake)
    assert rivers.service.asked == []


def test_what_is_after_now_is_asked_of_no_source(lake: RiverLake) -> None:
    """A range begins with the first day that any of the sources has."""
    assert lake.workspace.first_day == date(2019, 1, 1)
    assert max(row["read_at"] for row in lake.rows(READINGS)) == datetime(2025, 3, 5, 12, tzinfo=UTC)
