"""Which kept raw answers may go: owned, turned away, replaced, orphans, too much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.calendar import iso
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.state.partition_record import Answer, PartitionRecord, TurnedAway
from orchestration.core.state.raw_retention import KnownRequests, Retention, RetentionRules, retention_of
from tests.support.records import RECORD, key, keys

quick = settings(max_examples=150, deadline=None)
NOW = datetime.fromisoformat("2025-10-01T00:00:00Z")
RULES = RetentionRules(days=30)
ONE = keys(1)
NOTHING = PartitionSet.empty()


@dataclass(frozen=True)
class File:
    """A kept answer."""

    name: str
    asked: str
    partitions: PartitionSet
    size: int = 100


def ago(days: float) -> str:
    return iso(NOW - timedelta(days=days))


def file(days: float, partitions: PartitionSet = ONE, name: str = "a", size: int = 100) -> File:
    """Asked for so many days ago."""
    return File(name, ago(days), partitions, size)


def record(*owners: float, turned_away: tuple[float, ...] = (), as_of: float | None = None) -> PartitionRecord:
    """Whose rows are of answers so many days ago."""
    return replace(
        RECORD,
        answers=tuple(Answer(ago(days), "d") for days in owners),
        turned_away=tuple(TurnedAway(ago(days), "d", 1) for days in turned_away),
        as_of="" if as_of is None else ago(as_of),
    )


def judged(
    files: list[File], records: Mapping[PartitionKey, PartitionRecord], rules: RetentionRules = RULES, **told: object
) -> Retention[File]:
    return retention_of(files, KnownRequests(records, **told), rules, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "owners", "removed"),
    [
        (400, (400,), False),
        (400, (400, 35), False),
        (40, (35,), True),
        (40, (29,), False),
        (29, (29,), False),
        (400, (400 - 371,), False),
        (31, (31.5,), True),
        (29, (35,), False),
        (30, (35,), False),
    ],
    ids=[
        "owns all",
        "owns some",
        "lost its last row 35 days ago",
        "lost it 29 days ago",
        "young",
        "old, and lost it lately",
        "asked later, took nothing",
        "turned away lately",
        "to the second",
    ],
)
def test_by_days(asked: float, owners: tuple[float, ...], removed: bool) -> None:
    one = file(asked)
    found = judged([one], {key(1): record(*owners)}, named={one.asked: keys(1)})
    assert found.remove == ((one,) if removed else ())


def test_one_partition_of_many_keeps_it() -> None:
    one = file(400, keys(1, 2, 3))
    records = {key(1): record(40), key(2): record(400), key(3): record(40)}
    assert judged([one], records).remove == ()
    assert judged([one], {**records, key(2): record(40)}).remove == (one,)
    assert judged([one], {**records, key(2): record(20)}).remove == (), "a row of it was replaced 20 days ago"


def test_where_owners_are_not_kept() -> None:
    one, other = file(400), file(20, keys(2))
    records = {key(1): record(400), key(2): record(20)}
    assert judged([one, other], records, replace(RULES, keep_owned=False)).remove == (one,)


def test_the_moment_may_be_written_otherwise() -> None:
    one = replace(file(400), asked=ago(400).replace("Z", "+00:00"))
    found = judged([one], {key(1): record(400)})
    assert (found.remove, found.orphans, found.missing) == ((), (), NOTHING)


def test_answers_of_format_1_have_no_moment() -> None:
    old = replace(RECORD, answers=(Answer("", "d"),))
    found = judged([], {key(1): old, key(2): replace(RECORD, answers=())})
    assert found.missing == NOTHING


def test_a_moment_that_has_not_come() -> None:
    one = file(-1)
    assert judged([one], {key(1): record(-1)}).remove == ()
    assert judged([one], {}, named={one.asked: keys(1)}).remove == ()


# --- orphans --------------------------------------------------------------------------------------


def test_what_nothing_names_is_an_orphan() -> None:
    owner, turned, moment, current, past, orphan = files = [file(number, name=str(number)) for number in range(2, 8)]
    assert owner.asked == ago(2)
    records = {key(1): record(2, turned_away=(3,), as_of=5)}
    found = judged(files, records, named={moment.asked: keys(1), past.asked: keys(1, 2)})
    assert found.orphans == (orphan,)
    assert found.remove == ()
    elsewhere = judged(files, {key(2): records[key(1)]})
    assert set(elsewhere.orphans) >= {turned, moment, current, past, orphan}, "it names other partitions"


@pytest.mark.parametrize(("days", "removed"), [(0.9, False), (1.1, True), (40, True)])
def test_an_orphan_stays_for_a_day(days: float, removed: bool) -> None:
    """A run may be under way, which has kept it and not yet committed."""
    one = file(days, size=500)
    for rules in (RetentionRules(days=0), RetentionRules(days=30, size_bytes=1)):
        found = judged([one], {}, rules)
        assert (found.orphans, found.remove) == ((one,), (one,) if removed else ())
    assert judged([one], {}).remove == ((one,) if days > 30 else ())


def test_of_commits_that_are_gone_nobody_knows_what_they_named() -> None:
    one, other = file(20), file(10)
    assert judged([one, other], {}, since=ago(15)).orphans == (other,)


# --- removed, lost, renamed -----------------------------------------------------------------------


def test_rows_that_were_removed_as_a_whole() -> None:
    one = file(400)
    assert judged([one], {}, removed=[(keys(1, 2), ago(20))]).remove == ()
    assert judged([one], {}, removed=[(keys(1, 2), ago(31))]).remove == (one,)
    assert judged([one], {}, removed=[(keys(2), ago(20))]).remove == (one,)


def test_a_table_that_was_lost_and_made_anew() -> None:
    """Its answers are all that is left of it."""
    one = file(400)
    assert judged([one], {key(9): record(2)}, began=ago(3)).remove == ()
    assert judged([one], {key(9): record(2)}, began=ago(31)).remove == (one,)


def test_rows_whose_answer_is_not_there() -> None:
    there = [file(60, keys(9), "first"), file(40)]
    records = {key(1): record(40, 50), key(2): record(40), key(3): record(40, 60), key(4): record()}
    found = judged(there, records)
    assert found.missing == keys(1, 2, 3)


def test_what_was_asked_before_any_answer_was_kept_is_not_missed() -> None:
    """Nor anything where none is kept; what is broken was kept, too."""
    there, records = file(40), {key(1): record(40, 50), key(2): record(41), key(3): record(39), key(4): record(40)}
    assert judged([there], records).missing == keys(3, 4)
    assert judged([], records).missing == NOTHING
    broken_since = retention_of([there], KnownRequests(records), RULES, NOW, datetime.fromisoformat(ago(41)))
    assert broken_since.missing == keys(2, 3, 4)


def test_a_location_was_renamed_and_nobody_knows() -> None:
    """The table's records have its new name, the kept answers the old one: none of them goes."""
    one, other, another_day = file(400), file(401), file(400, keys(2), "b")
    records = {key(1, "hue-2"): record(400)}
    found = judged([one, other, another_day], records)
    assert found.remove == (other, another_day)
    assert found.missing == keys(1, location="hue-2")


