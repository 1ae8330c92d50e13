"""What was kept of a location that got another key since: folded again, shown, kept for as long as it is needed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestration.cli.progress import Quiet
from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.runs.outcome import RunSummary
from orchestration.engine.changes.rename import run_rename
from orchestration.reports.raw_answers import read_raw_answers
from orchestration.service.maintenance import TableUpkeep, run_maintenance
from tests.support import oracle
from tests.support.clocks import MovingClock
from tests.support.keeping_lake import KeepingLake
from tests.support.oracle.answers import fold
from tests.support.provider import Provider, full_rows
from tests.support.small_lake import DATED, FETCHED

pytestmark = pytest.mark.engine

OLD, NEW, OTHER = "hanoi", "ha_noi", "danang"
FIRST, LAST = date(2025, 3, 3), date(2025, 3, 4)
RANGE = f"{FIRST}..{LAST}"
NOON = datetime(2025, 3, 6, 12, 10, tzinfo=UTC)
QUIET = Quiet(Console(stderr=True))
LOCATIONS = {
    row["location_key"]: {
        "key": row["location_key"],
        "name": row["location_name"],
        "latitude": row["latitude"],
        "longitude": row["longitude"],
        "timezone": row["timezone"],
    }
    for row in oracle.dim_location()
}


@dataclass
class City:
    """A warehouse of two locations, of which one is renamed. key: that it has in the configuration."""

    folder: Path
    shared: Any
    provider: Provider
    clock: MovingClock
    key: str = OLD

    @property
    def lake(self) -> KeepingLake:
        locations = [LOCATIONS[OLD] | {"key": self.key}, LOCATIONS[OTHER]]
        flags = {"locations": locations, "hourly": {"revisable_days": 4}}
        return KeepingLake(self.folder, self.shared, self.provider.url, flags, now=self.clock())

    def materialize(self, *, force: bool = False) -> RunSummary:
        self.provider.forced = force
        summary = self.lake.materialize(RANGE, FETCHED, force=force)
        self.provider.forced = False
        assert summary.ok, summary.in_words()
        self.clock.pass_(minutes=30)
        return summary

    def rename(self, old: str = OLD, new: str = NEW) -> None:
        run_rename(self.lake.workspace, old, new, QUIET, self.shared.make)
        self.key = new

    def from_raw(self, *, lost: bool = True, days: str = "") -> RunSummary:
        """lost: the table is gone before. days: not all that was ever asked about."""
        if lost:
            shutil.rmtree(self.folder / "bronze" / "open_meteo_hourly")
        asked, workspace = len(self.provider.requests), self.lake.workspace
        days = days or f"{FIRST}..{max(said.last for said in self.provider.said)}"
        summary = self.lake.run(workspace.requested(workspace.select(FETCHED), days, from_raw=True))
        assert len(self.provider.requests) == asked, "nobody is asked"
        return summary

    def say(self, day: date, hours: range, values: Mapping[str, Any], location: str = OLD) -> None:
        """What the provider has from now on."""
        for hour in hours:
            instant = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
            self.provider.instead[location, instant] = {**self.provider.rows[location, instant], **values}

    def check(self) -> None:
        """All dated tables are those of all answers, under the key of today."""
        rows = [
            row | {"location_key": self.key} if row["location_key"] == OLD else row
            for row in fold(self.provider.said).rows
        ]
        zones = {**oracle.TIMEZONES, self.key: oracle.TIMEZONES[OLD]}
        want, have = oracle.dated_tables(rows, zones), self.lake.tables()
        for key in DATED:
            assert have[key] == oracle.canonical(want[key], oracle.COLUMNS[key]), key

    def maintain(self) -> TableUpkeep:
        (done,) = run_maintenance(self.lake.workspace, QUIET, [oracle.BRONZE]).tables
        assert done.error == ""
        return done

    def shown(self, location: str) -> list[tuple[str, int, int | None, int | None]]:
        """Of each kept answer about the first day: what became of it, hours that it owns, its rows, changed hours."""
        found = read_raw_answers(self.lake.workspace, oracle.BRONZE, str(FIRST), [location])
        assert found.notes == ()
        return [(line.became, line.owns, line.rows, line.changed_hours) for line in found.lines]


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory, embedded: Any) -> tuple[Path, datetime, Mapping[str, Any]]:
    """A city's folder, its moment, and the memory of its provider."""
    clock = MovingClock(NOON)
    with Provider(clock, full_rows((OLD, OTHER), FIRST, 4)) as provider:
        city = City(tmp_path_factory.mktemp("city") / "lake", embedded, provider, clock)
        city.materialize()
        city.say(FIRST, range(4, 8), {"pm25": 61.5})
        city.materialize(force=True)
        city.say(FIRST, range(6, 9), {"pm25": None})
        city.lake.hourly(FETCHED)
        clock.pass_(minutes=30)
        city.check()
        return city.folder, clock(), provider.memory


