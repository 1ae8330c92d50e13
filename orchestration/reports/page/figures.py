"""Daily figures and spells as compact numbers for a page: columns of small whole numbers in base64.

Pure. The rows come from Arrow, a million of them in a second.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from orchestration.core.declarations.figures import Daily, Spells
from orchestration.core.partitions.scheme import PartitionColumns

if TYPE_CHECKING:
    import pyarrow as pa

Numbers = npt.NDArray[np.int64]
MOST_CELLS = 600_000
"""At most this many days × locations are kept, the newest ones: 2.4 MB."""
MOST_SPELLS = 40_000
"""At most this many spells are kept, the newest ones: 0.6 MB."""
NO_ROW, NO_VALUE = 0xFFFF, 0xFFFE
"""In place of a figure: there is no row; the row has no value."""
NO_WORD = 0xFF
"""In place of the number of a word: there is no word, or there are too many different words."""
HOURS_A_DAY = 24
_EPOCH = date(1970, 1, 1).toordinal()
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Locations:
    """The locations of the page. listed: [key, name] of each; a location's number is its position."""

    listed: list[list[str]]

    @classmethod
    def of(cls, configured: Mapping[str, str], there: Sequence[str]) -> Locations:
        """The locations with rows: first the configured ones (key → name), then others."""
        seen = set(there)
        mine = [[key, name] for key, name in configured.items() if key in seen]
        return cls(mine + [[key, key] for key in sorted(seen - configured.keys())])

    def numbers(self, column: Any) -> Numbers:
        """The number of each row's location; -1 for another location."""
        return _positions(column, [key for key, _ in self.listed])


def locations_in(rows: pa.Table, columns: PartitionColumns) -> list[str]:
    """The locations of rows, each once."""
    import pyarrow.compute as pc

    return [key for key in pc.unique(_texts(rows[columns.location])).to_pylist() if key is not None]


