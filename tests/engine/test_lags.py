"""Lags: up to which instant tables cover what happened, by what their records say."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from assets import CATALOG
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.state.completeness import Completeness
from orchestration.core.state.lags import Earlier, Lag, lags, none_left
from orchestration.core.state.provenance import ABSENT, PartitionRecord, Provenance
from orchestration.core.state.table_state import TableState
from orchestration.engine.lags import EarlierRecords, read_lags, worst_lag_hours
from orchestration.reports.freshness import print_lags, to_json
from tests.support import oracle
from tests.support.cli_calls import Aqi
from tests.support.filled_tables import Tables

NOW = datetime(2025, 8, 20, 12, tzinfo=UTC)
HUE = "hue"
CHAIN = (oracle.BRONZE, oracle.SILVER, oracle.FACT_HOURLY)


def key(day: int, location: str = HUE) -> PartitionKey:
    return PartitionKey(date(2025, 8, day), location)


def record(fingerprint: str = "f", as_of: str = "", at: str = "", **inputs: dict[str, str]) -> PartitionRecord:
    return PartitionRecord(24, fingerprint, inputs, "c", "k", as_of=as_of, at=at)


def bronze(as_of: str = "", fingerprint: str = "f") -> PartitionRecord:
    return record(fingerprint, as_of, "2025-08-20T11:59:00Z", open_meteo={})


def made_from(upstream: str, day: int, consulted: str = "f", at: str = "2025-08-20T11:30:00Z") -> PartitionRecord:
    return PartitionRecord(24, "f", {upstream: {str(key(day)): consulted}}, "c", "k", at=at)


def table(records: Mapping[PartitionKey, PartitionRecord], *unrecorded: PartitionKey) -> TableState:
    return TableState(1, records, PartitionSet.from_keys(unrecorded))


def covered(
    tables: Mapping[str, TableState],
    asset: str,
    location: str = HUE,
    now: datetime = NOW,
    earlier: Earlier = none_left,
) -> str | None:
    """Day and hour up to which an asset covers a location."""
    (lag,) = lags(CATALOG, [asset], tables, [location], now, earlier)
    return None if lag.covered_until is None else f"{lag.covered_until:%d %H:%M}"


@pytest.mark.parametrize(
    ("records", "until"),
    [
        ({}, None),
        ({key(18): bronze()}, "19 00:00"),  # asked after it had ended
        ({key(18): bronze("2025-08-18T09:30:00Z")}, "18 09:30"),
        ({key(18): bronze("2025-08-19T09:30:00Z")}, "19 00:00"),  # no day covers more than itself
        ({key(19): bronze(), key(20): bronze("2025-08-20T11:05:00Z")}, "20 11:05"),
        ({key(18): bronze(), key(20): bronze("2025-08-19T15:00:00Z")}, "19 15:00"),  # tomorrow's, asked for yesterday
        ({key(18): bronze(), key(21): bronze("2025-08-18T15:00:00Z")}, "19 00:00"),  # an older day covers more
        ({key(20): bronze()}, "20 12:00"),  # nothing covers what has not happened
        ({key(20): bronze("2025-08-20T15:00:00Z")}, "20 12:00"),
        ({key(20, "hanoi"): bronze()}, None),
        ({key(20): bronze("2025-08-20T12:00:00+02:00")}, "20 10:00"),
    ],
)
def test_a_fetched_asset(records: Mapping[PartitionKey, PartitionRecord], until: str | None) -> None:
    assert covered({oracle.BRONZE: table(records)}, oracle.BRONZE) == until


def test_what_somebody_else_changed_covers_nothing() -> None:
    records = {key(18): bronze(), key(20): bronze("2025-08-20T11:05:00Z")}
    assert covered({oracle.BRONZE: table(records, key(20))}, oracle.BRONZE) == "19 00:00"
    assert covered({oracle.BRONZE: table(records, key(18), key(20))}, oracle.BRONZE) is None


@pytest.mark.parametrize(
    ("upstream", "own", "until"),
    [
        ("f", made_from(oracle.BRONZE, 20), "20 11:05"),  # as good as what it was made from
        ("g", made_from(oracle.BRONZE, 20), "20 00:00"),  # upstream went on, and nothing says what it was before
        ("f", record(at="2025-08-20T10:06:00Z"), "20 00:00"),  # made when it had other upstream assets
        ("f", made_from(oracle.BRONZE, 20, ABSENT), None),
    ],
)
def test_a_derived_asset(upstream: str, own: PartitionRecord, until: str | None) -> None:
    tables = {
        oracle.BRONZE: table({key(20): bronze("2025-08-20T11:05:00Z", upstream)}),
        oracle.SILVER: table({key(20): own}),
    }
    assert covered(tables, oracle.SILVER) == until


@pytest.mark.parametrize(
    ("counts", "until"),
    [
        ({18: 24, 19: 24, 20: 12}, "20 11:05"),  # whole: as far as it was asked for
        ({18: 24, 19: 24, 20: 9}, "20 09:00"),
        ({18: 24, 19: 24, 20: 0}, "20 00:00"),
        ({18: 24, 19: 0, 20: 0}, "19 00:00"),  # nothing covers nothing, not even the beginning of its day
        ({18: 23, 19: 0, 20: 0}, "18 23:00"),
        ({18: 0, 19: 0, 20: 0}, None),
        ({18: 0, 19: 5, 20: None}, "20 11:05"),  # nobody counted
    ],
)
def test_covered_is_what_has_values(counts: Mapping[int, int | None], until: str | None) -> None:
    """Of the source's table, and of what is made of it."""
    has = {key(day): count for day, count in counts.items()}
    records = {of: bronze("2025-08-20T11:05:00Z" if of == key(20) else "", f"f{of}") for of in has}
    tables = {
        oracle.BRONZE: table(records),
        oracle.SILVER: table({of: made_from(oracle.BRONZE, of.day.day, f"f{of}") for of in has if of.day}),
    }

    def completeness(asset: str, of: PartitionKey, own: PartitionRecord) -> Completeness | None:
        count = has[of]
        if asset != oracle.BRONZE or count is None:
            return None
        return Completeness(12 if own.as_of else 24, {"aqi": count, "pm25": 24})

    for asset in (oracle.BRONZE, oracle.SILVER):
        (lag,) = lags(CATALOG, [asset], tables, [HUE], NOW, completeness=completeness)
        assert (None if lag.covered_until is None else f"{lag.covered_until:%d %H:%M}") == until


