"""Dagster: a graph of many assets, built and selected from.

python -m scripts.benches.dagster_graph ASSETS

Runs in an environment of its own, which has Dagster.
"""

from __future__ import annotations

import resource
import sys
from typing import Any

import dagster as dg  # type: ignore[import-not-found]

from scripts.benches.graph_shape import TEN_YEARS, Splits, upstream

DAYS = dg.DailyPartitionsDefinition(TEN_YEARS[0].isoformat(), end_date="2026-01-01")


def nothing() -> None:
    """The function of every asset."""


def asset(number: int) -> Any:
    """An asset of a day, made from others."""

    declare = dg.asset(name=f"a{number}", deps=[f"a{one}" for one in upstream(number)], partitions_def=DAYS)
    return declare(nothing)


def main() -> None:
    """The command."""
    splits, number = Splits(), int(sys.argv[1])
    with splits.part("graph"):
        graph = dg.Definitions(assets=[asset(at) for at in range(number)]).resolve_asset_graph()
    with splits.part("selection"):
        chosen = dg.AssetSelection.from_string("*").resolve(graph)
    assert len(chosen) == number, f"{len(chosen)} assets"
    splits.say(resident_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)


if __name__ == "__main__":
    main()
