"""What `aqi doctor` looks at on a cluster: what a session on YARN needs, from this machine to HDFS."""

from __future__ import annotations

import uuid

from orchestration.core.errors import EnvironmentError_
from orchestration.reports.findings import Finding, look
from resources.hadoop.configuration import HadoopConf, check_reachable, user_name
from resources.hadoop.resource_manager import ResourceManager
from resources.settings.load import Settings
from resources.spark.driver import spark_archive_uri
from resources.spark.on_yarn import check_master, executor_mebibytes, resolve_warehouse
from resources.storage.files import open_files


def examine_cluster(settings: Settings) -> list[Finding]:
    """Look at what a session on YARN needs, from this machine to the archive on HDFS; never raises LakehouseError."""
    findings = [
        look("master", lambda: _master(settings)),
        look("Hadoop configuration", lambda: str(HadoopConf.load().folder)),
    ]
    if not findings[-1].ok:
        return findings
    conf = HadoopConf.load()
    findings.append(look("ResourceManager", lambda: _resource_manager(conf)))
    if findings[-1].ok:
        manager, yarn = ResourceManager(conf), settings.yarn
        findings.append(look("queue", lambda: manager.check_queue(yarn.queue)))
        findings.append(look("executors", lambda: _executors(manager, settings)))
    findings.append(look("HDFS", lambda: _hdfs(conf)))
    if findings[-1].ok:
        findings.append(look("warehouse", lambda: _writable(resolve_warehouse(settings.warehouse.uri))))
        findings.append(look("archive of Spark's jars", lambda: _archive(settings)))
    return findings


def _master(settings: Settings) -> str:
    check_master(settings)
    return settings.spark.master


def _resource_manager(conf: HadoopConf) -> str:
    manager = ResourceManager(conf)
    found = manager.info()
    return f"Hadoop {found['resourceManagerVersion']}, {found['state']}, {manager.nodes()} NodeManagers"


def _executors(manager: ResourceManager, settings: Settings) -> str:
    mebibytes = executor_mebibytes(settings)
    manager.check_container(mebibytes, settings.yarn.executor_cores, "an executor")
    return f"{settings.yarn.executors} of {mebibytes} MiB and {settings.yarn.executor_cores} cores"


def _hdfs(conf: HadoopConf) -> str:
    check_reachable(conf, conf.default_fs)
    return f"{conf.default_fs} as {user_name()}"


def _writable(uri: str) -> str:
    """Write and remove a file in the folder, or in the nearest one above it that is there."""
    files, path = open_files(uri)
    try:
        place = path
        while place != "/" and not files.exists(place):
            place = place.rpartition("/")[0] or "/"
        probe = f"{place.rstrip('/')}/.aqi-doctor-{uuid.uuid4().hex}"
        files.pipe_file(probe, b"")
        files.rm_file(probe)
    except OSError as error:
        raise EnvironmentError_(
            f"{uri} is not writable for {user_name()} ({error})",
            f"Ask for a home folder on HDFS (hdfs dfs -mkdir /user/{user_name()}; -chown), or set warehouse.uri.",
        ) from error
    return f"{uri}{'' if place == path else ' (made at the first run)'}"


def _archive(settings: Settings) -> str:
    uri = spark_archive_uri(settings, resolve_warehouse(settings.warehouse.uri))
    files, path = open_files(uri)
    return f"{uri}{'' if files.exists(path) else ': not there yet; the first run uploads it, which takes a minute'}"