# --- by size --------------------------------------------------------------------------------------


def test_the_oldest_that_own_nothing_go_first() -> None:
    files = [file(days, name=str(days)) for days in (20, 15, 10, 5)]
    records = {key(1): record(20, 5, turned_away=(15, 10))}
    for most, gone in ((400, []), (399, [1]), (300, [1]), (299, [1, 2]), (1, [1, 2])):
        found = judged(files, records, replace(RULES, size_bytes=most))
        assert found.remove == tuple(files[number] for number in gone), most
    found = judged(files, records, replace(RULES, size_bytes=1, keep_owned=False))
    assert found.remove == tuple(files)
    found = judged(files, records, replace(RULES, size_bytes=100, keep_owned=False))
    assert found.remove == (files[0], files[1], files[2])


def test_what_goes_by_age_counts_no_more() -> None:
    records = {key(1): record(45), key(2): record(10)}
    files = [file(50, name="old"), file(20, name="mid"), file(10, keys(2), name="new")]
    found = judged(files, records, replace(RULES, size_bytes=200), named={ago(50): keys(1), ago(20): keys(1)})
    assert found.remove == (files[0],)


# --- any ------------------------------------------------------------------------------------------

days_ago = st.integers(0, 80).map(lambda half: half / 2)
some_files = st.lists(
    st.builds(
        file,
        days_ago,
        st.frozensets(st.integers(1, 4), min_size=1).map(lambda of: keys(*of)),
        st.sampled_from("abc"),
        st.integers(1, 50),
    ),
    max_size=8,
    unique_by=lambda one: (one.asked, one.name),
)
some_records = st.dictionaries(
    st.integers(1, 4).map(key),
    st.builds(
        lambda owners, turned: record(*owners, turned_away=tuple(turned)),
        st.lists(days_ago, max_size=3, unique=True),
        st.lists(days_ago, max_size=2),
    ),
)


@quick
@given(
    some_files,
    some_records,
    st.sampled_from([1, 10, 30]),
    st.one_of(st.none(), st.integers(1, 300)),
    st.booleans(),
)
def test_any(
    files: list[File],
    records: dict[PartitionKey, PartitionRecord],
    days: int,
    most: int | None,
    keep_owned: bool,
) -> None:
    found = judged(files, records, RetentionRules(days, most, keep_owned))
    owned = [
        one
        for one in files
        if any(one.asked == of.asked for at in one.partitions if at in records for of in records[at].answers)
    ]
    assert set(found.remove) <= set(files)
    if keep_owned:
        assert not set(found.remove) & set(owned)
    assert not set(found.orphans) & set(owned)
    if most is None:
        assert all(one.asked < ago(days) for one in found.remove)
    elif left := sum(one.size for one in files if one not in found.remove) - most:
        kept = [one for one in files if one not in found.remove and one not in owned]
        young = {one for one in found.orphans if one.asked > ago(1)}
        assert left <= 0 or not keep_owned or all(one in young or _same_moment(one, records) for one in kept)
    again = judged([one for one in files if one not in found.remove], records, RetentionRules(days, most, keep_owned))
    assert again.remove == (), "what is left stays"


def _same_moment(one: File, records: dict[PartitionKey, PartitionRecord]) -> bool:
    """Whether it counts as owned for the sake of a renamed location."""
    return any(of.asked == one.asked for record_ in records.values() for of in record_.answers)
