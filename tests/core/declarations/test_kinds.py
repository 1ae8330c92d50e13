"""What an asset may not be declared with: other kinds of things than the decorator takes, and the same name twice."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import pytest

from orchestration.core.declarations.asset import Asset, asset
from orchestration.core.errors import DeclarationError
from orchestration.core.partitions.mappings import Identity
from orchestration.core.partitions.scheme import DailyByLocation

HOURS = Identity("silver.hours")


def takes_hours(hours: Any) -> Any:
    """Text."""


@pytest.mark.parametrize(
    ("declaration", "says", "remedy"),
    [
        ({"contract": Asset}, "contract must be the name of a contract", 'Write contract="Asset".'),
        ({"partitions": "daily"}, "partitions must be a scheme, or left out (got 'daily')", "DailyByLocation()"),
        ({"partitions": DailyByLocation}, "partitions must be a scheme, or left out", "DailyByLocation()"),
        ({"upstream": "silver.hours"}, "upstream must be a list of mappings", 'upstream=[Identity("silver.hours")]'),
        ({"upstream": ["silver.hours"]}, "upstream must be a list of mappings", 'upstream=[Identity("silver.hours")]'),
        ({"upstream": HOURS}, "upstream must be a list of mappings", 'upstream=[Identity("silver.hours")]'),
        ({"upstream": [Identity]}, "upstream must be a list of mappings", 'upstream=[Identity("'),
        ({"upstream": [Identity("hours")]}, "upstream 'hours' must be the key of an asset", "gold.hours"),
        ({"upstream": [Identity("tin.hours")]}, "upstream 'tin.hours' must be the key of an asset", "Layers are"),
        ({"upstream": [Identity("")]}, "upstream '' must be the key of an asset", "Layers are"),
    ],
)
def test_what_is_something_else_is_refused(declaration: dict[str, Any], says: str, remedy: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        asset(**{"layer": "gold", "contract": "C", "upstream": [HOURS], **declaration})(takes_hours)
    assert caught.value.message.startswith(f"asset gold.takes_hours: {says}")
    assert remedy in caught.value.remedy


def _declared_in(scope: dict[str, Any], source: str) -> None:
    exec(compile(source, "facts.py", "exec"), scope)  # noqa: S102


ONE = '@asset(layer="gold", contract="C")\ndef days():\n    """Days."""\n'


def test_a_second_function_of_a_name_is_refused_where_the_first_would_be_lost() -> None:
    with pytest.raises(DeclarationError) as caught:
        _declared_in({"asset": asset}, f"{ONE}\n\n{ONE}")
    assert caught.value.message == "asset gold.days is declared twice: its module has gold.days above it, in line 1"
    assert caught.value.remedy == "Rename one of the two functions."


def test_a_module_that_is_imported_anew_is_none() -> None:
    scope: dict[str, Any] = {"asset": asset}
    _declared_in(scope, ONE)
    _declared_in(scope, ONE)
    assert isinstance(scope["days"], Asset) and isinstance(scope["days"].function, FunctionType)
