"""What sections of the settings are made of: the base of their models, and checks of values."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the settings: no unknown keys, never changed; errors of the library do not repeat what they were of."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True)


def a_time_zone(name: str) -> str:
    """An IANA time zone. Raises ValueError."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of zones, an endless name
        raise ValueError("must be an IANA time zone, for instance Asia/Ho_Chi_Minh") from error
    return name


def an_http_url(url: str) -> str:
    """An address without a slash at its end. Raises ValueError."""
    if not url.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return url.rstrip("/")
