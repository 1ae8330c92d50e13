"""What is read of a cluster's configuration, and what a session on YARN is told; without a cluster."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.errors import ConfigurationError, MachineError
from orchestration.project import load
from resources.hadoop.configuration import HadoopConf, check_reachable
from resources.hadoop.packages import ROOT, packages_name, write_packages
from resources.hadoop.resource_manager import Application
from resources.machine.ports import free_ports
from resources.machine.processes import Process
from resources.spark import on_yarn as spark_yarn
from resources.spark.driver import spark_conf
from resources.spark.on_yarn import (
    check_master,
    end_orphans,
    executor_mebibytes,
    jars_archive,
    resolve_warehouse,
    run_tags,
    warehouse_tag,
    write_jars,
    yarn_conf,
)
from resources.storage.files import open_files

WAREHOUSE = "hdfs://cluster/user/ada/aqi/warehouse"


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR", "YARN_RM_URL", "HADOOP_USER_NAME"):
        monkeypatch.delenv(name, raising=False)


def written(folder: Path, **files: dict[str, str]) -> dict[str, str]:
    """An environment that names a configuration with these properties, by file: core, hdfs, yarn."""
    for name, properties in files.items():
        items = "".join(
            f"<property><name>{key}</name><value>{text}</value></property>" for key, text in properties.items()
        )
        (folder / f"{name}-site.xml").write_text(f"<configuration>{items}</configuration>", encoding="utf-8")
    return {"HADOOP_CONF_DIR": str(folder)}


def test_a_plain_cluster(tmp_path: Path) -> None:
    core = {"fs.defaultFS": "hdfs://${head}:8020/", "head": "node1"}
    conf = HadoopConf.load(written(tmp_path, core=core, yarn={"yarn.resourcemanager.hostname": "node2"}))
    assert conf.default_fs == "hdfs://node1:8020"
    assert conf.namenodes("hdfs:///x") == [("node1", 8020)]
    assert conf.resource_managers() == ["http://node2:8088"]
    assert not conf.is_secure


def test_a_cluster_with_deputies(tmp_path: Path) -> None:
    hdfs = {
        "dfs.ha.namenodes.air": "a, b",
        "dfs.namenode.rpc-address.air.a": "node1:9000",
        "dfs.namenode.rpc-address.air.b": "node2",
    }
    yarn = {
        "yarn.resourcemanager.ha.enabled": "true",
        "yarn.resourcemanager.ha.rm-ids": "x,y",
        "yarn.resourcemanager.webapp.https.address.x": "node3:8443",
        "yarn.resourcemanager.hostname.y": "node4",
        "yarn.http.policy": "HTTPS_ONLY",
    }
    core = {"fs.defaultFS": "hdfs://air", "hadoop.security.authentication": "KERBEROS"}
    conf = HadoopConf.load(written(tmp_path, core=core, hdfs=hdfs, yarn=yarn))
    assert conf.namenodes("hdfs://air/user") == [("node1", 9000), ("node2", 8020)]
    assert conf.resource_managers() == ["https://node3:8443", "https://node4:8090"]
    assert conf.is_secure


def test_the_address_in_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YARN_RM_URL", "http://here:1/")
    assert HadoopConf.load(written(tmp_path, core={})).resource_managers() == ["http://here:1"]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (None, "HADOOP_CONF_DIR is not set"),
        ({}, "there is no core-site.xml in it"),
        ({"core": {}}, "fs.defaultFS is not set"),
        ({"core": {"fs.defaultFS": "file:///"}}, "names no cluster: fs.defaultFS is file:///"),
    ],
)
def test_a_configuration_that_is_none(tmp_path: Path, files: Any, says: str) -> None:
    environment = {} if files is None else written(tmp_path, **files)
    with pytest.raises(MachineError) as caught:
        resolve_warehouse(None, environment)
    assert says in str(caught.value)
    assert "Set HADOOP_CONF_DIR to" in str(caught.value)


@pytest.mark.parametrize("uri", ["hdfs://[", "hdfs://nn:abc", "hdfs://ada:hunter2@nn:99999"])
def test_a_file_system_that_is_none(uri: str, tmp_path: Path) -> None:
    environment = written(tmp_path, core={"fs.defaultFS": uri})
    with pytest.raises(MachineError, match=r"core-site\.xml: fs.defaultFS, hdfs:.* has no host or port") as caught:
        resolve_warehouse(None, environment)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("port", ["99999", "9" * 5000, "٣"])
def test_a_namenode_at_a_port_that_is_none(port: str, tmp_path: Path) -> None:
    hdfs = {"dfs.ha.namenodes.air": "a", "dfs.namenode.rpc-address.air.a": f"127.0.0.1:{port}"}
    conf = HadoopConf.load(written(tmp_path, core={"fs.defaultFS": "hdfs://air"}, hdfs=hdfs))
    with pytest.raises(MachineError, match="HDFS is out of reach"):
        check_reachable(conf, conf.default_fs)


def test_a_file_in_an_encoding_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "core-site.xml").write_text('<?xml version="1.0" encoding="none"?><configuration/>', encoding="utf-8")
    with pytest.raises(MachineError, match=r"core-site\.xml cannot be read"):
        HadoopConf.load({"HADOOP_CONF_DIR": str(tmp_path)})


def test_a_file_that_is_no_xml(tmp_path: Path) -> None:
    (tmp_path / "core-site.xml").write_text("fs.defaultFS=hdfs://x", encoding="utf-8")
    with pytest.raises(MachineError, match=r"core-site\.xml cannot be read"):
        HadoopConf.load({"HADOOP_CONF_DIR": str(tmp_path)})


def test_no_resource_manager(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="names no ResourceManager"):
        HadoopConf.load(written(tmp_path, core={"fs.defaultFS": "hdfs://x"})).resource_managers()


def test_hdfs_out_of_reach_is_said_at_once(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    conf = HadoopConf.load(written(tmp_path, core={"fs.defaultFS": f"hdfs://127.0.0.1:{port}"}))
    with pytest.raises(MachineError, match=f"no NameNode takes a connection at 127.0.0.1:{port}"):
        check_reachable(conf, conf.default_fs)


def test_where_a_warehouse_lies(tmp_path: Path) -> None:
    environment = written(tmp_path, core={"fs.defaultFS": "hdfs://node1:8020"}) | {"HADOOP_USER_NAME": "ada"}
    assert resolve_warehouse(None, environment) == "hdfs://node1:8020/user/ada/aqi/warehouse"
    assert resolve_warehouse("hdfs:///data/air", environment) == "hdfs://node1:8020/data/air"
    assert resolve_warehouse("hdfs://other/air", {}) == "hdfs://other/air"
    assert resolve_warehouse("warehouse", {}) == "warehouse"


def test_the_profile_for_yarn_runs_on_yarn_only() -> None:
    check_master(load("yarn", environment={}))
    check_master(load("local", environment={}))
    elsewhere = load("yarn", environment={"AQI_SPARK__MASTER": "local[2]"})
    with pytest.raises(ConfigurationError) as caught:
        check_master(elsewhere)
    assert "spark.master is 'local[2]'" in str(caught.value)
    assert "--no-yarn-check" in str(caught.value)
    check_master(load("yarn", environment={"AQI_SPARK__MASTER": "local[2]"}, flags={"yarn": {"check": False}}))


@pytest.mark.spark
def test_the_session() -> None:
    environment = {
        "AQI_YARN__QUEUE": "night",
        "AQI_YARN__EXECUTORS": "3",
        "AQI_YARN__EXECUTOR_MEMORY": "3g",
        "AQI_YARN__PRINCIPAL": "air@X",
        "AQI_YARN__KEYTAB": "/k",
    }
    settings = load("yarn", environment=environment)
    conf = spark_conf(settings, "r1", 1, yarn_conf(settings, "r1", WAREHOUSE, "hdfs://cluster/a.zip"))
    assert conf["spark.master"] == "yarn"
    assert conf["spark.yarn.maxAppAttempts"] == "1"
    assert conf["spark.yarn.queue"] == "night"
    assert conf["spark.executor.instances"] == "3"
    assert conf["spark.kerberos.principal"] == "air@X"
    assert executor_mebibytes(settings) == 3 * 1024 + 512
    assert all(jar.startswith("local:") for jar in conf["spark.jars"].split(","))
    assert "spark.driver.host" not in conf
    assert conf["spark.yarn.tags"].split(",")[:2] == ["aqi", "aqi-run-r1"]
    dynamic = load("yarn", environment={"AQI_YARN__DYNAMIC_ALLOCATION": "true"})
    conf = yarn_conf(dynamic, "r1", WAREHOUSE, "hdfs://cluster/a.zip")
    assert conf["spark.dynamicAllocation.maxExecutors"] == "8"
    assert "spark.executor.instances" not in conf


def test_principal_and_keytab_go_together() -> None:
    with pytest.raises(ConfigurationError, match="principal and keytab go together"):
        load("yarn", environment={"AQI_YARN__PRINCIPAL": "air@X"})


@pytest.mark.spark
def test_local_paths_stay_local_where_a_cluster_is_configured() -> None:
    assert spark_conf(load("local", environment={}), "r1", 1)["spark.hadoop.fs.defaultFS"] == "file:///"


class Manager:
    """A ResourceManager with these applications."""

    def __init__(self, *applications: Application) -> None:
        self._applications = applications
        self.killed: list[str] = []

    def applications(self, tag: str) -> list[Application]:
        return [item for item in self._applications if tag in item.tags]

    def kill(self, application_id: str) -> None:
        self.killed.append(application_id)


def application(number: int, *tags: str) -> Application:
    return Application(f"application_{number}", f"aqi run-{number}", "RUNNING", "UNDEFINED", frozenset(tags))


def test_only_the_application_of_a_dead_driver_of_this_machine_is_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        gone = child.pid
    this = Process.this()
    assert this is not None
    host, ours = socket.gethostname().lower(), warehouse_tag(WAREHOUSE)
    manager: Any = Manager(
        application(1, *run_tags("run-1", WAREHOUSE)),  # this process, which lives
        application(2, ours, f"aqi-driver-{host}-{gone}-{this.start}"),
        application(3, ours, f"aqi-driver-{host}-{this.pid}-{this.start - 1}"),  # its number was given anew
        application(4, ours, f"aqi-driver-another-{gone}-5"),
        application(5, *run_tags("run-5", WAREHOUSE, in_cluster=True)),
        application(6, ours),
        application(7, warehouse_tag("hdfs://cluster/other"), f"aqi-driver-{host}-{gone}-5"),
    )
    told: list[str] = []
    end_orphans(manager, WAREHOUSE, told.append)
    assert manager.killed == ["application_2", "application_3"]
    assert "Ended application_2 (aqi run-2): its driver is dead." in told


def test_an_archive_is_named_by_what_is_in_it(tmp_path: Path) -> None:
    one, other, cache = tmp_path / "a.jar", tmp_path / "b.jar", tmp_path / "cache.json"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    name = jars_archive([one, other], cache)
    assert jars_archive([other, one], tmp_path / "none.json") == name
    (tmp_path / "c").mkdir()
    copy = tmp_path / "c" / "a.jar"
    copy.write_bytes(b"1")
    assert jars_archive([copy, other], cache) == name
    other.write_bytes(b"3")
    os.utime(other, ns=(1, 1))
    assert jars_archive([one, other], cache) != name
    write_jars([one, other], tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.namelist() == ["a.jar", "b.jar"]
        assert {item.compress_type for item in archive.infolist()} == {zipfile.ZIP_STORED}


def test_an_archive_is_uploaded_once(tmp_path: Path) -> None:
    uri, said = f"{tmp_path}/archives/a.zip", []
    for _ in range(2):
        spark_yarn.ensure_archive(uri, lambda target: target.write_bytes(b"zip") and None, said.append)
    assert len(said) == 1
    assert (tmp_path / "archives" / "a.zip").read_bytes() == b"zip"
    assert [path.name for path in (tmp_path / "archives").iterdir()] == ["a.zip"]


@pytest.mark.slow
def test_our_code_runs_from_its_archive(tmp_path: Path) -> None:
    """As in an application master: with no other package on the path, and compiled code as it is."""
    write_packages(tmp_path / "packages.zip")
    assert packages_name() == packages_name()
    done = submitted(tmp_path, "-S", PYTHONPATH=str(tmp_path / "packages"))
    assert done.returncode == 0, done.stderr
    assert "gold.fact_episode" in done.stdout


@pytest.mark.engine
def test_a_driver_on_the_cluster_is_told_its_variables_in_a_file(tmp_path: Path) -> None:
    """Whatever is in them."""
    name = "a'file\" $HOME.yml"
    (tmp_path / "told.json").write_text(json.dumps({"AQI_PROFILE": name}), encoding="utf-8")
    (tmp_path / name).write_text("nonsense: 1", encoding="utf-8")
    done = submitted(tmp_path, PYTHONPATH=str(ROOT))
    assert done.returncode == 2
    assert f"{name}: unknown key 'nonsense'" in done.stderr


def submitted(folder: Path, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`aqi lineage` as in an application master whose working directory is ``folder``."""
    call = [sys.executable, *flags, str(ROOT / "scripts" / "submitted.py"), "lineage"]
    environment |= {"HOME": str(folder), "PATH": os.environ["PATH"]}
    return subprocess.run(call, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=200)


def test_files_of_a_folder(tmp_path: Path) -> None:
    files, root = open_files(str(tmp_path))
    files.pipe_file(f"{root}/a", b"1")
    files.pipe_file(f"{root}/b", b"2")
    files.mv(f"{root}/a", f"{root}/b")
    assert files.cat_file(f"{root}/b") == b"1"
