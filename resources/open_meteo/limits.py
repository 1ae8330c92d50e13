"""The limits of Open-Meteo: how many calls a plan allows, and what replies say about limits and time.

Pure. Must not know: what is asked for, and how. It neither sends nor waits.

Source: https://open-meteo.com/en/terms (free use) and the server, github.com/open-meteo/open-meteo.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

WINDOWS = (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0))
"""The windows in which calls are counted: (name, seconds)."""
NO_WAIT_SECONDS = 1e9
"""Thirty years: a Retry-After this long counts as none."""
MINUTE, HOUR, DAY, MONTH = "minute", "hour", "day", "month"
_GONE, _OF_WHAT = r"\b(exceeded|reached|used up|exhausted)\b", r"\b(limit|quota)\b"
_A_LIMIT = re.compile(f"{_OF_WHAT}.*{_GONE}|{_GONE}.*{_OF_WHAT}", re.IGNORECASE)
_PERIODS = {
    MINUTE: re.compile(r"\b(minutely|per minute|one minute|next minute)\b", re.IGNORECASE),
    HOUR: re.compile(r"\b(hourly|per hour|one hour|next hour)\b", re.IGNORECASE),
    DAY: re.compile(r"\b(daily|per day|tomorrow)\b", re.IGNORECASE),
    MONTH: re.compile(r"\b(monthly|per month|next month)\b", re.IGNORECASE),
}


def until_free(
    sent: Sequence[tuple[float, float]], weight: float, at: float, window_seconds: float, calls: float
) -> float:
    """Seconds from ``at`` until ``weight`` more calls stay within ``calls`` in each window of ``window_seconds``.

    sent: (moment, weight) of the calls so far, oldest first; moments in seconds by the clock of ``at``.
    """
    recent = [entry for entry in sent if entry[0] > at - window_seconds]
    excess, wait = sum(entry[1] for entry in recent) + weight - calls, 0.0
    for when, freed in recent:
        if excess <= 1e-9:
            break
        excess, wait = excess - freed, when + window_seconds - at
    return wait


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """The source's own clock, which its limits follow; None without a valid Date."""
    return _http_date(headers.get("Date", ""))


def _http_date(text: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def wanted_wait(headers: Mapping[str, str]) -> float | None:
    """The seconds of Retry-After (given in seconds or as a date); None where there is none."""
    asked, clock = headers.get("Retry-After", "").strip(), server_time(headers)
    if asked.isdecimal() and len(asked) < 10:  # as NO_WAIT_SECONDS
        return float(asked)
    if (date_ := _http_date(asked)) and clock:
        seconds = max(0.0, (date_ - clock).total_seconds())
        return seconds if seconds < NO_WAIT_SECONDS else None
    return None


def used_up(said: str) -> str | None:
    """The limit that is used up by the source's text: ``minute`` … ``month``; empty if the text does not name its
    period.

    None where the text is not about a used-up limit.
    """
    if not _A_LIMIT.search(said):
        return None
    return next((name for name, pattern in _PERIODS.items() if pattern.search(said)), "")


def free_again(period: str, clock: datetime) -> datetime | None:
    """When a used-up limit begins anew, by the source's clock; None where this is unknown."""
    if period == MINUTE:
        return clock.replace(second=0, microsecond=0) + timedelta(minutes=1)
    hour = clock.replace(minute=0, second=0, microsecond=0)
    if period == HOUR:
        return hour + timedelta(hours=1)
    if period == DAY:
        return hour.replace(hour=0) + timedelta(days=1)
    if period == MONTH:
        return (hour.replace(hour=0, day=1) + timedelta(days=32)).replace(day=1)
    return None
