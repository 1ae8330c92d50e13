"""What sections of the settings are made of: the base of their models, and checks of values."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict

from resources.machine.secrets import A_SECRETS_NAME
from resources.settings.secret import fields_of, may_hold_secrets


class Section(BaseModel):
    """A part of the settings: no unknown keys, never changed; errors of the library do not repeat what they were of.

    Raises TypeError, when it is declared, for a key that is called as secrets are and whose type does not hide it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **more: Any) -> None:
        super().__pydantic_init_subclass__(**more)
        for name, kind in fields_of(cls).items():
            if A_SECRETS_NAME.search(name) and not may_hold_secrets(kind):
                raise TypeError(f"{cls.__name__}.{name} is called as secrets are: its type must be SecretStr")


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
