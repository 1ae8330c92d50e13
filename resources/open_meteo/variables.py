"""The hourly variables of Open-Meteo's air quality API, with the units of its answers.

Source: https://open-meteo.com/en/docs/air-quality-api.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from orchestration.core.errors import DeclarationError

MICROGRAMS, INDEX, PURE = "µg/m³", "US AQI", "1"

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "us_aqi": INDEX,
        "us_aqi_pm2_5": INDEX,
        "us_aqi_pm10": INDEX,
        "us_aqi_nitrogen_dioxide": INDEX,
        "us_aqi_ozone": INDEX,
        "us_aqi_sulphur_dioxide": INDEX,
        "us_aqi_carbon_monoxide": INDEX,
        "pm2_5": MICROGRAMS,
        "pm10": MICROGRAMS,
        "ozone": MICROGRAMS,
        "nitrogen_dioxide": MICROGRAMS,
        "sulphur_dioxide": MICROGRAMS,
        "carbon_monoxide": MICROGRAMS,
        "aerosol_optical_depth": PURE,
        "dust": MICROGRAMS,
        "uv_index": PURE,
        "carbon_dioxide": "ppm",
        "uv_index_clear_sky": PURE,
        "ammonia": MICROGRAMS,
        "methane": MICROGRAMS,
    }
)
"""API variable → unit; an index (US AQI) is a whole number."""


def check_known(variables: Iterable[str]) -> None:
    """Raises DeclarationError for a variable that the API does not have."""
    for name in variables:
        if name not in UNITS:
            raise DeclarationError(
                f"Open-Meteo has no variable {name!r}",
                f"Known are {', '.join(UNITS)}; a new one is written into resources/open_meteo/variables.py.",
            )
