"""A real HDFS and YARN on this machine, for development and tests; `scripts/cluster.sh` calls it.

    scripts/cluster.sh start    start what is not running; returns when all of it is ready
    scripts/cluster.sh stop     end it; what is in HDFS stays
    scripts/cluster.sh status   what runs, and where (exit status 1 where something does not)
    scripts/cluster.sh env      lines to `eval`: HADOOP_CONF_DIR, YARN_RM_URL, SPARK_LOCAL_IP

NameNode, DataNode, ResourceManager and NodeManagers are Java processes of their own, on free ports of 127.0.0.1, and
go on when the caller ends. Everything of theirs lies in one folder: data, configuration, logs, and who runs. `start`
and `stop` take names of processes, to try out what happens when one is gone.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import requests

from resources.machine.ports import free_ports, is_free
from resources.machine.processes import end_with_parent
from resources.machine.proxies import settle
from scripts.cluster_configuration import (
    CAPACITY_SCHEDULER,
    HOST,
    LOG4J,
    PORTS,
    YARN,
    core_site,
    hdfs_site,
    nodemanager_site,
    write_xml,
    yarn_site,
)

ROOT = Path(__file__).resolve().parent.parent
JARS = Path(sys.prefix) / "hadoop"
READY_SECONDS = 120
END_SECONDS = 8
TRIES = 3
"""So often a cluster of which nothing runs is started, at other ports, where somebody takes one of them meanwhile."""
_TAKEN = ("java.net.BindException", "Port in use")
_HDFS = "org.apache.hadoop.hdfs.server"
_OPENED = ("java.lang", "java.util", "java.nio", "java.net", "java.util.concurrent")
_FLAGS = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-Djava.net.preferIPv4Stack=true"]
_FLAGS += [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]


class ClusterError(Exception):
    """Why the cluster is not as asked, in a line or a few."""


class _PortTakenError(ClusterError):
    """Somebody else had a port before the process that ended."""


class Cluster:
    """The cluster in ``folder``, running or not. nodes: NodeManagers, each with ``memory_mib`` for containers.

    with_parent: the kernel ends its daemons when the process that started them dies, however it dies.
    """

    def __init__(self, folder: Path, nodes: int = 2, memory_mib: int = 6144, *, with_parent: bool = False) -> None:
        self.folder = folder.resolve()
        self._with_parent = with_parent
        self.conf = self.folder / "conf"
        self.logs = self.folder / "logs"
        self._nodes = nodes
        self._memory_mib = memory_mib
        self._log_begins: dict[str, int] = {}

    # What there is ----------------------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        return ["namenode", "datanode", "resourcemanager", *(f"nodemanager-{n + 1}" for n in range(self._nodes))]

    @property
    def rm_url(self) -> str:
        """The ResourceManager's REST and web address."""
        return f"http://{HOST}:{self._ports()['rm-http']}"

    @property
    def default_fs(self) -> str:
        """The file system of the cluster, as a URI."""
        return f"hdfs://{HOST}:{self._ports()['namenode']}"

    def environment(self) -> dict[str, str]:
        """What a client of the cluster needs in its environment."""
        return {"HADOOP_CONF_DIR": str(self.conf), "YARN_RM_URL": self.rm_url, "SPARK_LOCAL_IP": HOST}

    def pid(self, name: str) -> int | None:
        """The process ``name``, None where it does not run."""
        try:
            pid = int((self.folder / "pids" / name).read_text(encoding="ascii"))
            process = psutil.Process(pid)
            mine = process.status() != psutil.STATUS_ZOMBIE and self._mark(name) in process.cmdline()
        except (OSError, ValueError, psutil.Error):
            return None
        return pid if mine else None

    def _mark(self, name: str) -> str:
        """An argument that no other process has."""
        return f"-Daqi.cluster={self.folder}/{name}"

    def _ports(self) -> dict[str, int]:
        try:
            ports: dict[str, int] = json.loads((self.folder / "ports.json").read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ClusterError(f"there is no cluster in {self.folder}: scripts/cluster.sh start") from error
        return ports

    # Starting ---------------------------------------------------------------------------------------------------

    def start(self, names: Sequence[str] = ()) -> None:
        """Start those of ``names`` (none given: all) that do not run, and wait until they are ready."""
        wanted = [name for name in names or self.names if self.pid(name) is None]
        if not wanted:
            return
        if not list(JARS.glob("hadoop-client-minicluster-*.jar")):
            raise ClusterError(f"Hadoop is not in {JARS}: call scripts/cluster.sh, which fetches it")
        for folder in ("pids", "logs", "name", "data", "tmp"):
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        first = not any(self.pid(name) for name in self.names)
        for tries_left in reversed(range(TRIES)):
            self._configure()
            if "namenode" in wanted and not (self.folder / "name" / "current").exists():
                self._format()
            for name in wanted:
                self._launch(name)
            try:
                self._wait(names or self.names)
            except _PortTakenError:
                if not (first and tries_left):  # others know them
                    raise
                self.stop(wanted)
                (self.folder / "ports.json").unlink()
            else:
                return

    def _configure(self) -> None:
        """Write the configuration; ports stay as they were, unless nothing runs and another has taken one."""
        file = self.folder / "ports.json"
        running = any(self.pid(name) for name in self.names)
        if not file.exists() or not (running or all(map(is_free, self._ports().values()))):
            file.write_text(json.dumps(dict(zip(PORTS, free_ports(len(PORTS)), strict=True))), encoding="utf-8")
        ports = self._ports()
        write_xml(self.conf / "core-site.xml", core_site(ports, self.folder))
        write_xml(self.conf / "hdfs-site.xml", hdfs_site(ports, self.folder))
        write_xml(self.conf / "yarn-site.xml", yarn_site(ports))
        write_xml(self.folder / "daemons" / "capacity-scheduler.xml", CAPACITY_SCHEDULER)
        (self.folder / "daemons" / "log4j.properties").write_text(LOG4J, encoding="utf-8")
        for name in self.names:
            if name.startswith("nodemanager"):
                own = self.folder / name
                write_xml(own / "conf" / "yarn-site.xml", yarn_site(ports) | nodemanager_site(own, self._memory_mib))

    def _format(self) -> None:
        done = subprocess.run(
            [*self._java("format"), f"{_HDFS}.namenode.NameNode", "-format", "-force", "-nonInteractive"],
            capture_output=True,
            text=True,
            check=False,
            env=self._daemon_environment(),
        )
        if done.returncode != 0:
            raise ClusterError(f"HDFS could not be formatted:\n{(done.stdout + done.stderr)[-2000:]}")

    def _java(self, name: str) -> list[str]:
        home = os.environ.get("JAVA_HOME")
        java = f"{home}/bin/java" if home else "java"
        own = [str(self.folder / name / "conf")] if name.startswith("nodemanager") else []
        path = [*own, str(self.folder / "daemons"), str(self.conf), f"{JARS}/*"]
        return [java, *_FLAGS, self._mark(name), f"-Dhadoop.log.dir={self.logs}", "-cp", os.pathsep.join(path)]

    def _daemon_environment(self) -> dict[str, str]:
        return {**os.environ, "SPARK_LOCAL_IP": HOST, "JAVA_HOME": _java_home()}

    def _launch(self, name: str) -> None:
        main = {
            "namenode": f"{_HDFS}.namenode.NameNode",
            "datanode": f"{_HDFS}.datanode.DataNode",
            "resourcemanager": f"{YARN}.resourcemanager.ResourceManager",
        }.get(name, f"{YARN}.nodemanager.NodeManager")
        with (self.logs / f"{name}.log").open("ab") as log:
            self._log_begins[name] = log.tell()
            process = subprocess.Popen(
                [*self._java(name), main],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=self._daemon_environment(),
                preexec_fn=end_with_parent if self._with_parent else None,
            )
        (self.folder / "pids" / name).write_text(str(process.pid), encoding="ascii")

    def _wait(self, names: Iterable[str]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while lacking := self.lacking():
            for name in names:
                if self.pid(name) is None:
                    said = self._said(name)
                    error = _PortTakenError if any(words in said for words in _TAKEN) else ClusterError
                    raise error(f"{name} ended; its log is {self.logs / name}.log:\n{said[-2000:]}")
            if all(name not in lacking for name in names):
                return
            if time.monotonic() > deadline:
                raise ClusterError(f"not ready after {READY_SECONDS} s: {'; '.join(lacking.values())}")
            time.sleep(0.1)

    def lacking(self) -> dict[str, str]:
        """What is not ready, by name of process, and what is known of it."""
        ports, lacking = self._ports(), {}
        bean = "Hadoop:service=NameNode,name=FSNamesystemState"
        state = _get(f"http://{HOST}:{ports['namenode-http']}/jmx", qry=bean).get("beans")
        live = state[0].get("NumLiveDataNodes", 0) if state else 0
        if not state:
            lacking["namenode"] = "the NameNode does not answer"
        elif live and state[0].get("FSState") != "Operational":
            lacking["namenode"] = f"HDFS is in state {state[0].get('FSState')}"
        elif not self._has_home(ports):
            lacking["namenode"] = "HDFS has no home folder yet"
        if not live:
            lacking["datanode"] = "no DataNode has reported"
        info = _get(f"{self.rm_url}/ws/v1/cluster/info").get("clusterInfo", {})
        if (info.get("state"), info.get("haState")) != ("STARTED", "ACTIVE"):
            lacking["resourcemanager"] = "the ResourceManager does not answer, or is not active yet"
        nodes = _get(f"{self.rm_url}/ws/v1/cluster/nodes", states="RUNNING").get("nodes")
        there = {node["nodeHTTPAddress"] for node in (nodes or {}).get("node", [])}
        for name in self.names:
            if name.startswith("nodemanager") and not (self.pid(name) and self._web_address(name) in there):
                lacking[name] = f"{name} has not reported"
        return lacking

    def _web_address(self, name: str) -> str:
        """Where a NodeManager answers: its process has several ports open, YARN tells one of them."""
        try:
            open_ports = psutil.Process(self.pid(name)).net_connections("tcp4")
        except psutil.Error:
            return ""
        listening = {connection.laddr.port for connection in open_ports if connection.status == psutil.CONN_LISTEN}
        nodes = _get(f"{self.rm_url}/ws/v1/cluster/nodes").get("nodes") or {}
        addresses = (str(node["nodeHTTPAddress"]) for node in nodes.get("node", []))
        return next((address for address in addresses if int(address.rpartition(":")[2] or 0) in listening), "")

    def _has_home(self, ports: Mapping[str, int]) -> bool:
        """Make what a Hadoop administrator makes: a home folder of this user, and /tmp for everybody."""
        web = f"http://{HOST}:{ports['namenode-http']}/webhdfs/v1"
        user = getpass.getuser()
        for path, mode in (
            ("/tmp", "1777"),  # noqa: S108 (HDFS's own, not this machine's)
            (f"/user/{user}", "755"),
        ):
            try:
                query = {"op": "MKDIRS", "permission": mode, "user.name": user}
                if not requests.put(web + path, params=query, timeout=10).ok:
                    return False
            except requests.RequestException:
                return False
        return True

    def _said(self, name: str) -> str:
        """What is in its log since it was last started from here."""
        log = (self.logs / f"{name}.log").read_bytes()
        return log[self._log_begins.get(name, 0) :].decode(errors="replace")

    # Stopping ---------------------------------------------------------------------------------------------------

    def stop(self, names: Sequence[str] = ()) -> None:
        """End those of ``names`` (none given: all, and containers that were left behind); wait until they are gone."""
        processes = [psutil.Process(pid) for name in names or self.names if (pid := self.pid(name))]
        _end(processes)
        if not names:
            _end(self.left_behind())

    def kill(self, name: str) -> None:
        """Kill -9 one process, for tests."""
        pid = self.pid(name)
        if pid is None:
            raise ClusterError(f"{name} does not run")
        process = psutil.Process(pid)
        process.send_signal(signal.SIGKILL)
        psutil.wait_procs([process], timeout=END_SECONDS)

    def left_behind(self) -> list[psutil.Process]:
        """Processes of the cluster that are none of its daemons: containers, of a NodeManager that was killed too."""
        daemons = {self.pid(name) for name in self.names}
        return [
            process
            for process in psutil.process_iter(["cwd"])
            if process.pid not in daemons and f"{process.info['cwd']}/".startswith(f"{self.folder}/nodemanager-")
        ]


def _end(processes: list[psutil.Process]) -> None:
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for process in processes:
            try:
                end(process)
            except psutil.NoSuchProcess:
                continue
        _, processes = psutil.wait_procs(processes, timeout=END_SECONDS)


def _get(url: str, **query: str) -> Any:
    try:
        answer = requests.get(url, params=query, headers={"Accept": "application/json"}, timeout=5)
        return answer.json() if answer.ok else {}
    except (requests.RequestException, ValueError):
        return {}


def _java_home() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java")
    if not home and java is None:
        raise ClusterError("there is no Java on PATH: install Java 17, or set JAVA_HOME")
    return home or str(Path(str(java)).resolve().parent.parent)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    settle()
    parser = argparse.ArgumentParser(
        prog="scripts/cluster.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["start", "stop", "status", "env"])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these processes (default: all)")
    parser.add_argument("--folder", type=Path, default=ROOT / ".cluster", help="where it lies (default: .cluster)")
    parser.add_argument("--nodes", type=int, default=2, help="how many NodeManagers (default: 2)")
    parser.add_argument("--node-memory-mib", type=int, default=6144, help="of each, for containers (default: 6144)")
    options = parser.parse_args(arguments)
    cluster = Cluster(options.folder, options.nodes, options.node_memory_mib)
    unknown = [name for name in options.names if name not in cluster.names]
    if unknown:
        parser.error(f"{unknown[0]} is unknown; there are {', '.join(cluster.names)}")
    try:
        return _do(cluster, options.action, options.names)
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1


def _do(cluster: Cluster, action: str, names: Sequence[str]) -> int:
    if action == "start":
        started = time.monotonic()
        cluster.start(names)
        print(f"cluster: ready after {time.monotonic() - started:.1f} s, in {cluster.folder}; for a shell:")
        print('  eval "$(scripts/cluster.sh env)"')
    elif action == "stop":
        cluster.stop(names)
        print("cluster: stopped")
    elif action == "env":
        for name, value in cluster.environment().items():
            print(f"export {name}='{value}'")
    else:
        lacking = cluster.lacking()
        for name in cluster.names:
            pid = cluster.pid(name)
            state = (
                "does not run"
                if pid is None
                else f"runs as process {pid}{'' if name not in lacking else ', not ready'}"
            )
            print(f"{name}: {state}")
        print(f"ResourceManager: {cluster.rm_url}")
        return 1 if lacking else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
