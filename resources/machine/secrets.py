"""Removes secrets from texts: from addresses, the answers of sources, errors, logs, and what a crash prints.

Finds a secret in every spelling in which libraries may repeat it: escaped in a URL, in JSON, in HTML. Keeps the secrets
that this process knows. Knows no setting: ``settings.secret`` finds the secret values and registers them by
`never_tell`. Imports the standard library alone.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from html import escape
from types import TracebackType
from typing import Any
from urllib.parse import unquote
from weakref import WeakSet

HIDDEN = "***"
SHORTEST = 4
"""The least number of characters of a secret that is hidden everywhere. Shorter texts stand in other texts by chance;
with these hidden, the other texts could not be read."""
_PLAIN = re.compile("[A-Za-z0-9_.~-]+")
"""Characters that are never escaped, in no format."""
_BEFORE = r"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2}))"
"""The beginning of a word; it may stand behind a percent-escaped character."""
A_SECRETS_NAME = re.compile(
    r"secret|password|passwd|token|credential|api_?key|access[._]?key|auth_string", re.IGNORECASE
)
"""A setting or variable whose name has one of these words holds a secret. Has all words by which Spark itself hides
settings."""
_WITH_A_PASSWORD = re.compile(
    r"""(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<user>[^\s/:@'"<>]*):(?!\d*[/?#])(?P<password>[^\s'"<>]*)@""", re.IGNORECASE
)
_IN_A_QUERY = re.compile(
    r"""[?&;][^=&;\s]*(?:secret|password|token|key|signature|\bsig)=(?P<value>[^&;\s'"#]+)""", re.IGNORECASE
)
_NO_SECRETS = frozenset({"true", "false", "null", "none", "None", "True", "False"})
"""Values that are no secrets, whatever the name of their variable is."""


class Secrets:
    """Secret texts, and the patterns that find them in other texts.

    texts: the secrets; None and empty texts are passed over. user: the user of an address, whose password is the last
    of ``texts``; it is hidden only where it stands as a word of its own.
    """

    words: tuple[str, ...] = ()
    """Words that the answers of a source consist of; subclasses name them. A secret that is a part of such a word is
    not hidden in answers."""

    def __init__(self, *texts: str | None, user: str | None = None) -> None:
        known = {form for text in texts if text for form in (text, unquote(text))}
        users = {form for form in (user, unquote(user or "")) if form}
        if user:
            known.add(_as_http_sends(user, texts[-1] if texts else None))
        self._pattern = _compiled(known, users)
        in_bodies = [{text for text in forms if self._is_rare(text)} for forms in (known, users)]
        self._in_a_body = _compiled(*in_bodies)
        self._looked_for = [_longest_plain(text).encode() for forms in in_bodies for text in forms]

    def hidden_in(self, text: str) -> str:
        """The text with ``***`` in place of each secret."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def hidden_in_body(self, body: bytes) -> bytes:
        """The body of a source's answer with ``***`` in place of each secret; all other bytes stay as they are."""
        if self._in_a_body is None or not any(part in body for part in self._looked_for):
            return body
        text = body.decode("utf-8", "surrogateescape")
        return self._in_a_body.sub(HIDDEN, text).encode("utf-8", "surrogateescape")

    def _is_rare(self, text: str) -> bool:
        """Whether a secret is so long, and so unlike ``words``, that answers do not have its text by chance."""
        return len(text) >= SHORTEST and not any(text in word for word in self.words)


def _as_http_sends(user: str, password: str | None) -> str:
    """User and password as HTTP's basic authentication sends them: ``user:password`` in base64."""
    return b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()


def _longest_plain(text: str) -> str:
    """The longest part of a text that is never escaped. A body without it does not have the text in any spelling."""
    return max(_PLAIN.findall(text), key=len, default="")


def _compiled(texts: Iterable[str], users: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern that finds any of ``texts``, the longest first, and any of ``users`` that stands as a word of its own.
    None where there are no texts."""
    parts = ["".join(map(_written, text)) for text in sorted(texts, key=len, reverse=True)]
    parts += [_BEFORE + "".join(map(_written, user)) + r"(?!\w)" for user in sorted(users, key=len, reverse=True)]
    return re.compile("|".join(parts)) if parts else None


def _written(sign: str) -> str:
    """A pattern that finds one character in every spelling: as it is, escaped in an address, in an address within an
    address, in a form, in JSON, in HTML."""
    escaped = "".join(f"%{byte:02x}" for byte in sign.encode("utf-8", "surrogatepass"))
    units = sign.encode("utf-16-be", "surrogatepass").hex()
    in_json = "".join(rf"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
    ways = [re.escape(sign), f"(?i:{escaped})", f"(?i:{escaped.replace('%', '%25')})", f"(?i:{in_json})"]
    if sign in '/"\\':
        ways.append(re.escape("\\" + sign))
    if sign == " ":
        ways.append(r"\+")
    if escape(sign) != sign:
        ways.append(f"(?i:{escape(sign)}|&#0*{ord(sign)};)")
    return f"(?:{'|'.join(ways)})"


# Secrets within texts ----------------------------------------------------------------------------------------------


def secrets_in(text: str) -> Iterator[str]:
    """The secrets in all addresses within a text: passwords, user and password as HTTP sends them, keys in queries."""
    for found in _WITH_A_PASSWORD.finditer(text):
        user, password = found["user"], found["password"]
        yield from (form for form in (password, _as_http_sends(user, password)) if password)
    for found in _IN_A_QUERY.finditer(text):
        yield found["value"]


def secrets_of(environment: Mapping[str, str]) -> list[str]:
    """The secrets in environment variables: the values of variables with a secret's name, and secrets in addresses."""
    found: list[str] = []
    for name, value in environment.items():
        if A_SECRETS_NAME.search(name):
            found.append(value)
        if "://" in value:
            found += secrets_in(value)
    return found


# What this process knows ---------------------------------------------------------------------------------------------


class _Known:
    """The secrets that this process knows."""

    def __init__(self) -> None:
        self.of_settings: frozenset[str] = frozenset()
        """The secrets of the settings that were read last."""
        self.others: WeakSet[Secrets] = WeakSet()
        """Secrets that other objects registered; they are forgotten together with their objects."""
        self.logs_hide = False
        """Whether logs and the output of a crash hide secrets already."""


_KNOWN = _Known()


def never_tell(secrets: Iterable[str]) -> None:
    """Register the secrets of the settings: from now on logs, errors and the output of a crash hide them. They replace
    the secrets of an earlier call, because a process has one configuration."""
    _KNOWN.of_settings = frozenset(secrets)
    hide_in_logs()


def never_log(secrets: Secrets) -> None:
    """Register further secrets: logs, errors and the output of a crash hide them as long as ``secrets`` exists."""
    _KNOWN.others.add(secrets)
    hide_in_logs()


def hidden(text: str) -> str:
    """A text with ``***`` in place of the secrets that this process knows, and of passwords and keys in addresses."""
    known = _known(frozenset([*_KNOWN.of_settings, *secrets_of(os.environ)]))
    text = known.hidden_in(text) if known else text
    for secrets in list(_KNOWN.others):
        text = secrets.hidden_in(text)
    return without_passwords(text)


def without_passwords(text: str) -> str:
    """A text with ``***`` in place of user and password in its addresses, and of keys in their queries."""
    if "://" not in text:
        return text
    text = _WITH_A_PASSWORD.sub(lambda found: f"{found['scheme']}{HIDDEN}@", text)
    return _IN_A_QUERY.sub(lambda found: found[0].removesuffix(found["value"]) + HIDDEN, text)


@lru_cache(maxsize=4)
def _known(texts: frozenset[str]) -> Secrets | None:
    rare = [text for text in texts if len(text) >= SHORTEST and text not in _NO_SECRETS]
    return Secrets(*rare) if rare else None


def hide_in(error: BaseException) -> None:
    """Hide secrets in an error, in its causes and its contexts. Changes these errors in place."""
    seen: set[int] = set()
    rest: list[BaseException | None] = [error]
    while rest:
        one = rest.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        with suppress(AttributeError, TypeError):  # an error may have no args, or refuse to change them
            one.args = tuple(hidden(part) if isinstance(part, str) else part for part in one.args)
        for name in ("message", "remedy"):
            if isinstance(said := getattr(one, name, None), str):
                with suppress(AttributeError):
                    setattr(one, name, hidden(said))
        rest += [one.__cause__, one.__context__]


@contextmanager
def telling_no_secret() -> Iterator[None]:
    """Hides secrets in any error that the block raises: whoever catches it may store it, as Prefect does."""
    try:
        yield
    except BaseException as error:
        hide_in(error)
        raise


def hide_in_logs() -> None:
    """From now on hide secrets in every log record of this process, and in what a crash prints."""
    if _KNOWN.logs_hide:
        return
    _KNOWN.logs_hide = True
    make = logging.getLogRecordFactory()

    def made(*args: Any, **more: Any) -> logging.LogRecord:
        record = make(*args, **more)
        with suppress(Exception):  # a record that cannot be formatted is reported by logging itself
            if (safe := hidden(text := record.getMessage())) != text:
                record.msg, record.args = safe, ()
        if record.exc_info and record.exc_info[1] is not None:
            text = logging.Formatter().formatException(record.exc_info)
            if (safe := hidden(text)) != text:
                record.exc_text = safe  # handlers use this text instead of formatting the error
                hide_in(record.exc_info[1])  # for handlers that format the error itself
        return record

    logging.setLogRecordFactory(made)
    before = sys.excepthook

    def crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        hide_in(error)
        before(kind, error, trace)

    sys.excepthook = crash
