"""Units as people and APIs write them: which mean the same, and which can be converted exactly.

Pure. Must not know: answers, files, what happens to a variable in another unit.

Parts by volume of a gas are those at 25 °C and 1 atm, where a mole has 24.45 litres:
µg/m³ = ppb × molar mass / 24.45, the molar mass in g/mol. Source of the rule: NIOSH Pocket Guide to Chemical Hazards,
introduction, on conversion factors; masses to 0.01 g/mol.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from resources.open_meteo.variables import UNITS

LITRES_A_MOLE = Fraction("24.45")
"""The volume of a mole of any gas, at 25 °C and 1 atm."""

MOLAR_MASSES: Mapping[str, Fraction] = MappingProxyType(
    {
        "ozone": Fraction("48.00"),
        "nitrogen_dioxide": Fraction("46.01"),
        "sulphur_dioxide": Fraction("64.07"),
        "carbon_monoxide": Fraction("28.01"),
        "carbon_dioxide": Fraction("44.01"),
        "ammonia": Fraction("17.03"),
        "methane": Fraction("16.04"),
    }
)
"""API variable → g/mol. A variable that is not here is not a single gas, and has no parts by volume."""

MASS, PARTS, PURE, US_AQI = "µg/m³", "ppb", "1", "US AQI"
"""Kinds of units, each named by its base unit."""

_SAME: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("", "1", "dimensionless", "index", "unitless", "-"), PURE),
        **dict.fromkeys(("usaqi", "usaqiindex"), US_AQI),
    }
)
_GRAMS = MappingProxyType(
    {
        "kg": Fraction(10**9),
        "g": Fraction(10**6),
        "mg": Fraction(1000),
        "μg": Fraction(1),
        "ug": Fraction(1),
        "mcg": Fraction(1),
        "ng": Fraction(1, 1000),
    }
)
_SHARES = MappingProxyType(
    {
        "ppm": Fraction(1000),
        "ppmv": Fraction(1000),
        "μmol/mol": Fraction(1000),
        "umol/mol": Fraction(1000),
        "ppb": Fraction(1),
        "ppbv": Fraction(1),
        "nmol/mol": Fraction(1),
    }
)
_PER_CUBIC_METRE = re.compile(r"(?P<grams>[a-zμ]+)(?:/m3|m-3)")
_NOTHING = re.compile(r"[\s_^*.·⋅()]+")
"""Signs in a unit that do not change its meaning."""


def conversion(got: str | None, variable: str) -> Fraction | None:
    """The factor from the unit ``got`` of a variable to its unit in ``UNITS``; see ``converted``. None where there is
    no conversion, or ``got`` is no unit.

    | got            | variable        | result         |
    |----------------|-----------------|----------------|
    | ``μg/m³``      | pm2_5           | 1              |
    | ``ug/m^3``     | pm2_5           | 1              |
    | ``mg/m³``      | pm2_5           | 1000           |
    | ``ppb``        | ozone           | 48 / 24.45     |
    | ``mg/m³``      | carbon_dioxide  | 24.45 / 44.01  |
    | ``USAQI``      | us_aqi          | 1              |
    | nothing        | uv_index        | 1              |
    | ``ppb``        | pm2_5           | None           |
    | ``undefined``  | any             | None           |

    Raises KeyError for a variable that the API has not.
    """
    need = _read(UNITS[variable])
    found = None if got is None else _read(got)
    if found is None or need is None:
        return None
    (kind, amount), (wanted, unit) = found, need
    if kind == wanted:
        return amount / unit
    mass = MOLAR_MASSES.get(variable)
    if mass is None or {kind, wanted} != {MASS, PARTS}:
        return None
    micrograms = mass / LITRES_A_MOLE  # µg/m³ of one ppb
    return amount * (micrograms if kind == PARTS else 1 / micrograms) / unit


def is_undefined(unit: object) -> bool:
    """Whether a unit is the API's ``undefined``: then the API has no values of the variable."""
    return isinstance(unit, str) and unit.strip().casefold() == "undefined"


def converted(values: NDArray[np.float64], factor: Fraction) -> NDArray[np.float64]:
    """The values multiplied by a factor of ``conversion``. They are multiplied as the decimal numbers that were
    written: 0.0351 mg/m³ are 35.1 µg/m³, not 35.099999999999994. NaN and infinite values stay.

    Raises OverflowError for a value that becomes too large.
    """
    if factor == 1:
        return values
    different, at = np.unique(values, return_inverse=True)
    found = [_times(value, factor) for value in different.tolist()]
    return np.array(found, dtype=np.float64)[at].reshape(values.shape)


def _times(value: float, factor: Fraction) -> float:
    return float(Fraction(repr(value)) * factor) if math.isfinite(value) else value


def _read(unit: str) -> tuple[str, Fraction] | None:
    """The kind of a unit, and its amount in the kind's base unit; None for an unknown unit."""
    if unit.strip().startswith("Mg"):  # a million grams; in other units small and capital letters mean the same
        return None
    text = unicodedata.normalize("NFKC", unit).replace("\N{MINUS SIGN}", "-").casefold()
    text = _NOTHING.sub("", text)
    if (kind := _SAME.get(text)) is not None:
        return kind, Fraction(1)
    if (share := _SHARES.get(text)) is not None:
        return PARTS, share
    mass = _PER_CUBIC_METRE.fullmatch(text)
    grams = None if mass is None else _GRAMS.get(mass["grams"])
    return None if grams is None else (MASS, grams)
