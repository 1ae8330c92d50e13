"""How provenance is written: nothing is lost, whatever the records are."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.errors import PartitionRangeError
from orchestration.core.state.provenance import Answer, Provenance, TurnedAway, dumps, is_ours
from tests.support.provenances import HUE, provenances, record, stamped, through_json
from tests.support.records import AT, key

quick = settings(max_examples=100, deadline=None)


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
