"""Findings of `aqi doctor` about sources: each source gets one small request, limited to seconds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Thread

from orchestration.core.errors import LakehouseError, SourceUnreachable
from orchestration.core.source import Examinable
from orchestration.engine.project import Project
from orchestration.reports.findings import Finding, look_at
from resources.settings.load import Settings

SOURCE_SECONDS = 10


def sources_of(project: Project) -> list[str]:
    """The names of the sources of fetched assets."""
    return sorted({str(asset.source) for asset in project.fetched})


def examine_source(project: Project, settings: Settings, name: str, offline: bool) -> list[Finding]:
    """Send a source one small request, unless ``offline``. Never raises LakehouseError."""
    try:
        source = project.sources[name](settings)
    except LakehouseError as error:
        return [Finding("source", False, error.message, error.remedy)]
    if not isinstance(source, Examinable):
        return [Finding("source", True, source.address)]
    limits = Finding("limits of the source", True, source.terms)
    if offline:
        return [Finding("source", True, f"{source.address} (not asked)"), limits]
    ask = partial(source.examined, settings.configured_locations[0], settings.now)
    return [look_at("source", partial(_in_time, ask, source.address)), limits]


def _in_time(ask: Callable[[], str], address: str) -> str:
    """The result of ``ask``, or its error. Raises SourceUnreachable where there is neither in time."""
    found: list[str | Exception] = []

    def run() -> None:
        try:
            found.append(ask())
        except Exception as error:  # noqa: BLE001 (raised again below)
            found.append(error)

    asking = Thread(target=run, daemon=True)
    asking.start()
    asking.join(SOURCE_SECONDS)
    if not found:
        raise SourceUnreachable(
            f"{address} did not answer within {SOURCE_SECONDS} s", "Look at this machine's network."
        )
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]
