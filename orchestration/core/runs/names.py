"""What runs and their tasks are called, for people who read lists of them: what is made, and of which days.

No name has the moment of a run: whoever lists runs shows that beside the name.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.parameters import Backfill, Materialize
from orchestration.core.planning.plan import Step

ALL, HOURLY = "all tables", "hourly"
LOCATIONS_NAMED = 3
"""So many locations are named; of more their number."""
_SEPARATOR = " · "


def run_name(selection: str, *which: str | None, locations: Iterable[str] = ()) -> str:
    """What a run makes.

    ==============================================  =======================================================
    ``*``, ``2025-08-06..2025-08-09``               ``all tables · 2025-08-06..2025-08-09``
    ``gold.dim_date``, no days                      ``gold.dim_date``
    ``*``, ``hourly``, at hue                       ``all tables · hourly · hue``
    ``+x``, ``2025-01-01..2025-03-31``, ``weekly``  ``+x · 2025-01-01..2025-03-31 · weekly``
    ==============================================  =======================================================

    which: days and how, in this order; what is empty is left out. locations: those it is confined to.
    """
    named = sorted({name.strip() for name in locations} - {""})
    where = ", ".join(named) if len(named) <= LOCATIONS_NAMED else f"{len(named)} locations"
    what = ALL if selection.strip() == "*" else " ".join(selection.split())
    return _SEPARATOR.join(filter(None, [what, *which, where]))


def title_of(asked: Materialize | Backfill) -> str:
    """What the run of a command or a flow is called: ``run_name`` of what it was asked for."""
    if isinstance(asked, Backfill):
        days = f"{asked.start_date}..{asked.end_date}"
        return run_name(asked.select, days, asked.chunk_mode, locations=asked.locations)
    return run_name(asked.selection, HOURLY if asked.hourly else asked.partitions, locations=asked.locations)


def step_name(step: Step) -> str:
    """Its asset; with its chunk, where the plan has a step for each: ``bronze.hourly · 2025-08``."""
    return _SEPARATOR.join(filter(None, [step.asset, step.chunk]))


def at_partitions(asset: str, partitions: PartitionSet) -> str:
    """An asset and its partitions: ``gold.days 2025-08 × hue``; ``gold.dates`` alone, which has none."""
    return asset if partitions == PartitionSet.null() else f"{asset} {partitions}"


def fetch_name(where: str, days: str) -> str:
    """``fetch hue · 2025-08-06..2025-08-09``. where: a location, or how many."""
    return f"fetch {where}{_SEPARATOR}{days}"
