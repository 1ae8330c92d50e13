"""Mail and webhooks against real servers on 127.0.0.1: what arrives, and what is said when it does not."""

from __future__ import annotations

import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event as Signal
from typing import Any

import pytest

from orchestration.core.alerts.watch_state import Event, Message
from orchestration.core.errors import ConfigurationError
from orchestration.project import load
from resources.alert_channels import AlertError, Bounded, Channel, Email, Webhook, channels_of
from resources.settings.operations import EmailSettings, WebhookSettings
from tests.support.alert_sinks import HookSink, MailSink, _Mail, free_port

pytestmark = pytest.mark.costly  # servers, or waits

MESSAGE = Message(
    Event.BEGAN,
    "failed",
    "run:materialize/aqi-hourly",
    "materialize/aqi-hourly failed",
    "Why:\n  no answer for Hà Nội\n.\nGo on: prefect deployment run materialize/aqi-hourly",
    "2025-08-20T06:00:21Z",
    "2025-08-20T06:00:21Z",
    "prod",
)
BOTH = ("ops@example.org", "boss@example.org")


def email(port: int, **changes: Any) -> Email:
    known = {"security": "none", "sender": "aqi@example.org", "recipients": BOTH} | changes
    timeout = known.pop("timeout_seconds", 5)
    return Email(EmailSettings.model_validate({"host": "127.0.0.1", "port": port, **known}), timeout)


def webhook(url: str, form: str = "json", timeout_seconds: float = 5) -> Webhook:
    return Webhook(WebhookSettings.model_validate({"url": url, "form": form}), timeout_seconds)


def refusal(channel: Channel, message: Message = MESSAGE) -> AlertError:
    with pytest.raises(AlertError) as raised:
        channel.send(message)
    assert raised.value.__cause__ is None
    for secret in ("hunter2", "secret-token"):
        assert secret not in f"{raised.value!r} {raised.value}"
    return raised.value


@pytest.fixture
def mail() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink


@pytest.fixture
def hook() -> Iterator[HookSink]:
    with HookSink() as sink:
        yield sink


# --- mail ---------------------------------------------------------------------------------------------------------


def test_a_mail_arrives_whole_at_all_recipients(mail: MailSink) -> None:
    email(mail.port).send(MESSAGE)
    assert mail.subjects == ["[aqi prod] materialize/aqi-hourly failed"]
    assert mail.recipients == [list(BOTH)]
    [text], [sent] = mail.texts, mail.mails
    assert text.startswith(MESSAGE.text)
    assert "failed run:materialize/aqi-hourly, since 2025-08-20T06:00:21Z" in text
    assert (sent["From"], sent["To"]) == ("aqi@example.org", ", ".join(BOTH))
    assert sent["Message-ID"] == f"<{MESSAGE.id}@aqi>"
    assert sent["Date"] is not None


def test_a_mail_server_that_wants_a_password(mail: MailSink) -> None:
    mail.login = ("aqi", "hunter2")
    email(mail.port, user="aqi", password="hunter2").send(MESSAGE)
    assert len(mail.mails) == 1
    mail.login = ("aqi", "another")
    error = refusal(email(mail.port, user="aqi", password="hunter2"))  # it repeats the password
    assert "does not accept user and password (535)" in error.message
    mail.login = None
    assert "AUTH" in refusal(email(mail.port, user="aqi", password="hunter2")).message


def test_a_mail_server_that_is_down() -> None:
    port = free_port()
    error = refusal(email(port))
    assert error.message == f"the mail server 127.0.0.1:{port} takes no mail (Connection refused)"
    assert not error.refused


def test_a_mail_server_that_is_slow(mail: MailSink) -> None:
    mail.delay_seconds = 1
    assert "timed out" in refusal(email(mail.port, timeout_seconds=0.2)).message
    assert not mail.mails


def test_a_mail_server_that_is_none(hook: HookSink) -> None:
    assert "takes no mail" in refusal(email(hook.port, timeout_seconds=0.5)).message


