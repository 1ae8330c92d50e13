"""A session on YARN: the checks before it, its configuration, and the archive of Spark's jars on the cluster.

By default Spark uploads its jars for every application. Here the jars are one archive on the cluster, named by its
content, which YARN keeps on the nodes.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import socket
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestration.core.errors import ConfigurationError, MachineError, in_a_line
from resources.hadoop.configuration import HadoopConf, check_reachable, user_name
from resources.hadoop.resource_manager import Application, ResourceManager
from resources.machine.processes import Process
from resources.settings.load import Settings
from resources.storage.files import open_files, remedy_of

TAG = "aqi"
"""The tag of all our applications; further tags begin with it."""
IN_CLUSTER = "cluster"
"""Stands in the tags of an application in place of the driver's process, if the driver runs in the application
master."""
AM_MEBIBYTES = 512
"""The heap of the application master."""
_OVERHEAD_MEBIBYTES, _OVERHEAD_FACTOR = 384, 0.1
"""What Spark adds to the heap of a driver or application master: this part of it, and at least so much."""
_OF_MASTERS = ("spark.yarn.am.memory", "spark.driver.memory")
"""How the settings of Spark begin that give the application master another size: without, and with the driver in it."""
_UNITS = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024 * 1024}
_DRIVER_TAG = re.compile(rf"{TAG}-driver-(.+)-([0-9]+)-([0-9]+)")
"""The tag with the driver's process: host, pid, start of the process in clock ticks since the boot."""
JAVA_OPTIONS = (
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError -XX:ReservedCodeCacheSize=128m "
    "-Duser.timezone=UTC"
)
"""The options of every JVM of a session, also of a driver on this machine.

TieredStopAtLevel: only the first of Java's compilers is used; runs are too short for the second one to pay off.
ReservedCodeCacheSize: with the first compiler alone, Java reserves 48 MiB for compiled code. A year of 200 locations
fills them; then nothing more is compiled, and in the end nothing runs. ExitOnOutOfMemoryError: a JVM that ran out of
memory ends. Else a scheduler that lost a thread to that would wait for ever, and hold the warehouse's lock."""


def resolve_warehouse(uri: str | None, environment: Mapping[str, str] | None = None) -> str:
    """The full URI of a warehouse. If the cluster's default file system is ``hdfs://nn:8020``:

    ===============  ==========================================
    None             ``hdfs://nn:8020/user/<user>/aqi/warehouse``
    ``hdfs:///air``  ``hdfs://nn:8020/air``
    any other URI    the same
    ===============  ==========================================

    environment: the variables that name Hadoop's configuration; None: those of this process. Raises MachineError where
    there is no such configuration.
    """
    if uri is None:
        return f"{HadoopConf.load(environment).default_fs}/user/{user_name(environment)}/aqi/warehouse"
    if uri.startswith("hdfs:///"):
        return HadoopConf.load(environment).default_fs + uri.removeprefix("hdfs://")
    return uri


def check_master(settings: Settings) -> None:
    """Raises ConfigurationError where ``yarn.check`` is set and ``spark.master`` is not ``yarn``."""
    if settings.yarn.check and not settings.on_yarn:
        raise ConfigurationError(
            f"profile {settings.profile} is for YARN, but spark.master is {settings.spark.master!r}",
            "Unset AQI_SPARK__MASTER (or set it to yarn), or add --no-yarn-check to run without YARN all the same.",
        )


def check_cluster(settings: Settings, warehouse: str, *, in_cluster: bool = False) -> ResourceManager:
    """Check within seconds whether YARN and HDFS would accept the session. Gives the cluster's ResourceManager.

    warehouse: its URI. in_cluster: whether the driver runs in the application master. Raises ConfigurationError for a
    wrong setting, MachineError for a cluster that does not answer or has no room.
    """
    conf = HadoopConf.load()
    if "://" not in warehouse or warehouse.startswith("file:"):
        raise ConfigurationError(
            f"the warehouse {warehouse} is a folder of this machine, which the nodes of the cluster do not see",
            "Set warehouse.uri to hdfs://…, or to null for /user/<name>/aqi/warehouse.",
        )
    manager = ResourceManager(conf)
    manager.info()
    manager.check_queue(settings.yarn.queue)
    check_containers(manager, settings, in_cluster=in_cluster)
    check_reachable(conf, warehouse)
    _check_keytab(settings)
    return manager


