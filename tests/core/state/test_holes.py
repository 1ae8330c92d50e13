"""Holes: what is wanted and not there, and what nobody speaks of between days that are there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import AllPartitions, Identity, PartitionMapping
from orchestration.core.partitions.scheme import DailyByLocation, PartitionScheme
from orchestration.core.state.holes import Holes, Wanted, between, ended, holes
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import TableState
from tests.support.schemes import LocalDays, Weeks

FEED, CLEAN, LOCATIONS = "bronze.feed", "silver.clean", "gold.locations"
NOW = datetime(2025, 8, 20, 10, 30, tzinfo=UTC)
TODAY = NOW.date()
DAILY = DailyByLocation()
NAMES = ("hue", "vinh")


def asset(key: str, *upstream: PartitionMapping, source: str = "", scheme: PartitionScheme | None = DAILY) -> Asset:
    return Asset(key, "Text.", lambda: None, upstream, source or None, scheme, "C", (), frozenset(), ())


LAKE = [
    asset(LOCATIONS, scheme=None),
    asset(FEED, source="api"),
    asset(CLEAN, Identity(FEED), AllPartitions(LOCATIONS)),
]


def at(location: str, *days: date) -> list[PartitionKey]:
    return [PartitionKey(day, location) for day in days]


def august(*numbers: int) -> list[date]:
    return [date(2025, 8, number) for number in numbers]


def table(keys: Iterable[PartitionKey]) -> TableState:
    return TableState(1, {key: PartitionRecord(24, "f", {}, "code", "contract") for key in keys})


def found(
    feed: Iterable[PartitionKey],
    clean: Iterable[PartitionKey] | None = None,
    *,
    since: dict[str, date] | None = None,
    first_day: date = date.min,
    values_from: date = date.min,
    locations: Iterable[str] = NAMES,
) -> dict[str, Holes]:
    feed = list(feed)
    tables = {FEED: table(feed), CLEAN: table(feed if clean is None else clean)}
    wanted = Wanted(NOW, since or {}, frozenset(locations), {"api": first_day}, {"api": values_from})
    return holes(LAKE, tables, wanted)


def keys(*of: PartitionKey) -> PartitionSet:
    return PartitionSet.from_keys(of)


def test_without_a_declaration_only_what_lies_between() -> None:
    """Neither before the first day nor after the last one; what another table has is missing anyway."""
    of = found(at("hue", *august(1, 2, 5, 9)), at("hue", *august(2, 8)))
    assert of[FEED].gaps == keys(*at("hue", *august(3, 4, 6, 7)))
    assert of[CLEAN].gaps == keys(*at("hue", *august(3, 4, 6, 7)))
    assert not of[FEED].missing and not of[FEED].wanted
    assert LOCATIONS not in of, "an unpartitioned table has no days"


def test_what_is_declared_is_missing_up_to_yesterday() -> None:
    of = found(at("hue", *august(16, 18)), since={"hue": date(2025, 8, 15)})[FEED]
    assert of.missing == keys(*at("hue", *august(15, 17, 19)))
    assert not of.gaps, "what is missing is no gap besides"


def test_before_what_is_declared_there_are_gaps() -> None:
    of = found(at("hue", *august(1, 3, 19)), since={"hue": date(2025, 8, 18)})[FEED]
    assert of.missing == keys(*at("hue", *august(18)))
    assert of.gaps == keys(*at("hue", *august(2, *range(4, 18))))


def test_a_location_that_has_nothing_lacks_all_that_is_declared() -> None:
    of = found([], since={"hue": date(2025, 8, 18)})
    assert of[FEED].missing == of[CLEAN].missing == keys(*at("hue", *august(18, 19)))


def test_only_configured_locations_count() -> None:
    of = found(at("hue", *august(1, 3)), since={"hue": date(2025, 8, 18)}, locations=["vinh"])[FEED]
    assert not of.missing and not of.gaps


@pytest.mark.parametrize(
    ("since", "there", "first"),
    [
        ("2012-01-01", "2013-02-01", "2013-02-01"),  # somebody knew of values from then on
        ("2013-03-01", "2013-02-01", "2013-03-01"),
        ("2012-01-01", "2012-06-01", "2013-01-01"),  # no day before the first that can be asked for
        ("2013-03-01", "2025-08-01", "2022-08-01"),  # nobody does
        ("2013-03-01", "2020-05-05", "2020-05-05"),
        ("2024-01-01", "2020-05-05", "2024-01-01"),
    ],
)
def test_days_before_a_source_has_values_are_wanted_where_earlier_ones_are_there(
    since: str, there: str, first: str
) -> None:
    of = found(
        at("hue", date.fromisoformat(there)),
        [],
        since={"hue": date.fromisoformat(since)},
        first_day=date(2013, 1, 1),
        values_from=date(2022, 8, 1),
    )
    for key in (FEED, CLEAN):
        days = of[key].wanted.days_of("hue")
        assert (days.first, days.last) == (date.fromisoformat(first), date(2025, 8, 19))


def test_what_is_declared_for_later_is_not_wanted_yet() -> None:
    assert not found([], since={"hue": TODAY})[FEED].wanted
    assert not found([], since={"hue": TODAY + timedelta(days=40)})[FEED].wanted


@pytest.mark.parametrize(
    ("scheme", "since", "expected"),
    [
        # 2025-08-20 is a Wednesday: the week of the 18th goes on; the one that the 6th lies in had begun before.
        (Weeks(), "2025-08-06", ["2025-08-11"]),
        (Weeks(), "2025-08-04", ["2025-08-04", "2025-08-11"]),
        # At UTC+7 the day of the 20th goes on, and that of the 18th began on the 17th, 17:00 UTC.
        (LocalDays(), "2025-08-18", ["2025-08-19"]),
        (LocalDays(), "2025-08-17", ["2025-08-18", "2025-08-19"]),
    ],
)
def test_periods_that_are_whole_and_over(scheme: PartitionScheme, since: str, expected: list[str]) -> None:
    wanted = Wanted(NOW, {"hue": date.fromisoformat(since)}, frozenset({"hue"}))
    of = holes([asset(FEED, source="api", scheme=scheme)], {}, wanted)[FEED]
    assert [str(key) for key in of.missing] == [f"{day}/hue" for day in expected]


def test_weeks_between_weeks() -> None:
    there = keys(*at("hue", date(2025, 7, 21), date(2025, 8, 11)))
    assert [str(key.day) for key in between(Weeks(), there) - there] == ["2025-07-28", "2025-08-04"]
    assert ended(Weeks(), keys(*at("hue", date(2025, 8, 11), date(2025, 8, 18))), NOW) == keys(
        *at("hue", date(2025, 8, 11))
    )


numbers = st.sets(st.integers(0, 25), max_size=14)
quick = settings(max_examples=80, deadline=None)


@quick
@given(
    there=st.fixed_dictionaries({"hue": numbers, "vinh": numbers, "gone": numbers}),
    clean=numbers,
    since=st.dictionaries(st.sampled_from(["hue", "vinh", "gone"]), st.integers(0, 30), max_size=3),
    first=st.integers(0, 25),
    values=st.integers(0, 25),
)
def test_against_counting_days(
    there: dict[str, set[int]], clean: set[int], since: dict[str, int], first: int, values: int
) -> None:
    """Day by day, from 1 August on; today is the 20th."""

    def day(number: int) -> date:
        return date(2025, 8, 1) + timedelta(days=number)

    feed = [key for name, of in there.items() for key in at(name, *map(day, of))]
    cleaned = at("hue", *map(day, clean))
    of = found(
        feed,
        cleaned,
        since={name: day(number) for name, number in since.items()},
        first_day=day(first),
        values_from=day(values),
    )
    makeable = {PartitionKey(day(number), name) for name in NAMES for number in range(60)}
    for key, present in ((FEED, set(feed)), (CLEAN, set(cleaned))):
        missing, gaps = set[PartitionKey](), set[PartitionKey]()
        for name in NAMES:
            own = {one.day for one in present if one.location == name and one.day}
            known = [one.day for one in {*feed, *(present if key == CLEAN else ())} if one.location == name and one.day]
            for number in range(60):
                one = PartitionKey(day(number), name)
                if one.day is None or one in present or one.day >= TODAY:
                    continue
                offered = number >= values or any(earlier <= one.day for earlier in known)
                if name in since and number >= max(since[name], first) and offered and one in makeable:
                    missing.add(one)
                elif own and min(own) < one.day < max(own) and one not in {*feed, *cleaned}:
                    gaps.add(one)
        assert set(of[key].missing) == missing
        assert set(of[key].gaps) == gaps
        assert not of[key].missing & of[key].gaps
        makeable = missing | present  # of what is made from it


def test_what_is_made_of_two_sources_is_wanted_from_where_both_have_values() -> None:
    """The later of their first days, and of the days from which on they have values everywhere."""
    other, both = "bronze.other", "silver.both"
    lake = [asset(FEED, source="api"), asset(other, source="sms"), asset(both, Identity(FEED), Identity(other))]
    every = at("hue", *august(*range(14, 20)))
    tables = {FEED: table(every), other: table(every)}
    for first_days, values_from in (
        ({"api": date(2025, 8, 12), "sms": date(2025, 8, 17)}, {}),
        ({}, {"api": date(2025, 8, 12), "sms": date(2025, 8, 17)}),
    ):
        wanted = Wanted(NOW, {"vinh": date(2025, 8, 1)}, frozenset(NAMES), first_days, values_from)
        of = holes(lake, tables, wanted)
        assert of[FEED].wanted == keys(*at("vinh", *august(*range(12, 20))))
        assert of[both].wanted == keys(*at("vinh", *august(17, 18, 19)))


def test_earlier_days_upstream_are_wanted_downstream_too() -> None:
    """Somebody knew that the source has them, though what is made of it begins later."""
    of = found(
        at("hue", *august(3, 4, 19)),
        at("hue", *august(5, 19)),
        since={"hue": date(2025, 8, 1)},
        values_from=date(2025, 8, 10),
    )
    assert of[CLEAN].wanted == of[FEED].wanted == keys(*at("hue", *august(*range(3, 20))))
