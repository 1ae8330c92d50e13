"""A client whose time passes by sleeping only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from resources.open_meteo.client import OpenMeteoClient
from resources.open_meteo.settings import OpenMeteoSettings
from tests.support.clocks import SleepingClock


@pytest.fixture
def clock() -> SleepingClock:
    return SleepingClock()


@pytest.fixture
def client(clock: SleepingClock) -> Callable[..., OpenMeteoClient]:
    def make(url: str, injected_clock: bool = False, **options: Any) -> OpenMeteoClient:
        options = {"attempts": 3, "read_timeout_seconds": 5.0, "backoff_seconds": 1.0} | options
        return OpenMeteoClient(
            OpenMeteoSettings(base_url=url, **options),
            injected_clock=injected_clock,
            sleep=clock.sleep,
            monotonic=lambda: clock.time,
        )

    return make
