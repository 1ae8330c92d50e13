"""JSON of a list in parts is JSON of the list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.reports import json_text
from orchestration.reports.json_text import list_to_json, to_json

scalars = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars, lambda of: st.lists(of, max_size=3) | st.dictionaries(st.text(max_size=5), of, max_size=3), max_leaves=6
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=5), values, max_size=4) | values, max_size=5), st.integers(1, 3))
def test_parts_of_a_list(items: list[Any], at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "AT_ONCE", at_once)
        parts = list(list_to_json(iter(items)))
    assert "".join(parts) == to_json(items)
    assert len(parts) == len(items) // at_once + 1


def test_what_json_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        list(list_to_json([{"rows": float("nan")}]))