def check_containers(manager: ResourceManager, settings: Settings, *, in_cluster: bool = False) -> None:
    """Raises MachineError where no NodeManager, even an idle one, has room for the application master, or for an
    executor. in_cluster: whether the driver runs in the application master.

    An application master whose size ``spark.conf`` changes is not checked.
    """
    if not any(name.startswith(_OF_MASTERS[in_cluster]) for name in settings.spark.conf):
        heap = _mebibytes(settings.spark.driver_memory) if in_cluster else AM_MEBIBYTES
        what = "the application master, with the driver in it," if in_cluster else "the application master"
        remedy = "Lower spark.driver_memory." if in_cluster else "Give a NodeManager more memory."
        manager.check_container(with_overhead(heap), 1, what, remedy)
    lower = "Lower yarn.executor_memory, yarn.executor_memory_overhead or yarn.executor_cores."
    manager.check_container(executor_mebibytes(settings), settings.yarn.executor_cores, "an executor", lower)


def with_overhead(heap: int) -> int:
    """The size of the container of a driver or application master, in MiB. heap: in MiB."""
    return heap + max(int(heap * _OVERHEAD_FACTOR), _OVERHEAD_MEBIBYTES)


def _check_keytab(settings: Settings) -> None:
    if settings.yarn.keytab and not os.access(settings.yarn.keytab, os.R_OK):
        raise ConfigurationError(f"yarn.keytab: {settings.yarn.keytab} cannot be read", "Name a file that can.")


def executor_mebibytes(settings: Settings) -> int:
    """The size of an executor's container, in MiB: its heap and the overhead."""
    return _mebibytes(settings.yarn.executor_memory) + _mebibytes(settings.yarn.executor_memory_overhead)


def _mebibytes(text: str) -> int:
    return int(int(text[:-1]) * _UNITS[text[-1]])


# The session ----------------------------------------------------------------------------------------------------


def yarn_conf(
    settings: Settings, run_id: str, warehouse: str, archive: str, *, in_cluster: bool = False
) -> dict[str, str]:
    """The settings that a session on YARN has besides those of every session: Spark's name → value.

    warehouse: its URI. archive: the URI of the archive of the jars on the cluster. in_cluster: whether the driver runs
    in the application master.
    """
    yarn = settings.yarn
    conf = {
        "spark.submit.deployMode": "cluster" if in_cluster else "client",
        "spark.yarn.archive": archive,
        "spark.yarn.queue": yarn.queue,
        "spark.yarn.tags": ",".join(run_tags(run_id, warehouse, in_cluster=in_cluster)),
        "spark.yarn.maxAppAttempts": "1",
        "spark.yarn.am.clientModeTreatDisconnectAsFailed": "true",
        "spark.yarn.am.clientModeExitOnError": "true",
        "spark.yarn.am.memory": f"{AM_MEBIBYTES}m",
        "spark.yarn.am.extraJavaOptions": JAVA_OPTIONS,
        "spark.yarn.clientLaunchMonitorInterval": "100ms",
        "spark.yarn.report.interval": "1s",
        "spark.yarn.scheduler.initial-allocation.interval": "100ms",
        "spark.yarn.scheduler.heartbeat.interval-ms": "1000",
        "spark.executor.memory": yarn.executor_memory,
        "spark.executor.memoryOverhead": yarn.executor_memory_overhead,
        "spark.executor.cores": str(yarn.executor_cores),
        "spark.executor.extraJavaOptions": JAVA_OPTIONS,
    }
    if yarn.dynamic_allocation:
        conf |= {
            "spark.dynamicAllocation.enabled": "true",
            "spark.dynamicAllocation.shuffleTracking.enabled": "true",
            "spark.dynamicAllocation.initialExecutors": str(yarn.executors),
            "spark.dynamicAllocation.maxExecutors": str(yarn.max_executors),
        }
    else:
        conf["spark.executor.instances"] = str(yarn.executors)
    if yarn.java_home:
        conf |= {"spark.yarn.appMasterEnv.JAVA_HOME": yarn.java_home, "spark.executorEnv.JAVA_HOME": yarn.java_home}
    if yarn.principal and yarn.keytab:
        conf |= {"spark.kerberos.principal": yarn.principal, "spark.kerberos.keytab": yarn.keytab}
    return conf


