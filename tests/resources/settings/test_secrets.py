"""What is secret is never shown: neither by settings nor by a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, cast, get_args, get_origin
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from orchestration.core.errors import ConfigurationError
from orchestration.project import AirSettings
from resources.machine.secrets import hidden
from resources.open_meteo.hosts import CUSTOMER_URL
from resources.settings.load import Settings
from resources.settings.secret import fields_within, kind_at, may_hold_secrets, ways
from resources.settings.section import Section
from resources.settings.seen_by_all import where_seen
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


# In every setting ---------------------------------------------------------------------------------------------------

PASSWORD = "s3cr-of-pw"
FORMS = (
    f"https://ann:{PASSWORD}@host.example:8080/a",
    f"https://ann:{PASSWORD}%2F1@host",
    f"x://an%6e:{PASSWORD}/?#2@host",
    f"https://host/?a=1&api_token={PASSWORD}",
)


def leaves(kind: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every key that there is in the settings, sections too, with its type."""
    if path:
        yield path, kind
    if fields := fields_within(kind):
        for name, inner in fields.items():
            yield from leaves(inner, (*path, name))
    elif inner := items_of(kind):
        item = "0" if inner[0] is list else "an-item"
        yield from leaves(inner[1], (*path, item))


def items_of(kind: Any) -> tuple[type, Any] | None:
    for one in ways(kind):
        if (of := get_origin(one)) is not None and get_args(one):
            if of in (list, tuple):
                return list, get_args(one)[0]
            if of is not Literal:
                return dict, get_args(one)[-1]
    return None


KINDS = dict(leaves(AirSettings))
BETWEEN: dict[tuple[str, ...], Any] = {
    ("deployments", "an-item"): {"flow": "backfill"},
    ("alerts", "email"): {"host": "h", "sender": "a@b", "recipients": ["c@d"]},
    ("alerts", "webhooks", "an-item"): {"url": "http://h"},
}
"""What must be said beside a key for it to be read."""


def planted(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Settings that say one key."""
    for at in range(len(path) - 1, -1, -1):
        more = BETWEEN.get(path[:at], {})
        value = [value] if path[at] == "0" else {**more, path[at]: value}
    return cast(dict[str, Any], value)


def told_of(settings: Settings) -> list[str]:
    return [repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()]


@pytest.mark.costly
@pytest.mark.parametrize("path", KINDS, ids=".".join)
def test_in_every_setting(path: tuple[str, ...]) -> None:
    """It is refused without being told, or hidden by the type of the setting."""
    forms = FORMS if str in ways(KINDS[path]) else FORMS[:1]
    for secret in [*forms, [f"x://u:{PASSWORD}@h"], {f"k {PASSWORD}": f"x://u:{PASSWORD}@h"}]:
        try:
            told = told_of(given(planted(path, secret)))
            assert may_hold_secrets(kind_at(AirSettings, path))
        except ConfigurationError as error:
            told, one = [], cast("BaseException | None", error)
            while one is not None:
                told += [str(one), repr(one)]
                one = one.__cause__ or one.__context__
        assert [text for text in told if PASSWORD in text] == [], secret


SECRET_ONES = [
    path for path, kind in KINDS.items() if not fields_within(kind) and any(SecretStr is k for k in ways(kind))
]


def test_which_are_secret_as_a_whole() -> None:
    names = ["alerts.email.password", "alerts.webhooks.an-item.url", "open_meteo.api_key", "openlineage.api_key"]
    assert sorted(map(".".join, SECRET_ONES)) == names


@pytest.mark.parametrize("path", SECRET_ONES, ids=".".join)
def test_a_secret_is_in_nothing_that_is_said_of_settings(path: tuple[str, ...]) -> None:
    secret = f"http://h/{PASSWORD}"
    more = {"open_meteo": {"base_url": CUSTOMER_URL}} if path[0] != "open_meteo" else {}
    flags = planted(path, secret)
    if path[0] == "open_meteo":
        flags["open_meteo"]["base_url"] = CUSTOMER_URL
    settings = given(flags | more)
    assert [text for text in told_of(settings) if PASSWORD in text] == []
    assert hidden(f"it is {secret}, {quote(secret, safe='')}") == "it is ***, ***"
    wrong = refused(planted(path, [secret]))
    assert PASSWORD not in f"{wrong}{wrong!r}"


def test_what_spark_is_told() -> None:
    conf = {"spark.ssl.keyPassword": PASSWORD, "spark.a": f"jdbc://u:{PASSWORD}@db", "spark.b": "1"}
    settings = given({"spark": {"conf": conf}})
    assert settings.spark.conf == conf
    assert [text for text in told_of(settings) if PASSWORD in text] == []
    assert "'spark.b': '1'" in repr(settings)


@pytest.mark.parametrize(
    "name",
    [
        *("spark.driver.extraJavaOptions", "spark.executor.defaultJavaOptions", "spark.yarn.am.extraJavaOptions"),
        *("spark.rpc.x.secret", "spark.authenticate.secrets", "spark.network.token", "spark.ssl.x.token"),
        *("spark.port.secret", "spark.my.token.port"),
    ],
)
def test_what_stands_on_a_command_line_has_no_secret(name: str) -> None:
    message, _ = refusal({"spark": {"conf": {name: f"-Dhttp.proxyPassword={PASSWORD}"}}})
    assert name in message
    assert "command line" in message
    assert PASSWORD not in message


@pytest.mark.parametrize("name", ["spark.executorEnv.DB_PASSWORD", "spark.yarn.appMasterEnv.MY_TOKEN"])
def test_what_stands_in_the_variables_of_a_container_has_no_secret(name: str) -> None:
    message, _ = refusal({"spark": {"master": "yarn", "conf": {name: PASSWORD}}})
    assert name in message
    assert "beside that container's log" in message
    assert PASSWORD not in message
    given({"spark": {"conf": {name: PASSWORD}}})  # there is no container
    given({"spark": {"master": "yarn", "conf": {name.rpartition(".")[0] + ".TZ": "UTC"}}})


@pytest.mark.spark
def test_what_spark_puts_on_command_lines_is_known(spark: Any) -> None:
    """By Spark's own word of what executors are given so, for all of its settings and for made-up ones."""
    jvm = spark._jvm
    its_own = jvm.java.lang.Class.forName("org.apache.spark.internal.config.ConfigEntry$").getField("MODULE$").get(None)
    entries = its_own.knownConfigs().keySet()
    made = [
        f"spark.{part}{end}"
        for part in ("auth", "authenticate", "rpc", "network", "ssl", "ssl.rpc", "port", "x", "hadoop.fs.s3a")
        for end in ("", "x", ".x", ".secret", ".keyPassword", ".token", ".port", ".portx", ".Passwords")
    ]
    names = {*map(str, entries), *made, "x.port"}
    assert len(names) > 500
    told = jvm.org.apache.spark.SparkConf.isExecutorStartupConf
    wrong = [
        name
        for name in sorted(names)
        if told(name) and not where_seen(name, on_yarn=True) and not name.endswith(".file")
    ]
    assert wrong == []
    assert [name for name in sorted(names) if where_seen(name, on_yarn=False) and not told(name)] == [
        name for name in sorted(names) if name.endswith("JavaOptions")
    ]


def test_a_key_that_is_called_as_secrets_are_has_a_type_that_hides_it() -> None:
    with pytest.raises(TypeError, match="smtp_password is called as secrets are"):
        type("Wrong", (Section,), {"__annotations__": {"smtp_password": "str"}, "__module__": __name__})
    type("Right", (Section,), {"__annotations__": {"smtp_password": SecretStr}, "__module__": __name__})
