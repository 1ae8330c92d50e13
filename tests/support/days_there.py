"""A warehouse whose dated tables have some days of some locations, without rows, fresh, as runs leave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from orchestration.core.partitions.keys import Days
from orchestration.project import load, open_workspace
from tests.support.cli_calls import write

Spans = Mapping[str, Sequence[str]]
"""By location, days and ranges of days: ``{"hanoi": ["2025-08-01..2025-08-09", "2025-08-12"]}``."""


def days_in(spans: Sequence[str]) -> Days:
    """The days of ranges."""
    ends = (span.partition("..") for span in spans)
    return Days.union_of(
        Days.of(date.fromisoformat(first), date.fromisoformat(last or first)) for first, _, last in ends
    )


def with_days(folder: Path, spans: Spans, **of_assets: Spans) -> str:
    """The warehouse. of_assets: other days for a table, by the end of its key after the layer."""
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": str(folder)}}))
    for asset in workspace.catalog:
        if asset.partitions is None:
            continue
        there = of_assets.get(asset.key.partition(".")[2], spans)
        keys = {f"{day}/{at}": 0 for at, of in there.items() for day in days_in(of)}
        write(workspace, asset.key, [], **keys)
    return str(folder)


def ago(days: int, today: date = date(2025, 8, 20)) -> str:
    return (today - timedelta(days=days)).isoformat()
