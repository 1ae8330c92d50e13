"""Real data through a real YARN and HDFS: the same rows as locally, in exactly one application."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from orchestration.core.openlineage.naming import dataset_at
from resources.hadoop.resource_manager import Application
from scripts.cluster import Cluster
from tests.real_data import test_command as local
from tests.support.cluster_calls import YarnCommands, others_can_read
from tests.support.lineage_receiver import Receiver, columns_agree, steps_in_order
from tests.support.openlineage_schemas import problems
from tests.support.planted_secrets import KEY, PASSWORD, USER, command_lines, environment, told_in, written_in
from tests.yarn.conftest import DAYS, FEW

pytestmark = [pytest.mark.spark, pytest.mark.prefect, pytest.mark.yarn, pytest.mark.timeout(900)]


def planted(aqi: YarnCommands) -> dict[str, str]:
    """Secrets in every setting that may hold one; the source is still there, and lineage goes where a test says."""
    said = environment(aqi.environment["PREFECT_API_URL"])
    for name in ("AQI_OPENLINEAGE__URL", "AQI_OPENLINEAGE__TIMEOUT_SECONDS"):
        del said[name]
    address = aqi.base_url.replace("//", f"//{USER}:{quote(PASSWORD, safe='')}@")
    return {**said, "AQI_OPEN_METEO__BASE_URL": address, "AQI_OPEN_METEO__API_KEY": KEY}


def succeeded(application: Application) -> bool:
    return (application.state, application.final) == ("FINISHED", "SUCCEEDED")


def test_fourteen_days_are_one_application_and_the_rows_of_the_local_profile(
    aqi: YarnCommands, cluster: Cluster, undisturbed: Any
) -> None:
    aqi.environment |= planted(aqi)
    with Receiver() as receiver:
        aqi.environment |= {"OPENLINEAGE_URL": receiver.url, "AQI_OPENLINEAGE__TIMEOUT_SECONDS": "60"}
        run = aqi.json("materialize", "*", "--partitions", DAYS)
    del aqi.environment["OPENLINEAGE_URL"]
    assert told_in(json.dumps(run), *others_can_read(cluster)) == []
    assert written_in(aqi.home) == []
    events_are_told(receiver.events, run, str(aqi.warehouse))
    (application,) = aqi.applications()
    assert succeeded(application)
    assert application.id == run["application_id"]
    assert application.name == f"aqi {run['run_id']}"
    assert {"aqi", f"aqi-run-{run['run_id']}".lower()} <= application.tags
    assert aqi.tables() == undisturbed(DAYS)

    logs = aqi.home / "state" / "aqi" / "logs"
    before = sorted(logs.iterdir())
    assert {item["state"] for item in aqi.json("status", "--partitions", DAYS)} == {"fresh"}
    assert len(aqi.csv("gold.fact_city_daily")) == 3 * 14
    again = aqi.json("materialize", "*", "--partitions", DAYS)
    assert again["steps"] == []
    assert sorted(logs.iterdir()) == before, "none of this started a JVM"
    assert len(aqi.applications()) == 1


@pytest.mark.slow
def test_a_backfill_in_chunks_is_one_application(aqi: YarnCommands) -> None:
    """Chunks that are there beside two that are not."""
    aqi.json("materialize", "bronze.*", "--partitions", "2025-08-20..2025-08-21")
    two_more = ("--start-date", "2025-08-20", "--end-date", "2025-08-23", "--chunk-mode", "daily")
    backfill = aqi.json("backfill", *two_more, "--select", "bronze.*")
    assert [chunk["state"] for chunk in backfill["chunks"]] == ["fresh", "fresh", "written", "written"]
    assert sorted(map(succeeded, aqi.applications())) == [True, True]


def events_are_told(events: list[dict[str, Any]], run: dict[str, Any], warehouse: str) -> None:
    """START and COMPLETE of each step in order; of files on HDFS, made by Spark."""
    assert steps_in_order(events, run) == []
    assert [wrong for event in events for wrong in problems(event)] == []
    done = [event for event in events if event["eventType"] == "COMPLETE" and event["outputs"]]
    assert [wrong for event in done for wrong in columns_agree(event)] == []
    assert {event["run"]["facets"]["processing_engine"]["name"] for event in events} == {"Spark"}
    written = {(one["namespace"], one["name"]) for event in events for one in event["outputs"]}
    assert written == {dataset_at(f"{warehouse}/{step['asset'].replace('.', '/')}") for step in run["steps"]}
    assert {namespace.partition("://")[0] for namespace, _ in written} == {"hdfs"}


@pytest.mark.slow
def test_spark_submit_in_client_and_in_cluster_mode(aqi: YarnCommands, cluster: Cluster, undisturbed: Any) -> None:
    aqi.environment |= planted(aqi)
    with command_lines() as lines:
        done = aqi.submit("--", "materialize", "layer:bronze", "--partitions", FEW)
        assert done.returncode == 0, done.stderr
        assert "completed" in done.stdout
        with Receiver() as receiver:
            aqi.environment |= {"OPENLINEAGE_URL": receiver.url, "AQI_OPENLINEAGE__TIMEOUT_SECONDS": "60"}
            submitted = aqi.submit("--deploy-mode", "cluster", "--", "materialize", "*", "--partitions", FEW)
    assert submitted.returncode == 0, submitted.stderr
    assert any("YarnCoarseGrainedExecutorBackend" in line for line in lines.seen)
    assert any("deploy.yarn.ApplicationMaster" in line for line in lines.seen)
    assert lines.told == []
    outputs = [done.stdout, done.stderr, submitted.stdout, submitted.stderr]
    assert told_in(*outputs, *others_can_read(cluster)) == []
    assert written_in(aqi.home) == []
    assert receiver.of("materialize") == ["START", "COMPLETE"], "the driver is on the cluster, without our environment"
    assert sorted(map(succeeded, aqi.applications())) == [True, True]
    assert aqi.tables() == undisturbed(FEW)


def test_what_is_wrong_is_found_before_anything_is_submitted(aqi: YarnCommands) -> None:
    refused(aqi, 2, "queue 'night' is unknown", "default", AQI_YARN__QUEUE="night")
    refused(aqi, 2, "HADOOP_CONF_DIR", HADOOP_CONF_DIR="/nowhere")
    assert aqi.applications() == []


@pytest.mark.slow
def test_all_that_is_wrong_is_found_before_anything_is_submitted(aqi: YarnCommands) -> None:
    refused(aqi, 2, "99840 MiB", "6144 MiB", "yarn.executor_memory", AQI_YARN__EXECUTOR_MEMORY="97g")
    refused(aqi, 2, "spark.master is 'local[2]'", "--no-yarn-check", AQI_SPARK__MASTER="local[2]")
    refused(aqi, 2, "a folder of this machine", AQI_WAREHOUSE__URI=str(aqi.home))
    refused(aqi, 2, "2025-13", days="2025-13")
    assert aqi.applications() == []


def refused(aqi: YarnCommands, status: int, *words: str, days: str = FEW, **environment: str) -> None:
    """By the command and by spark-submit in cluster mode, in so many words and without a trace."""
    for call in (aqi, lambda *arguments: aqi.submit("--deploy-mode", "cluster", "--", *arguments)):
        before = dict(aqi.environment)
        aqi.environment.update(environment)
        done = call("materialize", "*", "--partitions", days)
        aqi.environment.clear()
        aqi.environment.update(before)
        assert done.returncode == status, done.stderr
        assert all(word in done.stderr for word in words), done.stderr
        assert "Traceback" not in done.stderr
        assert "\tat " not in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_44_days_agree_with_the_published_rows(aqi: YarnCommands, recorded: Path) -> None:
    aqi.json("materialize", "*", "--partitions", local.RANGE)
    run = {"aqi": aqi}
    local.test_all_city_days_agree_with_the_published_ones(run, recorded)
    local.test_the_episodes_are_exactly_the_published_ones(run, recorded)
