"""Times that are too long to be added to an instant are refused before any work."""

from __future__ import annotations

import pytest

from tests.support.given_settings import refusal


@pytest.mark.parametrize("text", ["inf", "nan", "1e300"])
@pytest.mark.parametrize(
    "variable",
    [
        "AQI_MAINTENANCE__LOGS_DAYS",
        "AQI_RAW__RETENTION_DAYS",
        "AQI_DEPLOY__PENDING_SECONDS",
        "AQI_ALERTS__EVERY_SECONDS",
    ],
)
def test_a_time_without_end(variable: str, text: str) -> None:
    message, _ = refusal(**{variable: text})
    assert message.startswith(f"the environment ({variable}): ")
    assert "should be" in message
