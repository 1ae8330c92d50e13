"""Units: spellings that mean the same are the same, what can be converted is exact, and nothing else is taken."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.open_meteo.units import MOLAR_MASSES, conversion, converted, is_undefined
from resources.open_meteo.variables import INDEX, MICROGRAMS, PURE, UNITS

MASSES = [name for name, unit in UNITS.items() if unit == MICROGRAMS]
INDEXES = [name for name, unit in UNITS.items() if unit == INDEX]
PURES = [name for name, unit in UNITS.items() if unit == PURE]
SPELLINGS = {
    MICROGRAMS: [
        *("µg/m³", "μg/m³", "ug/m3", "ug/m^3", "μg/m3", "µg/m**3", " µg / m³ ", "UG/M3", "ΜG/M³", "µg m-3"),
        *("µg·m⁻³", "μg m^-3", "mcg/m3", "µg/(m³)", "ug.m-3"),
    ],
    INDEX: ["US AQI", "USAQI", "us_aqi", "Us Aqi", "usaqi", " US  AQI"],
    PURE: ["", " ", "1", "dimensionless", "Dimensionless", "index"],
    "ppm": ["ppm", "PPM", " ppm", "ppmv", "µmol/mol", "umol/mol"],
}
STRANGE = ["undefined", "%", "µg", "m³", "µg/m2", "K", "EAQI", "AQI", "Mg/m³", "μg/m³/h", "kg/kg", "ppt", "hPa", "mg"]


@pytest.mark.parametrize("name", UNITS)
def test_spellings_that_mean_the_same(name: str) -> None:
    for spelling in SPELLINGS[UNITS[name]]:
        assert conversion(spelling, name) == 1, spelling


@pytest.mark.parametrize("name", UNITS)
def test_what_cannot_be_converted(name: str) -> None:
    for unit in [None, *STRANGE]:
        assert conversion(unit, name) is None, unit
    others = {unit for unit in SPELLINGS if unit != UNITS[name]}
    for unit in others:
        gas = name in MOLAR_MASSES and {unit, UNITS[name]} == {MICROGRAMS, "ppm"}
        assert gas or all(conversion(spelling, name) is None for spelling in SPELLINGS[unit]), unit


def test_a_variable_that_the_api_has_not() -> None:
    with pytest.raises(KeyError):
        conversion("ppm", "smog")


def test_what_says_that_there_is_no_unit() -> None:
    assert all(map(is_undefined, ("undefined", "Undefined", " undefined ")))
    assert not any(map(is_undefined, ("", None, 1, "ppm")))


@pytest.mark.parametrize(
    ("unit", "name", "value", "want"),
    [
        ("mg/m³", "pm2_5", 0.0351, 35.1),
        ("mg/m3", "carbon_monoxide", 0.3, 300.0),
        ("MG/M3", "dust", 1.1, 1100.0),
        ("ng/m³", "ammonia", 35.1, 0.0351),
        ("g/m³", "pm10", 0.0000421, 42.1),
        ("kg m**-3", "pm10", 3.51e-8, 35.1),
        ("ppb", "ozone", 24.45, 48.0),
        ("ppb", "nitrogen_dioxide", 24.45, 46.01),
        ("ppb", "sulphur_dioxide", 24.45, 64.07),
        ("ppm", "carbon_monoxide", 0.02445, 28.01),
        ("ppb", "methane", 24.45, 16.04),
        ("ppb", "ammonia", 24.45, 17.03),
        ("ppb", "carbon_dioxide", 430000.0, 430.0),
        ("mg/m³", "carbon_dioxide", 44.01, 24.45),
        ("µg/m³", "carbon_dioxide", 44010.0, 24.45),
    ],
)
def test_what_is_converted(unit: str, name: str, value: float, want: float) -> None:
    factor = conversion(unit, name)
    assert factor is not None
    assert converted(np.array([value]), factor).tolist() == [want]


@given(
    st.sampled_from(MASSES), st.integers(-(10**9), 10**9), st.integers(0, 9), st.sampled_from([("mg", 3), ("ng", -3)])
)
def test_a_decimal_number_stays_one(name: str, digits: int, locations: int, unit: tuple[str, int]) -> None:
    """Whatever is written in mg/m³ is what would have been written in µg/m³."""
    prefix, power = unit
    factor = conversion(f"{prefix}/m³", name)
    assert factor == Fraction(10) ** power
    written = Decimal(digits).scaleb(-locations)
    (value,) = converted(np.array([float(written)]), factor)
    assert value == float(written.scaleb(power))


@given(st.sampled_from(sorted(MOLAR_MASSES)), st.floats(0, 1e6))
def test_there_and_back(name: str, value: float) -> None:
    """Parts by volume and mass are each other's, but for the last digit of a float."""
    other = "mg/m³" if UNITS[name] == "ppm" else "ppb"
    there = conversion(other, name)
    assert there is not None
    back = converted(converted(np.array([value]), there), 1 / there)
    assert math.isclose(back[0], value, rel_tol=1e-15, abs_tol=1e-300)


@given(st.text(max_size=12), st.sampled_from(sorted(UNITS)))
def test_any_text_is_answered(text: str, name: str) -> None:
    factor = conversion(text, name)
    assert factor is None or factor > 0


def test_what_is_no_number_stays() -> None:
    values = np.array([math.nan, math.inf, -math.inf, -0.0, 0.5])
    out = converted(values, Fraction(1000))
    assert math.isnan(out[0])
    assert out[1:].tolist() == [math.inf, -math.inf, 0.0, 500.0]
    assert converted(values, Fraction(1)) is values


def test_what_becomes_too_large() -> None:
    with pytest.raises(OverflowError):
        converted(np.array([1e308]), Fraction(1000))
