"""Lineage as a Mermaid flowchart for README files and wikis: layers from left to right, states as classes.

A state is shown by a word, by the frame, and by a colour that colour-blind people can distinguish (Okabe and Ito).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from orchestration.core.lineage.kinds import Kind
from orchestration.core.lineage.walk import Field
from orchestration.core.state.freshness import State
from orchestration.reports.lineage.facts.assets import WORST_FIRST, AssetFacts, asset_facts
from orchestration.reports.lineage.facts.columns import ColumnsOfAssets, ColumnWalks

if TYPE_CHECKING:
    from orchestration.core.declarations.catalog import Catalog
    from orchestration.engine.workspace import Workspace

SOURCES = "sources"
NOTHING = "nothing"
CLASSES = {
    State.FRESH: "fill:#d6ebf7,stroke:#0072b2,color:#000",
    State.STALE: "fill:#fdf0cc,stroke:#e69f00,color:#000,stroke-dasharray:6 3",
    State.MISSING: "fill:#fff,stroke:#666,color:#000,stroke-dasharray:2 3",
    State.FAILED: "fill:#f9dcc9,stroke:#d55e00,color:#000,stroke-width:4px",
    State.UNRECORDED: "fill:#f4e0ec,stroke:#cc79a7,color:#000,stroke-width:4px,stroke-dasharray:6 3",
    State.DAMAGED: "fill:#e8c9c9,stroke:#7a1f1f,color:#000,stroke-width:6px,stroke-dasharray:1 3",
    NOTHING: "fill:#fff,stroke:#999,color:#000",
}
_ESCAPED = {character: f"#{ord(character)};" for character in '"#&<>%`\\'}


def render(workspace: Workspace, keys: Sequence[str]) -> str:
    """The assets ``keys`` and their sources. An edge other than ``Identity`` has the name of its mapping."""
    catalog, facts = workspace.catalog, asset_facts(workspace, keys)
    sources = sorted({str(catalog[key].source) for key in keys if catalog[key].source})
    names = _numbered([*(f"{SOURCES}/{name}" for name in sources), *keys])
    layers = {SOURCES: [(names[f"{SOURCES}/{name}"], [name]) for name in sources]} if sources else {}
    for key in keys:
        labels = [key, facts[key].in_words, *([facts[key].rows_in_words] if facts[key].rows is not None else [])]
        layers.setdefault(catalog[key].layer, []).append((names[key], labels))
    lines = ["flowchart LR"]
    below = {catalog[key].layer: 0 for key in keys} | {SOURCES: -1}
    for key in keys:  # a layer comes after the layers of the assets that its assets are made from
        below[catalog[key].layer] = max(below[catalog[key].layer], len(catalog.dag.upstream(key)))
    for layer, nodes in sorted(layers.items(), key=lambda one: below[one[0]]):
        lines += _subgraph(f"layer_{len(lines)}", layer, [_node(name, labels) for name, labels in nodes])
    for key in keys:
        if source := catalog[key].source:
            lines.append(f"    {names[f'{SOURCES}/{source}']} --> {names[key]}")
        for mapping in catalog[key].upstream:
            if mapping.of in keys:
                kind = type(mapping).__name__
                how = "" if kind == "Identity" else f'|"{escaped(kind)}"|'
                lines.append(f"    {names[mapping.of]} -->{how} {names[key]}")
    return "\n".join([*lines, *_classes({names[key]: facts[key] for key in keys})]) + "\n"


def columns(found: ColumnsOfAssets | ColumnWalks) -> str:
    """Columns in a box for their asset. The label of an arrow says how a column is made from another; a dotted arrow is
    an indirect influence."""
    edges: dict[tuple[Field, Field], set[Kind]] = {}
    fields: dict[Field, None] = {}
    if isinstance(found, ColumnWalks):
        fields[found.start] = None
        for walk in (found.up, found.down):
            for hop in () if walk is None else walk.hops:
                edges.setdefault((hop.source, hop.target), set()).add(hop.kind)
    else:
        for key in found.keys:
            lineage = found.recorded.lineages.get(key)
            for name, sources in {} if lineage is None else lineage.columns.items():
                fields[Field(key, name)] = None
                for edge in sources.edges:
                    edges.setdefault((Field(edge.of, edge.column), Field(key, name)), set()).add(edge.kind)
    fields |= dict.fromkeys(field for edge in sorted(edges) for field in edge)
    names = _numbered(map(str, fields))
    lines = ["flowchart LR"]
    for number, of in enumerate(_in_order({field.of for field in fields}, found.catalog)):
        nodes = [_node(names[str(field)], [field.column]) for field in fields if field.of == of]
        lines += _subgraph(f"of_{number}", of, nodes)
    for (source, target), kinds in sorted(edges.items()):
        if source != target:  # an edge from a column to itself (rows that a table keeps) is left out
            direct = any(kind.is_direct for kind in kinds)
            how = ", ".join(kind for kind in Kind if kind in kinds and kind is not Kind.IDENTITY)
            arrow = ("-->" if direct else "-.->") + (f'|"{escaped(how)}"|' if how else "")
            lines.append(f"    {names[str(source)]} {arrow} {names[str(target)]}")
    if isinstance(found, ColumnWalks):
        lines += ["    classDef start fill:#d6ebf7,stroke:#0072b2,color:#000,stroke-width:4px"]
        lines += [f"    class {names[str(found.start)]} start"]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """The text for a label in quotes, without special meaning."""
    return "".join(_ESCAPED.get(character, character) for character in " ".join(text.split()))


def _numbered(names: Iterable[str]) -> dict[str, str]:
    """Name → the name of its node, which is no keyword of Mermaid."""
    return {name: f"n{number}" for number, name in enumerate(dict.fromkeys(names))}


def _node(name: str, lines: Sequence[str]) -> str:
    return f'        {name}["{"<br/>".join(map(escaped, lines))}"]'


def _subgraph(name: str, title: str, nodes: Sequence[str]) -> list[str]:
    return [f'    subgraph {name}["{escaped(title)}"]', *nodes, "    end"]


def _in_order(of: set[str], catalog: Catalog) -> list[str]:
    """First the sources, then the assets from upstream to downstream."""
    assets = [asset.key for asset in catalog if asset.key in of]
    return [*sorted(of - set(assets)), *assets]


def _classes(facts: Mapping[str, AssetFacts]) -> list[str]:
    lines = []
    for state in (*WORST_FIRST, NOTHING):
        if names := [name for name, one in facts.items() if (one.worst or NOTHING) == state]:
            lines += [f"    classDef {state} {CLASSES[state]}", f"    class {','.join(names)} {state}"]
    return lines
