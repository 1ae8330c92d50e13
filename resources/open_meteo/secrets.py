"""What must never be told or kept, in the ways in which a source may repeat it.

Pure.
"""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "***"
SHORTEST_IN_A_BODY = 4
"""Characters. Shorter ones stand in any answer by chance, and without them it could not be read."""


class Secrets:
    """Texts that are taken out of whatever is told or kept; those that are None or empty are none."""

    def __init__(self, *texts: str | None) -> None:
        known = {form for text in texts if text for form in (text, unquote(text))}
        self._forms = sorted({form for text in known for form in _ways_to_write(text)}, key=len, reverse=True)

    def hidden_in(self, text: str) -> str:
        """The text with ``***`` instead of each."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return text

    def hidden_in_body(self, body: bytes) -> bytes:
        """The same of what a source sent, word for word but for them."""
        for form in self._forms:
            if len(form) >= SHORTEST_IN_A_BODY:
                body = body.replace(form.encode(), HIDDEN.encode())
        return body


def _ways_to_write(text: str) -> list[str]:
    """As it is, in an address, and in JSON, whose writers need not escape ``/`` and what is not ASCII."""
    in_json = [json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]]
    return [text, quote(text, safe=""), quote_plus(text), *in_json, *(form.replace("/", "\\/") for form in in_json)]
