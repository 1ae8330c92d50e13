"""Ranges that people write, and chunks of a backfill, on their boundaries."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.errors import PartitionRangeError
from orchestration.core.partitions.keys import (
    ChunkMode,
    Days,
    chunks,
    parse_range,
)
from tests.support.days_and_keys import TODAY, d, date_sets, days, near_days, quick

FEED_BEGINS = d("2013-01-01")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-08-08", "2025-08-08"),
        (" 2025-08-08 ", "2025-08-08"),
        ("2025-08-08..2025-08-14", "2025-08-08..2025-08-14"),
        ("2025-08-08..2025-08-08", "2025-08-08"),
        ("2025-07", "2025-07-01..2025-07-31"),
        ("2024-02", "2024-02-01..2024-02-29"),
        ("2025-02", "2025-02-01..2025-02-28"),
        ("2024-12..2025-02", "2024-12-01..2025-02-28"),
        ("2025-07-30..2025-08", "2025-07-30..2025-08-31"),
        ("2025-07..2025-08-02", "2025-07-01..2025-08-02"),
        ("2025-08", "2025-08-01..2025-08-31"),  # whole, though today is the 14th
        ("2025-08-14..2030-01-01", "2025-08-14..2030-01-01"),
        ("2013-01-01", "2013-01-01"),
        ("last:7", "2025-08-07..2025-08-14"),
        ("last:1", "2025-08-13..2025-08-14"),
        ("last:0", "2025-08-14"),
        ("last:4608", "2013-01-01..2025-08-14"),
    ],
)
def test_a_range_is_read(text: str, expected: str) -> None:
    assert str(parse_range(text, TODAY, FEED_BEGINS)) == expected


FORMS = (
    "write a day (2025-08-08), days with both ends in (2025-08-08..2025-08-14), a month (2025-08), "
    "months (2025-08..2025-09) or last:7"
)
COUNT = "must have a number of days, 0 or more, after last:"
LAST = "write for instance last:7, the last seven days that have ended and today"


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("", "cannot read partition range ''", FORMS),
        ("yesterday", "cannot read partition range 'yesterday'", FORMS),
        ("2025", "cannot read partition range '2025'", FORMS),
        ("2025-8-8", "cannot read partition range '2025-8-8'", FORMS),
        ("2025-08-08..", "cannot read partition range '2025-08-08..'", FORMS),
        ("..2025-08-08", "cannot read partition range '..2025-08-08'", FORMS),
        ("2025-08-08...2025-08-09", "cannot read partition range '2025-08-08...2025-08-09'", FORMS),
        ("2025-08-08/hanoi", "cannot read partition range '2025-08-08/hanoi'", FORMS),
        ("last:7..2025-08-08", "cannot read partition range 'last:7..2025-08-08'", FORMS),
        ("٢٠٢٥-٠٨-٠٨", "cannot read partition range '٢٠٢٥-٠٨-٠٨'", FORMS),
        (
            "2025-02-30",
            "there is no day 2025-02-30 in partition range '2025-02-30'",
            "2025-02 has the days 01 to 28",
        ),
        (
            "2025-04-01..2025-04-31",
            "there is no day 2025-04-31 in partition range '2025-04-01..2025-04-31'",
            "2025-04 has the days 01 to 30",
        ),
        (
            "2025-01-00",
            "there is no day 2025-01-00 in partition range '2025-01-00'",
            "2025-01 has the days 01 to 31",
        ),
        (
            "2025-13",
            "there is no month 2025-13 in partition range '2025-13'",
            "months are 01 to 12, years 0001 to 9999",
        ),
        (
            "0000-01-01",
            "there is no month 0000-01 in partition range '0000-01-01'",
            "months are 01 to 12, years 0001 to 9999",
        ),
        (
            "2025-08-14..2025-08-08",
            "partition range '2025-08-14..2025-08-08' ends before it starts",
            "swap its ends: 2025-08-08..2025-08-14",
        ),
        (
            "2012-12-31..2025-08-08",
            "partition range '2012-12-31..2025-08-08' starts on 2012-12-31, before the feed begins",
            "start on 2013-01-01 or later",
        ),
        (
            "2025-08-15",
            "partition range '2025-08-15' starts on 2025-08-15, in the future: today is 2025-08-14 (UTC)",
            "start on 2025-08-14 or earlier",
        ),
        (
            "last:",
            f"partition range 'last:' {COUNT} (got '')",
            LAST,
        ),
        (
            "last:-1",
            f"partition range 'last:-1' {COUNT} (got '-1')",
            LAST,
        ),
        (
            "last:week",
            f"partition range 'last:week' {COUNT} (got 'week')",
            LAST,
        ),
        (
            "last:4609",
            "partition range 'last:4609' starts before the feed begins on 2013-01-01",
            "write last:4608 or fewer",
        ),
        (
            "last:999999999",
            "partition range 'last:999999999' starts before the feed begins on 2013-01-01",
            "write last:4608 or fewer",
        ),
    ],
)
def test_a_range_is_refused_with_a_remedy(text: str, message: str, remedy: str) -> None:
    with pytest.raises(PartitionRangeError) as caught:
        parse_range(text, TODAY, FEED_BEGINS)
    assert (caught.value.message, caught.value.remedy) == (message, remedy)


def test_the_feed_may_begin_elsewhere() -> None:
    assert str(parse_range("1999-12-31", TODAY, feed_begins=d("1999-12-31"))) == "1999-12-31"
    with pytest.raises(PartitionRangeError, match="before the feed begins"):
        parse_range("2025-08-08", TODAY, feed_begins=d("2025-08-09"))


@quick
@given(near_days, near_days)
def test_a_printed_piece_is_a_range(a: date, b: date) -> None:
    piece = Days.of(min(a, b), max(a, b))
    assert parse_range(str(piece), TODAY, FEED_BEGINS) == piece


@pytest.mark.parametrize(
    ("of", "mode", "expected"),
    [
        ("2025-08-08..2025-09-20", "monthly", ["2025-08-08..2025-08-31", "2025-09-01..2025-09-20"]),
        ("2024-12-31..2025-01-01", "monthly", ["2024-12-31", "2025-01-01"]),
        ("2024-08-31, 2025-08-01", "monthly", ["2024-08-31", "2025-08-01"]),
        (
            "2025-08-08..2025-08-24",
            "weekly",
            ["2025-08-08..2025-08-14", "2025-08-15..2025-08-21", "2025-08-22..2025-08-24"],
        ),
        ("2025-08-08..2025-08-14", "weekly", ["2025-08-08..2025-08-14"]),
        (
            "2025-08-08..2025-08-09, 2025-08-14..2025-08-15, 2025-08-29",
            "weekly",
            ["2025-08-08..2025-08-09, 2025-08-14", "2025-08-15", "2025-08-29"],
        ),
        ("2025-08-08..2025-08-10", "daily", ["2025-08-08", "2025-08-09", "2025-08-10"]),
        ("2025-08-08, 2025-08-10", "daily", ["2025-08-08", "2025-08-10"]),
    ],
)
def test_chunks(of: str, mode: ChunkMode, expected: list[str]) -> None:
    assert [str(chunk) for chunk in chunks(days(of), mode)] == expected


@quick
@given(date_sets, st.sampled_from(("monthly", "weekly", "daily")))
def test_chunks_partition_the_range(dates: frozenset[date], mode: ChunkMode) -> None:
    made = chunks(Days.from_dates(dates), mode)
    assert all(made)
    assert [day for chunk in made for day in chunk] == sorted(dates)