def test_what_somebody_else_changed_covered_what_was_recorded() -> None:
    tables = {
        oracle.BRONZE: table({key(20): bronze("2025-08-20T11:05:00Z")}, key(20)),
        oracle.SILVER: table({key(20): made_from(oracle.BRONZE, 20)}),
    }
    assert covered(tables, oracle.SILVER) == "20 11:05"


def test_made_from_what_was_never_there() -> None:
    tables = {oracle.SILVER: table({key(20): made_from(oracle.BRONZE, 20, ABSENT)})}
    assert covered(tables, oracle.SILVER) is None


class Hours:
    """A day that is fetched, cleaned and made into facts now and then, each content after the hour of its fetch."""

    def __init__(self) -> None:
        self._tables: dict[str, TableState] = {asset: table({}) for asset in CHAIN}
        self._all: dict[tuple[str, PartitionKey, str], PartitionRecord] = {}

    def made(self, at: str, *assets: str) -> None:
        for asset in assets:
            if asset == oracle.BRONZE:
                new = record(f"of {at}", f"2025-08-20T{at}:00Z", f"2025-08-20T{at}:30Z", open_meteo={})
            else:
                upstream = CHAIN[CHAIN.index(asset) - 1]
                of = self._tables[upstream].records[key(20)].fingerprint
                new = PartitionRecord(24, of, {upstream: {str(key(20)): of}}, "c", "k", at=f"2025-08-20T{at}:45Z")
            self._tables[asset] = table({key(20): new})
            self._all[asset, key(20), new.fingerprint] = new

    def lag(self, asset: str, now: str) -> Lag:
        at = datetime.fromisoformat(f"2025-08-20T{now}:50Z")
        (found,) = lags(CATALOG, [asset], self._tables, [HUE], at, lambda *of: self._all.get(of))
        return found

    def until(self, now: str) -> list[str]:
        """The hour up to which each of bronze, silver and facts covers the day."""
        found = (self.lag(asset, now).covered_until for asset in CHAIN)
        return ["" if until is None else f"{until:%H:%M}" for until in found]


