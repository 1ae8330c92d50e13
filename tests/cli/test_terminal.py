"""What commands print fits a terminal of 80 columns, and breaks no key."""

from __future__ import annotations

import io
import socket
from dataclasses import replace
from datetime import date

import pytest
from rich.console import Console

from orchestration.cli.printing import print_summary
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.runs.journal import Attempt, RunEntry, RunState
from orchestration.core.runs.outcome import Outcome, Problem, RunSummary, StepOutcome
from orchestration.project import PROJECT
from resources.storage.journal import Journal
from tests.support.cli_calls import EPISODE, Aqi
from tests.support.terminal import Seen, on_a_terminal

BRONZE = "bronze.open_meteo_hourly"
ALL = set(PROJECT.catalog.keys)


def asked(lake: str, *call: str, width: int = 80) -> Seen:
    env = {"AQI_WAREHOUSE__URI": lake, "AQI_CLOCK__NOW": "2025-08-20T06:00:00Z"}
    return on_a_terminal(*call, width=width, **env)


@pytest.mark.costly
@pytest.mark.parametrize(
    ("call", "keys"),
    [
        (("status",), ALL),
        (("checks",), ALL),
        (("lineage",), ALL),
        (("plan", "--partitions", "2025-08-18..2025-08-19", "--force"), ALL),
        (("freshness",), ALL - {key for key in ALL if ".dim_" in key}),
    ],
    ids=lambda of: of[0] if isinstance(of, tuple) else "",
)
def test_no_line_is_too_long_and_no_key_is_broken(lake: str, call: tuple[str, ...], keys: set[str]) -> None:
    seen = asked(lake, *call)
    assert seen.lines, seen.errors
    assert seen.widest <= 80
    assert keys <= {word for line in seen.lines for word in line.split()}
    assert "…" not in "".join(seen.lines)


@pytest.mark.costly
def test_a_terminal_that_is_wide_has_a_row_in_a_line(lake: str) -> None:
    seen = asked(lake, "status", "gold.dim_*", width=200)
    assert [len(line.split()) > 2 for line in seen.lines] == [True] * len(seen.lines)


@pytest.mark.costly
def test_the_lines_of_a_tree_go_on_where_a_line_does_not_fit(lake: str) -> None:
    lines = asked(lake, "lineage", width=60).lines
    at = next(number for number, line in enumerate(lines) if line.startswith("├─ silver.air_quality_hourly_clean"))
    assert lines[at + 1].startswith("│     ")
    assert lines[at + 1].strip("│ ")


# --- aqi runs ---------------------------------------------------------------------------------------


@pytest.fixture
def journaled(aqi: Aqi) -> str:
    """A run that failed for one reason in two tables, one that was killed, and one that goes on elsewhere."""
    (aqi.folder / "warehouse" / "gold").mkdir(parents=True)
    uri = str(aqi.folder / "warehouse")
    null = PartitionSet.null()
    problem = Problem(Outcome.FAILED, null, "the source is [down]. Wait.")
    attempts = {key: Attempt(problems=(problem,), planned=null) for key in (EPISODE, "gold.dim_time")}
    journal, at = Journal(uri), "2025-08-19T05:00:00Z"
    failed = RunEntry("20250819T050000-aaaaaa", "* last:2", at, at, RunState.FAILED, 1, "far", 12.5, attempts)
    journal.write(failed)
    planned = {"gold.dim_time": Attempt(planned=null)}
    dead = RunEntry("20250819T060000-bbbbbb", "killed", "2025-08-19T06:00:00Z", attempts=planned)
    dead = replace(dead, pid=2**22 + 1, host=socket.gethostname())
    journal.write(dead)
    journal.write(RunEntry("20250819T070000-cccccc", "going on", "2025-08-19T07:00:00Z", pid=1, host="far"))
    logs = aqi.folder / "state" / "aqi" / "logs"
    logs.mkdir(parents=True)
    (logs / "20250819T050000-aaaaaa-embedded.log").write_text("why", encoding="utf-8")
    (logs / "20250819T050000-aaaaaa-prefect.log").touch()
    return uri


def test_what_ran(aqi: Aqi, journaled: str) -> None:
    assert journaled
    listed = aqi.json("runs")
    assert [(run["title"], run["state"]) for run in listed] == [
        ("going on", "running"),
        ("killed", "running"),
        ("* last:2", "failed"),
    ]
    assert "20250819T050000-aaaaaa  2025-08-19T05:00:00Z  failed" in aqi.text("runs")


def test_what_became_of_a_run(aqi: Aqi, journaled: str) -> None:
    assert journaled
    text = aqi.text("runs", "20250819T05")
    assert text.startswith("Run 20250819T050000-aaaaaa failed\n")
    for told in ("* last:2", "began 2025-08-19T05:00:00Z, ended 2025-08-19T05:00:00Z after 12.5 s", "process 1 on far"):
        assert told in text
    assert f"failed gold.dim_time; {EPISODE}: the source is [down]. Wait." in text, "a reason is told once"
    log = aqi.folder / "state" / "aqi" / "logs" / "20250819T050000-aaaaaa-embedded.log"
    assert [line for line in text.splitlines() if "log" in line] == [f"log: {log}"], "that is not empty"
    told = aqi.json("runs", "20250819T05")
    assert (told["state"], told["killed"], told["logs"], told["profile"]) == ("failed", False, [str(log)], None)
    assert [one["asset"] for one in told["problems"]] == ["gold.dim_time", EPISODE]


