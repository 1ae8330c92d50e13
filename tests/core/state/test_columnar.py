"""A column of cells, written shortly: nothing is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.state.columnar import column_from_json, column_to_json

quick = settings(max_examples=100, deadline=None)


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
