"""The variables of bronze: their names at the provider, the columns that they become, and what these mean.

To add a variable, write a line here. Its column is then in bronze, silver and the hourly fact, in their contracts, and
in the requests. Besides, add it to the tests' oracle, which is written independently (``oracle/names.py``), and to
``config/pollutants.yml`` if it should be in ``gold.dim_pollutant``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

MICROGRAMS = "µg/m³"
US_AQI = "US AQI"


class Variable(NamedTuple):
    """A variable. name: in the provider's API. unit: of the column."""

    name: str
    column: str
    description: str
    unit: str


INDEXES = (
    Variable("us_aqi", "aqi", "Index of the worst pollutant", US_AQI),
    Variable("us_aqi_pm2_5", "aqi_pm25", "Index of PM2.5, 24 hours", US_AQI),
    Variable("us_aqi_pm10", "aqi_pm10", "Index of PM10, 24 hours", US_AQI),
    Variable("us_aqi_nitrogen_dioxide", "aqi_no2", "Index of nitrogen dioxide, 1 hour", US_AQI),
    Variable("us_aqi_ozone", "aqi_o3", "Index of ozone, 8 hours", US_AQI),
    Variable("us_aqi_sulphur_dioxide", "aqi_so2", "Index of sulphur dioxide, 1 hour", US_AQI),
    Variable("us_aqi_carbon_monoxide", "aqi_co", "Index of carbon monoxide, 8 hours", US_AQI),
)
"""Whole numbers; the first is that of the worst pollutant."""
MEASURED = (
    Variable("pm2_5", "pm25", "Particles up to 2.5 µm", MICROGRAMS),
    Variable("pm10", "pm10", "Particles up to 10 µm", MICROGRAMS),
    Variable("ozone", "o3", "Ozone", MICROGRAMS),
    Variable("nitrogen_dioxide", "no2", "Nitrogen dioxide", MICROGRAMS),
    Variable("sulphur_dioxide", "so2", "Sulphur dioxide", MICROGRAMS),
    Variable("carbon_monoxide", "co", "Carbon monoxide", MICROGRAMS),
    Variable("aerosol_optical_depth", "aod", "Aerosol optical depth at 550 nm", "1"),
    Variable("dust", "dust", "Saharan dust", MICROGRAMS),
    Variable("uv_index", "uv_index", "UV index", "1"),
    Variable("carbon_dioxide", "co2", "Carbon dioxide", "ppm"),
)
"""Concentrations and the like."""

VARIABLES: Mapping[str, str] = MappingProxyType({one.name: one.column for one in (*INDEXES, *MEASURED)})
"""The provider's name → the column, in the order of bronze's columns."""

CONCENTRATIONS = tuple(one.column for one in MEASURED)
SUB_INDEXES = tuple(one.column for one in INDEXES[1:])
