"""How much Open-Meteo lets itself be asked: the limits of a plan, and what its replies say of them.

Must not know: what is asked for, nor how; it neither sends nor waits.

Source: https://open-meteo.com/en/terms (free use) and the server, github.com/open-meteo/open-meteo.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import requests

WINDOWS = (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0))
"""The windows, in seconds, in which calls are counted."""


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


def reason(reply: requests.Response) -> str:
    """The ``reason`` of the provider's ``{"error": true, "reason": …}``; empty where there is none."""
    try:
        payload = reply.json()
    except requests.JSONDecodeError:
        return ""
    refusal = isinstance(payload, dict) and payload.get("error") is True
    return str(payload.get("reason", "")) if refusal else ""


def server_time(reply: requests.Response) -> datetime | None:
    """The source's own clock, by which its limits and dates go."""
    return _http_date(reply.headers.get("Date", ""))


def _http_date(text: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def wanted_wait(reply: requests.Response) -> float | None:
    """Seconds that the source asks to wait: Retry-After (seconds or a date), or the rest of its minute."""
    asked, clock = reply.headers.get("Retry-After", "").strip(), server_time(reply)
    if asked.isdecimal():
        return float(asked)
    if (date_ := _http_date(asked)) and clock:
        return max(0.0, (date_ - clock).total_seconds())
    if reply.status_code == 429 and reason(reply).startswith("Minutely"):
        return 60.0 - (clock.second if clock else 0)
    return None


def long_limit(reply: requests.Response) -> str:
    """When to go on, where the limit of the hour or day is used up; empty otherwise."""
    said, when = reason(reply), used_up_until(reply)
    if said.startswith("Hourly"):
        return f"after {when:%Y-%m-%dT%H:%MZ}" if when else "in the next full hour"
    if said.startswith("Daily"):
        return f"after {when:%Y-%m-%dT%H:%MZ}" if when else "tomorrow (UTC)"
    return ""


def used_up_until(reply: requests.Response) -> datetime | None:
    """The same as a moment of the source's clock; None too where it does not tell the time."""
    clock, said = server_time(reply), reason(reply)
    if clock is not None and said.startswith("Hourly"):
        return clock.replace(minute=0, second=0) + timedelta(hours=1)
    if clock is not None and said.startswith("Daily"):
        return clock.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    return None


def seconds_until(reply: requests.Response, moment: datetime) -> float:
    """How long it was until ``moment``, of the source's clock, when it replied."""
    clock = server_time(reply)
    return 0.0 if clock is None else max(0.0, (moment - clock).total_seconds())
