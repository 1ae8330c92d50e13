"""What is secret is never shown: neither by settings nor by a refusal."""

from __future__ import annotations

from resources.open_meteo.hosts import CUSTOMER_URL
from tests.support.given_settings import given, refusal, refused

SECRET = "s3cret-of-the-provider"


def test_the_api_key_is_never_shown() -> None:
    settings = given(AQI_OPEN_METEO__API_KEY=SECRET, AQI_OPEN_METEO__BASE_URL=CUSTOMER_URL)
    assert settings.open_meteo.api_key is not None
    assert settings.open_meteo.api_key.get_secret_value() == SECRET
    shown = (repr(settings), str(settings), f"{settings.open_meteo}", str(settings.model_dump()))
    assert [text for text in (*shown, settings.model_dump_json()) if SECRET in text] == []


def test_the_api_key_is_not_shown_by_a_refusal_elsewhere() -> None:
    """Neither in the message nor in what a traceback would print of its causes."""
    error: BaseException | None = refused(
        {"open_meteo": {"no": 1}}, AQI_OPEN_METEO__API_KEY=SECRET, AQI_OPEN_METEO__ATTEMPTS="x"
    )
    while error is not None:
        assert SECRET not in str(error)
        assert SECRET not in repr(error)
        error = error.__cause__ or error.__context__


def test_an_error_in_alerts_does_not_repeat_what_may_be_secret() -> None:
    message, _ = refusal(None, AQI_ALERTS__WEBHOOKS='{team: "https://hooks.example.org/SECRET"}')
    assert "alerts.webhooks.team" in message
    assert "SECRET" not in message
