"""The commands that make partitions, for people to copy: with days that mean the same tomorrow.

Pure: values in, text out.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence

from orchestration.core.partitions.hulls import Hull, hulls
from orchestration.core.partitions.keys import PartitionSet

COMMANDS = 3
"""So many commands are told; of more, how many there are."""


def fill_commands(partitions: PartitionSet, assets: Sequence[str] = (), configured: Collection[str] = ()) -> list[str]:
    """`aqi backfill` for each group of locations whose ``partitions`` reach from the same first to the same last day.

    It leaves alone what is right already, so the days between may be there. assets: keys; none: all. configured: all
    locations, which need not be named; none: they are named always.
    """
    select = ("--select", " or ".join(assets)) if assets else ()
    return [_backfill(hull, select, configured) for hull in hulls(partitions)]


def told(commands: Sequence[str]) -> list[str]:
    """As many of ``commands`` as are read, a line each, and how many more there are."""
    more = len(commands) - COMMANDS
    return [*commands[:COMMANDS], *([f"and {more} more, for other locations"] if more > 0 else [])]


def gap_in_words(beyond: PartitionSet, fill: Sequence[str] = ()) -> str:
    """What a person is told of what is not caught up with. fill: the commands that make it.

    ``Not caught up with: 2025-06 × hue (from 2025-06-01 to 2025-06-30, 30 partitions), as it lies …``
    """
    days, count = beyond.days, len(beyond)
    ends = f"{days.first}" if days.first == days.last else f"from {days.first} to {days.last}"
    said = (
        f"Not caught up with: {beyond} ({ends}, {count} partition{'' if count == 1 else 's'}), as it lies before the "
        f"days that --hourly catches up with (hourly.catch_up_days). Fill it:"
    )
    return "\n  ".join([said, *told(fill or fill_commands(beyond))])


def _backfill(hull: Hull, select: Sequence[str], configured: Collection[str]) -> str:
    days = ("--start-date", hull.first.isoformat(), "--end-date", hull.last.isoformat())
    named = () if set(hull.locations) == set(configured) else ("--locations", ",".join(hull.locations))
    return shlex.join(["aqi", "backfill", *days, *select, *named])
