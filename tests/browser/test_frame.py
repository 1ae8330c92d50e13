"""The frame of the report: nothing is loaded, nothing of the data runs; tabs, addresses, light and dark, widths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.opened import Open, Opened, wait_for
from tests.support.report_lake import MARKUP

TABS = ["Assets", "Partitions", "Runs", "The air"]

TOO_WIDE = """width => {
  const scrolls = one => one && one !== document.body
    && (getComputedStyle(one).overflowX !== 'visible' || scrolls(one.parentElement));
  return [...document.querySelectorAll('main *')]
    .filter(one => one.getBoundingClientRect().right > width + 1 && !scrolls(one.parentElement))
    .map(one => one.outerHTML.slice(0, 80));
}"""
"""Elements that reach over the edge, but for what scrolls in its own box."""


def tabs(page: Any) -> list[str]:
    names: list[str] = page.get_by_role("tab").all_inner_texts()
    return names


def chosen(page: Any) -> str:
    name: str = page.locator("[role=tab][aria-selected=true]").inner_text()
    return name


def test_every_page_is_drawn_and_says_nothing_on_the_console(opened: Open) -> None:
    page = opened()
    assert tabs(page) == TABS
    for name in TABS:
        page.get_by_role("tab", name=name).click()
        assert page.get_by_role("tabpanel", name=name).is_visible()
        assert len(page.locator("[role=tabpanel]:visible").all()) == 1
        assert page.get_by_role("tabpanel", name=name).inner_text()


def test_tabs_by_keyboard(opened: Open) -> None:
    page = opened()
    page.get_by_role("tab", name="Assets").focus()
    page.keyboard.press("ArrowLeft")
    assert (chosen(page), page.url.partition("#")[2]) == (TABS[-1], "air")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert chosen(page) == "Partitions"
    page.keyboard.press("End")
    assert chosen(page) == TABS[-1]
    page.go_back()
    page.wait_for_function("document.getElementById('tab-partitions').ariaSelected === 'true'")


def test_a_page_is_found_again_as_it_was_left(opened: Open) -> None:
    page = opened("#assets/gold.fact_episode/peak_aqi")
    page.get_by_role("tab", name="Runs").click()
    page.get_by_role("tab", name="Assets").click()
    wait_for(page, "assets/gold.fact_episode/peak_aqi")
    page.get_by_role("tab", name="Assets").click()
    wait_for(page, "assets")


def test_an_address_of_nothing_leads_to_the_first_page(opened: Open) -> None:
    assert chosen(opened("#nowhere/at/all")) == "Assets"
    assert chosen(opened("#runs")) == "Runs"
    assert "There is no asset nowhere.else" in opened("#assets/nowhere.else").locator("main").inner_text()


def test_markup_in_names_and_messages_is_text(opened: Open, report: Path) -> None:
    """Each page is drawn: what runs would be told by a dialog, an error or a request."""
    text = report.read_text(encoding="utf-8")
    assert MARKUP not in text
    assert "\\u003cscript\\u003ealert(1)" in text
    page = opened("#assets/bronze.open_meteo_hourly")
    for name in TABS:
        page.get_by_role("tab", name=name).click()
    assert page.evaluate("document.scripts.length") == len(TABS) + 2
    assert page.locator("main img, main script").count() == 0
    assert "<img src=x onerror=alert(2)>" in opened("#assets/bronze.open_meteo_hourly").locator("main").inner_text()


def test_what_would_run_or_load_is_noticed_and_refused(chromium: Any, report: Path, tmp_path: Path) -> None:
    """The tests above can fail; and the policy of the file keeps scripts of others from running."""
    bad = tmp_path / "bad.html"
    planted = "<script>alert(1)</script><img src='http://127.0.0.1:9/x.png'></main>"
    bad.write_text(report.read_text(encoding="utf-8").replace("</main>", planted), encoding="utf-8")
    one = Opened(chromium, bad, "", 1280, 900)
    one.close()
    assert len([said for said in one.said if "Content Security Policy" in said]) == 2
    assert "dialog: 1" not in one.said
    assert one.asked == []
    bad.write_text(bad.read_text(encoding="utf-8").replace("Content-Security-Policy", "X-Nothing"), encoding="utf-8")
    two = Opened(chromium, bad, "", 1280, 900)
    two.page.wait_for_load_state()
    two.close()
    assert "dialog: 1" in two.said
    assert two.asked == ["http://127.0.0.1:9/x.png"]


def test_light_and_dark(opened: Open) -> None:
    def ground(page: Any) -> str:
        colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return colour

    light, dark = ground(opened()), ground(opened(dark=True))
    assert light != dark
    page = opened(dark=True)
    page.locator("#theme").click()
    assert (ground(page), page.locator("#theme").inner_text()) == (light, "☀ light")
    page.locator("#theme").click()
    page.locator("#theme").click()
    assert ground(page) == dark


@pytest.mark.parametrize("address", ["", "#assets/gold.fact_city_daily/aqi_daily_max", "#partitions", "#runs", "#air"])
def test_the_page_does_not_scroll_sideways_where_it_is_narrow(opened: Open, address: str) -> None:
    page = opened(address, width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate(TOO_WIDE, 390) == []


def test_what_scrolls_sideways_says_so(opened: Open) -> None:
    """Where it is too wide for the window, and nowhere else; printed it does not scroll."""
    seen = "boxes => boxes.filter(box => box.checkVisibility()).map(box => [box.scrollWidth > box.clientWidth, "
    seen += "box.querySelector('.sideways').checkVisibility()])"
    for width in (390, 1400):
        page = opened("#runs", width=width, height=844)
        page.wait_for_timeout(100)
        found = page.locator("main .scrolls").evaluate_all(seen)
        assert found and [hint for _, hint in found] == [wide for wide, _ in found]
        assert any(wide for wide, _ in found) == (width == 390)
    page = opened("#runs", width=390, height=844)
    page.emulate_media(media="print")
    assert page.locator("main .sideways:visible").count() == 0


def test_printed_it_is_light_and_has_no_buttons(opened: Open) -> None:
    page = opened("#assets/gold.fact_episode", dark=True)
    page.emulate_media(media="print")
    assert not page.get_by_role("tab", name="Runs").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.get_by_role("heading", name="gold.fact_episode").is_visible()
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 with Chromium's margins
    assert page.evaluate("document.documentElement.scrollWidth") == 718
