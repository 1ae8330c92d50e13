"""Two runs at once on one warehouse: the second one comes where a test says, between a look and a commit of the first.

What came of it is compared with the oracle's fold of all answers: rows, whose they are, and what was turned away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestration.core.calendar import instant_of, midnight
from orchestration.core.runs.outcome import RunSummary
from orchestration.core.state.table_state import TableState
from orchestration.engine.engines.engine import Engine, KeptRows
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from resources.delta.warehouse import Warehouse
from tests.support import oracle
from tests.support.clocks import MovingClock
from tests.support.engines import SharedEngine
from tests.support.keeping_lake import KeepingLake
from tests.support.oracle.answers import Folded, HourOf, Said, fold
from tests.support.provider import COLUMNS, Provider, full_rows

LOCATIONS = ("hanoi", "danang")
FIRST, DAYS = date(2025, 3, 3), 3
DAYS_IN_WORDS = "2025-03-03..2025-03-05"
NOON = datetime(2025, 3, 5, 12, 10, tzinfo=UTC)
"""Of the last day."""
SEEN, UNSEEN = "seen", "unseen"
"""How another run's commit meets the storage of the one that goes on: it comes while that writes, which is refused; or
before that has begun to, and after the run has looked at the table."""
KINDS: Mapping[str, Mapping[str, Any] | None] = {
    "nulls": dict.fromkeys(COLUMNS),
    "revised": {"pm25": 61.5, "aqi": 140},
    "revised again": {"pm25": 62.5, "dust": 7.0},
    "left out": None,
}
"""What is sent of an hour, beside what is right."""
HELD_SECONDS = 60


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

    @property
    def is_waiting(self) -> bool:
        """Whether the other run has not come yet."""
        return self.meanwhile is not None

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

        made.replace = held  # type: ignore[assignment,method-assign]
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
            import time
            from pathlib import Path

            Path(begun).touch()
            deadline = time.monotonic() + seconds
            while not Path(go_on).exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            return True

        return self.rows.frame(partitions).where(F.udf(waits, "boolean", useArrow=False)(F.col("location_key")))

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
            raise AssertionError(f"the run beside it failed: {self._error!r}") from self._error


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

    @classmethod
    def over(cls, provider: Provider, clock: MovingClock, shared: SharedEngine, folder: Path, uri: str = "") -> TwoRuns:
        return cls(folder / "lake", Holding(shared, folder / "signals"), provider, clock, uri)

    @property
    def lake(self) -> KeepingLake:
        flags = {"hourly": {"revisable_days": DAYS + 1}, "locations": locations()}
        if not self.uri:
            return KeepingLake(self.folder, self.engine, self.provider.url, flags, now=self.clock())
        made = LakeAt(self.folder, self.engine, self.provider.url, flags, now=self.clock())
        made.uri_of_warehouse = self.uri
        return made

    def hourly(self, selection: str = oracle.BRONZE) -> RunSummary:
        summary = self.lake.hourly(selection)
        assert summary.ok, summary.in_words()
        return summary

    def from_raw(self) -> RunSummary:
        """All days from the answers that are kept."""
        lake = self.lake
        workspace = lake.workspace
        summary = lake.run(workspace.requested((oracle.BRONZE,), DAYS_IN_WORDS, from_raw=True))
        assert summary.ok, summary.in_words()
        return summary

    def spoil(self, kind: str, location: str, day: int, first: int = 0, last: int = 23) -> None:
        """From now on hours ``first`` to ``last`` of a day (from 0) are sent like this."""
        start, change = midnight(FIRST + timedelta(days=day)), KINDS[kind]
        for number in range(first, last + 1):
            hour = (location, start + timedelta(hours=number))
            self.provider.instead[hour] = None if change is None else {**self.provider.rows[hour], **change}

    def lose_what_was_sent(self) -> None:
        """None of the answers that were kept so far is there any more."""
        raw = self.lake.workspace.raw
        raw.remove(raw.all(oracle.BRONZE).files)

    def other_run(
        self, sends: Callable[[TwoRuns], None], minutes: float, runs: Callable[[], object] | None = None
    ) -> Callable[[], None]:
        """A whole run that asks so many minutes later, or earlier, and is told something else."""

        def run() -> None:
            then, instead = self.clock.instant, dict(self.provider.instead)
            self.clock.pass_(minutes=minutes)
            self.provider.instead.clear()
            sends(self)
            try:
                (runs or self.hourly)()
            finally:
                self.provider.instead, self.clock.instant = instead, then

        return run

    @property
    def state(self) -> TableState:
        """Bronze's."""
        workspace = self.lake.workspace
        return workspace.warehouse.state(workspace.catalog[oracle.BRONZE])

    @property
    def version(self) -> int | None:
        return self.state.version

    def check(self) -> Folded:
        """Rows, owners and what was turned away are those of the fold of all that was sent."""
        want, lake = fold(self.provider.said), self.lake
        right, have = oracle.canonical(want.rows, oracle.COLUMNS[oracle.BRONZE]), lake.canonical(oracle.BRONZE)
        lacking, more = [row for row in right if row not in have], [row for row in have if row not in right]
        assert (lacking[:2], more[:2]) == ([], []), (len(lacking), len(more))
        owners, turned_away = self.owners()
        assert owners.keys() == want.owners.keys()
        by_moment = {said.asked: said for said in self.provider.said}
        for hour, said in want.owners.items():  # who says what was said before owns nothing anew
            assert _about(by_moment[owners[hour]], hour) == _about(said, hour), (hour, owners[hour], said.asked)
        assert turned_away == {(one.location, one.instant) for one in want.standing}
        return want

    def owners(self) -> tuple[dict[HourOf, datetime], set[HourOf]]:
        """What is recorded: when the answer was asked whose an hour's row is, and the hours that others did not get."""
        state = self.state
        assert not state.unrecorded
        rows = {(row["location_key"], row["ts_utc"]) for row in self.lake.rows(oracle.BRONZE)}
        owners, turned_away = dict[HourOf, datetime](), set[HourOf]()
        for key, record in state.records.items():
            assert key.day is not None
            hours = [(str(key.location), midnight(key.day) + timedelta(hours=number)) for number in range(24)]
            there = sum(1 << number for number, hour in enumerate(hours) if hour in rows)
            assert record.rows == there.bit_count(), key
            for one in record.answers:
                for hour in _of(there if one.hours is None else one.hours, hours):
                    assert owners.setdefault(hour, instant_of(one.asked)) == instant_of(one.asked), "it has one owner"
            for turned in record.turned_away:
                turned_away |= set(_of(turned.hours, hours))
        assert owners.keys() == rows
        return owners, turned_away


