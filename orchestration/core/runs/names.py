"""The names of runs and their tasks, for people who read lists of them: what is made, for which days.

A name does not contain the time of the run: lists show it beside the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.parameters import Backfill, Materialize
from orchestration.core.planning.plan import Step

ALL, HOURLY = "all tables", "hourly"
LOCATIONS_NAMED = 3
"""At most this many locations are named; of more only the number is."""
TABLES_NAMED = 3
"""At most this many tables that a selection lists are named; of more only the number is."""
_LIST = re.compile(r"[\w.]+( or [\w.]+)+")
_SEPARATOR = " · "


def run_name(selection: str, *which: str | None, locations: Iterable[str] = ()) -> str:
    """The name of a run, by what it makes.

    ==============================================  =======================================================
    ``*``, ``2025-08-06..2025-08-09``               ``all tables · 2025-08-06..2025-08-09``
    ``gold.dim_date``, no days                      ``gold.dim_date``
    ``*``, ``hourly``, at hue                       ``all tables · hourly · hue``
    ``+x``, ``2025-01-01..2025-03-31``, ``weekly``  ``+x · 2025-01-01..2025-03-31 · weekly``
    ``a or b or c or d``, ``2025-08``               ``4 tables · 2025-08``
    ==============================================  =======================================================

    which: days, and in which way, in this order; empty ones are left out. locations: empty for all locations.
    """
    named = sorted({name.strip() for name in locations} - {""})
    where = ", ".join(named) if len(named) <= LOCATIONS_NAMED else f"{len(named)} locations"
    what = ALL if selection.strip() == "*" else " ".join(selection.split())
    if _LIST.fullmatch(what) and (tables := what.count(" or ") + 1) > TABLES_NAMED:
        what = f"{tables} tables"
    return _SEPARATOR.join(filter(None, [what, *which, where]))


def title_of(asked: Materialize | Backfill) -> str:
    """The name of the run of a command or flow with these parameters: see ``run_name``."""
    if isinstance(asked, Backfill):
        days = f"{asked.start_date}..{asked.end_date}"
        return run_name(asked.select, days, asked.chunk_mode, locations=asked.locations)
    return run_name(asked.selection, HOURLY if asked.hourly else asked.partitions, locations=asked.locations)


def step_name(step: Step) -> str:
    """The asset of a step; with the name of its chunk where there is one: ``bronze.hourly · 2025-08``."""
    return _SEPARATOR.join(filter(None, [step.asset, step.chunk]))


def partitions_in_words(partitions: PartitionSet) -> str:
    """Days and locations for people: ``2025-08 × hue``; empty for the one partition of an unpartitioned asset."""
    return "" if partitions == PartitionSet.null() else str(partitions)


def at_partitions(asset: str, partitions: PartitionSet) -> str:
    """An asset and its partitions: ``gold.days 2025-08 × hue``; of an unpartitioned asset its key alone."""
    return " ".join(filter(None, [asset, partitions_in_words(partitions)]))


def fetch_name(where: str, days: str) -> str:
    """``fetch hue · 2025-08-06..2025-08-09``. where: the location, or the number of locations."""
    return f"fetch {where}{_SEPARATOR}{days}"