def test_one_cause_of_several_locations_is_one_line(aqi: Aqi) -> None:
    """As of a source that is away: a message for each location and range; causes before what followed from them."""
    uri = aqi.folder / "warehouse"
    (uri / "gold").mkdir(parents=True)

    def at(day: int, location: str) -> PartitionSet:
        return PartitionSet.from_keys([PartitionKey(date(2025, 8, day), location)])

    asked = [(18, "hanoi"), (18, "hcmc"), (19, "hanoi"), (19, "hcmc")]
    refused = [
        Problem(Outcome.FAILED, at(day, where), f"the source refused {where} on 2025-08-{day}") for day, where in asked
    ]
    all_of_them = PartitionSet.union_of(one.partitions for one in refused)
    because = Problem(Outcome.SKIPPED, all_of_them, "upstream bronze.open_meteo_hourly failed: 2025-08-18..2025-08-19")
    attempts = {
        "gold.fact_episode": Attempt(problems=(because,), planned=all_of_them),
        BRONZE: Attempt(problems=tuple(refused), planned=all_of_them),
    }
    when = "2025-08-19T05:00:00Z"
    Journal(str(uri)).write(
        RunEntry("20250819T050000-aaaaaa", "* last:2", when, when, RunState.FAILED, 1, "far", 1, attempts)
    )
    where = "2025-08-18..2025-08-19 × hanoi, hcmc"
    told = "the source refused hanoi on 2025-08-18 (and 3 more like it)"
    reasons = [line for line in aqi.text("runs", "last").splitlines() if line.startswith(("failed", "skipped"))]
    assert reasons == [f"failed {BRONZE} {where}: {told}", f"skipped {EPISODE} {where}: {because.message}"]
    assert aqi.text("status", BRONZE).splitlines()[1:] == [f"{BRONZE}  failed  {where}      4  missing; {told}"]
    assert len(aqi.json("status", BRONZE)) == 4


def test_a_run_that_was_broken_off_says_what_is_not_made_and_what_makes_it(aqi: Aqi, journaled: str) -> None:
    """Its reasons name a table once, with all partitions that they are about."""
    days = Days.of(date(2025, 8, 18), date(2025, 8, 19))
    hanoi, hcmc = PartitionSet.of(days, ["hanoi"]), PartitionSet.of(days, ["hcmc"])
    problems = tuple(Problem(Outcome.FAILED, part, "the source is down") for part in (hanoi, hcmc))
    attempts = {EPISODE: Attempt(problems=problems, planned=hanoi | hcmc)}
    began = "2025-08-19T08:00:00Z"
    state = RunState.INTERRUPTED
    Journal(journaled).write(RunEntry("20250819T080000-dddddd", "all", began, began, state, attempts=attempts))
    text = aqi.text("runs", "last")
    assert f"failed {EPISODE} 2025-08-18..2025-08-19 × hanoi, hcmc: the source is down\n" in text
    command = f"aqi backfill --start-date 2025-08-18 --end-date 2025-08-19 --select +{EPISODE} --locations hanoi,hcmc"
    lines = [f"  {EPISODE} 2025-08-18..2025-08-19 × hanoi, hcmc", f"Go on: {command}"]
    assert "\n".join(["Not made to this moment:", *lines]) in text
    told = aqi.json("runs", "last")
    assert (told["unmade"], told["go_on"]) == ({EPISODE: "2025-08-18..2025-08-19 × hanoi, hcmc"}, [command])


def test_a_run_that_was_killed_is_told_from_one_that_goes_on(aqi: Aqi, journaled: str) -> None:
    assert journaled
    assert aqi.json("runs", "20250819T06")["killed"] is True
    text = aqi.text("runs", "20250819T06")
    assert text.startswith("Run 20250819T060000-bbbbbb did not end: it was killed, or its machine went down\n")
    assert "asset\ngold.dim_time\n" in text, "what it set out to make"
    assert "No log of it is in " in text
    assert aqi.json("runs", "last")["killed"] is False
    assert "No log of it is on this machine; the run was on far." in aqi.text("runs", "last")


def test_the_log_of_a_deployments_run_is_on_its_server(aqi: Aqi, journaled: str) -> None:
    at = "2025-08-19T09:00:00Z"
    entry = RunEntry("20250819T090000-eeeeee", "all", at, at, RunState.FAILED, 1, "far", flow_run_id="0a1b2c3d")
    Journal(journaled).write(entry)
    text = aqi.text("runs", "last")
    assert "log of the deployment's run: prefect flow-run logs 0a1b2c3d (on the server of PREFECT_API_URL)" in text
    assert "No log of it" not in text
    assert aqi.json("runs", "last")["log_in_prefect"] == "prefect flow-run logs 0a1b2c3d"
    assert aqi.json("runs", "20250819T06")["log_in_prefect"] is None


def test_runs_that_are_not_known(aqi: Aqi, journaled: str) -> None:
    assert journaled
    assert aqi.refusal("runs", "2")[0] == "3 runs begin with '2'"
    assert aqi.refusal("runs", "20250819T050000-aaaaab") == (
        "no run '20250819T050000-aaaaab' is known",
        "Did you mean '20250819T050000-aaaaaa'?",
    )


def test_the_logs_stand_under_the_summary_of_a_failed_run(aqi: Aqi, journaled: str) -> None:
    assert journaled
    log = aqi.folder / "state" / "aqi" / "logs" / "20250819T050000-aaaaaa-embedded.log"
    step = Step("gold.dim_time", "gold.dim_time", PartitionSet.null(), PartitionSet.empty(), (), None, "missing")
    outcome = StepOutcome(step, problems=(Problem(Outcome.FAILED, PartitionSet.null(), "it is full"),))
    text = io.StringIO()
    console = Console(file=text, width=400)
    summary = RunSummary("20250819T050000-aaaaaa", Plan((step,), ()), (outcome,), 1.0)
    print_summary(console, summary)
    printed = text.getvalue()
    assert f"log: {log}\naqi runs 20250819T050000-aaaaaa tells this again.\n" in printed
