"""Marks the frames that a function is given, so that in its plan it shows where its own work begins.

A mark is an alias over a selection of the columns. Both engines keep it in their plans, also through self-joins, and it
changes no rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_MARK = "__input_"


def marked(frame: DataFrame, number: int, columns: Sequence[str]) -> DataFrame:
    """The frame, marked with a number. columns: all its columns."""
    return frame.select(*columns).alias(f"{_MARK}{number}")


def input_of(alias: str) -> int | None:
    """The number of a mark's alias; None for an alias of the function's own."""
    number = alias.removeprefix(_MARK)
    return int(number) if number != alias and number.isdecimal() else None
