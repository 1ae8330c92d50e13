"""Settings: what wins over what, and what a value becomes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from assets.parameters import Bounds, Calendar, EpisodeRule
from tests.support.given_settings import given, profile_file, refusal

PAID = "https://customer-air-quality-api.open-meteo.com"
"""A host that takes a key."""


def test_the_local_profile() -> None:
    """DESIGN, DATA_MODEL: the defaults that others rely on."""
    settings = given()
    assert settings.profile == "local"
    assert settings.warehouse.uri == "warehouse"
    assert str(settings.open_meteo.base_url) == "https://air-quality-api.open-meteo.com"
    assert settings.spark.master.startswith("local")
    parameters = settings.parameters
    assert [location.key for location in parameters.locations] == ["hanoi", "hcmc", "danang"]
    assert [location.name for location in parameters.locations] == ["Hà Nội", "TP.HCM", "Đà Nẵng"]
    assert len(parameters.pollutants) == 10
    assert parameters.pollutants[0].unit_default == "µg/m³"
    assert parameters.episode_rule == EpisodeRule(151, 4)
    assert parameters.episode_rule.code == "AQI>=151_4h"
    assert parameters.calendar == Calendar("2022-01-01", "2030-12-31")
    assert (parameters.limits["co2"], parameters.limits["pm25"]) == (Bounds(250, 2000), Bounds(None, 5000))
    assert (parameters.model_domain, parameters.row_rules) == ("auto", ())


def test_flags_win_over_the_environment_and_that_over_the_profile(tmp_path: Path) -> None:
    profile = profile_file(tmp_path, "warehouse: {uri: from-file, lock_wait_seconds: 7}\nspark: {master: yarn}")
    settings = given({"warehouse": {"uri": "flag"}}, profile, AQI_WAREHOUSE__URI="env", AQI_SPARK__MASTER="local[1]")
    assert (settings.warehouse.uri, settings.warehouse.lock_wait_seconds) == ("flag", 7)
    assert (settings.spark.master, settings.profile) == ("local[1]", profile)
    assert given(None, profile, AQI_WAREHOUSE__URI="env").warehouse.uri == "env"
    assert given(None, profile).spark.master == "yarn"


def test_the_profile_by_environment(tmp_path: Path) -> None:
    profile = profile_file(tmp_path, "warehouse: {uri: here}")
    assert given(AQI_PROFILE=profile).warehouse.uri == "here"
    assert given(None, "local", AQI_PROFILE=profile).warehouse.uri == "warehouse"
    assert given(AQI_PROFILE="").profile == "local"


def test_a_profile_may_bring_its_own_locations(tmp_path: Path) -> None:
    profile = profile_file(tmp_path, "locations: [{key: hue, name: Huế, latitude: 1, longitude: 2, timezone: UTC}]")
    assert [location.key for location in given(None, profile).parameters.locations] == ["hue"]


def test_an_empty_profile_is_the_defaults(tmp_path: Path) -> None:
    assert given(None, profile_file(tmp_path, "# nothing\n")).warehouse.uri == "warehouse"


def test_variables_of_others_and_those_that_are_no_settings_are_left_alone() -> None:
    none = dict.fromkeys(("AQI_REQUIRE_SHARED", "AQI_REQUIRE_BROWSER", "AQI_IVY_SETTINGS"), "1")
    assert given(HOME="/root", XAQI_WAREHOUSE__URI="y", **none) == given()


@pytest.mark.parametrize(
    "text",
    [
        "0123456",
        "12345",
        "1e5",
        "2025-01-01",
        "yes",
        "a: b",
        "x # y",
        "~",
        "0x1F",
        "'quoted'",
        "- a",
        "@x",
    ],
)
def test_text_of_the_environment_stays_text(text: str) -> None:
    """YAML would make a number of the key 0123456, another one at that, and cut the folder at ``#``."""
    settings = given(
        AQI_OPEN_METEO__API_KEY=text, AQI_OPEN_METEO__BASE_URL=PAID, AQI_WAREHOUSE__URI=text, AQI_ENGINE="spark"
    )
    assert settings.open_meteo.api_key is not None
    assert settings.open_meteo.api_key.get_secret_value() == settings.warehouse.uri == text


def test_a_sign_that_no_folder_may_have_stays_text_too() -> None:
    settings = given(AQI_OPEN_METEO__API_KEY="%", AQI_OPEN_METEO__BASE_URL=PAID, AQI_YARN__QUEUE="%")
    assert settings.open_meteo.api_key is not None
    assert settings.open_meteo.api_key.get_secret_value() == settings.yarn.queue == "%"


def test_values_of_the_environment_become_what_the_setting_is() -> None:
    settings = given(
        AQI_WAREHOUSE__LOCK_WAIT_SECONDS="2.5",
        AQI_OPEN_METEO__ATTEMPTS="3",
        AQI_RULES__EPISODE__THRESHOLD="101",
        AQI_RULES__CALENDAR__LAST="2031-01-02",
        AQI_SPARK__CONF="{spark.ui.enabled: 'false', spark.x: 3}",
        AQI_RULES__LIMITS="{pm25: {high: 400}}",
        AQI_OPEN_METEO__API_KEY="",
    )
    assert settings.warehouse.lock_wait_seconds == 2.5
    assert settings.open_meteo.attempts == 3
    assert settings.parameters.episode_rule == EpisodeRule(101, 4)
    assert settings.parameters.calendar == Calendar("2022-01-01", "2031-01-02")
    assert settings.spark.conf == {"spark.ui.enabled": "false", "spark.x": "3"}
    assert settings.parameters.limits["pm25"] == Bounds(None, 400)
    assert settings.open_meteo.api_key is None


@pytest.mark.parametrize("text", ["2025-08-20T06:00:00Z", "2025-08-20 06:00", "2025-08-20T13:00:00+07:00"])
def test_the_clock(text: str) -> None:
    assert given(AQI_CLOCK__NOW=text).now() == datetime(2025, 8, 20, 6, tzinfo=UTC)


@pytest.mark.parametrize("text", ["0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00"])
def test_a_clock_at_the_end_of_time(text: str) -> None:
    message, _ = refusal(AQI_CLOCK__NOW=text)
    assert message.startswith("the environment (AQI_CLOCK__NOW): clock.now: ")


def test_without_a_clock_it_is_the_machines() -> None:
    before = datetime.now(UTC)
    assert before <= given().now() <= datetime.now(UTC)
    assert given(AQI_CLOCK__NOW="").clock.now is None


def test_a_url_loses_its_last_slash() -> None:
    assert (
        given(AQI_OPEN_METEO__BASE_URL="http://localhost:1/").open_meteo.base_url.get_secret_value()
        == "http://localhost:1"
    )
