"""The locations that partitions are of."""

from __future__ import annotations

import re
from dataclasses import dataclass

LOCATION_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, order=True)
class Location:
    """A location that is measured.

    key: lower-case letters, digits, ``_`` and ``-``; part of partition keys.
    latitude, longitude: degrees, WGS 84, as configured (not those of a cell of the source's grid).
    timezone: IANA name of the local time.
    """

    key: str
    name: str
    latitude: float
    longitude: float
    timezone: str
