"""A source's scale, read from the rows of its table: told once, by the run that has its first day, in any chunks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.planning.plan import Step
from orchestration.core.runs.outcome import StepOutcome
from orchestration.core.state.table_state import TableState
from orchestration.engine import scales
from orchestration.engine.scales import read_changed_scales, told_of_run
from orchestration.engine.workspace import Workspace
from tests.support import oracle
from tests.support.cli_calls import write
from tests.support.holes import opened
from tests.support.index_scales import NEW, OLD, air, indices_by

FIRST = datetime(2025, 8, 1, tzinfo=UTC)
DAYS = 40
CHANGED = 25
"""So many days were asked for before the scale changed: the 26th of August is the first after it."""
HOURLY: list[float | None] = [*air(11, DAYS, 3, 25)]
INDICES = {name: indices_by(name, HOURLY) for name in (OLD, NEW)}
REST = {"latitude": 21.0, "longitude": 105.8, "model_domain": "auto", "request_timezone": "UTC"}
SAID = "the provider's PM2.5 scale changed on 2025-08-26 at {}: from then on it is the scale used since July 2026, or "


def rows_of(day: int, scale: str, location: str = "hanoi") -> list[dict[str, Any]]:
    rows = []
    for hour in range(24):
        at = FIRST + timedelta(days=day, hours=hour)
        key = {"location_key": location, "ts_utc": at, "date_utc": at.date(), "_ingested_at": at}
        values = {"pm25": HOURLY[24 * day + hour], "aqi_pm25": INDICES[scale][24 * day + hour]}
        rows.append(key | REST | values)
    return rows


def on(day: int) -> date:
    return (FIRST + timedelta(days=day)).date()


class Table:
    """Bronze, to which runs add days; of each run what it tells."""

    def __init__(self, folder: Path, locations: tuple[str, ...] = ("hanoi",)) -> None:
        self.workspace: Workspace = opened(folder)
        self._locations = locations

    @property
    def state(self) -> TableState:
        return self.workspace.states((oracle.BRONZE,)).get(oracle.BRONZE, TableState())

    def run(self, days: Iterable[int], scale: str | None = None) -> list[str]:
        """A run that writes ``days``, which are not there; scale: None for that of then."""
        before, days = self.state, list(days)
        rows = [
            row
            for day in days
            for location in self._locations
            for row in rows_of(day, scale or (OLD if day < CHANGED else NEW), location)
        ]
        keys = [PartitionKey(on(day), location) for day in days for location in self._locations]
        write(self.workspace, oracle.BRONZE, rows, **{str(key): 24 for key in keys})
        return self.told(PartitionSet.from_keys(keys), before)

    def told(self, written: PartitionSet, before: TableState) -> list[str]:
        step = Step(oracle.BRONZE, oracle.BRONZE, written, PartitionSet.empty(), (), (), "")
        outcomes = (StepOutcome(step, written=written, notes=("another",)),)
        (after,) = told_of_run(self.workspace, outcomes, {oracle.BRONZE: before}, {oracle.BRONZE: self.state})
        assert after.notes[0] == "another"
        return list(after.notes[1:])


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "w")


@pytest.mark.costly
@pytest.mark.parametrize(
    "runs",
    [
        [range(DAYS)],
        [range(CHANGED), range(CHANGED, DAYS)],
        [range(CHANGED, DAYS), range(CHANGED)],
        [range(10), range(10, 20), range(20, 30), range(30, 40)],
        [range(30, 40), range(20, 30), range(10, 20), range(10)],
        [range(0, DAYS, 2), range(1, DAYS, 2)],
    ],
    ids=["at once", "old, new", "new, old", "tens", "tens backwards", "every other day"],
)
def test_it_is_told_once_whatever_is_loaded_together(table: Table, runs: list[range]) -> None:
    told = [line for days in runs for line in table.run(days)]
    assert len(told) == 1
    assert told[0].startswith(SAID.format("hanoi"))


@pytest.mark.parametrize("rows", [24, 24 * 16, 10**6])
def test_it_does_not_matter_how_much_is_read_at_once(table: Table, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scales, "ROWS_AT_ONCE", rows)
    (line,) = table.run(range(DAYS))
    assert line.startswith(SAID.format("hanoi"))
    assert line.endswith("--force --partitions 2025-08-01..2025-08-25 --locations hanoi")


def test_days_of_a_run_after_it_do_not_tell_it_again(table: Table) -> None:
    assert len(table.run(range(CHANGED + 3))) == 1
    before = table.state
    again = PartitionSet.of(Days.of(on(CHANGED - 1), on(CHANGED + 2)), ["hanoi"])
    assert table.told(again, before) == []  # written once more, with what there was
    assert [line for day in (3, 4, 13, 14) for line in table.run([CHANGED + day])] == []


def test_one_scale_is_no_change(table: Table) -> None:
    assert table.run(range(DAYS), NEW) == []
    assert read_changed_scales(table.workspace) == []


def test_days_that_lie_far_apart_are_not_compared(table: Table) -> None:
    assert table.run(range(3)) == []
    assert table.run(range(CHANGED, DAYS)) == []


def test_of_several_locations_one_sentence(tmp_path: Path) -> None:
    (line,) = Table(tmp_path / "w", ("danang", "hanoi", "hcmc")).run(range(CHANGED - 2, CHANGED + 2))
    assert line.startswith(SAID.format("danang, hanoi, hcmc"))


def test_the_newest_days_say_whether_it_is_wrong_now(table: Table) -> None:
    assert read_changed_scales(table.workspace) == []  # no table yet
    table.run(range(CHANGED))
    assert read_changed_scales(table.workspace) == []
    for days in (range(CHANGED, CHANGED + 1), range(CHANGED + 1, CHANGED + 14)):
        table.run(days)
        (changed,) = read_changed_scales(table.workspace)
        assert (changed.first, changed.locations) == (date(2025, 8, 26), ("hanoi",))
        assert changed.sentences[0].startswith(SAID.format("hanoi"))
    table.run([CHANGED + scales.NEWEST_DAYS])
    assert read_changed_scales(table.workspace) == []


def test_a_table_that_cannot_be_read_fails_no_run(table: Table) -> None:
    table.run(range(CHANGED))
    before = table.state
    for file in Path(table.workspace.warehouse.table_uri(oracle.BRONZE)).glob("*.parquet"):
        file.write_bytes(b"no parquet".ljust(file.stat().st_size))
    (line,) = table.told(PartitionSet.of(Days.of(on(3)), ["hanoi"]), replace(before, version=None))
    assert line.startswith("whether the provider's PM2.5 scale changed could not be told (")
