"""The made-up world: values that do not depend on how they are asked for, and are plausible."""

from __future__ import annotations

import time
from itertools import groupby
from typing import Any

import numpy as np
import pytest

from assets.variables import VARIABLES
from resources.simulator.server import Simulator
from resources.simulator.us_aqi import hourly_indices
from tests.support.simulated_api import DANANG, HANOI, HCMC, ask, hours, simulator


@pytest.mark.parametrize("location", [HANOI, HCMC, DANANG, (48.2, 16.4), (-33.9, 151.2), (-90.0, -180.0)])
def test_values_do_not_depend_on_the_range(server: Simulator, location: tuple[float, float]) -> None:
    month = hours(server, location, first="2025-07-01", end_date="2025-07-31")
    again: dict[str, list[Any]] = {name: [] for name in month}
    for day in range(1, 32):
        for name, values in hours(server, location, first=f"2025-07-{day:02}").items():
            again[name] += values
    assert again == month


def test_values_do_not_depend_on_the_other_locations_or_the_server(server: Simulator) -> None:
    with simulator() as other:
        first, _ = ask(other, HANOI, HCMC, first="2025-07-04").json()
    assert first["hourly"] == hours(server, HANOI, first="2025-07-04")


def test_indices_follow_from_the_concentrations(server: Simulator) -> None:
    """The day's indices are those of its concentrations and of the 23 hours before it."""
    two_days = hours(server, HANOI, first="2025-08-07", end_date="2025-08-08")
    columns = {column: np.array(two_days[name], dtype=float) for name, column in VARIABLES.items()}
    indices = hourly_indices({code: columns[code] for code in ("pm25", "pm10", "o3", "no2", "so2", "co")})
    for name, index in indices.items():
        assert (columns[name][24:] == index[24:]).all()


def test_values_are_plausible(server: Simulator) -> None:
    """None breaks a row rule of silver (DATA_MODEL), and they differ from hour to hour."""
    highest = {"pm2_5": 5000, "pm10": 20000, "dust": 20000, "ozone": 2000, "nitrogen_dioxide": 5000}
    highest |= {
        "sulphur_dioxide": 10000,
        "carbon_monoxide": 200000,
        "aerosol_optical_depth": 20,
        "uv_index": 25,
    }
    for location in (HANOI, (64.1, -21.9), (-77.8, 166.7)):
        year = hours(server, location, first="2024-01-01", end_date="2024-12-31")
        for name, limit in highest.items():
            assert 0 <= min(year[name]) <= max(year[name]) <= limit
        assert 250 <= min(year["carbon_dioxide"]) <= max(year["carbon_dioxide"]) <= 2000
        assert min(year["us_aqi"]) >= 0
        assert len(set(year["pm2_5"])) > 100


def test_nights_and_seasons(server: Simulator) -> None:
    year = hours(server, HANOI, first="2024-01-01", end_date="2024-12-31")
    by_hour = np.array(year["uv_index"]).reshape(366, 24).mean(axis=0)
    assert by_hour[17] == 0  # past midnight in Hà Nội
    assert by_hour.argmax() == 5  # about solar noon
    by_day = np.array(year["pm2_5"]).reshape(366, 24).mean(axis=1)
    assert by_day[:60].mean() > 1.2 * by_day[150:240].mean()


def test_episodes_cross_midnight(server: Simulator) -> None:
    """Runs of AQI >= 151 in a year: many in Hà Nội, most over midnight, some over days."""
    year = hours(server, HANOI, first="2024-01-01", end_date="2024-12-31")["us_aqi"]
    runs, at = [], 0
    for is_bad, run in groupby(value >= 151 for value in year):
        length = len(list(run))
        if is_bad:
            runs.append((at, length))
        at += length
    assert len(runs) >= 20
    assert sum(start // 24 != (start + length - 1) // 24 for start, length in runs) >= 15
    assert max(length for _, length in runs) >= 72


def test_values_begin_in_august_2022_outside_europe(server: Simulator) -> None:
    days = {"first": "2022-07-31", "end_date": "2022-08-02"}
    hanoi, vienna = hours(server, HANOI, **days), hours(server, (48.2, 16.4), **days)
    assert all(value is None for name, values in hanoi.items() if name != "time" for value in values[:24])
    assert None not in hanoi["pm2_5"][24:]
    assert all(None not in values for values in vienna.values())
    assert None not in hours(server, (48.2, 16.4), first="2013-01-01")["pm2_5"]


def test_the_forecast_reaches_seven_days(server: Simulator) -> None:
    last = hours(server, HANOI, first="2025-10-20")["pm2_5"]
    assert None not in last[:11]  # up to 10:00, seven days after the clock
    assert set(last[11:]) == {None}
    assert None not in hours(server, HANOI, first="2025-10-19")["us_aqi"]


def test_a_year_of_three_locations_is_quick(server: Simulator) -> None:
    began = time.perf_counter()
    answers = ask(server, HANOI, HCMC, DANANG, first="2024-01-01", end_date="2024-12-31")
    assert time.perf_counter() - began < 2
    assert len(answers.json()[2]["hourly"]["time"]) == 366 * 24
