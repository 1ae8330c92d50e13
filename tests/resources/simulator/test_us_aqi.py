"""The US AQI at EPA's published breakpoints, on the edges of its truncation, and over averages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.simulator.us_aqi import SCALES, hourly_indices, rolling_mean, sub_index, sub_indices

# EPA-454/B-24-002 (May 2024), table 6, in its own notation and independently of the code; "-": not defined.
INDICES = "0-50 51-100 101-150 151-200 201-300 301-500"
PUBLISHED = {
    "pm25": "0.0-9.0 9.1-35.4 35.5-55.4 55.5-125.4 125.5-225.4 225.5-325.4",
    "pm10": "0-54 55-154 155-254 255-354 355-424 425-604",
    "o3": "0.000-0.054 0.055-0.070 0.071-0.085 0.086-0.105 0.106-0.200 -",
    "o3_1h": "- - 0.125-0.164 0.165-0.204 0.205-0.404 0.405-0.604",
    "no2": "0-53 54-100 101-360 361-649 650-1249 1250-2049",
    "so2": "0-35 36-75 76-185 186-304 - -",
    "so2_24h": "- - - - 305-604 605-1004",
    "co": "0.0-4.4 4.5-9.4 9.5-12.4 12.5-15.4 15.5-30.4 30.5-50.4",
}
EDGES = [
    (pollutant, float(value), int(index))
    for pollutant, bands in PUBLISHED.items()
    for band, indices in zip(bands.split(), INDICES.split(), strict=True)
    if band != "-"
    for value, index in zip(band.split("-"), indices.split("-"), strict=True)
]


def to_micrograms(pollutant: str, value: float) -> float:
    """µg/m³ of a concentration in the unit of the pollutant's breakpoints (ppb, ppm or µg/m³)."""
    return value / SCALES[pollutant].unit_per_microgram


def test_every_scale_has_its_published_table() -> None:
    assert set(PUBLISHED) == set(SCALES)
    assert len(EDGES) == 2 * (6 + 6 + 5 + 4 + 6 + 4 + 2 + 6)


@pytest.mark.parametrize(("pollutant", "value", "index"), EDGES)
def test_published_breakpoints(pollutant: str, value: float, index: int) -> None:
    assert sub_index(pollutant, to_micrograms(pollutant, value)) == index


@pytest.mark.parametrize(
    ("pollutant", "value", "index"),
    [
        ("pm25", 35.9, 102),  # the worked examples of EPA's document: PM2.5 35.9 µg/m³,
        ("co", 8.4, 90),  # carbon monoxide 8.4 ppm,
        ("o3", 0.078, 126),  # and ozone 0.078 ppm over 8 hours
        ("pm25", 9.09, 50),  # truncated to 9.0, not rounded to 9.1
        ("pm10", 54.9, 50),
        ("no2", 53.9, 50),
        ("pm25", 425.3, 699),  # beyond 500 on the same line: 301 + 199/99.9 × 199.8
    ],
)
def test_truncates_and_interpolates(pollutant: str, value: float, index: int) -> None:
    assert sub_index(pollutant, to_micrograms(pollutant, value)) == index


@pytest.mark.parametrize(
    ("pollutant", "value"),
    [("o3", 0.201), ("o3_1h", 0.124), ("so2", 305), ("so2_24h", 304), ("pm25", -0.1), ("pm25", float("nan"))],
)
def test_there_is_no_index_outside_a_scale(pollutant: str, value: float) -> None:
    assert sub_index(pollutant, to_micrograms(pollutant, value)) is None


@pytest.mark.parametrize(
    ("pollutant", "micrograms_per_unit"),
    # The factors of Open-Meteo's server: independent of ours, to their three digits.
    [("o3", 1.96 * 1000), ("no2", 1.88), ("so2", 2.62), ("co", 1.15 * 1000), ("pm25", 1.0), ("pm10", 1.0)],
)
def test_conversion_at_25_degrees(pollutant: str, micrograms_per_unit: float) -> None:
    assert to_micrograms(pollutant, 1.0) == pytest.approx(micrograms_per_unit, rel=0.005)


def test_an_unknown_pollutant_is_an_error() -> None:
    with pytest.raises(KeyError, match="pm1"):
        sub_index("pm1", 1.0)


@given(
    st.sampled_from(["pm25", "pm10", "no2", "co"]),
    st.lists(st.floats(min_value=0, max_value=60000), min_size=2, max_size=20),
)
def test_more_pollution_is_never_a_lower_index(pollutant: str, values: list[float]) -> None:
    indices = sub_indices(pollutant, np.array(sorted(values)))
    assert (np.diff(indices) >= 0).all()


def test_rolling_mean_looks_back_and_wants_three_quarters() -> None:
    values = np.array([4.0, 8.0, np.nan, 12.0, np.nan, np.nan, 20.0])
    means = rolling_mean(values, 4)
    assert np.isnan(means[:3]).all()  # two of four hours before the third; none before the first
    assert means[3] == 8.0  # 4, 8, 12
    assert np.isnan(means[4:]).all()


def test_rolling_mean_does_not_depend_on_where_it_begins() -> None:
    values = np.random.default_rng(7).uniform(0, 300, 400)
    whole = rolling_mean(values, 24)
    for start in (1, 77, 300):
        assert (rolling_mean(values[start:], 24)[23:] == whole[start + 23 :]).all()


def _constant(hours: int = 30, **concentrations: float) -> dict[str, np.ndarray]:
    """Hours of the same air; µg/m³, nothing where nothing is given."""
    return {code: np.full(hours, concentrations.get(code, 0.0)) for code in ("pm25", "pm10", "o3", "no2", "so2", "co")}


def test_overall_index_is_the_highest() -> None:
    indices = hourly_indices(_constant(pm25=55.5, pm10=54))
    assert (indices["aqi_pm25"][-1], indices["aqi_pm10"][-1], indices["aqi"][-1]) == (151, 50, 151)
    assert set(indices) == {"aqi", "aqi_pm25", "aqi_pm10", "aqi_o3", "aqi_no2", "aqi_so2", "aqi_co"}


def test_ozone_takes_the_higher_of_its_scales() -> None:
    air = _constant()
    air["o3"][-1] = to_micrograms("o3_1h", 0.165)  # one bad hour: 8-hour mean 0.0206 ppm
    assert hourly_indices(air)["aqi_o3"][-1] == 151


def test_sulphur_dioxide_above_its_hourly_scale() -> None:
    air = _constant()
    air["so2"][-1] = to_micrograms("so2", 400)
    assert hourly_indices(air)["aqi_so2"][-1] == 200  # the 24-hour mean is below 305 ppb
    assert hourly_indices(_constant(so2=to_micrograms("so2", 305)))["aqi_so2"][-1] == 201


def test_an_index_is_missing_only_where_its_own_air_is() -> None:
    air = _constant(pm25=20.0, no2=10.0)
    air["pm25"][:] = np.nan
    indices = hourly_indices(air)
    assert np.isnan(indices["aqi_pm25"]).all()
    assert indices["aqi"][-1] == indices["aqi_no2"][-1]
