"""Which settings hold, and where each is said."""

from __future__ import annotations

from typing import Any

import yaml

from orchestration.project import load
from tests.support.cli_calls import Aqi

SECRET = "sesame-9b1d"


def said(aqi: Aqi, *call: str, **env: str) -> dict[str, tuple[Any, str]]:
    return {one["key"]: (one["value"], one["from"]) for one in aqi.json("config", *call, **env)}


def test_where_each_setting_is_said(aqi: Aqi) -> None:
    (aqi.folder / "mine.yml").write_text("embedded: {memory: 2g}\nwarehouse: {uri: there}\n", encoding="utf-8")
    found = said(aqi, "--profile", "mine.yml", AQI_WAREHOUSE__URI="elsewhere", AQI_HOURLY__REVISABLE_DAYS="3")
    assert found["profile"] == ("mine.yml", "the command line")
    assert found["embedded.memory"] == ("2g", "mine.yml")
    assert found["embedded.timeout_seconds"] == (3600, "default")
    assert found["warehouse.uri"] == ("elsewhere", "the environment (AQI_WAREHOUSE__URI)")
    assert found["hourly.revisable_days"] == (3, "the environment (AQI_HOURLY__REVISABLE_DAYS)")
    assert found["engine"] == ("embedded", "default")
    assert found["rules.episode.threshold"][1].endswith("config/rules.yml")
    assert found["locations"][1].endswith("config/locations.yml")
    assert [one["key"] for one in found["locations"][0]] == ["hanoi", "hcmc", "danang"]
    assert said(aqi)["profile"] == ("local", "default")
    assert said(aqi, AQI_PROFILE="mine.yml")["profile"] == ("mine.yml", "the environment (AQI_PROFILE)")


def test_nothing_secret_is_shown(aqi: Aqi) -> None:
    env = {
        "AQI_OPEN_METEO__BASE_URL": f"https://user:{SECRET}@api.example.org",
        "AQI_ALERTS__EMAIL": "{host: mail.example.org, sender: a@b.org, recipients: [c@d.org], "
        f"user: u, password: {SECRET}}}",
        "AQI_SPARK__CONF": f"{{spark.ssl.keyPassword: {SECRET}, spark.ui.enabled: 'false'}}",
        "AQI_OPENLINEAGE__URL": "http://127.0.0.1:1",
        "AQI_OPENLINEAGE__API_KEY": SECRET,
    }
    for call in (("config",), ("config", "--json")):
        done = aqi(*call, **env)
        assert (done.exit_code, done.stderr) == (0, "")
        assert SECRET not in done.output
        assert "api.example.org" in done.stdout
        assert "mail.example.org" in done.stdout
        assert "spark.ui.enabled" in done.stdout


def test_it_is_a_profile_that_says_the_same(aqi: Aqi) -> None:
    text = aqi.text("config", AQI_SPARK__CONF="{spark.ui.enabled: 'false'}", AQI_WAREHOUSE__URI="a #b")
    (aqi.folder / "same.yml").write_text(text, encoding="utf-8")
    assert yaml.safe_load(text)["warehouse"]["uri"] == "a #b"
    same, first = (
        load("same.yml"),
        load(flags={"warehouse": {"uri": "a #b"}, "spark": {"conf": {"spark.ui.enabled": "false"}}}),
    )
    assert same.model_copy(update={"profile": "local"}) == first


def test_a_section(aqi: Aqi) -> None:
    assert {"warehouse.uri", "warehouse.lock_wait_seconds"} <= set(said(aqi, "warehouse"))
    assert {key.partition(".")[0] for key in said(aqi, "warehouse")} == {"warehouse"}
    assert set(said(aqi, "warehouse.uri")) == {"warehouse.uri"}
    assert aqi.text("config", "feed") == "feed:\n  frozen_hours: 12  # config/local.yml\n"
    assert aqi.refusal("config", "warehuose") == ("setting 'warehuose' is unknown", "Did you mean 'warehouse'?")
    assert aqi.refusal("config", "warehouse.url")[1] == "Did you mean 'warehouse.uri'?"


def test_a_profile_in_the_folder_config_is_found_by_its_name(aqi: Aqi) -> None:
    assert aqi.refusal("config", "--profile", "dev")[0] == "profile: 'dev' is unknown"
    (aqi.folder / "config").mkdir()
    (aqi.folder / "config" / "dev.yml").write_text("embedded: {memory: 2g}\n", encoding="utf-8")
    (aqi.folder / "config" / "local.yml").write_text("embedded: {memory: 3g}\n", encoding="utf-8")
    assert said(aqi, "--profile", "dev")["embedded.memory"] == ("2g", "config/dev.yml")
    assert said(aqi, AQI_PROFILE="dev")["embedded.memory"] == ("2g", "config/dev.yml")
    assert said(aqi)["embedded.memory"][0] == "1g", "the project's own profiles stay what they are"