def test_in_mid_run_each_table_covers_what_it_was_made_from() -> None:
    """No table that was in time lies behind because what is upstream of it is newer already."""
    day = Hours()
    day.made("08:00", *CHAIN)
    for hour in ("09:00", "10:00", "11:00"):
        for asset in CHAIN:
            day.made(hour, asset)
            assert not day.lag(oracle.FACT_HOURLY, hour).missed
    day.made("12:00", oracle.BRONZE)
    assert day.until("12:00") == ["12:00", "11:00", "11:00"]
    day.made("12:00", oracle.SILVER)
    assert day.until("12:00") == ["12:00", "12:00", "11:00"]
    day.made("12:00", oracle.FACT_HOURLY)
    assert day.until("12:00") == ["12:00", "12:00", "12:00"]


def test_facts_that_fail_while_fetching_goes_on_lie_behind_from_their_last_success() -> None:
    day = Hours()
    day.made("06:00", *CHAIN)
    missed = []
    for hour in range(7, 12):
        day.made(f"{hour:02}:00", oracle.BRONZE, oracle.SILVER)
        assert day.until(f"{hour:02}:00") == [f"{hour:02}:00", f"{hour:02}:00", "06:00"]
        missed += [hour] if day.lag(oracle.FACT_HOURLY, f"{hour:02}:00").missed else []
    assert missed == [9, 10, 11], "three hours are allowed"


def test_what_was_made_late_from_old_content_lies_behind_as_before() -> None:
    """Fetched at six, made at eleven; when the next hour is fetched, that is no news for what is made from it."""
    day = Hours()
    day.made("06:00", oracle.BRONZE)
    day.made("11:00", oracle.SILVER, oracle.FACT_HOURLY)
    assert day.until("11:00") == ["06:00"] * 3
    for hour in ("11:30", "12:30", "13:30"):
        day.made(hour, oracle.BRONZE)
        assert day.until(hour) == [hour, "06:00", "06:00"]
        assert day.lag(oracle.FACT_HOURLY, hour).missed