def _of(mask: int, hours: list[HourOf]) -> list[HourOf]:
    return [hour for number, hour in enumerate(hours) if mask >> number & 1]


def _about(said: Said, hour: HourOf) -> dict[HourOf, Any]:
    """What an answer says about the day of an hour."""
    location, instant = hour
    return {one: values for one, values in said.hours.items() if one[0] == location and one[1].date() == instant.date()}


def locations() -> list[dict[str, Any]]:
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
    """Values revised where the other is sent nulls, nulls where it is sent values, and one hour of nulls for both."""
    two.spoil("nulls", "hanoi", 1, 0, 5)
    two.spoil("revised", "hanoi", 1, 6, 11)
    two.spoil("nulls", "hanoi", 1, 21, 22)
    two.spoil("left out", "hanoi", 2, 3, 5)
    two.spoil("revised", "danang", 0)


def sent_to_the_other(two: TwoRuns) -> None:
    two.spoil("revised again", "hanoi", 1, 0, 2)
    two.spoil("nulls", "hanoi", 1, 6, 14)
    two.spoil("revised again", "hanoi", 1, 15, 20)
    two.spoil("nulls", "hanoi", 1, 22, 23)
    two.spoil("revised again", "hanoi", 2, 4, 7)
    two.spoil("left out", "danang", 0, 10, 20)
