"""Addresses as they may be shown."""

from __future__ import annotations

import re

_SCHEME = re.compile("[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def without_secrets(url: str) -> str:
    """An address without user, password, query and fragment: any of them may hold a key.

    ``https://user:password@host:4200/api?token=abc`` → ``https://host:4200/api``
    """
    scheme = found[0] if (found := _SCHEME.match(url)) else ""
    return scheme.lower() + re.split("[?#]", url.removeprefix(scheme), maxsplit=1)[0].rpartition("@")[2]
