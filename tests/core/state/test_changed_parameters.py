"""Why rows of another code version are behind, with the values that changed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.json_value import JsonValue
from orchestration.core.state.changed_parameters import Settings, changed_values, why_behind

THEN: Settings = {
    "mappings": [["run", "gold.days", {}, 151]],
    "parameters": {
        "rule": {"code": ">=151", "threshold": 151, "min_hours": 4},
        "locations": [{"key": "alder", "latitude": 1.5}],
        "row_rules": [
            {"rule": "high", "kind": "above", "column": "level", "bound": 5000.0},
            {"rule": "high", "kind": "above", "column": "rain", "bound": 10.0},
        ],
        "domain": "auto",
    },
}


def now(**parameters: JsonValue) -> Settings:
    before = THEN["parameters"]
    assert isinstance(before, dict)
    return {**THEN, "parameters": {**before, **parameters}}


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        (
            {"rule": {"code": ">=201", "threshold": 201, "min_hours": 4}},
            ["rule.threshold 151 → 201", "rule.code >=151 → >=201"],
        ),
        ({"locations": [{"key": "alder", "latitude": 1.75}]}, ["locations.alder.latitude 1.5 → 1.75"]),
        ({"locations": [{"key": "birch", "latitude": 1.5}]}, ["locations: alder is gone", "locations: birch is new"]),
        ({"domain": None}, ["domain auto → none"]),
        (
            {"row_rules": [{"rule": "high", "kind": "above", "column": "level", "bound": 4000.0}]},
            ["row_rules.high above level.bound 5000 → 4000", "row_rules: high above rain is gone"],
        ),
        ({}, []),
    ],
)
def test_what_changed(parameters: dict[str, JsonValue], told: list[str]) -> None:
    assert changed_values(THEN, now(**parameters)) == told


def test_a_mapping_that_changed() -> None:
    assert changed_values(THEN, {**THEN, "mappings": []}) == ["how it reads its upstream tables"]


def test_a_parameter_that_the_code_reads_no_more_is_its_codes_change() -> None:
    assert changed_values(THEN, {**THEN, "parameters": {"domain": "auto"}}) == []


CHANGED = now(rule={"code": ">=151", "threshold": 201, "min_hours": 4})


@pytest.mark.parametrize(
    ("same_code", "same_settings", "then", "told"),
    [
        (True, False, THEN, "its parameters changed: rule.threshold 151 → 201"),
        (True, False, None, "its parameters changed"),
        (False, False, THEN, "its code changed, and its parameters: rule.threshold 151 → 201"),
        (False, False, None, "its code changed, and its parameters"),
        (False, True, THEN, "its code changed"),
        (True, True, THEN, "its code or parameters changed"),
    ],
)
def test_why(same_code: bool, same_settings: bool, then: Settings | None, told: str) -> None:
    assert why_behind(same_code=same_code, same_settings=same_settings, then=then, now=CHANGED) == told


def test_many_values_are_counted() -> None:
    then: Settings = {"parameters": {"a": dict.fromkeys("abcdef", 1)}}
    after: Settings = {"parameters": {"a": dict.fromkeys("abcdef", 2)}}
    assert why_behind(same_code=True, same_settings=False, then=then, now=after) == (
        "its parameters changed: a.a 1 → 2, a.b 1 → 2, a.c 1 → 2 and 3 more"
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abk"), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50)
@given(VALUES, VALUES)
def test_whatever_values_are_they_are_told(then: JsonValue, after: JsonValue) -> None:
    """A change is told, what is equal is not; lists of equal names may hide one."""
    told = changed_values({"parameters": {"p": then}}, {"parameters": {"p": after}})
    assert not told if then == after else all(text.startswith("p") for text in told)


@given(st.integers(), st.integers())
def test_a_number_that_changed_is_told(then: int, after: int) -> None:
    told = changed_values({"parameters": {"p": {"q": then}}}, {"parameters": {"p": {"q": after}}})
    assert told == ([] if then == after else [f"p.q {then} → {after}"])
