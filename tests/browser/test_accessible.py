"""No fault that axe-core calls serious or critical: for those who cannot see, point, or tell colours apart."""

from __future__ import annotations

import pytest

from tests.browser.opened import Open

ADDRESSES = ("", "#assets/gold.fact_episode/peak_aqi", "#partitions", "#runs", "#air")


@pytest.mark.parametrize(
    ("width", "dark"),
    [
        pytest.param(1280, False, id="1280-light"),
        pytest.param(390, True, id="390-dark"),
        pytest.param(1280, True, id="1280-dark", marks=pytest.mark.slow),
        pytest.param(390, False, id="390-light", marks=pytest.mark.slow),
    ],
)
def test_no_serious_fault(opened: Open, width: int, dark: bool) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page, faults = opened(width=width, dark=dark), []
    for address in ADDRESSES:
        page.evaluate("address => { location.hash = address }", address)
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        faults += [
            (address, fault["id"], fault["help"], [node["target"] for node in fault["nodes"]][:3])
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]
    assert faults == []
