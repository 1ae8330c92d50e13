"""Recorded answers read with pandas, each shape in its own few lines: apart from the project, which is not imported.

What is read is a frame with ts_utc and a column a variable of the API, in the units of the tables.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

Frames = dict[tuple[float, float], pd.DataFrame]
"""By the coordinates that the answers have."""


def _frame(answer: Mapping[str, Any], ts_utc: Any) -> pd.DataFrame:
    frame = pd.DataFrame(answer["hourly"]).drop(columns="time")
    return frame.assign(ts_utc=ts_utc).set_index("ts_utc").sort_index()


def _where(answer: Mapping[str, Any]) -> tuple[float, float]:
    return answer["latitude"], answer["longitude"]


def of_local_time(path: Path) -> Frames:
    answer = json.loads(path.read_text())
    local = pd.to_datetime(pd.Series(answer["hourly"]["time"])).dt.tz_localize(answer["timezone"])
    return {_where(answer): _frame(answer, local.dt.tz_convert("UTC"))}


def of_unix_times(path: Path) -> Frames:
    answer = json.loads(path.read_text())
    return {_where(answer): _frame(answer, pd.to_datetime(answer["hourly"]["time"], unit="s", utc=True))}


def of_utc(path: Path) -> Frames:
    content = json.loads(path.read_text())
    answers = content if isinstance(content, list) else [content]
    return {_where(it): _frame(it, pd.to_datetime(it["hourly"]["time"], utc=True)) for it in answers}


def of_milligrams(path: Path) -> Frames:
    """Its particles are in mg/m³."""
    ((where, frame),) = of_utc(path).items()
    for name in ("pm2_5", "pm10"):
        frame[name] = (frame[name] * 1000).round(6)
    return {where: frame}


def of_packed_lines(path: Path) -> Frames:
    """A line a day, each a pipeline's, with the answer as text."""
    frames: dict[tuple[float, float], list[pd.DataFrame]] = {}
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        answer = json.loads(json.loads(line)["payload"])
        found = _frame(answer, pd.to_datetime(answer["hourly"]["time"], utc=True))
        frames.setdefault(_where(answer), []).append(found)
    return {where: _joined(found) for where, found in frames.items()}


def of_pieces(*paths: Path) -> Frames:
    """Files that overlap and agree."""
    read = [of_utc(path) for path in paths]
    (where,) = {where for frames in read for where in frames}
    return {where: _joined([frames[where] for frames in read])}


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    whole = pd.concat(frames)
    return whole[~whole.index.duplicated()].sort_index()


def rows(
    frame: pd.DataFrame, columns: Mapping[str, str], indexes: tuple[str, ...], **constants: Any
) -> list[dict[str, Any]]:
    """Rows of bronze. columns: by the API's variables; one that the frame has not is null. indexes: whole numbers."""

    def cell(column: str, value: Any) -> Any:
        return None if pd.isna(value) else int(value) if column in indexes else float(value)

    wide = frame.reindex(columns=list(columns)).rename(columns=dict(columns))
    return [
        {
            "ts_utc": moment.to_pydatetime(),
            "date_utc": moment.date(),
            **constants,
            **{column: cell(column, value) for column, value in values.items()},
        }
        for moment, values in zip(wide.index, wide.to_dict("records"), strict=True)
    ]


Reader = Callable[..., Frames]
