"""Which history is wanted: a day, or a day by location."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.errors import ConfigurationError
from orchestration.project import load

DAY, LATER = date(2024, 1, 1), date(2025, 6, 1)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (None, {}),
        ("2024-01-01", {"hanoi": DAY, "hcmc": DAY, "danang": DAY}),
        (DAY, {"hanoi": DAY, "hcmc": DAY, "danang": DAY}),
        ({"hanoi": "2024-01-01"}, {"hanoi": DAY}),
        ({"default": LATER, "hanoi": DAY, "hcmc": None}, {"hanoi": DAY, "danang": LATER}),
        ({}, {}),
    ],
)
def test_since(since: Any, expected: dict[str, date]) -> None:
    assert load(environment={}, flags={"history": {"since": since}}).since == expected


def test_nobody_declares_anything_by_himself() -> None:
    assert load(environment={}).since == {}


def test_in_a_file_and_in_the_environment(tmp_path: Path) -> None:
    profile = tmp_path / "p.yml"
    profile.write_text("history: {since: {default: 2024-01-01, hanoi: 2025-06-01}}\n", encoding="utf-8")
    assert load(str(profile), environment={}).since == {"hanoi": LATER, "hcmc": DAY, "danang": DAY}
    assert load(environment={"AQI_HISTORY__SINCE": "2024-01-01"}).since["danang"] == DAY
    assert load(environment={"AQI_HISTORY__SINCE": "{hanoi: 2025-06-01}"}).since == {"hanoi": LATER}


@pytest.mark.parametrize(
    ("since", "message", "remedy"),
    [
        ("2024", "history.since.default: must be a day, for instance 2024-01-01, or null (got '2024')", "Correct"),
        ("last:7", "history.since.default: must be a day, for instance 2024-01-01, or null (got 'last:7')", "Correct"),
        ({"hanoi": "2024-02-30"}, "history.since.hanoi: there is no such day", "Correct"),
        ({"hanoy": "2024-02-03"}, "history.since.hanoy: is no configured location", "Did you mean 'hanoi'?"),
        ({"hanoi": "2025-08-21"}, "history.since.hanoi: 2025-08-21 lies after today (2025-08-20, UTC)", "Name a day"),
        ({"x": "2024-02-03"}, "history.since.x: is no configured location", "Known are default, hanoi, hcmc, danang."),
    ],
)
def test_what_is_refused(since: Any, message: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(environment={}, flags={"history": {"since": since}, "clock": {"now": "2025-08-20T23:30:00Z"}})
    assert message in caught.value.message
    assert caught.value.remedy.startswith(remedy)
