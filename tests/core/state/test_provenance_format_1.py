"""Format 1 of provenance: what it wrote is read, and it was larger."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.state.provenance import Answer, PartitionRecord, Provenance, Question, dumps
from tests.support.provenances import record, records, some_keys, stamped, through_json
from tests.support.records import AT, key

quick = settings(max_examples=100, deadline=None)


# --- what is read ---------------------------------------------------------------------------------


def format_1(provenance: Provenance) -> dict[str, Any]:
    """As commit d35dc26 wrote it, with the fields that it had."""
    told = {}
    for at, of in sorted(provenance.records.items()):
        told[str(at)] = {
            name: value
            for name, value in of.facts().items()
            if name in ("rows", "fp", "in", "checks", "code", "contract")
        } | ({"as_of": of.as_of} if of.as_of else {})
    names = ("code", "contract", "as_of")
    first: Mapping[str, Any] = next(iter(told.values()), {})
    shared = {
        name: first[name]
        for name in names
        if name in first and all(of.get(name) == first[name] for of in told.values())
    }
    return {
        "aqi": 1,
        "run": provenance.run_id,
        "asset": provenance.asset,
        "at": provenance.at,
        "all": shared,
        "partitions": {at: {k: v for k, v in of.items() if k not in shared} for at, of in told.items()},
    }


def test_a_commit_of_format_1_is_read() -> None:
    """The text as commit d35dc26 wrote it."""
    text = (
        '{"all":{"contract":"b51800915c7c65f7"},"aqi":1,"asset":"bronze.open_meteo_hourly","at":"2025-08-20T06:00:00Z",'
        '"partitions":{"2025-08-08/hanoi":{"as_of":"2025-08-08T06:00:00Z","checks":{"late":2},"code":"fc482b6148d23a68",'
        '"fp":"ffffcc7ecd9d90974a9c","in":{"open_meteo":{"2025-08-08/hanoi":"4a6d887bfc530d9b5c4116bb5393bdff"}},'
        '"rows":24},"null":{"code":"c","fp":"empty","in":{},"rows":0}},"run":"run-1","wiped":[["hue","2025-08-01",'
        '"2025-08-02"]]}'
    )
    hanoi = PartitionRecord(
        rows=24,
        fingerprint="ffffcc7ecd9d90974a9c",
        inputs={"open_meteo": {"2025-08-08/hanoi": "4a6d887bfc530d9b5c4116bb5393bdff"}},
        code="fc482b6148d23a68",
        contract="b51800915c7c65f7",
        checks={"late": 2},
        as_of="2025-08-08T06:00:00Z",
    )
    null = PartitionRecord(0, "empty", {}, "c", "b51800915c7c65f7")
    wiped = PartitionSet.from_keys([key(1), key(2)])
    expected = Provenance("run-1", "bronze.open_meteo_hourly", AT, {key(8, "hanoi"): hanoi, NULL_KEY: null}, wiped)
    read = Provenance.from_json(json.loads(text), 3)
    assert read == stamped(expected, 3)
    assert through_json(read, 3) == read  # in format 2 it says the same


def test_a_commit_of_format_1_from_before_there_were_wipes_is_read() -> None:
    data = format_1(Provenance("run-1", "gold.hours", AT, {key(1): record()}))
    assert "wiped" not in data
    assert Provenance.from_json(data, 1).wiped == PartitionSet.empty()


NUMBER, TEXT = "a column of numbers must have nothing but whole ones", "a column of texts must have nothing but texts"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"fp":"aa"', '"fp":null', TEXT),
        ('"fp":"aa"', '"fp":7', TEXT),
        ('"fp":"aa"', '"fp":["aa"]', "unhashable"),
        ('"rows":24', '"rows":null', NUMBER),
        ('"rows":24', '"rows":"24"', NUMBER),
        ('"rows":24', '"rows":24.5', NUMBER),
        ('"rows":24', f'"rows":{1 << 63}', "a number is too large"),
        ('"late":1', '"late":"1"', NUMBER),
        ('"code":"c1"', '"code":null', TEXT),
        ('"contract":"k1"', '"contract":{}', "unhashable"),
        (f'"as_of":"{AT}"', '"as_of":null', TEXT),
        ('"null":"x"', '"null":null', TEXT),
        ('{"null":"x"}', "null", "'NoneType' object has no attribute"),
        ('{"late":1}', "[1]", "'list' object has no attribute"),
    ],
)
def test_what_is_damaged_is_told_when_it_is_read(old: str, new: str, words: str) -> None:
    """In the words of format 2: whoever reads the commit says that it is damaged."""
    damaged = record("aa", inputs={"gold.dim": {"null": "x"}}, checks={"late": 1}, as_of=AT)
    text = dumps(format_1(Provenance("run-1", "gold.hours", AT, {key(1): damaged, key(2): record("bb")})))
    assert old in text
    with pytest.raises((ValueError, TypeError, AttributeError), match=words):
        Provenance.from_json(json.loads(text.replace(old, new, 1)), 7)


plain = st.dictionaries(some_keys, records, max_size=5).map(
    lambda told: {
        at: PartitionRecord(of.rows, of.fingerprint, of.inputs, of.code, of.contract, of.checks, of.as_of)
        for at, of in told.items()
    }
)


@quick
@given(plain)
def test_both_formats_say_the_same(told: dict[PartitionKey, PartitionRecord]) -> None:
    provenance = Provenance("run-1", "gold.hours", AT, told)
    assert Provenance.from_json(json.loads(dumps(format_1(provenance))), 7) == through_json(provenance)


# --- size -----------------------------------------------------------------------------------------


def hexed(length: int, *parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:length]


def bronze(locations: int, days: int) -> Provenance:
    """A commit of a fetched asset: one answer a location, 17 variables, now and then an hour without a value."""
    variables = [f"variable_{number}" for number in range(17)]
    questions = {
        location: Question("open_meteo", "cams", tuple(variables), location / 7, 105.25)
        for location in range(locations)
    }
    told = {}
    for location in range(locations):
        for day in range(days):
            at, digest = key(day, f"location-{location}"), hexed(32, "digest", location, day)
            told[at] = record(
                hexed(20, location, day),
                inputs={"open_meteo": {str(at): digest}},
                code=f"2:{hexed(16, 'code')}:{hexed(16, location)}",
                answers=(Answer(f"2025-08-20T06:00:{location % 60:02d}Z", digest),),
                question=questions[location].id,
                values={name: 23 if crc32(f"{name} {location} {day}".encode()) % 33 == 0 else 24 for name in variables},
            )
    return Provenance("run-1", "bronze.hours", AT, told, questions={of.id: of for of in questions.values()}, by="0.2.0")


def episodes(locations: int, days: int) -> Provenance:
    """A commit of an asset with windows of two or three days."""
    told = {}
    for location in range(locations):
        for day in range(days):
            ahead = int(hexed(4, location, day), 16) % 3 == 0
            consulted = {
                str(key(at, f"location-{location}")): hexed(20, location, at) for at in range(day - 1, day + 1 + ahead)
            }
            fingerprint = hexed(20, "e", location, day) if ahead else "empty"
            told[key(day, f"location-{location}")] = record(fingerprint, int(ahead), inputs={"gold.hours": consulted})
    return Provenance("run-1", "gold.episodes", AT, told)


@pytest.mark.costly
@pytest.mark.parametrize(
    ("made", "locations", "days", "share"),
    [(bronze, 50, 365, 0.4), (episodes, 20, 365, 0.3), (bronze, 3, 3, 1.2), (episodes, 3, 3, 0.6)],
    ids=["bronze, a year of 50 locations", "episodes, a year", "bronze, an hour's run", "few episodes"],
)
def test_it_is_small(made: Callable[[int, int], Provenance], locations: int, days: int, share: float) -> None:
    """What is promised is format 1's size plus a fifth, with all that format 1 did not have. It is far less."""
    provenance = made(locations, days)
    sizes = [len(dumps(data).encode()) for data in (provenance.to_json(), format_1(provenance))]
    assert sizes[0] <= share * sizes[1], sizes
    assert share <= 1.2
