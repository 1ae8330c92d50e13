"""The profile of whole runs of the command: printed, as JSON, as a picture, and read again later."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from orchestration.cli.app import main
from orchestration.core.runs.profile import Phase, Profile
from resources.machine.clock import system_clock
from resources.simulator.server import Simulator
from resources.storage.journal import Journal
from resources.storage.run_profiles import RunProfiles
from tests.support.aqi_process import Commands

pytestmark = [pytest.mark.engine, pytest.mark.prefect, pytest.mark.timeout(600)]

BACKFILL = ("backfill", "--start-date", "2025-03-01", "--end-date", "2025-03-06", "--chunk-mode", "weekly")
EARLIER = ("--start-date", "2025-02-20", "--end-date", "2025-02-24", "--chunk-mode", "daily")
OWN = {Phase.PLAN, Phase.LOCK, Phase.SERVER, Phase.PREFECT, Phase.STEPS, Phase.STOP, Phase.END, Phase.OTHER}


@pytest.fixture(scope="module")
def aqi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    home = tmp_path_factory.mktemp("home")
    with Simulator(now=system_clock, injected=False) as source:
        yield Commands(home, home / "warehouse", source.url)


@pytest.fixture(scope="module")
def printed(aqi: Commands, server: str) -> str:
    """On a server that is there; that of the run after it is its own."""
    done = replace(aqi, environment={"PREFECT_API_URL": server})(*BACKFILL, "--profile-run")
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def summary(aqi: Commands, printed: str) -> dict[str, Any]:
    """Of a second run, in chunks; printed as JSON, with a picture of it."""
    assert printed
    return dict(aqi.json("backfill", *EARLIER, "--profile-run", "-o", str(aqi.home / "run.svg")))


def test_it_is_printed_after_the_summary(printed: str) -> None:
    total = re.search(r"Run \S+ completed in ([\d.]+) s\.(.*)^total +([\d.]+) +100%", printed, re.DOTALL | re.MULTILINE)
    assert total is not None, printed
    assert float(total[1]) == pytest.approx(float(total[3]), abs=0.06)
    heads = next(line for line in printed.splitlines() if line.startswith("step "))
    assert {"wait", "read", "compute", "aggregate", "check", "commit", "other"} <= set(heads.split())


def test_the_numbers_add_up(summary: dict[str, Any]) -> None:
    of = Profile.from_json(summary["profile"])
    assert of.seconds == pytest.approx(summary["seconds"], abs=0.001)
    assert sum(of.phases.values()) == pytest.approx(of.seconds, abs=1e-6)
    assert set(of.phases) >= OWN
    assert of.phases[Phase.OTHER] < 0.02 * of.seconds, of.phases
    assert {times.step.id for times in of.step_times} == {step["id"] for step in summary["steps"]}
    told = {step["id"]: step["seconds"] for step in summary["steps"]}
    for times in of.step_times:
        assert sum(times.phases.values()) == pytest.approx(times.seconds, abs=1e-6)
        around = sum(times.phases.get(phase, 0) for phase in (Phase.WAIT, Phase.END))  # before and after what is told
        assert times.seconds - around <= told[times.step.id] + 0.2
        assert {Phase.COMPUTE, Phase.AGGREGATE, Phase.CHECK, Phase.COMMIT} <= set(times.phases)
    for asset in {times.step.asset for times in of.step_times}:  # one step may stand still where others compute
        alike = [times for times in of.step_times if times.step.asset == asset]
        assert len(alike) == 1 or min(times.phases[Phase.OTHER] / times.seconds for times in alike) < 0.25, alike
    assert sum(t.phases[Phase.OTHER] for t in of.step_times) < 0.25 * sum(t.seconds for t in of.step_times)
    fetched = [times for times in of.step_times if times.step.asset.startswith("bronze.")]
    assert len(fetched) == 5
    assert all(times.fetching > 0 for times in fetched)
    assert of.beside[Phase.SESSION] > 0
    assert of.critical_path[-1].step.startswith("gold.fact_")


def test_the_steps_are_within_what_the_run_says_of_them(summary: dict[str, Any]) -> None:
    of = Profile.from_json(summary["profile"])
    steps = next(span for span in of.spans if span.phase is Phase.STEPS)
    for span in of.spans:
        if span.step and span.phase is not Phase.FETCH:
            assert steps.begin <= span.begin <= span.end <= steps.end
    assert all(seconds >= -1e-9 for _, seconds in of.own), "spans of a thread nest"


def test_the_picture_was_written_beside_the_json(aqi: Commands, summary: dict[str, Any]) -> None:
    root = ElementTree.fromstring((aqi.home / "run.svg").read_text(encoding="utf-8"))  # noqa: S314
    assert summary["run_id"] in root.attrib["aria-label"]


def test_an_earlier_run_is_told_later(aqi: Commands, summary: dict[str, Any]) -> None:
    uri = str(aqi.warehouse)
    first, last = RunProfiles(uri).run_ids()
    assert last == summary["run_id"]
    assert [entry.run_id for entry in Journal(uri).entries()] == [last, first]
    listed = aqi.json("runs")
    assert [(run["run_id"], run["state"], run["profile"]) for run in listed] == [
        (last, "completed", True),
        (first, "completed", True),
    ]
    told, printed = aqi.json("runs", "last"), Profile.from_json(summary["profile"])
    kept = told.pop("profile")
    assert {step["step"]: step["state"] for step in told["steps"]} == {
        step["id"]: step["state"] for step in summary["steps"]
    }
    assert (told["run_id"], told["state"], told["killed"], told["problems"]) == (last, "completed", False, [])
    assert all(Path(log).is_file() and last in log for log in told["logs"])
    assert Profile.from_json(kept).step_times == printed.step_times
    assert printed.seconds - kept["seconds"] < 0.5, "what is kept goes up to when it was written down"
    text = aqi("runs", first)
    assert (text.returncode, text.stderr) == (0, "")
    assert text.stdout.startswith(f"Run {first} completed\n")
    assert f"Where the time of run {first} went" in text.stdout


def test_a_parameter_that_changed_is_named_with_its_values(aqi: Commands, summary: dict[str, Any]) -> None:
    assert summary
    call = ("plan", "gold.fact_episode", "--partitions", "2025-03-01")
    done = CliRunner().invoke(main, [*call, "--json"], env=aqi.env | {"AQI_RULES__EPISODE__THRESHOLD": "201"})
    [step] = json.loads(done.stdout)["steps"]
    assert "its parameters changed: episode_rule.threshold 151 → 201" in step["reason"]


def test_what_is_asked_wrongly_is_refused(aqi: Commands, summary: dict[str, Any], tmp_path: Path) -> None:
    assert summary
    for call in (
        ("runs", "2"),
        ("runs", "nosuch"),
        ("runs", "last", "-o", "run.png"),
        ("runs", "-o", "run.svg"),
        ("runs", "last", "--json", "-o", "run.svg"),
        (*BACKFILL, "-o", "run.svg"),
        (*BACKFILL, "--profile-run", "-o", "run.png"),
        (*BACKFILL, "--profile-run", "--dry-run"),
        (*BACKFILL, "--profile-run", "-o", str(tmp_path / "no" / "run.svg")),
    ):
        done = CliRunner().invoke(main, call, env=aqi.env)
        assert (done.exit_code, done.stdout == "") == (2, "--json" not in call), call
        assert done.stderr.startswith("error: ")
    assert "2 runs begin with '2'" in CliRunner().invoke(main, ["runs", "2"], env=aqi.env).stderr


def test_nothing_to_do_has_a_profile_too(aqi: Commands, summary: dict[str, Any]) -> None:
    assert summary
    again = aqi.json("backfill", *EARLIER, "--profile-run")
    of = Profile.from_json(again["profile"])
    assert (of.steps, set(of.phases)) == ((), {Phase.PLAN, Phase.END, Phase.OTHER})
    assert "profile" not in aqi.json("backfill", *EARLIER)
    assert len(json.loads(aqi("runs", "--json").stdout)) == 2, "and is no run of the journal"
