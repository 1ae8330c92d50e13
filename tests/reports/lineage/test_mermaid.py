"""Lineage as Mermaid: it is a flowchart line by line, and no name breaks out of its label."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestration.core.lineage.walk import Field, downstream, upstream
from orchestration.core.state.freshness import State
from orchestration.engine.lineage.recorded import RecordedColumns
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from orchestration.reports.lineage.facts.assets import AssetFacts
from orchestration.reports.lineage.facts.columns import ColumnsOfAssets, ColumnWalks
from orchestration.reports.lineage.mermaid import CLASSES, NOTHING, _classes, columns, escaped, render
from tests.support.cli_calls import EPISODE
from tests.support.recorded_columns import LINEAGES

LABEL = r'"[^"]*"'
LINES = {
    "subgraph": re.compile(rf"    subgraph (\w+)\[{LABEL}\]"),
    "end": re.compile(r"    end"),
    "node": re.compile(rf"        (n\d+)\[({LABEL})\]"),
    "edge": re.compile(rf"    (n\d+) (-->|-\.->)(\|{LABEL}\|)? (n\d+)"),
    "classDef": re.compile(r"    classDef (\w+) [a-z0-9:#,\- ]+"),
    "class": re.compile(r"    class (n\d+(?:,n\d+)*) (\w+)"),
}


def parsed(text: str) -> dict[str, list[re.Match[str]]]:
    """The lines of a flowchart by their kind; every one is of one kind, and what it names is there."""
    first, *lines = text.splitlines()
    assert first == "flowchart LR"
    found: dict[str, list[re.Match[str]]] = {kind: [] for kind in LINES}
    for line in lines:
        kind, match = next((kind, match) for kind, of in LINES.items() if (match := of.fullmatch(line)))
        found[kind].append(match)
    nodes = [match[1] for match in found["node"]]
    assert len(nodes) == len(set(nodes))
    assert len({match[1] for match in found["subgraph"]}) == len(found["subgraph"]) == len(found["end"])
    for match in found["edge"]:
        assert {match[1], match[4]} <= set(nodes)
    defined = {match[1] for match in found["classDef"]}
    for match in found["class"]:
        assert set(match[1].split(",")) <= set(nodes)
        assert match[2] in defined
    return found


@pytest.fixture
def workspace(lake: str, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("AQI_CLOCK__NOW", "2025-08-20T06:00:00Z")
    return open_workspace(load(flags={"warehouse": {"uri": lake}}))


def test_assets_by_layer_with_their_states(workspace: Workspace) -> None:
    text = render(workspace, workspace.select("*"))
    found = parsed(text)
    assert re.findall(r'subgraph \w+\["(\w+)"\]', text) == ["sources", "bronze", "silver", "gold"]
    fetched = [asset for asset in workspace.catalog if asset.source is not None]
    assert len(found["node"]) == len(workspace.catalog) + len({asset.source for asset in fetched})
    assert len(found["edge"]) == sum(len(asset.upstream) for asset in workspace.catalog) + len(fetched)
    assert f'["{EPISODE}<br/>3 stale<br/>3 rows"]' in text
    mappings = [type(mapping).__name__ for asset in workspace.catalog for mapping in asset.upstream]
    told = [f'|"{name}"|' for name in mappings if name != "Identity"]
    assert sorted(match[3] for match in found["edge"] if match[3]) == sorted(told) and '|"RunWindow"|' in told
    assert {match[2] for match in found["class"]} == {"unrecorded", "stale", "missing", "fresh"}


def test_nothing_is_there_yet(tmp_path: Path) -> None:
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": str(tmp_path / "none")}}))
    found = parsed(render(workspace, [EPISODE]))
    assert [match[2] for match in found["class"]] == [NOTHING]


def test_every_state_has_a_look_of_its_own(workspace: Workspace) -> None:
    asset = workspace.catalog[EPISODE]
    facts = {f"n{number}": AssetFacts(asset, {state: 1}) for number, state in enumerate(State)}
    assert {line.split()[2] for line in _classes(facts) if line.startswith("    class ")} == set(map(str, State))
    looks = [CLASSES[state] for state in State]
    assert len(set(looks)) == len(looks)
    frames = {re.sub(r"fill:\S+?,|stroke:#\w+,?|color:#000,?", "", look) for look in looks}
    assert len(frames) == len(looks), "told apart without any colour"


def test_a_column_s_walks(workspace: Workspace) -> None:
    start = Field(EPISODE, "dominant_pollutant")
    recorded = RecordedColumns(LINEAGES)
    text = columns(
        ColumnWalks(start, workspace.catalog, recorded, upstream(LINEAGES, start), downstream(LINEAGES, start))
    )
    found = parsed(text)
    assert sorted((match[2], match[3] or "") for match in found["edge"]) == [
        *[("-->", "")] * 3,
        ("-.->", '|"CONDITIONAL"|'),
    ]
    assert re.findall(r'subgraph \w+\["([^"]+)"\]', text) == [
        "open_meteo",
        "bronze.open_meteo_hourly",
        "silver.air_quality_hourly_clean",
        "gold.fact_air_quality_hourly",
        EPISODE,
    ]


def test_columns_of_assets(workspace: Workspace) -> None:
    found = parsed(columns(ColumnsOfAssets(workspace.catalog, (EPISODE, "gold.dim_time"), RecordedColumns(LINEAGES))))
    assert len(found["node"]) == 4, "three columns, one that they come from"
    assert len(found["edge"]) == 2


@pytest.mark.parametrize(
    "name",
    ['a"] --> x["b', "<script>alert(1)</script>", "`md`", "%%{init: {}}%%", "#quot;", "a & b\\", "two\nlines", "end"],
)
def test_no_name_means_anything_in_a_label(name: str) -> None:
    shown = escaped(name)
    assert not set('"<>&%`\\\n#') & set(re.sub(r"#\d+;", "", shown))
    back = re.sub(r"#(\d+);", lambda match: chr(int(match[1])), shown)
    assert back == " ".join(name.split())
