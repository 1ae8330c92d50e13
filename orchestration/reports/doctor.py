"""`aqi doctor`: what this machine lacks, and how to get it."""

from __future__ import annotations

import re
import sys
import uuid
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

from psutil import virtual_memory

from orchestration.core.errors import LakehouseError, MachineError, UsageError
from orchestration.core.source import REAL
from orchestration.engine.changes.locations import check_renamed, check_swapped, locations_of
from orchestration.engine.changes.tables import foreign_columns, table_changes, troubles
from orchestration.engine.project import Project
from orchestration.engine.source_kinds import kinds_in_words, kinds_of
from orchestration.engine.workspace import Workspace
from orchestration.reports.findings import Finding, look_at
from orchestration.reports.folders import check_folders, check_room, check_warehouse
from orchestration.reports.machine import check_clock, clock_found, examine_machine, examine_shell
from orchestration.reports.network import leases_found, prefect_found, ways_found
from orchestration.reports.source_health import examine_source, sources_of
from resources.delta.pending import Pending
from resources.delta.warehouse import Warehouse
from resources.embedded.process import check_installed
from resources.embedded.scratch import FOLDER as SCRATCH
from resources.hadoop.configuration import HadoopConf, check_reachable, user_name
from resources.hadoop.resource_manager import ResourceManager
from resources.prefect.server import configured_api_url
from resources.settings.load import Settings
from resources.spark.driver import JARS_FOLDER, check_java_libraries, class_archive, spark_archive_uri
from resources.spark.java import check_java
from resources.spark.on_yarn import check_containers, check_master, executor_mebibytes, resolve_warehouse
from resources.storage.files import open_files

LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"
GONE_SHOWN = 5


def examine(of: Callable[[], Project], profile: str | None, offline: bool = False) -> list[Finding]:
    """Examine Python, engines, configuration, declarations, warehouse, cluster, Prefect and sources. Never raises
    LakehouseError.

    of: gives the project, or raises DeclarationError. offline: whether to ask no source.
    """
    findings = [look_at("Python", _python), *examine_shell()]
    try:
        project = of()
    except LakehouseError as error:
        wrong = Finding("assets and contracts", False, error.message, error.remedy)
        return [*findings, *examine_engines(""), wrong, look_at("Prefect", prefect_found)]
    try:
        settings: Settings = project.load(profile)
    except LakehouseError as error:
        return [*findings, *examine_engines(""), Finding("configuration", False, error.message, error.remedy)]
    findings += examine_engines(settings.engine)
    findings += examine_machine(needs_java=settings.engine == "spark")
    findings.append(look_at("clock", lambda: clock_found(settings)))
    if settings.engine == "embedded":
        findings.append(look_at("memory", lambda: _memory(settings)))
    if settings.warehouse.uri is not None and Warehouse(settings.warehouse.uri).is_local:
        findings.append(look_at("scratch disk", lambda: _scratch(Workspace.open(project, settings))))
    findings.append(Finding("configuration", True, f"profile {settings.profile}, engine {settings.engine}"))
    findings.append(look_at("assets and contracts", lambda: _declarations(Workspace.open(project, settings))))
    if settings.on_yarn or settings.yarn.check:
        findings += examine_cluster(settings)
    else:
        findings.append(look_at("warehouse", lambda: check_warehouse(Workspace.open(project, settings))))
    if all(finding.ok for finding in findings if finding.what in ("assets and contracts", "warehouse")):
        workspace = Workspace.open(project, settings)
        findings += examine_tables(workspace)
        if (folder := workspace.warehouse.folder) is not None:
            findings.append(look_at("folders", partial(check_folders, folder)))
    findings.append(look_at("proxies", lambda: ways_found(project, settings)))
    findings.append(look_at("Prefect", prefect_found))
    if findings[-1].ok and configured_api_url():
        findings.append(look_at("leases", leases_found))
    for name in sources_of(project):
        findings += examine_source(project, settings, name, offline)
    return findings


def examine_engines(engine: str) -> list[Finding]:
    """Examine what each engine needs. Never raises LakehouseError.

    engine: the configured engine; what only another engine needs is no fault if it is missing. Empty if it is not
    known; then nothing is a fault.
    """
    embedded, spark = engine == "embedded", engine == "spark"
    return [
        _look_for("embedded engine", _embedded, embedded, "none; only `engine: embedded` needs it (make setup)"),
        _look_for("Java", check_java, spark, "none; only Spark needs it (make setup-spark)"),
        _look_for("Java libraries", _java_libraries, spark, "none; only Spark needs them (make setup-spark)"),
    ]


