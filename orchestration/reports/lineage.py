"""The lineage report: which asset is made from which, from the declarations alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog


def as_json(catalog: Catalog, keys: Sequence[str], code_parts: Mapping[str, str] | None = None) -> dict[str, Any]:
    """``{"assets": [...], "edges": [...]}`` for the assets ``keys``; edges join two of them, with their mapping.

    code_parts: of the assets' code versions, as lines of ``assets/same_rows.yml`` name them.
    """
    parts = code_parts or {}
    return {
        "assets": [_asset(catalog[key]) | ({"code_part": parts[key]} if key in parts else {}) for key in keys],
        "edges": [
            {"upstream": mapping.of, "downstream": key, "mapping": type(mapping).__name__}
            for key in keys
            for mapping in catalog[key].upstream
            if mapping.of in keys
        ],
    }


def _asset(asset: Asset) -> dict[str, Any]:
    return {
        "key": asset.key,
        "layer": asset.layer,
        "description": asset.description.splitlines()[0],
        "source": asset.source,
        "partitions": None
        if asset.partitions is None
        else {"day": asset.partitions.day_column, "location": asset.partitions.location_column},
        "contract": asset.contract,
        "tags": sorted(asset.tags),
        "parameters": list(asset.parameters),
    }


def as_text(catalog: Catalog, keys: Sequence[str]) -> str:
    """A tree from the sources downwards; an asset with several upstream assets stands below its first one, and below
    the others as a reference."""
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
