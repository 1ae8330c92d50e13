"""The section ``open_meteo`` of the settings."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from resources.open_meteo.requests import AUTO, DOMAINS
from resources.settings.section import Section, an_http_url


def a_domain(name: str) -> str:
    """A domain of the provider's. Raises ValueError."""
    if name not in DOMAINS:
        near = get_close_matches(name, DOMAINS, n=1)
        hint = f": did you mean {near[0]}?" if near else ""
        raise ValueError(f"must be one of {', '.join(DOMAINS)}{hint}")
    return name


class OpenMeteoSettings(Section):
    base_url: Annotated[str, AfterValidator(an_http_url)] = "https://air-quality-api.open-meteo.com"
    api_key: SecretStr | None = None
    model_domain: Annotated[str, AfterValidator(a_domain)] = AUTO
    same_place_degrees: float = Field(0.1, ge=0)
    max_weight_per_request: float = Field(100, gt=0)
    max_days_per_request: int = Field(92, ge=1)
    attempts: int = Field(5, ge=1)
    backoff_seconds: float = Field(1.0, ge=0)
    connect_timeout_seconds: float = Field(5.0, gt=0)
    read_timeout_seconds: float = Field(60.0, gt=0)
    max_clock_difference_minutes: float = Field(5.0, gt=0)
    calls_per_minute: int = Field(600, gt=0)
    calls_per_hour: int = Field(5000, gt=0)
    calls_per_day: int = Field(10000, gt=0)
