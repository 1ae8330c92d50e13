"""A story of a provider and a warehouse: what was sent, what was run, and whether the tables follow from it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.runs.outcome import RunSummary
from resources.machine import failpoints
from tests.support import oracle
from tests.support.clocks import MovingClock
from tests.support.keeping_lake import KeepingLake
from tests.support.oracle.answers import TOLERANCE, Folded, fold
from tests.support.provider import COLUMNS, Provider, full_rows
from tests.support.small_lake import DATED, FETCHED

LOCATIONS = ("hanoi", "danang")
FIRST, DAYS = date(2025, 3, 3), 3
LAST = FIRST + timedelta(days=DAYS - 1)
RANGE = f"{FIRST}..{LAST}"
NOON = datetime(2025, 3, 5, 12, 10, tzinfo=UTC)
"""Of the last day."""
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Killed(BaseException):
    """A run ends here."""


@dataclass
class Story:
    """A provider, a warehouse, a clock, and what was asked and answered so far."""

    folder: Path
    shared: Any
    provider: Provider
    clock: MovingClock
    told: list[str] = field(default_factory=list)
    domain: str = "auto"

    @property
    def lake(self) -> KeepingLake:
        flags = {
            "hourly": {"revisable_days": DAYS + 1},
            "open_meteo": {"model_domain": self.domain},
            "locations": [location for location in _locations() if location["key"] in LOCATIONS],
        }
        return KeepingLake(self.folder, self.shared, self.provider.url, flags, now=self.clock())

    def hourly(self) -> RunSummary:
        self.told.append(f"{self.clock()} hourly")
        return self.lake.hourly(FETCHED)

    def materialize(self, days: str = RANGE, *, force: bool = False) -> RunSummary:
        self.told.append(f"{self.clock()} {days}{' --force' if force else ''}")
        self.provider.forced = force
        try:
            return self.lake.materialize(days, FETCHED, force=force)
        finally:
            self.provider.forced = False

    def backfill(self) -> RunSummary:
        self.told.append(f"{self.clock()} backfill")
        return self.lake.backfill(str(FIRST), str(LAST), "daily", FETCHED)

    def from_raw(self, *, lost: bool) -> RunSummary:
        """Everything from the answers that were kept. lost: bronze is gone before."""
        self.told.append(f"{self.clock()} --from-raw{' of a lost table' if lost else ''}")
        if lost:
            shutil.rmtree(self.folder / "bronze" / "open_meteo_hourly")
        asked = len(self.provider.requests)
        workspace = self.lake.workspace
        days = f"{FIRST}..{max(LAST, *(said.last for said in self.provider.said))}"
        summary = self.lake.run(workspace.requested(workspace.select(FETCHED), days, from_raw=True))
        assert len(self.provider.requests) == asked, "nobody is asked"
        return summary

    def killed(self, point: str, number: int, run: Callable[[], RunSummary]) -> bool:
        """A run that ends when it reaches a crash point for so many times; whether it did.

        Where its answers did not come into bronze, nobody knows of them.
        """
        left, before = [number], len(self.provider.said)

        def reach(name: str) -> None:
            left[0] -= name == point
            if name == point and left[0] == 0:
                raise Killed(point)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(failpoints, "reach", reach)
            try:
                run()
            except Killed:
                self.told.append(f"killed at {point} {number}")
            else:
                return False
        bronze = self.lake.canonical(oracle.BRONZE)
        if bronze != oracle.canonical(self.wanted.rows, oracle.COLUMNS[oracle.BRONZE]):
            del self.provider.said[before:]
            assert bronze == oracle.canonical(self.wanted.rows, oracle.COLUMNS[oracle.BRONZE]), self.told
        return True

    @property
    def was_ahead(self) -> bool:
        """Whether a clock was ahead of a later run's: which one it was, records say; with the table they are lost."""
        said = self.provider.said
        return any(
            other.asked > (one.clock or one.asked) + TOLERANCE
            for number, one in enumerate(said)
            for other in said[:number]
        )

    @property
    def wanted(self) -> Folded:
        return fold(self.provider.said)

    def check(self) -> Folded:
        """All dated tables are those of the fold."""
        want, have = self.wanted, self.lake.tables()
        tables = oracle.dated_tables(want.rows)
        for key in DATED:
            right = oracle.canonical(tables[key], oracle.COLUMNS[key])
            if have[key] != right:
                lacking = [row for row in right if row not in have[key]]
                more = [row for row in have[key] if row not in right]
                lines = "\n".join(self.told)
                pytest.fail(f"{key} differs after\n{lines}\nlacking {lacking[:2]}\nmore than wanted {more[:2]}")
        return want


def _locations() -> list[dict[str, Any]]:
    return [
        {
            "key": row["location_key"],
            "name": row["location_name"],
            "latitude": row["latitude"],
            "longitude": row["longitude"],
            "timezone": row["timezone"],
        }
        for row in oracle.dim_location()
    ]


@contextmanager
def story(folder: Path, shared: Any) -> Iterator[Story]:
    clock = MovingClock(NOON)
    with Provider(clock, full_rows(LOCATIONS, FIRST, DAYS + 2)) as provider:
        yield Story(folder, shared, provider, clock)


KINDS: Mapping[str, Mapping[str, Any] | None] = {
    "revised": {"pm25": 61.5, "aqi": 140},
    "revised again": {"pm25": 62.5, "dust": 7.0},
    "nulls": dict.fromkeys(COLUMNS),
    "one null": {"pm25": None},
    "index null": {"aqi": None, "aqi_pm25": None},
    "optional null": {"dust": None, "uv_index": None},
    "implausible": {"pm25": 5000.5},
    "negative, and nulls": {"co": -1.0, "o3": None},
    "not finite": {"no2": float("nan")},
    "left out": None,
}
"""What is sent of an hour, beside what is right."""


def spoil(told: Story, kind: str, location: str, day: int, first: int = 0, last: int = 23) -> None:
    """From now on hours ``first`` to ``last`` of a day (from 0) are sent like this."""
    midnight = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(days=day)
    told.told.append(f"{kind}: {location}, day {day}, hours {first}..{last}")
    change = KINDS[kind]
    for number in range(first, last + 1):
        hour = (location, midnight + number * HOUR)
        told.provider.instead[hour] = None if change is None else told.provider.rows[hour] | dict(change)


def mend(told: Story) -> None:
    told.told.append("all is right again")
    told.provider.instead.clear()
    told.provider.down, told.provider.refused = False, frozenset()


def overtake(told: Story, change: Callable[[], object], then: Callable[[], object] = lambda: None) -> None:
    """While the next answer is on its way, another run asks three minutes later, after ``change``, and ends.

    then: what happens afterwards.
    """

    def another_run() -> None:
        begun, instead, forced = told.clock.instant, dict(told.provider.instead), told.provider.forced
        told.provider.forced = False
        told.clock.pass_(minutes=3)
        change()
        summary = told.hourly()
        assert summary.ok, summary.in_words()
        told.check()
        then()
        told.provider.instead, told.provider.forced, told.clock.instant = instead, forced, begun

    told.provider.meanwhile = another_run
