"""What must never be told or kept, in the ways in which others may repeat it; and what of it this process knows.

The one redactor: of addresses, of what a source sends, of errors, of logs, of what a crash prints. Knows no setting:
``settings.secret`` says which values are secret, and tells them here. Imports the standard library alone.
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
"""Characters. Shorter ones stand in any text by chance, and without them it could not be read."""
_PLAIN = re.compile("[A-Za-z0-9_.~-]+")
"""What nobody needs to escape anywhere."""
_BEFORE = r"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2}))"
"""Where a word begins: behind an escaped sign too."""
A_SECRETS_NAME = re.compile(
    r"secret|password|passwd|token|credential|api_?key|access[._]?key|auth_string", re.IGNORECASE
)
"""In the name of a setting or variable: its value is one. What Spark hides of its own settings is among it."""
_WITH_A_PASSWORD = re.compile(
    r"""(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<user>[^\s/:@'"<>]*):(?!\d*[/?#])(?P<password>[^\s'"<>]*)@""", re.IGNORECASE
)
_IN_A_QUERY = re.compile(
    r"""[?&;][^=&;\s]*(?:secret|password|token|key|signature|\bsig)=(?P<value>[^&;\s'"#]+)""", re.IGNORECASE
)
_NO_SECRETS = frozenset({"true", "false", "null", "none", "None", "True", "False"})


class Secrets:
    """Texts that are taken out of whatever is told or kept; those that are None or empty are none.

    user: of an address, beside the password that is the last of ``texts``; only where it is a word of its own.
    ``words``, which a kind of its own may have: what any body is made of; a part of one is not looked for in bodies.
    """

    words: tuple[str, ...] = ()

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
        """The text with ``***`` instead of each."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def hidden_in_body(self, body: bytes) -> bytes:
        """The same of what a source sent, word for word but for them."""
        if self._in_a_body is None or not any(part in body for part in self._looked_for):
            return body
        text = body.decode("utf-8", "surrogateescape")
        return self._in_a_body.sub(HIDDEN, text).encode("utf-8", "surrogateescape")

    def _is_rare(self, text: str) -> bool:
        """Whether bodies do not have it by chance."""
        return len(text) >= SHORTEST and not any(text in word for word in self.words)


def _as_http_sends(user: str, password: str | None) -> str:
    return b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()


def _longest_plain(text: str) -> str:
    return max(_PLAIN.findall(text), key=len, default="")


def _compiled(texts: Iterable[str], users: Iterable[str]) -> re.Pattern[str] | None:
    """What finds any of them, the longest first; those of ``users`` where they are words of their own."""
    parts = ["".join(map(_written, text)) for text in sorted(texts, key=len, reverse=True)]
    parts += [_BEFORE + "".join(map(_written, user)) + r"(?!\w)" for user in sorted(users, key=len, reverse=True)]
    return re.compile("|".join(parts)) if parts else None


def _written(sign: str) -> str:
    """A pattern for a sign in all ways to write it: as it is, in an address, in one within an address, in a form, in
    JSON, in HTML."""
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


# Of texts in which a secret may stand ------------------------------------------------------------------------------


def secrets_in(text: str) -> Iterator[str]:
    """What is secret in any address that a text has in it: passwords, also with their user as HTTP sends both, and
    keys in queries."""
    for found in _WITH_A_PASSWORD.finditer(text):
        user, password = found["user"], found["password"]
        yield from (form for form in (password, _as_http_sends(user, password)) if password)
    for found in _IN_A_QUERY.finditer(text):
        yield found["value"]


def secrets_of(environment: Mapping[str, str]) -> list[str]:
    """What variables have that is secret: by their names, or in an address."""
    found: list[str] = []
    for name, value in environment.items():
        if A_SECRETS_NAME.search(name):
            found.append(value)
        if "://" in value:
            found += secrets_in(value)
    return found


# What this process knows ---------------------------------------------------------------------------------------------


class _Known:
    """Of the settings that were read last, and of whoever registers more for as long as it lives."""

    def __init__(self) -> None:
        self.of_settings: frozenset[str] = frozenset()
        self.others: WeakSet[Secrets] = WeakSet()
        self.logs_hide = False


_KNOWN = _Known()


def never_tell(secrets: Iterable[str]) -> None:
    """Of settings that were read: from now on none of them is in a log, an error or what a crash prints. In place of
    what was told before: a process has one configuration."""
    _KNOWN.of_settings = frozenset(secrets)
    hide_in_logs()


def never_log(secrets: Secrets) -> None:
    """The same of others, for as long as they live."""
    _KNOWN.others.add(secrets)
    hide_in_logs()


def hidden(text: str) -> str:
    """A text that is told, without what this process knows to be secret, and without what any address may hold."""
    known = _known(frozenset([*_KNOWN.of_settings, *secrets_of(os.environ)]))
    text = known.hidden_in(text) if known else text
    for secrets in list(_KNOWN.others):
        text = secrets.hidden_in(text)
    return without_passwords(text)


def without_passwords(text: str) -> str:
    """A text whose addresses have neither user and password nor keys in queries."""
    if "://" not in text:
        return text
    text = _WITH_A_PASSWORD.sub(lambda found: f"{found['scheme']}{HIDDEN}@", text)
    return _IN_A_QUERY.sub(lambda found: found[0].removesuffix(found["value"]) + HIDDEN, text)


@lru_cache(maxsize=4)
def _known(texts: frozenset[str]) -> Secrets | None:
    rare = [text for text in texts if len(text) >= SHORTEST and text not in _NO_SECRETS]
    return Secrets(*rare) if rare else None


def hide_in(error: BaseException) -> None:
    """Take what is secret out of an error, of its causes, and of what it was raised in: in place."""
    seen: set[int] = set()
    rest: list[BaseException | None] = [error]
    while rest:
        one = rest.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        with suppress(AttributeError, TypeError):  # of those that have none, or let nobody change them
            one.args = tuple(hidden(part) if isinstance(part, str) else part for part in one.args)
        for name in ("message", "remedy"):
            if isinstance(said := getattr(one, name, None), str):
                with suppress(AttributeError):
                    setattr(one, name, hidden(said))
        rest += [one.__cause__, one.__context__]


@contextmanager
def telling_no_secret() -> Iterator[None]:
    """What is raised inside has no secret: whoever catches it may keep it, as Prefect does."""
    try:
        yield
    except BaseException as error:
        hide_in(error)
        raise


def hide_in_logs() -> None:
    """Every line of a log, whoever writes it, and what a crash prints."""
    if _KNOWN.logs_hide:
        return
    _KNOWN.logs_hide = True
    make = logging.getLogRecordFactory()

    def made(*args: Any, **more: Any) -> logging.LogRecord:
        record = make(*args, **more)
        with suppress(Exception):  # of a line that cannot be formatted, which logging itself tells
            if (safe := hidden(text := record.getMessage())) != text:
                record.msg, record.args = safe, ()
        if record.exc_info and record.exc_info[1] is not None:
            text = logging.Formatter().formatException(record.exc_info)
            if (safe := hidden(text)) != text:
                record.exc_text = safe  # in place of what a handler would make of it
                hide_in(record.exc_info[1])  # there are those that make their own, of the error itself
        return record

    logging.setLogRecordFactory(made)
    before = sys.excepthook

    def crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        hide_in(error)
        before(kind, error, trace)

    sys.excepthook = crash
