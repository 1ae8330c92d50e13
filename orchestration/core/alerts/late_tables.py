"""Tables that lie behind: which of them for the same reason, and the text about them.

A table covers what its upstream tables covered when it was made. So tables that stopped at the same instant at the same
location stopped for the same reason: no new data came, or a run has not made something upstream of all of them. Pure.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from orchestration.core.alerts.incident_words import COMMANDS, LOCATIONS, Lag, day_and_time, look_at
from orchestration.core.calendar import HOURS_A_DAY, day_of
from orchestration.core.counted import hours_in_words
from orchestration.core.partitions.hulls import hulls
from orchestration.core.partitions.keys import Days, PartitionSet

PREFIX = "freshness:"
"""How the keys of these incidents begin. The rest of a key is the first of the incident's first tables."""
Stop = tuple[str, datetime | None]
"""A location, and the instant up to which a table covers it."""


def by_reason(missed: Iterable[Lag], known: Mapping[str, Sequence[str]]) -> dict[str, list[Lag]]:
    """The lags of late tables, by the key of their incident; in the order of tables and locations.

    known: key of an open incident → its tables, which stay in it. Another late table joins the incident of a table that
    stopped at the same instant and location, or begins an incident with all that stopped there.
    """
    lags: dict[str, list[Lag]] = {}
    for lag in sorted(missed, key=lambda lag: (lag.asset, lag.location)):
        lags.setdefault(lag.asset, []).append(lag)
    key_of = {asset: key for key in sorted(known) for asset in known[key]}
    for tables in _together({asset: {(lag.location, lag.covered_until) for lag in of} for asset, of in lags.items()}):
        keys = sorted(key_of[asset] for asset in tables if asset in key_of)
        for asset in tables:
            key_of.setdefault(asset, keys[0] if keys else f"{PREFIX}{tables[0]}")
    found: dict[str, list[Lag]] = {}
    for asset, of in lags.items():
        found.setdefault(key_of[asset], []).extend(of)
    return found


def _together(stops: Mapping[str, set[Stop]]) -> list[list[str]]:
    """Groups of tables that share a stop, directly or through other tables; each group in order."""
    groups: list[tuple[list[str], set[Stop]]] = []
    for asset in sorted(stops):
        joined = [group for group in groups if group[1] & stops[asset]]
        groups = [group for group in groups if group not in joined]
        tables = sorted([asset, *(table for group in joined for table in group[0])])
        groups.append((tables, stops[asset].union(*(group[1] for group in joined))))
    return [tables for tables, _ in groups]


def lies_behind(tables: Sequence[str]) -> str:
    """The title of an incident that begins."""
    which = _and(tables)
    return (
        f"{which} lies further behind than it may" if len(tables) == 1 else f"{which} lie further behind than they may"
    )


def is_up_to_date(tables: Sequence[str]) -> str:
    """The title of an incident that ends."""
    return f"{_and(tables)} {'is' if len(tables) == 1 else 'are'} up to date again"


def about_lags(missed: Sequence[Lag], catch_up: str, new: Container[str] = (), catch_up_days: float = math.inf) -> str:
    """The text about tables that lie behind.

    catch_up: the command that makes what is missing; empty where there is none. catch_up_days: as many days back it
    reaches. new: locations that are named first.
    """
    tables = sorted({lag.asset for lag in missed})
    far = [lag for lag in missed if lag.lag_hours is not None and lag.lag_hours > catch_up_days * HOURS_A_DAY]
    commands = [catch_up] if catch_up and len(far) < len(missed) else []
    select = " or ".join(f"+{asset}" for asset in sorted({lag.asset for lag in far}))
    commands += [
        shlex.join(
            [
                *("aqi", "backfill", "--start-date", hull.first.isoformat(), "--end-date", hull.last.isoformat()),
                *("--select", select, "--locations", ",".join(hull.locations)),
            ]
        )
        for hull in hulls(PartitionSet.union_of(_behind_days(lag) for lag in far))
    ]
    stops: dict[Stop, list[Lag]] = {}
    for lag in sorted(missed, key=lambda lag: (lag.location not in new, lag.location)):
        stops.setdefault((lag.location, lag.covered_until), []).append(lag)
    named = list(stops.values())[:LOCATIONS]
    lines = [
        *(f"{_where(of, tables)}: {_behind(of)}" for of in named),
        *([f"and {len(stops) - LOCATIONS} locations more"] if len(stops) > LOCATIONS else []),
        look_at(tables),
        *(f"Go on: {command}" for command in commands[:COMMANDS]),
        *(["and more commands, for other locations: see aqi status"] if len(commands) > COMMANDS else []),
    ]
    return "\n".join(lines)


def _where(of: Sequence[Lag], tables: Sequence[str]) -> str:
    """The location; with the names of the tables, where these are not all ``tables``."""
    at = [lag.asset for lag in of]
    return of[0].location if at == list(tables) else f"{of[0].location} ({', '.join(at)})"


def _behind(of: Sequence[Lag]) -> str:
    """How far tables lie behind that stopped at the same instant and location, and how far each may."""
    first, targets = of[0], dict[float, list[str]]()
    for lag in of:
        if lag.target_hours is not None:
            targets.setdefault(lag.target_hours, []).append(lag.asset)
    allowed = [
        f"{hours:g} h" if len(targets) == 1 else f"{hours:g} h ({', '.join(assets)})"
        for hours, assets in sorted(targets.items())
    ]
    may = f", {' and '.join(allowed)} are allowed" if allowed else ""
    if first.covered_until is None or first.lag_hours is None:
        return f"nothing is there{may}"
    return f"covered until {day_and_time(first.covered_until)}, {hours_in_words(first.lag_hours)} behind{may}"


def _behind_days(lag: Lag) -> PartitionSet:
    """The days by which a location lies behind, today included."""
    if lag.covered_until is None or lag.lag_hours is None:
        return PartitionSet.empty()
    now = lag.covered_until + timedelta(hours=lag.lag_hours)
    return PartitionSet.of(Days.of(day_of(lag.covered_until), day_of(now)), [lag.location])


def _and(tables: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *others, last = tables
    return f"{', '.join(others)} and {last}" if others else last
