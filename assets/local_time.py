"""The local clock of locations: how far it is ahead of UTC at an instant, by the rules of its time zone.

The rules come from the time zone database of this process, for both engines. Spark and the embedded engine have
databases of their own, of different versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

FIRST, END = datetime(2013, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
"""Local times are known from FIRST until before END: the source has nothing earlier, and the database lists no rule
that is known to hold later."""

Offsets = tuple[tuple[int, int], ...]
"""(instant in seconds since 1970 UTC, seconds ahead of UTC from then on), in the order of time."""

_AHEAD = "_seconds_ahead_of_utc"


@lru_cache(maxsize=1024)
def offsets(timezone: str) -> Offsets:
    """The offsets of a time zone from FIRST on. timezone: an IANA name.

    | timezone         | offsets                                                                        |
    |------------------|--------------------------------------------------------------------------------|
    | Asia/Ho_Chi_Minh | 2013-01-01T00:00Z 25,200                                                       |
    | Europe/Berlin    | 2013-01-01T00:00Z 3,600; 2013-03-31T01:00Z 7,200; 2013-10-27T01:00Z 3,600; …   |
    """
    zone, day = ZoneInfo(timezone), timedelta(days=1)

    def ahead(seconds: int) -> int:
        offset = datetime.fromtimestamp(seconds, zone).utcoffset()
        assert offset is not None, "a zone has one at every instant"
        return int(offset.total_seconds())

    at, end = int(FIRST.timestamp()), int(END.timestamp())
    found = [(at, ahead(at))]
    while at < end:
        before, at = at, at + int(day.total_seconds())
        if ahead(at) != found[-1][1]:
            unchanged, changed = before, at
            while changed - unchanged > 1:
                middle = (unchanged + changed) // 2
                unchanged, changed = (middle, changed) if ahead(middle) == found[-1][1] else (unchanged, middle)
            found.append((changed, ahead(changed)))
    return tuple(found)


def seconds_ahead(location: Column, instant: Column, timezones: Mapping[str, str]) -> Column:
    """How many seconds the clock of a location is ahead of UTC; null where its time zone or its rule is not known.

    location: its key. instant: seconds since 1970 UTC. timezones: key of a location → IANA name.
    """
    alike: dict[Offsets, list[str]] = {}
    for key, timezone in timezones.items():
        alike.setdefault(offsets(timezone), []).append(key)
    by_zone = [F.when(location.isin(*keys), _at(instant, of)) for of, keys in alike.items()]
    known = (instant >= int(FIRST.timestamp())) & (instant < int(END.timestamp()))
    return F.when(known, F.coalesce(*by_zone, F.lit(None).cast("bigint")))


def _at(instant: Column, of: Offsets) -> Column:
    """The offset at an instant: the one after the last change that is not later. of: of one time zone."""
    if len(of) == 1:
        return F.lit(of[0][1]).cast("bigint")
    changes = F.filter(_whole_numbers([since for since, _ in of]), lambda since: since <= instant)
    return F.element_at(_whole_numbers([ahead for _, ahead in of]), F.size(changes))


def _whole_numbers(values: Sequence[int]) -> Column:
    return F.array(*map(F.lit, values)).cast("array<bigint>")


def iso_offset(ahead: Column) -> Column:
    """Seconds as ``+07:00``; null for null. Since 2013 all time zones have whole minutes."""
    minutes = F.floor(F.abs(ahead) / 60)
    return F.concat(
        F.when(ahead < 0, F.lit("-")).otherwise(F.lit("+")),
        F.format_string("%02d:%02d", F.floor(minutes / 60), minutes % 60),
    )


def with_local_time(rows: DataFrame, location: str, instant: str, timezones: Mapping[str, str]) -> DataFrame:
    """Rows with ``ts_local``, ``date_local`` and ``hour_local`` of the hour that begins at the column ``instant``.

    location: the column with the key of the location. timezones: key → IANA name. The columns are null for an unknown
    location.
    """
    seconds, ahead = F.unix_timestamp(instant), F.col(_AHEAD)
    clock = F.timestamp_micros((seconds + ahead) * 1_000_000)  # what the local clock shows, as if it were UTC
    # A column of its own: Spark finds the offset once a row, not once in each of the places that use it.
    located = rows.withColumn(_AHEAD, seconds_ahead(F.col(location), seconds, timezones))
    return located.withColumns(
        {
            "ts_local": F.concat(F.date_format(clock, "yyyy-MM-dd'T'HH:mm:ss"), iso_offset(ahead)),
            "date_local": F.to_date(clock),
            "hour_local": F.hour(clock),
        }
    ).drop(_AHEAD)
