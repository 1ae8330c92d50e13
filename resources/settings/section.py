"""The base class of the sections of the settings, and checks of values that several sections share."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict

from resources.machine.secrets import A_SECRETS_NAME
from resources.settings.secret import fields_of, may_hold_secrets

LONGEST_DAYS = 36_600
"""The longest time that may be set where it is added to an instant or slept for: a hundred years."""
LONGEST_TIMEOUT = 7 * 86_400
"""The longest time, in seconds, that an answer may be waited for: seven days."""


class Section(BaseModel):
    """A section of the settings. It refuses unknown keys and numbers that are none or without end, and cannot be
    changed; pydantic's errors do not repeat the wrong value.

    Declaring a section raises TypeError for a field whose name looks like that of a secret (``password``, ``token``, …)
    and whose type does not hide secrets.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **more: Any) -> None:
        super().__pydantic_init_subclass__(**more)
        for name, kind in fields_of(cls).items():
            if A_SECRETS_NAME.search(name) and not may_hold_secrets(kind):
                raise TypeError(f"{cls.__name__}.{name} is called as secrets are: its type must be SecretStr")


def a_time_zone(name: str) -> str:
    """The name of an IANA time zone, checked. Raises ValueError."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of zones, an endless name
        raise ValueError("must be an IANA time zone, for instance Asia/Ho_Chi_Minh") from error
    return name


def an_http_url(url: str) -> str:
    """An address that starts with ``http://`` or ``https://``, without slashes at its end. Raises ValueError for any
    other."""
    if not url.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return url.rstrip("/")
