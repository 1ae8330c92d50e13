"""Every refusal of a key or a value with its place, its message and its remedy."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from assets.parameters import Calendar
from tests.support.given_settings import CORRECT, HUE, given, profile_file, refusal
from tests.support.oracle import CONCENTRATIONS

# --- keys -----------------------------------------------------------------------------------------


SECTIONS = (
    "alerts, clock, deploy, deployments, embedded, engine, essential, feed, history, hourly, locations, maintenance, "
    "open_meteo, openlineage, pollutants, profile, raw, report, rules, sources, spark, warehouse, "
    "yarn"
)


@pytest.mark.parametrize(
    ("flags", "key", "remedy"),
    [
        ({"warehous": {"uri": "x"}}, "warehous", "Did you mean 'warehouse'?"),
        ({"xyz": 1}, "xyz", f"Known keys are {SECTIONS}."),
        ({"warehouse": {"url": "x"}}, "warehouse.url", "Did you mean 'uri'?"),
        ({"warehouse": {"folder": "x"}}, "warehouse.folder", "Known keys are lock_wait_seconds, mixed_sources, uri."),
        ({"spark": {"memory": "1g"}}, "spark.memory", "Did you mean 'driver_memory'?"),
        ({"rules": {"episode": {"min_hour": 3}}}, "rules.episode.min_hour", "Did you mean 'min_hours'?"),
        ({"rules": {"limits": {"pm25": {"hi": 3}}}}, "rules.limits.pm25.hi", "Did you mean 'high'?"),
        ({"rules": {"limits": {"pm25": {"max": 3}}}}, "rules.limits.pm25.max", "Known keys are high, low."),
        ({"locations": [HUE | {"lattitude": 1}]}, "locations.0.lattitude", "Did you mean 'latitude'?"),
        ({"locations": [HUE, HUE | {"zone": 1}]}, "locations.1.zone", "Did you mean 'timezone'?"),
    ],
)
def test_an_unknown_key(flags: dict[str, Any], key: str, remedy: str) -> None:
    assert refusal(flags) == (f"the command line: unknown key {key!r}", remedy)


def test_an_unknown_key_of_the_environment() -> None:
    where = "the environment (AQI_WAREHOUS__URI)"
    assert refusal(AQI_WAREHOUS__URI="x") == (f"{where}: unknown key 'warehous'", "Did you mean 'warehouse'?")
    where = "the environment (AQI_OPEN_METEO__BASEURL)"
    expected = (f"{where}: unknown key 'open_meteo.baseurl'", "Did you mean 'base_url'?")
    assert refusal(AQI_OPEN_METEO__BASEURL="http://x") == expected


def test_an_unknown_key_of_a_file(tmp_path: Path) -> None:
    profile = profile_file(tmp_path, "spark: {mastr: yarn}")
    assert refusal(None, profile) == (f"{profile}: unknown key 'spark.mastr'", "Did you mean 'master'?")


@pytest.mark.parametrize("variable", ["AQI_WAREHOUSE_URI", "AQI_WAREHOUSE", "AQI_", "AQI_PROFIL"])
def test_a_variable_with_one_underscore(variable: str) -> None:
    assert refusal(None, None, **{variable: "x"}) == (
        f"the environment: {variable} is no setting",
        "Settings are AQI_<SECTION>__<KEY>, with two underscores: AQI_WAREHOUSE__URI.",
    )


# --- values ---------------------------------------------------------------------------------------


KEY_RULE = "must be lower-case letters, digits, _ and -, starting with a letter or digit"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"spark": {"max_parallel_steps": "many"}},
            "spark.max_parallel_steps: Input should be a valid integer, unable to parse string as an integer "
            "(got 'many')",
        ),
        (
            {"spark": {"max_parallel_steps": 0}},
            "spark.max_parallel_steps: Input should be greater than or equal to 1 (got 0)",
        ),
        (
            {"spark": {"driver_memory": "1 GB"}},
            "spark.driver_memory: String should match pattern '^[0-9]+[kmgt]$' (got '1 GB')",
        ),
        (
            {"warehouse": {"lock_wait_seconds": -1}},
            "warehouse.lock_wait_seconds: Input should be greater than or equal to 0 (got -1)",
        ),
        (
            {"warehouse": {"uri": " "}},
            "warehouse.uri: must be a folder or a URI, without backticks and line breaks (got ' ')",
        ),
        (
            {"warehouse": {"uri": "a`b"}},
            "warehouse.uri: must be a folder or a URI, without backticks and line breaks (got 'a`b')",
        ),
        (
            {"warehouse": {"uri": "hdfs://nn/a%41"}},
            "warehouse.uri: must have ASCII letters alone, no space, %, # or ?: deltalake takes them for others "
            "(got 'hdfs://nn/a%41')",
        ),
        (
            {"open_meteo": {"base_url": "air-quality-api.open-meteo.com"}},
            "open_meteo.base_url: must start with http:// or https:// (got 'air-quality-api.open-meteo.com')",
        ),
        (
            {"open_meteo": {"base_url": "ftp://x"}},
            "open_meteo.base_url: must start with http:// or https:// (got 'ftp://x')",
        ),
        (
            {"open_meteo": {"model_domain": "cams_europa"}},
            "open_meteo.model_domain: must be one of auto, cams_global, cams_europe: did you mean cams_europe? "
            "(got 'cams_europa')",
        ),
        (
            {"open_meteo": {"model_domain": ""}},
            "open_meteo.model_domain: must be one of auto, cams_global, cams_europe (got '')",
        ),
        (
            {"rules": {"limits": {"pm24": {"high": 1}}}},
            f"rules: limits: 'pm24' is no concentration; known are {', '.join(CONCENTRATIONS)}",
        ),
        (
            {"rules": {"calendar": {"first": "2030-01-01", "last": "2029-12-31"}}},
            "rules.calendar: last (2029-12-31) lies before first (2030-01-01)",
        ),
        (
            {"rules": {"calendar": {"last": "2021-12-31"}}},
            "rules.calendar: last (2021-12-31) lies before first (2022-01-01)",
        ),
        (
            {"rules": {"episode": {"min_hours": 0}}},
            "rules.episode.min_hours: Input should be greater than or equal to 1 (got 0)",
        ),
        ({"locations": []}, "locations: List should have at least 1 item after validation, not 0"),
        ({"locations": [{"key": "hue"}]}, "locations.0.name: Field required"),
        (
            {"locations": [HUE | {"latitude": 91}]},
            "locations.0.latitude: Input should be less than or equal to 90 (got 91)",
        ),
        (
            {"locations": [HUE | {"longitude": -181}]},
            "locations.0.longitude: Input should be greater than or equal to -180 (got -181)",
        ),
    ],
)
def test_a_wrong_value(flags: dict[str, Any], message: str) -> None:
    assert refusal(flags) == (f"the command line: {message}", CORRECT)


def test_a_calendar_of_one_day() -> None:
    one_day = {"rules": {"calendar": {"first": "2025-01-01", "last": "2025-01-01"}}}
    assert given(one_day).parameters.calendar == Calendar("2025-01-01", "2025-01-01")


def test_a_wrong_value_of_the_environment() -> None:
    assert refusal(AQI_OPEN_METEO__ATTEMPTS="few") == (
        "the environment (AQI_OPEN_METEO__ATTEMPTS): open_meteo.attempts: "
        "Input should be a valid integer, unable to parse string as an integer (got 'few')",
        CORRECT,
    )
    message, remedy = refusal(AQI_CLOCK__NOW="yesterday")
    assert message.startswith("the environment (AQI_CLOCK__NOW): clock.now: Input should be a valid datetime")
    assert remedy == CORRECT


@pytest.mark.parametrize(
    "key",
    [
        "",
        "Hue",
        "HUE",
        "hue/x",
        "hue x",
        " hue",
        "hue'",
        'hue"',
        "hue.x",
        "huế",
        "_hue",
        "-hue",
        "hue\n",
        "h" * 64,
    ],
)
def test_a_location_key_that_cannot_be_part_of_a_partition_key(key: str) -> None:
    message = f"the command line: locations.0.key: {KEY_RULE} (got {key!r})"
    assert refusal({"locations": [HUE | {"key": key}]}) == (message, CORRECT)


@pytest.mark.parametrize("key", ["h", "0", "ho-chi_minh2", "h" * 63])
def test_a_location_key_that_can(key: str) -> None:
    assert given({"locations": [HUE | {"key": key}]}).locations[0].key == key


@pytest.mark.parametrize(
    "name",
    ["", "Hanoi", "Asia/Hue", "UTC+7", "../etc/passwd", "/etc/passwd", "America", "A" * 300, "Asia/\x00"],
)
def test_a_time_zone_that_does_not_exist(name: str) -> None:
    message = (
        "the command line: locations.0.timezone: must be an IANA time zone, for instance Asia/Ho_Chi_Minh "
        f"(got {name!r})"
    )
    assert refusal({"locations": [HUE | {"timezone": name}]}) == (message, CORRECT)


def test_a_key_that_is_used_twice() -> None:
    expected = "the configuration: settings: locations: the key 'hue' is used twice; keys must be distinct"
    assert refusal({"locations": [HUE, HUE]}) == (expected, CORRECT)
    pollutant = {"code": "co", "display_name": "CO", "unit_default": "1"}
    expected = "the configuration: settings: pollutants: the key 'co' is used twice; keys must be distinct"
    assert refusal({"pollutants": [pollutant, pollutant]}) == (expected, CORRECT)


def test_a_section_that_is_none(tmp_path: Path) -> None:
    profile = profile_file(tmp_path, "warehouse: 3")
    expected = "warehouse: Input should be a valid dictionary or instance of WarehouseSettings (got 3)"
    assert refusal(None, profile) == (f"{profile}: {expected}", CORRECT)


def test_the_environment_without_a_name_has_no_second_one() -> None:
    message, _ = refusal({"deploy": {"environment": "default"}})
    assert "deploy.environment: is what the environment without a name is called" in message


@pytest.mark.parametrize(
    "day",
    ["2025-01-01T05:00:00", datetime(2025, 1, 1, 5), datetime(2025, 1, 1, tzinfo=UTC), "20250101", "2025-W01-1", 3],
)
def test_a_day_of_the_calendar_is_a_day(day: object) -> None:
    message, _ = refusal({"rules": {"calendar": {"first": day}}})
    assert "rules.calendar.first: must be a day, for instance 2022-01-01" in message


@pytest.mark.parametrize("day", ["2025-01-01T00:00:00", datetime(2025, 1, 1), date(2025, 1, 1), "2025-01-01"])
def test_midnight_is_a_day_too(day: object) -> None:
    assert given({"rules": {"calendar": {"first": day}}}).parameters.calendar.first == "2025-01-01"
