"""The file of the report: what stands in it is JSON and our own scripts, by digest; nothing leads out of it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path

import pytest

from orchestration.core.errors import UsageError
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from orchestration.reports.output import check_output, write_output
from orchestration.reports.page import lineage_html, render_page
from orchestration.reports.page.found import Found
from orchestration.reports.page.head import head, without_secrets
from orchestration.reports.page.html import in_script
from tests.support.report_lake import MARKUP, report_workspace
from tests.support.river.project import PROJECT as RIVERS

EVIL = "</script><script>alert(1)</script><!-- & \u2028 \u2029 ' \" \\ é 中"


@pytest.fixture
def text(tmp_path: Path) -> str:
    return render_page(workspace := report_workspace(str(tmp_path)), workspace.catalog.keys)


def elements(text: str, name: str) -> list[tuple[str, str]]:
    """Attributes and content."""
    return re.findall(rf"<{name}([^>]*)>(.*?)</{name}>", text, re.DOTALL)


def test_json_in_a_script_is_the_same_and_ends_nothing() -> None:
    text = in_script({"it": [EVIL, 1.5, None, True]})
    assert json.loads(text) == {"it": [EVIL, 1.5, None, True]}
    assert not set("<>&\u2028\u2029") & set(text)
    with pytest.raises(ValueError, match="not JSON compliant"):
        in_script(float("nan"))


def test_only_our_own_style_and_script_may_be_used(text: str) -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    rules = dict(part.split(" ", 1) for part in html.unescape(policy).split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:"
    (script,) = [body for attributes, body in elements(text, "script") if "json" not in attributes]
    ((_, style),) = elements(text, "style")
    for kind, body in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{digest}'"


def test_nothing_leads_out(text: str) -> None:
    outside = [body for attributes, body in elements(text, "script") if "json" in attributes]
    left = text
    for body in outside:
        left = left.replace(body, "")
    addresses = set(re.findall(r"(?:https?:|//)[^\s\"')]+", re.sub(r"^\s*//.*$", "", left, flags=re.MULTILINE)))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.findall(r"@import|url\((?!#)", left)


def test_markup_is_told_as_text(text: str) -> None:
    assert MARKUP not in text
    (facts,) = [body for attributes, body in elements(text, "script") if 'id="facts-head"' in attributes]
    assert json.loads(facts)["locations"]["odd"] == MARKUP


def test_the_first_page_alone(tmp_path: Path) -> None:
    workspace = report_workspace(str(tmp_path))
    text = lineage_html(workspace, ["gold.dim_time"])
    assert re.findall(r'role="tab" id="([^"]+)"', text) == ["tab-assets"]
    (facts,) = [body for attributes, body in elements(text, "script") if "facts-assets" in attributes]
    assert [asset["key"] for asset in json.loads(facts)["assets"]] == ["gold.dim_time"]


def test_of_another_project(tmp_path: Path) -> None:
    """Its own title, assets and sources; what it has not is no tab."""
    settings = RIVERS.load(environment={}, flags={"warehouse": {"uri": str(tmp_path)}})
    workspace = Workspace.open(RIVERS, settings)
    text = render_page(workspace, workspace.catalog.keys)
    assert "<h1>River gauges and the rain at them</h1>" in text
    assert "tab-air" not in text
    (facts,) = [body for attributes, body in elements(text, "script") if "facts-assets" in attributes]
    assert set(json.loads(facts)["sources"]) == {"gauges", "rain_files"}


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("/data/air", "/data/air"),
        ("hdfs://nn:8020/air", "hdfs://nn:8020/air"),
        ("s3://key:secret@bucket/air?token=secret#secret", "s3://bucket/air"),
    ],
)
def test_a_warehouse_is_named_without_secrets(uri: str, told: str) -> None:
    assert without_secrets(uri) == told


def test_the_head_counts_partitions_by_state(tmp_path: Path) -> None:
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": str(tmp_path)}}))
    told = head(Found(workspace, workspace.catalog.keys))
    whole = [asset for asset in workspace.catalog if asset.partitions is None]
    assert (told["assets"], told["partitions"]) == (len(workspace.catalog), {"missing": len(whole)})
    assert told["lacking"] == 0


@pytest.mark.parametrize(
    ("name", "why"), [("nowhere/a.html", "is no folder"), ("folder", "is a folder"), ("file/a.html", "is no folder")]
)
def test_where_nothing_can_be_written(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=why):
        check_output(tmp_path / name)


def test_it_is_written_whole_in_place_of_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new folder" / "a.html"
    assert write_output(str(path), "é") == 2
    assert write_output(path.as_uri().replace("%20", " "), "other") == 5
    assert path.read_text() == "other"

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.pipe_file", full)
    with pytest.raises(OSError, match="no space left"):
        write_output(str(path), "third")
    assert [file.name for file in path.parent.iterdir()] == ["a.html"]
    assert path.read_text() == "other"
