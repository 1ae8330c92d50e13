"""Partition mappings: tables at the boundaries, and RunWindow against a brute-force finder of runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import (
    ALL_DAY,
    LAST_HOUR,
    AllPartitions,
    FlaggedHours,
    Identity,
    RunWindow,
    nothing_flagged,
)

quick = settings(max_examples=60, deadline=None)

NONE, FIRST_HOUR = 0, 1
TO_22 = ALL_DAY & ~LAST_HOUR
"""Flagged from 00:00 on; 23:00 is the first hour that is not."""
FROM_1 = ALL_DAY & ~FIRST_HOUR
"""Flagged to the end of the day; 00:00 is not."""

EPISODES = RunWindow("gold.hours", column="aqi", at_least="episode_rule.threshold")
BASE = date(2025, 8, 1)


def day(number: int) -> date:
    """Day ``number`` of August 2025; 0 is the last of July, 32 the first of September."""
    return BASE + timedelta(days=number - 1)


def at(location: str, *numbers: int) -> PartitionSet:
    return PartitionSet.from_keys(PartitionKey(day(number), location) for number in numbers)


def august(*numbers: int) -> PartitionSet:
    return at("hanoi", *numbers)


MONTH = august(*range(32))


def flags(masks: Mapping[int, int], name: str = "hanoi") -> FlaggedHours:
    """Flagged hours at the location ``name``, by number of the day; a day that is not named is absent."""
    known = {day(number): mask for number, mask in masks.items()}
    return lambda location, of: known.get(of, 0) if location == name else 0


# --- Identity and AllPartitions -------------------------------------------------------------------

SOME = august(3, 4, 9) | at("hue", 4)


@pytest.mark.parametrize("partitions", [PartitionSet.empty(), PartitionSet.null(), SOME])
def test_identity_asks_for_the_very_same_partitions(partitions: PartitionSet) -> None:
    assert Identity("x.y").upstream_of(partitions, nothing_flagged) == partitions


@pytest.mark.parametrize(
    ("changed", "existing", "affected"),
    [
        (SOME, SOME, SOME),
        (SOME, august(4, 5), august(4)),
        (SOME, PartitionSet.empty(), PartitionSet.empty()),
        (august(4), at("hue", 4), PartitionSet.empty()),
        (PartitionSet.null(), PartitionSet.null(), PartitionSet.null()),
    ],
)
def test_identity_the_way_back(changed: PartitionSet, existing: PartitionSet, affected: PartitionSet) -> None:
    identity = Identity("x.y")
    assert identity.affected_by(changed, existing, nothing_flagged) == affected
    assert identity.makeable(changed, existing) == affected
    for key in changed:
        assert identity.consulted_by(key, nothing_flagged) == PartitionSet.from_keys([key])


@pytest.mark.parametrize(
    ("partitions", "upstream"),
    [
        (SOME, PartitionSet.null()),
        (PartitionSet.null(), PartitionSet.null()),
        (PartitionSet.empty(), PartitionSet.empty()),
    ],
)
def test_all_partitions_asks_for_the_whole_table_or_nothing(partitions: PartitionSet, upstream: PartitionSet) -> None:
    assert AllPartitions("x.y").upstream_of(partitions, nothing_flagged) == upstream


def test_all_partitions_the_way_back() -> None:
    mapping, null, nothing = AllPartitions("x.y"), PartitionSet.null(), PartitionSet.empty()
    assert mapping.affected_by(null, SOME, nothing_flagged) == SOME
    assert mapping.affected_by(null, nothing, nothing_flagged) == nothing
    assert mapping.affected_by(nothing, SOME, nothing_flagged) == nothing
    assert mapping.affected_by(SOME, SOME, nothing_flagged) == nothing
    assert mapping.makeable(SOME, null) == SOME
    assert mapping.makeable(SOME, nothing) == nothing
    assert mapping.makeable(SOME, SOME) == nothing
    assert mapping.consulted_by(PartitionKey(day(3), "hanoi"), nothing_flagged) == null


@pytest.mark.parametrize(
    ("mapping", "fits"),
    [
        (Identity("x.y"), {(True, True), (False, False)}),
        (AllPartitions("x.y"), {(False, True), (False, False)}),
        (EPISODES, {(True, True)}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_which_assets_a_mapping_joins(
    mapping: Identity | AllPartitions | RunWindow, fits: set[tuple[bool, bool]]
) -> None:
    for upstream_partitioned in (False, True):
        for partitioned in (False, True):
            fit = (upstream_partitioned, partitioned) in fits
            assert (mapping.misfit(upstream_partitioned, partitioned) == "") is fit


def test_a_misfit_says_why() -> None:
    assert Identity("x.y").misfit(False, True) == (
        'Identity joins assets of the same partitions; write AllPartitions("x.y")'
    )
    assert AllPartitions("x.y").misfit(True, True) == (
        'AllPartitions reads a whole table at every step; write Identity("x.y")'
    )
    assert EPISODES.misfit(False, True) == (
        f'RunWindow joins two assets with partitions; write AllPartitions("{EPISODES.of}")'
    )


@pytest.mark.parametrize("mapping", [Identity("x.y"), AllPartitions("x.y"), EPISODES], ids=lambda of: type(of).__name__)
def test_nobody_is_sent_in_a_circle(mapping: Identity | AllPartitions | RunWindow) -> None:
    """What is to be written instead fits; and where nothing fits, that is said."""
    others = {"Identity": Identity, "AllPartitions": AllPartitions}
    for upstream_partitioned in (False, True):
        for partitioned in (False, True):
            said = mapping.misfit(upstream_partitioned, partitioned)
            instead = re.search(r'write (\w+)\("(.+)"\)', said)
            if instead is not None:
                assert others[instead[1]](instead[2]).misfit(upstream_partitioned, partitioned) == ""
            elif said:
                fits = [other("x.y").misfit(upstream_partitioned, partitioned) for other in others.values()]
                assert "no mapping makes" in said and all(fits)


# --- RunWindow: tables ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "masks", "read"),
    [
        # wanted, flagged, read: the day before … the end of the last run
        ([10], {}, range(9, 11)),
        ([10], {9: ALL_DAY, 10: TO_22}, range(9, 11)),  # ends at 23:00: the day itself holds its end
        ([10], {10: LAST_HOUR}, range(9, 12)),  # reaches midnight: may end at 00:00 of the next day
        ([10], {10: LAST_HOUR, 11: FIRST_HOUR}, range(9, 12)),
        ([10], {10: LAST_HOUR, 11: TO_22}, range(9, 12)),
        (
            [10],
            {10: LAST_HOUR, 11: ALL_DAY},
            range(9, 13),
        ),  # a full day: goes on; day 12 is absent and ends it
        ([10], {10: ALL_DAY, 11: ALL_DAY, 12: ALL_DAY, 13: FIRST_HOUR}, range(9, 14)),
        ([10], {10: LAST_HOUR, 11: FROM_1}, range(9, 12)),  # starts anew after 00:00: another day's run
        ([10], {10: TO_22, 11: ALL_DAY, 12: ALL_DAY}, range(9, 11)),
        (
            [10],
            {7: ALL_DAY, 8: ALL_DAY, 9: ALL_DAY, 10: FIRST_HOUR},
            range(9, 11),
        ),  # no further back than a day
        ([10, 11, 12], {10: ALL_DAY, 11: ALL_DAY, 12: TO_22}, range(9, 13)),
        ([10, 11], {11: LAST_HOUR, 12: FIRST_HOUR}, range(9, 13)),
        ([], {10: ALL_DAY}, range(0)),
        ([1], {}, range(2)),  # into the month before
    ],
)
def test_what_a_range_of_days_reads(wanted: list[int], masks: dict[int, int], read: range) -> None:
    assert EPISODES.upstream_of(august(*wanted), flags(masks)) == august(*read)
    if len(wanted) == 1:
        assert EPISODES.consulted_by(PartitionKey(day(wanted[0]), "hanoi"), flags(masks)) == august(*read)


def test_two_pieces_are_read_each_with_its_own_surroundings() -> None:
    assert EPISODES.upstream_of(august(3, 20), flags({3: LAST_HOUR, 4: ALL_DAY})) == august(2, 3, 4, 5, 19, 20)


@pytest.mark.parametrize(
    ("changed", "masks", "affected"),
    [
        # changed, flagged, affected: the run that reaches it … the day after
        ([10], {}, range(10, 12)),
        ([10], {9: TO_22}, range(10, 12)),  # ended at 23:00: does not reach day 10
        ([10], {9: LAST_HOUR}, range(9, 12)),
        ([10], {9: FROM_1}, range(9, 12)),
        ([10], {9: ALL_DAY}, range(9, 12)),  # day 8 does not reach over midnight: the run starts on day 9
        ([10], {8: TO_22, 9: ALL_DAY}, range(9, 12)),
        ([10], {8: LAST_HOUR, 9: ALL_DAY}, range(8, 12)),
        ([10], {6: LAST_HOUR, 7: ALL_DAY, 8: ALL_DAY, 9: ALL_DAY}, range(6, 12)),
        ([10], {6: LAST_HOUR, 7: TO_22, 8: ALL_DAY, 9: ALL_DAY}, range(8, 12)),
        ([10], {8: LAST_HOUR, 9: FROM_1}, range(9, 12)),  # 00:00 of day 9 ends what came from day 8
        ([10], {10: ALL_DAY, 11: ALL_DAY, 12: ALL_DAY}, range(10, 12)),  # never more than the day after
        ([10, 11, 12], {9: LAST_HOUR}, range(9, 14)),
        ([], {9: ALL_DAY}, range(0)),
        ([1], {0: LAST_HOUR}, range(3)),
    ],
)
def test_what_a_change_of_days_affects(changed: list[int], masks: dict[int, int], affected: range) -> None:
    assert EPISODES.affected_by(august(*changed), MONTH, flags(masks)) == august(*affected)


def test_only_existing_partitions_are_affected() -> None:
    reaching = flags({8: LAST_HOUR, 9: ALL_DAY})
    assert EPISODES.affected_by(august(10), august(5, 8, 10, 20), reaching) == august(8, 10)
    assert not EPISODES.affected_by(august(10), PartitionSet.empty(), reaching)
    assert not EPISODES.affected_by(PartitionSet.null(), MONTH | PartitionSet.null(), reaching)


def test_locations_do_not_see_each_other() -> None:
    in_hanoi = flags({9: ALL_DAY, 10: ALL_DAY, 11: ALL_DAY})
    everywhere = MONTH | at("hue", *range(32))
    both = august(10) | at("hue", 10)
    assert EPISODES.upstream_of(both, in_hanoi) == august(9, 10, 11, 12) | at("hue", 9, 10)
    assert EPISODES.affected_by(both, everywhere, in_hanoi) == august(9, 10, 11) | at("hue", 10, 11)


def test_a_day_is_makeable_when_its_own_upstream_day_is_there() -> None:
    assert EPISODES.makeable(august(9, 10, 11), august(10, 12)) == august(10)
    assert EPISODES.makeable(august(9), PartitionSet.of(Days.of(day(9)), ["hue"])) == PartitionSet.empty()


# --- RunWindow against brute force ----------------------------------------------------------------

LOCATIONS = ("hanoi", "hue")
NUMBERS = range(1, 7)
Masks = dict[PartitionKey, int]
Table = dict[PartitionKey, frozenset[tuple[int, int]]]
"""Per partition its episodes: (first hour, last hour), in hours since ordinal day 0."""

hour_masks = st.one_of(
    st.sampled_from([NONE, ALL_DAY, ALL_DAY, TO_22, FROM_1, LAST_HOUR, FIRST_HOUR, 0x0FFFF0]),
    st.integers(0, ALL_DAY),
)
keys = st.builds(PartitionKey, st.sampled_from([day(number) for number in NUMBERS]), st.sampled_from(LOCATIONS))
tables = st.dictionaries(keys, hour_masks, max_size=len(NUMBERS) * len(LOCATIONS))
full_tables = st.fixed_dictionaries(
    {PartitionKey(day(number), location): hour_masks for number in NUMBERS for location in LOCATIONS}
)
key_sets = st.sets(keys).map(PartitionSet.from_keys)


def of(masks: Masks) -> FlaggedHours:
    return lambda location, when: masks.get(PartitionKey(when, location), 0)


def find_episodes(masks: Masks, min_hours: int, within: PartitionSet | None = None) -> Table:
    """Every run of at least ``min_hours`` adjacent flagged hours of ``within``, found hour by hour."""
    found: dict[PartitionKey, set[tuple[int, int]]] = {}
    for location in LOCATIONS:
        hours = {
            key.day.toordinal() * 24 + hour
            for key, mask in masks.items()
            if key.day and key.location == location and (within is None or key in within)
            for hour in range(24)
            if mask >> hour & 1
        }
        for first in sorted(hour for hour in hours if hour - 1 not in hours):
            last = first
            while last + 1 in hours:
                last += 1
            if last - first + 1 >= min_hours:
                start = PartitionKey(date.fromordinal(first // 24), location)
                found.setdefault(start, set()).add((first, last))
    return {key: frozenset(episodes) for key, episodes in found.items()}


def make(masks: Masks, partitions: PartitionSet, min_hours: int) -> Table:
    """What a step does: read the hours that the mapping names, and keep the episodes of ``partitions``."""
    read = EPISODES.upstream_of(partitions, of(masks))
    found = find_episodes(masks, min_hours, read)
    return {key: found.get(key, frozenset()) for key in partitions}


@quick
@given(full_tables | tables, key_sets, st.integers(1, 30))
def test_the_hours_that_are_read_are_enough(masks: Masks, partitions: PartitionSet, min_hours: int) -> None:
    whole = find_episodes(masks, min_hours)
    assert make(masks, partitions, min_hours) == {key: whole.get(key, frozenset()) for key in partitions}


@quick
@given(full_tables | tables, tables, key_sets, key_sets, st.integers(1, 30), st.booleans())
def test_rewriting_what_is_affected_gives_what_rewriting_everything_gives(
    before: Masks, new: Masks, removed: PartitionSet, existing: PartitionSet, min_hours: int, planned: bool
) -> None:
    """Days are revised, added and withdrawn in any pattern. ``planned``: the plan looks at the hours before
    the change, the run at those after it; both must name enough."""
    after = {key: mask for key, mask in (before | new).items() if key not in removed}
    changed = PartitionSet.from_keys(new) | (removed & PartitionSet.from_keys(before))
    table = make(before, existing, min_hours)
    affected = EPISODES.affected_by(changed, existing, of(before if planned else after))
    table |= make(after, affected, min_hours)
    whole = find_episodes(after, min_hours)
    assert table == {key: whole.get(key, frozenset()) for key in existing}


@quick
@given(full_tables | tables, full_tables, keys, st.integers(1, 30))
def test_what_is_consulted_decides(masks: Masks, other: Masks, key: PartitionKey, min_hours: int) -> None:
    """With every day outside of the consulted ones exchanged, the partition's episodes are the same, and so
    is what it consults: its provenance stays true."""
    consulted = EPISODES.consulted_by(key, of(masks))
    inside = {at: mask for at, mask in masks.items() if at in consulted}
    exchanged = {at: mask for at, mask in other.items() if at not in consulted} | inside
    assert find_episodes(exchanged, min_hours).get(key) == find_episodes(masks, min_hours).get(key)
    assert EPISODES.consulted_by(key, of(exchanged)) == consulted


# --- RunWindow: how far it looks ------------------------------------------------------------------


def counted(flagged: Callable[[str, date], int]) -> tuple[FlaggedHours, set[date]]:
    """``flagged``, and the days that it was asked for."""
    asked: set[date] = set()

    def ask(location: str, when: date) -> int:
        asked.add(when)
        return flagged(location, when)

    return ask, asked


def days_asked(flagged: FlaggedHours, partitions: PartitionSet) -> int:
    most = 0
    everything = PartitionSet.of(Days.of(date(2013, 1, 1), date(2030, 12, 31)), ["hanoi"])
    for question in (
        lambda ask: EPISODES.upstream_of(partitions, ask),
        lambda ask: EPISODES.affected_by(partitions, everything, ask),
    ):
        ask, asked = counted(flagged)
        question(ask)
        most = max(most, len(asked))
    return most


@pytest.mark.parametrize("length", [1, 30, 1000])
def test_days_looked_at_do_not_grow_with_the_range(length: int) -> None:
    partitions = PartitionSet.of(Days.of(day(10), day(9) + timedelta(days=length)), ["hanoi"])
    assert days_asked(nothing_flagged, partitions) == 1
    assert days_asked(lambda _location, _day: TO_22, partitions) == 1
    assert days_asked(lambda _location, _day: FROM_1, partitions) == 2


@pytest.mark.parametrize("history", [3, 100, 3000])
def test_days_looked_at_do_not_grow_with_history(history: int) -> None:
    """A table of ``history`` bad days on either side, with a pause next to the day that is asked for."""
    long = dict.fromkeys(range(-history, history), ALL_DAY) | {9: TO_22, 11: TO_22}
    assert days_asked(flags(long), august(10)) <= 2


def test_days_looked_at_are_those_of_the_run_that_reaches_the_range() -> None:
    run = dict.fromkeys(range(10, 20), ALL_DAY)
    assert days_asked(flags(run), august(10)) == 11  # the ten days, and the one that ends it
    assert days_asked(flags(run), august(20)) == 11  # the ten days, and the one before


def test_the_null_key_has_no_run() -> None:
    assert NULL_KEY not in EPISODES.upstream_of(august(10), nothing_flagged)
