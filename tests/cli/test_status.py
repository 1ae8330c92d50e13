"""What `aqi status` says, as JSON and for people."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.runs.journal import Attempt, RunEntry, RunState
from orchestration.core.runs.outcome import Outcome, Problem
from orchestration.project import load, open_workspace
from resources.storage.journal import Journal
from tests.support.cli_calls import AT, DAILY, EPISODE, Aqi, write
from tests.support.days_there import with_days


def test_status_as_json(aqi: Aqi, lake: str) -> None:
    """DESIGN, Commands: these keys and no others."""
    found = aqi.json("status", f"{EPISODE} or {DAILY} or gold.dim_time or gold.dim_date", AQI_WAREHOUSE__URI=lake)
    names = ["asset", "partition", "state", "reason", "marks", "rows", "version", "run_id"]
    assert all(list(item) == names for item in found)
    by_key = {(item["asset"], item["partition"]): item for item in found}
    assert len(by_key) == len(found) == 2 + 2 * 3
    assert by_key["gold.dim_time", "null"] == {
        "asset": "gold.dim_time",
        "partition": "null",
        "state": "fresh",
        "reason": f"made {AT}",
        "marks": [],
        "rows": 24,
        "version": 0,
        "run_id": "run-1",
    }
    missing = {"state": "missing", "reason": "never made", "rows": None, "version": None, "run_id": None}
    assert by_key[DAILY, "2025-08-19/danang"].items() >= missing.items()
    assert by_key[DAILY, "2025-08-18/hanoi"]["state"] == "unrecorded"
    stale = {"state": "stale", "rows": 2, "reason": "upstream gold.fact_air_quality_hourly 2025-08-18/hanoi changed"}
    assert by_key[EPISODE, "2025-08-18/hanoi"].items() >= stale.items()
    assert by_key["gold.dim_date", "null"]["reason"] == "its code or parameters changed"


def test_status_of_a_range(aqi: Aqi, lake: str) -> None:
    call = ("status", EPISODE, "--locations", "hanoi")
    one_location = aqi.json(*call, AQI_WAREHOUSE__URI=lake)
    assert [item["partition"] for item in one_location] == ["2025-08-18/hanoi"]
    range_ = aqi.json(*call, "--partitions", "2025-08-17..2025-08-18", AQI_WAREHOUSE__URI=lake)
    assert [(item["partition"], item["state"]) for item in range_] == [
        ("2025-08-17/hanoi", "missing"),
        ("2025-08-18/hanoi", "stale"),
    ]
    (aqi.folder / "warehouse" / "_aqi").mkdir(parents=True)
    assert aqi.json("status", EPISODE) == []


def test_status_for_people(aqi: Aqi, lake: str) -> None:
    text = aqi.text("status", f"{DAILY} or gold.dim_time", AQI_WAREHOUSE__URI=lake)
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["gold.dim_time", "fresh", "1", "24"],
        [DAILY, "unrecorded", "2025-08-18", "×", "hanoi", "1", "1", "changed", "by", "somebody", "else"],
    ]
    (aqi.folder / "warehouse" / "_aqi").mkdir(parents=True)
    assert aqi.text("status", EPISODE) == "There is nothing yet.\n"


def test_what_was_never_made_because_it_failed_is_seen_without_a_range(aqi: Aqi, tmp_path: Path) -> None:
    """A location whose first fetch fails has no row anywhere, and is not to be absent from what people look at."""
    warehouse = str(tmp_path / "lake")
    hour = PartitionSet.of(Days.of(date(2025, 8, 18)), ["hanoi", "gone"])
    attempt = Attempt(problems=(Problem(Outcome.FAILED, hour, "no answer"),), planned=hour)
    times = ("2025-08-19T07:00:00Z", "2025-08-19T07:00:09Z")
    entry = RunEntry("run-1", "it", *times, RunState.FAILED, seconds=9.0, attempts={DAILY: attempt})
    Journal(warehouse).write(entry)
    told = aqi.json("status", f"{DAILY} or {EPISODE}", AQI_WAREHOUSE__URI=warehouse)
    assert [(one["asset"], one["partition"], one["state"]) for one in told] == [
        (DAILY, "2025-08-18/hanoi", "failed"),
        (EPISODE, "2025-08-18/hanoi", "missing"),
    ]
    assert "no answer" in told[0]["reason"]


BRONZE, SILVER, HOURLY = "bronze.open_meteo_hourly", "silver.air_quality_hourly_clean", "gold.fact_air_quality_hourly"
UPSTREAM = {SILVER: BRONZE, HOURLY: SILVER, DAILY: HOURLY, EPISODE: HOURLY}
"""Of each asset, what it is made from."""


def say_failed(warehouse: str, partitions: PartitionSet) -> None:
    """A run after all that is there, in which the fetch failed and the rest was skipped."""
    failed = Attempt(problems=(Problem(Outcome.FAILED, partitions, "no answer"),), planned=partitions)
    attempts = {BRONZE: failed}
    for asset, upstream in UPSTREAM.items():
        why = Problem(Outcome.SKIPPED, partitions, f"upstream {upstream} failed: {partitions}")
        attempts[asset] = Attempt(problems=(why,), planned=partitions)
    times = ("2027-08-19T07:00:00Z", "2027-08-19T07:00:09Z")
    Journal(warehouse).write(RunEntry("run-7", "it", *times, RunState.FAILED, seconds=9.0, attempts=attempts))


def states(aqi: Aqi, warehouse: str, **env: str) -> dict[str, str]:
    """Of each asset with partitions, the one state that all of them have, and why where it is not fresh."""
    told = aqi.json("status", " or ".join([BRONZE, *UPSTREAM]), AQI_WAREHOUSE__URI=warehouse, **env)
    found: dict[str, str] = {}
    for one in told:
        assert found.setdefault(one["asset"], one["state"]) == one["state"]
    return found


def test_what_was_skipped_and_stayed_fresh_is_no_failure_once_it_is_stale(aqi: Aqi, tmp_path: Path) -> None:
    """A forced fetch failed; a rule changed since. What is stale was never tried, and nothing is in its way."""
    warehouse = with_days(tmp_path / "lake", {"hanoi": ["2025-08-17..2025-08-18"]})
    say_failed(warehouse, PartitionSet.of(Days.of(date(2025, 8, 17), date(2025, 8, 18)), ["hanoi"]))
    assert set(states(aqi, warehouse).values()) == {"fresh"}
    changed = {"AQI_RULES__EPISODE__THRESHOLD": "120"}
    assert states(aqi, warehouse, **changed) == {BRONZE: "fresh", **dict.fromkeys(UPSTREAM, "fresh"), EPISODE: "stale"}
    (first, *_) = aqi.json("status", EPISODE, AQI_WAREHOUSE__URI=warehouse, **changed)
    assert first["reason"].startswith("its parameters changed; ")
    assert f"run run-7, 2027-08-19T07:00:09Z, skipped it (upstream {HOURLY} failed: " in first["reason"]
    assert first["reason"].endswith("), and that is over")


def test_what_was_skipped_is_failed_as_long_as_something_upstream_is(aqi: Aqi, tmp_path: Path) -> None:
    """The fetch, then rows that somebody else changed. Once it is fetched, what needs it waits to be made."""
    day = PartitionSet.of(Days.of(date(2025, 8, 18)), ["hanoi"])
    warehouse = str(tmp_path / "lake")
    say_failed(warehouse, day)
    assert states(aqi, warehouse) == {BRONZE: "failed", **dict.fromkeys(UPSTREAM, "failed")}
    assert [one["state"] for one in aqi.json("status", EPISODE, AQI_WAREHOUSE__URI=warehouse)] == ["failed"]
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": warehouse}}))
    write(workspace, BRONZE, [], **{"2025-08-18/hanoi": 0})
    assert {states(aqi, warehouse)[asset] for asset in UPSTREAM} == {"missing"}
    at = datetime(2025, 8, 18, 6, tzinfo=UTC)
    of_type = {"string": "hanoi", "double": 1.0, "integer": 1, "date": at.date(), "timestamp": at}
    write(workspace, BRONZE, [{column.name: of_type[column.type] for column in workspace.contracts[BRONZE].columns}])
    assert {states(aqi, warehouse)[asset] for asset in UPSTREAM} == {"failed"}
