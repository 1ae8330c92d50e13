"""Every fault of the source, of all locations and of one, in every command that fetches: as the table says."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.runs.causes import causes_of
from orchestration.core.runs.outcome import RunSummary, StepOutcome
from orchestration.engine.scales import told_of_run
from resources.simulator.faults import parse_faults
from resources.simulator.server import Simulator
from tests.support import oracle
from tests.support.fault_table import COMMANDS, ONE, SCOPES, Ends, Row, cells
from tests.support.small_lake import DATED, FETCHED, NOW, Lake
from tests.support.strategies import LOCATIONS

FIRST, LAST = "2026-05-30", "2026-05-31"
DAYS = f"{FIRST}..{LAST}"
LATER_ON = NOW + timedelta(hours=1)
ATTEMPTS = 3
QUICK = {
    "attempts": ATTEMPTS,
    "backoff_seconds": 0.001,
    "request_deadline_seconds": 1.5,
    "max_days_per_request": 1,
}
LATER = (Ends.LATER, Ends.ALL_LATER)
WELL = (Ends.WHOLE, *LATER)
Rows = list[dict[str, Any]]
Tables = dict[str, Rows]


@dataclass(frozen=True)
class Way:
    """A command without faults. start: the warehouse that it is called on; None: an empty one. now: when it is called.

    before, tables: what they are before and after it. requests: that it sends.
    """

    command: str
    start: Path | None
    now: datetime
    before: Tables
    tables: Tables
    requests: int


def api_at(now: datetime, faults: str = "") -> Simulator:
    slow: dict[str, Any] = {"retry_after": 0, "drip_seconds": 0.2, "slow_seconds": 0.05}
    return Simulator(now=lambda: now, faults=parse_faults(faults, LOCATIONS), **slow)


def lake_at(folder: Path, embedded: Any, api: Simulator, now: datetime, domain: str = "auto") -> Lake:
    return Lake(folder, embedded, api.url, flags={"open_meteo": QUICK | {"model_domain": domain}}, now=now)


def call(lake: Lake, command: str) -> RunSummary:
    if command == "hourly":
        return lake.hourly(FETCHED)
    if command == "backfill":
        return lake.backfill(FIRST, LAST, "daily", FETCHED)
    return lake.materialize(DAYS, FETCHED)


def tables_of(lake: Lake) -> Tables:
    """The rows, without the domain that was asked for."""
    there = {key for key, version in lake.versions().items() if version is not None}
    rows = {key: lake.rows(key) if key in there else [] for key in DATED}
    return {key: [row | {"model_domain": ""} for row in rows[key]] for key in DATED}


@pytest.fixture(scope="module")
def ways(embedded: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Way]:
    """The commands without faults, each made once."""
    made: dict[str, Way] = {}

    def way(command: str) -> Way:
        if command not in made:
            folder, start, now = tmp_path_factory.mktemp(command), None, NOW
            if command == "hourly":
                with api_at(NOW) as api:
                    base = lake_at(folder / "start", embedded, api, NOW)
                    assert base.materialize(f"{FIRST}..2026-06-01", FETCHED).ok
                start, now = folder / "start", LATER_ON
                shutil.copytree(start, folder / "lake")
            with api_at(now) as api:
                lake = lake_at(folder / "lake", embedded, api, now)
                before = tables_of(lake)
                assert call(lake, command).ok
                made[command] = Way(command, start, now, before, tables_of(lake), api.requests_served.total())
        return made[command]

    return way


def bronze(summary: RunSummary) -> list[StepOutcome]:
    return [outcome for outcome in summary.outcomes if outcome.step.asset == oracle.BRONZE]


def of(rows: Rows, partitions: PartitionSet) -> Rows:
    """Those that belong to some partitions."""
    keys = set(partitions.keys())
    return [row for row in rows if f"{row.get('date_utc') or row['start_date_utc']}/{row['location_key']}" in keys]


def holds(row: Row, scope: str, way: Way, embedded: Any, folder: Path) -> None:
    """A cell of the table."""
    ends = row.ends(scope)
    if way.start is not None:
        shutil.copytree(way.start, folder)
    with api_at(way.now, row.faults(scope)) as api:
        lake = lake_at(folder, embedded, api, way.now, row.domain)
        states = lake.workspace.states(DATED)
        summary = call(lake, way.command)
        said = summary.in_words()
        served = api.requests_served.total()
        assert served <= way.requests * ATTEMPTS + len(LOCATIONS), said
        if row.fault.partition(":")[0] != "die":
            assert api.counted()["faults"], "the fault was never met"
    after = tables_of(lake)
    asked = PartitionSet.union_of(outcome.step.partitions for outcome in bronze(summary))
    failed = PartitionSet.union_of(outcome.failed for outcome in bronze(summary))
    assert summary.exit_status == (0 if ends in WELL else 1), said
    if ends is Ends.WHOLE:
        assert after == way.tables
    elif ends in WELL:
        alone = scope == "one" and ends is Ends.LATER
        others = PartitionSet.of(asked.days, [location for location in LOCATIONS if alone and location != ONE])
        for key, rows in after.items():
            assert of(rows, others) == of(way.tables[key], others), key
        outcomes = told_of_run(lake.workspace, summary.outcomes, states, lake.workspace.states(DATED))
        told = " ".join(text for it in outcomes for text in (*it.notes, *it.warnings, *it.incomplete.values()))
        assert re.search(row.cause, told), told
    else:
        expected = PartitionSet.of(asked.days, [ONE]) & asked if ends is Ends.ONE_FAILS else asked
        if ends is Ends.DAYS_FAIL:
            assert set(failed.locations) == set(LOCATIONS)
            assert failed.days.last == asked.days.last
            assert failed.days.first > date.fromisoformat(FIRST)
        else:
            assert failed == expected, said
        assert len([line for line in said.splitlines() if re.search(row.cause, line)]) == 1, said
        (cause,) = causes_of(summary.plan, summary.outcomes).causes
        assert cause.partitions | cause.untried == failed, said
        assert str(cause.partitions) in said, said
        assert not row.once or served == 1
        for key, rows in after.items():  # nothing half-filled: a partition is as it was, or as it is without faults
            mine = [outcome for outcome in summary.outcomes if outcome.step.asset == key]
            good = PartitionSet.union_of(outcome.succeeded for outcome in mine)
            bad = PartitionSet.union_of(outcome.step.all_partitions for outcome in mine) - good
            assert of(rows, good) == of(way.tables[key], good), key
            assert of(rows, bad) == of(way.before[key], bad), key
    # The same call on a good day; where rows are there that were sent on the bad one, they are asked for again.
    with api_at(way.now) as api:
        lake = lake_at(folder, embedded, api, way.now, row.domain)
        assert call(lake, way.command).ok
        if ends in LATER:
            assert lake.materialize(f"{asked.days.first}..{asked.days.last}", FETCHED, force=True).ok
        assert tables_of(lake) == way.tables


def named(row: Row, scope: str, command: str) -> str:
    return f"{row.fault}, {scope}, {command}"


CELLS = list(cells())
KINDS = {row.kind for row, _, _ in CELLS}


def one_a_kind() -> Iterable[tuple[Row, str, str]]:
    """A cell of each kind; scopes and commands take turns."""
    for number, kind in enumerate(sorted(KINDS)):
        of_kind = [cell for cell in CELLS if cell[0].kind == kind]
        wanted = [cell for cell in of_kind if cell[1:] == (SCOPES[number % 2], COMMANDS[number % 3])] or of_kind
        yield wanted[len(wanted) // 2]


@pytest.mark.parametrize(("row", "scope", "command"), [pytest.param(*it, id=named(*it)) for it in one_a_kind()])
def test_a_fault_of_each_kind(
    embedded: Any, tmp_path: Path, ways: Callable[[str], Way], row: Row, scope: str, command: str
) -> None:
    holds(row, scope, ways(command), embedded, tmp_path / "lake")


@pytest.mark.slow
@pytest.mark.parametrize(("row", "scope", "command"), [pytest.param(*it, id=named(*it)) for it in CELLS])
def test_every_fault(
    embedded: Any, tmp_path: Path, ways: Callable[[str], Way], row: Row, scope: str, command: str
) -> None:
    holds(row, scope, ways(command), embedded, tmp_path / "lake")
