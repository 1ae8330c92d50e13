"""The frames that a function is given, marked so that its plan tells where they end and its own work begins.

A mark is an alias over a selection of the columns: both engines keep it in their logical plans, through self-joins too,
and neither makes other rows of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_MARK = "__input_"


def marked(frame: DataFrame, number: int, columns: Sequence[str]) -> DataFrame:
    """A frame as the input of this number. columns: all that it has."""
    return frame.select(*columns).alias(f"{_MARK}{number}")


def input_of(alias: str) -> int | None:
    """The number of the input that is marked with an alias; None for an alias of the function's own."""
    number = alias.removeprefix(_MARK)
    return int(number) if number != alias and number.isdecimal() else None
