"""What this machine lacks, and how to get it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestration.errors import AqiError, EnvironmentError_
from orchestration.workspace import Workspace
from resources.settings import Settings, load
from resources.spark import JARS_FOLDER, check_java, check_java_libraries, class_archive

FREE_GIB = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. remedy: what to do where it is not ok."""

    what: str
    ok: bool
    found: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def in_words(self) -> str:
        line = f"{'ok    ' if self.ok else 'FAULT '} {self.what}: {self.found}"
        return line if self.ok or not self.remedy else f"{line}\n       → {self.remedy}"


def examine(profile: str | None) -> list[Finding]:
    """Look at Python, Java, libraries, configuration, declarations, warehouse and Prefect; never raises AqiError."""
    findings = [_look("Python", _python), _look("Java", check_java), _look("Java libraries", _java_libraries)]
    try:
        settings = load(profile)
    except AqiError as error:
        return [*findings, Finding("configuration", False, error.message, error.remedy)]
    findings.append(Finding("configuration", True, f"profile {settings.profile}"))
    findings.append(_look("assets and contracts", lambda: _declarations(settings)))
    findings.append(_look("warehouse", lambda: _warehouse(settings)))
    findings.append(_look("Prefect", _prefect))
    findings.append(Finding("source", True, settings.open_meteo.base_url))
    return findings


def _look(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except AqiError as error:
        return Finding(what, False, error.message, error.remedy)


def _python() -> str:
    return sys.version.split()[0]


def _java_libraries() -> str:
    archive = "" if class_archive().exists() else "; no class-data archive, starts are slower: run `make setup`"
    return f"{len(check_java_libraries())} in {JARS_FOLDER}{archive}"


def _declarations(settings: Settings) -> str:
    workspace = Workspace.open(settings)
    return f"{len(workspace.catalog)} assets, {len(workspace.contracts)} contracts"


def _warehouse(settings: Settings) -> str:
    folder = Workspace.open(settings).warehouse.folder
    if folder is None:
        return Workspace.open(settings).warehouse.uri
    place = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        if not os.access(place, os.W_OK):
            raise PermissionError(13, "Permission denied")
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise EnvironmentError_(
            f"{folder} is not writable ({error.strerror})",
            "Set AQI_WAREHOUSE__URI to a folder that this user may write.",
        ) from error
    free = shutil.disk_usage(place).free / 2**30
    if free < FREE_GIB:
        raise EnvironmentError_(f"{folder}: only {free:.1f} GiB are free", f"Make room: at least {FREE_GIB} GiB.")
    return f"{folder}{'' if Path(folder).exists() else ' (made at the first run)'}, {free:.0f} GiB free"


def _prefect() -> str:
    import requests

    from resources.prefect_server import configured_api_url

    url = configured_api_url()
    if not url:
        return "no server is configured: every run brings its own"
    try:
        requests.get(f"{url.rstrip('/')}/health", timeout=5).raise_for_status()
    except requests.RequestException as error:
        raise EnvironmentError_(
            f"{url} does not answer ({type(error).__name__})",
            "Start it (prefect server start), or unset PREFECT_API_URL to run without.",
        ) from error
    return url
