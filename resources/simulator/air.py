"""The air of a made-up world: simulated values that stay the same, a pure function of location and hour.

They do not depend on the range of days that a request asks for. They have the patterns of real air: rush hours,
seasons, episodes over days, indices that follow from concentrations. Must not know: requests, servers, faults.
"""

from __future__ import annotations

from datetime import date
from hashlib import sha256

import numpy as np

from resources.open_meteo.variables import UNITS
from resources.simulator.series import AirSeries, Hours
from resources.simulator.us_aqi import Floats, hourly_indices

GLOBAL_BEGINS = (date(2022, 8, 1) - date(1970, 1, 1)).days * 24  # hours since 1970; before, only Europe has values
WITH_INDEX = {
    "pm2_5": "pm25",
    "pm10": "pm10",
    "ozone": "o3",
    "nitrogen_dioxide": "no2",
    "sulphur_dioxide": "so2",
    "carbon_monoxide": "co",
}
"""API variable → pollutant of the US AQI."""
WARM_UP_HOURS = 23  # hours before the first one that the 24-hour means need


def seed_of(latitude: float, longitude: float) -> int:
    """The seed of a location's noise: other coordinates, other noise."""
    return int.from_bytes(sha256(f"air {latitude:.4f} {longitude:.4f}".encode()).digest()[:8], "little")


def noise(seed: int, channel: int, steps: Hours) -> Floats:
    """Noise, uniform in [0, 1): independent for each seed, channel and step (the finalizer of SplitMix64)."""
    start = (seed + channel * 0xD1B54A32D192ED03) % 2**64
    x = steps.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))).astype(np.float64) / 2.0**64


def _weather(seed: int, channel: int, hours: Hours, period_hours: int) -> Floats:
    """Noise in [0, 1) that changes smoothly: random values every ``period_hours``, joined by cosines."""
    knot, rest = np.divmod(hours, period_hours)
    ease = (1 - np.cos(np.pi * rest / period_hours)) / 2
    return noise(seed, channel, knot) * (1 - ease) + noise(seed, channel, knot + 1) * ease


def _concentrations(latitude: float, longitude: float, hours: Hours) -> dict[str, Floats]:
    """Measured variable, by its name in the API → hourly values in µg/m³ (carbon dioxide in ppm)."""
    seed = seed_of(latitude, longitude)
    climate = noise(seed, 0, np.arange(6))
    solar = (hours + longitude / 15.0) % 24
    year = 2 * np.pi * (hours / 8766.0 + (0.0 if latitude >= 0 else 0.5))
    winter = np.cos(year - 0.25)
    rush = np.exp(-(((solar - 7.5) / 2.0) ** 2)) + np.exp(-(((solar - 19.0) / 2.5) ** 2))
    tilt = np.radians(-23.44) * np.cos(2 * np.pi * (hours / 8766.0 + 10 / 365.25))
    height = np.sin(np.radians(latitude)) * np.sin(tilt)
    height = height - np.cos(np.radians(latitude)) * np.cos(tilt) * np.cos(2 * np.pi * solar / 24)
    sun = np.maximum(height, 0.0)
    # Stagnant air builds pollution up over days: episodes.
    stagnant = np.exp(2.2 * (_weather(seed, 1, hours, 53) - 0.5) + 0.9 * (_weather(seed, 2, hours, 17) - 0.5))
    grain = 0.9 + 0.2 * noise(seed, 3, hours)
    pm25 = (9 + 46 * climate[0]) * (1 + 0.3 * winter) * stagnant * (0.8 + 0.4 * rush) * grain
    dust = 60 * climate[1] ** 4 * _weather(seed, 4, hours, 71) ** 4
    no2 = (6 + 34 * climate[2]) * stagnant**0.5 * (0.5 + rush) * grain
    so2 = (2 + 18 * climate[3]) * stagnant**0.7 * (0.7 + 0.5 * rush)
    co = (150 + 350 * climate[4]) * stagnant * (0.6 + 0.9 * rush)
    o3 = 25 + (70 + 70 * climate[5]) * sun * (0.5 + _weather(seed, 5, hours, 41))
    return {
        "pm2_5": np.round(pm25, 1),
        "pm10": np.round(pm25 * (1.15 + 0.5 * _weather(seed, 6, hours, 31)) + dust, 1),
        "ozone": np.round(np.maximum(o3 - 0.4 * no2, 0.0)),
        "nitrogen_dioxide": np.round(no2, 1),
        "sulphur_dioxide": np.round(so2, 1),
        "carbon_monoxide": np.round(co),
        "aerosol_optical_depth": np.round(0.05 + pm25 / 150 + dust / 200, 2),
        "dust": np.round(dust),
        "uv_index": np.round(np.round(12 * sun**1.2 * (0.4 + 0.6 * _weather(seed, 7, hours, 13)) * 20) / 20, 2),
        "carbon_dioxide": np.round(420 + 2.4 * (hours / 8766.0 - 52) + 25 * rush * stagnant**0.3),
    }


def _others(latitude: float, longitude: float, hours: Hours) -> dict[str, Floats]:
    """Plain noise for each variable of the API; the measured ones and the indices are replaced by better values."""
    seed = seed_of(latitude, longitude)
    return {name: np.round(10 * noise(seed, 100 + number, hours), 1) for number, name in enumerate(UNITS)}


def is_in_europe(latitude: float, longitude: float) -> bool:
    """Whether CAMS's European domain covers the location."""
    return 30 <= latitude <= 72 and -25 <= longitude <= 45


def simulate(latitude: float, longitude: float, hours: Hours, horizon: int) -> AirSeries:
    """The made-up values of a location for adjacent hours (since 1970). Hours after ``horizon`` have no values."""
    if not len(hours):
        return AirSeries(hours, {name: np.empty(0) for name in UNITS}, made_up=True)
    longer = np.arange(hours[0] - WARM_UP_HOURS, hours[-1] + 1)
    measured = _concentrations(latitude, longitude, longer)
    missing = longer > horizon
    if not is_in_europe(latitude, longitude):
        missing |= longer < GLOBAL_BEGINS
    measured = {name: np.where(missing, np.nan, values) for name, values in measured.items()}
    indices = hourly_indices({code: measured[name] for name, code in WITH_INDEX.items()})
    every = {
        **_others(latitude, longitude, longer),
        **measured,
        "us_aqi": indices["aqi"],
        **{f"us_aqi_{name}": indices[f"aqi_{code}"] for name, code in WITH_INDEX.items()},
    }
    every = {name: np.where(missing, np.nan, values)[WARM_UP_HOURS:] for name, values in every.items()}
    return AirSeries(hours, every, made_up=True)
