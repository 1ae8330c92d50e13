"""The configuration of the cluster that `scripts/cluster.sh` starts: Hadoop's files, for one machine."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

HOST = "127.0.0.1"
YARN = "org.apache.hadoop.yarn.server"
PORTS = ("namenode", "namenode-http", "rm", "rm-scheduler", "rm-tracker", "rm-admin", "rm-http")
"""What has a port of its own that clients know."""


def core_site(ports: Mapping[str, int], folder: Path) -> dict[str, str]:
    """core-site.xml: of daemons and clients."""
    user = getpass.getuser()
    return {
        "fs.defaultFS": f"hdfs://{HOST}:{ports['namenode']}",
        "hadoop.tmp.dir": str(folder / "tmp"),
        "hadoop.http.staticuser.user": user,
        "ipc.client.connect.max.retries": "5",
    }


def hdfs_site(ports: Mapping[str, int], folder: Path) -> dict[str, str]:
    """hdfs-site.xml: one copy of each block, on this machine alone."""
    return {
        "dfs.replication": "1",
        "dfs.namenode.name.dir": f"file://{folder}/name",
        "dfs.datanode.data.dir": f"file://{folder}/data",
        "dfs.namenode.rpc-bind-host": HOST,
        "dfs.namenode.http-address": f"{HOST}:{ports['namenode-http']}",
        "dfs.datanode.address": f"{HOST}:0",
        "dfs.datanode.http.address": f"{HOST}:0",
        "dfs.datanode.ipc.address": f"{HOST}:0",
        "dfs.datanode.hostname": HOST,
        "dfs.namenode.datanode.registration.ip-hostname-check": "false",
        "dfs.namenode.safemode.extension": "0",
        "dfs.namenode.resource.du.reserved": "0",
        "dfs.datanode.du.reserved": "0",
        "dfs.heartbeat.interval": "1",
    }


def yarn_site(ports: Mapping[str, int]) -> dict[str, str]:
    """yarn-site.xml: of the ResourceManager and of clients; what is lost is noticed within seconds."""
    return {
        "yarn.resourcemanager.hostname": HOST,
        "yarn.resourcemanager.address": f"{HOST}:{ports['rm']}",
        "yarn.resourcemanager.scheduler.address": f"{HOST}:{ports['rm-scheduler']}",
        "yarn.resourcemanager.resource-tracker.address": f"{HOST}:{ports['rm-tracker']}",
        "yarn.resourcemanager.admin.address": f"{HOST}:{ports['rm-admin']}",
        "yarn.resourcemanager.webapp.address": f"{HOST}:{ports['rm-http']}",
        "yarn.resourcemanager.scheduler.class": f"{YARN}.resourcemanager.scheduler.capacity.CapacityScheduler",
        "yarn.resourcemanager.nodemanagers.heartbeat-interval-ms": "200",
        "yarn.resourcemanager.connect.max-wait.ms": "15000",
        "yarn.resourcemanager.connect.retry-interval.ms": "1000",
        "yarn.scheduler.minimum-allocation-mb": "128",
        "yarn.nm.liveness-monitor.expiry-interval-ms": "10000",
        "yarn.timeline-service.enabled": "false",
    }


def nodemanager_site(folder: Path, memory_mib: int) -> dict[str, str]:
    """What a NodeManager has of its own, besides ``yarn_site``."""
    return {
        "yarn.nodemanager.hostname": HOST,
        "yarn.nodemanager.address": f"{HOST}:0",
        "yarn.nodemanager.localizer.address": f"{HOST}:0",
        "yarn.nodemanager.collector-service.address": f"{HOST}:0",
        "yarn.nodemanager.webapp.address": f"{HOST}:0",
        "yarn.nodemanager.local-dirs": str(folder / "local"),
        "yarn.nodemanager.log-dirs": str(folder / "containers"),
        "yarn.nodemanager.resource.memory-mb": str(memory_mib),
        "yarn.nodemanager.resource.cpu-vcores": "8",
        "yarn.nodemanager.vmem-check-enabled": "false",
        "yarn.nodemanager.pmem-check-enabled": "false",
        "yarn.nodemanager.disk-health-checker.enable": "false",
        "yarn.nodemanager.env-whitelist": "JAVA_HOME,SPARK_LOCAL_IP,LANG,TZ",
        "yarn.nodemanager.delete.debug-delay-sec": "0",
    }


CAPACITY_SCHEDULER = {
    "yarn.scheduler.capacity.root.queues": "default",
    "yarn.scheduler.capacity.root.default.capacity": "100",
    "yarn.scheduler.capacity.maximum-am-resource-percent": "0.8",
    "yarn.scheduler.capacity.resource-calculator": "org.apache.hadoop.yarn.util.resource.DefaultResourceCalculator",
}
LOG4J = """\
log4j.rootLogger=INFO,stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n
"""


def write_xml(path: Path, properties: Mapping[str, str]) -> None:
    """Write properties as Hadoop's configuration files have them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"  <property><name>{escape(name)}</name><value>{escape(value)}</value></property>"
        for name, value in properties.items()
    ]
    path.write_text("\n".join(["<configuration>", *lines, "</configuration>", ""]), encoding="utf-8")
