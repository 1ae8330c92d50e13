"""The secrets of requests to the source, hidden in answers that may repeat them."""

from __future__ import annotations

from resources.machine import secrets
from resources.open_meteo.variables import UNITS


class Secrets(secrets.Secrets):
    """The secrets of requests to the source."""

    words = (
        *UNITS,
        *UNITS.values(),
        *("latitude", "longitude", "generationtime_ms", "utc_offset_seconds", "timezone_abbreviation", "elevation"),
        *("hourly_units", "location_id", "iso8601", "USAQI", "error", "reason", "null", "true", "false"),
    )
    """Words of any answer: a secret that is a part of one of these words is not hidden in bodies."""
