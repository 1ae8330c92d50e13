"""Which version of this package runs."""

from __future__ import annotations

VERSION = "0.2.0"
"""Also that of the distribution (pyproject.toml). Raised when what is stored changes: commits name it."""


def package_version() -> str:
    """The version that runs."""
    return VERSION
