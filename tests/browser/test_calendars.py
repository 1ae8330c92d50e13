"""Calendars of partitions and of the air, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.location import Location
from orchestration.core.state.freshness import NOT_MENDED, State
from orchestration.reports.page.partition_facts import partition_facts
from orchestration.reports.status import StatusGroup
from tests.browser.opened import Open, wait_for, with_facts
from tests.support.cli_calls import DAILY, EPISODE
from tests.support.report_lake import MARKUP
from tests.support.river.tables import CATALOG
from tests.support.schemes import Weeks

BRONZE = "bronze.open_meteo_hourly"


def said(page: Any) -> str:
    text: str = page.locator("#said").text_content()
    return text


def calendar(page: Any, name: str = "") -> Any:
    label = f"[aria-label*='{name}']" if name else ""
    return page.locator(f"main .calendar{label}:visible").first


def chooser(page: Any, name: str) -> Any:
    return page.get_by_role("combobox", name=name)


def over(page: Any, row: int, day: int, act: str = "hover", name: str = "") -> None:
    """Point at a day of a month of 31, or click it."""
    box = calendar(page, name).locator(".picture > svg").bounding_box()
    rows = calendar(page, name).locator(".rows .row").all()
    y = rows[row].bounding_box()
    position = {"x": box["width"] / 31 * (day - 0.5), "y": y["y"] + y["height"] / 2 - box["y"]}
    of = calendar(page, name).locator(".picture > svg")
    (of.hover if act == "hover" else of.click)(position=position, force=True)


def test_the_reason_stands_where_the_pointer_is(opened: Open) -> None:
    page = opened("#partitions")
    over(page, 1, 19)
    tip = page.locator("#page-partitions .tip")
    assert tip.is_visible()
    text = tip.inner_text().splitlines()
    assert text[:2] == [f"2025-08-19/odd ({MARKUP})", "failed"]
    assert "<img src=x onerror=alert(2)>" in text[2]
    over(page, 1, 30)
    assert tip.inner_text().splitlines() == [f"2025-08-30/odd ({MARKUP})", "no partition"]


def test_a_day_opens_by_mouse_with_what_to_do(opened: Open) -> None:
    page = opened(f"#partitions/{EPISODE}")
    over(page, 1, 18, "click")
    details = page.locator("#page-partitions .details").inner_text()
    assert "unrecorded" in details and "changed by somebody else" in details
    assert f"aqi repair {EPISODE} --partitions 2025-08-18" in details


def test_days_by_keyboard(opened: Open) -> None:
    """Arrows go from day to day and from location to location, Page Down into the month after; Enter says more."""
    page = opened(f"#partitions/{BRONZE}/2025-08")
    calendar(page).focus()
    assert said(page).startswith("2025-08-20/hanoi (Hà Nội), ")
    page.keyboard.press("ArrowLeft")
    assert said(page).startswith("2025-08-19/hanoi (Hà Nội), failed, missing; <img")
    page.keyboard.press("ArrowRight")
    assert said(page) == "2025-08-20/hanoi (Hà Nội), no partition"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    assert said(page).startswith(f"2025-08-19/odd ({MARKUP}), failed, ")
    page.keyboard.press("Enter")
    details = page.locator("#page-partitions .details").inner_text()
    assert f"aqi materialize '+{BRONZE}' --partitions 2025-08-19 --locations odd" in details
    page.keyboard.press("PageDown")
    assert said(page).startswith("2025-09-18/odd ")
    assert chooser(page, "Month").input_value() == "9"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    assert said(page).startswith("2025-08-31/odd ")


def test_an_asset_a_year_and_a_month_are_chosen(opened: Open) -> None:
    page = opened("#partitions")
    chooser(page, "Asset").select_option(DAILY)
    wait_for(page, f"partitions/{DAILY}/2025-08")
    assert f"Partitions of {DAILY}, 2025-08" in calendar(page).get_attribute("aria-label")
    chooser(page, "Month").select_option("0")
    wait_for(page, f"partitions/{DAILY}/2025")
    assert calendar(page).locator("svg .name").all_text_contents()[:2] == ["Jan", "Feb"]
    chooser(page, "Asset").select_option("gold.dim_date")
    wait_for(page, "partitions/gold.dim_date/2025")
    assert page.locator("#page-partitions .calendar:visible").count() == 0
    assert "gold.dim_date has no days: it is one partition." in page.locator("#page-partitions .alone").inner_text()


def test_what_is_worst_comes_first_and_leads_to_its_day(opened: Open) -> None:
    page = opened("#partitions")
    states = page.locator("#page-partitions table").first.locator("tbody tr td:first-child").all_inner_texts()
    assert [text.split()[-1] for text in states][:2] == ["failed", "unrecorded"]
    page.locator("#page-partitions table").first.get_by_role("link", name=EPISODE).first.click()
    wait_for(page, f"partitions/{EPISODE}/2025-08-18/odd")
    assert "unrecorded" in page.locator("#page-partitions .told").inner_text()


def test_the_counts_say_what_the_calendar_shows(opened: Open) -> None:
    page = opened("#partitions")
    table = page.get_by_role("region", name="Partitions by asset, state and mark")
    heads = [text.split(maxsplit=1)[-1] for text in table.locator("th").all_inner_texts()]
    row = table.locator("tbody tr", has_text=EPISODE).locator("td").all_inner_texts()
    told = dict(zip(heads, row, strict=True))
    assert (told["fresh"], told["unrecorded"]) == ("17", "1")


@pytest.mark.parametrize("act", ["mouse", "keyboard"])
def test_the_air_of_a_day(opened: Open, act: str) -> None:
    page = opened("#air")
    number = 20 + (18 * 37 + 5 * 11 + 5 * 5) % 190
    if act == "mouse":
        over(page, 0, 18)
        text = page.locator("#page-air .tip").first.inner_text()
    else:
        calendar(page).focus()
        for _ in range(2):
            page.keyboard.press("ArrowLeft")
        text = said(page)
    assert "Hà Nội, Monday 2025-08-18" in text
    assert f"{number}, Unhealthy (U)" in text and "dominant pollutant: pm25" in text
    assert calendar(page).locator("text.short", has_text=str(number)).count() >= 1


def test_a_location_is_chosen_for_its_hours_and_episodes_are_told(opened: Open) -> None:
    page = opened("#air")
    location = chooser(page, "Location")
    assert "Hà Nội, 2025-08" in page.locator("#page-air .sums").inner_text()
    location.select_option(label=MARKUP)
    wait_for(page, "air/odd/2025-08")
    assert f"{MARKUP}, 2025-08" in page.locator("#page-air .sums").inner_text()
    bar = page.locator("#page-air .sum svg").first.get_attribute("aria-label")
    assert bar.startswith("hours: Good ")
    over(page, 0, 12, name="pisodes")
    assert "4 hours, up to" in page.locator("#page-air .tip").last.inner_text()
    rows = page.get_by_role("region", name="The longest episodes").locator("tbody tr")
    assert rows.count() == 15
    going = [row.split("\t")[1:3] for row in rows.all_inner_texts() if "still open" in row]
    assert going == [["2025-08-18 05:00", "4, still open"]] * 3, "which come first; another writer doubled one"
    since = " since 2025-08-18 05:00 UTC"
    assert (
        page.locator("#page-air p", has_text="Still open").inner_text()
        == f"Still open: Hà Nội{since}; {MARKUP}{since}; {MARKUP}{since}."
    )


def test_a_calendar_scrolls_in_its_own_box(opened: Open) -> None:
    page = opened("#partitions", width=390, height=844)
    assert calendar(page).evaluate("box => box.scrollWidth > box.clientWidth")
    calendar(page).focus()
    for _ in range(19):
        page.keyboard.press("ArrowLeft")
    seen: Callable[[str], Any] = partial(calendar(page).locator(".cursor").evaluate)
    assert seen("one => one.getBoundingClientRect().left") > 0


def test_printed_the_calendar_is_whole(opened: Open) -> None:
    page = opened("#partitions")
    page.emulate_media(media="print")
    assert calendar(page).locator("svg path").count() >= 2
    assert not page.locator("#page-partitions .controls").is_visible()


def test_gaps_are_gaps_and_a_week_is_one_partition(opened: Open, report: Path, tmp_path: Path) -> None:
    weekly = replace(CATALOG["gold.daily_levels"], key="gold.weekly", partitions=Weeks())
    monday, location = date(2025, 8, 4), Location("north", "North", 0.0, 0.0, "UTC")
    of = [PartitionKey(monday, "north"), PartitionKey(monday + timedelta(weeks=2), "north")]
    group = StatusGroup("gold.weekly", State.STALE, "upstream changed", (), PartitionSet.from_keys(of), 7)
    facts = partition_facts([weekly], [group], [location], date(2025, 8, 20))
    page = opened("#partitions", file=with_facts(report, tmp_path / "weeks.html", "partitions", facts))
    told = page.locator("#page-partitions .tip")
    for day, lines in {
        3: ["2025-08-03/north (North)", "no partition"],
        10: ["2025-08-04/north (North)", "stale", "upstream changed"],
        17: ["2025-08-17/north (North)", "no partition"],
        18: ["2025-08-18/north (North)", "stale", "upstream changed"],
    }.items():
        over(page, 0, day)
        assert told.inner_text().splitlines() == lines
    assert "stale 2" in page.locator("#page-partitions .legend").inner_text()


def test_what_could_not_be_read_is_named_where_it_would_stand(opened: Open, report: Path, tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"daily": None, "spells": None, "locations": [], "categories": []}
    facts = nothing | {"trouble": ["gold.x cannot be read: <b>"]}
    page = opened("#air", file=with_facts(report, tmp_path / "other.html", "air", facts))
    assert "gold.x cannot be read: <b>" in page.locator("#page-air").inner_text()


def test_a_location_that_others_wrote_is_one_word_of_a_command(opened: Open, report: Path, tmp_path: Path) -> None:
    of = PartitionSet.one(PartitionKey(date(2025, 8, 4), "a'b; $(reboot)"))
    group = StatusGroup("gold.daily_levels", State.STALE, "upstream changed", (), of, 7)
    facts = partition_facts([CATALOG["gold.daily_levels"]], [group], [], date(2025, 8, 20))
    page = opened("#partitions", file=with_facts(report, tmp_path / "others.html", "partitions", facts))
    page.locator("#page-partitions table a").first.click()
    told = page.locator("#page-partitions .details code").first
    assert told.inner_text() == (
        """aqi show gold.daily_levels --partitions 2025-08-04 --locations 'a'"'"'b; $(reboot)'"""
    )


@pytest.mark.parametrize(
    ("state", "why", "command"),
    [
        (State.DAMAGED, "the data file a is gone. `aqi repair {key}` mends it.", "aqi repair {key}"),
        (State.DAMAGED, "its log is gone. `aqi repair {key} --rebuild` makes it anew.", "aqi repair {key} --rebuild"),
        (State.DAMAGED, "it cannot be read (Permission denied). Give this user rights.", ""),
        (State.UNRECORDED, f"{NOT_MENDED}: `aqi repair {{key}}` goes on", "aqi repair {key}"),
        (State.UNRECORDED, "changed by somebody else", "aqi repair {key} --partitions 2025-08-04"),
    ],
)
def test_what_mends_a_partition_is_the_command_that_its_reason_names(
    opened: Open, report: Path, tmp_path: Path, state: State, why: str, command: str
) -> None:
    key, location = "gold.daily_levels", Location("north", "North", 1.0, 2.0, "UTC")
    of = PartitionSet.one(PartitionKey(date(2025, 8, 4), "north"))
    group = StatusGroup(key, state, why.format(key=key), (), of, 7)
    facts = partition_facts([CATALOG[key]], [group], [location], date(2025, 8, 20))
    page = opened("#partitions", file=with_facts(report, tmp_path / "mend.html", "partitions", facts))
    page.locator("#page-partitions table a").first.click()
    told = page.locator("#page-partitions .details code").all_inner_texts()
    show = f"aqi show {key} --partitions 2025-08-04 --locations north"
    assert told == [show, *([command.format(key=key)] if command else [])], "where none mends it, none is named"


def test_days_that_are_not_there_stand_with_the_commands_that_make_them(
    opened: Open, report: Path, tmp_path: Path
) -> None:
    facts = partition_facts([CATALOG["gold.daily_levels"]], [], [], date(2025, 8, 20))
    hole = {"asset": "gold.daily_levels", "location": "north", "since": "2025-08-01", "wanted": 9, "missing": 2}
    facts["holes"] = [hole | {"missing_days": "2025-08-03..2025-08-04", "hole_days": ""}]
    fill = "aqi backfill --start-date 2025-08-03 --end-date 2025-08-04"
    facts["fill"] = ["Wanted (history.since) and not there: <b>. Fill it:", f"  {fill}"]
    page = opened("#partitions", file=with_facts(report, tmp_path / "holes.html", "partitions", facts))
    row = page.get_by_role("region", name="Days that are not there").locator("tbody td").all_inner_texts()
    assert row == ["gold.daily_levels", "north", "2025-08-01", "2025-08-03..2025-08-04", ""]
    assert fill in page.locator("#page-partitions code").all_inner_texts()
    assert "not there: <b>." in page.locator("#page-partitions").inner_text()
    assert opened("#partitions").get_by_role("region", name="Days that are not there").count() == 0
