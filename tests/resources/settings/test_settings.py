"""Settings: what wins over what, and every refusal with its place, its message and its remedy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.declarations.parameters import Calendar, EpisodeRule
from orchestration.core.errors import ConfigurationError
from resources.settings.load import CONFIG_FOLDER, Settings, load

KEY_RULE = "must be lower-case letters, digits, _ and -, starting with a letter or digit"
HUE = {"key": "hue", "name": "Huế", "latitude": 16.46, "longitude": 107.59, "timezone": "Asia/Ho_Chi_Minh"}


def given(flags: Mapping[str, Any] | None = None, profile: str | None = None, **environment: str) -> Settings:
    return load(profile, environment, flags)


def refusal(flags: Mapping[str, Any] | None = None, profile: str | None = None, **environment: str) -> tuple[str, str]:
    """The message and the remedy with which these settings are refused."""
    with pytest.raises(ConfigurationError) as caught:
        load(profile, environment, flags)
    return caught.value.message, caught.value.remedy


def profile_file(folder: Path, text: str | bytes) -> str:
    path = folder / "profile.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


# --- what wins ------------------------------------------------------------------------------------


def test_the_local_profile() -> None:
    """DESIGN, DATA_MODEL: the defaults that others rely on."""
    settings = given()
    assert settings.profile == "local"
    assert settings.warehouse.uri == "warehouse"
    assert settings.open_meteo.base_url == "https://air-quality-api.open-meteo.com"
    assert settings.spark.master.startswith("local")
    parameters = settings.parameters
    assert [place.key for place in parameters.locations] == ["hanoi", "hcmc", "danang"]
    assert [place.name for place in parameters.locations] == ["Hà Nội", "TP.HCM", "Đà Nẵng"]
    assert len(parameters.pollutants) == 10
    assert parameters.pollutants[0].unit_default == "µg/m³"
    assert parameters.episode_rule == EpisodeRule(151, 4)
    assert parameters.episode_rule.code == "AQI>=151_4h"
    assert parameters.calendar == Calendar("2022-01-01", "2030-12-31")
    assert (parameters.limits.of("co2"), parameters.limits.of("pm25")) == ((250, 2000), (None, 5000))
    assert (parameters.model_domain, parameters.row_rules) == ("cams_global", ())


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


def test_a_profile_may_bring_its_own_places(tmp_path: Path) -> None:
    profile = profile_file(tmp_path, "locations: [{key: hue, name: Huế, latitude: 1, longitude: 2, timezone: UTC}]")
    assert [place.key for place in given(None, profile).parameters.locations] == ["hue"]


def test_an_empty_profile_is_the_defaults(tmp_path: Path) -> None:
    assert given(None, profile_file(tmp_path, "# nothing\n")).warehouse.uri == "warehouse"


def test_variables_of_others_and_those_that_are_no_settings_are_left_alone() -> None:
    assert given(HOME="/root", AQI_REQUIRE_SHARED="1", AQI_IVY_SETTINGS="x", XAQI_WAREHOUSE__URI="y") == given()


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
        "%",
    ],
)
def test_text_of_the_environment_stays_text(text: str) -> None:
    """YAML would make a number of the key 0123456, another one at that, and cut the folder at ``#``."""
    settings = given(AQI_OPEN_METEO__API_KEY=text, AQI_WAREHOUSE__URI=text)
    assert settings.open_meteo.api_key is not None
    assert settings.open_meteo.api_key.get_secret_value() == settings.warehouse.uri == text


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
    assert settings.parameters.limits.of("pm25") == (None, 400)
    assert settings.open_meteo.api_key is None


@pytest.mark.parametrize("text", ["2025-08-20T06:00:00Z", "2025-08-20 06:00", "2025-08-20T13:00:00+07:00"])
def test_the_clock(text: str) -> None:
    assert given(AQI_CLOCK__NOW=text).now() == datetime(2025, 8, 20, 6, tzinfo=UTC)


def test_without_a_clock_it_is_the_machines() -> None:
    before = datetime.now(UTC)
    assert before <= given().now() <= datetime.now(UTC)
    assert given(AQI_CLOCK__NOW="").clock.now is None


def test_a_url_loses_its_last_slash() -> None:
    assert given(AQI_OPEN_METEO__BASE_URL="http://localhost:1/").open_meteo.base_url == "http://localhost:1"


# --- refusals: keys -------------------------------------------------------------------------------

SECTIONS = (
    "alerts, clock, deploy, deployments, hourly, locations, maintenance, open_meteo, pollutants, profile, rules, "
    "spark, warehouse, yarn"
)


