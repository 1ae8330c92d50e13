"""What this process knows to be secret is in no error, no log and no crash; other texts stay as they are."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from orchestration.core.errors import RunError
from resources.machine.secrets import hidden, hide_in, never_tell, secrets_of, telling_no_secret, without_passwords

KEY = "k3y/of=mine"


@pytest.fixture(autouse=True)
def _told() -> Iterator[None]:
    never_tell([KEY, "abc", "true"])
    yield
    never_tell([])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http://host:4200/api", "http://host:4200/api"),
        ("http://ann@host/a:b", "http://ann@host/a:b"),
        ("http://host:4200/a?x=b@c", "http://host:4200/a?x=b@c"),
        ("ws://ann:pw@host/x, and s3://u:p/w@b/k", "ws://***@host/x, and s3://***@b/k"),
        ("https://h/?a=1&api_key=xyz&b=2", "https://h/?a=1&api_key=***&b=2"),
        ("https://h/?sig=xyz#top", "https://h/?sig=***#top"),
        ("https://h/?design=new&monkey=", "https://h/?design=new&monkey="),
        ("10:30 <a@example.org>: abfss://box@account/x", "10:30 <a@example.org>: abfss://box@account/x"),
    ],
)
def test_addresses_in_a_text(text: str, told: str) -> None:
    assert without_passwords(text) == told


def test_what_variables_have() -> None:
    environment = {
        "PREFECT_API_KEY": "one1",
        "DB": "postgresql+asyncpg://u:t%77o@h/x",
        "HTTPS_PROXY": "http://p:three@h",
        "HOME": "/root",
        "AQI_REPORT__PATH": "s3://bucket/key",
    }
    assert {"one1", "t%77o", "three"} <= set(secrets_of(environment))
    assert not {"/root", "s3://bucket/key"} & set(secrets_of(environment))


def test_short_and_common_ones_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANY_TOKEN", "t0ken-of-the-shell")
    assert hidden("abc is true of k3y%2Fof%3Dmine and t0ken-of-the-shell") == "abc is true of *** and ***"


def test_errors_with_all_that_they_came_from() -> None:
    def fail() -> None:
        try:
            raise ValueError(f"first {KEY}", 7)
        except ValueError as first:
            raise RunError(f"second {KEY}", f"Use {KEY}.") from first

    with pytest.raises(RunError) as caught, telling_no_secret():
        fail()
    assert str(caught.value) == "second ***\n  Use ***."
    assert caught.value.args == ("second ***",)
    assert caught.value.__cause__ is not None
    assert caught.value.__cause__.args == ("first ***", 7)


def test_one_that_came_from_itself_ends() -> None:
    error = ValueError(KEY)
    error.__context__ = other = ValueError("x")
    other.__context__ = error
    hide_in(error)
    assert error.args == ("***",)


def test_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log = logging.getLogger("some.library")
    log.info("asked %s of %d", f"http://u:pw@h?x={KEY}", 7)
    log.warning("plain %s", "words")
    try:
        raise ValueError(KEY)
    except ValueError:
        log.exception("failed")
    text = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert "asked http://***@h?x=*** of 7" in text
    assert caplog.records[1].args == ("words",)
    assert KEY not in text
    assert "ValueError: ***" in text
    error = caplog.records[2].exc_info
    assert error is not None and error[1] is not None
    assert error[1].args == ("***",), "others make their own text of it"


def test_a_crash() -> None:
    """Of a process: what Python prints of an error that nobody caught."""
    begin, end = KEY[:4], KEY[4:]
    told = f"from resources.machine.secrets import never_tell\nnever_tell([{KEY!r}])"
    program = f"{told}\nraise ValueError('x{begin}' + {end!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ValueError: x***" in done.stderr