def test_earlier_records_are_read_from_the_logs(tmp_path: Path) -> None:
    """Up to the state that is asked about, and as far back as they go: behind that, nothing of the day is covered."""
    lake, one = Tables(tmp_path / "lake"), key(20, "hanoi")
    bronzes, silvers = (lake.workspace.catalog[of] for of in (oracle.BRONZE, oracle.SILVER))
    warehouse = lake.workspace.warehouse
    for asset in (bronzes, silvers):
        lake.create(asset.key)
    for hour in ("02", "03", "04", "05"):
        fetched = bronze(f"2025-08-20T{hour}:00:00Z", f"of {hour}")
        warehouse.record(bronzes, Provenance("r", oracle.BRONZE, "x", {one: fetched}))
        if hour == "03":
            before = warehouse.states([bronzes])
            made = PartitionRecord(24, "f", {oracle.BRONZE: {str(one): "of 03"}}, "c", "k")
            warehouse.record(silvers, Provenance("r", oracle.SILVER, "x", {one: made}))
    warehouse.keep_state(bronzes, warehouse.state(bronzes))
    DeltaTable(warehouse.table_uri(oracle.BRONZE)).create_checkpoint()  # or a log with holes were the table's trouble

    def until() -> list[str]:
        found = [lag for lag in read_lags(lake.workspace, [oracle.BRONZE, oracle.SILVER]) if lag.location == "hanoi"]
        return ["" if lag.covered_until is None else f"{lag.covered_until:%H:%M}" for lag in found]

    assert until() == ["05:00", "03:00"]
    earlier = EarlierRecords(warehouse, before)
    assert earlier(oracle.BRONZE, one, "of 05") is None, "later than the state"
    found = earlier(oracle.BRONZE, one, "of 02")
    assert found is not None
    assert found.as_of == "2025-08-20T02:00:00Z"
    log = lake.folder / "bronze" / oracle.BRONZE.removeprefix("bronze.") / "_delta_log"
    (log / f"{3:020d}.json").write_text("{", encoding="utf-8")
    assert until() == ["05:00", "03:00"]
    (log / f"{2:020d}.json").unlink()
    assert until() == ["05:00", "00:00"]


def test_a_day_ended_that_was_fetched_before() -> None:
    """At 00:30 of the next day: the last hours of yesterday are not there yet."""
    tables = {oracle.BRONZE: table({key(19): bronze("2025-08-19T23:05:00Z")})}
    (lag,) = lags(CATALOG, [oracle.BRONZE], tables, [HUE], datetime(2025, 8, 20, 0, 30, tzinfo=UTC))
    assert lag.lag_hours == pytest.approx(85 / 60)


def test_only_assets_with_days_and_every_location() -> None:
    found = lags(CATALOG, CATALOG.keys, {}, [HUE, "hanoi"], NOW)
    assert {lag.asset for lag in found} == {asset.key for asset in CATALOG if asset.partitions is not None}
    assert [lag.location for lag in found[:2]] == [HUE, "hanoi"]
    assert {lag.missed for lag in found if lag.target_hours is not None} == {True}
    assert not any(lag.missed for lag in found if lag.target_hours is None)


@pytest.mark.parametrize(
    ("lag_hours", "target", "missed"),
    [(None, None, False), (None, 3, True), (3.0, 3, False), (3.01, 3, True), (99, None, False)],
)
def test_missed(lag_hours: float | None, target: float | None, missed: bool) -> None:
    assert Lag("a", HUE, None, lag_hours, target).missed is missed


hours = st.integers(0, 24 * 4).map(lambda hour: datetime(2025, 8, 18, tzinfo=UTC) + timedelta(hours=hour))
instants = st.just("") | hours.map(datetime.isoformat)
days = st.integers(16, 22)
fingerprints = st.sampled_from(["f", "g"])
bronzes = st.dictionaries(days.map(key), st.builds(bronze, instants, fingerprints), max_size=7)
silvers = st.dictionaries(days, st.tuples(fingerprints, instants), max_size=7).map(
    lambda of: {key(day): made_from(oracle.BRONZE, day, consulted, at) for day, (consulted, at) in of.items()}
)


@settings(max_examples=200, deadline=None)
@given(bronzes, silvers, st.frozensets(days.map(key), max_size=2), hours)
def test_the_newest_days_say_as_much_as_all(
    fetched: dict[PartitionKey, PartitionRecord],
    made: dict[PartitionKey, PartitionRecord],
    unrecorded: frozenset[PartitionKey],
    now: datetime,
) -> None:
    """The latest of all partitions one by one; never more than has happened; more time means no less is covered."""
    tables = {oracle.BRONZE: table(fetched, *unrecorded), oracle.SILVER: table(made)}
    for asset in (oracle.BRONZE, oracle.SILVER):
        (whole,) = lags(CATALOG, [asset], tables, [HUE], now)
        singly = []
        for one in tables[asset].records:
            alone = tables | {asset: table({one: tables[asset].records[one]}, *tables[asset].unrecorded)}
            (lag,) = lags(CATALOG, [asset], alone, [HUE], now)
            singly += [lag.covered_until] if lag.covered_until is not None else []
        assert whole.covered_until == max(singly, default=None)
        assert (whole.lag_hours is None) is (whole.covered_until is None)
        if whole.covered_until is not None:
            assert whole.covered_until <= now
            assert whole.lag_hours == (now - whole.covered_until) / timedelta(hours=1)
            (later,) = lags(CATALOG, [asset], tables, [HUE], now + timedelta(hours=5))
            assert later.covered_until is not None
            assert later.covered_until >= whole.covered_until


