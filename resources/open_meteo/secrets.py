"""What must never be told or kept, in the ways in which a source may repeat it.

Knows the log of the library that sends requests; else pure.
"""

from __future__ import annotations

import json
import logging
import re
from base64 import b64encode
from html import escape
from urllib.parse import quote, quote_plus, unquote
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
_ESCAPE = re.compile("%[0-9A-F]{2}")


class Secrets:
    """Texts that are taken out of whatever is told or kept; those that are None or empty are none.

    user: of an address, beside the password that is the last of ``texts``; only where it is a word of its own.
    """

    def __init__(self, *texts: str | None, user: str | None = None) -> None:
        known = {form for text in texts if text for form in (text, unquote(text))}
        password = unquote(texts[-1] or "") if texts else ""
        if user:  # as HTTP sends both
            known.add(b64encode(f"{unquote(user)}:{password}".encode()).decode())
        self._forms = sorted({form for text in known for form in _ways_to_write(text)}, key=len, reverse=True)
        users = {form for text in (user, unquote(user or "")) if text for form in _ways_to_write(text)}
        self._users = sorted(users, key=len, reverse=True)
        self._pattern = self._compiled(self._forms, self._users)
        in_bodies = [
            [form for form in forms if len(form) >= SHORTEST_IN_A_BODY and not any(form in word for word in _WORDS)]
            for forms in (self._forms, self._users)
        ]
        self._in_a_body = self._compiled(*in_bodies)
        self._looked_for = [form.encode() for forms in in_bodies for form in forms]

    @staticmethod
    def _compiled(forms: list[str], users: list[str]) -> re.Pattern[str] | None:
        parts = [*map(re.escape, forms), *(rf"(?<!\w){re.escape(user)}(?!\w)" for user in users)]
        return re.compile("|".join(parts)) if parts else None

    def hidden_in(self, text: str) -> str:
        """The text with ``***`` instead of each."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def hidden_in_body(self, body: bytes) -> bytes:
        """The same of what a source sent, word for word but for them."""
        if self._in_a_body is None or not any(form in body for form in self._looked_for):
            return body
        text = body.decode("utf-8", "surrogateescape")
        return self._in_a_body.sub(HIDDEN, text).encode("utf-8", "surrogateescape")


def _ways_to_write(text: str) -> set[str]:
    """As it is, in an address, in an address within an address, in HTML, and in JSON, whose writers need not escape
    ``/`` and what is not ASCII."""
    addressed = {quote(text, safe=""), quote(text), quote_plus(text)}
    addressed |= {_ESCAPE.sub(lambda found: found[0].lower(), form) for form in addressed}
    addressed |= {quote(form, safe="") for form in addressed}
    in_json = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return {text, escape(text), *addressed, *in_json, *(form.replace("/", "\\/") for form in in_json)}


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
