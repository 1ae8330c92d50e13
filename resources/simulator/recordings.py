"""Recorded answers of Open-Meteo's air quality API, read from a folder, to be served again.

Must not know: requests, the clock, faults.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orchestration.core.errors import UsageError
from resources.open_meteo.variables import UNITS
from resources.simulator.series import AirSeries


@dataclass(frozen=True)
class Recording:
    """What was recorded of one place."""

    latitude: float
    longitude: float
    series: AirSeries

    def distance(self, latitude: float, longitude: float) -> float:
        """Degrees between the two, along the axis that differs more."""
        return max(abs(self.latitude - latitude), abs(self.longitude - longitude))


def load_recordings(folder: Path) -> list[Recording]:
    """The answers in ``folder/*.json``, one a place: files of the same coordinates are joined.

    Raises UsageError for a folder without them, and for a file that is none.
    """
    found: dict[tuple[float, float], dict[str, list[Any]]] = {}
    names: list[str] = []
    for path in sorted(folder.glob("*.json")):
        try:
            payload = json.loads(path.read_bytes())
            for document in payload if isinstance(payload, list) else [payload]:
                place = found.setdefault((document["latitude"], document["longitude"]), {})
                names = names or [name for name in document["hourly"] if name in UNITS] or [next(iter(UNITS))]
                for name in ("time", *names):
                    place.setdefault(name, []).extend(document["hourly"][name])
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path} is not a recorded answer of the API ({error!r})") from None
    if not found:
        raise UsageError(f"there is no *.json to replay in {folder}", "Name a folder with answers of the API.")
    recordings = []
    for (latitude, longitude), columns in found.items():
        times = np.array(columns["time"], dtype="datetime64[m]")
        hours, first = np.unique(times.astype("datetime64[h]").astype(np.int64), return_index=True)
        values = {name: np.array(columns[name], dtype=np.float64)[first] for name in names}
        recordings.append(Recording(latitude, longitude, AirSeries(hours, values)))
    return recordings