@pytest.fixture
def city(tmp_path: Path, embedded: Any, grown: tuple[Path, datetime, Mapping[str, Any]]) -> Iterator[City]:
    """It was asked three times: the second answer has other values for some hours, the third lacks some of them."""
    folder, moment, memory = grown
    clock = MovingClock(moment)
    with Provider(clock, ()) as provider:
        provider.recall(memory)
        shutil.copytree(folder, tmp_path / "lake")
        yield City(tmp_path / "lake", embedded, provider, clock)


def test_a_renamed_location_is_folded_again_from_what_was_kept(city: City) -> None:
    """After a table was lost, and another answer came under the new key."""
    city.rename()
    city.check()
    assert set(city.lake.states()[oracle.BRONZE]) == {"fresh"}
    city.say(LAST, range(3), {"o3": 7.5})
    city.lake.hourly(FETCHED)
    city.check()
    before = city.lake.tables()
    for lost in (True, False):
        summary = city.from_raw(lost=lost)
        assert summary.ok, summary.in_words()
        assert city.lake.tables() == before
    city.check()
    (record,) = [
        record
        for key, record in city.lake.workspace.warehouse.state(
            city.lake.workspace.catalog[oracle.BRONZE]
        ).records.items()
        if key == PartitionKey(FIRST, NEW)
    ]
    assert record.turned_away, "as it was recorded under the old key"


def test_shown_under_the_new_key_as_under_the_old(city: City) -> None:
    before = city.shown(OLD)
    assert [line[1:] for line in before] == [(0, 24, None), (3, 24, 4), (21, 24, 3)]
    assert before[2][0] == "owns 21 hours, turned away 3 hours"
    city.rename()
    assert city.shown(NEW) == before
    city.say(FIRST, range(9), {"pm25": 3.5})
    city.lake.hourly(FETCHED)
    *same, last = city.shown(NEW)
    assert [line[2:] for line in same] == [line[2:] for line in before]
    assert last[1:] == (24, 24, 9), "against what was sent under the old key"


def test_an_answer_that_lands_late_after_the_rename(city: City) -> None:
    """Another run overtakes: the hours are folded anew from answers under both keys."""
    city.rename()
    city.clock.pass_(hours=1)
    city.say(FIRST, range(4, 12), {"pm25": 40.5})

    def overtake() -> None:
        begun = city.clock.instant
        city.clock.pass_(minutes=3)
        city.say(FIRST, range(10, 14), {"pm25": 33.5})
        assert city.lake.hourly(FETCHED).ok
        city.clock.instant = begun

    city.provider.meanwhile = overtake
    assert city.lake.hourly(FETCHED).ok
    said = city.provider.said
    assert said[-1].asked < said[-2].asked, "it came second, and was asked first"
    city.check()


def test_maintenance_knows_them(city: City) -> None:
    """Nothing is missing or an orphan, what an earlier commit alone named is not either, and all owners stay."""
    before = city.maintain()
    assert (before.missing, before.orphans, before.broken) == (0, (), ())
    city.rename()
    city.say(LAST, range(3), {"o3": 7.5})
    city.lake.hourly(FETCHED)
    done = city.maintain()
    assert (done.missing, done.orphans, done.broken, done.raw_removed) == (0, (), (), 0)
    city.clock.pass_(minutes=30)
    city.materialize(force=True)
    city.clock.pass_(hours=24 * 40)
    done = city.maintain()
    assert (done.missing, done.orphans, done.broken) == (0, (), ())
    assert done.raw_removed == 1, (
        "the second, which lost its last row long ago; the first has rows of the other location"
    )
    city.check()
    summary = city.from_raw(lost=False)
    assert summary.ok, summary.in_words()