def examine_cluster(settings: Settings) -> list[Finding]:
    """Examine what a session on YARN needs, from this machine to the archive on HDFS. Never raises LakehouseError."""
    findings = [
        look_at("master", lambda: _master(settings)),
        look_at("Hadoop configuration", lambda: str(HadoopConf.load().folder)),
    ]
    if not findings[-1].ok:
        return findings
    conf = HadoopConf.load()
    findings.append(look_at("ResourceManager", lambda: _resource_manager(conf)))
    if findings[-1].ok:
        manager, yarn = ResourceManager(conf), settings.yarn
        findings.append(look_at("queue", lambda: manager.check_queue(yarn.queue)))
        findings.append(look_at("executors", lambda: _executors(manager, settings)))
    findings.append(look_at("HDFS", lambda: _hdfs(conf)))
    if findings[-1].ok:
        findings.append(look_at("warehouse", lambda: _writable(resolve_warehouse(settings.warehouse.uri))))
        findings.append(look_at("archive of Spark's jars", lambda: _archive(settings)))
    return findings


def examine_tables(workspace: Workspace) -> list[Finding]:
    """Examine the tables, their contracts, and the configuration. Never raises LakehouseError."""
    return [
        look_at("tables", lambda: _tables(workspace)),
        *_damaged(workspace),
        look_at("locations", lambda: _locations(workspace)),
    ]


def _damaged(workspace: Workspace) -> list[Finding]:
    """A fault for each table that has lost files, or that cannot be read or written."""
    try:
        states = workspace.states(workspace.catalog.keys)
    except LakehouseError:
        return []  # the finding about ``tables`` reports it
    found = []
    for key, state in states.items():
        if state.damage is not None and (trouble := state.damage.trouble) is not None:
            found.append(Finding(f"table {key}", False, trouble.what, trouble.remedy))
        elif state.damage is not None:
            damaged = f" ({len(state.damaged)} partitions are damaged)"
            found.append(Finding(f"table {key}", False, state.damage.in_short + damaged, state.damage.remedy(key)))
    return found


def _tables(workspace: Workspace) -> str:
    """How many tables exist, with their changes. Raises UsageError if a table cannot be written, or if a change of
    tables was broken off."""
    keys = workspace.catalog.keys
    Pending(workspace.warehouse.uri).check(frozenset(keys))
    states = workspace.states(keys)
    changes, blocked = table_changes(workspace, keys, states)
    in_trouble = troubles(states)
    if others := [why for key, why in blocked.items() if key not in in_trouble]:
        raise UsageError("; ".join(others))
    notes = [change.text for change in changes] + foreign_columns(workspace, keys, states)
    notes += [
        f"{key} has {kinds_in_words(kinds)}" for key, state in states.items() if (kinds := kinds_of(state)) - {REAL}
    ]
    return f"{len(states)} of {len(keys)} are there" + "".join(f"; {text}" for text in notes)


def _locations(workspace: Workspace) -> str:
    """How many locations are configured.

    Raises UsageError if facts have no row in the table of locations, if a location has another key in the warehouse, or
    if two locations have swapped coordinates.
    """
    check_renamed(workspace)
    check_swapped(workspace)
    found = locations_of(workspace)
    if found.without_row and Pending(workspace.warehouse.uri).read() is None:
        raise UsageError(
            "; ".join(f"{asset} has rows of {', '.join(keys)}, which {found.table} has not" for asset, keys in
                      found.without_row.items()),
            f"Make it: aqi materialize {found.table}; or remove these rows: aqi wipe --locations KEY.",
        )  # fmt: skip
    text = f"{len(workspace.settings.locations)} are configured"
    if found.gone:
        shown = [f"{key} ({count} partitions are kept)" for key, count in list(found.gone.items())[:GONE_SHOWN]]
        more = len(found.gone) - len(shown)
        text += f"; no longer configured: {', '.join(shown)}{f' and {more} more' if more else ''}"
    return text


def _master(settings: Settings) -> str:
    check_master(settings)
    return settings.spark.master


