"""Hourly values of one location, in the simulated API before it writes JSON.

Must not know: the origin of the values, and their use.
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
    """The API's variables of one location at some hours."""

    hours: Hours
    values: Mapping[str, Floats]
    """Variable, by its name in the API → a value for each hour; NaN for null."""
    made_up: bool = False
    """Whether any of the values are made up."""

    def where(self, keep: NDArray[np.bool_]) -> AirSeries:
        """The hours that ``keep`` (a boolean for each hour) selects."""
        return AirSeries(self.hours[keep], {name: cells[keep] for name, cells in self.values.items()}, self.made_up)
