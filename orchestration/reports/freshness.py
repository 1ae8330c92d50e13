"""The lags of tables, as JSON and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from rich.console import Console

from orchestration.core.calendar import iso
from orchestration.core.counted import hours_in_words
from orchestration.core.state.holes import Holes
from orchestration.core.state.lags import Lag
from orchestration.core.state.table_state import TableState
from orchestration.reports.fitting import Column, Kind, print_table

NEVER = "never made"
SHOWN = 3
"""At most this many groups of locations of an asset, and names in a group, are shown."""


def to_json(
    lag: Lag, holes: Holes | None = None, since: date | None = None, state: TableState | None = None
) -> dict[str, Any]:
    """A lag as JSON values. Instants in whole seconds, hours in thousandths.

    holes: those of its asset. since: the first wanted day at its location, where one is declared; ``missing`` is then
    the number of missing partitions. state: that of its table; ``trouble`` says what is wrong with the table, and what
    mends it.
    """
    trouble = None if state is None else in_trouble(lag.asset, state)
    missing = 0 if holes is None else len(holes.missing.days_of(lag.location))
    return {
        "asset": lag.asset,
        "location": lag.location,
        "covered_until": None if lag.covered_until is None else iso(lag.covered_until),
        "lag_hours": None if lag.lag_hours is None else round(lag.lag_hours, 3),
        "target_hours": lag.target_hours,
        "missed": lag.missed,
        **({} if since is None else {"since": since.isoformat(), "missing": missing}),
        **({} if trouble is None else {"trouble": trouble}),
    }


def in_trouble(key: str, state: TableState) -> str | None:
    """What is wrong with the table of an asset, and what mends it; None where nothing is."""
    if (damage := state.damage) is None:
        return None
    if damage.trouble is not None:
        return damage.trouble.in_words
    return f"{damage.in_short} ({len(state.damaged)} partitions are damaged). {damage.remedy(key)}"


def print_lags(console: Console, found: Sequence[Lag], tables: Mapping[str, TableState] | None = None) -> None:
    """Print for each asset one line for all locations with the same lag, the worst first; further lines are summed up.

    tables: asset → state of its table; each damaged table gets a line below.
    """
    columns = [Column("asset", Kind.KEY), Column("location"), Column("covered until", Kind.KEY)]
    columns += [Column("lag", Kind.NUMBER), Column("target", Kind.NUMBER), Column("", Kind.KEY)]
    table = []
    by_asset: dict[str, list[Lag]] = {}
    for lag in found:
        by_asset.setdefault(lag.asset, []).append(lag)
    troubles = {key: why for key, state in (tables or {}).items() if (why := in_trouble(key, state)) is not None}
    for asset, of_asset in by_asset.items():
        for location, until, *rest in _rows(of_asset):
            table.append([asset, location, "damaged" if until == NEVER and asset in troubles else until, *rest])
    if found:
        print_table(console, columns, table, markup=True, group=True)
    else:
        console.print("None of these assets has days.")
    for key, why in troubles.items():
        console.print(f"{key}: {why}", markup=False, highlight=False, soft_wrap=True)


def _rows(of_asset: Sequence[Lag]) -> list[tuple[str, ...]]:
    groups: dict[datetime | None, list[Lag]] = {}
    for lag in of_asset:
        groups.setdefault(lag.covered_until, []).append(lag)
    worst_first = sorted(groups.values(), key=lambda of: -_hours(of[0]))
    rows = [_row(locations, len(of_asset)) for locations in worst_first[:SHOWN]]
    if rest := worst_first[SHOWN:]:
        missed = sum(lag.missed for locations in rest for lag in locations)
        count = sum(len(locations) for locations in rest)
        worst = rest[0][0]
        rows.append(
            (f"{count} more", f"{_until(worst)} or later", f"≤ {_lag(worst)}", "", _missed(worst, missed, count))
        )
    return rows


def _row(locations: Sequence[Lag], configured: int) -> tuple[str, ...]:
    first = locations[0]
    if len(locations) == configured > 1:
        where = f"all {configured} locations"
    else:
        names = [lag.location for lag in locations[:SHOWN]]
        where = ", ".join(names) + (f" and {len(locations) - SHOWN} more" if len(locations) > SHOWN else "")
    target = "" if first.target_hours is None else f"{first.target_hours:g} h"
    missed = sum(lag.missed for lag in locations)
    return where, _until(first), _lag(first), target, _missed(first, missed, len(locations))


def _missed(lag: Lag, missed: int, count: int) -> str:
    if lag.target_hours is None:
        return ""
    if not missed:
        return "[green]ok[/green]"
    return "[red]missed[/red]" if missed == count else f"[red]{missed} missed[/red]"


def _until(lag: Lag) -> str:
    return NEVER if lag.covered_until is None else iso(lag.covered_until)


def _lag(lag: Lag) -> str:
    if lag.lag_hours is None:
        return ""
    return hours_in_words(lag.lag_hours)


def _hours(lag: Lag) -> float:
    return float("inf") if lag.lag_hours is None else lag.lag_hours
