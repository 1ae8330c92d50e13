"""What a measurement was made on: machine, versions, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

PACKAGES = ("pyspark", "delta-spark", "deltalake", "pysail", "prefect", "duckdb", "pyarrow")


def described(root: Path) -> dict[str, Any]:
    """The machine, the versions of what runs, and the commit that is measured."""
    from resources.machine.java import java_version

    try:
        java = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    except OSError:
        java = ""
    versions: dict[str, str | None] = {"python": platform.python_version(), "java": java_version(java)}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "machine": {
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "cores": len(os.sched_getaffinity(0)),
            "memory_mib": psutil.virtual_memory().total >> 20,
        },
        "versions": versions,
        "commit": _git(root, "rev-parse", "HEAD") or None,
        "uncommitted": bool(_git(root, "status", "--porcelain")),
    }


def load() -> list[float]:
    """The load averages of 1, 5 and 15 minutes."""
    return [round(one, 2) for one in os.getloadavg()]


def _git(root: Path, *arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
