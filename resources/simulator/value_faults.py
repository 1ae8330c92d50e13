"""Faults of values: the simulated API answers in the right form, with wrong values.

They are drawn from location and hour, so that a repeated request gets the same. Must not know: requests, sockets,
recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from resources.open_meteo.index_scale import HOURS_BEFORE, SINCE_JULY_2026, UNTIL_JULY_2026, indices_of
from resources.open_meteo.variables import INDEX, UNITS
from resources.simulator.air import noise
from resources.simulator.faults import VALUE_FAULTS, Fault
from resources.simulator.requests import AskedLocation
from resources.simulator.series import AirSeries

PM25, PM25_INDEX, ALL_INDICES = "pm2_5", "us_aqi_pm2_5", "us_aqi"
NOON = 12
Mask = NDArray[np.bool_]
More = Callable[[int, int], AirSeries]
"""(first hour, last hour) → the location's series for these hours, both included, as far as they exist."""


def with_faults(
    series: AirSeries, seed: int, faults: Sequence[Fault], today: int, more: More
) -> tuple[AirSeries, set[str]]:
    """The series after its value faults, and the names of the faults that changed it.

    seed: that of the location. faults: those that concern the location. today: the clock's day, in days since 1970.
    more: gives other hours of the location.
    """
    hit_by = set()
    for fault in faults:
        if fault.name not in VALUE_FAULTS:
            continue
        after = _with(fault, series, seed, today, more)
        if not _is_same(series, after):
            hit_by.add(fault.name)
        series = after
    return series, hit_by


def undefined(faults: Sequence[Fault], location: AskedLocation, variables: Sequence[str]) -> list[str]:
    """The variables whose unit is ``undefined`` in an answer for a location."""
    named = {name for it in faults if it.name == "undefined" and it.only.touches(location) for name in it.variables}
    return [name for name in variables if name in named]


def _with(fault: Fault, series: AirSeries, seed: int, today: int, more: More) -> AirSeries:
    """The series after one fault of values."""
    hours, values = series.hours, dict(series.values)
    channel = 100 * (1 + list(VALUE_FAULTS).index(fault.name))
    there = fault.only.of_hours(hours)
    hit = there & (noise(seed, channel, hours) < fault.rate)
    if fault.name in ("nulls", "negative"):
        for offset, (name, cells) in enumerate(values.items()):
            if fault.only.variables and name not in fault.only.variables:
                continue
            instead = np.nan if fault.name == "nulls" else -np.abs(cells) - 1
            values[name] = np.where(there & (noise(seed, channel + offset, hours) < fault.rate), instead, cells)
    elif fault.name in ("duplicate", "conflict"):
        source = np.repeat(np.arange(len(hours)), 1 + hit)
        extra = np.concatenate([[False], source[1:] == source[:-1]]) if fault.name == "conflict" else 0
        hours, values = hours[source], {name: cells[source] + extra for name, cells in values.items()}
    elif fault.name == "revise":
        recent = hit & (hours // 24 > today - 3) & (hours // 24 <= today)
        factor = np.where(recent, 1 + 0.2 * noise(seed, channel + 1 + today, hours), 1.0)
        for name, cells in values.items():
            values[name] = np.round(cells * factor, 0 if UNITS[name] == INDEX else 2)
    elif fault.name == "withdrawn":
        return series.where(~hit)
    elif fault.name == "frozen":
        return _frozen(fault, series, noise(seed, channel, hours) < fault.rate, more)
    elif fault.name == "scale":
        return _rescaled(fault, series, noise(seed, channel, hours) < fault.rate, more)
    elif fault.name == "undefined":
        for name in fault.variables:
            if name in values:
                values[name] = np.where(there, np.nan, values[name])
    return AirSeries(hours, values)


def _frozen(fault: Fault, series: AirSeries, hit: Mask, more: More) -> AirSeries:
    """Repeat one hour's values in all later hours: the first hour of the scope, or without one noon of every day."""
    hours, only = series.hours, fault.only.hours
    since = hours // 24 * 24 + NOON if only is None else np.full(len(hours), only[0])
    values = {name: cells.copy() for name, cells in series.values.items()}
    for begin in np.unique(since):
        late = hit & (since == begin) & (hours > begin)
        then = more(int(begin), int(begin)) if late.any() else None
        for name, cells in values.items():
            if then is not None and len(then.hours):
                cells[late] = then.values[name][0]
    return AirSeries(hours, values)


def _rescaled(fault: Fault, series: AirSeries, hit: Mask, more: More) -> AirSeries:
    """The index of PM2.5 by the old and the new scale, and with it the overall index; unchanged if hours
    before are missing."""
    hours, values, only = series.hours, dict(series.values), fault.only.hours
    if not len(hours) or PM25 not in values or PM25_INDEX not in values:
        return series
    begin, end = int(hours[0]) - HOURS_BEFORE, int(hours[-1])
    longer = more(begin, end)
    dense = np.full(end + 1 - begin, np.nan)
    dense[longer.hours - begin] = longer.values[PM25]
    old, new = (indices_of(dense, scale)[hours - begin] for scale in (UNTIL_JULY_2026, SINCE_JULY_2026))
    index = np.where(hours >= (only or (0, 0))[0], new, old)
    values[PM25_INDEX] = np.where(hit & ~np.isnan(index), index, values[PM25_INDEX])
    if ALL_INDICES in values:
        parts = [cells for name, cells in values.items() if name.startswith(f"{ALL_INDICES}_")]
        values[ALL_INDICES] = np.where(hit, np.fmax.reduce(parts), values[ALL_INDICES])
    return AirSeries(hours, values)


def _is_same(one: AirSeries, other: AirSeries) -> bool:
    return np.array_equal(one.hours, other.hours) and all(
        np.array_equal(cells, other.values[name], equal_nan=True) for name, cells in one.values.items()
    )
