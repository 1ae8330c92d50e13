"""Which of the provider's PM2.5 scales the hours of a day follow: by which of them their index is that of their means.

A day follows a scale by which every hour comes out right, to within the half point of rounding, as all that the
provider sent at once do; another is then ruled out by two hours. Where there is none, as with values that were revised
since, or of a maker that truncates, by which most hours come out nearly right; others are then ruled out by half of the
hours, clearly. Where nothing can be told every scale is possible: between 35.5 and 55.5 µg/m³ they do not differ.

A day that stands alone, without the day before, is told by its last hour, of whose mean one hour is unknown.

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
"""Means (µg/m³) that tell anything: below, a point of the index is less than what values are rounded to."""
EXACT, NOT_EXACT, EXACT_HOURS, NOT_EXACT_HOURS = 0.52, 0.6, 12, 2
"""So near is exact, in points of the index; so far, in so many hours, is not. Of so many hours at least."""
TIERS = ((0.75, 1.0), (1.75, 3.0))
"""(so near is nearly right, so far is wrong), in points of the index; the second where nothing is by the first."""
SHARE_RIGHT, SHARE_WRONG = 0.75, 0.5
HOURS_TOLD = 6
"""So many hours of a day must be checked."""
OTHER_FROM, OTHER_HOURS, OTHER_TO = 3.0, 18, 220.0
"""A day follows a scale that is not known where so many of its hours, none left out, are so far from every known one;
up to this mean (µg/m³), above which indices of other makers differ as well."""
VALUES_THAT_CHANGE = 6
"""So often the values of a day must change for anything but an exact index to count: a feed that stands still may have
any index."""
ALONE = 2.0
"""The unknown hour of a day that stands alone is at most so many times its greatest."""

KNOWN = (1 << len(SCALES)) - 1
OTHER = 1 << len(SCALES)
ANY = KNOWN | OTHER
"""Masks of scales: bit n is number n of ``SCALES``, the one after them a scale that is none of these."""


def scales_followed(hours: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Of each day the scales that it may follow, as a mask; ANY where nothing can be told.

    hours: ``pm25`` in µg/m³ and ``aqi_pm25``, arrays (locations, hours) from a midnight on, whole days, NaN where there
    is none. Gives an array (locations, days).
    """
    import numpy as np

    values, index = hours["pm25"], hours["aqi_pm25"]
    values = np.where((values >= 0) & np.isfinite(values), values, np.nan)
    index = np.where((index >= 0) & (index <= 500), index, np.nan)
    means = _means(values)
    before = np.full_like(means, np.nan)
    before[:, 1:] = means[:, :-1]
    off = _distances(before, index)
    found = _exactly(off)
    rest = np.flatnonzero((found == 0).any(axis=1))  # the locations at which not all days are exact: often none
    if len(rest):
        off = np.stack([off[:, rest], _distances(means[rest], index[rest])])
        found[rest] = _otherwise(found[rest], off, values[rest], index[rest], means[rest])
    return found


def _otherwise(
    found: NDArray[Any], off: NDArray[Any], values: NDArray[Any], index: NDArray[Any], means: NDArray[Any]
) -> NDArray[Any]:
    """``found``, and in place of 0 what is told of days that follow no scale exactly.

    off: the distances to the scales, by way of reckoning: the mean of the hours before, as the provider has it, and
    that which ends with the hour's own value, as others have it.
    """
    import numpy as np

    steady = _changes(values) < VALUES_THAT_CHANGE
    for tier in TIERS:
        found = np.where((found == 0) & ~steady, _nearly(off, *tier), found)
    found = np.where((found == 0) & ~steady & _other(off, means), OTHER, found)
    return np.where(found == 0, np.where(_counts(off[0]) == 0, _alone(values, index), ANY), found)


