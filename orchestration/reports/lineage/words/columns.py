"""The lineage of columns as lines: for one column a tree of its walk, for assets each column with its sources.

Columns whose values go into a column are plain. Columns that only influence it (OpenLineage's INDIRECT) are dim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from orchestration.core.lineage.branches import Branch, by_source, rows_downstream, rows_upstream, tree_of
from orchestration.core.lineage.columns import Sources
from orchestration.core.lineage.kinds import Kind
from orchestration.core.lineage.walk import Field, Walk
from orchestration.reports.lineage.facts.columns import ColumnsOfAssets, ColumnWalks
from orchestration.reports.lineage.words.ink import in_columns, styled

CONSTANT = "no column: a constant, or a count of rows"
LACKING, OLDER = "nothing recorded", "as of older code"


def walks_in_words(found: ColumnWalks) -> str:
    """``COLUMN``, then a line for each column that it is made from, or that is made from it, and how."""
    parts = []
    if found.up is not None:
        nothing = f"is made of {CONSTANT}" if found.start.of in found.catalog else f"is what {found.start.of} sends"
        parts.append([*_tree(found, tree_of(found.up, down=False), "comes from", nothing)])
        rows = rows_upstream(found.recorded.lineages, found.up)
        parts.append([*_rows("which rows there are is decided by", rows)])
    if found.down is not None:
        parts.append([*_tree(found, tree_of(found.down, down=True), "goes into", "nothing is made of it")])
        rows = rows_downstream(found.recorded.lineages, found.down)
        parts.append([*_rows("has a say in which rows there are", rows)])
        parts.append([*_perhaps(found.down)])
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def columns_in_words(found: ColumnsOfAssets) -> str:
    """Each asset with its columns, and one line for what decides which rows the asset has."""
    return "\n\n".join("\n".join(_asset(found, key)) for key in found.keys) + "\n"


def _asset(found: ColumnsOfAssets, key: str) -> Iterator[str]:
    recorded = found.recorded
    mark = LACKING if key in recorded.lacking else OLDER if key in recorded.of_older_code else ""
    yield styled(key, "bold") + (f"  ({mark})" if mark else "")
    lineage = recorded.lineages.get(key)
    if lineage is None:
        return
    rows = [(f"  {name}", _sources(sources, CONSTANT)) for name, sources in lineage.columns.items()]
    if lineage.rows.edges or lineage.rows.unknown:
        rows.append((styled("  (rows)", "dim"), _sources(lineage.rows, "")))
    yield from in_columns(rows)


def _sources(sources: Sources, nothing: str) -> str:
    """``gold.days.peak, mean AGGREGATION; day GROUP_BY``: columns of one asset that are used in the same way
    together."""
    alike: dict[tuple[str, tuple[Kind, ...]], list[str]] = {}
    for field, kinds in by_source(sources).items():
        alike.setdefault((field.of, kinds), []).append(field.column)
    parts, before = [], ""
    for (of, kinds), columns in alike.items():
        text = f"{'' if of == before else f'{of}.'}{', '.join(columns)} {_kinds(kinds)}"
        parts.append(text if kinds[0].is_direct else styled(text, "dim"))
        before = of
    parts += [styled(f"unknown: {one}", "yellow") for one in sorted(sources.unknown)]
    return "; ".join(parts) or styled(nothing, "dim")


def _rows(title: str, rows: Mapping[str, Sources]) -> Iterator[str]:
    if rows:
        yield styled(f"{title}:", "dim")
        yield from in_columns([(f"  {key}", _sources(sources, "")) for key, sources in rows.items()])


def _perhaps(walk: Walk) -> Iterator[str]:
    """Lines for columns whose sources are partly unknown: they may be made from any column."""
    if walk.unknown:
        yield styled("may go into these as well, of which not all is known:", "dim")
        rows = [
            (f"  {field}", styled(f"unknown: {', '.join(sorted(of))}", "yellow"))
            for field, of in sorted(walk.unknown.items())
        ]
        yield from in_columns(rows)


def _tree(found: ColumnWalks, root: Branch, title: str, nothing: str) -> Iterator[str]:
    yield f"{styled(str(root.field), 'bold')}{_of_record(found, root.field)}  {styled(title, 'dim')}"
    rows: list[tuple[str, str]] = []
    _draw(root, "", rows, lambda field: _of_record(found, field))
    yield from in_columns(rows)
    if not rows:
        yield styled(f"└─ {nothing}", "dim")


def _draw(branch: Branch, prefix: str, rows: list[tuple[str, str]], record: Callable[[Field], str]) -> None:
    lines: list[Branch | str] = [*branch.below, *branch.unknown]
    for number, one in enumerate(lines):
        last = number == len(lines) - 1
        corner = styled(prefix + ("└─ " if last else "├─ "), "dim")
        if isinstance(one, str):
            rows.append((corner + styled(f"unknown: {one}", "yellow"), ""))
            continue
        itself = " (as it was before)" if one.field == branch.field else " (see above)" if one.again else ""
        name = f"{one.field}{itself}{record(one.field)}"
        rows.append((corner + (name if one.is_direct else styled(name, "dim")), _styled(one.kinds)))
        _draw(one, prefix + ("   " if last else "│  "), rows, record)


def _of_record(found: ColumnWalks, field: Field) -> str:
    if field.of in found.recorded.lacking:
        return f" ({LACKING})"
    return f" ({OLDER})" if field.of in found.recorded.of_older_code else ""


def _styled(kinds: tuple[Kind, ...]) -> str:
    words = _kinds(kinds)
    return words if any(kind.is_direct for kind in kinds) else styled(words, "dim")


def _kinds(kinds: tuple[Kind, ...]) -> str:
    return "+".join(kinds)
