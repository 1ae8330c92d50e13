"""Checks: conditions on the rows of a table, those that an asset declares and those of every table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """A check. One aggregation counts the violations of all checks of a step, for each partition."""

    name: str
    """The name in provenance and reports."""
    blocking: bool
    """Whether a violation fails the partition, which then stays as it was. Otherwise the check only warns."""
    count: Callable[[Any], Any]
    """Takes the parameters; gives the aggregate expression (a Spark Column) that counts the violations."""
    remedy: str = ""
    """What to do where the check is broken."""
    ended_days_only: bool = False
    """Whether the check says nothing about a day that is not over."""


LINEAGE = "lineage"
"""The check that a table is made from the declared tables and columns. It checks the step's query, not its rows."""
NOT_NULL = "not_null"
UNIQUE = "unique"
STANDARD_CHECKS = {
    NOT_NULL: "A column that must not be null is null.",
    UNIQUE: "Two rows have the same key.",
}
"""The blocking checks of every table, with what they say. The engine counts their violations by the contract."""
