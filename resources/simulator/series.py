"""Hourly values of one location, as the simulated API holds them before it writes JSON.

Must not know: where the values come from, nor what becomes of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resources.simulator.us_aqi import Floats

Hours = NDArray[np.int64]
"""Hours since 1970-01-01T00:00Z."""


@dataclass(frozen=True)
class AirSeries:
    """The API's variables of one location at some hours, by their names in the API; NaN for null.

    made_up: whether any of the values are.
    """

    hours: Hours
    values: Mapping[str, Floats]
    made_up: bool = False

    def where(self, keep: NDArray[np.bool_]) -> AirSeries:
        """The hours that ``keep`` (one an hour) chooses."""
        return AirSeries(self.hours[keep], {name: cells[keep] for name, cells in self.values.items()}, self.made_up)
