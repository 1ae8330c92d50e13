"""The section ``open_meteo`` of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from resources.open_meteo.hosts import CUSTOMER_URL, FREE_URL, is_free
from resources.open_meteo.requests import AUTO, DOMAINS
from resources.settings.refusals import Refused
from resources.settings.secret import Address
from resources.settings.section import LONGEST_DAYS, LONGEST_TIMEOUT, Section, an_http_url

NEW_NAME, OLD_NAME = "same_location_degrees", "same_place_degrees"


def _an_address(address: Address) -> Address:
    """The address of the source, without query and fragment. Raises ValueError."""
    url = an_http_url(address.get_secret_value())
    try:
        parts = urlsplit(url)
        is_one = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, half of an IPv6 address
        is_one = False
    if not is_one:
        raise ValueError(f"must be like {FREE_URL}")
    if "?" in url or "#" in url:
        raise ValueError("must have no query and no fragment: a key goes into open_meteo.api_key")
    return Address(url)


def a_domain(name: str) -> str:
    """The name of one of the provider's domains. Raises ValueError for any other."""
    if name not in DOMAINS:
        near = get_close_matches(name, DOMAINS, n=1)
        hint = f": did you mean {near[0]}?" if near else ""
        raise ValueError(f"must be one of {', '.join(DOMAINS)}{hint}")
    return name


class OpenMeteoSettings(Section):
    """The address of the source, and how it is asked."""

    base_url: Annotated[Address, AfterValidator(_an_address)] = Address(FREE_URL)
    api_key: SecretStr | None = None
    model_domain: Annotated[str, AfterValidator(a_domain)] = AUTO
    same_location_degrees: float = Field(0.1, ge=0)
    max_weight_per_request: float = Field(100, gt=0)
    max_days_per_request: int = Field(92, ge=1)
    attempts: int = Field(5, ge=1)
    backoff_seconds: float = Field(1.0, ge=0)
    connect_timeout_seconds: float = Field(5.0, gt=0, le=LONGEST_TIMEOUT)
    read_timeout_seconds: float = Field(30.0, gt=0, le=LONGEST_TIMEOUT)
    """How long an answer may send no byte."""
    unreachable_seconds: float = Field(25.0, gt=0, le=LONGEST_TIMEOUT)
    """Limit of all attempts and pauses of a request to a host that sends nothing at all."""
    request_deadline_seconds: float = Field(180.0, gt=0, le=LONGEST_TIMEOUT)
    """Limit of all attempts and pauses of a request."""
    max_clock_difference_minutes: float = Field(5.0, gt=0, le=LONGEST_DAYS * 1440)
    calls_per_minute: int = Field(600, gt=0)
    calls_per_hour: int = Field(5000, gt=0)
    calls_per_day: int = Field(10000, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _under_its_old_name(cls, values: object) -> object:
        """Accept the old name ``same_place_degrees``. Only a profile can have it, so its value is taken."""
        if not isinstance(values, Mapping) or OLD_NAME not in values:
            return values
        return {key: value for key, value in values.items() if key != OLD_NAME} | {NEW_NAME: values[OLD_NAME]}

    @model_validator(mode="after")
    def _a_key_where_it_belongs(self) -> Self:
        host = urlsplit(self.base_url.get_secret_value()).hostname or ""
        if is_free(host) and self.api_key is not None and self.api_key.get_secret_value():
            message = f"must not be sent to {host}, which serves without a key"
            remedy = f"Set open_meteo.base_url to {CUSTOMER_URL}, or leave open_meteo.api_key out."
            raise Refused(("open_meteo", "api_key"), message, remedy)
        return self
