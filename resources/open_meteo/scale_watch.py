"""Which of the provider's PM2.5 scales the hours of a day follow: by which of them their index is that of their means.

A day follows a scale by which every hour comes out right, to within the half point of rounding, as all that the
provider sent at once does; another is then ruled out by two hours. Where the day after it does so, two more are told: a
day most of whose hours come out right, as with values that were revised since; and a day without the day before it, by
its last hour, of whose mean one hour is unknown. Two days together may follow a scale that is not known: where they are
far from every known one, and more always has the higher index.

Of all else every scale is possible: faulty values, a feed that stands still, other makers of an index. So too between
35.5 and 55.5 µg/m³, where the scales do not differ.

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
REVISED, SHARE_RIGHT, SHARE_WRONG = ((0.75, 1.0), (1.75, 3.0)), 0.75, 0.5
"""Of days whose values were revised: (so near is right, so far is wrong), in points; the second where nothing is right
by the first. And of how many hours."""
OTHER_FROM, OTHER_HOURS, OTHER_RANGE, OTHER_DROP, OTHER_REPEATED = 3.0, 40, 2.0, 1.5, 0.25
"""Two days follow a scale that is not known where so many of their hours, none left out, are so far from every known
one, their means reach so far (µg/m³), a higher mean never has an index that is lower by more, and no larger share of
values is that of the hour before."""
ALONE, SLACK = 2.0, 1.0
"""The unknown hour of a day that stands alone is at most so many times its greatest; and so near is its index."""

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


def _mostly(off: NDArray[Any], right: float, wrong: float) -> NDArray[Any]:
    """Of each day the scales that it may follow, as a mask; 0 where most of its hours follow none. off: by scale."""
    import numpy as np

    counted = _counts(off)
    follows = _days(off <= right).sum(axis=-1) >= SHARE_RIGHT * np.maximum(counted, EXACT_HOURS)
    not_it = _days(off > wrong).sum(axis=-1) >= SHARE_WRONG * np.maximum(counted, 1)
    return np.where(follows.any(axis=0), _mask(not_it), 0)


def _other(off: NDArray[Any], means: NDArray[Any], index: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Which days, two together, follow a scale that is none of the known ones. off: by scale."""
    import numpy as np

    far: NDArray[Any] = np.all(_days(~(off <= OTHER_FROM)), axis=(0, -1))
    counted = _counts(off)
    found: NDArray[Any] = np.zeros(far.shape, dtype=bool)
    pairs = far[:, :-1] & far[:, 1:] & (counted[:, :-1] + counted[:, 1:] >= OTHER_HOURS)
    for at, day in np.argwhere(pairs):
        hours = slice(HOURS_A_DAY * day, HOURS_A_DAY * (day + 2))
        told = ~np.isnan(off[0, at, hours])
        by, had = means[at, hours][told], index[at, hours][told]
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
    """Of each day the scales by which its last hour can come out, whatever the hour before the day was; 0: not told."""
    import numpy as np

    known, last = _days(values)[..., : HOURS_A_DAY - 1], _days(index)[..., -1]
    low = known.sum(axis=-1) / HOURS_BEFORE
    high = low + ALONE * known.max(axis=-1) / HOURS_BEFORE
    told = (low >= MEANS_FROM) & (high <= MEANS_TO) & ~np.isnan(last)
    not_it = np.stack(
        [(last < index_of(low, scale) - SLACK) | (last > index_of(high, scale) + SLACK) for scale in SCALES.values()]
    )
    masks = _mask(not_it)
    return np.where(told & (masks > 0), masks, 0)
