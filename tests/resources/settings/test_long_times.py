"""Times that are too long to be added to an instant are refused before any work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError

from resources.open_meteo.settings import OpenMeteoSettings
from resources.settings.load import Settings
from tests.support.given_settings import refusal


@pytest.mark.parametrize("text", ["inf", "nan", "1e300"])
@pytest.mark.parametrize(
    "variable",
    [
        "AQI_MAINTENANCE__LOGS_DAYS",
        "AQI_RAW__RETENTION_DAYS",
        "AQI_DEPLOY__PENDING_SECONDS",
        "AQI_ALERTS__EVERY_SECONDS",
        "AQI_WAREHOUSE__LOCK_WAIT_SECONDS",
        "AQI_YARN__QUEUE_WAIT_SECONDS",
        "AQI_SOURCES__LIMIT_WAIT_MINUTES",
        "AQI_OPEN_METEO__CONNECT_TIMEOUT_SECONDS",
        "AQI_OPEN_METEO__READ_TIMEOUT_SECONDS",
        "AQI_OPEN_METEO__UNREACHABLE_SECONDS",
        "AQI_OPEN_METEO__REQUEST_DEADLINE_SECONDS",
        "AQI_OPEN_METEO__MAX_CLOCK_DIFFERENCE_MINUTES",
    ],
)
def test_a_time_without_end(variable: str, text: str) -> None:
    message, _ = refusal(**{variable: text})
    assert message.startswith(f"the environment ({variable}): ")
    assert "should be" in message


@pytest.mark.parametrize("text", ["inf", "-inf", "nan"])
def test_no_number_of_any_section_is_without_end(text: str) -> None:
    numbers = [*numbers_of(Settings), *numbers_of(OpenMeteoSettings)]
    assert len(numbers) > 20
    for section, name in numbers:
        with pytest.raises(ValidationError) as caught:
            section.model_validate({name: text})
        assert name in {error["loc"][0] for error in caught.value.errors()}, f"{section.__name__}.{name}"


def numbers_of(section: type[BaseModel]) -> Iterator[tuple[type[BaseModel], str]]:
    """The sections in a section, itself included, with the names of their settings that are real numbers."""
    for name, field in section.model_fields.items():
        if field.annotation is float:
            yield section, name
        for kind in types_in(field.annotation):
            if issubclass(kind, BaseModel):
                yield from numbers_of(kind)


def types_in(annotation: object) -> Iterator[type]:
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for part in get_args(annotation):
        yield from types_in(part)