def _distances(means: NDArray[Any], index: NDArray[Any]) -> NDArray[Any]:
    """By scale, how far each hour's index is from that of its mean; NaN where that cannot be told."""
    import numpy as np

    means = np.where((means >= MEANS_FROM) & (means <= MEANS_TO), means, np.nan)
    return np.stack([np.abs(index - index_of(means, scale)) for scale in SCALES.values()])


def _means(values: NDArray[Any]) -> NDArray[Any]:
    """The mean of each hour and the 23 before it; NaN where one is missing."""
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
    """Of each day the hours that can be told."""
    import numpy as np

    counted: NDArray[Any] = _days(~np.isnan(off[0])).sum(axis=-1)
    return counted


def _exactly(off: NDArray[Any]) -> NDArray[Any]:
    """Of each day the scales that it may follow, as a mask; 0 where it follows none exactly. off: by scale."""
    import numpy as np

    follows = _days(~(off > EXACT)).all(axis=-1)
    not_it = _days(off > NOT_EXACT).sum(axis=-1) >= NOT_EXACT_HOURS
    return np.where(follows.any(axis=0) & (_counts(off) >= EXACT_HOURS), _mask(not_it), 0)


def _mask(not_it: NDArray[Any]) -> NDArray[Any]:
    """Masks of all scales but those that are ruled out. not_it: by scale."""
    import numpy as np

    masks: NDArray[Any] = np.zeros(not_it.shape[1:], dtype=np.int64)
    for bit, of in enumerate(not_it):
        masks |= (~of).astype(np.int64) << bit
    return masks


def _nearly(distances: NDArray[Any], right: float, wrong: float) -> NDArray[Any]:
    """Of each day the scales that it may follow, as a mask; 0 where it follows none.

    distances: by way of reckoning, then by scale; NaN: not told. Ruled out is a scale that is wrong both ways.
    """
    import numpy as np

    counted = np.stack([_counts(off) for off in distances])[:, None]
    follows = _days(distances <= right).sum(axis=-1) >= SHARE_RIGHT * np.maximum(counted, HOURS_TOLD)
    not_it = (_days(distances > wrong).sum(axis=-1) >= SHARE_WRONG * np.maximum(counted, 1)).all(axis=0)
    return np.where(follows.any(axis=(0, 1)) & (counted[0, 0] >= HOURS_TOLD), _mask(not_it), 0)


def _other(distances: NDArray[Any], means: NDArray[Any]) -> NDArray[Any]:
    """Which days, two together, are far from every scale in every hour."""
    import numpy as np

    counted = _counts(distances[0])
    far = _days(~(distances <= OTHER_FROM)).all(axis=(0, 1, -1))
    low = _days(~(means > OTHER_TO)).all(axis=-1)
    found: NDArray[Any] = far & low & (counted >= OTHER_HOURS)
    beside = np.zeros_like(found)
    beside[:, 1:] |= found[:, :-1]
    beside[:, :-1] |= found[:, 1:]
    both: NDArray[Any] = found & beside
    return both


def _changes(values: NDArray[Any]) -> NDArray[Any]:
    """Of each day how often the values change within it."""
    import numpy as np

    by_day = _days(values)
    changed: NDArray[Any] = (np.diff(by_day, axis=-1) != 0).sum(axis=-1)
    return changed


def _alone(values: NDArray[Any], index: NDArray[Any]) -> NDArray[Any]:
    """Of each day the scales by which its last hour can come out, whatever the hour before the day was."""
    import numpy as np

    known, last = _days(values)[..., : HOURS_A_DAY - 1], _days(index)[..., -1]
    low = known.sum(axis=-1) / HOURS_BEFORE
    high = low + ALONE * known.max(axis=-1) / HOURS_BEFORE
    told = (low >= MEANS_FROM) & (high <= MEANS_TO) & ~np.isnan(last)
    far = TIERS[0][1]
    not_it = np.stack(
        [(last < index_of(low, scale) - far) | (last > index_of(high, scale) + far) for scale in SCALES.values()]
    )
    masks = _mask(not_it)
    return np.where(told & (masks > 0), masks, ANY)
