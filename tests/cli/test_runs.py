"""The commands that change tables: backfill, wipe, repair; what they refuse, say and do without a JVM."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from assets import CATALOG
from orchestration.cli.pace import Pace
from orchestration.cli.printing import print_summary
from orchestration.cli.progress import Live, Quiet
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.partitions.scheme import PartitionColumns
from orchestration.core.planning.plan import Input, Plan, Step
from orchestration.core.runs.journal import Attempt, RunEntry, RunState
from orchestration.core.runs.outcome import ChunkOutcome, Outcome, Problem, RunSummary, StepOutcome
from resources.delta.log import DeltaLog
from resources.storage.journal import Journal
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


def test_a_backfill_without_a_day_is_told_which_one_is_missing(aqi: Aqi) -> None:
    what_to_do = "Add a day, for instance 2025-08-08."
    assert aqi.refusal("backfill") == ("--start-date is missing", what_to_do)
    assert aqi.refusal("backfill", "--start-date", "2025-08-08") == ("--end-date is missing", what_to_do)


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
    assert len(rest) == len(set(rest)) == len(CATALOG) - 1
    daily = next(step for step in plan["steps"] if step["id"] == DAILY)
    assert len(daily["partitions"]) == 15 * 3


def test_a_backfill_of_a_selection_and_of_locations(aqi: Aqi) -> None:
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
    assert "this has to be confirmed, and there is no terminal to ask on" in refused.stderr
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


def test_a_wipe_forgets_what_could_not_be_made(aqi: Aqi, copied: str) -> None:
    """Days that were asked for by mistake, and that no source has, are not *failed* for ever."""
    at = {"AQI_WAREHOUSE__URI": copied}
    tried = PartitionSet.of(Days.of(date(2025, 8, 1), date(2025, 8, 18)), ["hanoi", "hcmc"])
    problem = Problem(Outcome.FAILED, tried, "the source has no such days")
    when = "2025-08-20T05:00:00Z"
    attempts = {key: Attempt(problems=(problem,), planned=tried) for key in (EPISODE, QUARANTINE)}
    run = RunEntry("20250820T050000-aaaaaa", "x", when, when, RunState.FAILED, 1, "far", 1, attempts)
    Journal(copied).write(run)

    def failed(asset: str) -> list[str]:
        return [one["partition"] for one in aqi.json("status", asset, **at) if one["state"] == "failed"]

    assert len(failed(EPISODE)) == 36, "one of them is there, and stale"
    call = ("wipe", EPISODE, "--partitions", "2025-08-02..2025-08-20")
    dry = aqi.text(*call, "--locations", "hcmc", "--dry-run", **at)
    forget = f"forget {EPISODE} 2025-08-02..2025-08-18 × hcmc (17 partitions that could not be made)"
    assert dry.splitlines() == [forget]
    assert len(failed(EPISODE)) == 36
    aqi.text(*call, "--yes", **at)
    assert failed(EPISODE) == ["2025-08-01/hanoi", "2025-08-01/hcmc"], "nor what was there"
    assert len(failed(QUARANTINE)) == 36, "another table"
    assert aqi.json("runs", "last", **at)["title"] == f"wipe {EPISODE} · 2025-08-02..2025-08-19"
    later = replace(run, run_id="30250820T050000-aaaaaa", started_at="2025-08-20T05:30:00Z")
    Journal(copied).write(later)
    assert len(failed(EPISODE)) == 36, "a later attempt counts"


def test_a_wipe_of_a_location_forgets_all_its_days_that_could_not_be_made(aqi: Aqi, copied: str) -> None:
    """Without a range: those that no table has are named too, and the other locations are left alone."""
    at = {"AQI_WAREHOUSE__URI": copied}
    tried = PartitionSet.of(Days.of(date(2025, 8, 1), date(2025, 8, 3)), ["hanoi", "hcmc"])
    attempts = {EPISODE: Attempt(problems=(Problem(Outcome.FAILED, tried, "no such days"),), planned=tried)}
    when = "2025-08-20T05:00:00Z"
    Journal(copied).write(RunEntry("20250820T050000-aaaaaa", "x", when, when, RunState.FAILED, attempts=attempts))
    call = ("wipe", "--locations", "hcmc")
    forget = f"forget {EPISODE} 2025-08-01..2025-08-03 × hcmc (3 partitions that could not be made)"
    assert aqi.text(*call, "--dry-run", **at).splitlines() == [forget]
    aqi.text(*call, "--yes", **at)
    left = [one["partition"] for one in aqi.json("status", EPISODE, **at) if one["state"] == "failed"]
    assert left == ["2025-08-01/hanoi", "2025-08-02/hanoi", "2025-08-03/hanoi"]


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


def table_step(asset: str, days: int, *before: Step) -> Step:
    partitions = PartitionSet.of(Days.of(date(2025, 3, 1), date(2025, 3, days)), ["hanoi"])
    inputs = tuple(Input(step.asset, None, step.id, step.partitions) for step in before)
    return Step(asset, asset, partitions, PartitionSet.empty(), inputs, None, "")


def done(step: Step) -> StepOutcome:
    return StepOutcome(step, written=step.all_partitions)


def test_the_pace_of_a_backfill() -> None:
    clock = [100.0]
    steps = [chunk_step(name) for name in "abcd"]
    pace = Pace(Plan(tuple(steps), ()), now=lambda: clock[0])
    assert (pace.chunks, pace.seconds_left, pace.in_words()) == (4, None, "0 of 4 chunks")
    pace.began(steps[0])
    clock[0] = 110.0
    assert pace.done(done(steps[0]))
    assert pace.seconds_left == pytest.approx(30)
    assert pace.in_words() == "1 of 4 chunks, about 30 s left"
    clock[0] = 400.0
    pace.done(done(steps[1]))
    assert pace.in_words() == "2 of 4 chunks, about 5 min left"


def test_the_time_left_includes_what_comes_after_the_chunks() -> None:
    """Two chunks of 10 s each, at once; then three tables, of which two wait for the first."""
    clock, chunks = [0.0], [chunk_step(name) for name in "ab"]
    first = table_step("silver.x", 2, *chunks)
    last = [table_step("gold.x", 2, first), table_step("gold.y", 2, first)]
    pace = Pace(Plan((*chunks, first, *last), ()), now=lambda: clock[0])
    assert pace.in_words() == "0 of 2 chunks, then 3 tables"
    for step in chunks:
        pace.began(step)
    clock[0] = 10.0
    pace.done(done(chunks[0]))
    assert pace.seconds_left == pytest.approx(10 + 2 * 10, rel=0.01)
    assert pace.in_words() == "1 of 2 chunks, then 3 tables, about 30 s left"
    pace.done(done(chunks[1]))
    assert pace.in_words() == "3 tables to go, about 20 s left"
    pace.began(first)
    clock[0] = 14.0
    assert pace.seconds_left == pytest.approx(16, rel=0.01), "the table that is being made has taken 4 s"
    clock[0] = 16.0
    pace.done(done(first))
    assert pace.in_words() == "2 tables to go, about 6 s left", "a table takes as long as tables did"
    for step in last:
        pace.began(step)
        pace.done(done(step))
    assert pace.in_words() == "2 of 2 chunks"


def test_partitions_are_counted() -> None:
    chunks = [chunk_step(name) for name in "ab"]
    made = table_step("silver.x", 3, *chunks)
    pace = Pace(Plan((*chunks, made), ()))
    assert (pace.partitions_done, pace.partitions) == (0, 5)
    pace.began(chunks[0])
    pace.done(done(chunks[0]))
    pace.done(StepOutcome(made, problems=(Problem(Outcome.FAILED, made.partitions, "no"),)))
    assert (pace.partitions_done, pace.partitions) == (4, 5)


def test_what_failed_at_once_does_not_say_how_long_the_rest_takes() -> None:
    clock, steps = [0.0], [table_step(f"gold.{name}", 1) for name in "abc"]
    pace = Pace(Plan((*steps, table_step("gold.z", 1, *steps)), ()), now=lambda: clock[0])
    for step in steps:
        pace.began(step)
    pace.done(StepOutcome(steps[0], problems=(Problem(Outcome.FAILED, steps[0].partitions, "no"),)))
    assert pace.seconds_left is None
    clock[0] = 8.0
    pace.done(done(steps[1]))
    assert pace.seconds_left == pytest.approx(8, rel=0.01)


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


def test_a_line_per_table_after_the_chunks_where_there_is_no_terminal() -> None:
    console = Console(file=io.StringIO(), width=80)
    listener, chunk = Quiet(console), chunk_step("2025-03")
    steps = [chunk, table_step("silver.air_quality_hourly_quarantine", 3, chunk)]
    listener.planned(Plan(tuple(steps), ()))
    for step in steps:
        listener.step_started(step)
        listener.step_done(done(step))
    assert isinstance(console.file, io.StringIO)
    first, second = console.file.getvalue().splitlines()
    assert first.startswith("written   chunk 2025-03 (1 table to go, about ")
    assert second == "written   silver.air_quality_hourly_quarantine (1 of 1 chunks)"


@pytest.mark.parametrize("width", [40, 80])
def test_a_terminal_has_a_bar_for_what_is_counted_alone(width: int) -> None:
    """A plan of long names in a narrow terminal: while it starts, while it goes on, and when it is done."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, _environ={})
    live, steps = Live(console), [table_step("silver.air_quality_hourly_quarantine", 3), table_step("gold.x", 2)]

    def lines() -> list[str]:
        shot = Console(file=io.StringIO(), width=width, _environ={})
        for one in live._progress.get_renderables():
            shot.print(one)
        assert isinstance(shot.file, io.StringIO)
        return [line.rstrip() for line in shot.file.getvalue().splitlines()]

    live.planned(Plan((), ()))
    assert lines() == [], "nothing to do, nothing to show"
    live.planned(Plan(tuple(steps), ()))
    live.starting("the embedded engine")
    (starting,) = lines()
    assert "starting the embedded engine" in starting
    assert not any(word in starting for word in ("━", " of ", "/"))
    live.step_started(steps[0])
    whole, running = (line for line in lines() if line)
    if width == 80:
        assert "0 of 5 partitions" in whole
        assert "silver.air_quality_hourly_quarantine 3 partitions" in " ".join(running.split())
    assert "━" not in running and "?" not in running
    live.step_done(done(steps[0]))
    assert width < 80 or ("3 of 5 partitions, about " in lines()[0] and "━" in lines()[0])
    live.step_started(steps[1])
    live.step_done(done(steps[1]))
    (whole,) = lines()
    assert width < 80 or ("5 of 5 partitions" in whole and "left" not in whole)


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
    said, heads, *table = [" ".join(line.split()) for line in console.file.getvalue().splitlines() if line.strip()]
    assert said.startswith("failed chunk a (1 of 3 chunks")
    assert heads == "chunk state days × locations seconds error", "no rows were written"
    days = len(step.partitions)
    assert table[:2] == [f"a failed {days} 0.0 told below", f"b … c failed {2 * days} not asked"]
