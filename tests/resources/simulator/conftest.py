"""A simulator in good health."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from resources.simulator.server import Simulator
from tests.support.simulated_api import NOW


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    with Simulator(now=lambda: NOW) as running:
        yield running
