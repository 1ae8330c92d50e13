"""A graph of many assets: built and checked, selected from, planned over ten years of which nothing is there.

python -m scripts.benches.our_graph ASSETS
"""

from __future__ import annotations

import resource
import sys
from datetime import UTC, datetime

from orchestration.core.declarations.catalog import Catalog
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.planning.planner import make_plan
from orchestration.core.planning.request import Refresh
from orchestration.core.selection.parser import parse
from scripts.benches.graph_shape import TEN_YEARS, Splits, upstream
from scripts.benches.our_empty import current, empty_asset


def main() -> None:
    """The command."""
    splits, number = Splits(), int(sys.argv[1])
    with splits.part("graph"):
        catalog = Catalog([empty_asset(at, *upstream(at)) for at in range(number)])
    with splits.part("selection"):
        keys = parse("+gold.a7+ or gold.a*").resolve(catalog)
    with splits.part("plan"):
        asked = Refresh(frozenset(keys), PartitionSet.of(Days.of(*TEN_YEARS), ["here"]))
        plan = make_plan(catalog, asked, {}, current(catalog, datetime(2026, 1, 1, tzinfo=UTC)))
    assert len(plan.steps) == number, f"{len(plan.steps)} steps"
    splits.say(steps=len(plan.steps), resident_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)


if __name__ == "__main__":
    main()
