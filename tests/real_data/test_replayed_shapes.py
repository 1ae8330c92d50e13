"""Recordings in the shapes that people have, through the whole pipeline: every table is as pandas reads the files.

A location a shape, all in one folder and one run.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.variables import VARIABLES
from resources.simulator.recordings import load_recordings
from resources.simulator.server import Simulator
from tests.support import oracle, pandas_reading
from tests.support.keeping_lake import KeepingLake
from tests.support.recording_shapes import ALL, API_UNITS, HOUR, START, as_lines, document

pytestmark = pytest.mark.engine

NOW = datetime(2025, 9, 10, 6, tzinfo=UTC)
FIRST, LAST = date(2025, 9, 1), date(2025, 9, 2)
FEW = ("us_aqi", "pm2_5", "pm10")
MILLIGRAMS = API_UNITS | {"pm2_5": "mg/m³", "pm10": "mg/m³"}
LOCATIONS = {
    "hanoi": (21.0278, 105.8342),
    "hcmc": (10.8231, 106.6297),
    "danang": (16.0544, 108.2022),
    "hue": (16.4637, 107.5909),
    "haiphong": (20.8449, 106.6881),
    "kienan": (20.8101, 106.6302),
    "vinh": (18.6796, 105.6813),
    "cantho": (10.0452, 105.7469),
    "nhatrang": (12.2388, 109.1967),
}
CELL = (20.8, 106.8)


def air(key: str, hours: int, variables: Sequence[str] = ALL, from_hour: int = 0) -> dict[str, list[Any]]:
    """What was measured at a location from the first midnight on: spells of bad air, some nulls. Decimals are short."""
    found: dict[str, list[Any]] = {name: [] for name in variables}
    for hour in range(from_hour, from_hour + hours):
        dice = random.Random(f"{key} {hour}")
        bad = 115 if (hour + len(key)) % 19 < 7 else 0
        for name in variables:
            value: Any = dice.randrange(40, 120) + bad
            if name == "carbon_dioxide":
                value += 380
            elif "aqi" not in name:
                small = name in ("aerosol_optical_depth", "uv_index")
                value = value / 100 if small else value + dice.randrange(10) / 10
            found[name].append(None if dice.random() < 0.03 else value)
    return found


@dataclass(frozen=True)
class Shape:
    """files: in the folder. read: those, by pandas. serves: the locations, each with the coordinates of its answer."""

    files: dict[str, bytes]
    read: pandas_reading.Reader
    serves: dict[str, tuple[float, float]]


def of(key: str) -> dict[str, tuple[float, float]]:
    return {key: LOCATIONS[key]}


def whole(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


def two_days(key: str, **more: Any) -> dict[str, Any]:
    return document(air(key, 48), where=LOCATIONS[key], **more)


def in_milligrams() -> dict[str, Any]:
    """Three of the variables, two of them in another unit, and one that no table has."""
    values = air("vinh", 48, FEW)
    small = {name: [cell if cell is None else round(cell / 1000, 7) for cell in values[name]] for name in FEW[1:]}
    answer = document(values | small, where=LOCATIONS["vinh"], units=MILLIGRAMS)
    answer["hourly"]["european_aqi"] = [20] * 48
    return answer


def lines() -> bytes:
    days = [document(air("cantho", 24, from_hour=n), START + n * HOUR, LOCATIONS["cantho"]) for n in (0, 24)]
    return gzip.compress(as_lines(*({"run": n, "payload": json.dumps(day)} for n, day in enumerate(days))))


ICT = {"offset": timedelta(hours=7), "zone": "Asia/Ho_Chi_Minh"}
SHAPES = {
    "local time": Shape(
        {"1.json": whole(document(air("hanoi", 72, from_hour=-7), START - 7 * HOUR, LOCATIONS["hanoi"], **ICT))},
        pandas_reading.of_local_time,
        of("hanoi"),
    ),
    "unixtime": Shape({"2.json": whole(two_days("hcmc", unix=True, **ICT))}, pandas_reading.of_unix_times, of("hcmc")),
    "several locations": Shape(
        {"3.json": whole([two_days("danang"), two_days("hue")])}, pandas_reading.of_utc, of("danang") | of("hue")
    ),
    "cell coordinates": Shape(
        {"4.json": whole(document(air("haiphong", 48), where=CELL))},
        pandas_reading.of_utc,
        {"haiphong": CELL, "kienan": CELL},
    ),
    "other variables": Shape({"5.json": whole(in_milligrams())}, pandas_reading.of_milligrams, of("vinh")),
    "wrapped": Shape({"6.jsonl.gz": lines()}, pandas_reading.of_packed_lines, of("cantho")),
    "pieces": Shape(
        {
            "7a.json": whole(document(air("nhatrang", 30), where=LOCATIONS["nhatrang"])),
            "7b.json": whole(document(air("nhatrang", 24, from_hour=24), START + 24 * HOUR, LOCATIONS["nhatrang"])),
        },
        pandas_reading.of_pieces,
        of("nhatrang"),
    ),
}


@dataclass(frozen=True)
class Made:
    """folder: with the recordings. said: at the start. tables: rows of each, by name."""

    folder: Path
    said: list[str]
    tables: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def made(embedded: Any, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder, said = tmp_path_factory.mktemp("recordings"), list[str]()
    for shape in SHAPES.values():
        for name, data in shape.files.items():
            (folder / name).write_bytes(data)
    (folder / "package.json").write_text('{"name": "fetcher"}')
    locations = [
        {"key": key, "name": key, "latitude": where[0], "longitude": where[1], "timezone": "Asia/Ho_Chi_Minh"}
        for key, where in LOCATIONS.items()
    ]
    recorded = load_recordings(folder, said.append, wanted=VARIABLES)
    with Simulator(now=lambda: NOW, replay=recorded) as server:
        flags = {"locations": locations}
        lake = KeepingLake(tmp_path_factory.mktemp("lake"), embedded, server.url, flags, now=NOW)
        summary = lake.materialize(f"{FIRST}..{LAST}")
        assert summary.ok, summary.in_words()
        return Made(folder, said, {key: lake.rows(key) for key in oracle.dated_tables([])})


@pytest.mark.parametrize("name", SHAPES)
def test_every_table_is_as_pandas_reads_the_files(made: Made, name: str) -> None:
    shape = SHAPES[name]
    frames = shape.read(*(made.folder / file for file in shape.files))
    (domain,) = {row["model_domain"] for row in made.tables[oracle.BRONZE]}
    for key, where in shape.serves.items():
        latitude, longitude = LOCATIONS[key]
        constants = {
            "location_key": key,
            "latitude": latitude,
            "longitude": longitude,
            "model_domain": domain,
            "request_timezone": "UTC",
        }
        read = pandas_reading.rows(frames[where], oracle.API_TO_COLUMN, oracle.INDEXES, **constants)
        bronze = [row for row in read if FIRST <= row["date_utc"] <= LAST]
        assert len(bronze) == 48
        for table, want in oracle.dated_tables(bronze, dict.fromkeys(LOCATIONS, "Asia/Ho_Chi_Minh")).items():
            got = [row for row in made.tables[table] if row["location_key"] == key]
            assert oracle.canonical(got, oracle.COLUMNS[table]) == oracle.canonical(want, oracle.COLUMNS[table]), table
        assert any(row["location_key"] == key for row in made.tables[oracle.EPISODE]), "nothing to compare"


def test_what_is_said_at_the_start(made: Made) -> None:
    moved = "1.json: in Asia/Ho_Chi_Minh (UTC+07:00), moved to UTC"
    never = [name for name in VARIABLES if name not in FEW]
    assert made.said == [
        "passed over, as no answers of the API: package.json",
        moved,
        "5.json: pm2_5 in mg/m³, converted to µg/m³",
        "5.json: pm10 in mg/m³, converted to µg/m³",
        f"{', '.join(never)} never asked for at 18.6796, 105.6813: served as null",
    ]
