"""A long run by hand, and the hourly run beside it: it waits within a bound, and is no incident then."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.core.alerts.incidents import Observation, ServerView
from orchestration.core.alerts.watch_state import WatchState
from resources.storage.lock import WarehouseLock
from tests.service.prefect.conftest import PrefectServer
from tests.support.ended_runs import NOW, cancelled, fold

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(120)]
WAIT = 0.5


@pytest.fixture
def profile(prefect_server: PrefectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a warehouse that a backfill holds; the provider does not answer."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    monkeypatch.setenv("AQI_WORKER_FOLDER", str(tmp_path))
    file = tmp_path / "profile.yml"
    uri = str(tmp_path / "warehouse")
    values = {
        "warehouse": {"uri": uri, "lock_wait_seconds": WAIT},
        "open_meteo": {"base_url": "http://127.0.0.1:9", "attempts": 1},
    }
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    here = Path.cwd()
    served = temporary_settings({PREFECT_API_URL: prefect_server.api_url})
    with served, WarehouseLock(Path(uri), "the-backfill", "2025-08-20T06:00:00Z", 0):
        yield str(file)
    os.chdir(here)


def state_of(**parameters: Any) -> Any:
    from orchestration.service import flows

    return flows.materialize(**{"selection": "gold.dim_time", **parameters}, return_state=True)  # type: ignore[call-overload]


def test_an_hourly_run_waits_and_is_cancelled_by_the_name_of_the_other(profile: str) -> None:
    began = time.monotonic()
    state = state_of(hourly=True, profile=profile)
    assert WAIT <= time.monotonic() - began < 60
    assert state.type.value == "CANCELLED", state.message
    assert state.message.startswith("refused: in use by run the-backfill (process ")


def test_a_run_that_somebody_asked_for_is_cancelled_too(profile: str) -> None:
    state = state_of(selection="*", partitions="2025-08-19", profile=profile)
    assert state.type.value == "CANCELLED"  # that is no failure; who asked reads the message
    assert state.message.startswith("refused: in use by run the-backfill (process ")


def test_it_is_no_incident() -> None:
    seen = Observation(NOW, ServerView(frozenset({"materialize/aqi-hourly"}), (cancelled(1), cancelled(2))))
    state, messages = fold(seen, state=WatchState.begin(NOW))
    assert not state.incidents and not messages
