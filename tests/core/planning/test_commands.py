"""Commands for people to copy."""

from __future__ import annotations

from datetime import date

from orchestration.core.partitions.hulls import hulls, hulls_of
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.planning.commands import fill_commands, first_commands


def at(location: str, *days: int) -> PartitionSet:
    return PartitionSet.of(Days.from_dates(date(2025, 8, day) for day in days), [location])


def test_hulls_are_the_ends_of_each_location() -> None:
    found = hulls(PartitionSet.null() | at("hue", 1, 9) | at("vinh", 9) | at("dalat", 1, 4, 9))
    assert [(hull.range, hull.locations) for hull in found] == [
        ("2025-08-01..2025-08-09", ("dalat", "hue")),
        ("2025-08-09", ("vinh",)),
    ]
    assert hulls_of({"a": at("hue", 1), "b": at("hue", 3)}) == hulls(at("hue", 1, 3))
    assert hulls(PartitionSet.null()) == []


def test_a_command_for_each_reach() -> None:
    both = at("hue", 1, 9) | at("vinh", 9)
    assert fill_commands(both, configured=["hue", "vinh"]) == [
        "aqi backfill --start-date 2025-08-01 --end-date 2025-08-09 --locations hue",
        "aqi backfill --start-date 2025-08-09 --end-date 2025-08-09 --locations vinh",
    ]
    assert fill_commands(at("hue", 1), ["bronze.a", "silver.b"], ["hue"]) == [
        "aqi backfill --start-date 2025-08-01 --end-date 2025-08-01 --select 'bronze.a or silver.b'"
    ]


def test_of_many_commands_some_are_told() -> None:
    assert first_commands(["a", "b", "c"]) == ["a", "b", "c"]
    assert first_commands(["a", "b", "c", "d", "e"]) == ["a", "b", "c", "and 2 more, for other locations"]
