"""Lineage for programs: assets, and the edges that join two of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orchestration.reports.json_text import to_json

if TYPE_CHECKING:
    from orchestration.core.declarations.asset import Asset
    from orchestration.engine.workspace import Workspace


def render(workspace: Workspace, keys: Sequence[str]) -> str:
    """``{"assets": [...], "edges": [...]}`` for the assets ``keys``; edges join two of them, with their mapping.

    Each asset has its ``code_part``: of its code version, as lines of ``assets/same_rows.yml`` name it.
    """
    catalog = workspace.catalog
    parts = workspace.code_parts(keys)
    found = {
        "assets": [_asset(catalog[key]) | {"code_part": parts[key]} for key in keys],
        "edges": [
            {"upstream": mapping.of, "downstream": key, "mapping": type(mapping).__name__}
            for key in keys
            for mapping in catalog[key].upstream
            if mapping.of in keys
        ],
    }
    return to_json(found) + "\n"


def _asset(asset: Asset) -> dict[str, Any]:
    return {
        "key": asset.key,
        "layer": asset.layer,
        "description": asset.description.splitlines()[0],
        "source": asset.source,
        "partitions": None if asset.partitions is None else asset.partitions.columns._asdict(),
        "contract": asset.contract,
        "tags": sorted(asset.tags),
        "parameters": list(asset.parameters),
    }
