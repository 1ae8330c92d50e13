"""Runs that another one keeps from the warehouse: they wait within a bound, and say who it is."""

from __future__ import annotations

import time

import pytest

from resources.storage.lock import WarehouseLock
from tests.support.cli_calls import Aqi

WAIT = 0.4


@pytest.mark.costly
@pytest.mark.parametrize("how", [["--hourly"], []])
def test_a_run_waits_and_is_refused_by_the_name_of_the_other(aqi: Aqi, how: list[str]) -> None:
    env = {"AQI_WAREHOUSE__URI": str(aqi.folder / "lake"), "AQI_WAREHOUSE__LOCK_WAIT_SECONDS": str(WAIT)}
    with WarehouseLock(aqi.folder / "lake", "the-backfill", "2025-08-20T05:00:00Z", 0):
        began = time.monotonic()
        result = aqi("materialize", "gold.dim_time", *how, **env)
        assert time.monotonic() - began >= WAIT
    assert result.exit_code == 1
    assert "error: refused: in use by run the-backfill (process " in result.stderr
    assert result.stdout == ""
