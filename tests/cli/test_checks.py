"""`aqi checks`: what the checks of tables found, from records and the journal."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.runs.journal import Attempt, RunEntry, RunState
from orchestration.core.runs.outcome import Outcome, Problem
from orchestration.core.state.partition_record import PartitionRecord
from orchestration.core.state.record_columns import Records
from orchestration.core.state.table_state import TableState
from orchestration.project import load, open_workspace
from orchestration.reports.quality import CheckResult, results_of
from resources.storage.journal import Journal
from tests.support.cli_calls import DAILY, EPISODE, Aqi

CLEAN = "silver.air_quality_hourly_clean"
FAILED = f"{DAILY}: check unique failed for 3 rows of 2025-08-18/hanoi. Two rows have the same key."


def keys(*texts: str) -> list[PartitionKey]:
    return [PartitionKey.parse(text) for text in texts]


def failed(run_id: str, at: str, message: str, *partitions: str, asset: str = DAILY) -> RunEntry:
    some = PartitionSet.from_keys(keys(*partitions))
    attempt = Attempt(problems=(Problem(Outcome.FAILED, some, message),), planned=some)
    return RunEntry(run_id, "t", at, at, RunState.FAILED, attempts={asset: attempt})


def results(key: str, records: dict[str, PartitionRecord], *entries: RunEntry) -> dict[str, CheckResult]:
    workspace = open_workspace(load(environment={}))
    of = {PartitionKey.parse(text): record for text, record in records.items()}
    found = results_of(workspace.catalog[key], TableState(records=Records.of(of)), entries)
    return {one.check: one for one in found}


def record(at: str, checks: dict[str, int] | None = None, counted: tuple[str, ...] = ()) -> PartitionRecord:
    versions = dict.fromkeys(counted, "v")
    return PartitionRecord(24, "f", {}, "c", "d", checks=checks or {}, check_versions=versions, run_id="r", at=at)


DAY = "2025-08-18/hanoi"
ALL = ("index_above_500", "index_unlike_sub_indexes", "hours_missing")


def test_warnings_are_counted_from_records() -> None:
    found = results(
        CLEAN,
        {
            DAY: record("2025-08-19T01:00:00Z", {"hours_missing": 4}, ALL),
            "2025-08-18/hcmc": record("2025-08-19T02:00:00Z", {"hours_missing": 1}, ALL),
            "2025-08-17/hcmc": record("2025-08-19T03:00:00Z", {}, ALL),
            "2025-08-16/hcmc": record("2025-08-16T03:00:00Z"),  # made before that check was there
        },
    )
    late = found["hours_missing"]
    assert (late.severity, late.checked, late.failed, late.violations) == ("warning", 3, 2, 5)
    assert late.last_failed_at == "2025-08-19T02:00:00Z"
    assert (found["index_above_500"].checked, found["index_above_500"].failed) == (3, 0)
    assert (found["unique"].severity, found["unique"].checked, found["unique"].failed) == ("blocking", 4, 0)


def test_what_a_source_did_is_told_beside_the_declared_checks() -> None:
    found = results("bronze.open_meteo_hourly", {DAY: record("2025-08-19T01:00:00Z", {"frozen_hours": 13})})
    frozen = found["frozen_hours"]
    assert (frozen.kind, frozen.severity, frozen.failed, frozen.violations) == ("source", "warning", 1, 13)


def test_a_blocking_check_is_told_from_the_journal() -> None:
    """Nothing of a partition that violates one is in the table."""
    now = failed("2", "2025-08-19T05:00:00Z", FAILED, DAY, "2025-08-18/hcmc")
    found = results(DAILY, {"2025-08-17/hcmc": record("2025-08-18T01:00:00Z")}, now)
    unique = found["unique"]
    assert (unique.checked, unique.failed, unique.violations) == (3, 2, None)
    assert unique.last_failed_at == "2025-08-19T05:00:00Z"
    assert (found["not_null"].checked, found["not_null"].failed) == (1, 0)
    assert found["not_null"].last_failed_at == ""


def test_what_was_mended_failed_once_and_does_not_now() -> None:
    before = failed("1", "2025-08-19T05:00:00Z", FAILED, DAY)
    good = PartitionSet.from_keys(keys(DAY))
    after = RunEntry("2", "t", "2025-08-19T06:00:00Z", "2025-08-19T06:00:00Z", RunState.COMPLETED)
    after = replace(after, attempts={DAILY: Attempt(good=good, planned=good)})
    made = {DAY: record("2025-08-19T06:00:00Z")}
    for entries in ((after, before), (before,)):  # the second run may be one that the journal does not know
        unique = results(DAILY, made, *entries)["unique"]
        assert (unique.checked, unique.failed, unique.violations) == (1, 0, 0)
        assert unique.last_failed_at == "2025-08-19T05:00:00Z"


def test_another_failure_is_no_check() -> None:
    other = failed("1", "2025-08-19T05:00:00Z", f"{DAILY}: the disk is full", DAY)
    assert {one.failed for one in results(DAILY, {}, other).values()} == {0}


def test_lineage_is_a_check_where_it_failed() -> None:
    message = f"{DAILY}: check lineage failed: it reads gold.x. Declare it."
    found = results(DAILY, {}, failed("1", "2025-08-19T05:00:00Z", message, DAY))
    assert (found["lineage"].kind, found["lineage"].failed) == ("step", 1)
    assert "lineage" not in results(DAILY, {})


# --- the command ------------------------------------------------------------------------------------


@pytest.fixture
def journaled(lake: str, tmp_path: Path) -> str:
    shutil.copytree(lake, tmp_path / "lake")
    uri = str(tmp_path / "lake")
    Journal(uri).write(failed("20250819T050000-1", "2025-08-19T05:00:00Z", FAILED, DAY))
    return uri


def of(aqi: Aqi, *call: str, **env: str) -> dict[tuple[str, str], Any]:
    return {(one["asset"], one["check"]): one for one in aqi.json("checks", *call, **env)}


def test_the_command(aqi: Aqi, journaled: str) -> None:
    found = of(aqi, AQI_WAREHOUSE__URI=journaled)
    assert found[DAILY, "unique"] == {
        "asset": DAILY,
        "check": "unique",
        "kind": "every table",
        "severity": "blocking",
        "says": "Two rows have the same key.",
        "partitions_checked": found[DAILY, "not_null"]["partitions_checked"] + 1,
        "partitions_failed": 1,
        "violations": None,
        "last_failed_at": "2025-08-19T05:00:00Z",
    }
    assert {asset for asset, _ in of(aqi, EPISODE, AQI_WAREHOUSE__URI=journaled)} == {EPISODE}
    text = aqi.text("checks", DAILY, AQI_WAREHOUSE__URI=journaled)
    [line] = [line for line in text.splitlines() if " unique " in line]
    assert "2025-08-19T05:00:00Z" in line
    assert "Two rows have the same key." in line
    assert text.count("same key") == 1, "what passes is not explained"


def test_it_is_written_to_a_file(aqi: Aqi, journaled: str) -> None:
    env = {"AQI_WAREHOUSE__URI": journaled}
    shown = aqi.text("checks", **env)
    assert aqi.text("checks", "-o", "checks.txt", **env) == ""
    assert (aqi.folder / "checks.txt").read_text(encoding="utf-8") == shown
    assert aqi.text("checks", "--json", "-o", "checks.json", **env) == ""
    assert json.loads((aqi.folder / "checks.json").read_text(encoding="utf-8")) == aqi.json("checks", **env)
    assert aqi.text("checks", "-o", "-", **env) == shown
    assert "cannot be written" in aqi.refusal("checks", "-o", "no/such/file", **env)[0]


def test_a_warehouse_that_is_not_there(aqi: Aqi) -> None:
    assert aqi.refusal("checks")[0].startswith(f"there is no warehouse at {aqi.folder}/warehouse")
