"""The commands that change tables: backfill, wipe, repair; what they refuse, say and do without a JVM."""

from __future__ import annotations

import io
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from orchestration.cli.printing import print_summary
from orchestration.cli.progress import Pace, Quiet
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.partitions.scheme import PartitionColumns
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.runs.outcome import ChunkOutcome, Outcome, Problem, RunSummary, StepOutcome
from resources.delta.log import DeltaLog
from tests.support.cli_calls import DAILY, EPISODE, QUARANTINE, Aqi, tree

MARCH = ("--start-date", "2025-03-01", "--end-date", "2025-03-31")


@pytest.fixture
def copied(lake: str, tmp_path: Path) -> str:
    """The lake, to be changed."""
    shutil.copytree(lake, tmp_path / "lake")
    return str(tmp_path / "lake")


# --- backfill ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "place", "remedy"),
    [
        (("2025-03", "2025-03-31"), "--start-date must be a day (got '2025-03')", "2025-08-08"),
        (("2025-03-01", "last:3"), "--end-date must be a day (got 'last:3')", "2025-08-08"),
        (("2025-03-31", "2025-03-01"), "ends before it starts", "swap its ends"),
        (("2025-02-30", "2025-03-01"), "there is no day 2025-02-30", "2025-02 has the days 01 to 28"),
        (("2012-12-31", "2013-01-01"), "before the feed begins", "2013-01-01"),
        (("2025-08-21", "2025-08-22"), "in the future", "2025-08-20"),
    ],
)
def test_a_backfill_of_no_range(aqi: Aqi, call: tuple[str, str], place: str, remedy: str) -> None:
    start, end = call
    told, what_to_do = aqi.refusal("backfill", "--start-date", start, "--end-date", end)
    assert place in told
    assert remedy in what_to_do


@pytest.mark.parametrize(
    ("mode", "names"),
    [
        ("monthly", ["2025-02", "2025-03"]),
        ("weekly", ["2025-02-22..2025-02-28", "2025-03-01..2025-03-07", "2025-03-08"]),
        ("daily", [f"{date(2025, 2, 22) + timedelta(number)}" for number in range(15)]),
    ],
)
def test_a_backfill_has_a_step_per_chunk_for_what_is_fetched_and_one_for_the_rest(
    aqi: Aqi, mode: str, names: list[str]
) -> None:
    call = ("--start-date", "2025-02-22", "--end-date", "2025-03-08", "--chunk-mode", mode, "--dry-run")
    plan = aqi.json("backfill", *call)
    assert set(plan) == {"steps", "left_out"}
    fetched = [step for step in plan["steps"] if step["asset"] == "bronze.open_meteo_hourly"]
    assert [step["id"] for step in fetched] == [f"bronze.open_meteo_hourly#{name}" for name in names]
    assert sum(len(step["partitions"]) for step in fetched) == 15 * 3
    rest = [step["id"] for step in plan["steps"] if step not in fetched]
    assert len(rest) == len(set(rest)) == 9
    daily = next(step for step in plan["steps"] if step["id"] == DAILY)
    assert len(daily["partitions"]) == 15 * 3


def test_a_backfill_of_a_selection_and_of_places(aqi: Aqi) -> None:
    call = ("backfill", *MARCH, "--select", "bronze.*", "--locations", "hanoi", "--dry-run")
    [step] = aqi.json(*call)["steps"]
    assert (len(step["partitions"]), step["partitions"][0]) == (31, "2025-03-01/hanoi")
    assert "2025-03 × hanoi" in aqi.text(*call)
    assert "Did you mean 'hanoi'" in aqi.refusal("backfill", *MARCH, "--locations", "hanoy")[1]


def test_a_backfill_on_spark_needs_java(aqi: Aqi) -> None:
    told, remedy = aqi.refusal("backfill", *MARCH, "--engine", "spark")
    assert told.startswith("there is no Java")
    assert "Install Java 17" in remedy


# --- nothing to do ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["embedded", "spark"])
def test_what_has_nothing_to_do_needs_neither_an_engine_nor_the_lock(aqi: Aqi, copied: str, engine: str) -> None:
    before = tree(Path(copied))
    env = {"AQI_WAREHOUSE__URI": copied, "AQI_ENGINE": engine}
    assert aqi.text("materialize", "gold.dim_time", **env) == "Nothing to do.\n"
    summary = aqi.json("materialize", "gold.dim_time", **env)
    assert (summary["state"], summary["steps"]) == ("completed", [])
    assert tree(Path(copied)) == before


def test_force_makes_it_all_the_same(aqi: Aqi, lake: str) -> None:
    assert aqi.json("plan", "gold.dim_time", AQI_WAREHOUSE__URI=lake)["steps"] == []
    [step] = aqi.json("plan", "gold.dim_time", "--force", AQI_WAREHOUSE__URI=lake)["steps"]
    assert step["reason"] == "1 forced"
    call = ("materialize", "gold.dim_time", "--force", "--engine", "spark")
    assert aqi.refusal(*call, AQI_WAREHOUSE__URI=lake)[0].startswith("there is no Java")


# --- wipe ---------------------------------------------------------------------------------------------------------


