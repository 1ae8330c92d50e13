"""Dagster: the same five assets whose functions do nothing, in a single run of all their partitions.

    python -m scripts.benches.dagster_empty DAYS      in one process, without storage
    dagster asset materialize -f …/dagster_empty.py --select '*' --partition-range FIRST...LAST

Runs in an environment of its own, which has Dagster.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import Any

import dagster as dg  # type: ignore[import-not-found]

from scripts.benches.graph_shape import EMPTY_ASSETS, FIRST, Splits

DAYS = dg.DailyPartitionsDefinition(FIRST.isoformat(), end_date="2025-01-01")


def nothing() -> None:
    """The function of every asset."""


def empty_asset(number: int) -> Any:
    """An asset of a day, made from the one before it."""

    declare = dg.asset(
        name=f"a{number}",
        deps=[f"a{number - 1}"] if number else [],
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    return declare(nothing)


ASSETS = [empty_asset(number) for number in range(EMPTY_ASSETS)]
EXECUTOR = dg.in_process_executor if os.environ.get("BENCH_IN_PROCESS") else None
defs = dg.Definitions(assets=ASSETS, executor=EXECUTOR)


def main() -> None:
    """The command."""
    splits, days = Splits(), int(sys.argv[1])
    last = FIRST + timedelta(days=days - 1)
    with splits.part("materialize"):
        done = dg.materialize(
            ASSETS,
            tags={
                "dagster/asset_partition_range_start": FIRST.isoformat(),
                "dagster/asset_partition_range_end": last.isoformat(),
            },
        )
    assert done.success
    splits.say()


if __name__ == "__main__":
    main()
