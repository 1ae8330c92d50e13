"""Which scales a day may follow: never one less than it does, whatever days are at hand, and no more where it shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.state.scales import ScaleChange, changes
from resources.open_meteo.index_scale import SCALES
from resources.open_meteo.scale_watch import ANY, KNOWN, OTHER, scales_followed
from resources.simulator.air import simulate
from resources.simulator.faults import parse_faults
from resources.simulator.series import AirSeries
from resources.simulator.value_faults import with_faults
from tests.support.index_scales import NEW, NEWEST, OLD, THRESHOLDS, air, indices_by

BIT = {name: 1 << number for number, name in enumerate(SCALES)}
SEPTEMBER_2022 = 19_236 * 24


def followed(values: Sequence[float | None], index: Sequence[float | None]) -> list[int]:
    """The masks of the days of one location."""
    arrays = {"pm25": np.array([values], dtype=float), "aqi_pm25": np.array([index], dtype=float)}
    return [int(mask) for mask in scales_followed(arrays)[0]]


@given(st.integers(0, 10**6), st.sampled_from(list(THRESHOLDS)), st.sampled_from([8.0, 40.0, 120.0, 400.0]))
@settings(max_examples=40, deadline=None)
def test_a_scale_that_days_follow_is_never_ruled_out(seed: int, name: str, high: float) -> None:
    values = air(seed, 6, high=high)
    index = indices_by(name, values)
    assert all(mask & BIT[name] for mask in followed(values, index))
    for day in range(5):  # without the day before
        hours = slice(24 * day, 24 * day + 48)
        assert all(mask & BIT[name] for mask in followed(values[hours], index[hours]))


@pytest.mark.parametrize(
    ("mean", "name", "mask"),
    [
        (5.0, OLD, BIT[OLD]),
        (5.0, NEW, BIT[NEW] | BIT[NEWEST]),
        (12.0, OLD, BIT[OLD]),
        (12.0, NEW, BIT[NEW] | BIT[NEWEST]),
        (30.0, OLD, BIT[OLD]),
        (30.0, NEW, BIT[NEW] | BIT[NEWEST]),
        (45.0, OLD, KNOWN),  # here they do not differ
        (45.0, NEW, KNOWN),
        (100.0, OLD, BIT[OLD]),
        (100.0, NEW, BIT[NEW] | BIT[NEWEST]),
        (280.0, OLD, BIT[OLD]),
        (280.0, NEW, BIT[NEW]),
        (280.0, NEWEST, BIT[NEWEST]),
    ],
)
@pytest.mark.parametrize("steady", [True, False])
def test_a_day_with_the_day_before_tells_its_scale(mean: float, name: str, mask: int, steady: bool) -> None:
    values = [mean if steady else mean + (hour % 5 - 2) / 10 for hour in range(72)]
    assert followed(values, indices_by(name, values))[1:] == [mask, mask]


def test_a_day_without_the_day_before_tells_it_by_its_last_hour_where_the_next_one_is_exact() -> None:
    values, new = [12.0] * 48, BIT[NEW] | BIT[NEWEST]
    assert followed(values, [50.0] * 24 + [56.0] * 24) == [BIT[OLD], new]
    assert followed(values, [56.0] * 48) == [new, new]
    assert followed([30.0] * 48, [88.0] * 48) == [KNOWN, BIT[OLD]]
    assert followed(values[:24], [50.0] * 24) == [ANY]
    assert followed(values, [50.0] * 24 + [40.0] * 24) == [ANY, ANY]


@pytest.mark.parametrize("location", ["hanoi", "hcmc", "danang"])
def test_what_was_recorded_never_denies_its_scale(recorded: Path, location: str) -> None:
    hourly = json.loads((recorded / f"{location}.json").read_text(encoding="utf-8"))["hourly"]
    values, index = hourly["pm2_5"], hourly["us_aqi_pm2_5"]
    told = followed(values, index)
    assert set(told) <= {BIT[OLD], KNOWN}
    assert told.count(BIT[OLD]) > 20
    for days in (1, 2, 7):
        for first in range(0, 44, days):
            hours = slice(24 * first, 24 * (first + days))
            assert all(mask & BIT[OLD] for mask in followed(values[hours], index[hours]))


@pytest.mark.parametrize("fault", ["none", "nulls", "negative", "revised", "one wrong"])
def test_the_first_day_of_another_scale_is_its_first(recorded: Path, fault: str) -> None:
    """From the 30th day on all is of another answer; values that are faulty are none that tell anything."""
    hourly = json.loads((recorded / "danang.json").read_text(encoding="utf-8"))["hourly"]
    values: list[Any] = list(hourly["pm2_5"])
    index = [*hourly["us_aqi_pm2_5"][: 29 * 24], *indices_by(NEW, values)[29 * 24 :]]
    match fault:
        case "nulls":
            values[600], index[601:625] = None, [None] * 24
        case "negative":
            values[29 * 24 + 10] = -100.0
        case "revised":  # the day before it, since it was asked for
            values[28 * 24 : 29 * 24] = [value + 0.4 for value in values[28 * 24 : 29 * 24]]
        case "one wrong":
            index[28 * 24 + 3] = 499
        case _:
            pass
    told = followed(values, index)
    after = BIT[NEW] | BIT[NEWEST]
    assert all(mask & BIT[OLD] for mask in told[:29])
    assert told[29:] == [after] * 15


FAULTS = [
    *("nulls:0.05", "negative:0.02", "withdrawn:0.05", "revise:0.5"),
    *("frozen:0.1", "frozen:0.5", "frozen", "nulls:0.02,negative:0.02,frozen:0.3"),
]


@pytest.mark.costly
@pytest.mark.parametrize("faults", ["", *FAULTS])
def test_air_of_a_maker_that_truncates_never_changes_its_scale(faults: str) -> None:
    """The simulator's, by EPA's rule: near the second scale, and not equal. At ten locations over 200 days."""
    hours = np.arange(SEPTEMBER_2022, SEPTEMBER_2022 + 200 * 24)
    sent = [simulate(60.0 - 9 * number, -170.0 + 34 * number, hours, int(hours[-1])) for number in range(10)]
    assert changed([faulty(one, faults, number) for number, one in enumerate(sent)]) == []


@pytest.mark.parametrize("faults", FAULTS)
def test_recorded_air_with_faulty_values_never_changes_its_scale(recorded: Path, faults: str) -> None:
    sent = []
    for location in ("hanoi", "hcmc", "danang"):
        hourly = json.loads((recorded / f"{location}.json").read_text(encoding="utf-8"))["hourly"]
        values = {name: np.array(hourly[name], dtype=float) for name in ("pm2_5", "us_aqi_pm2_5")}
        sent.append(AirSeries(SEPTEMBER_2022 + np.arange(44 * 24), values))
    for seed in range(5):
        assert changed([faulty(one, faults, 10 * seed + number) for number, one in enumerate(sent)]) == []


def faulty(series: AirSeries, faults: str, seed: int) -> AirSeries:
    def more(first: int, last: int) -> AirSeries:
        return series.where((series.hours >= first) & (series.hours <= last))

    return with_faults(series, seed, parse_faults(faults), int(series.hours[-1]) // 24, more)[0]


def changed(sent: Sequence[AirSeries]) -> list[ScaleChange]:
    """The changes at each location of what was sent."""
    days = (int(sent[0].hours.max()) - SEPTEMBER_2022) // 24 + 1
    arrays = {name: np.full((len(sent), 24 * days), np.nan) for name in ("pm25", "aqi_pm25")}
    for row, one in enumerate(sent):
        for column, name in (("pm25", "pm2_5"), ("aqi_pm25", "us_aqi_pm2_5")):
            at = one.hours - SEPTEMBER_2022
            arrays[column][row, at[at < 24 * days]] = one.values[name][at < 24 * days]
    masks = scales_followed(arrays)
    return changes({str(number): of for number, of in enumerate(masks)}, date(2022, 9, 1), ANY)


def test_a_feed_that_stands_still_tells_nothing_unless_it_comes_out_exactly() -> None:
    values = air(5, 2, 5, 30) + [20.0] * 72
    index: list[float | None] = [*indices_by(OLD, values)[:48], *[66.0] * 72]  # 67.02 by the first, 70.75 by the second
    assert followed(values, index)[3:] == [ANY, ANY]


def test_a_scale_that_is_not_known_is_told_by_two_days_together() -> None:
    values = air(7, 6, 5, 30)
    index: list[float | None] = [None if one is None else 1.5 * one + 20 for one in indices_by(OLD, values)]
    assert followed(values, index)[1:] == [OTHER] * 5
    one_day = [*indices_by(OLD, values)[:72], *index[72:96], *indices_by(OLD, values)[96:]]
    assert OTHER not in followed(values, one_day)


def test_no_hours_and_no_values_tell_nothing() -> None:
    assert followed([None] * 48, [None] * 48) == [ANY, ANY]
    assert followed([0.1] * 48, [0.0] * 48) == [ANY, ANY]  # the least means tell nothing