@pytest.mark.parametrize(
    ("flags", "key", "remedy"),
    [
        ({"warehous": {"uri": "x"}}, "warehous", "Did you mean 'warehouse'?"),
        ({"xyz": 1}, "xyz", f"Known keys are {SECTIONS}."),
        ({"warehouse": {"url": "x"}}, "warehouse.url", "Did you mean 'uri'?"),
        ({"warehouse": {"folder": "x"}}, "warehouse.folder", "Known keys are lock_wait_seconds, uri."),
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


# --- refusals: values -----------------------------------------------------------------------------

CORRECT = "Correct the value."


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
            {"open_meteo": {"base_url": "air-quality-api.open-meteo.com"}},
            "open_meteo.base_url: must start with http:// or https:// (got 'air-quality-api.open-meteo.com')",
        ),
        (
            {"open_meteo": {"base_url": "ftp://x"}},
            "open_meteo.base_url: must start with http:// or https:// (got 'ftp://x')",
        ),
        (
            {"rules": {"limits": {"pm24": {"high": 1}}}},
            "rules: limits: 'pm24' is no concentration; "
            "known are pm25, pm10, o3, no2, so2, co, aod, dust, uv_index, co2",
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


# --- refusals: profiles ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lokal", "locations", "rules", "LOCAL", "local.json"])
def test_an_unknown_profile(name: str) -> None:
    domain = {"deployments", "locations", "pollutants", "rules"}
    known = sorted({file.stem for file in CONFIG_FOLDER.glob("*.yml")} - domain)
    remedy = f"Profiles are {', '.join(known)}, or the path of a YAML file."
    assert refusal(None, name) == refusal(AQI_PROFILE=name) == (f"profile: {name!r} is unknown", remedy)


@pytest.mark.parametrize("name", ["no/such/file", "none.yml", "none.yaml", "/"])
def test_a_profile_file_that_is_not_there(name: str) -> None:
    assert refusal(None, name) == (f"profile: there is no file {name}", "Name a YAML file that exists.")


@pytest.mark.parametrize(("text", "kind"), [("- a\n- b", "list"), ("text", "str"), ("3", "int")])
def test_a_profile_that_is_no_mapping(text: str, kind: str, tmp_path: Path) -> None:
    profile = profile_file(tmp_path, text)
    assert refusal(None, profile) == (f"{profile}: must hold sections (got a {kind})", "")


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\tx: 1", b"\xff\xfe\x00", b"name: H\xe0 N\xf4i"])
def test_a_profile_that_is_no_yaml(text: str | bytes, tmp_path: Path) -> None:
    profile = profile_file(tmp_path, text)
    message, remedy = refusal(None, profile)
    assert message.startswith(f"{profile}: is not YAML: ")
    assert remedy == "Correct the file."


def test_a_section_that_is_none(tmp_path: Path) -> None:
    profile = profile_file(tmp_path, "warehouse: 3")
    expected = "warehouse: Input should be a valid dictionary or instance of WarehouseSettings (got 3)"
    assert refusal(None, profile) == (f"{profile}: {expected}", CORRECT)


# --- the api key is a secret ----------------------------------------------------------------------

SECRET = "s3cret-of-the-provider"


def test_the_api_key_is_never_shown() -> None:
    settings = given(AQI_OPEN_METEO__API_KEY=SECRET)
    assert settings.open_meteo.api_key is not None
    assert settings.open_meteo.api_key.get_secret_value() == SECRET
    shown = (repr(settings), str(settings), f"{settings.open_meteo}", str(settings.model_dump()))
    assert [text for text in (*shown, settings.model_dump_json()) if SECRET in text] == []


def test_the_api_key_is_not_shown_by_a_refusal_elsewhere() -> None:
    """Neither in the message nor in what a traceback would print of its causes."""
    with pytest.raises(ConfigurationError) as caught:
        load(
            None,
            {"AQI_OPEN_METEO__API_KEY": SECRET, "AQI_OPEN_METEO__ATTEMPTS": "x"},
            {"open_meteo": {"no": 1}},
        )
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error)
        assert SECRET not in repr(error)
        error = error.__cause__ or error.__context__


# --- what is secret, and names that are taken ---------------------------------------------------------


def test_an_error_in_alerts_does_not_repeat_what_may_be_secret() -> None:
    message, _ = refusal(None, AQI_ALERTS__WEBHOOKS='{team: "https://hooks.example.org/SECRET"}')
    assert "alerts.webhooks.team" in message
    assert "SECRET" not in message


def test_the_environment_without_a_name_has_no_second_one() -> None:
    message, _ = refusal({"deploy": {"environment": "default"}})
    assert "deploy.environment: is what the environment without a name is called" in message
