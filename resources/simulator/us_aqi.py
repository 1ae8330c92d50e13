"""The US Air Quality Index of concentrations in µg/m³, by EPA's breakpoints as revised in May 2024.

Sources: 40 CFR part 58, appendix G (89 FR 16202, in force since 2024-05-06), and EPA-454/B-24-002, "Technical
Assistance Document for the Reporting of Daily Air Quality - the Air Quality Index" (May 2024), table 6 and
"How is the AQI calculated". A concentration is truncated to the pollutant's step, looked up, interpolated
linearly, and rounded to the nearest whole number. Beyond 500 the last band's line goes on.

Pure. Knows arrays and numbers; nothing of the provider, of tables or of time zones. The provider's own
indices differ in places: for years it used the PM2.5 breakpoints from before 2024, and it does not truncate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LITRES_PER_MOLE = 24.45  # of an ideal gas at 25 °C and 1 atm, the reference state of 40 CFR part 50
COMPLETE_SHARE = 0.75  # an average needs this share of its hours (40 CFR part 50, appendices I, N, U)
TRUNCATION_SLACK = 1e-6  # in steps: 54 ppb converted to µg/m³ and back stays 54 ppb


@dataclass(frozen=True)
class Scale:
    """One pollutant's breakpoints for one averaging time.

    hours: the averaging time.
    unit: EPA's unit of the breakpoints: µg/m³, ppb or ppm.
    step: concentrations are truncated to multiples of this many ``unit``.
    unit_per_microgram: ``unit`` per µg/m³, at 25 °C and 1 atm.
    bands: (lowest, highest) concentration in steps, then (lowest, highest) index; without gaps.
    open_ended: the last band goes on upwards; otherwise the index is not defined above it.
    """

    hours: int
    unit: str
    step: float
    unit_per_microgram: float
    bands: tuple[tuple[int, int, int, int], ...]
    open_ended: bool = True


def _bands(*concentrations: tuple[int, int], first: int = 0) -> tuple[tuple[int, int, int, int], ...]:
    """Pair bands of concentrations with the six bands of the index, beginning with number ``first``."""
    indices = ((0, 50), (51, 100), (101, 150), (151, 200), (201, 300), (301, 500))[first:]
    return tuple((low, high, *index) for (low, high), index in zip(concentrations, indices, strict=False))


def _ppb(grams_per_mole: float) -> float:
    """Parts per billion by volume per µg/m³ of a gas."""
    return LITRES_PER_MOLE / grams_per_mole


SCALES: Mapping[str, Scale] = {
    "pm25": Scale(
        24, "µg/m³", 0.1, 1.0, _bands((0, 90), (91, 354), (355, 554), (555, 1254), (1255, 2254), (2255, 3254))
    ),
    "pm10": Scale(24, "µg/m³", 1.0, 1.0, _bands((0, 54), (55, 154), (155, 254), (255, 354), (355, 424), (425, 604))),
    "o3": Scale(
        8,
        "ppm",
        0.001,
        _ppb(47.998) / 1000,
        _bands((0, 54), (55, 70), (71, 85), (86, 105), (106, 200)),
        open_ended=False,
    ),
    "o3_1h": Scale(
        1, "ppm", 0.001, _ppb(47.998) / 1000, _bands((125, 164), (165, 204), (205, 404), (405, 604), first=2)
    ),
    "no2": Scale(
        1,
        "ppb",
        1.0,
        _ppb(46.006),
        _bands((0, 53), (54, 100), (101, 360), (361, 649), (650, 1249), (1250, 2049)),
    ),
    "so2": Scale(1, "ppb", 1.0, _ppb(64.064), _bands((0, 35), (36, 75), (76, 185), (186, 304)), open_ended=False),
    "so2_24h": Scale(24, "ppb", 1.0, _ppb(64.064), _bands((305, 604), (605, 1004), first=4)),
    "co": Scale(
        8,
        "ppm",
        0.1,
        _ppb(28.010) / 1000,
        _bands((0, 44), (45, 94), (95, 124), (125, 154), (155, 304), (305, 504)),
    ),
}
"""Pollutant code → scale. Two pollutants have two scales each. Ozone: one for the mean of 8 hours, which ends at 0.200
ppm, and one for a single hour, which begins at 0.125 ppm. Sulphur dioxide: one for an hour, which ends at 304 ppb, and
one for 24 hours, which begins at 305 ppb. Where a scale is not defined the index is NaN (or None)."""


def sub_indices(pollutant: str, values: Floats) -> Floats:
    """US AQI of averaged concentrations.

    pollutant: a key of ``SCALES``.
    values: µg/m³, averaged over the scale's ``hours``.
    Returns whole numbers as floats; NaN where a value is NaN, negative, or outside the scale.
    Raises KeyError for an unknown pollutant.
    """
    scale = SCALES[pollutant]
    low, high, index_low, index_high = np.array(scale.bands, dtype=np.float64).T
    steps = np.floor(values * (scale.unit_per_microgram / scale.step) + TRUNCATION_SLACK)
    band = np.minimum(np.searchsorted(high, steps), len(scale.bands) - 1)
    slope = (index_high - index_low) / (high - low)
    index = np.floor(index_low[band] + slope[band] * (steps - low[band]) + 0.5)
    defined = (steps >= low[0]) & (scale.open_ended | (steps <= high[-1]))
    return np.where(defined, index, np.nan)


def sub_index(pollutant: str, value: float) -> int | None:
    """US AQI of one averaged concentration in µg/m³, or None where the scale does not define one.

    >>> sub_index("pm25", 35.9)
    102
    """
    index = float(sub_indices(pollutant, np.array([value], dtype=np.float64))[0])
    return None if np.isnan(index) else int(index)


def rolling_mean(values: Floats, hours: int) -> Floats:
    """For each hour the mean of the last ``hours`` hours, itself included; NaN where over a quarter of them is missing.

    Hours before the first one count as missing. Every mean adds its hours in the same order, so that its last bit does
    not depend on where the array begins.
    """
    padded = np.concatenate([np.full(hours - 1, np.nan), values])
    present = ~np.isnan(padded)
    filled = np.where(present, padded, 0.0)
    total = np.zeros(len(values))
    count = np.zeros(len(values))
    for shift in range(hours):
        total += filled[shift : shift + len(values)]
        count += present[shift : shift + len(values)]
    enough = count >= COMPLETE_SHARE * hours
    return np.where(enough, total / np.maximum(count, 1), np.nan)


def hourly_indices(hourly: Mapping[str, Floats]) -> dict[str, Floats]:
    """The US AQI of every hour, per pollutant and (key ``aqi``) overall, from hourly concentrations.

    hourly: pollutant code (pm25, pm10, o3, no2, so2, co) → µg/m³ of adjacent hours, NaN where missing. The first 23
    hours
    lack hours for their means: give 23 hours more than are wanted.

    Ozone takes the higher index of its two scales. Sulphur dioxide takes the hourly scale up to 304 ppb. Above it,
    sulphur dioxide takes the 24-hour scale, or 200 where the 24-hour mean is below 305 ppb (appendix G, table 2,
    footnotes).
    """
    means = {code: rolling_mean(hourly[code], SCALES[code].hours) for code in ("pm25", "pm10", "o3", "co")}
    indices = {code: sub_indices(code, mean) for code, mean in means.items()}
    indices["o3"] = np.fmax(indices["o3"], sub_indices("o3_1h", hourly["o3"]))
    indices["no2"] = sub_indices("no2", hourly["no2"])
    hour, day = sub_indices("so2", hourly["so2"]), sub_indices("so2_24h", rolling_mean(hourly["so2"], 24))
    beyond = np.isnan(hour) & (hourly["so2"] > 0)
    indices["so2"] = np.where(beyond, np.fmax(day, 200.0), hour)
    overall = np.fmax.reduce(list(indices.values()))
    return {"aqi": overall, **{f"aqi_{code}": index for code, index in indices.items()}}
