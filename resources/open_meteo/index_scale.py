"""The provider's PM2.5 index: the scales that it has used, and the index of each hour by one of them.

The index of an hour follows from the mean of the 24 hours before it, without the hour itself. The mean is interpolated
between thresholds without truncating, and rounded. The provider computes the index at each request, for all requested
days, by its scale of that moment. So a table whose days were fetched before and after a change has two scales. Seen in
recorded answers: each of 3,096 hours of three locations follows the first scale to within half a point.

Source of the thresholds: the source of the provider's server. Pure; numpy, imported late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOURS_BEFORE = 24
"""An index is that of the mean of so many hours before its own hour."""


@dataclass(frozen=True, slots=True)
class IndexScale:
    """A scale of the PM2.5 index."""

    title: str
    """The name of the scale, for people."""
    thresholds: tuple[tuple[float, float], ...]
    """(mean in µg/m³, index), ascending. The index is linear between two thresholds, and beyond the last one continues
    on the last line."""


UNTIL_JULY_2026 = IndexScale(
    "the scale used until July 2026",
    ((0, 0), (12, 50), (35.5, 100), (55.5, 150), (150.5, 200), (250.5, 300), (350.1, 400), (500.5, 500)),
)
SINCE_JULY_2026 = IndexScale(
    "the scale used since July 2026",
    ((0, 0), (9, 50), (35.5, 100), (55.5, 150), (125.5, 200), (225.5, 300), (325.5, 400), (500, 500)),
)
SINCE_SEPTEMBER_2026 = IndexScale(
    "the scale used since September 2026",
    ((0, 0), (9, 50), (35.5, 100), (55.5, 150), (125.5, 200), (225.5, 300), (500, 500)),
)
SCALES: Mapping[str, IndexScale] = {
    "until_july_2026": UNTIL_JULY_2026,
    "since_july_2026": SINCE_JULY_2026,
    "since_september_2026": SINCE_SEPTEMBER_2026,
}
"""Name → scale, in the order in which the provider used them."""


def index_of(mean: Any, scale: IndexScale) -> NDArray[Any]:
    """The index of means by a scale, not rounded.

    mean: µg/m³, a number or an array of any shape. Returns an array of that shape; NaN where a mean is NaN or below 0.
    """
    import numpy as np

    means = np.asarray(mean, dtype=np.float64)
    at, index = np.array(scale.thresholds, dtype=np.float64).T
    beyond = index[-1] + (means - at[-1]) * (index[-1] - index[-2]) / (at[-1] - at[-2])
    found = np.where(means > at[-1], beyond, np.interp(means, at, index))
    return np.where(means >= 0, found, np.nan)


def indices_of(hourly: Any, scale: IndexScale) -> NDArray[Any]:
    """The index of every hour by a scale, as the provider sends it: whole numbers, as floats.

    hourly: µg/m³ of adjacent hours, NaN where missing. The index is NaN where one of the 24 hours before is missing.
    """
    import numpy as np

    values = np.asarray(hourly, dtype=np.float64)
    means = np.full(len(values), np.nan)
    if len(values) > HOURS_BEFORE:
        means[HOURS_BEFORE:] = np.lib.stride_tricks.sliding_window_view(values[:-1], HOURS_BEFORE).mean(axis=1)
    return np.floor(index_of(means, scale) + 0.5)
