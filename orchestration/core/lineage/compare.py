"""What an asset declares that it is made from, what its function's plan reads, and what runs read for it: compared."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Difference:
    """One table on which the three do not agree.

    kind: ``undeclared`` is read and not declared; ``unused`` is declared and not read. of: the table or source, as who
    reads it calls it. sides: who says otherwise than the declaration.
    """

    asset: str
    kind: Literal["undeclared", "unused"]
    of: str
    sides: tuple[str, ...]

    def __str__(self) -> str:
        says = " and ".join(self.sides)
        if self.kind == "undeclared":
            return f"{self.asset} reads {self.of}, says {says}, and does not declare it"
        return f"{self.asset} declares {self.of}, which is never read, says {says}"


def differences(
    asset: str, declared: Collection[str], plan: Collection[str], run: Collection[str] | None = None
) -> tuple[Difference, ...]:
    """Where the three do not agree, by table.

    declared: upstream assets; of a fetched asset its source, and its own table, of which it keeps rows. plan: what the
    function's plan reads (``ColumnLineage.reads``). run: what a run read; None where there was none.
    """
    said = {"its plan": plan} if run is None else {"its plan": plan, "the run": run}
    found = []
    for of in sorted({*declared, *(name for reads in said.values() for name in reads)}):
        is_declared = of in declared
        others = tuple(who for who, reads in said.items() if (of in reads) != is_declared)
        if others:
            found.append(Difference(asset, "unused" if is_declared else "undeclared", of, others))
    return tuple(found)
