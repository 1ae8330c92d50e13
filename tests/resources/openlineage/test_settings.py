"""Where events go: the section, the standard variables, what is refused before any work, and what is never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration.core.errors import ConfigurationError
from resources.openlineage.settings import OpenLineageSettings
from tests.support.given_settings import given, profile_file, refusal

KEY = "s3cret-of-the-receiver"
CONFIG = Path(__file__).resolve().parents[3] / "config"
URL = "http://lineage.example.org:5000"


def of(**environment: str) -> OpenLineageSettings:
    return given(**environment).openlineage


def test_nothing_is_sent_unless_it_is_said() -> None:
    assert of() == OpenLineageSettings()
    assert of().way == "off"


def test_the_section() -> None:
    assert of(AQI_OPENLINEAGE__URL=f"{URL}/").url == URL
    assert of(AQI_OPENLINEAGE__URL=URL).way == "http"
    assert of(AQI_OPENLINEAGE__FILE="events.jsonl").way == "file"
    assert of(AQI_OPENLINEAGE__URL=URL, AQI_OPENLINEAGE__DISABLED="true").way == "off"


def test_the_standard_variables() -> None:
    settings = of(
        OPENLINEAGE_URL=URL,
        OPENLINEAGE_ENDPOINT="/events",
        OPENLINEAGE_API_KEY=KEY,
        OPENLINEAGE_NAMESPACE="prod",
    )
    assert (settings.way, settings.url, settings.endpoint, settings.namespace) == ("http", URL, "events", "prod")
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == KEY


def test_ours_stand_before_the_standard_ones(tmp_path: Path) -> None:
    theirs = {"OPENLINEAGE_URL": "http://other.example.org", "OPENLINEAGE_NAMESPACE": "a", "OPENLINEAGE_API_KEY": KEY}
    settings = of(**theirs, AQI_OPENLINEAGE__URL=URL)
    assert (settings.url, settings.namespace) == (URL, "a")
    assert settings.api_key is None, "a key goes to no other address than the one beside it"
    assert of(**theirs, AQI_OPENLINEAGE__FILE="events.jsonl").way == "file"
    path = config(tmp_path, "transport: {type: file, log_file_path: others.jsonl}")
    assert of(OPENLINEAGE_CONFIG=path, AQI_OPENLINEAGE__URL=URL).url == URL


def test_a_key_of_the_environment_for_an_address_of_ours() -> None:
    settings = of(AQI_OPENLINEAGE__URL=URL, OPENLINEAGE_API_KEY=KEY, OPENLINEAGE_ENDPOINT="events")
    assert settings.endpoint == "events"
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == KEY


def test_an_address_stands_before_a_file_of_the_profile(tmp_path: Path) -> None:
    local = (CONFIG / "local.yml").read_text(encoding="utf-8")
    profile = profile_file(tmp_path, f"{local}\nopenlineage: {{file: events.jsonl, namespace: ours}}\n")
    assert given(profile=profile).openlineage.way == "file"
    settings = given(profile=profile, OPENLINEAGE_URL=URL).openlineage
    assert (settings.file, settings.url, settings.namespace) == (None, URL, "ours")
    path = config(tmp_path, "transport: {type: file, log_file_path: others.jsonl}")
    assert given(profile=profile, OPENLINEAGE_CONFIG=path).openlineage.file == "others.jsonl"


def test_a_key_of_the_profile_goes_to_no_other_address(tmp_path: Path) -> None:
    local = (CONFIG / "local.yml").read_text(encoding="utf-8")
    said = f"openlineage: {{url: 'http://ours.example.org', api_key: {KEY}, endpoint: events}}"
    profile = profile_file(tmp_path, f"{local}\n{said}\n")
    assert given(profile=profile).openlineage.api_key is not None
    path = config(tmp_path, f"transport: {{type: http, url: '{URL}'}}")
    for settings in (given(profile=profile, OPENLINEAGE_URL=URL), given(profile=profile, OPENLINEAGE_CONFIG=path)):
        told = settings.openlineage
        assert (told.url, told.api_key, told.endpoint) == (URL, None, "api/v1/lineage")


@pytest.mark.parametrize(("text", "way"), [("true", "off"), (" TRUE ", "off"), ("false", "http"), ("", "http")])
def test_the_variable_that_switches_it_off(text: str, way: str) -> None:
    assert of(OPENLINEAGE_URL=URL, OPENLINEAGE_DISABLED=text).way == way


@pytest.mark.parametrize(
    "variables",
    [
        {"OPENLINEAGE_URL": " ", "OPENLINEAGE_CONFIG": ""},
        {"OPENLINEAGE__TRANSPORT__TYPE": "console"},
        {"OPENLINEAGE_CLIENT_LOGGING": "DEBUG"},
    ],
    ids=lambda variables: "+".join(variables),
)
def test_what_changes_nothing(variables: dict[str, str]) -> None:
    assert of(**variables) == OpenLineageSettings()


def test_files_that_clients_look_for_by_themselves_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openlineage.yml").write_text("transport: {type: console}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert of() == OpenLineageSettings()


def config(folder: Path, text: str) -> str:
    path = folder / "lineage.yml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_in_the_form_of_clients(tmp_path: Path) -> None:
    text = (
        f"transport: {{type: http, url: '{URL}', timeout: 2.5, auth: {{type: api_key, apiKey: {KEY}}}}}\nfacets: {{}}"
    )
    settings = of(OPENLINEAGE_CONFIG=config(tmp_path, text), OPENLINEAGE_URL="http://other.example.org")
    assert (settings.url, settings.endpoint, settings.timeout_seconds) == (URL, "api/v1/lineage", 2.5)
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == KEY
    text = "transport: {type: file, log_file_path: events.jsonl, append: true}"
    assert of(OPENLINEAGE_CONFIG=config(tmp_path, text)).file == "events.jsonl"
    assert of(OPENLINEAGE_CONFIG=config(tmp_path, "transport: {type: noop}")).way == "off"
    assert of(OPENLINEAGE_CONFIG=config(tmp_path, "tags: {}"), OPENLINEAGE_URL=URL).url == URL


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("transport: {type: kafka}", "transport.type must be http, file, noop (got 'kafka')"),
        ("transport: console", "transport.type must be http, file, noop (got None)"),
        (f"transport: {{type: http, url: '{URL}', verify: false}}", "transport.verify is not known here"),
        (f"transport: {{type: http, url: '{URL}', auth: {{type: jwt, apiKey: {KEY}}}}}", "transport.auth must be of"),
        (f"transport: {{type: http, auth: '{KEY}'}}", "transport.auth must be of"),
        (f"transport: [{KEY}", "is not YAML"),
    ],
)
def test_a_file_that_says_what_is_not_known(tmp_path: Path, text: str, location: str) -> None:
    path = config(tmp_path, text)
    message, remedy = refusal(OPENLINEAGE_CONFIG=path)
    assert message.startswith(f"OPENLINEAGE_CONFIG: {path}")
    assert location in message
    assert remedy
    assert KEY not in message + remedy


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    message, _ = refusal(OPENLINEAGE_CONFIG=str(tmp_path / "no.yml"))
    assert message == f"OPENLINEAGE_CONFIG: {tmp_path}/no.yml cannot be read (No such file or directory)"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("lineage.example.org:5000", "must start with http:// or https://"),
        ("file:///events", "must start with http:// or https://"),
        ("http://", "must be an address like"),
        ("http://:5000", "must be an address like"),
        ("http://lineage.example.org:port", "must be an address like"),
        ("http://lineage.example.org:70000", "must be an address like"),
        ("http://lineage.example.org:0", "must be an address like"),
        ("http://lineage example.org", "must be an address like"),
        ("http://[::1", "must be an address like"),
        (f"http://user:{KEY}@lineage.example.org", "must have no user, password"),
        (f"http://lineage.example.org?key={KEY}", "must have no user, password"),
    ],
)
def test_a_wrong_address(url: str, said: str) -> None:
    message, _ = refusal(OPENLINEAGE_URL=url)
    assert message.startswith("the environment (OPENLINEAGE_URL): openlineage.url: ")
    assert said in message
    assert KEY not in message


@pytest.mark.parametrize(
    "variables",
    [
        {"AQI_OPENLINEAGE__URL": URL, "AQI_OPENLINEAGE__FILE": "events.jsonl"},
        {"AQI_OPENLINEAGE__TIMEOUT_SECONDS": "0"},
        {"AQI_OPENLINEAGE__TIMEOUT_SECONDS": "nan"},
        {"AQI_OPENLINEAGE__TIMEOUT_SECONDS": "61"},
        {"OPENLINEAGE_URL": URL, "OPENLINEAGE_ENDPOINT": "http://other.example.org/"},
        {"OPENLINEAGE_URL": URL, "OPENLINEAGE_ENDPOINT": "/"},
        {"AQI_OPENLINEAGE__SOURCE_URL": "https://git.example.org/code"},
        {"AQI_OPENLINEAGE__SOURCE_URL": "https://git.example.org/{path}#{line}"},
        {"AQI_OPENLINEAGE__SOURCE_URL": "git.example.org/{path}"},
        {"AQI_OPENLINEAGE__URI": URL},
    ],
    ids=lambda variables: "+".join(f"{name}={value}" for name, value in variables.items()),
)
def test_what_is_refused(variables: dict[str, str]) -> None:
    message, _ = refusal(**variables)
    assert "openlineage" in message
    assert not variables.keys() & {"AQI_OPENLINEAGE__SOURCE_URL"} or "AQI_OPENLINEAGE__SOURCE_URL" in message


def check(**said: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        OpenLineageSettings(**said).check()
    assert caught.value.exit_status == 2
    return caught.value.message


def test_what_is_found_before_work(tmp_path: Path) -> None:
    OpenLineageSettings().check()
    OpenLineageSettings(file=str(tmp_path / "events.jsonl")).check()
    assert list(tmp_path.iterdir()) == []
    assert check(file=str(tmp_path)) == f"openlineage.file: {tmp_path} is a folder"
    assert check(file=str(tmp_path / "no" / "events")) == f"openlineage.file: {tmp_path}/no/events has no folder"
    OpenLineageSettings(file=str(tmp_path), disabled=True).check()
    for key in (f"{KEY}\n", f"{KEY} {KEY}", "schlüssel"):
        message = check(url=URL, api_key=key)
        assert message == "openlineage.api_key has characters that no header can have"


def test_the_key_is_never_shown() -> None:
    settings = given(OPENLINEAGE_URL=URL, OPENLINEAGE_API_KEY=KEY)
    shown = (repr(settings), str(settings.openlineage), str(settings.model_dump()), settings.model_dump_json())
    assert [text for text in shown if KEY in text] == []
    assert KEY not in "".join(refusal(OPENLINEAGE_URL="x", OPENLINEAGE_API_KEY=KEY))


def test_a_process_elsewhere_is_told_the_same(tmp_path: Path) -> None:
    """As the driver on the cluster: it has the profile, and neither the standard variables nor their files."""
    file = profile_file(tmp_path, "openlineage: {file: /var/log/events.jsonl, timeout_seconds: 7}")
    here = given(profile=file, OPENLINEAGE_URL=URL, OPENLINEAGE_API_KEY=KEY, OPENLINEAGE_NAMESPACE="a").openlineage
    assert given(profile=file, **here.as_environment()).openlineage == here
    assert here.as_environment()["AQI_OPENLINEAGE__API_KEY"] == KEY
    assert (here.file, here.timeout_seconds) == (None, 7)
    for section in ({}, {"file": "e.jsonl"}, {"url": URL, "disabled": True, "source_url": "https://x.org/{path}"}):
        settings = OpenLineageSettings(**section)
        assert of(**settings.as_environment()) == settings
