"""Two runs at once on one warehouse: the second one comes where a test says, between a look and a commit of the first.

What came of it is compared with the oracle's fold of all answers: rows, whose they are, and what was turned away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestration.core.calendar import instant_of, midnight
from orchestration.core.runs.outcome import RunSummary
from orchestration.engine.engines.engine import Engine, KeptRows
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from resources.delta.warehouse import Warehouse
from tests.support import oracle
from tests.support.clocks import MovingClock
from tests.support.engines import SharedEngine
from tests.support.keeping_lake import KeepingLake
from tests.support.oracle.answers import Folded, fold
from tests.support.provider import COLUMNS, Provider, full_rows

LOCATIONS = ("hanoi", "danang")
FIRST, DAYS = date(2025, 3, 3), 3
NOON = datetime(2025, 3, 5, 12, 10, tzinfo=UTC)
"""Of the last day."""
SEEN, UNSEEN = "seen", "unseen"
"""How another run's commit meets the storage of the one that goes on: it comes while that writes, which is refused; or
before that has begun to, and after the run has looked at the table."""
KINDS = {
    "nulls": dict.fromkeys(COLUMNS),
    "revised": {"pm25": 61.5, "aqi": 140},
    "revised again": {"pm25": 62.5, "dust": 7.0},
    "left out": None,
}
"""What is sent of an hour, beside what is right."""
HELD_SECONDS = 120


@dataclass
class Holding:
    """An engine whose next commit of rows lets another run in. how: SEEN or UNSEEN. signals: a folder of its own."""

    shared: SharedEngine
    signals: Path
    meanwhile: Callable[[], object] | None = None
    how: str = SEEN

    @property
    def name(self) -> str:
        return self.shared.name

    def engine(self, warehouse: Warehouse) -> Engine:
        made = self.shared.engine(warehouse)
        replace = made.replace

        def held(rows: KeptRows, only: Any, asset: Any, partitions: Any, number: int, said: Any, base: Any) -> None:
            meanwhile, self.meanwhile = self.meanwhile, None
            if meanwhile is None:
                replace(rows, only, asset, partitions, number, said, base)
            elif self.how == SEEN and self.name == "spark":
                with _BesideSpark(self.signals, meanwhile):
                    replace(_HeldRows(rows, self.signals), only, asset, partitions, number, said, base)
            else:
                meanwhile()
                if self.how == UNSEEN and self.name != "spark":  # Spark takes what is there as it begins to write
                    base = warehouse.state(asset)
                replace(rows, only, asset, partitions, number, said, base)

        made.replace = held  # type: ignore[method-assign]
        return made

    def make(self, warehouse: Warehouse, run_id: str, rows_expected: int, inherited: list[int]) -> Engine:
        return self.engine(warehouse)


@dataclass
class _HeldRows:
    """Rows that Spark writes only when it is told to: until then its commit has begun, and is not made."""

    rows: KeptRows
    signals: Path

    def frame(self, partitions: Any = None) -> Any:
        from pyspark.sql import functions as F

        begun, go_on, seconds = str(self.signals / "begun"), str(self.signals / "go-on"), HELD_SECONDS

        def waits(_: str) -> bool:
            import os
            import time

            open(begun, "w").close()
            deadline = time.monotonic() + seconds
            while not os.path.exists(go_on) and time.monotonic() < deadline:
                time.sleep(0.02)
            return True

        return self.rows.frame(partitions).where(F.udf(waits, "boolean")(F.col("location_key")))

    def let_go(self) -> None:
        self.rows.let_go()


class _BesideSpark:
    """Does something in another thread as soon as held rows are to be written, and then lets them go on."""

    def __init__(self, signals: Path, what: Callable[[], object]) -> None:
        self._signals, self._what = signals, what
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        deadline = time.monotonic() + HELD_SECONDS
        try:
            while not (self._signals / "begun").exists():
                assert time.monotonic() < deadline, "no row was written"
                time.sleep(0.02)
            self._what()
        except BaseException as error:  # raised where the block ends  # noqa: BLE001
            self._error = error
        finally:
            (self._signals / "go-on").touch()

    def __enter__(self) -> None:
        self._signals.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join(HELD_SECONDS)
        if self._error is not None:
            raise AssertionError("the run beside it failed") from self._error


class LakeAt(KeepingLake):
    """A lake whose warehouse is on another file system; ``folder`` is what its URI is made of."""

    uri_of_warehouse = ""

    @property
    def workspace(self) -> Workspace:
        flags = {
            **self.flags,
            "open_meteo": {"base_url": self.base_url, "backoff_seconds": 0.01, "attempts": 2},
            "warehouse": {"uri": self.uri_of_warehouse},
            "clock": {"now": self.now},
        }
        return self.adapt(open_workspace(load("yarn", environment={}, flags=flags)))


@dataclass
class TwoRuns:
    """A provider, a warehouse, a clock, an engine that can be held. uri: of a warehouse that is in no folder."""

    folder: Path
    engine: Holding
    provider: Provider
    clock: MovingClock
    uri: str = ""
    commits: list[int] = field(default_factory=list)

    @classmethod
    def over(cls, provider: Provider, clock: MovingClock, shared: SharedEngine, folder: Path, uri: str = "") -> TwoRuns:
        return cls(folder / "lake", Holding(shared, folder / "signals"), provider, clock, uri)

    @property
    def lake(self) -> KeepingLake:
        flags = {"hourly": {"revisable_days": DAYS + 1}, "locations": places()}
        if not self.uri:
            return KeepingLake(self.folder, self.engine, self.provider.url, flags, now=self.clock())
        made = LakeAt(self.folder, self.engine, self.provider.url, flags, now=self.clock())
        made.uri_of_warehouse = self.uri
        return made

    def hourly(self) -> RunSummary:
        summary = self.lake.hourly(oracle.BRONZE)
        assert summary.ok, summary.in_words()
        return summary

    def spoil(self, kind: str, location: str, day: int, first: int = 0, last: int = 23) -> None:
        """From now on hours ``first`` to ``last`` of a day (from 0) are sent like this."""
        start, change = midnight(FIRST + timedelta(days=day)), KINDS[kind]
        for number in range(first, last + 1):
            hour = (location, start + timedelta(hours=number))
            self.provider.instead[hour] = None if change is None else self.provider.rows[hour] | dict(change)

    def other_run(self, sends: Callable[[TwoRuns], None], minutes: float) -> Callable[[], None]:
        """A whole run that asks so many minutes later, or earlier, and is told something else."""

        def run() -> None:
            then, instead = self.clock.instant, dict(self.provider.instead)
            self.clock.pass_(minutes=minutes)
            self.provider.instead.clear()
            sends(self)
            try:
                self.hourly()
            finally:
                self.provider.instead, self.clock.instant = instead, then

        return run

    @property
    def version(self) -> int | None:
        workspace = self.lake.workspace
        return workspace.warehouse.state(workspace.catalog[oracle.BRONZE]).version

    def check(self) -> Folded:
        """Rows, owners and what was turned away are those of the fold of all that was sent."""
        want, lake = fold(self.provider.said), self.lake
        right, have = oracle.canonical(want.rows, oracle.COLUMNS[oracle.BRONZE]), lake.canonical(oracle.BRONZE)
        lacking, more = [row for row in right if row not in have], [row for row in have if row not in right]
        assert (lacking[:2], more[:2]) == ([], []), (len(lacking), len(more))
        workspace = lake.workspace
        state = workspace.warehouse.state(workspace.catalog[oracle.BRONZE])
        assert not state.unrecorded
        owners, standing = dict[Any, datetime](), set[Any]()
        for key, record in state.records.items():
            assert key.day is not None
            hours = [(key.location, midnight(key.day) + timedelta(hours=number)) for number in range(24)]
            of_rows = sum(1 << number for number, hour in enumerate(hours) if hour in want.owners)
            assert record.rows == of_rows.bit_count(), key
            for one in record.answers:
                mask = of_rows if one.hours is None else one.hours
                for number in range(24):
                    if mask >> number & 1:
                        assert hours[number] not in owners, "an hour has one owner"
                        owners[hours[number]] = instant_of(one.asked)
            for turned in record.turned_away:
                standing |= {(hours[number], turned.variables) for number in range(24) if turned.hours >> number & 1}
        assert owners == {hour: said.asked for hour, said in want.owners.items()}
        assert {hour for hour, _ in standing} == {(one.location, one.instant) for one in want.standing}
        return want


def places() -> list[dict[str, Any]]:
    return [
        {
            "key": row["location_key"],
            "name": row["location_name"],
            "latitude": row["latitude"],
            "longitude": row["longitude"],
            "timezone": row["timezone"],
        }
        for row in oracle.dim_location()
        if row["location_key"] in LOCATIONS
    ]


def provider_of(clock: MovingClock) -> Provider:
    return Provider(clock, full_rows(LOCATIONS, FIRST, DAYS + 1))


def sent_to_one(two: TwoRuns) -> None:
    """Values revised where the other is sent nulls, and nulls where it is sent values."""
    two.spoil("nulls", "hanoi", 1, 0, 5)
    two.spoil("revised", "hanoi", 1, 6, 11)
    two.spoil("left out", "hanoi", 2, 3, 5)
    two.spoil("revised", "danang", 0)


def sent_to_the_other(two: TwoRuns) -> None:
    two.spoil("revised again", "hanoi", 1, 0, 2)
    two.spoil("nulls", "hanoi", 1, 6, 14)
    two.spoil("revised again", "hanoi", 1, 15, 20)
    two.spoil("revised again", "hanoi", 2, 4, 7)
    two.spoil("left out", "danang", 0, 10, 20)
