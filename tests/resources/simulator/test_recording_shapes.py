"""Whatever shape the same hours are kept in, the same hours are served; and what is broken is never served."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.errors import UsageError
from resources.open_meteo.variables import INDEX, UNITS
from resources.simulator.recordings import load_recordings
from resources.simulator.requests import AskedLocation
from tests.support.recording_shapes import ALL, API_UNITS, HOUR, START, WRAPPERS, document

CLOCK = datetime(2026, 1, 1, tzinfo=UTC)
CELLS = ((21.2, 106.0), (10.8, 106.8), (16.0, 108.4))
ZONES = (("GMT", 0), ("Asia/Ho_Chi_Minh", 7), ("America/New_York", -4), ("Pacific/Apia", 13))
MILLIGRAMS = {name: "mg/m³" if UNITS[name] == "µg/m³" else unit for name, unit in API_UNITS.items()}

Said = Mapping[tuple[float, float], Mapping[str, Mapping[int, float | None]]]
"""By cell, variable and hour."""


@st.composite
def told(draw: st.DrawFn) -> Said:
    """What a provider has of some cells: hours in a row, and some variables."""
    found: dict[tuple[float, float], dict[str, dict[int, float | None]]] = {}
    for cell in draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=3, unique=True)):
        names = draw(st.lists(st.sampled_from(ALL), min_size=1, max_size=4, unique=True))
        first, count = draw(st.integers(-30, 30)), draw(st.integers(1, 40))
        seed = random.Random(draw(st.integers(0, 2**32)))
        found[cell] = {
            name: {
                hour: None if seed.random() < 0.2 else seed.randrange(500) if UNITS[name] == INDEX else seed.random()
                for hour in range(first, first + count)
            }
            for name in names
        }
    return found


def one(said: Said, cell: tuple[float, float], hours: list[int], draw: st.DrawFn) -> dict[str, Any]:
    """An answer about these hours of a cell, as somebody may have asked for it."""
    zone, offset = draw(st.sampled_from(ZONES))
    units = draw(st.sampled_from((API_UNITS, MILLIGRAMS)))
    values: dict[str, list[Any]] = {}
    for name, cells in said[cell].items():
        said_so = [cells[hour] for hour in hours]
        is_milligrams = units[name] == "mg/m³"
        values[name] = [cell / 1000 if is_milligrams and cell is not None else cell for cell in said_so]
    start, unix = START + hours[0] * HOUR, draw(st.booleans())
    answer = document(values, start, cell, offset=timedelta(hours=offset), zone=zone, unix=unix, units=units)
    order = draw(st.permutations(range(len(hours)))) if len(hours) < 6 else range(len(hours))
    answer["hourly"] = {name: [cells[at] for at in order] for name, cells in answer["hourly"].items()}
    return answer


@st.composite
def folders(draw: st.DrawFn) -> tuple[Said, dict[str, bytes]]:
    """What was said, and files that say it: in pieces that may overlap, several cells in a file or one a file."""
    said = draw(told())
    answers = []
    for cell, columns in said.items():
        hours = sorted(next(iter(columns.values())))
        cut = draw(st.integers(0, len(hours)))
        overlap = draw(st.integers(0, 3))
        pieces = [piece for piece in (hours[: cut + overlap], hours[cut:]) if piece]
        answers += [one(said, cell, piece, draw) for piece in pieces]
    groups: list[Any] = [answers] if draw(st.booleans()) else answers
    files = {}
    for number, content in enumerate(groups):
        name, write = WRAPPERS[draw(st.sampled_from(sorted(WRAPPERS)))]
        files[f"{number}_{name}"] = write(content)
    return said, files


def load(files: Mapping[str, bytes]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        return load_recordings(Path(folder))


@given(folders())
@settings(max_examples=50, deadline=None)
def test_every_shape_serves_what_was_said(made: tuple[Said, dict[str, bytes]]) -> None:
    said, files = made
    recorded = load(files)
    for (latitude, longitude), columns in said.items():
        hours = sorted(next(iter(columns.values())))
        first, last = ((START + hour * HOUR).date() for hour in (hours[0], hours[-1]))
        series, cell = recorded.answer(AskedLocation(latitude, longitude, first, last), list(ALL), CLOCK)
        assert cell == (latitude, longitude)
        begin = int(START.timestamp()) // 3600
        assert (series.hours - begin).tolist() == hours
        for name in ALL:
            got = [None if value != value else value for value in series.values[name].tolist()]
            want = columns.get(name) or dict.fromkeys(hours)
            for value, hour in zip(got, hours, strict=True):
                expected = want[hour]
                assert value == (expected if expected is None else pytest.approx(expected, rel=1e-12)), (name, hour)


BY_VARIABLE = ("drop a value", "add a value", "text", "fraction", "unit", "other value")
BREAKS = (*BY_VARIABLE, "shift", "no hours", "error", "cut off")


@given(st.data(), st.sampled_from(BREAKS))
@settings(max_examples=50, deadline=None)
def test_what_is_broken_is_refused_by_its_file(data: st.DataObject, how: str) -> None:
    count = data.draw(st.integers(2, 30))
    values = {"pm2_5": [float(n) for n in range(count)], "us_aqi": list(range(count))}
    good, answer = document(values), document(values)
    at = data.draw(st.integers(0, count - 1))
    name = data.draw(st.sampled_from(sorted(values)))
    hourly = answer["hourly"]
    if how == "drop a value":
        del hourly[name][at]
    elif how == "add a value":
        hourly[name].insert(at, 1)
    elif how == "text":
        hourly[name][at] = data.draw(st.sampled_from(["n/a", "", "3", False, [], {}]))
    elif how == "fraction":
        name = "us_aqi"
        hourly[name][at] += 0.25
    elif how == "shift":
        hourly["time"][at] = hourly["time"][at][:-2] + "45"
    elif how == "no hours":
        answer["hourly"] = {column: [] for column in hourly}
    elif how == "unit":
        answer["hourly_units"][name] = "furlong"
    elif how == "other value":
        hourly[name][at] += 1
    elif how == "error":
        answer = {"error": True, "reason": "busy"}
    wrapper = data.draw(st.sampled_from(["bare", "data", "deep", "list of wrappers", "lines", "packed"]))
    file, write = WRAPPERS[wrapper]
    bad = write(answer) if how != "cut off" else json.dumps(answer).encode()[: -1 - at]
    with pytest.raises(UsageError) as caught:
        load({"0.json": json.dumps(good).encode(), f"b_{file if how != 'cut off' else 'x.json'}": bad})
    assert "b_" in caught.value.message
    assert caught.value.remedy
    if how in BY_VARIABLE:
        assert name in caught.value.message
    if how in ("text", "fraction"):
        assert hourly["time"][at] in caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=4,
)


@given(st.data(), JSON)
@settings(max_examples=80, deadline=None)
def test_whatever_stands_in_an_answer_it_is_served_or_refused(data: st.DataObject, instead: Any) -> None:
    """Never a traceback, at the start or when it is asked for."""
    answer = document({"pm2_5": [1.0, None], "us_aqi": [1, 2]})
    inside: Any = answer
    name = data.draw(st.sampled_from(sorted(answer)))
    while isinstance(inside[name], dict | list) and data.draw(st.booleans()):
        inside = inside[name]
        name = data.draw(st.sampled_from(range(len(inside)) if isinstance(inside, list) else sorted(inside)))
    inside[name] = instead
    try:
        recorded = load({"a.json": json.dumps(answer).encode()})
    except UsageError as refused:
        assert "a.json" in refused.message
        assert refused.remedy
    else:
        for recording in recorded.recordings:
            location = AskedLocation(recording.latitude, recording.longitude, recording.days.first, recording.days.last)
            assert len(recorded.answer(location, ["pm2_5"], CLOCK)[0].hours)