def _resource_manager(conf: HadoopConf) -> str:
    manager = ResourceManager(conf)
    found = manager.info()
    return f"Hadoop {found['resourceManagerVersion']}, {found['state']}, {manager.nodes()} NodeManagers"


def _executors(manager: ResourceManager, settings: Settings) -> str:
    mebibytes = executor_mebibytes(settings)
    check_containers(manager, settings)
    return f"{settings.yarn.executors} of {mebibytes} MiB and {settings.yarn.executor_cores} cores"


def _hdfs(conf: HadoopConf) -> str:
    check_reachable(conf, conf.default_fs)
    return f"{conf.default_fs} as {user_name()}"


def _writable(uri: str) -> str:
    """Write and remove a file in the folder, or in its nearest existing parent. This also compares the clocks."""
    files, path = open_files(uri)
    try:
        location = path
        while location != "/" and not files.exists(location):
            location = location.rpartition("/")[0] or "/"
        probe = f"{location.rstrip('/')}/.aqi-doctor-{uuid.uuid4().hex}"
        files.pipe_file(probe, b"")
        try:
            written = files.info(probe).get("modification_time")
        finally:
            files.rm_file(probe)
    except OSError as error:
        raise MachineError(
            f"{uri} is not writable for {user_name()} ({error})",
            f"Ask for a home folder on HDFS (hdfs dfs -mkdir /user/{user_name()}; -chown), or set warehouse.uri.",
        ) from error
    if written is not None:
        check_clock("HDFS", written / 1000)
    return f"{uri}{'' if location == path else ' (made at the first run)'}"


def _archive(settings: Settings) -> str:
    uri = spark_archive_uri(settings, resolve_warehouse(settings.warehouse.uri))
    files, path = open_files(uri)
    return f"{uri}{'' if files.exists(path) else ': not there yet; the first run uploads it, which takes a minute'}"


def _look_for(what: str, look: Callable[[], str], needed: bool, without: str) -> Finding:
    """Examine something that is needed only sometimes. without: what is reported where it is missing and not needed."""
    finding = look_at(what, look)
    return finding if needed or finding.ok else Finding(what, True, without)


def _python() -> str:
    return sys.version.split()[0]


def _embedded() -> str:
    """The version of pysail. Raises MachineError if pysail is missing, cannot be loaded, or is not the locked
    version."""
    found, locked = check_installed(), _locked("pysail")
    if locked and found != locked:
        raise MachineError(f"pysail {found}, but {locked} is the one that was tested", "Run `make setup`.")
    try:
        import_module("pysail")
    except ImportError as error:
        raise MachineError(
            f"pysail {found} cannot be loaded ({error})",
            "It needs glibc 2.17 (on ARM 2.24) or newer; or take Spark: `engine: spark`.",
        ) from error
    return f"pysail {found}"


def _locked(package: str) -> str:
    """The version in requirements.lock; empty where that file is missing, as on a node of a cluster."""
    if not LOCK.is_file():
        return ""
    found = re.search(rf"^{re.escape(package)}==(\S+)", LOCK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return found[1] if found else ""


def _memory(settings: Settings) -> str:
    """The memory of the embedded engine. Raises UsageError if the machine has less than the engine may take."""
    total, wanted = virtual_memory().total, settings.embedded.memory_bytes
    text = f"{settings.embedded.memory} for the embedded engine, of {total / 2**30:.1f} GiB"
    if wanted > total:
        raise UsageError(text, "Set embedded.memory (AQI_EMBEDDED__MEMORY) to less: what does not fit goes to disk.")
    return text


def _scratch(workspace: Workspace) -> str:
    """The scratch folder and its free space. Raises MachineError if there is no room for rows that do not fit into
    memory.
    """
    warehouse = workspace.warehouse.folder
    assert warehouse is not None, "it is a folder"
    folder = warehouse / SCRATCH
    return f"{folder}, {check_room(folder):.0f} GiB free"


def _java_libraries() -> str:
    without = "; no class-data archive, starts are slower: run `make setup-spark`"
    archive = "" if class_archive().exists() else without
    return f"{len(check_java_libraries())} in {JARS_FOLDER}{archive}"


def _declarations(workspace: Workspace) -> str:
    return f"{len(workspace.catalog)} assets, {len(workspace.contracts)} contracts"
