"""What fails on a cluster fails by name, leaves nothing half-written, and is made good by one more run."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from scripts.cluster import Cluster
from tests.support.cluster_calls import YarnCommands, manager, wait_until
from tests.yarn.conftest import DAYS, FEW

pytestmark = [pytest.mark.spark, pytest.mark.prefect, pytest.mark.yarn, pytest.mark.timeout(900)]

BRONZE = "bronze.open_meteo_hourly"
CALL = ("materialize", "*", "--partitions", FEW, "--json")


def executors(cluster: Cluster) -> list[psutil.Process]:
    return [process for process in cluster.left_behind() if is_executor(process)]


def is_executor(process: psutil.Process) -> bool:
    try:
        return process.name() == "java" and any("ExecutorBackend" in part for part in process.cmdline())
    except psutil.Error:
        return False


def begun(aqi: YarnCommands) -> subprocess.Popen[str]:
    """A run that has committed something."""
    run = aqi.start(*CALL)
    wait_until(lambda: aqi.has_table(BRONZE) or run.poll() is not None)
    assert run.poll() is None, run.communicate()
    return run


def ended(run: subprocess.Popen[str]) -> dict[str, Any]:
    """Its summary; done, or failed by name."""
    out, err = run.communicate(timeout=280)
    assert run.returncode in (0, 1), err
    summary: dict[str, Any] = json.loads(out)
    if run.returncode:
        assert any(step["failed"] for step in summary["steps"]), summary
    return summary


def made_good(aqi: YarnCommands, undisturbed: Any, days: str = FEW) -> None:
    """One more run, and the tables are those of a run that nobody disturbed."""
    assert aqi.json("materialize", "*", "--partitions", days)["state"] in ("completed", "nothing to do")
    assert {item["state"] for item in aqi.json("status", "--partitions", days)} == {"fresh"}
    assert aqi.tables() == undisturbed(days)
    assert aqi.applications(running=True) == []


def test_an_application_that_is_killed_through_yarn(aqi: YarnCommands, undisturbed: Any) -> None:
    run = begun(aqi)
    (application,) = aqi.applications(running=True)
    manager().kill(application.id)
    summary = ended(run)
    assert summary["state"] == "failed"
    made_good(aqi, undisturbed)


def test_a_resource_manager_that_is_gone_is_said_within_a_minute(aqi: YarnCommands, cluster: Cluster) -> None:
    cluster.stop(["resourcemanager"])
    started = time.monotonic()
    done = aqi(*CALL)
    assert time.monotonic() - started < 60
    assert done.returncode == 2
    assert f"YARN's ResourceManager does not answer: {cluster.rm_url} (no connection)" in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert not aqi.has_table(BRONZE)


@pytest.mark.slow
def test_an_executor_that_is_killed(aqi: YarnCommands, cluster: Cluster, undisturbed: Any) -> None:
    run = begun(aqi)
    for executor in executors(cluster):
        executor.kill()
    ended(run)
    made_good(aqi, undisturbed)


@pytest.mark.slow
def test_a_node_manager_that_is_killed(aqi: YarnCommands, cluster: Cluster, undisturbed: Any) -> None:
    run = begun(aqi)
    (executor, *_) = executors(cluster)
    node = Path(executor.cwd()).relative_to(cluster.folder).parts[0]
    cluster.kill(node)
    ended(run)
    made_good(aqi, undisturbed)


@pytest.mark.slow
def test_hdfs_out_of_reach_in_mid_run(aqi: YarnCommands, cluster: Cluster, undisturbed: Any) -> None:
    run = begun(aqi)
    cluster.kill("namenode")
    out, err = run.communicate(timeout=600)
    assert run.returncode == 1, err
    assert any(step["failed"] for step in json.loads(out)["steps"])
    cluster.start()
    made_good(aqi, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("who", ["python", "both"])
def test_a_driver_that_is_killed_leaves_no_application(aqi: YarnCommands, undisturbed: Any, who: str) -> None:
    run = begun(aqi)
    process = psutil.Process(run.pid)
    jvms = [child for child in process.children(recursive=True) if child.name() == "java"]
    for victim in [process, *(jvms if who == "both" else [])]:
        victim.kill()
    run.communicate()
    made_good(aqi, undisturbed)
    assert len(aqi.applications()) == 2


@pytest.mark.slow
def test_a_driver_that_hangs_is_ended_by_the_next_run(aqi: YarnCommands, undisturbed: Any) -> None:
    """Python is dead and the JVM stopped: YARN would let the application go on."""
    run = begun(aqi)
    process = psutil.Process(run.pid)
    (jvm,) = [child for child in process.children(recursive=True) if child.name() == "java"]
    jvm.suspend()
    try:
        process.kill()
        run.communicate()
        (application,) = aqi.applications(running=True)
        done = aqi("materialize", "*", "--partitions", FEW)
        assert f"Ended {application.id}" in done.stderr, done.stderr
    finally:
        jvm.kill()
    made_good(aqi, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("other", [DAYS, "2025-08-21..2025-08-25"], ids=["overlapping", "apart"])
def test_two_runs_at_once(aqi: YarnCommands, undisturbed: Any, other: str) -> None:
    """No lock on HDFS: Delta refuses one of two commits that would change the same, and it is tried again."""
    calls = [("materialize", "*", "--partitions", days, "--json") for days in ("2025-08-08..2025-08-17", other)]
    said = [run.communicate(timeout=600) for run in [aqi.start(*call) for call in calls]]
    summaries = [json.loads(out) for out, _ in said]
    assert {summary["state"] for summary in summaries} <= {"completed", "failed"}, said
    everything = "2025-08-08..2025-08-25" if other != DAYS else DAYS
    made_good(aqi, undisturbed, everything)
