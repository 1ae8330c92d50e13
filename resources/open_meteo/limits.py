"""How much Open-Meteo lets itself be asked: the limits of a plan, and what its replies say of them and of time.

Pure. Must not know: what is asked for, nor how; it neither sends nor waits.

Source: https://open-meteo.com/en/terms (free use) and the server, github.com/open-meteo/open-meteo.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

WINDOWS = (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0))
"""The windows, in seconds, in which calls are counted."""
NO_WAIT_SECONDS = 1e9
"""Thirty years: whoever asks for so long a pause, has asked for none."""
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
    """Seconds from ``at`` until ``weight`` more fits under ``calls`` in any window; sent: (when, weight)."""
    recent = [entry for entry in sent if entry[0] > at - window_seconds]
    excess, wait = sum(entry[1] for entry in recent) + weight - calls, 0.0
    for when, freed in recent:
        if excess <= 1e-9:
            break
        excess, wait = excess - freed, when + window_seconds - at
    return wait


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """The source's own clock, by which its limits and dates go."""
    return _http_date(headers.get("Date", ""))


def _http_date(text: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def wanted_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that the source asks to wait by Retry-After (seconds or a date); None where it does not."""
    asked, clock = headers.get("Retry-After", "").strip(), server_time(headers)
    if asked.isdecimal() and len(asked) < 10:  # as NO_WAIT_SECONDS
        return float(asked)
    if (date_ := _http_date(asked)) and clock:
        seconds = max(0.0, (date_ - clock).total_seconds())
        return seconds if seconds < NO_WAIT_SECONDS else None
    return None


def used_up(said: str) -> str | None:
    """Which limit is used up by what the source says: ``minute`` … ``month``, empty for one that it does not name.

    None where it says nothing of a limit.
    """
    if not _A_LIMIT.search(said):
        return None
    return next((name for name, pattern in _PERIODS.items() if pattern.search(said)), "")


def free_again(period: str, clock: datetime) -> datetime | None:
    """When a limit that is used up begins anew, by the source's clock; None where nobody knows."""
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