# --- how it looks ---------------------------------------------------------------------------------


def printed(found: list[Lag]) -> list[list[str]]:
    text = io.StringIO()
    print_lags(Console(file=text, width=200), found)
    return [line.split() for line in text.getvalue().splitlines()[1:]]


def lag(location: str, behind: float | None, target: float | None = 3) -> Lag:
    until = None if behind is None else NOW - timedelta(hours=behind)
    return Lag("gold.x", location, until, behind, target)


def test_locations_that_agree_share_a_line() -> None:
    assert printed([lag("a", 1), lag("b", 1)]) == [
        ["gold.x", "all", "2", "locations", "2025-08-20T11:00:00Z", "1.0", "h", "3", "h", "ok"]
    ]
    assert printed([lag("a", 1, None)]) == [["gold.x", "a", "2025-08-20T11:00:00Z", "1.0", "h"]]


def test_of_two_hundred_locations_the_worst_come_first() -> None:
    lines = printed([lag(f"p{number}", number / 10) for number in range(198)] + [lag("never", None), lag("late", 240)])
    assert lines == [
        ["gold.x", "never", "never", "made", "3", "h", "missed"],
        ["gold.x", "late", "2025-08-10T12:00:00Z", "10", "days", "3", "h", "missed"],
        ["gold.x", "p197", "2025-08-19T16:18:00Z", "19.7", "h", "3", "h", "missed"],
        ["gold.x", "197", "more", "2025-08-19T16:24:00Z", "or", "later", "≤", "19.6", "h", "166", "missed"],
    ]


def test_as_json() -> None:
    assert to_json(lag("a", 4)) == {
        "asset": "gold.x",
        "location": "a",
        "covered_until": "2025-08-20T08:00:00Z",
        "lag_hours": 4.0,
        "target_hours": 3,
        "missed": True,
    }
    assert worst_lag_hours([lag("a", 4), lag("b", 5), lag("c", None)], "gold.x") == 5
    assert worst_lag_hours([lag("c", None)], "gold.x") is None


# --- the command ----------------------------------------------------------------------------------


def test_the_command(aqi: Aqi, lake: str) -> None:
    """Episodes of the 18th and 19th of August were made from what is gone, and nothing says what that was."""
    found = aqi.json("freshness", oracle.EPISODE, status=1, AQI_WAREHOUSE__URI=lake)
    assert [(item["location"], item["covered_until"], item["missed"]) for item in found] == [
        ("hanoi", "2025-08-18T00:00:00Z", True),
        ("hcmc", None, True),
        ("danang", "2025-08-19T00:00:00Z", True),
    ]
    result = aqi("freshness", oracle.EPISODE, AQI_WAREHOUSE__URI=lake)
    assert (result.exit_code, result.stderr) == (1, "")
    assert "never made" in result.stdout


def test_no_target_is_missed_where_there_is_none(aqi: Aqi, lake: str) -> None:
    text = aqi.text("freshness", "gold.dim_*", AQI_WAREHOUSE__URI=lake)
    assert text == "None of these assets has days.\n"
    assert aqi.json("freshness", oracle.BRONZE, AQI_WAREHOUSE__URI=lake)[0]["target_hours"] is None
