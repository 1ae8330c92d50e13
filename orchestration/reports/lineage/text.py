"""Lineage for people: assets as a tree from sources downwards, with states and rows; columns and partitions as
lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestration.reports.lineage.facts.assets import AssetFacts, asset_facts, moment_in_words
from orchestration.reports.lineage.words.columns import columns_in_words, walks_in_words
from orchestration.reports.lineage.words.ink import in_columns, styled
from orchestration.reports.lineage.words.partition import audit_in_words

if TYPE_CHECKING:
    from orchestration.engine.workspace import Workspace
    from orchestration.reports.lineage.facts.columns import ColumnsOfAssets, ColumnWalks
    from orchestration.reports.lineage.facts.partition import Audited

COLOURS = {
    "fresh": "green",
    "stale": "yellow",
    "missing": "yellow",
    "failed": "red",
    "unrecorded": "red",
    "damaged": "red",
}


def render(workspace: Workspace, keys: Sequence[str]) -> str:
    """A tree from the sources downwards. Beside each asset: its states, rows, last run, and description.

    An asset with several upstream assets is below the first of them, and is a reference below the others. A single
    table
    without partitions also gets its audit: it has only one partition, which need not be named.
    """
    catalog, facts = workspace.catalog, asset_facts(workspace, keys)
    rows: list[tuple[str, ...]] = []
    seen: set[str] = set()
    roots = [key for key in keys if not any(upstream in keys for upstream in catalog[key].upstream_keys)]

    def draw(key: str, prefix: str, branch: str, mapping: str) -> None:
        asset = catalog[key]
        about = mapping or (f"from {asset.source}" if asset.source else "")
        name = f"{styled(prefix + branch, 'dim')}{key}{styled(f' [{about}]' if about else '', 'dim')}"
        if key in seen:
            rows.append((name, "(see above)", "", "", ""))
            return
        seen.add(key)
        rows.append((name, *_cells(facts[key])))
        below = [child for child in catalog.dag.downstream(key, 1) if child in keys]
        inner = prefix + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
        for number, child in enumerate(below):
            how = next(type(item).__name__ for item in catalog[child].upstream if item.of == key)
            draw(child, inner, "└─ " if number == len(below) - 1 else "├─ ", how)

    for root in roots:
        draw(root, "", "", "")
    tree = "\n".join(in_columns(rows, right=(2,))) + "\n"
    if len(keys) == 1 and catalog[keys[0]].partitions is None and facts[keys[0]].last is not None:
        from orchestration.reports.lineage.facts.partition import read_audit

        return f"{tree}\n{audit_in_words(read_audit(workspace, keys, None, ()))}"
    return tree


def columns(found: ColumnsOfAssets | ColumnWalks) -> str:
    """See ``words.columns``."""
    from orchestration.reports.lineage.facts.columns import ColumnWalks

    return walks_in_words(found) if isinstance(found, ColumnWalks) else columns_in_words(found)


def partition(found: Audited) -> str:
    """See ``words.partition``."""
    return audit_in_words(found)


def _cells(facts: AssetFacts) -> tuple[str, str, str, str]:
    worst = facts.worst
    states = styled(facts.in_words, "dim" if worst is None else COLOURS[worst])
    last = "" if facts.last is None else f"{moment_in_words(facts.last.at)} by {facts.last.run_id}"
    return states, facts.rows_in_words, last, styled(f"— {facts.asset.description.splitlines()[0]}", "dim")
