"""How provenance is written: nothing is lost, whatever the records are; format 1 is read; and it stays small."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.errors import PartitionRangeError
from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.state.columnar import column_from_json, column_to_json
from orchestration.core.state.provenance import (
    Answer,
    PartitionRecord,
    Provenance,
    Question,
    Shape,
    TurnedAway,
    dumps,
    is_ours,
)
from orchestration.core.state.versions import Equal

quick = settings(max_examples=200, deadline=None)

AT = "2025-08-20T06:00:00Z"
HUE = Question("open_meteo", "cams_global", ("pm2_5", "no2"), 16.0, 107.5)


def key(number: int, place: str = "hue") -> PartitionKey:
    return PartitionKey(date(2025, 8, 1) + timedelta(number - 1), place)


def record(fingerprint: str = "f", rows: int = 24, **facts: Any) -> PartitionRecord:
    return PartitionRecord(rows, fingerprint, facts.pop("inputs", {}), facts.pop("code", "c1"), "k1", **facts)


def through_json(provenance: Provenance, version: int = 7) -> Provenance:
    return Provenance.from_json(json.loads(dumps(provenance.to_json())), version)


def stamped(provenance: Provenance, version: int = 7) -> Provenance:
    """As it is to be read: the records know which commit they are of."""
    by = {"run_id": provenance.run_id, "at": provenance.at, "version": version}
    return replace(provenance, records={at: replace(told, **by) for at, told in provenance.records.items()})


# --- columns --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([24], 24),
        (["f", "f"], "f"),
        ([None, None], None),
        ([False, False], False),
        ([24, 24, 24, 23], {"runs": [24, 3, 23, 1]}),
        ([24, 23, 22], [24, 23, 22]),
        (["ab", "cd", "ef"], {"each": 2, "text": "abcdef"}),
        (["ab", "empty", "ef"], {"text": "ab empty ef"}),
        (["ab", None, "ef"], {"text": "ab - ef"}),
        (["a b", "cd", "ef"], ["a b", "cd", "ef"]),
        (["-", "cd", "ef"], ["-", "cd", "ef"]),
        (["", "c", "d"], ["", "c", "d"]),
        (["a", 1, None], ["a", 1, None]),
        ([(0,)], [(0,)]),
        ([(0,), (0,)], {"runs": [(0,), 2]}),
        (["a", "b", "a", "b"], {"of": ["a", "b"], "at": [0, 1, 0, 1]}),
        ([(0,), (-1, 0), (0,), (-1, 0)], {"of": [(0,), (-1, 0)], "at": [0, 1, 0, 1]}),
    ],
)
def test_a_column(values: list[Any], told: Any) -> None:
    assert column_to_json(values) == told
    assert column_from_json(json.loads(json.dumps(told)), len(values)) == values


cells = st.none() | st.integers(-1, 3) | st.sampled_from(["", "-", "a", "b", "a b", "Huế", "cd"])
columns = st.lists(cells | st.tuples(cells), min_size=1, max_size=12) | st.lists(
    st.text(max_size=2), min_size=1, max_size=9
)


@quick
@given(columns)
def test_any_column_survives(values: list[Any]) -> None:
    told = column_to_json(values)
    assert column_from_json(json.loads(json.dumps(told)), len(values)) == values
    assert column_from_json(told, len(values)) == values


@pytest.mark.parametrize(
    "data",
    [
        [1, 2],
        {"runs": [1, 2]},
        {"runs": [1, 4]},
        {"runs": [1, 3, 2, 0]},
        {"runs": [1, 4, 2, -1]},
        {"runs": [1, 3, 2]},
        {"each": 2, "text": "abcde"},
        {"text": "a b"},
        {"of": [1], "at": [0, 0]},
    ],
)
def test_what_is_no_column_of_three(data: Any) -> None:
    with pytest.raises(ValueError):
        column_from_json(data, 3)


# --- format 2 -------------------------------------------------------------------------------------


def test_the_outline() -> None:
    """What a person finds who opens a commit: what partitions share stands once, the rest side by side."""
    told = {
        key(day): record(
            fingerprint,
            code="2:a:b",
            inputs={"open_meteo": {str(key(day)): digest}},
            answers=(Answer(AT, digest),),
            question=HUE.id,
            values={"no2": 24 if day < 3 else 20, "pm2_5": 24},
        )
        for day, fingerprint, digest in ((1, "aa", "d1"), (2, "bb", "d2"), (3, "cc", "d3"))
    }
    data = Provenance("run-1", "bronze.hours", AT, told, questions={HUE.id: HUE}, by="0.2.0").to_json()
    assert data == {
        "aqi": 2,
        "run": "run-1",
        "asset": "bronze.hours",
        "at": AT,
        "by": "0.2.0",
        "partitions": {
            "keys": [["hue", "2025-08-01", "2025-08-03"]],
            "rows": 24,
            "fp": {"each": 2, "text": "aabbcc"},
            "code": "2:a:b",
            "contract": "k1",
            "question": HUE.id,
            "in": {"open_meteo": {"fp": {"each": 2, "text": "d1d2d3"}}},
            "answers": {
                "digest_in": "open_meteo",
                "count": 1,
                "asked": AT,
                "digest": None,
                "forced": False,
                "hours": None,
            },
            "values": {"no2": [24, 24, 20], "pm2_5": 24},
        },
        "questions": {
            "ids": [HUE.id],
            "source": "open_meteo",
            "domain": "cams_global",
            "variables": [("pm2_5", "no2")],
            "latitude": 16.0,
            "longitude": 107.5,
        },
    }


def test_windows_name_what_they_consulted_once() -> None:
    """An episode consults the day before, its own, and days after; each has one fingerprint."""
    fingerprints = {str(key(day)): f"f{day}" for day in range(6)}

    def window(day: int, *beside: int) -> dict[str, dict[str, str]]:
        consulted = (str(key(day + days)) for days in beside)
        return {"gold.hours": {at: fingerprints[at] for at in consulted}, "gold.dim": {"null": "n"}}

    told = {
        key(1): record(inputs=window(1, -1, 0)),
        key(2): record(inputs=window(2, -1, 0, 1)),
        key(3): record(inputs=window(3, -1, 0)),
        key(4): record(inputs=window(4, -1, 0, 1)),
    }
    provenance = Provenance("run-1", "gold.episodes", AT, told)
    assert provenance.to_json()["partitions"]["in"] == {
        "gold.dim": {"consulted": {"runs": [("null",), 4]}, "keys": ["null"], "fp": "n"},
        "gold.hours": {
            "consulted": {"of": [(-1, 0), (-1, 0, 1)], "at": [0, 1, 0, 1]},
            "keys": [["hue", "2025-07-31", "2025-08-05"]],
            "fp": {"each": 2, "text": "f0f1f2f3f4f5"},
        },
    }
    assert through_json(provenance) == stamped(provenance)


def test_what_does_not_agree_is_spelled_out() -> None:
    told = {key(1): record(inputs={"a": {"null": "x"}}), key(2): record(inputs={"a": {"null": "y"}})}
    provenance = Provenance("run-1", "gold.hours", AT, told)
    assert provenance.to_json()["partitions"]["in"]["a"]["but"] == {"1": {"null": "y"}}
    assert through_json(provenance) == stamped(provenance)


words = st.text(alphabet="abcdef0123456789", min_size=1, max_size=4)
fingerprints = words | st.sampled_from(["absent", "unrecorded", "empty", "f without a,b", "", "-", "Huế", "ff" * 10])
some_keys = st.builds(key, st.integers(1, 9), st.sampled_from(["hanoi", "hcmc", "hue"])) | st.just(NULL_KEY)
odd_keys = st.sampled_from(
    ["", "0", "-1", "2025-08", "2025-08/hue", "2025-08-08", "2025-13-01/hue", "2025-W32-5/hue", "2025-08-08/", "x/y"]
)
consulted = st.dictionaries(some_keys.map(str) | odd_keys, fingerprints, max_size=4)
upstream = st.sampled_from(["open_meteo", "silver.clean", "gold.dim"])
masks = st.none() | st.integers(0, 2**25)
moments = st.sampled_from(["", AT, "2025-08-19T00:00:00Z"])
names = st.sampled_from(["aqi", "pm2_5", "no2", "late"])
records = st.builds(
    PartitionRecord,
    rows=st.integers(0, 10**12),
    fingerprint=fingerprints,
    inputs=st.dictionaries(upstream, consulted, max_size=3),
    code=st.sampled_from(["c1", "2:aa:bb"]),
    contract=st.sampled_from(["k1", "k2"]),
    checks=st.dictionaries(words, st.integers(1, 9), max_size=2),
    as_of=moments,
    also=st.dictionaries(words, fingerprints, max_size=2),
    answers=st.lists(st.builds(Answer, moments, fingerprints, st.booleans(), masks), max_size=3).map(tuple),
    turned_away=st.lists(
        st.builds(TurnedAway, moments, fingerprints, st.integers(0, 99), st.lists(names, max_size=2).map(tuple)),
        max_size=2,
    ).map(tuple),
    question=st.sampled_from(["", "0123456789ab", "q"]),
    values=st.dictionaries(names, st.integers(0, 25), max_size=3),
    check_versions=st.dictionaries(names, words, max_size=2),
)


@st.composite
def regular(draw: st.DrawFn) -> dict[PartitionKey, PartitionRecord]:
    """Records as runs make them: each consulted its own key, and asked for it once."""
    told = {}
    for at in draw(st.lists(some_keys, max_size=12, unique=True)):
        one, digest = draw(records), draw(words)
        inputs = {"open_meteo": {str(at): digest}, "gold.dim": {"null": "n"}}
        told[at] = replace(one, inputs=inputs, answers=(Answer(AT, digest), *one.answers[1:]))
    return told


provenances = st.builds(
    Provenance,
    run_id=words,
    asset=st.just("gold.hours"),
    at=st.just(AT),
    records=st.dictionaries(some_keys, records, max_size=6) | regular(),
    wiped=st.frozensets(some_keys, max_size=5).map(PartitionSet.from_keys),
    questions=st.dictionaries(words, st.sampled_from([HUE, replace(HUE, variables=(), latitude=None)]), max_size=2),
    shapes=st.dictionaries(words, st.sampled_from([Shape((), "r"), Shape((("a", "long", True),), "r")]), max_size=2),
    equal=st.lists(st.builds(Equal, words, st.none() | words, words, words), max_size=2).map(tuple),
    past=st.lists(st.dictionaries(names, words | st.floats(-90, 90) | st.none(), max_size=2), max_size=2).map(tuple),
    columns_of=st.dictionaries(words, words, max_size=2),
    by=st.sampled_from(["", "0.2.0"]),
)


@quick
@given(provenances, st.integers(0, 99))
def test_what_a_commit_says_survives_as_json(provenance: Provenance, version: int) -> None:
    text = dumps(provenance.to_json())
    read = Provenance.from_json(json.loads(text), version)
    assert read == stamped(provenance, version)
    assert dumps(read.to_json()) == text
    assert is_ours(text)
    assert Provenance.from_json(provenance.to_json(), version) == read  # without the way through text


@quick
@given(provenances)
def test_the_order_in_which_records_were_made_does_not_show(provenance: Provenance) -> None:
    backwards = replace(provenance, records=dict(reversed(provenance.records.items())))
    assert dumps(backwards.to_json()) == dumps(provenance.to_json())


def test_what_is_not_known_is_passed_over() -> None:
    """A later version may add what an earlier one of the same format need not know."""
    provenance = Provenance("run-1", "gold.hours", AT, {key(1): record(inputs={"a": {str(key(1)): "x"}})})
    data = json.loads(dumps(provenance.to_json()))
    data["new"] = data["partitions"]["new"] = data["partitions"]["in"]["a"]["new"] = {"x": 1}
    assert Provenance.from_json(data, 7) == stamped(provenance)


def test_equal_parts_are_one_object() -> None:
    """A state may hold a million partitions."""
    told = {
        key(day): record(
            inputs={"gold.dim": {"null": "n"}},
            values={"aqi": 24},
            checks={"late": 1},
            turned_away=(TurnedAway("", "d", 1),),
        )
        for day in range(1, 9)
    }
    read = list(through_json(Provenance("run-1", "gold.hours", AT, told)).records.values())
    for name in ("inputs", "values", "checks", "also", "turned_away", "code", "fingerprint"):
        assert len({id(getattr(one, name)) for one in read}) == 1, name


def test_the_text_of_a_key_is_one_object() -> None:
    told = {key(day): record(inputs={name: {str(key(day)): "x"} for name in ("a", "b")}) for day in (1, 2)}
    read = through_json(Provenance("run-1", "gold.hours", AT, told)).records[key(1)]
    assert next(iter(read.inputs["a"])) is next(iter(read.inputs["b"]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"aqi":2', '"aqi":3'),
        ('"aqi":2', '"aqi":0'),
        ('["hue","2025-08-01","2025-08-02"]', '["hue","2025-08-01","2025-08-03"]'),
        ('["hue","2025-08-01","2025-08-02"]', '["hue","2025-08-01","yesterday"]'),
        ('["hue","2025-08-01","2025-08-02"]', '["hue","2025-08-02","2025-08-01"]'),
        ('["hue","2025-08-01","2025-08-02"]', '["hue","2025-08-01","2025-08-01"],["hue","2025-08-01","2025-08-01"]'),
        ('["hue","2025-08-01","2025-08-02"]', '"2025-08-01/hue","2025-08/hue"'),  # of a scheme that is not known here
        ('["hue","2025-08-01","2025-08-02"]', "7"),
        ('"text":"aabb"', '"text":"aabbcc"'),
        ('"rows"', '"row"'),
        ('"keys"', '"key"'),
        ('"past":[{"a":1}]', '"past":[{"a":[]}]'),
        ('"past":[{"a":1}]', '"past":[7]'),
    ],
)
def test_what_is_damaged_is_not_read(old: str, new: str) -> None:
    provenance = Provenance("run-1", "gold.hours", AT, {key(1): record("aa"), key(2): record("bb")}, past=({"a": 1},))
    text = dumps(provenance.to_json())
    assert old in text
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError, PartitionRangeError)):
        Provenance.from_json(json.loads(text.replace(old, new)), 7)


# --- format 1 -------------------------------------------------------------------------------------


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


def bronze(places: int, days: int) -> Provenance:
    """A commit of a fetched asset: one answer a location, 17 variables, now and then an hour without a value."""
    variables = [f"variable_{number}" for number in range(17)]
    questions = {place: Question("open_meteo", "cams", tuple(variables), place / 7, 105.25) for place in range(places)}
    told = {}
    for place in range(places):
        for day in range(days):
            at, digest = key(day, f"location-{place}"), hexed(32, "digest", place, day)
            told[at] = record(
                hexed(20, place, day),
                inputs={"open_meteo": {str(at): digest}},
                code=f"2:{hexed(16, 'code')}:{hexed(16, place)}",
                answers=(Answer(f"2025-08-20T06:00:{place % 60:02d}Z", digest),),
                question=questions[place].id,
                values={name: 23 if int(hexed(4, name, place, day), 16) % 33 == 0 else 24 for name in variables},
            )
    return Provenance("run-1", "bronze.hours", AT, told, questions={of.id: of for of in questions.values()}, by="0.2.0")


def episodes(places: int, days: int) -> Provenance:
    """A commit of an asset with windows of two or three days."""
    told = {}
    for place in range(places):
        for day in range(days):
            ahead = int(hexed(4, place, day), 16) % 3 == 0
            consulted = {
                str(key(at, f"location-{place}")): hexed(20, place, at) for at in range(day - 1, day + 1 + ahead)
            }
            fingerprint = hexed(20, "e", place, day) if ahead else "empty"
            told[key(day, f"location-{place}")] = record(fingerprint, int(ahead), inputs={"gold.hours": consulted})
    return Provenance("run-1", "gold.episodes", AT, told)


@pytest.mark.parametrize(
    ("provenance", "share"),
    [(bronze(50, 365), 0.4), (episodes(20, 365), 0.3), (bronze(3, 3), 1.2), (episodes(3, 3), 0.6)],
    ids=["bronze, a year of 50 locations", "episodes, a year", "bronze, an hour's run", "few episodes"],
)
def test_it_is_small(provenance: Provenance, share: float) -> None:
    """What is promised is format 1's size plus a fifth, with all that format 1 did not have. It is far less."""
    sizes = [len(dumps(data).encode()) for data in (provenance.to_json(), format_1(provenance))]
    assert sizes[0] <= share * sizes[1], sizes
    assert share <= 1.2
