"""Instants, hours and days in UTC, for code that is not about partitions. When a partition's period ends, its scheme
says.

| instant                   | ``day_of``     | ``hour_of``   | ``iso``                  |
|---------------------------|----------------|---------------|--------------------------|
| 2025-08-08 06:59:30 UTC   | 2025-08-08     | 06:00 UTC     | ``2025-08-08T06:59:30Z`` |
| 2025-08-08 23:59 UTC      | 2025-08-08     | 23:00 UTC     | ``2025-08-08T23:59:00Z`` |
| 2025-08-09 06:59 at UTC+7 | 2025-08-08     | 23:00 UTC     | ``2025-08-08T23:59:00Z`` |

Must not know: the clock. *Now* is always an argument.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
HOURS_A_DAY = DAY // HOUR


def day_of(instant: datetime) -> date:
    """The UTC day that an instant lies on."""
    return instant.astimezone(UTC).date()


def midnight(day: date) -> datetime:
    """The instant at which a UTC day begins."""
    return datetime.combine(day, time(), UTC)


def hour_of(instant: datetime) -> datetime:
    """The beginning of the UTC hour that an instant lies in."""
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def iso(instant: datetime) -> str:
    """An instant as text, in whole seconds: ``2025-08-08T06:00:00Z``."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant_of(text: str) -> datetime:
    """The inverse of ``iso``: the instant, in UTC, of an ISO 8601 text with a zone."""
    return datetime.fromisoformat(text).astimezone(UTC)
