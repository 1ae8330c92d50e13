"""The page of assets: the graph by mouse and by keyboard, what opens, and columns that light up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestration.project import load, open_workspace
from orchestration.reports.page import lineage_html, render_page
from tests.browser.opened import Open, facts_of, wait_for, with_facts
from tests.support.cli_calls import DAILY, EPISODE
from tests.support.many_assets import many_tables
from tests.support.report_lake import LACKING, NOW, OLDER

HOURS, CLEAN, BRONZE = "gold.fact_air_quality_hourly", "silver.air_quality_hourly_clean", "bronze.open_meteo_hourly"

OVERLAPS = """() => {
  const box = one => one.querySelector('.box').getBoundingClientRect();
  const nodes = [...document.querySelectorAll('.graph .node')];
  const over = nodes.flatMap((one, at) => nodes.slice(at + 1).filter(other => {
    const [a, b] = [box(one), box(other)];
    return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  }).map(other => [one.dataset.node, other.dataset.node]));
  const wide = nodes.filter(one => [...one.querySelectorAll('text')].some(
    text => text.getBoundingClientRect().right > box(one).right));
  return [...over, ...wide.map(one => one.dataset.node)];
}"""
"""Nodes that lie over each other, and those whose text is wider than they are."""


def node(page: Any, name: str) -> Any:
    return page.locator(f".graph [data-node='{name}']")


def lit(page: Any, kind: str) -> list[str]:
    found = f"[...document.querySelectorAll('.graph .node.{kind}')].map(one => one.dataset.node)"
    names: list[str] = page.evaluate(found)
    return sorted(names)


def test_the_graph_has_every_asset_once_from_left_to_right(opened: Open) -> None:
    page = opened()
    left = {name: node(page, name).bounding_box()["x"] for name in ("open_meteo", BRONZE, CLEAN, HOURS, EPISODE)}
    assert sorted(left, key=left.__getitem__) == list(left)
    assert page.locator(".graph a.node").count() == 11
    assert page.evaluate(OVERLAPS) == []


def test_a_location_that_has_nothing_is_told_within_the_node(opened: Open, report: Path, tmp_path: Path) -> None:
    """And on the page of partitions, one that is no longer configured is told once."""
    location = {"latitude": 1.0, "longitude": 2.0, "timezone": "Asia/Ho_Chi_Minh"}
    locations = [{"key": "hanoi", "name": "Hà Nội", **location}, {"key": "new", "name": "New", **location}]
    flags = {"warehouse": {"uri": str(report.parent / "lake")}, "locations": locations, "clock": {"now": NOW}}
    workspace = open_workspace(load(environment={}, flags=flags))
    file = tmp_path / "other.html"
    file.write_text(render_page(workspace, workspace.catalog.keys), encoding="utf-8")
    page = opened(file=file)
    assert "a location has none (≤ 3 h)" in node(page, DAILY).text_content()
    assert page.evaluate(OVERLAPS) == []
    page.get_by_role("tab", name="Partitions").click()
    whys = page.locator("#page-partitions table").first.locator("td:nth-child(3)").all_inner_texts()
    assert "no longer configured" in whys
    assert "no longer configured; no longer configured" not in whys


def test_states_are_told_by_mark_and_word(opened: Open) -> None:
    page = opened()
    assert "● 18 fresh" in node(page, CLEAN).text_content() or "● 18" in node(page, CLEAN).text_content()
    assert "failed" in node(page, BRONZE).get_attribute("aria-label")
    assert "✕" in node(page, BRONZE).text_content()
    assert "1 unrecorded" in node(page, EPISODE).get_attribute("aria-label")


def test_an_asset_opens_by_mouse(opened: Open) -> None:
    page = opened()
    node(page, EPISODE).click()
    wait_for(page, f"assets/{EPISODE}")
    text = page.locator(".open").inner_text()
    for wanted in (
        "Runs of adjacent hours",
        "Columns",
        "peak_aqi",
        "Contract",
        "Checks",
        "outside_calendar",
        "Last materializations",
        f"aqi show {EPISODE} --partitions 2025-08-18",
        "aqi materialize",
    ):
        assert wanted in text, wanted
    assert lit(page, "chosen") == [EPISODE]
    assert lit(page, "above") == sorted([BRONZE, CLEAN, HOURS, "open_meteo"])
    page.get_by_role("link", name=f"Close {EPISODE}").click()
    wait_for(page, "assets")
    assert lit(page, "chosen") == []


def test_a_column_lights_up_what_it_is_made_of_and_what_is_made_of_it(opened: Open) -> None:
    page = opened(f"#assets/{EPISODE}")
    page.locator(".open table").get_by_role("link", name="peak_aqi", exact=True).click()
    wait_for(page, f"assets/{EPISODE}/peak_aqi")
    assert lit(page, "above") == sorted([BRONZE, CLEAN, HOURS, "open_meteo"])
    assert "↑ 2 columns" in node(page, HOURS).text_content()
    said = page.locator(".lineage").inner_text()
    assert "aqi aggregated" in said
    assert "ts_utc decides: window" in said
    assert "sent_aqi aggregated" in said
    page.locator(".lineage").get_by_role("link", name="aqi", exact=True).first.click()
    wait_for(page, f"assets/{HOURS}/aqi")
    assert lit(page, "below") == [EPISODE]
    assert "peak_aqi aggregated" in page.locator(".lineage").inner_text()


def test_the_graph_by_keyboard(opened: Open) -> None:
    page = opened()
    page.locator(".graph [tabindex='0']").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    focused = page.evaluate("document.activeElement.dataset.node")
    assert focused == HOURS
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.node").startswith("gold.dim_")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    wait_for(page, f"assets/{HOURS}")
    assert page.get_by_role("heading", name=HOURS, exact=True).is_visible()
    assert page.evaluate("document.activeElement.tagName") == "H2"
    page.keyboard.press("Escape")
    wait_for(page, "assets")
    assert page.evaluate("document.activeElement.dataset.node") == HOURS


def test_the_asset_that_is_named_is_found(opened: Open) -> None:
    page = opened()
    page.get_by_label("Open an asset").fill(DAILY)
    page.keyboard.press("Enter")
    assert page.get_by_role("heading", name=DAILY, exact=True).is_visible()


def test_columns_that_are_not_recorded_or_of_older_code_are_said_with_how_to_get_them(opened: Open) -> None:
    page = opened()
    for key, word in ((LACKING, "Not recorded"), (OLDER, "Of older code")):
        node(page, key).click()
        wait_for(page, f"assets/{key}")
        text = page.locator(".open .note").inner_text()
        assert word in text
        assert f"aqi materialize {key} --record-columns" in text


def test_a_command_is_copied(opened: Open) -> None:
    page = opened(f"#assets/{EPISODE}")
    page.evaluate("navigator.clipboard.writeText = async text => { document.title = text }")
    page.get_by_role("button", name=f"Copy: aqi show {EPISODE}").click()
    page.wait_for_function("document.getElementById('said').textContent === 'copied'")
    assert page.title().startswith(f"aqi show {EPISODE}")


def test_a_source_says_which_of_its_columns_are_used(opened: Open) -> None:
    page = opened()
    node(page, "open_meteo").click()
    page.get_by_role("link", name="sent_aqi", exact=True).click()
    wait_for(page, "assets/open_meteo/sent_aqi")
    assert EPISODE in lit(page, "below")


def test_two_hundred_assets_can_be_read(opened: Open, tmp_path: Path) -> None:
    """No box lies over another, no text reaches over its box, and it is there at once."""
    workspace = many_tables(str(tmp_path / "w"))
    file = tmp_path / "many.html"
    file.write_text(lineage_html(workspace, workspace.catalog.keys), encoding="utf-8")
    page = opened(file=file)
    assert page.locator(".graph a.node").count() == 200
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate("performance.timing.domComplete - performance.timing.navigationStart") < 2_000
    page.get_by_role("button", name="Overview").click()
    assert page.evaluate("(box => box.scrollWidth <= box.clientWidth)(document.querySelector('.graph'))")


def test_what_could_not_be_read_of_a_plan_is_said_and_not_taken_for_a_constant(
    opened: Open, report: Path, tmp_path: Path
) -> None:
    facts = facts_of(report, "assets")
    hours = next(asset for asset in facts["assets"] if asset["key"] == HOURS)
    aqi = next(column for column in hours["columns"] if column[0] == "aqi")
    hours["unknown"], aqi[5], aqi[6] = ["Expand"], [], ["PythonUDF"]
    file = with_facts(report, tmp_path / "unread.html", "assets", facts)
    page = opened(f"#assets/{HOURS}/aqi", file=file)
    text = page.locator(".open .lineage").inner_text()
    assert "It could not be read where it comes from." in text
    assert f"Not all is known of where {HOURS}.aqi comes from: PythonUDF" in text
    assert "From no column" not in text
    page.get_by_text("What decides which rows there are").click()
    assert "unknown: Expand" in page.locator(".open details").inner_text()
    page = opened(f"#assets/{EPISODE}/peak_aqi", file=file)
    assert f"where {HOURS}.aqi comes from: PythonUDF" in page.locator(".open .lineage").inner_text()
    page = opened(f"#assets/{CLEAN}/aqi", file=file)
    assert f"It may go into what could not be read, too: {HOURS}.aqi" in page.locator(".open .lineage").inner_text()
