"""The provider's PM2.5 index follows from the hours before by one of its scales: exactly, in what was recorded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from resources.open_meteo.index_scale import SCALES, UNTIL_JULY_2026, index_of, indices_of
from tests.support.index_scales import THRESHOLDS, air, index_by, indices_by

EDGES = [
    (name, *map(float, point.split(":")))
    for name, points in THRESHOLDS.items()
    for point in points.split()
    if not point.endswith(":500")
]


def test_the_scales_are_those_of_the_data_model_in_their_order() -> None:
    assert list(SCALES) == list(THRESHOLDS)


@pytest.mark.parametrize(("name", "mean", "index"), EDGES)
def test_thresholds(name: str, mean: float, index: float) -> None:
    assert index_of(mean, SCALES[name]) == pytest.approx(index)


@pytest.mark.parametrize("name", THRESHOLDS)
def test_between_thresholds_it_goes_straight_and_beyond_the_last_on(name: str) -> None:
    means = np.linspace(0, 500, 2_001)
    assert index_of(means, SCALES[name]) == pytest.approx([index_by(name, mean) for mean in means])
    (low, index), (high, above) = SCALES[name].thresholds[-2:]
    assert index_of(high + 10, SCALES[name]) == pytest.approx(above + 10 * (above - index) / (high - low))


def test_nothing_follows_from_no_value() -> None:
    assert np.isnan(index_of([np.nan, -0.1], UNTIL_JULY_2026)).all()


@pytest.mark.parametrize("name", THRESHOLDS)
def test_an_hour_has_the_index_of_the_24_before_it(name: str) -> None:
    hourly: list[float | None] = list(air(3, 6))
    hourly[50] = None
    want = [np.nan if index is None else index for index in indices_by(name, hourly)]
    assert np.isnan(want).sum() == 24 + 24  # it makes those after it null
    np.testing.assert_array_equal(indices_of(np.array(hourly, dtype=float), SCALES[name]), want)


@pytest.mark.parametrize("location", ["hanoi", "hcmc", "danang"])
def test_what_was_recorded_follows_the_first_scale(recorded: Path, location: str) -> None:
    """All hours of 44 days but the first 24; where rounding is between two numbers either will do."""
    hourly = json.loads((recorded / f"{location}.json").read_text(encoding="utf-8"))["hourly"]
    values, sent = (np.array(hourly[name], dtype=float) for name in ("pm2_5", "us_aqi_pm2_5"))
    means = np.lib.stride_tricks.sliding_window_view(values[:-1], 24).mean(axis=1)
    assert len(means) == 44 * 24 - 24
    assert np.abs(index_of(means, UNTIL_JULY_2026) - sent[24:]).max() <= 0.5 + 1e-9