def test_a_mail_server_that_refuses_the_mail(mail: MailSink) -> None:
    mail.after_data = "554 this looks like spam"
    error = refusal(email(mail.port))
    assert error.message == f"the mail server 127.0.0.1:{mail.port} answers 554 this looks like spam"
    assert error.refused
    mail.after_data = "451 later"
    assert not refusal(email(mail.port)).refused


@pytest.mark.parametrize(("code", "too_large"), [(552, True), (550, False), (451, False)])
def test_a_mail_server_that_refuses_the_sender_refuses_no_message(
    mail: MailSink, code: int, too_large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or what is wrong with the settings would cost every message."""
    real = _Mail._answer

    def answer(self: _Mail, sink: MailSink, line: str) -> bool:
        if not line.upper().startswith("MAIL"):
            return real(self, sink, line)
        self._say(f"{code} no")
        return True

    monkeypatch.setattr(_Mail, "_answer", answer)
    error = refusal(email(mail.port))
    assert f"answers {code} no" in error.message
    assert error.refused == too_large


def test_recipients_that_a_mail_server_refuses(mail: MailSink) -> None:
    mail.refused = {"ops@example.org"}
    error = refusal(email(mail.port))
    assert error.partly
    assert "some of the recipients (ops@example.org: 550 nobody)" in error.message
    assert mail.recipients == [["boss@example.org"]]
    mail.refused = set(BOTH)
    error = refusal(email(mail.port))
    assert not error.partly
    assert "none of the recipients" in error.message


def test_what_no_header_can_hold(mail: MailSink) -> None:
    assert refusal(email(mail.port, sender="aqi@example.org\nBcc: you@example.org")).refused
    assert not mail.mails


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, and its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    made = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=sink"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(["openssl", "req", *made, *names], cwd=folder, check=True, capture_output=True, timeout=60)
    both = folder / "both.pem"
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "certificate.pem").read_bytes())
    return both


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_over_tls_is_for_a_server_that_can_be_trusted(
    certificate: Path, security: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with MailSink(security=security, tls=context) as sink:
        channel = email(sink.port, security=security)
        assert "certificate verify failed" in refusal(channel).message
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("certificate.pem")))
        channel.send(MESSAGE)
        assert len(sink.mails) == 1


def test_a_server_without_starttls_gets_no_mail(mail: MailSink) -> None:
    assert "STARTTLS" in refusal(email(mail.port, security="starttls", user="aqi", password="hunter2")).message
    assert not mail.mails


# --- webhooks -----------------------------------------------------------------------------------------------------


def test_a_webhook_gets_every_field(hook: HookSink) -> None:
    webhook(hook.url).send(MESSAGE)
    assert hook.bodies == [MESSAGE.to_json()]
    assert set(hook.bodies[0]) == {"id", "event", "kind", "key", "title", "text", "at", "since", "environment"}


def test_a_webhook_for_slack_gets_a_text(hook: HookSink) -> None:
    webhook(hook.url, "slack").send(MESSAGE)
    assert hook.bodies == [{"text": f"*[aqi prod] materialize/aqi-hourly failed*\n{MESSAGE.text}"}]


def test_signs_that_slack_would_take_for_its_own(hook: HookSink) -> None:
    webhook(hook.url, "slack").send(replace(MESSAGE, title="a < b", text='<!channel> & "more" &amp;'))
    assert hook.bodies == [{"text": '*[aqi prod] a &lt; b*\n&lt;!channel&gt; &amp; "more" &amp;amp;'}]
    webhook(hook.url).send(replace(MESSAGE, text="<&>"))
    assert hook.bodies[1]["text"] == "<&>"


@pytest.mark.parametrize(("status", "refused"), [(400, True), (403, False), (429, False), (500, False)])
def test_a_webhook_that_answers_otherwise(hook: HookSink, status: int, refused: bool) -> None:
    hook.status = status
    error = refusal(webhook(hook.url))
    assert (error.message, error.refused) == (f"the webhook at 127.0.0.1 answers {status}", refused)


def test_a_redirect_is_not_taken_for_an_arrival(hook: HookSink) -> None:
    hook.status, hook.location = 302, "/elsewhere"
    assert "answers 302" in refusal(webhook(hook.url)).message
    assert hook.asked == ["POST"]


def test_a_webhook_that_is_down_or_slow(hook: HookSink) -> None:
    hook.delay_seconds = 1
    assert "within 0.2 s" in refusal(webhook(hook.url, timeout_seconds=0.2)).message
    hook.stop()
    assert refusal(webhook(hook.url)).message == "the webhook at 127.0.0.1 cannot be reached (ConnectionError)"


def test_a_webhook_without_a_certificate_to_be_trusted(hook: HookSink) -> None:
    assert "certificate" in refusal(webhook(hook.url.replace("http:", "https:"))).message


# --- a channel that takes its time --------------------------------------------------------------------------------


@dataclass
class Slow:
    """A channel that takes a message when it is let go."""

    error: Exception | None = None
    go_on: Signal = field(default_factory=Signal)
    got: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        self.got.append(message)
        assert self.go_on.wait(30)
        if self.error is not None:
            raise self.error


def test_a_send_that_takes_too_long_is_waited_for_and_not_repeated() -> None:
    slow, other = Slow(), replace(MESSAGE, title="another")
    bounded = Bounded(slow)
    for message in (MESSAGE, MESSAGE, other):
        error = bounded.send(message, 0.05)
        assert error is not None and "takes longer" in error.message
        assert not (error.refused or error.partly)
    assert slow.got == [MESSAGE]
    slow.go_on.set()
    assert bounded.send(MESSAGE, 5) is None
    assert slow.got == [MESSAGE]
    assert bounded.send(other, 5) is None
    assert slow.got == [MESSAGE, other]


def test_what_goes_wrong_meanwhile_is_told_of_its_own_message_only() -> None:
    slow = Slow(AlertError("no", refused=True))
    bounded = Bounded(slow)
    assert bounded.send(MESSAGE, 0) is not None
    slow.go_on.set()
    error = bounded.send(MESSAGE, 5)
    assert error is not None and error.refused
    slow.error = ValueError("a bug, with hunter2")
    error = bounded.send(MESSAGE, 5)
    assert error is not None and error.message == "ValueError in the channel"


def test_a_server_that_drips_holds_nobody_up(mail: MailSink) -> None:
    """Each line comes in time, and all of them do not."""
    mail.delay_seconds = 0.3
    began = time.monotonic()
    assert Bounded(email(mail.port, timeout_seconds=5)).send(MESSAGE, 0.5) is not None
    assert time.monotonic() - began < 1.5


# --- settings -----------------------------------------------------------------------------------------------------


def test_channels_from_the_environment() -> None:
    settings = load(
        environment={
            "AQI_ALERTS__EMAIL__HOST": "mail.example.org",
            "AQI_ALERTS__EMAIL__SENDER": "aqi@example.org",
            "AQI_ALERTS__EMAIL__RECIPIENTS": "[ops@example.org]",
            "AQI_ALERTS__EMAIL__PASSWORD": "hunter2",
            "AQI_ALERTS__WEBHOOKS": "{team: {url: https://example.org/secret-token, form: slack}, gone: null}",
            "AQI_ALERTS__WEBHOOKS__OTHER__URL": "https://example.org/secret-token",
        }
    )
    channels = channels_of(settings.alerts)
    assert list(channels) == ["email", "webhook team", "webhook other"]
    for channel in channels.values():
        assert "secret-token" not in repr(channel)
        assert "hunter2" not in repr(channel)
    team, other = channels["webhook team"], channels["webhook other"]
    assert isinstance(team, Webhook) and isinstance(other, Webhook)
    assert (team.settings.form, other.settings.form) == ("slack", "json")
    assert channels_of(load(environment={}).alerts) == {}


def test_an_address_that_is_none_is_refused_without_being_repeated() -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(environment={"AQI_ALERTS__WEBHOOKS": "{team: {url: secret-token}}"})
    assert "alerts.webhooks.team" in str(raised.value)
    assert "secret-token" not in str(raised.value)
