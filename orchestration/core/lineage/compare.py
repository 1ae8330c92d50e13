"""What an asset declares that it is made from, what its function's plan reads, and what runs read for it: compared.

Nothing is claimed of what cannot be read of a plan: it may read what is declared, and columns may come from there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestration.core.lineage.columns import ColumnLineage

REMEDY = "Declare what the function reads and what its columns are made of, or change the function."


@dataclass(frozen=True, slots=True)
class Difference:
    """One table, or one column, on which they do not agree.

    kind: ``undeclared`` is read and not declared; ``unused`` is declared and not read; ``elsewhere`` is a column that
    is made of others than its contract says. of: the table or source, as who reads it calls it; the column.
    sides: who says otherwise than the declaration; of a column, what its contract says and what its plan says.
    """

    asset: str
    kind: Literal["undeclared", "unused", "elsewhere"]
    of: str
    sides: tuple[str, ...]

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
    """Where the three do not agree, by table.

    declared: upstream assets; of a fetched asset its source, and its own table where it keeps rows of that. plan: what
    the function's plan reads (``ColumnLineage.reads``). run: what a run read; None where there was none.
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
    """Where contract and plan do not agree on what a column is made of.

    declared: by column; those that say nothing are left out. What the asset keeps of its own table is not counted.
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
    """Of tables and columns. declared, run: see ``differences``; columns: see ``columns_from_elsewhere``."""
    found: Sequence[Difference] = differences(asset, declared, lineage.reads, run)
    if lineage.unknown:
        found = [one for one in found if one.kind != "unused"]
    return (*found, *columns_from_elsewhere(asset, columns, lineage))


def _named(columns: Columns) -> str:
    return ", ".join(f"{of}.{column}" for of, column in sorted(columns)) or "no column"
