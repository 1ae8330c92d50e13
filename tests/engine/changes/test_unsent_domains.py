"""Rows that were fetched before ``domains`` was sent, whatever domain they say: asked with the provider's choice.

Of commit d35dc26, whose records say nothing, and of versions between, whose records say what was configured.
"""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import assets.past
from orchestration.cli.progress import Quiet
from orchestration.core.runs.outcome import RunSummary
from orchestration.engine.changes.changed import costs
from orchestration.engine.verify import verify
from resources.open_meteo.described import domain_in_records
from resources.simulator.server import Simulator
from tests.support import oracle
from tests.support.clocks import MovingClock
from tests.support.keeping_lake import KeepingLake
from tests.support.kept.trees import commits, unpack
from tests.support.provider import Provider, full_rows
from tests.support.small_lake import FETCHED, Lake

pytestmark = pytest.mark.engine

BRONZE = oracle.BRONZE
NOBODY = "http://127.0.0.1:9"
THEN = datetime(2025, 3, 5, 12, 10, tzinfo=UTC)
DAYS = "2025-03-03..2025-03-05"
UNSENT = ("cams_global", "cams_europe")
EACH = [UNSENT[0], pytest.param(UNSENT[1], marks=pytest.mark.slow)]
"""What was configured, recorded and not sent; unless it was configured the first."""
LOCATIONS = [{"key": "hanoi", "name": "Hà Nội", "latitude": 21.0278, "longitude": 105.8342, "timezone": "Asia/Bangkok"}]


def all_fresh(lake: Lake) -> bool:
    return all(set(found) == {"fresh"} for found in lake.states().values())


def said(lake: Lake) -> dict[str, set[str]]:
    """By day, what the column says."""
    found: dict[str, set[str]] = {}
    for row in lake.rows(BRONZE):
        found.setdefault(str(row["date_utc"]), set()).add(row["model_domain"])
    return found


def asked(lake: Lake) -> set[str]:
    """The domains of the questions that records of the newest state name."""
    workspace = lake.workspace
    state = workspace.states((BRONZE,))[BRONZE]
    return {state.questions[record.question].domain for record in state.records.values()}


def stays_as_it_is(lake: Lake, days: str, domain: str) -> RunSummary:
    """A run with a domain on what is there: no request, no commit, what `aqi plan --changed` says before."""
    lake.flags = {**lake.flags, "open_meteo": {"model_domain": domain}}
    before = commits(lake.folder)
    told = costs(lake.workspace, lake.workspace.catalog.keys)
    summary = lake.materialize(days)
    assert summary.ok, summary.in_words()
    assert summary.plan.steps == () == told.steps
    assert told.plan.left_out == summary.plan.left_out
    assert told.exit_status == (3 if summary.plan.left_out else 0)
    assert commits(lake.folder) == before
    return summary


# Commit d35dc26 -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("kept") / "warehouse")


