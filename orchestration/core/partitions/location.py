"""Locations: the second part of a partition key."""

from __future__ import annotations

import re
from dataclasses import dataclass

LOCATION_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, order=True)
class Location:
    """A location for which a source has measurements or forecasts."""

    key: str
    """Lower-case letters, digits, ``_`` and ``-``; a part of partition keys."""
    name: str
    """The name for people."""
    latitude: float
    """Degrees, WGS 84, as configured; the source may use a nearby grid cell."""
    longitude: float
    """Degrees, WGS 84, as configured."""
    timezone: str
    """IANA name, for instance ``Asia/Ho_Chi_Minh``."""
