"""Recorded answers of Open-Meteo's air quality API, to be served again: of a folder, or of a warehouse's raw answers.

With moments (``replies``) they are served as they were at the clock; without, as one series a place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from orchestration.core.errors import UsageError
from resources.open_meteo.variables import UNITS
from resources.raw.answers import RawAnswers
from resources.raw.renames import FOLDER
from resources.simulator.replies import Replies, Told, is_kept_reply, of_raw_answer, read_kept_reply
from resources.simulator.requests import NEAR_DEGREES, NO_DATA, Place, Refused
from resources.simulator.series import AirSeries

EPOCH = date(1970, 1, 1)


class Recorded(Protocol):
    """What was recorded."""

    def answer(self, place: Place, variables: Sequence[str], clock: datetime) -> tuple[AirSeries, tuple[float, float]]:
        """The hours of a place that are not after the clock, and the coordinates of its answer. Raises Refused."""
        ...


@dataclass(frozen=True)
class Recording:
    """What was recorded of one place."""

    latitude: float
    longitude: float
    series: AirSeries


@dataclass(frozen=True)
class Joined:
    """Answers without moments, one a place."""

    recordings: Sequence[Recording]

    def answer(self, place: Place, variables: Sequence[str], clock: datetime) -> tuple[AirSeries, tuple[float, float]]:
        found = min(self.recordings, key=lambda it: place.distance(it.latitude, it.longitude))
        if place.distance(found.latitude, found.longitude) > NEAR_DEGREES:
            raise Refused(NO_DATA)
        if unknown := [name for name in variables if name not in found.series.values]:
            raise Refused(f"No data is available for {unknown[0]}")
        begin, end = (EPOCH + timedelta(days=int(hour // 24)) for hour in found.series.hours[[0, -1]])
        place.check(begin, end)
        asked, hours = place.hours(), found.series.hours
        is_there = (hours >= asked[0]) & (hours <= min(asked[-1], clock.astimezone(UTC).timestamp() // 3600))
        return found.series.where(is_there), (found.latitude, found.longitude)


def load_recordings(folder: Path, warn: Callable[[str], None] = lambda _line: None) -> Recorded:
    """The answers in ``folder/*.json``, or in the raw answers of an asset (``WAREHOUSE/_aqi/raw/ASSET``).

    warn: told of each raw answer that is broken, which is passed over.
    Without moments files of the same coordinates are joined. Raises UsageError for a folder without answers, for a file
    that is none, and for a folder where some have moments and some have not.
    """
    if folder.resolve().parent.as_posix().endswith(f"/{FOLDER}"):
        return Replies(_raw_answers(folder.resolve(), warn))
    files = {path: _read(path) for path in sorted(folder.glob("*.json"))}
    if not files:
        raise UsageError(f"there is no *.json to replay in {folder}", "Name a folder with answers of the API.")
    kept = {path: content for path, content in files.items() if is_kept_reply(content)}
    if not kept:
        return Joined(_joined(files))
    if other := next((path for path in files if path not in kept), None):
        raise UsageError(
            f"{other} does not say when it was asked for, and others in its folder do",
            "Put what `aqi simulate --record` kept into a folder of its own.",
        )
    return Replies([told for path, content in kept.items() for told in _told(path, content)])


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not a recorded answer of the API ({error!r})") from None


def _told(path: Path, content: Any) -> list[Told]:
    try:
        return read_kept_reply(content)
    except ValueError as error:
        raise UsageError(f"{path} is not an answer that was kept ({error})", "Take it out of the folder.") from None


def _raw_answers(folder: Path, warn: Callable[[str], None]) -> list[Told]:
    """What a warehouse keeps of an asset."""
    raw, asset = RawAnswers(str(folder.parents[2])), folder.name
    found = raw.all(asset)
    for broken in found.broken:
        warn(f"the raw answer {broken} is broken: it is not replayed")
    kept = [raw.read(file) for file in found.files]
    if not kept:
        raise UsageError(f"no raw answers of {asset} are kept in {folder}", "Name WAREHOUSE/_aqi/raw/ASSET.")
    try:
        return [told for answer in kept for told in of_raw_answer(answer)]
    except ValueError as error:
        raise UsageError(f"{folder} has raw answers of another source ({error})", "Name another asset.") from None


def _joined(files: dict[Path, Any]) -> list[Recording]:
    found: dict[tuple[float, float], dict[str, list[Any]]] = {}
    names: list[str] = []
    for path, payload in files.items():
        try:
            for document in payload if isinstance(payload, list) else [payload]:
                place = found.setdefault((document["latitude"], document["longitude"]), {})
                names = names or [name for name in document["hourly"] if name in UNITS] or [next(iter(UNITS))]
                for name in ("time", *names):
                    place.setdefault(name, []).extend(document["hourly"][name])
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path} is not a recorded answer of the API ({error!r})") from None
    recordings = []
    for (latitude, longitude), columns in found.items():
        times = np.array(columns["time"], dtype="datetime64[m]")
        hours, first = np.unique(times.astype("datetime64[h]").astype(np.int64), return_index=True)
        values = {name: np.array(columns[name], dtype=np.float64)[first] for name in names}
        recordings.append(Recording(latitude, longitude, AirSeries(hours, values)))
    return recordings
