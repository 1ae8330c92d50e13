"""Which version of this package runs."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

PACKAGE = "air-quality-lakehouse"


@cache
def package_version() -> str:
    """The installed version, for instance ``0.2.0``; empty where the package is not installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return ""
