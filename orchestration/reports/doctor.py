"""What this machine lacks, and how to get it."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Thread

from psutil import virtual_memory

from orchestration.core.errors import EnvironmentError_, LakehouseError, SourceUnreachable, UsageError
from orchestration.core.source import Examinable
from orchestration.engine.project import Project
from orchestration.engine.workspace import Workspace
from orchestration.reports.doctor_cluster import examine_cluster
from orchestration.reports.doctor_tables import examine_tables
from orchestration.reports.findings import Finding, look, look_for
from resources.delta.log import PROVENANCE_FOLDER
from resources.delta.warehouse import Warehouse
from resources.embedded.process import check_installed
from resources.embedded.scratch import FOLDER as SCRATCH
from resources.settings.load import Settings
from resources.spark.driver import JARS_FOLDER, check_java, check_java_libraries, class_archive

LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"
FREE_GIB = 2
GONE_SHOWN = 5
SOURCE_SECONDS = 10


def examine(of: Callable[[], Project], profile: str | None, offline: bool = False) -> list[Finding]:
    """Look at Python, the engines, configuration, declarations, warehouse, cluster, Prefect and the sources; never
    raises LakehouseError. of: gives the project, or raises DeclarationError. offline: ask no source.
    """
    findings = [look("Python", _python)]
    try:
        project = of()
    except LakehouseError as error:
        wrong = Finding("assets and contracts", False, error.message, error.remedy)
        return [*findings, *examine_engines(""), wrong, look("Prefect", _prefect)]
    try:
        settings: Settings = project.load(profile)
    except LakehouseError as error:
        return [*findings, *examine_engines(""), Finding("configuration", False, error.message, error.remedy)]
    findings += examine_engines(settings.engine)
    if settings.engine == "embedded":
        findings.append(look("memory", lambda: _memory(settings)))
    if settings.warehouse.uri is not None and Warehouse(settings.warehouse.uri).is_local:
        findings.append(look("scratch disk", lambda: _scratch(Workspace.open(project, settings))))
    findings.append(Finding("configuration", True, f"profile {settings.profile}, engine {settings.engine}"))
    findings.append(look("assets and contracts", lambda: _declarations(Workspace.open(project, settings))))
    if settings.on_yarn or settings.yarn.check:
        findings += examine_cluster(settings)
    else:
        findings.append(look("warehouse", lambda: _warehouse(Workspace.open(project, settings))))
    if all(finding.ok for finding in findings if finding.what in ("assets and contracts", "warehouse")):
        workspace = Workspace.open(project, settings)
        findings += examine_tables(workspace)
        if (folder := workspace.warehouse.folder) is not None:
            findings.append(look("folders", partial(_folders, folder)))
    findings.append(look("Prefect", _prefect))
    for name in _sources(project):
        findings += examine_source(project, settings, name, offline)
    return findings


def examine_source(project: Project, settings: Settings, name: str, offline: bool) -> list[Finding]:
    """Ask a source one small question, unless ``offline``; never raises LakehouseError."""
    try:
        source = project.sources[name](settings)
    except LakehouseError as error:
        return [Finding("source", False, error.message, error.remedy)]
    if not isinstance(source, Examinable):
        return [Finding("source", True, source.address)]
    limits = Finding("limits of the source", True, source.terms)
    if offline:
        return [Finding("source", True, f"{source.address} (not asked)"), limits]
    ask = partial(source.examined, settings.places[0], settings.now)
    return [look("source", partial(_in_time, ask, source.address)), limits]


def _in_time(ask: Callable[[], str], address: str) -> str:
    """What ``ask`` gives or raises. Raises SourceUnreachable where it does neither in time."""
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


def examine_engines(engine: str) -> list[Finding]:
    """Look at what each engine needs; never raises LakehouseError.

    engine: the one that the settings name; what only another one needs is no fault where it is not there. Empty: not
    known, so that nothing is.
    """
    embedded, spark = engine == "embedded", engine == "spark"
    return [
        look_for("embedded engine", _embedded, embedded, "none; only `engine: embedded` needs it (make setup)"),
        look_for("Java", check_java, spark, "none; only Spark needs it (make setup-spark)"),
        look_for("Java libraries", _java_libraries, spark, "none; only Spark needs them (make setup-spark)"),
    ]


def _python() -> str:
    return sys.version.split()[0]


def _embedded() -> str:
    """Raises EnvironmentError_ where pysail is not there, cannot be loaded, or is not the one that is locked."""
    found, locked = check_installed(), _locked("pysail")
    if locked and found != locked:
        raise EnvironmentError_(f"pysail {found}, but {locked} is the one that was tested", "Run `make setup`.")
    try:
        import_module("pysail")
    except ImportError as error:
        raise EnvironmentError_(
            f"pysail {found} cannot be loaded ({error})",
            "It needs glibc 2.17 (on ARM 2.24) or newer; or take Spark: `engine: spark`.",
        ) from error
    return f"pysail {found}"


def _locked(package: str) -> str:
    """The version in requirements.lock; empty where that is not there, as on a node of a cluster."""
    if not LOCK.is_file():
        return ""
    found = re.search(rf"^{re.escape(package)}==(\S+)", LOCK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return found[1] if found else ""


def _memory(settings: Settings) -> str:
    """Raises UsageError where the machine has less than the embedded engine may take."""
    total, wanted = virtual_memory().total, settings.embedded.memory_bytes
    text = f"{settings.embedded.memory} for the embedded engine, of {total / 2**30:.1f} GiB"
    if wanted > total:
        raise UsageError(text, "Set embedded.memory (AQI_EMBEDDED__MEMORY) to less: what does not fit goes to disk.")
    return text


def _scratch(workspace: Workspace) -> str:
    """Raises UsageError where there is no room for what does not fit into memory."""
    warehouse = workspace.warehouse.folder
    assert warehouse is not None, "it is a folder"
    folder = warehouse / SCRATCH
    free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free / 2**30
    if free < FREE_GIB:
        raise UsageError(f"{folder}: only {free:.1f} GiB are free", f"Make room: at least {FREE_GIB} GiB.")
    return f"{folder}, {free:.0f} GiB free"


def _java_libraries() -> str:
    without = "; no class-data archive, starts are slower: run `make setup-spark`"
    archive = "" if class_archive().exists() else without
    return f"{len(check_java_libraries())} in {JARS_FOLDER}{archive}"


def _declarations(workspace: Workspace) -> str:
    return f"{len(workspace.catalog)} assets, {len(workspace.contracts)} contracts"


def _warehouse(workspace: Workspace) -> str:
    folder = workspace.warehouse.folder
    if folder is None:
        return workspace.warehouse.uri
    place = next(path for path in (folder, *folder.parents) if path.exists())
    try:
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


def _folders(warehouse: Path) -> str:
    """Look at the folders of a warehouse in which runs write. Raises EnvironmentError_ for what is none, or refused."""
    own, logs = warehouse / PROVENANCE_FOLDER, sorted(warehouse.glob("*/*/_delta_log"))
    there = [own] if os.path.lexists(own) else []
    there += [path for path in sorted(own.glob("*")) if path.is_dir()]
    there += [path for log in logs for path in (log.parent, log)]
    refused = [f"{path} ({why})" for path in there if (why := _why_not_writable(path))]
    if refused:
        more = f", and {len(refused) - GONE_SHOWN} more" if len(refused) > GONE_SHOWN else ""
        raise EnvironmentError_(
            f"runs cannot write in {', '.join(refused[:GONE_SHOWN])}{more}",
            f"Give this user rights to read and write all that is in {warehouse}; what is no folder, move away.",
        )
    return f"{len(there)} that runs write in"


def _why_not_writable(folder: Path) -> str:
    """Empty where it is. Nothing is written in a folder that is."""
    try:
        if not folder.is_dir():
            raise NotADirectoryError(20, os.strerror(20))
        if not os.access(folder, os.W_OK | os.X_OK):
            with tempfile.TemporaryFile(dir=folder):  # to be told why
                pass
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _sources(project: Project) -> list[str]:
    return sorted({str(asset.source) for asset in project.fetched})


def _prefect() -> str:
    import requests

    from resources.machine.addresses import without_secrets
    from resources.prefect.server import configured_api_url

    url = configured_api_url()
    if not url:
        return "no server is configured: every run brings its own"
    shown = without_secrets(url)
    try:
        requests.get(f"{url.rstrip('/')}/health", timeout=5).raise_for_status()
    except requests.RequestException as error:
        raise EnvironmentError_(
            f"{shown} does not answer ({type(error).__name__})",
            "Start it (prefect server start), or unset PREFECT_API_URL to run without.",
        ) from error
    return shown