def daily_facts(rows: pa.Table, columns: PartitionColumns, daily: Daily, locations: Locations) -> dict[str, Any]:
    """Figures by location and day, and hours in categories by location and month, as JSON values.

    base, days: the first day, and the number of days. since: equal to base if earlier days are left out, else null.
    values: 16 bits per location and day; see NO_ROW.
    because: 8 bits per location and day, the number of a word in ``words``; see NO_WORD.
    months: [year, month].
    hours: 16 bits per location, month and category; after the categories, the hours without a figure.
    """
    at, day = locations.numbers(rows[columns.location]), _days(rows[columns.day])
    known = (at >= 0) & (day >= 0)
    if not known.any():
        return {
            "base": None,
            "days": 0,
            "since": None,
            "words": [],
            "values": "",
            "because": "",
            "months": [],
            "hours": "",
        }
    last = int(day[known].max())
    first = int(day[known].min())
    since = max(first, last - max(1, MOST_CELLS // len(locations.listed)) + 1)
    some = known & (day >= since)
    at, day = at[some], day[some] - since
    days = last - since + 1
    words, word_of = _words(rows[daily.because[0]])
    values = np.full((len(locations.listed), days), NO_ROW, dtype="<u2")
    because = np.full((len(locations.listed), days), NO_WORD, dtype="u1")
    values[at, day] = _bounded(rows[daily.value], NO_VALUE)[some]
    because[at, day] = word_of[some]
    months, hours = _hours_by_month(rows, daily, some, at, day + since, len(locations.listed))
    return {
        "base": date.fromordinal(since + _EPOCH).isoformat(),
        "days": days,
        "since": date.fromordinal(since + _EPOCH).isoformat() if since > first else None,
        "words": words,
        "values": _base64(values),
        "because": _base64(because),
        "months": months,
        "hours": _base64(hours),
    }


def _hours_by_month(
    rows: pa.Table, daily: Daily, some: npt.NDArray[np.bool_], at: Numbers, day: Numbers, locations: int
) -> tuple[list[list[int]], npt.NDArray[np.uint16]]:
    """The months of days since 1970; and the hours by location, month and category, then the hours without a figure."""
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    first, months = int(month.min()), int(month.max() - month.min()) + 1
    cell, cells = at * months + month - first, locations * months
    lacking, sums = np.full(len(at), HOURS_A_DAY, dtype=np.int64), []
    for category in daily.categories:
        of_category = np.maximum(_integers(rows[category.hours], 0)[some], 0)
        sums.append(np.bincount(cell, of_category, cells))
        lacking -= of_category
    sums.append(np.bincount(cell, np.maximum(lacking, 0), cells))
    year_months = [[number // 12 + 1970, number % 12 + 1] for number in range(first, first + months)]
    return year_months, np.minimum(np.stack(sums, axis=-1), NO_ROW).astype("<u2")


def spell_facts(rows: pa.Table, columns: PartitionColumns, spells: Spells, locations: Locations) -> dict[str, Any]:
    """Spells in the order of their beginning, as JSON values: one array of ``count`` numbers for each column.

    at: 16 bits, the number of the location. start: 32 bits, hours since 1970. hours, peak: 16 bits.
    because: 8 bits, the number of a word in ``words``; see NO_WORD. left_out: the number of older spells that are left
    out. open: the numbers of the spells that may go on; null where the rows do not have that column.
    """
    at, start = locations.numbers(rows[columns.location]), _hours(rows[spells.start])
    words, word_of = _words(rows[spells.because])
    known, says_open = np.flatnonzero((at >= 0) & (start >= 0)), spells.open in rows.column_names
    order = known[np.lexsort((at[known], start[known]))]
    left_out, order = max(0, len(order) - MOST_SPELLS), order[-MOST_SPELLS:]
    return {
        "count": len(order),
        "left_out": left_out,
        "words": words,
        "at": _base64(at[order].astype("<u2")),
        "start": _base64(start[order].astype("<u4")),
        "hours": _base64(_bounded(rows[spells.hours], 0)[order]),
        "peak": _base64(_bounded(rows[spells.peak], 0)[order]),
        "because": _base64(word_of[order]),
        "open": np.flatnonzero(_integers(rows[spells.open], 0)[order]).tolist() if says_open else None,
    }


def _base64(numbers: npt.NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers).tobytes()).decode()


def _texts(column: Any) -> Any:
    import pyarrow as pa

    return column.cast(pa.string())


def _positions(column: Any, keys: Sequence[str]) -> Numbers:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.index_in(_texts(column), value_set=pa.array(keys, pa.string()))
    return _integers(found, -1)


def _words(column: Any) -> tuple[list[str], npt.NDArray[np.uint8]]:
    """The words of a column, and for each row the number of its word."""
    import pyarrow.compute as pc

    words = sorted(word for word in pc.unique(_texts(column)).to_pylist() if word is not None)[:NO_WORD]
    at = _positions(column, words)
    return words, np.where(at < 0, NO_WORD, at).astype("u1")


def _integers(column: Any, null: int) -> Numbers:
    """Whole numbers; ``null`` in place of nulls."""
    import pyarrow as pa
    import pyarrow.compute as pc

    filled = pc.fill_null(pc.cast(column, pa.int64(), safe=False), null)
    return np.asarray(filled.to_numpy(), dtype=np.int64)


def _bounded(column: Any, null: int) -> npt.NDArray[np.uint16]:
    """Numbers in 16 bits, none of which is NO_ROW or NO_VALUE; ``null`` in place of nulls and negative numbers."""
    numbers = _integers(column, -1)
    return np.where(numbers < 0, null, np.minimum(numbers, NO_VALUE - 1)).astype("<u2")


def _days(column: Any) -> Numbers:
    """Days since 1970; -1 for nulls and earlier days."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return np.maximum(_integers(pc.cast(pc.cast(column, pa.date32()), pa.int32()), -1), -1)


def _hours(column: Any) -> Numbers:
    """Instants as hours since 1970; -1 for nulls and earlier instants."""
    import pyarrow as pa
    import pyarrow.compute as pc

    instants = pc.cast(column, pa.timestamp("us", column.type.tz), safe=False)
    return np.maximum(_integers(pc.cast(instants, pa.int64()), -1), -1) // _HOUR_US
