"""The page of runs: the list, the picture of one, numbers over time; by mouse and by keyboard."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from orchestration.reports.page import render_page
from tests.browser.opened import Open, wait_for
from tests.support.measured_runs import keep_measured_runs, run_id
from tests.support.report_lake import MARKUP, report_workspace


@pytest.fixture(scope="module")
def measured(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the same warehouse with runs that were measured."""
    folder = tmp_path_factory.mktemp("measured")
    shutil.copytree(report.parent / "lake", folder / "lake")
    keep_measured_runs(str(folder / "lake"))
    workspace = report_workspace(str(folder / "lake"))
    path = folder / "report.html"
    path.write_text(render_page(workspace, workspace.catalog.keys, ("runs",)), encoding="utf-8")
    return path


def one(page: Any) -> str:
    text: str = page.locator("#page-runs .one").inner_text()
    return text


def test_a_run_of_the_list_opens_with_its_picture(opened: Open, measured: Path) -> None:
    page = opened("#runs", file=measured)
    rows = page.get_by_role("region", name="Runs, the newest first").locator("tbody tr")
    assert [row.locator("td").nth(1).inner_text() for row in rows.all()] == [
        f"* hourly {MARKUP}",
        "hourly 2",
        "hourly 1",
        "hourly 0",
    ]
    rows.nth(2).get_by_role("link").click()
    wait_for(page, f"runs/{run_id(1)}")
    assert "3 written, 0 unchanged · 75 rows" in one(page)
    lanes = page.locator("#page-runs .gantt svg text:not(.dim)").all_text_contents()
    assert [text.partition(" ·")[0] for text in lanes] == [
        "run",
        "fetch",
        "bronze.open_meteo_hourly",
        "gold.fact_city_daily",
        "gold.fact_episode",
    ]


def test_steps_that_ran_at_once_lie_over_each_other(opened: Open, measured: Path) -> None:
    page = opened(f"#runs/{run_id(1)}", file=measured)
    bars = "rects => rects.map(r => [r.querySelector('title').textContent, r.getBoundingClientRect().left])"
    at = dict(page.locator("#page-runs .gantt rect:has(title)").evaluate_all(bars))
    daily = at["compute of gold.fact_city_daily: 1.50 s, from 4.00 s on"]
    episodes = at["compute of gold.fact_episode: 1.50 s, from 4.50 s on"]
    after = at["commit of gold.fact_city_daily: 0.50 s, from 5.50 s on"]
    assert daily < episodes < after


def test_bars_by_keyboard(opened: Open, measured: Path) -> None:
    page = opened(f"#runs/{run_id(0)}", file=measured)
    page.locator("#page-runs .gantt").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    said = page.locator("#said").text_content()
    assert said.startswith("bronze.open_meteo_hourly") and "from 2.00 s on" in said
    page.keyboard.press("ArrowDown")
    assert page.locator("#said").text_content().startswith("gold.fact_city_daily: ")


def test_a_failed_run_names_what_failed_and_says_that_it_has_no_picture(opened: Open, measured: Path) -> None:
    page = opened("#runs", file=measured)
    page.get_by_role("region", name="Runs, the newest first").get_by_role("link").first.focus()
    page.keyboard.press("Enter")
    wait_for(page, "runs/20250819T070000-abcdef")
    text = one(page)
    assert "failed bronze.open_meteo_hourly 2025-08-19 × hanoi, odd: <img src=x onerror=alert(2)>" in text
    assert "it has the pictures of the 3 newest runs that were measured" in text


def test_numbers_over_time_with_lags(opened: Open, measured: Path) -> None:
    page = opened("#runs", file=measured)
    charts = page.locator("#page-runs .chart")
    assert [text.partition(" up to ")[0] for text in charts.locator("figcaption").all_inner_texts()] == [
        "Duration",
        "Rows written",
        "Partitions that failed",
        "Worst lag after a run",
    ]
    assert charts.nth(0).locator(".bar.bad").count() == 1
    assert charts.nth(3).locator("title").all_text_contents() == [
        "2025-08-18 06:00: 1.5 h",
        "2025-08-18 07:00: 2.5 h",
        "2025-08-18 08:00: 3.5 h",
    ]
    charts.nth(0).locator(".bar .fill").nth(1).click()
    wait_for(page, f"runs/{run_id(1)}")
    page.get_by_role("combobox", name="Lag of").select_option("gold.fact_city_daily")
    assert "gold.fact_city_daily" in charts.nth(3).locator("svg").get_attribute("aria-label")


def test_where_no_run_was_measured_that_is_said(opened: Open) -> None:
    assert "no run was measured" in one(opened("#runs"))
