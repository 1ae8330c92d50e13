"""Column lineage for every format: the assets or the walk that were asked for, and what is recorded of their
columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from orchestration.core.errors import UsageError
from orchestration.core.lineage.branches import limited
from orchestration.core.lineage.query import ColumnQuery
from orchestration.core.lineage.walk import Field, Walk, downstream, field_of, upstream

if TYPE_CHECKING:
    from orchestration.core.declarations.catalog import Catalog
    from orchestration.engine.lineage.recorded import RecordedColumns
    from orchestration.engine.workspace import Workspace

NAMED = 3
"""At most this many assets without recorded lineage are named."""


@dataclass(frozen=True, slots=True)
class ColumnsOfAssets:
    """Every column of the assets ``keys``."""

    catalog: Catalog
    keys: tuple[str, ...]
    recorded: RecordedColumns


@dataclass(frozen=True, slots=True)
class ColumnWalks:
    """The lineage of one column. up, down: the walks that were asked for."""

    start: Field
    catalog: Catalog
    recorded: RecordedColumns
    up: Walk | None = None
    down: Walk | None = None

    @property
    def passed(self) -> tuple[str, ...]:
        """The assets of the walks, in topological order."""
        walks = [walk for walk in (self.up, self.down) if walk is not None]
        of = {self.start.of, *(end.of for walk in walks for hop in walk.hops for end in (hop.source, hop.target))}
        return tuple(asset.key for asset in self.catalog if asset.key in of)


def recorded_of(workspace: Workspace, keys: Sequence[str]) -> RecordedColumns:
    """The recorded columns of the assets ``keys``."""
    from orchestration.engine.lineage.recorded import RecordedColumns, recorded_columns

    found = recorded_columns(workspace, workspace.states(keys))
    return RecordedColumns(
        {key: of for key, of in found.lineages.items() if key in keys},
        found.of_older_code & frozenset(keys),
        tuple(key for key in keys if key not in found.lineages),
    )


def walked(workspace: Workspace, query: ColumnQuery) -> ColumnWalks:
    """The walks from a column. Raises UsageError for an unknown column, with the nearest known one, and if no lineage
    of its asset is recorded."""
    catalog = workspace.catalog
    recorded = recorded_of(workspace, [asset.key for asset in catalog])
    of, _, column = query.column.rpartition(".")
    if of in recorded.lacking:
        _check_contract(workspace, of, column)
        raise UsageError(
            f"nothing is recorded of what the columns of {of} are made from", _sentence(remedy([of], walk_of(query)))
        )
    fetched = [asset.key for asset in workspace.project.fetched if asset.source == of]
    if lacking := [key for key in fetched if key in recorded.lacking]:
        raise UsageError(f"nothing is recorded of what the columns of {of} go into", _sentence(remedy(lacking, "{}+")))
    if of not in catalog and "." in of:
        workspace.select(of)  # says which asset is meant
    start = field_of(query.column, recorded.lineages)
    up = down = None
    if query.up != 0:
        up = limited(upstream(recorded.lineages, start), query.up, down=False)
    if query.down != 0:
        down = limited(downstream(recorded.lineages, start), query.down, down=True)
    return ColumnWalks(start, catalog, recorded, up, down)


def _check_contract(workspace: Workspace, of: str, column: str) -> None:
    names = workspace.contracts[of].column_names
    if column not in names:
        near = get_close_matches(column, names, n=1)
        raise UsageError(
            f"{of} has no column {column!r}", f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(names)}."
        )


def notes(recorded: RecordedColumns, keys: Iterable[str], selection: str = "{}") -> list[str]:
    """Notes on the recorded lineage of the assets ``keys``, a line each. selection: as in ``remedy``."""
    keys = list(keys)
    lines = []
    if lacking := [key for key in keys if key in recorded.lacking]:
        lines.append(f"nothing is recorded of the columns of {_named(lacking)}: {remedy(lacking, selection)}")
    if older := [key for key in keys if key in recorded.of_older_code]:
        lines.append(
            f"what is recorded of the columns of {_named(older)} is of older code than today's: the next step of an "
            "asset records it anew"
        )
    return lines


def walk_of(query: ColumnQuery) -> str:
    """The selection of the assets that a walk from an asset ``{}`` passes."""
    return f"{'+' if query.up != 0 else ''}{{}}{'+' if query.down != 0 else ''}"


def remedy(lacking: Sequence[str], selection: str = "{}") -> str:
    """How to record the missing lineage of these assets. selection: of one of them, with what a walk from it needs."""
    selected = selection.format(lacking[0]) if len(lacking) == 1 else "SELECTION"
    return (
        f"the next step of an asset records them; `aqi materialize {selected} --record-columns` does so where all is "
        "fresh"
    )


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _named(keys: Sequence[str]) -> str:
    more = len(keys) - NAMED
    return ", ".join(keys[:NAMED]) + (f" and {more} more" if more > 0 else "")
