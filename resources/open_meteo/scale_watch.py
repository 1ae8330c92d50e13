"""Which of the provider's PM2.5 scales a day follows: the scales that explain its indices by the means of its hours.

A day follows a scale if each of its indices is the scale's index of the mean before the hour, within the half point of
rounding. So it is with all values that the provider sent at one time. Two hours that differ then exclude another scale.
If the next day follows a scale, two more kinds of days can be decided: a day most of whose hours follow a scale, as
with values that were revised since; and a day whose day before is missing, by its last hour, for whose mean only one
hour is unknown. Two adjacent days may follow an unknown scale: they are far from every known scale, and a higher mean
always has a higher index.

For other days every scale is possible: faulty values, values that stand still, other makers of an index. So it is
between 35.5 and 55.5 µg/m³, where the scales do not differ.

Pure; numpy, imported late.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from resources.open_meteo.index_scale import HOURS_BEFORE, SCALES, index_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOURS_A_DAY = 24
MEANS_FROM, MEANS_TO = 2.0, 500.0
"""The range of means (µg/m³) that decide anything. Below it, a point of the index is less than the rounding of
values."""
EXACT, NOT_EXACT, EXACT_HOURS, NOT_EXACT_HOURS = 0.52, 0.6, 12, 2
"""An index follows a scale if it is within EXACT points, and does not if it is off by more than NOT_EXACT. A day
follows a scale with at least EXACT_HOURS known hours; NOT_EXACT_HOURS hours that do not follow exclude a scale."""
REVISED, SHARE_RIGHT, SHARE_WRONG = ((0.75, 1.0), (1.75, 3.0)), 0.75, 0.5
"""For days whose values were revised: (an hour follows a scale within, does not follow it beyond), in points. The
second pair is for days that follow no scale by the first. A day follows a scale that SHARE_RIGHT of its hours follow; a
scale is excluded if SHARE_WRONG of them do not follow it."""
OTHER_FROM, OTHER_HOURS, OTHER_RANGE, OTHER_DROP, OTHER_REPEATED = 3.0, 40, 2.0, 1.5, 0.25
"""Two days follow an unknown scale if OTHER_HOURS of their hours are known and all of these are off every known scale
by more than OTHER_FROM points, their means span OTHER_RANGE µg/m³, a higher mean never has an index lower by more than
OTHER_DROP, and at most OTHER_REPEATED of the values repeat the hour before."""
ALONE, SLACK = 2.0, 1.0
"""For a day whose day before is missing: the unknown hour is at most ALONE times the day's greatest; the last index
must be within SLACK points of the possible ones."""

KNOWN = (1 << len(SCALES)) - 1
OTHER = 1 << len(SCALES)
ANY = KNOWN | OTHER
"""Masks of scales: bit n is number n of ``SCALES``, the next bit an unknown scale."""


def scales_followed(hours: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """For each day the scales that it may follow, as a mask; ANY where nothing can be decided.

    hours: ``pm25`` in µg/m³ and ``aqi_pm25``, arrays (locations, hours) from a midnight on, whole days, NaN where a
    value is missing. Returns an array (locations, days).
    """
    import numpy as np

    values, index = hours["pm25"], hours["aqi_pm25"]
    values = np.where((values >= 0) & np.isfinite(values), values, np.nan)
    index = np.where((index >= 0) & (index <= 500), index, np.nan)
    means = np.full_like(values, np.nan)
    means[:, 1:] = _means(values)[:, :-1]  # of the hours before
    means = np.where((means >= MEANS_FROM) & (means <= MEANS_TO), means, np.nan)
    off = np.stack([np.abs(index - index_of(means, scale)) for scale in SCALES.values()])
    exact = _exactly(off)
    after = np.zeros_like(exact)
    after[:, :-1] = exact[:, 1:]
    revised = _mostly(off, *REVISED[0])
    revised = np.where(revised == 0, _mostly(off, *REVISED[1]), revised)
    found = np.where((exact == 0) & (revised & after > 0), revised, exact)
    alone = (found == 0) & (after > 0) & (_counts(off) == 0)
    found = np.where(alone, _alone(values, index), found)
    found = np.where((found == 0) & _other(off, means, index, values), OTHER, found)
    return np.where(found == 0, ANY, found)


def _means(values: NDArray[Any]) -> NDArray[Any]:
    """For each hour the mean of it and the 23 hours before; NaN where one is missing."""
    import numpy as np

    missing = np.isnan(values)
    total = np.cumsum(np.where(missing, 0.0, values), axis=1)
    count = np.cumsum(~missing, axis=1)
    total[:, HOURS_BEFORE:] = total[:, HOURS_BEFORE:] - total[:, :-HOURS_BEFORE].copy()
    count[:, HOURS_BEFORE:] = count[:, HOURS_BEFORE:] - count[:, :-HOURS_BEFORE].copy()
    return np.where(count == HOURS_BEFORE, total / HOURS_BEFORE, np.nan)


def _days(hours: NDArray[Any]) -> NDArray[Any]:
    """An array (…, hours) as (…, days, hours of the day)."""
    return hours.reshape(*hours.shape[:-1], -1, HOURS_A_DAY)


def _counts(off: NDArray[Any]) -> NDArray[Any]:
    """For each day the number of hours that can be compared with scales."""
    import numpy as np

    counted: NDArray[Any] = _days(~np.isnan(off[0])).sum(axis=-1)
    return counted


def _exactly(off: NDArray[Any]) -> NDArray[Any]:
    """For each day the scales that it may follow, as a mask; 0 where it follows none exactly.

    off: (scales, locations, hours), how far indices are off each scale.
    """
    import numpy as np

    follows = _days(~(off > EXACT)).all(axis=-1)
    not_it = _days(off > NOT_EXACT).sum(axis=-1) >= NOT_EXACT_HOURS
    return np.where(follows.any(axis=0) & (_counts(off) >= EXACT_HOURS), _mask(not_it), 0)


def _mask(not_it: NDArray[Any]) -> NDArray[Any]:
    """Masks of all scales that are not excluded. not_it: (scales, …), which scales are excluded."""
    import numpy as np

    masks: NDArray[Any] = np.zeros(not_it.shape[1:], dtype=np.int64)
    for bit, of in enumerate(not_it):
        masks |= (~of).astype(np.int64) << bit
    return masks


def _mostly(off: NDArray[Any], right: float, wrong: float) -> NDArray[Any]:
    """For each day the scales that it may follow, as a mask; 0 where most of its hours follow none. off: as in
    ``_exactly``.
    """
    import numpy as np

    counted = _counts(off)
    follows = _days(off <= right).sum(axis=-1) >= SHARE_RIGHT * np.maximum(counted, EXACT_HOURS)
    not_it = _days(off > wrong).sum(axis=-1) >= SHARE_WRONG * np.maximum(counted, 1)
    return np.where(follows.any(axis=0), _mask(not_it), 0)


def _other(off: NDArray[Any], means: NDArray[Any], index: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Which days, two adjacent ones together, follow an unknown scale. off: as in ``_exactly``."""
    import numpy as np

    far: NDArray[Any] = np.all(_days(~(off <= OTHER_FROM)), axis=(0, -1))
    counted = _counts(off)
    found: NDArray[Any] = np.zeros(far.shape, dtype=bool)
    pairs = far[:, :-1] & far[:, 1:] & (counted[:, :-1] + counted[:, 1:] >= OTHER_HOURS)
    for at, day in np.argwhere(pairs):
        hours = slice(HOURS_A_DAY * day, HOURS_A_DAY * (day + 2))
        known = ~np.isnan(off[0, at, hours])
        by, had = means[at, hours][known], index[at, hours][known]
        had = had[np.argsort(by, kind="stable")]
        repeated = np.mean(np.diff(values[at, hours]) == 0)
        if (
            repeated <= OTHER_REPEATED
            and np.ptp(by) >= OTHER_RANGE
            and (np.maximum.accumulate(had) - had).max() <= OTHER_DROP
        ):
            found[at, day : day + 2] = True
    return found


def _alone(values: NDArray[Any], index: NDArray[Any]) -> NDArray[Any]:
    """For each day the scales that are possible for its last hour, whatever the value before the day; 0: undecided."""
    import numpy as np

    known, last = _days(values)[..., : HOURS_A_DAY - 1], _days(index)[..., -1]
    low = known.sum(axis=-1) / HOURS_BEFORE
    high = low + ALONE * known.max(axis=-1) / HOURS_BEFORE
    decided = (low >= MEANS_FROM) & (high <= MEANS_TO) & ~np.isnan(last)
    not_it = np.stack(
        [(last < index_of(low, scale) - SLACK) | (last > index_of(high, scale) + SLACK) for scale in SCALES.values()]
    )
    masks = _mask(not_it)
    return np.where(decided & (masks > 0), masks, 0)
