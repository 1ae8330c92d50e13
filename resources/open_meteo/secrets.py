"""What must never be told or kept, in the ways in which a source may repeat it.

Knows the log of the library that sends requests; else pure.
"""

from __future__ import annotations

import logging
import re
from base64 import b64encode
from collections.abc import Iterable
from html import escape
from urllib.parse import unquote
from weakref import WeakSet

from resources.open_meteo.variables import UNITS

HIDDEN = "***"
SHORTEST_IN_A_BODY = 4
"""Characters. Shorter ones stand in any answer by chance, and without them it could not be read."""
_WORDS = (
    *UNITS,
    *UNITS.values(),
    *("latitude", "longitude", "generationtime_ms", "utc_offset_seconds", "timezone_abbreviation", "elevation"),
    *("hourly_units", "location_id", "iso8601", "USAQI", "error", "reason", "null", "true", "false"),
)
"""What any answer is made of: a secret that is a part of one of them is not looked for in a body."""
_PLAIN = re.compile("[A-Za-z0-9_.~-]+")
"""What nobody needs to escape anywhere."""
_BEFORE = r"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2}))"
"""Where a word begins: behind an escaped sign too."""


class Secrets:
    """Texts that are taken out of whatever is told or kept; those that are None or empty are none.

    user: of an address, beside the password that is the last of ``texts``; only where it is a word of its own.
    """

    def __init__(self, *texts: str | None, user: str | None = None) -> None:
        known = {form for text in texts if text for form in (text, unquote(text))}
        users = {form for form in (user, unquote(user or "")) if form}
        if user:  # as HTTP sends both
            password = unquote(texts[-1] or "") if texts else ""
            known.add(b64encode(f"{unquote(user)}:{password}".encode()).decode())
        self._pattern = _compiled(known, users)
        in_bodies = [{text for text in forms if _is_rare(text)} for forms in (known, users)]
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


def _is_rare(text: str) -> bool:
    """Whether answers do not have it by chance."""
    return len(text) >= SHORTEST_IN_A_BODY and not any(text in word for word in _WORDS)


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


class _Hiding(logging.Filter):
    """Takes secrets out of the lines of a log."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: WeakSet[Secrets] = WeakSet()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        for secrets in list(self.secrets):
            text = secrets.hidden_in(text)
        record.msg, record.args = text, ()
        return True


_HIDING = _Hiding()


def never_logged(secrets: Secrets) -> None:
    """From now on none of them is in what urllib3 logs, which on level DEBUG is the address of every request."""
    _HIDING.secrets.add(secrets)
    logging.getLogger("urllib3.connectionpool").addFilter(_HIDING)
