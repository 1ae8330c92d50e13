"""One Chromium and one report for all tests of this folder; a page that notices what it must not do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.opened import Open, Opened

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder have the mark."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Any]:
    """The system's own browser, by its driver; required in CI, elsewhere tests skip without it."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        message = f"there is no Chromium ({', '.join(CHROMIUM)} on PATH); on Debian: apt-get install chromium"
        if os.environ.get("AQI_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a report on a warehouse with something of everything."""
    from orchestration.reports.page import render_page
    from tests.support.report_lake import make_report_lake

    folder = tmp_path_factory.mktemp("report")
    workspace = make_report_lake(str(folder / "lake"))
    path = folder / "report.html"
    path.write_text(render_page(workspace, workspace.catalog.keys), encoding="utf-8")
    return path


@pytest.fixture
def opened(chromium: Any, report: Path) -> Iterator[Open]:
    """Opens the report, at an address in it; at the end nothing was loaded, and nothing was said on the console."""
    pages: list[Opened] = []

    def open_at(
        address: str = "", *, width: int = 1280, height: int = 900, dark: bool = False, file: Path = report
    ) -> Any:
        pages.append(Opened(chromium, file, address, width, height, dark=dark))
        return pages[-1].page

    yield open_at
    for one in pages:
        one.close()
    assert [said for one in pages for said in one.said] == []
    assert [url for one in pages for url in one.asked] == []
