"""The client's own pace against the provider's limits, as the simulator counts them: never a 429, whatever fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.core.errors import SourceError, SourceLimited
from orchestration.core.partitions.location import Location
from resources.open_meteo.client import OpenMeteoClient
from resources.open_meteo.requests import Request
from resources.simulator.faults import parse_faults
from resources.simulator.quota import Limits
from resources.simulator.server import Simulator
from tests.support.api_answers import DAY, VARIABLES
from tests.support.clocks import SleepingClock

START = datetime(2025, 10, 13, 10, 59, 40, tzinfo=UTC)
LIMITS = Limits(40, 120, 300)
"""Less than the provider's, so that all three are met by some dozen small requests."""
LOCATIONS = tuple(Location(f"at{number}", "", 10.0 + number, 100.0, "UTC") for number in range(5))


@pytest.mark.costly
@pytest.mark.parametrize(
    "faults",
    [
        "",
        "error:0.2,overload:0.1,timeout:0.1,proxy:0.1,refuse:0.05,wrong_key:0.02",
        "drop:0.1,truncate:0.1,stream_error:0.2,error_in_200:0.1",
    ],
)
def test_no_limit_of_the_provider_is_ever_met(
    client: Callable[..., OpenMeteoClient], clock: SleepingClock, faults: str
) -> None:
    """Requests of 1.7 to 8.5 calls, one after the other; where the client refuses, time passes to the moment named."""
    begin = clock.time

    def now() -> datetime:
        return START + timedelta(seconds=clock.time - begin)

    limits: dict[str, Any] = {f"calls_per_{name}": int(calls) for name, calls in vars(LIMITS).items()}
    waited, answered = 0, 0
    with Simulator(now=now, limits=LIMITS, faults=parse_faults(faults)) as server:
        asks = client(server.url, **limits)
        for number in range(70):
            request = Request(LOCATIONS[: 1 + number * 2 % 5], DAY, DAY, VARIABLES)
            try:
                asks.fetch(request, now)
                answered += 1
            except SourceLimited as error:
                assert error.until is not None
                assert error.until > now()
                clock.time = begin + (error.until - START).total_seconds() + 1
                waited += 1
            except SourceError:
                pass  # the faults
        assert server.requests_served["exceeded"] == 0
        assert server.quota is not None
        assert not faults or server.counted()["faults"]
    assert waited >= 2, "the hour's and the day's limit were met by the client itself"
    assert answered >= 40
