"""Addresses without the secrets in them, so that they may be shown."""

from __future__ import annotations

import re

_SCHEME = re.compile("[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_A_PASSWORD = re.compile(r":(?!\d*$)[^\]]*$")
"""The colon behind a host, with a text that is not a port: the end of a password, probably."""


def without_secrets(url: str) -> str:
    """An address without user, password, query and fragment: any of them may hold a secret.

    ``https://user:password@host:4200/api?token=abc`` → ``https://host:4200/api``; the same if the password has an
    unescaped ``?``, ``#`` or ``/``. If the text in place of a port is not a number, it is left out with all that
    follows.
    """
    scheme = found[0] if (found := _SCHEME.match(url)) else ""
    rest = url.removeprefix(scheme)
    head, behind = re.split("[/?#]", rest, maxsplit=1)[0], rest.rpartition("@")[2]
    if "@" in rest and "@" not in head and (_A_PASSWORD.search(head) or rest[len(head)] in "?#"):
        rest = behind  # the password has a sign that should have been escaped
    host, slash, path = re.split("[?#]", rest, maxsplit=1)[0].rpartition("@")[2].partition("/")
    if no_port := _A_PASSWORD.search(host):
        return scheme.lower() + host[: no_port.start()]
    return f"{scheme.lower()}{host}{slash}{path}"