def run_tags(run_id: str, warehouse: str, *, in_cluster: bool = False) -> list[str]:
    """The tags of a run's application, by which it is found again: our tag, the tags of the run, of the warehouse, and
    of the driver's process."""
    this = Process.this()
    driver = IN_CLUSTER if in_cluster or this is None else f"{socket.gethostname()}-{this.pid}-{this.start}"
    return [tag.lower() for tag in (TAG, run_tag(run_id), warehouse_tag(warehouse), f"{TAG}-driver-{driver}")]


def run_tag(run_id: str) -> str:
    """The tag of the run's application."""
    return f"{TAG}-run-{run_id}".lower()


def warehouse_tag(uri: str) -> str:
    """The tag of all applications that use the warehouse at ``uri``."""
    return f"{TAG}-warehouse-{hashlib.sha256(uri.encode()).hexdigest()[:12]}"


def end_orphans(manager: ResourceManager, warehouse: str, say: Callable[[str], None]) -> None:
    """End the applications on the warehouse whose driver was a process of this machine and is dead.

    say: called with a sentence for each. Raises RunError where YARN does not end one.
    """
    for application in manager.applications(warehouse_tag(warehouse)):
        if _is_orphan(application):
            manager.kill(application.id)
            say(f"Ended {application.id} ({application.name}): its driver is dead.")


def _is_orphan(application: Application) -> bool:
    """Whether the driver of an application was a process of this machine that is dead."""
    for tag in application.tags:
        if found := _DRIVER_TAG.fullmatch(tag):
            host, pid, start = found[1], int(found[2]), int(found[3])
            driver = Process.find(pid)
            return host == socket.gethostname().lower() and (driver is None or driver.start != start)
    return False


# The archive ----------------------------------------------------------------------------------------------------


def archive_uri(settings: Settings, warehouse: str, name: str) -> str:
    """The URI of an archive: in ``yarn.archives``, or in this user's folder on the file system of the warehouse."""
    if settings.yarn.archives:
        return f"{resolve_warehouse(settings.yarn.archives).rstrip('/')}/{name}"
    scheme, _, rest = warehouse.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/user/{user_name()}/aqi/archives/{name}"


def ensure_archive(uri: str, make: Callable[[Path], None], say: Callable[[str], None]) -> None:
    """Upload an archive to ``uri`` unless it is there.

    make: writes the archive to a local file. say: called with a message before the upload. If two runs upload the same
    archive at once, both do it; this does no harm, because the name of an archive depends on its content. Raises
    MachineError where it cannot be written.
    """
    files, path = open_files(uri)
    try:
        if files.exists(path):
            return
        with tempfile.TemporaryDirectory(prefix="aqi-archive-") as scratch:
            local = Path(scratch) / "archive.zip"
            make(local)
            say(f"uploading {local.stat().st_size / 2**20:.0f} MiB to {uri}, once")
            folder, _, name = path.rpartition("/")
            part = f"{folder}/.{name}.{uuid.uuid4().hex}.tmp"
            files.makedirs(folder, exist_ok=True)
            files.put_file(str(local), part)
            files.mv(part, path)
    except OSError as error:
        remedy = "Set yarn.archives to a folder on HDFS that this user may write."
        if error.errno in (errno.EROFS, errno.EDQUOT):
            remedy = remedy_of(error)
        raise MachineError(f"{uri} cannot be written ({in_a_line(error)})", remedy) from error


def jars_archive(jars: list[Path], cache: Path) -> str:
    """The name of the archive of these jars, which has a digest of their content.

    cache: a file that keeps the digest, with sizes and times of the jars; they are read again only if these change.
    """
    stamps = {str(jar): [jar.stat().st_size, jar.stat().st_mtime_ns] for jar in jars}
    try:
        known = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if known.get("stamps") != stamps:
        digest = hashlib.sha256()
        for jar in sorted(jars, key=lambda jar: jar.name):
            with jar.open("rb") as content:
                digest.update(f"{jar.name} {hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
        known = {"stamps": stamps, "digest": digest.hexdigest()}
        with contextlib.suppress(OSError):  # without the cache the digest is computed again the next time
            cache.write_text(json.dumps(known), encoding="utf-8")
    return f"spark-{known['digest'][:16]}.zip"


def write_jars(jars: list[Path], target: Path) -> None:
    """Write a zip of the jars, all in its top folder. They are not compressed again."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
        for jar in jars:
            archive.write(jar, jar.name)
