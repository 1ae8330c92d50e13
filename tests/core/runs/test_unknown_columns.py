"""Which column is not there, from what the engines say: the messages are theirs."""

from __future__ import annotations

import pytest

from orchestration.core.runs.unknown_columns import unknown_column

SUGGESTION = "A column, variable, or function parameter with name"


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ('attribute ObjectName([Identifier("aqiX")]) is missing from the schema: cannot resolve attribute', "aqiX"),
        ('attribute ObjectName([Identifier("t"), Identifier("no2")]) is missing from the schema', "no2"),
        ("[UNRESOLVED_COLUMN] Cannot find column aqiX", "aqiX"),
        (f"[UNRESOLVED_COLUMN.WITH_SUGGESTION] {SUGGESTION} `aqiX` cannot be resolved. Did you mean [`aqi`]", "aqiX"),
        (f"[UNRESOLVED_COLUMN.WITHOUT_SUGGESTION] {SUGGESTION} `t`.`a``b` cannot be resolved.", "a`b"),
        ("[UNRESOLVED_USING_COLUMN_FOR_JOIN] USING column `aqiX` cannot be resolved on the left side", "aqiX"),
        ("[ATTRIBUTE_NOT_SUPPORTED] Attribute `aqiX` is not supported.", "aqiX"),
        ("unknown function: nofunction", ""),
        ("explode should only be called with a list or map", ""),
        ("[UNRESOLVED_ROUTINE] Cannot resolve routine `nofunction` on search path [`system`.`builtin`]", ""),
        ("", ""),
    ],
)
def test_the_column_that_is_not_there(message: str, name: str) -> None:
    assert unknown_column(message) == name
