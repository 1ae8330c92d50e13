"""The version of this package."""

from __future__ import annotations

VERSION = "0.2.0"
"""Also the version of the distribution (pyproject.toml). Commits of tables name it. It is raised when the format of
stored data changes."""


def package_version() -> str:
    """The version that runs."""
    return VERSION