def test_a_wipe_asks_first(aqi: Aqi, copied: str) -> None:
    """Nobody is there to be asked: refused; --dry-run says what would go; --yes does it, and it is gone."""
    call = ("wipe", EPISODE, "--partitions", "2025-08-18")
    before = tree(Path(copied))
    refused = aqi(*call, AQI_WAREHOUSE__URI=copied)
    assert (refused.exit_code, tree(Path(copied))) == (2, before)
    assert "nobody is there to be asked" in refused.stderr
    dry = aqi.text(*call, "--dry-run", AQI_WAREHOUSE__URI=copied)
    assert f"remove {EPISODE} 2025-08-18 × danang, hanoi (2 partitions, 3 rows)" in dry
    assert tree(Path(copied)) == before
    done = aqi(*call, "--yes", "--json", AQI_WAREHOUSE__URI=copied)
    assert done.exit_code == 0
    states = {
        (item["asset"], item["partition"]): item["state"]
        for item in aqi.json("status", EPISODE, "--partitions", "2025-08-18", AQI_WAREHOUSE__URI=copied)
    }
    assert states[EPISODE, "2025-08-18/hanoi"] == "missing"
    assert aqi.json("show", EPISODE, AQI_WAREHOUSE__URI=copied) == []
    assert "Nothing is there" in aqi.text(*call, "--yes", AQI_WAREHOUSE__URI=copied)


def test_a_wipe_leaves_the_rest(aqi: Aqi, copied: str) -> None:
    aqi.text("wipe", EPISODE, "--partitions", "2025-08-18", "--locations", "danang", "--yes", AQI_WAREHOUSE__URI=copied)
    left = aqi.json("show", EPISODE, AQI_WAREHOUSE__URI=copied)
    assert {row["location_key"] for row in left} == {"hanoi"}
    assert len(left) == 2


def test_a_wipe_of_a_partition_without_rows_is_a_commit_without_files(aqi: Aqi, copied: str) -> None:
    log = DeltaLog(f"{copied}/gold/fact_episode", PartitionColumns("start_date_utc", "location_key"))
    before = log.versions()[-1]
    aqi.text("wipe", EPISODE, "--partitions", "2025-08-19", "--yes", AQI_WAREHOUSE__URI=copied)
    assert log.versions()[-1] == before + 1
    assert not any("add" in action or "remove" in action for action in log.actions(before + 1))
    found = aqi.json(
        "status", EPISODE, "--partitions", "2025-08-19", "--locations", "danang", AQI_WAREHOUSE__URI=copied
    )
    assert [item["state"] for item in found] == ["missing"]


# --- repair -------------------------------------------------------------------------------------------------------


def test_repair_says_what_it_would_compare_and_what_it_cannot_make(aqi: Aqi, lake: str) -> None:
    """Daily rows that somebody appended: their upstream is not there, so they cannot be made anew."""
    plan = aqi.json("repair", "--dry-run", AQI_WAREHOUSE__URI=lake)
    assert plan["steps"] == []
    [left] = plan["left_out"]
    assert (left["asset"], left["partitions"]) == (DAILY, ["2025-08-18/hanoi"])
    assert aqi("repair", AQI_WAREHOUSE__URI=lake).exit_code == 1
    assert aqi.text("repair", QUARANTINE, AQI_WAREHOUSE__URI=lake) == "Nothing to do.\n"


# --- progress -----------------------------------------------------------------------------------------------------


def chunk_step(name: str) -> Step:
    partitions = PartitionSet.of(Days.of(date(2025, 3, 1)), ["hanoi"])
    return Step(f"bronze.x#{name}", "bronze.x", partitions, PartitionSet.empty(), (), None, "", chunk=name)


def test_the_pace_of_a_backfill() -> None:
    clock = [100.0]
    steps = [chunk_step(name) for name in "abcd"]
    pace = Pace(Plan(tuple(steps), ()), now=lambda: clock[0])
    assert (pace.chunks, pace.seconds_left, pace.in_words()) == (4, None, "0 of 4 chunks")
    pace.began()
    clock[0] = 110.0
    assert pace.done(steps[0])
    assert pace.seconds_left == pytest.approx(30)
    assert pace.in_words() == "1 of 4 chunks, about 30 s left"
    clock[0] = 400.0
    pace.done(steps[1])
    assert pace.in_words() == "2 of 4 chunks, about 5 min left"


def test_a_line_per_chunk_where_there_is_no_terminal() -> None:
    console = Console(file=io.StringIO(), width=100)
    listener = Quiet(console)
    steps = [chunk_step(name) for name in "ab"]
    listener.planned(Plan(tuple(steps), ()))
    for step in steps:
        listener.step_started(step)
        listener.step_done(StepOutcome(step, written=step.partitions))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert [line.split("(")[0].split() for line in lines] == [["written", "chunk", "a"], ["written", "chunk", "b"]]


def test_chunks_that_were_not_asked_for_are_a_line_together() -> None:
    """While the run goes on none is said; the table has one for those that follow each other."""
    why = "api: limit used up"
    step = chunk_step("a")
    met, left = (Problem(Outcome.FAILED, step.partitions, why, after=after) for after in ("", why))
    console = Console(file=io.StringIO(), width=100)
    listener = Quiet(console)
    steps = [chunk_step(name) for name in "abc"]
    listener.planned(Plan(tuple(steps), ()))
    for step, problem in zip(steps, (met, left, left), strict=True):
        listener.step_started(step)
        listener.step_done(StepOutcome(step, problems=(problem,)))
    chunks = [
        ChunkOutcome("a", step.partitions, "failed", 0, 0.0, f"bronze.feed: {why}"),
        *(ChunkOutcome(name, step.partitions, "failed", 0, 0.0, f"not asked: {why}", untried=True) for name in "bc"),
    ]
    print_summary(console, RunSummary("r", Plan((), ()), (), 1.0, chunks=tuple(chunks)))
    assert isinstance(console.file, io.StringIO)
    said, _, *table = [" ".join(line.split()) for line in console.file.getvalue().splitlines() if line.strip()]
    assert said.startswith("failed chunk a (1 of 3 chunks")
    days = len(step.partitions)
    assert table[:2] == [f"a failed {days} 0.0 told below", f"b … c failed {2 * days} not asked"]
