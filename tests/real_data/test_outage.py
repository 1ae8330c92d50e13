"""A provider that is away, sends nulls, and fills them in: hourly runs mend all of it, and ask no more than they must.

And what it never had is nobody's trouble; and bronze comes back from the answers that were kept.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import pytest

from orchestration.core.partitions.keys import PartitionKey
from orchestration.engine.lags import read_lags
from orchestration.project import load, open_workspace
from orchestration.reports.status import read_status
from resources.simulator.requests import parse_query
from resources.simulator.server import Simulator
from tests.support import oracle
from tests.support.aqi_process import Commands
from tests.support.clocks import MovingClock
from tests.support.keeping_lake import KeepingLake
from tests.support.provider import COLUMNS, Provider, full_rows
from tests.support.small_lake import FETCHED

pytestmark = pytest.mark.engine

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EVENING = datetime(2025, 9, 9, 22, 20, tzinfo=UTC)
"""Inside the run of 94 hours of Hà Nội, which goes on over two midnights of UTC."""


class Recorded(Simulator):
    """The recorded hours as the provider has them at ``clock``, which is away or lacks a day now and then.

    down: whether it is away. without: the days of which it sends nulls. answered, tried: requests.
    """

    def __init__(self, clock: MovingClock, folder: Path) -> None:
        super().__init__(now=clock, replay=folder, override=self._hour)
        self.down = False
        self.without: frozenset[str] = frozenset()
        self.answered = self.tried = 0

    def answer(self, query: str) -> tuple[int, Any]:
        self.tried += 1
        if self.down:
            return 503, {"error": True, "reason": "The service is overloaded"}
        self.answered += 1
        return super().answer(query)

    def _hour(self, latitude: float, longitude: float, values: Mapping[str, Any]) -> dict[str, Any]:
        if values["time"][:10] in self.without:
            return dict.fromkeys(values) | {"time": values["time"]}
        return dict(values)


@dataclass
class Runs:
    """Hourly runs on a warehouse of its own."""

    folder: Path
    shared: Any
    recorded: Path
    flags: dict[str, Any] = field(default_factory=dict)
    failed: int = 0

    def __post_init__(self) -> None:
        self.clock = MovingClock(EVENING)
        self.api = Recorded(self.clock, self.recorded)

    @property
    def lake(self) -> KeepingLake:
        return KeepingLake(self.folder, self.shared, self.api.url, dict(self.flags), now=self.clock())

    def through(self, hours: int, trouble: Callable[[int, Recorded], None]) -> None:
        """So many runs, an hour apart. trouble: says of each how the provider is."""
        with self.api:
            for number in range(hours):
                trouble(number, self.api)
                summary = self.lake.hourly(FETCHED)
                assert summary.ok is not self.api.down, summary.in_words()
                self.failed += not summary.ok
                self.clock.pass_(hours=1)
            self.clock.pass_(hours=-1)
            trouble(-1, self.api)

    def one_range(self, folder: Path) -> dict[str, Any]:
        first = EVENING.date() - 2 * DAY
        with Recorded(self.clock, self.recorded) as api:
            lake = KeepingLake(folder, self.shared, api.url, dict(self.flags), now=self.clock())
            assert lake.materialize(f"{first}..{self.clock().date()}", FETCHED).ok
            return lake.tables()


def calm(_number: int, api: Recorded) -> None:
    api.down, api.without = False, frozenset()


def an_outage_and_a_null_day(away: range, nulls: range) -> Callable[[int, Recorded], None]:
    """It is away in some runs; in others it has nothing of 2025-09-10, which was there before, is there, or comes."""

    def trouble(number: int, api: Recorded) -> None:
        api.down = number in away
        api.without = frozenset({"2025-09-10"}) if number in nulls else frozenset()

    return trouble


@pytest.mark.parametrize(
    ("hours", "away", "nulls"),
    [
        pytest.param(7, range(2, 4), range(1, 6), id="7 hours"),
        pytest.param(12, range(3, 9), range(2, 11), id="12 hours", marks=pytest.mark.slow),
        pytest.param(
            48, range(4, 10), range(12, 40), id="48 hours", marks=[pytest.mark.slow, pytest.mark.timeout(2700)]
        ),
    ],
)
def test_an_outage_and_a_null_day_end_in_the_tables_of_one_range(
    tmp_path: Path, embedded: Any, recorded: Path, hours: int, away: range, nulls: range
) -> None:
    """All of it within the days that are asked for each hour anyway: no request is sent more than in calm hours."""
    troubled = Runs(tmp_path / "troubled", embedded, recorded)
    troubled.through(hours, an_outage_and_a_null_day(away, nulls))
    assert troubled.failed == len(away)
    assert troubled.lake.tables() == troubled.one_range(tmp_path / "range")
    assert set(troubled.lake.states()[oracle.CITY_DAILY]) == {"fresh"}
    bronze = [item for item in read_status(troubled.lake.workspace, [oracle.BRONZE]) if item.marks]
    assert not bronze
    undisturbed = Runs(tmp_path / "undisturbed", embedded, recorded)
    undisturbed.through(hours, calm)
    assert troubled.api.answered <= undisturbed.api.answered
    at_most = 2 * (1 + 3)  # attempts of a lake's client, for all locations and then for each
    assert troubled.api.tried <= troubled.api.answered + at_most * len(away)


# --- pauses ---------------------------------------------------------------------------------------

NULL_DAY = date(2025, 3, 3)


@pytest.mark.parametrize(
    ("every_hours", "days"),
    [(24, 14), pytest.param(8, 36, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])],
)
def test_a_null_day_is_asked_for_with_pauses_that_grow_and_given_up(
    tmp_path: Path, embedded: Any, every_hours: int, days: int
) -> None:
    """Each run while it may be revised, then once a day, then every third day; after thirty days no more."""
    clock = MovingClock(datetime(2025, 3, 3, 23, 10, tzinfo=UTC))
    asked: Counter[int] = Counter()
    with Provider(clock, full_rows(["hanoi"], NULL_DAY, days + 3)) as provider:
        for hour in [hour for hour in provider.rows if hour[1].date() == NULL_DAY]:
            provider.instead[hour] = dict.fromkeys(COLUMNS)
        locations = [{"key": "hanoi", "name": "H", "latitude": 21.0278, "longitude": 105.8342, "timezone": "UTC"}]

        def lake() -> KeepingLake:
            return KeepingLake(tmp_path / "lake", embedded, provider.url, {"locations": locations}, now=clock())

        while (age := (clock().date() - NULL_DAY).days) <= days:
            before = len(provider.requests)
            summary = lake().hourly(oracle.BRONZE)
            assert summary.ok, summary.in_words()
            sent = provider.requests[before:]
            asked[age] += sum(first <= NULL_DAY <= last for first, last, _ in sent)
            clock.pass_(hours=every_hours)
        for age in range(3, min(days, 10) + 1):
            assert asked[age] == 1, asked
        late = [age for age in range(11, min(days, 30) + 1) if asked[age]]
        assert all(asked[age] == 1 for age in late)
        assert all(later - one == 3 for one, later in pairwise(late)), asked
        assert len(late) >= (min(days, 30) - 10) // 3
        assert not sum(count for age, count in asked.items() if age > 30), asked
        (item,) = read_status(lake().workspace, [oracle.BRONZE], str(NULL_DAY))
        assert item.marks == (f"{'incomplete' if days <= 30 else 'given up'}: 0 of 24 hours",)
        provider.instead.clear()
        lake().materialize(str(NULL_DAY), oracle.BRONZE, force=True)
        (item,) = read_status(lake().workspace, [oracle.BRONZE], str(NULL_DAY))
        assert not item.marks, "a range with --force fetches it"


# --- what was never offered -----------------------------------------------------------------------

FIRST_VALUE = datetime(2022, 8, 3, 13, tzinfo=UTC)


class Beginning(Simulator):
    """Nulls until ``FIRST_VALUE``, as outside Europe. requests: first and last day of each."""

    def __init__(self, clock: MovingClock) -> None:
        super().__init__(now=clock, override=self._hour)
        self.requests: list[tuple[date, date]] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def answer(self, query: str) -> tuple[int, Any]:
        spots, _ = parse_query(query)
        self.requests.append((spots[0].first, spots[0].last))
        return super().answer(query)

    def _hour(self, latitude: float, longitude: float, values: Mapping[str, Any]) -> dict[str, Any]:
        if values["time"] < f"{FIRST_VALUE:%Y-%m-%dT%H:%M}":
            return dict.fromkeys(values) | {"time": values["time"]}
        return dict(values)


@pytest.mark.parametrize(
    "start", ["2022-05-01", pytest.param("2013-01-01", marks=[pytest.mark.slow, pytest.mark.timeout(1200)])]
)
def test_days_before_the_first_values_alarm_nobody(tmp_path: Path, embedded: Any, start: str) -> None:
    clock = MovingClock(datetime(2022, 9, 6, 6, 20, tzinfo=UTC))
    with Beginning(clock) as api:

        def lake() -> KeepingLake:
            locations = [{"key": "hanoi", "name": "H", "latitude": 21.0278, "longitude": 105.8342, "timezone": "UTC"}]
            return KeepingLake(tmp_path / "lake", embedded, api.url, {"locations": locations}, now=clock())

        summary = lake().backfill(start, "2022-09-06", "monthly", oracle.BRONZE)
        assert summary.ok, summary.in_words()
        assert not [note for outcome in summary.outcomes for note in outcome.notes if "incomplete" in note]
        assert not any(item.marks for item in read_status(lake().workspace, [oracle.BRONZE]))
        assert lake().states(oracle.BRONZE).keys() == {oracle.BRONZE}
        assert set(lake().states(oracle.BRONZE)[oracle.BRONZE]) == {"fresh"}
        for hours in (1, 24, 72):
            clock.pass_(hours=hours)
            before = len(api.requests)
            assert lake().hourly(oracle.BRONZE).ok
            asked = api.requests[before:]
            assert asked
            assert min(first for first, _ in asked) >= date(2022, 9, 4), asked
        (lag,) = read_lags(lake().workspace, [oracle.BRONZE])
        assert not lag.missed
        assert lag.lag_hours is not None
        assert lag.lag_hours <= 1


# --- from the answers that were kept --------------------------------------------------------------


@pytest.fixture(scope="module")
def folded_once(server: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Commands, Mapping[str, Any]]:
    """The commands on a warehouse, and the memory of its provider."""
    home = tmp_path_factory.mktemp("folded")
    first = date(2025, 3, 3)
    clock = MovingClock(datetime(2025, 3, 5, 12, 10, tzinfo=UTC))
    with Provider(clock, full_rows(["hanoi"], first, 4)) as provider:
        environment = {"PREFECT_API_URL": server, "AQI_ENGINE": "embedded"}
        aqi = Commands(home, home / "warehouse", provider.url, environment)

        def run(*arguments: str) -> None:
            environment["AQI_CLOCK__NOW"] = clock().isoformat()
            done = aqi("materialize", *arguments, "--locations", "hanoi")
            assert done.returncode == 0, done.stdout + done.stderr

        nulls, revised = dict.fromkeys(COLUMNS), {"pm25": 61.5, "aqi": 170}
        for (location, instant), values in provider.rows.items():
            if instant.date() == first:
                provider.instead[location, instant] = values | {"o3": None}
        run("*", "--partitions", f"{first}..2025-03-05")
        clock.pass_(hours=1)
        for (location, instant), values in provider.rows.items():
            if instant.date() == date(2025, 3, 4):
                provider.instead[location, instant] = nulls if instant.hour < 9 else values | revised
        run("*", "--hourly")
        return aqi, provider.memory


@pytest.fixture
def folded(folded_once: tuple[Commands, Mapping[str, Any]], tmp_path: Path) -> Iterator[tuple[Commands, Provider]]:
    """A warehouse that several answers made: a revised day, nulls that were turned away, hours of two answers."""
    made, memory = folded_once
    with Provider(MovingClock(datetime.fromisoformat(made.environment["AQI_CLOCK__NOW"])), ()) as provider:
        provider.recall(memory)
        shutil.copytree(made.warehouse, tmp_path / "warehouse")
        yield Commands(tmp_path, tmp_path / "warehouse", provider.url, made.environment), provider


RANGE = "2025-03-03..2025-03-05"
FROM_RAW = ("materialize", oracle.BRONZE, "--partitions", RANGE, "--from-raw", "--locations", "hanoi")


@pytest.mark.prefect
def test_bronze_comes_back_from_the_answers_that_were_kept(folded: tuple[Commands, Provider]) -> None:
    aqi, provider = folded
    before, states = _bronze(aqi), _records(aqi)
    tables = {key: aqi.csv(key) for key in (oracle.FACT_HOURLY, oracle.CITY_DAILY, oracle.EPISODE)}
    asked = len(provider.requests)
    shutil.rmtree(Path(aqi.warehouse) / "bronze" / "open_meteo_hourly")
    done = aqi(*FROM_RAW)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(provider.requests) == asked, "nobody is asked"
    assert _bronze(aqi) == before
    assert _records(aqi) == states
    assert {item["state"] for item in aqi.json("status", "--partitions", RANGE, "--locations", "hanoi")} == {"fresh"}
    assert {key: aqi.csv(key) for key in tables} == tables
    again = aqi.json(*FROM_RAW)
    assert again["state"] == "completed"
    assert not any(step["written"] for step in again["steps"])


@pytest.mark.prefect
def test_where_an_owning_answer_is_gone_the_hours_are_named(folded: tuple[Commands, Provider]) -> None:
    aqi, _ = folded
    before = _bronze(aqi)
    kept = sorted(path for path in (Path(aqi.warehouse) / "_aqi" / "raw").rglob("*") if path.is_file())
    assert len(kept) >= 2
    kept[0].unlink()  # the first that was asked for
    done = aqi(*FROM_RAW)
    assert done.returncode == 1, done.stdout + done.stderr
    said = done.stdout + done.stderr
    assert re.search(r"00:00Z\.\.23:00Z of 2025-03-03\W+hanoi", said)
    assert re.search(r"00:00Z\.\.08:00Z of 2025-03-04\W+hanoi", said)
    assert "Traceback" not in said
    assert _bronze(aqi) == before


def _bronze(aqi: Commands) -> list[dict[str, str]]:
    rows = [{name: text for name, text in row.items() if not name.startswith("_")} for row in aqi.csv(oracle.BRONZE)]
    return sorted(rows, key=lambda row: (row["location_key"], row["ts_utc"]))


def _records(aqi: Commands) -> dict[PartitionKey, Any]:
    """What is recorded of bronze's partitions, but for who committed it and when."""
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": str(aqi.warehouse)}}))
    state = workspace.warehouse.state(workspace.assets[oracle.BRONZE])
    return {key: json.loads(json.dumps(record.facts())) for key, record in state.records.items()}
