"""`aqi repair`: which options go together, and what becomes of --wait."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cli_calls import DAILY, Aqi
from tests.support.days_there import with_days


def test_waiting_is_for_a_source_that_is_asked(aqi: Aqi) -> None:
    place, remedy = aqi.refusal("repair", "--wait")
    assert place == "--wait is for a source that is asked, and repair asks none"
    assert remedy == "Leave it out, or add --refetch."


@pytest.mark.parametrize("wait", [True, False])
def test_a_refetch_waits_for_limits_where_it_is_told_to(aqi: Aqi, monkeypatch: pytest.MonkeyPatch, wait: bool) -> None:
    given: list[bool] = []

    def run(*_args: object, wait: bool = False, **_more: object) -> int:
        given.append(wait)
        return 0

    monkeypatch.setattr("orchestration.cli.mending.run_request", run)
    lake: Any = with_days(aqi.folder / "lake", {"hanoi": ["2025-08-01"]})
    done = aqi("repair", DAILY, "--refetch", *["--wait"] * wait, "--yes", AQI_WAREHOUSE__URI=str(lake))
    assert done.exit_code == 0, done.stderr
    assert given == [wait]
