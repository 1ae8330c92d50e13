"""The ways in which people are told: mail and webhooks. Each takes a message or raises AlertError.

Passwords and addresses of webhooks, which are secrets, are in no error.
"""

from __future__ import annotations

import contextlib
import html
import smtplib
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests

from orchestration.core.alerts.watch_state import Message
from orchestration.core.errors import MachineError, RunError, in_a_line
from resources.machine.proxies import check_way, for_requests
from resources.machine.secrets import hidden
from resources.settings.operations import AlertSettings, EmailSettings, WebhookSettings

TIMEOUT_SECONDS = 10
_REFUSED = (400, 413, 415, 422)
"""Of a webhook: this message, and perhaps no other."""
_TOO_LARGE = 552
"""Of a mail server that was told the size with the sender."""


class AlertError(RunError):
    """A channel did not take a message.

    refused: another message may pass. partly: some have it, so that it is not to be sent again.
    """

    def __init__(self, message: str, *, refused: bool = False, partly: bool = False) -> None:
        super().__init__(message)
        self.refused = refused
        self.partly = partly


class Channel(Protocol):
    """A way to tell people."""

    def send(self, message: Message) -> None:
        """Raises AlertError."""


def channels_of(settings: AlertSettings) -> dict[str, Channel]:
    """The configured channels, by the name that errors and the watch's memory have for them."""
    channels: dict[str, Channel] = {} if settings.email is None else {"email": Email(settings.email)}
    for name, webhook in settings.webhooks.items():
        if webhook is not None:
            channels[f"webhook {name}"] = Webhook(webhook)
    return channels


class Bounded:
    """A channel that holds nobody up: a send that takes too long goes on in its thread, alone until it ends."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._going: tuple[Message, Future[AlertError | None]] | None = None

    def send(self, message: Message, seconds: float) -> AlertError | None:
        """Gives what went wrong, if anything did. A message that is sent already is waited for, not sent again."""
        going = self._going or self._start(message)
        sent, future = self._going = going
        try:
            error = future.result(max(seconds, 0))
        except TimeoutError:
            return AlertError("a message takes longer than a look may; it is sent again where it does not arrive")
        self._going = None
        return error if sent == message else self.send(message, seconds)

    def _start(self, message: Message) -> tuple[Message, Future[AlertError | None]]:
        future: Future[AlertError | None] = Future()
        sending = threading.Thread(target=lambda: future.set_result(self._attempt(message)), daemon=True)
        sending.start()
        return message, future

    def _attempt(self, message: Message) -> AlertError | None:
        try:
            self._channel.send(message)
        except AlertError as error:
            return error
        except Exception as error:  # a channel must not end the watch  # noqa: BLE001
            return AlertError(f"{type(error).__name__} in the channel")
        return None


def subject(message: Message) -> str:
    """The title, with the environment that it is about."""
    environment = f" {message.environment}" if message.environment else ""
    return f"[aqi{environment}] {message.title}"


@dataclass(frozen=True)
class Email:
    """A mail to all recipients."""

    settings: EmailSettings
    timeout_seconds: float = TIMEOUT_SECONDS

    def send(self, message: Message) -> None:
        """Raises AlertError."""
        where = f"the mail server {self.settings.host}:{self.settings.port}"
        try:
            left_out = self._send(self._mail(message))
        except smtplib.SMTPRecipientsRefused as error:
            raise AlertError(f"{where} takes mail for none of the recipients ({_replies(error.recipients)})") from None
        except smtplib.SMTPAuthenticationError as error:
            raise AlertError(f"{where} does not accept user and password ({error.smtp_code})") from None
        except smtplib.SMTPResponseException as error:
            too_large = isinstance(error, smtplib.SMTPSenderRefused) and error.smtp_code == _TOO_LARGE
            refused = too_large or (isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500)
            raise AlertError(f"{where} answers {_reply(error.smtp_code, error.smtp_error)}", refused=refused) from None
        except TimeoutError:
            raise AlertError(f"{where} does not answer within {self.timeout_seconds:g} s") from None
        except (OSError, smtplib.SMTPException) as error:
            raise AlertError(f"{where} takes no mail ({hidden(in_a_line(error))})") from None
        except ValueError as error:  # what no header or body can hold
            raise AlertError(f"no mail can be made of the message ({error})", refused=True) from None
        if left_out:
            raise AlertError(f"{where} takes no mail for some of the recipients ({_replies(left_out)})", partly=True)

    def _send(self, mail: EmailMessage) -> Mapping[str, tuple[int, bytes]]:
        """Gives the recipients that were refused, where others were not."""
        settings, server = self.settings, self._connect()
        try:
            if settings.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.user is not None:
                server.login(settings.user, settings.password.get_secret_value() if settings.password else "")
            refused = server.send_message(mail)
            with contextlib.suppress(OSError, smtplib.SMTPException):  # it has the mail
                server.quit()
            return refused
        finally:
            server.close()

    def _connect(self) -> smtplib.SMTP:
        host, port, timeout = self.settings.host, self.settings.port, self.timeout_seconds
        if self.settings.security == "tls":
            return smtplib.SMTP_SSL(host, port, timeout=timeout, context=ssl.create_default_context())
        return smtplib.SMTP(host, port, timeout=timeout)

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = subject(message)
        mail["From"] = self.settings.sender
        mail["To"] = ", ".join(self.settings.recipients)
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{message.id}@aqi>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(f"{message.text}\n\n{_about(message)}\n")
        return mail


@dataclass(frozen=True)
class Webhook:
    """A POST of JSON. slack: ``{"text": …}``; json: every field of the message."""

    settings: WebhookSettings
    timeout_seconds: float = TIMEOUT_SECONDS

    def send(self, message: Message) -> None:
        """Raises AlertError."""
        url = self.settings.url.get_secret_value()
        where = f"the webhook at {urlsplit(url).hostname}"
        body = message.to_json() if self.settings.form == "json" else {"text": _as_text(message)}
        try:
            check_way(f"{urlsplit(url).scheme}://{urlsplit(url).hostname}")  # the path may be what is secret
        except MachineError as error:
            raise AlertError(f"{where} cannot be reached: {error.message}") from None
        options: dict[str, Any] = {"proxies": for_requests(url), "allow_redirects": False, "stream": True}
        try:
            # A redirect would make a GET without the message of it. A body, which may be endless, is not read.
            with requests.post(url, json=body, timeout=self.timeout_seconds, **options) as answer:
                status = answer.status_code
        except requests.Timeout:
            raise AlertError(f"{where} does not answer within {self.timeout_seconds:g} s") from None
        except requests.exceptions.SSLError:
            raise AlertError(f"{where}: its certificate is not accepted, or it speaks no TLS") from None
        except (requests.RequestException, ValueError) as error:
            raise AlertError(f"{where} cannot be reached ({type(error).__name__})") from None
        if not 200 <= status < 300:
            raise AlertError(f"{where} answers {status}", refused=status in _REFUSED)


def _as_text(message: Message) -> str:
    """With the three signs escaped that Slack wants so; Mattermost reads them likewise."""
    return html.escape(f"*{subject(message)}*\n{message.text}", quote=False)


def _about(message: Message) -> str:
    return f"({message.event}: {message.kind} {message.key}, since {message.since})"


def _replies(recipients: Mapping[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{name}: {_reply(*reply)}" for name, reply in recipients.items())


def _reply(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return hidden(f"{code} {' '.join(said.split())[:200]}")
