"""Compares three things: from what an asset declares to be made, what the query plan of its function reads, and what
runs read.

Where a plan cannot be read, no difference is claimed: that part may read what is declared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestration.core.lineage.columns import ColumnLineage

REMEDY = "Declare what the function reads and what its columns are made of, or change the function."


@dataclass(frozen=True, slots=True)
class Difference:
    """A table or a column in which they differ."""

    asset: str
    kind: Literal["undeclared", "unused", "elsewhere"]
    """``undeclared``: read but not declared. ``unused``: declared but not read. ``elsewhere``: the column is made from
    other columns than its contract says."""
    of: str
    """The table or source, or the column."""
    sides: tuple[str, ...]
    """For a table: which of plan and run differ from the declaration. For a column: what the contract says, and what
    the plan says."""

    def __str__(self) -> str:
        if self.kind == "elsewhere":
            declared, made = self.sides
            return f"{self.asset}.{self.of} is made of {declared}, says its contract, and of {made}, says its plan"
        says = " and ".join(self.sides)
        if self.kind == "undeclared":
            return f"{self.asset} reads {self.of}, says {says}, and does not declare it"
        return f"{self.asset} declares {self.of}, which is never read, says {says}"


def differences(
    asset: str, declared: Collection[str], plan: Collection[str], run: Collection[str] | None = None
) -> tuple[Difference, ...]:
    """The tables in which declaration, plan and run differ.

    declared: the upstream assets; for a fetched asset its source, and its own table if it keeps hours. plan: what the
    function's plan reads (``ColumnLineage.reads``). run: what a run read; None where there was no run.
    """
    said = {"its plan": plan} if run is None else {"its plan": plan, "the run": run}
    found = []
    for of in sorted({*declared, *(name for reads in said.values() for name in reads)}):
        is_declared = of in declared
        others = tuple(who for who, reads in said.items() if (of in reads) != is_declared)
        if others:
            found.append(Difference(asset, "unused" if is_declared else "undeclared", of, others))
    return tuple(found)


Columns = Collection[tuple[str, str]]
"""Columns of assets or sources."""


def columns_from_elsewhere(
    asset: str, declared: Mapping[str, Columns], lineage: ColumnLineage
) -> tuple[Difference, ...]:
    """The columns in which contract and plan differ.

    declared: column → the columns from which its contract says it is made; columns without declaration are left out.
    What the asset keeps from its own table does not count.
    """
    found = []
    for column, sources in lineage.columns.items():
        if column not in declared or sources.unknown:
            continue
        made = {one for one in sources.made_of if one[0] != asset}
        if made != set(declared[column]):
            found.append(Difference(asset, "elsewhere", column, (_named(declared[column]), _named(made))))
    return tuple(found)


def all_differences(
    asset: str,
    declared: Collection[str],
    columns: Mapping[str, Columns],
    lineage: ColumnLineage,
    run: Collection[str] | None = None,
) -> tuple[Difference, ...]:
    """The differences in tables and in columns. declared, run: see ``differences``. columns: see
    ``columns_from_elsewhere``."""
    found: Sequence[Difference] = differences(asset, declared, lineage.reads, run)
    if lineage.unknown:
        found = [one for one in found if one.kind != "unused"]
    return (*found, *columns_from_elsewhere(asset, columns, lineage))


def _named(columns: Columns) -> str:
    return ", ".join(f"{of}.{column}" for of, column in sorted(columns)) or "no column"
