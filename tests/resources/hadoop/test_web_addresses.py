"""What is asked of the web addresses of a cluster, and what becomes of odd answers; the far end is a small server."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from orchestration.core.errors import MachineError
from orchestration.project import load
from resources.hadoop.configuration import HadoopConf
from resources.hadoop.datanodes import datanodes_gone
from resources.hadoop.resource_manager import ResourceManager
from resources.spark.on_yarn import check_containers

pytestmark = pytest.mark.costly  # servers, or waits

INFO = {"clusterInfo": {"haState": "ACTIVE", "state": "STARTED"}}


@contextmanager
def serving(answers: Mapping[str, str], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server, by its port: the end of a path → its answer, which it calls JSON."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(next(text for end, text in answers.items() if path.endswith(end)).encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def manager(port: int, monkeypatch: pytest.MonkeyPatch) -> ResourceManager:
    monkeypatch.setenv("YARN_RM_URL", f"http://127.0.0.1:{port}")
    return ResourceManager(HadoopConf(Path("nowhere"), {}))


# --- the ResourceManager --------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', "null", '{"clusterInfo": 3}', "[" * 100_000])
def test_a_broken_answer_is_not_a_resource_manager_s(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/info": body}) as port, pytest.raises(MachineError) as caught:
        manager(port, monkeypatch).info()
    assert f"http://127.0.0.1:{port} (its answer is not a ResourceManager's)" in caught.value.message
    assert "yarn-site.xml" in caught.value.remedy


@pytest.mark.parametrize("body", ["[]", "{}", '{"nodes": {"node": [{}]}}', '{"nodes": 7}', '{"nodes": {"node": 7}}'])
def test_other_json_than_a_resource_manager_s(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/info": json.dumps(INFO), "/nodes": body}) as port, pytest.raises(MachineError, match="YARN"):
        manager(port, monkeypatch).check_container(1, 1, "an executor", "")


@pytest.mark.parametrize("url", ["http://[::1", "http://u:hunter2@x:abc", "http://u:hunter2@x:99999", "x", "ftp://x"])
def test_an_address_that_is_none(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YARN_RM_URL", url)
    with pytest.raises(MachineError, match="does not answer") as caught:
        ResourceManager(HadoopConf(Path("nowhere"), {})).info()
    assert "hunter2" not in str(caught.value)


# --- the application master -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mebibytes", "in_cluster", "says"),
    [
        (895, False, "the application master needs a container of 896 MiB and 1 cores; the largest NodeManager has"),
        (896, False, None),
        (4096 + 408, True, "the application master, with the driver in it, needs a container of 4505 MiB"),
        (4096 + 409, True, None),
    ],
)
def test_room_for_the_application_master(
    mebibytes: int, in_cluster: bool, says: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """512 MiB of heap and 384 beside it; with the driver in it, the driver's heap and a tenth of it."""
    small = {"AQI_YARN__EXECUTOR_MEMORY": "512m", "AQI_YARN__EXECUTOR_MEMORY_OVERHEAD": "256m"}
    settings = load("yarn", small | {"AQI_YARN__EXECUTOR_CORES": "1", "AQI_SPARK__DRIVER_MEMORY": "4g"})
    node = {"availMemoryMB": mebibytes, "usedMemoryMB": 0, "availableVirtualCores": 1, "usedVirtualCores": 0}
    answers = {"/info": json.dumps(INFO), "/nodes": json.dumps({"nodes": {"node": [node]}})}
    with serving(answers) as port:
        asked = manager(port, monkeypatch)
        if says is None:
            check_containers(asked, settings, in_cluster=in_cluster)
            return
        with pytest.raises(MachineError) as caught:
            check_containers(asked, settings, in_cluster=in_cluster)
        assert says in caught.value.message
        key = "spark.driver.memoryOverhead" if in_cluster else "spark.yarn.am.memoryOverhead"
        another = settings.model_copy(update={"spark": settings.spark.model_copy(update={"conf": {key: "1m"}})})
        check_containers(asked, another, in_cluster=in_cluster)


# --- the NameNode ---------------------------------------------------------------------------------


def beans(port: int, folder: Path, monkeypatch: pytest.MonkeyPatch, **properties: str) -> int:
    told = {name.replace("_", "."): value for name, value in properties.items()}
    told |= {"dfs.namenode.http-address": f"127.0.0.1:{port}", "dfs.namenode.https-address": f"127.0.0.1:{port}"}
    items = "".join(f"<property><name>{name}</name><value>{value}</value></property>" for name, value in told.items())
    (folder / "core-site.xml").write_text("<configuration/>", encoding="utf-8")
    (folder / "hdfs-site.xml").write_text(f"<configuration>{items}</configuration>", encoding="utf-8")
    monkeypatch.setenv("HADOOP_CONF_DIR", str(folder))
    return datanodes_gone("hdfs://nn/air")


def told(**counts: Any) -> str:
    state = {"name": "Hadoop:service=NameNode,name=FSNamesystemState", **counts}
    return json.dumps({"beans": [state]})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


@pytest.mark.parametrize("policy", ["", "HTTP_ONLY", "HTTP_AND_HTTPS"])
def test_datanodes_are_counted_over_http(policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/jmx": told(NumDeadDataNodes=2)}) as port:
        assert beans(port, tmp_path, monkeypatch, dfs_http_policy=policy) == 2


def test_datanodes_are_counted_over_https_where_there_is_no_other(
    certificate: tuple[ssl.SSLContext, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = certificate
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    with serving({"/jmx": told(NumDeadDataNodes=2)}, context) as port:
        assert beans(port, tmp_path, monkeypatch, dfs_http_policy="HTTPS_ONLY") == 2


@pytest.mark.parametrize("answer", ["[]", '{"beans": 7}', '{"beans": [7]}', told(NumDeadDataNodes=None), "[" * 100_000])
def test_a_namenode_that_answers_oddly_tells_nothing(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving({"/jmx": answer}) as port:
        assert beans(port, tmp_path, monkeypatch) == 0
