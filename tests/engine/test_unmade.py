"""What of partitions that a run did not make is made by now, by whatever run or command."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.runs.journal import Attempt, RunEntry, RunState
from orchestration.engine.unmade import still_unmade
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from orchestration.service.asked_for import partitions_of
from orchestration.service.watch import Sources
from resources.storage.journal import Journal
from tests.support import oracle
from tests.support.days_there import with_days

BRONZE, CLEAN, DAILY = oracle.BRONZE, "silver.air_quality_hourly_clean", "gold.fact_city_daily"
RECORDED = datetime(2025, 8, 19, 7, tzinfo=UTC)
"""When all of the warehouse was recorded."""
BEFORE, AFTER = RECORDED.replace(hour=6), RECORDED.replace(hour=8)
NOW = datetime(2025, 8, 20, 6, tzinfo=UTC)


def days(first: int, last: int, location: str = "hanoi") -> PartitionSet:
    return PartitionSet.of(Days.of(date(2025, 8, first), date(2025, 8, last)), [location])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake")
    with_days(folder, {"hanoi": ["2025-08-10..2025-08-14"]}, fact_city_daily={"hanoi": ["2025-08-10"]})
    return folder


def opened(folder: Path, **flags: Any) -> Workspace:
    return open_workspace(load(environment={}, flags=settings(folder) | flags))


def settings(folder: Path) -> dict[str, Any]:
    return {"warehouse": {"uri": str(folder)}, "clock": {"now": NOW}}


def left(folder: Path, since: datetime, unmade: Mapping[str, PartitionSet], *, forced: bool = False) -> dict[str, Any]:
    return still_unmade(opened(folder), unmade, since, forced=forced)


def test_what_is_not_there_is_not_made(folder: Path) -> None:
    unmade = {CLEAN: days(14, 16), DAILY: days(10, 12)}
    assert left(folder, AFTER, unmade) == {CLEAN: days(15, 16), DAILY: days(11, 12)}


def test_what_is_fresh_is_right_unless_it_was_to_be_made_all_the_same(folder: Path) -> None:
    assert left(folder, AFTER, {CLEAN: days(10, 14)}) == {}
    assert left(folder, AFTER, {CLEAN: days(10, 14)}, forced=True) == {CLEAN: days(10, 14)}
    assert left(folder, BEFORE, {CLEAN: days(10, 14)}, forced=True) == {}, "recorded since then"


def test_what_is_stale_is_made_where_it_was_recorded_since(folder: Path) -> None:
    """As today's day is an hour after the run that made it."""
    changed = opened(folder, rules={"limits": {"pm25": {"high": 1}}})
    unmade = {CLEAN: days(10, 14)}
    assert still_unmade(changed, unmade, AFTER) == unmade
    assert still_unmade(changed, unmade, BEFORE) == {}


def test_what_a_later_run_found_right_is_made(tmp_path: Path) -> None:
    with_days(tmp_path, {"hanoi": ["2025-08-10..2025-08-14"]})
    good = Attempt(good=days(15, 15), planned=days(15, 16))
    entry = RunEntry("r", "by hand", "2025-08-19T09:00:00Z", state=RunState.FAILED, attempts={CLEAN: good})
    Journal(str(tmp_path)).write(entry)
    unmade = {CLEAN: days(15, 16)}
    assert left(tmp_path, AFTER, unmade) == {CLEAN: days(16, 16)}
    assert left(tmp_path, AFTER.replace(hour=10), unmade) == unmade


def test_what_is_no_longer_configured_is_nobodys_business(folder: Path) -> None:
    unmade = {CLEAN: days(1, 2) | days(1, 2, "hue"), "gold.gone": days(1, 2)}
    assert left(folder, AFTER, unmade) == {CLEAN: days(1, 2)}


def test_an_unpartitioned_table(folder: Path) -> None:
    assert left(folder, AFTER, {"gold.dim_time": PartitionSet.null()}) == {"gold.dim_time": PartitionSet.null()}


@pytest.mark.parametrize(
    ("flow", "parameters", "expected"),
    [
        ("materialize", {"selection": DAILY, "hourly": True}, days(18, 20)),
        (
            "materialize",
            {"selection": DAILY, "partitions": "2025-08-10..2025-08-30", "locations": "hanoi"},
            days(10, 20),
        ),
        ("materialize", {"selection": DAILY, "partitions": "last:1"}, days(19, 20)),
        ("backfill", {"select": DAILY, "start_date": "2025-08-01", "end_date": "2025-08-03"}, days(1, 3)),
        ("maintenance", {}, None),
        ("materialize", {"selection": "*"}, None),
    ],
)
def test_what_a_run_was_asked_for(folder: Path, flow: str, parameters: dict[str, Any], expected: Any) -> None:
    asked = partitions_of(opened(folder), flow, parameters, NOW)
    assert {key: of.restrict(["hanoi"]) for key, of in asked.items()} == ({} if expected is None else {DAILY: expected})


def test_a_watch_knows_of_a_run_that_says_nothing_of_itself(folder: Path) -> None:
    """It ended before it had a plan: what it was asked for, as far as that is not right."""
    said: list[str] = []
    sources = Sources(load(environment={}, flags=settings(folder)), "http://127.0.0.1:9/api", said.append)
    asked = {"selection": f"{DAILY} or {CLEAN}", "partitions": "2025-08-10..2025-08-15", "locations": ["hanoi"]}
    found = dict(sources._unmade()("no-such-run", "materialize", asked, AFTER))
    assert found == {CLEAN: days(15, 15), DAILY: days(11, 15)}
    assert dict(sources._unmade()("no-such-run", "materialize", {"selection": "nothing"}, AFTER)) == {}
    assert len(said) == 1


def test_a_watch_that_cannot_tell_keeps_the_incident(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    sources = Sources(load(environment={}, flags=settings(folder)), "http://127.0.0.1:9/api", said.append)
    monkeypatch.setattr("orchestration.engine.unmade.still_unmade", lambda *_args, **_more: 1 / 0)
    unmade = {CLEAN: days(10, 14)}
    assert sources.still_unmade(unmade, AFTER, forced=False) == unmade
    assert "cannot be told" in said[0]


def test_a_watch_sees_what_is_wanted(folder: Path) -> None:
    flags = settings(folder) | {"history": {"since": {"hanoi": "2025-08-09"}}}
    sources = Sources(load(environment={}, flags=flags), "http://127.0.0.1:9/api", print)
    found = {asset: one for one in sources.missing() for asset in one.assets}
    assert found[CLEAN].partitions == days(9, 9) | days(15, 19)
    assert found[CLEAN].fill == (
        "aqi backfill --start-date 2025-08-09 --end-date 2025-08-19 "
        "--select '+silver.air_quality_hourly_quarantine or +gold.fact_episode' --locations hanoi",
    )
    assert not Sources(load(environment={}, flags=settings(folder)), "http://127.0.0.1:9/api", print).missing()
