"""Commands that make partitions, for people to copy. The commands name absolute days, so they mean the same tomorrow.

Pure: values in, text out.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence

from orchestration.core.partitions.hulls import Hull, hulls
from orchestration.core.partitions.keys import PartitionSet

COMMANDS = 3
"""How many commands are shown. Of the others only the number is shown."""


def fill_commands(partitions: PartitionSet, assets: Sequence[str] = (), configured: Collection[str] = ()) -> list[str]:
    """`aqi backfill` for each group of locations whose ``partitions`` reach from the same first day to the same last
    day.

    A command may also name days in between that are not in ``partitions``: a backfill leaves fresh partitions alone.
    assets: keys; none means all assets. configured: all locations; a command for all of them has no ``--locations``.
    None configured: every command names its locations.
    """
    select = ("--select", " or ".join(assets)) if assets else ()
    return [_backfill(hull, select, configured) for hull in hulls(partitions)]


def first_commands(commands: Sequence[str]) -> list[str]:
    """The first of ``commands``, one per line, and the number of the others."""
    more = len(commands) - COMMANDS
    return [*commands[:COMMANDS], *([f"and {more} more, for other locations"] if more > 0 else [])]


def gap_in_words(beyond: PartitionSet, fill: Sequence[str] = ()) -> str:
    """Text for people about days that are not caught up with. fill: the commands that make them; empty: computed here.

    ``Not caught up with: 2025-06 × hue (from 2025-06-01 to 2025-06-30, 30 partitions), as it lies …``
    """
    days, count = beyond.days, len(beyond)
    ends = f"{days.first}" if days.first == days.last else f"from {days.first} to {days.last}"
    said = (
        f"Not caught up with: {beyond} ({ends}, {count} partition{'' if count == 1 else 's'}), as it lies before the "
        f"days that --hourly catches up with (hourly.catch_up_days). Fill it:"
    )
    return "\n  ".join([said, *first_commands(fill or fill_commands(beyond))])


def _backfill(hull: Hull, select: Sequence[str], configured: Collection[str]) -> str:
    days = ("--start-date", hull.first.isoformat(), "--end-date", hull.last.isoformat())
    named = () if set(hull.locations) == set(configured) else ("--locations", ",".join(hull.locations))
    return shlex.join(["aqi", "backfill", *days, *select, *named])