@pytest.fixture
def kept(tmp_path: Path, _kept: Path, embedded: Any) -> Lake:
    """With the columns that contracts have since: what nothing is made of."""
    shutil.copytree(_kept, tmp_path / "warehouse")
    lake = Lake(tmp_path / "warehouse", embedded, NOBODY, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert lake.materialize(KEPT).outcomes == ()
    return lake


KEPT = "2025-08-08..2025-08-21"


@pytest.mark.parametrize("domain", UNSENT)
def test_a_named_domain_is_another_question_than_that_of_then(kept: Lake, domain: str) -> None:
    assert {one for of in said(kept).values() for one in of} == {"cams_global"}
    (left,) = stays_as_it_is(kept, KEPT, domain).plan.left_out
    assert f"(asked for with the domain auto, configured is {domain})" in left.reason
    assert len(left.partitions) == 42, "all locations, told once"
    assert not stays_as_it_is(kept, KEPT, "auto").plan.left_out
    assert all_fresh(kept)


def test_whatever_rows_of_then_say(kept: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a domain that nobody thinks of: only rows can tell by which version they were made."""
    monkeypatch.setattr(assets.past, "NEVER_SENT", ())
    assert all_fresh(kept)
    assert not stays_as_it_is(kept, KEPT, "auto").plan.left_out
    kept.flags = {"locations": [LOCATIONS[0] | {"latitude": 21.0288}]}
    assert set(kept.states(BRONZE)[BRONZE]) == {"stale", "fresh"}, "coordinates that moved are another matter"


def test_the_column_changes_when_its_partition_is_written(kept: Lake) -> None:
    kept.now = datetime(2025, 8, 22, 8, 30, tzinfo=UTC)
    with Simulator(now=lambda: kept.now) as simulator:
        kept.base_url = simulator.url
        workspace = kept.workspace
        assert kept.run(workspace.requested([BRONZE], "2025-08-10", ["hanoi"], force=True)).ok
    found = said(kept)
    assert found.pop("2025-08-10") == {"auto", "cams_global"}, "of hanoi, and of the other locations"
    assert set(map(frozenset, found.values())) == {frozenset({"cams_global"})}


def test_rows_of_then_are_verified_but_for_the_domain(kept: Lake) -> None:
    workspace = kept.workspace
    quiet = Quiet(Console(stderr=True))
    (found,) = verify(workspace, [BRONZE], workspace.partitions("2025-08-08..2025-08-09"), quiet, kept.shared.make)
    assert (len(found.equal), len(found.different), found.why) == (6, 0, "")


# Versions between -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=EACH)
def between(tmp_path: Path, embedded: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A warehouse of such a version, for which some domain was configured; it kept its answers. With the source."""
    clock = MovingClock(THEN)
    with Provider(clock, full_rows(["hanoi"], date(2025, 3, 2), 5)) as simulator, pytest.MonkeyPatch.context() as then:
        for module in ("source", "described"):
            then.setattr(f"resources.open_meteo.{module}.domain_in_records", lambda domain: domain)
        flags = {"open_meteo": {"model_domain": request.param}, "locations": LOCATIONS}
        lake = KeepingLake(tmp_path / "warehouse", embedded, simulator.url, flags, now=THEN)
        assert lake.materialize(DAYS).ok
        assert (asked(lake), set.union(*said(lake).values())) == ({request.param}, {request.param})
        then.undo()
        yield lake, clock, simulator


def test_it_opens_fresh(between: Any) -> None:
    lake, clock, simulator = between
    lake.base_url = NOBODY
    assert not stays_as_it_is(lake, DAYS, "auto").plan.left_out
    assert all_fresh(lake)
    lake.base_url, before = simulator.url, commits(lake.folder)
    lake.hourly(FETCHED)
    assert commits(lake.folder) == before, "who asks, and is told the same, writes nothing"
    lake.now = clock.instant = THEN + timedelta(hours=1)
    assert lake.hourly(FETCHED).ok
    found = said(lake)
    assert (found.pop("2025-03-05"), set.union(*found.values())) == ({"auto"}, asked(lake) - {"auto"})
    assert all_fresh(lake)


def test_a_named_domain_is_told_and_fetched_where_somebody_says_so(between: Any) -> None:
    """Also the one that was configured then."""
    (lake, clock, _), domain = between, "cams_europe"
    clock.instant = lake.now = datetime(2025, 3, 6, tzinfo=UTC)
    lake.flags = {**lake.flags, "open_meteo": {"model_domain": "auto"}}
    assert lake.materialize(DAYS).ok, "the last day has ended"
    (left,) = stays_as_it_is(lake, DAYS, domain).plan.left_out
    assert f"asked for with the domain auto, configured is {domain}" in left.reason
    workspace = lake.workspace
    assert lake.run(workspace.repair(workspace.select(FETCHED), None, refetch=True)).ok
    assert (asked(lake), set.union(*said(lake).values())) == ({domain_in_records(domain)}, {domain})
    assert all_fresh(lake)
    assert stays_as_it_is(lake, DAYS, "auto").plan.left_out, "and the other way round"


def test_no_row_of_then_is_given_away_as_one_of_another_question(between: Any) -> None:
    lake, clock, provider = between
    lake.flags = {**lake.flags, "open_meteo": {"model_domain": "auto"}}
    hour = datetime(2025, 3, 4, 5, tzinfo=UTC)
    provider.instead["hanoi", hour] = {**provider.rows["hanoi", hour], "pm25": None}
    lake.now = clock.instant = THEN + timedelta(hours=1)
    summary = lake.hourly(FETCHED)
    assert any("stay as they were: the source has no value any more for pm25" in note for note in notes(summary))
    (row,) = (row for row in lake.rows(BRONZE) if row["ts_utc"] == hour)
    assert row["pm25"] is not None


def notes(summary: RunSummary) -> list[str]:
    return [note for outcome in summary.outcomes for note in outcome.notes]


def test_its_kept_answers_are_of_the_providers_choice(between: Any) -> None:
    lake, _, _ = between
    before = [{**row, "model_domain": "auto"} for row in lake.rows(BRONZE)]
    lake.base_url, lake.flags = NOBODY, {**lake.flags, "open_meteo": {"model_domain": "auto"}}
    workspace = lake.workspace
    assert lake.run(workspace.requested(workspace.select(FETCHED), DAYS, from_raw=True)).ok
    assert lake.rows(BRONZE) == before
    assert all_fresh(lake)
