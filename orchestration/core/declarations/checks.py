"""Checks: what an asset declares to be wrong with rows, and what is wrong with rows of every table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """A check whose violations are counted per partition in the step's one aggregation.

    name: what provenance and reports call it.
    blocking: a violation leaves the partition as it was and fails it; otherwise it is a warning.
    count: given the parameters, the aggregate expression (a Spark Column) that counts the violations.
    remedy: what to do when it is broken.
    ended_days_only: the check says nothing of a day that is not over.
    """

    name: str
    blocking: bool
    count: Callable[[Any], Any]
    remedy: str = ""
    ended_days_only: bool = False


LINEAGE = "lineage"
"""The check that a table is made of what is declared, tables and columns; it is made of a step, not of its rows."""
NOT_NULL = "not_null"
UNIQUE = "unique"
STANDARD_CHECKS = {
    NOT_NULL: "A column that must not be null is null.",
    UNIQUE: "Two rows have the same key.",
}
"""Blocking checks of every table, with what they say; the engine counts their violations by the table's contract."""
