"""Lineage for people: a tree from the sources downwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.engine.workspace import Workspace


def render(workspace: Workspace, keys: Sequence[str]) -> str:
    """A tree from the sources downwards; an asset with several upstream assets stands below its first one, and below
    the others as a reference."""
    catalog = workspace.catalog
    lines: list[str] = []
    seen: set[str] = set()
    roots = [key for key in keys if not any(upstream in keys for upstream in catalog[key].upstream_keys)]

    def draw(key: str, prefix: str, branch: str, mapping: str) -> None:
        asset = catalog[key]
        about = mapping or (f"from {asset.source}" if asset.source else "")
        again = key in seen
        note = " (see above)" if again else f" — {asset.description.splitlines()[0]}"
        lines.append(f"{prefix}{branch}{key}{f' [{about}]' if about else ''}{note}")
        if again:
            return
        seen.add(key)
        below = [child for child in catalog.dag.downstream(key, 1) if child in keys]
        inner = prefix + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
        for number, child in enumerate(below):
            how = next(type(item).__name__ for item in catalog[child].upstream if item.of == key)
            draw(child, inner, "└─ " if number == len(below) - 1 else "├─ ", how)

    for root in roots:
        draw(root, "", "", "")
    return "\n".join(lines) + "\n"
