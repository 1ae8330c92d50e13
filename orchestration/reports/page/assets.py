"""The page *Assets*: the graph of all assets; and for each asset its contract, columns with their lineage, checks, last
materializations, and commands."""

from __future__ import annotations

from typing import Any

from orchestration.core.declarations.asset import LAYERS
from orchestration.core.lineage.layout import layout
from orchestration.reports.page.asset_facts import of_asset
from orchestration.reports.page.found import Found

TITLE = "Assets"


def facts(found: Found) -> dict[str, Any]:
    """JSON values.

    graph: ``nodes``, ``edges``, ``bands``, ``columns``, ``rows``: see ``core.lineage.layout``.
    sources: source → those of its columns from which something is made.
    assets: in topological order, see ``of_asset``.
    """
    sources: dict[str, set[str]] = {
        str(found.workspace.catalog[key].source): set()
        for key in found.keys
        if found.workspace.catalog[key].source is not None
    }
    for lineage in found.columns.lineages.values():
        for edge in lineage.edges:
            if edge.of in sources:
                sources[edge.of].add(edge.column)
    return {
        "graph": _graph(found, sources),
        "sources": {name: sorted(columns) for name, columns in sources.items()},
        "assets": [of_asset(found, key) for key in found.keys],
    }


def _graph(found: Found, sources: dict[str, set[str]]) -> dict[str, Any]:
    catalog, chosen = found.workspace.catalog, set(found.keys)
    parents: dict[str, list[str]] = {name: [] for name in sources}
    mappings: dict[tuple[str, str], str] = {}
    for key in found.keys:
        asset = catalog[key]
        joined = {mapping.of: type(mapping).__name__ for mapping in asset.upstream if mapping.of in chosen}
        joined |= {} if asset.source is None else {asset.source: "fetched"}
        parents[key] = list(joined)
        mappings |= {(of, key): word for of, word in joined.items()}
    groups = {"source": list(sources)} | {
        layer: [key for key in found.keys if catalog[key].layer == layer] for layer in LAYERS
    }
    groups = {name: nodes for name, nodes in groups.items() if nodes}
    made = layout(parents, list(groups.values()))
    return {
        "nodes": [[node, place.x, round(place.y, 3)] for node, place in made.places.items()],
        "edges": [
            [*edge, mappings[edge], [[point.x, round(point.y, 3)] for point in way]] for edge, way in made.ways.items()
        ],
        "bands": [[name, *band] for name, band in zip(groups, made.bands, strict=True)],
        "columns": made.columns,
        "rows": round(made.rows, 3),
    }