def test_moments_follow(city: City) -> None:
    def asked_in_vain(key: str) -> dict[PartitionKey, str]:
        read = city.lake.workspace.moments.read(oracle.BRONZE)
        return {PartitionKey(of.day, OLD): at for of, at in read.items() if of.location == key}

    city.lake.hourly(FETCHED)
    before = asked_in_vain(OLD)
    assert before
    city.rename()
    assert asked_in_vain(NEW) == before
    assert asked_in_vain(OLD) == {}


def test_another_location_gets_the_old_key(city: City) -> None:
    """Its answers are its own, and the moment is the same: the clock stands still."""
    city.rename()
    city.check()
    renamed = {key: [row for row in rows if NEW in row] for key, rows in city.lake.tables().items()}
    city.key = OLD
    city.provider.rows |= {
        (OLD, instant): values | {"pm25": 2.5}
        for (location, instant), values in city.provider.rows.items()
        if location == OLD
    }
    city.provider.instead.clear()
    assert city.lake.materialize(RANGE, FETCHED, [OLD]).ok
    before = city.lake.tables()
    summary = city.from_raw(days=RANGE)
    assert summary.ok, summary.in_words()
    city.key = NEW
    summary = city.from_raw(lost=False)
    assert summary.ok, summary.in_words()
    assert city.lake.tables() == before
    assert {key: [row for row in rows if NEW in row] for key, rows in before.items()} == renamed
    assert len(city.shown(NEW)) == 3
    city.key = OLD
    assert len(city.shown(OLD)) == 1
    assert city.maintain().missing == 0


def test_there_and_back_and_a_second_call(city: City) -> None:
    before = city.shown(OLD)
    city.rename()
    city.rename()
    city.rename(NEW, OLD)
    assert city.shown(OLD) == before
    names = city.lake.workspace.raw.names(oracle.BRONZE)
    assert [(one.old, one.new) for one in names.renamed] == [(OLD, NEW), (NEW, OLD)]
    city.check()
    assert city.from_raw().ok
    city.check()


class Broken(BaseException):
    pass


@pytest.mark.parametrize(
    "at", ["resources.raw.answers.RawAnswers.rename", "resources.delta.pending.Pending.end"], ids=["before", "after"]
)
def test_broken_off_it_is_said_once(city: City, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is written, or after: the same call goes on, and answers count once."""

    def die(*_: Any) -> None:
        raise Broken

    before = city.shown(OLD)
    with monkeypatch.context() as patch:
        patch.setattr(at, die)
        with pytest.raises(Broken):
            city.rename()
    city.rename()
    assert len(city.lake.workspace.raw.names(oracle.BRONZE).renamed) == 1
    assert city.shown(NEW) == before
    city.check()


def test_renamed_while_the_table_was_lost(city: City) -> None:
    """Its answers bring it back under the new key."""
    before = city.lake.tables()
    shutil.rmtree(city.folder / "bronze" / "open_meteo_hourly")
    city.rename()
    summary = city.from_raw(lost=False)
    assert summary.ok, summary.in_words()
    city.check()
    assert {key: len(rows) for key, rows in city.lake.tables().items()} == {k: len(rows) for k, rows in before.items()}


def test_a_list_of_renamings_that_is_broken(city: City) -> None:
    """It is named with its remedy where it is needed, and nothing is removed."""
    city.rename()
    path = city.folder / "_aqi/raw" / oracle.BRONZE / "renamed.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(WarehouseError, match=r"renamed\.json cannot be read"):
        city.shown(NEW)
    (done,) = run_maintenance(city.lake.workspace, QUIET, [oracle.BRONZE]).tables
    assert "renamed.json cannot be read" in done.error and "Restore it from a copy" in done.error
    assert set(city.lake.states()[oracle.BRONZE]) == {"fresh"}
    city.check()
