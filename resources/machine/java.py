"""Reads the version of a Java from what ``java -version`` prints.

Imports the standard library alone, and is written so that Python 3.7 reads it: set-up uses it before anything is
installed.
"""

from __future__ import annotations

import re

OLDEST_JAVA = 17
"""The oldest major version of Java that Spark runs on."""


def java_version(text: str) -> str:
    """The version in what ``java -version`` prints, for instance ``17.0.15``; empty where there is none."""
    found = re.search(r'version "([^"]*)"', text)
    return "" if found is None else found[1]


def java_major(text: str) -> int | None:
    """The major version in what ``java -version`` prints; None where there is none.

    | ``openjdk version "17.0.15" 2025-04-15`` | 17 |
    | ``openjdk version "21-ea" 2023-09-19``   | 21 |
    | ``java version "1.8.0_402"``             |  8 |
    """
    found = re.match(r"(\d+)(?:\.(\d+))?", java_version(text))
    if found is None:
        return None
    first, second = int(found[1]), found[2]
    return int(second) if first == 1 and second is not None else first
