"""What happens to a warehouse on HDFS: blocks and files that are lost, quotas, safe mode. Named, and mended as said."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from deltalake import DeltaTable, Schema

from orchestration.core.errors import CommitConflict, WarehouseError
from orchestration.core.state.provenance import Provenance
from orchestration.engine.changes.tables import tell_lost
from resources.delta.look import unreadable_files
from resources.hadoop.configuration import HadoopConf
from resources.simulator.server import Simulator
from resources.storage import patience
from resources.storage.atomic_files import try_to_write
from resources.storage.files import open_files
from scripts.cluster import JARS, Cluster
from tests.support import oracle
from tests.support.cluster_calls import YarnCommands, wait_until
from tests.support.small_lake import Lake
from tests.support.stored_tables import canonical_rows
from tests.yarn.conftest import NOW

pytestmark = [pytest.mark.spark, pytest.mark.prefect, pytest.mark.yarn, pytest.mark.timeout(900)]

DAY = "2025-08-12"
DAILY = (oracle.CITY_DAILY, "--partitions", DAY)
SCHEMA = '{"type":"struct","fields":[{"name":"a","type":"integer","nullable":true,"metadata":{}}]}'
LESS_THAN_A_BLOCK = "100m"
"""A new block is counted as a whole one, of 128 MiB, until it is closed."""


@pytest.fixture(scope="module")
def folder(embedded: Any, replay: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of a day, by the embedded engine: it needs no application."""
    lake = Lake(tmp_path_factory.mktemp("day"), embedded, replay.url, now=NOW)
    assert lake.materialize(DAY).ok
    for asset in lake.workspace.catalog:
        lake.workspace.warehouse.keep_state(asset, lake.workspace.warehouse.state(asset))
    return lake.folder


@pytest.fixture
def stored(aqi: YarnCommands, folder: Path) -> YarnCommands:
    """A copy of it on HDFS."""
    files, root = open_files(str(aqi.warehouse))

    def upload(path: Path) -> None:
        target = f"{root}/{path.relative_to(folder)}"
        files.makedirs(target.rpartition("/")[0], exist_ok=True)
        files.pipe_file(target, path.read_bytes())

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(upload, [path for path in folder.rglob("*") if path.is_file()]))
    aqi.environment["AQI_CLOCK__NOW"] = NOW.isoformat()
    return aqi


Admin = Callable[..., None]


@pytest.fixture
def admin(stored: YarnCommands, cluster: Cluster) -> Iterator[Admin]:
    """`hdfs dfsadmin`; HDFS is out of safe mode at the end. Quotas are of the test's own folders."""

    def call(*arguments: str) -> None:
        path = os.pathsep.join([str(cluster.conf), f"{JARS}/*"])
        command = ["java", "-XX:TieredStopAtLevel=1", "-cp", path, "org.apache.hadoop.hdfs.tools.DFSAdmin", *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    yield call
    call("-safemode", "leave")


def table(aqi: YarnCommands, key: str) -> str:
    return f"{aqi.warehouse}/{key.replace('.', '/', 1)}"


def data_file(aqi: YarnCommands, key: str) -> str:
    """The path on HDFS of one of the table's files."""
    return urlsplit(sorted(DeltaTable(table(aqi, key)).file_uris())[0]).path


def lose_blocks(cluster: Cluster, path: str) -> None:
    """The file stays as it is for the NameNode; the disk of the DataNode has lost what was in it."""
    web = HadoopConf.load().properties["dfs.namenode.http-address"]
    answer = requests.get(f"http://{web}/webhdfs/v1{path}", params={"op": "GET_BLOCK_LOCATIONS"}, timeout=10).json()
    for block in answer["LocatedBlocks"]["locatedBlocks"]:
        found = list((cluster.folder / "data").rglob(f"blk_{block['block']['blockId']}*"))
        assert found
        for file in found:
            file.unlink()


def names(aqi: YarnCommands, key: str) -> int:
    """How many files and folders a table has on HDFS, itself included."""
    files, root = open_files(table(aqi, key))
    return len({root, *files.find(root, withdirs=True)})


def daily_rows(aqi: YarnCommands) -> Any:
    return canonical_rows(aqi.workspace, oracle.CITY_DAILY)


def states(aqi: YarnCommands) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for item in aqi.json("status", "--partitions", DAY):
        found.setdefault(item["asset"], set()).add(item["state"])
    return found


def only(states: dict[str, set[str]], key: str, state: str) -> None:
    """The table of ``key`` is in ``state``, and all others are as they were."""
    assert states.pop(key) == {state}
    assert set().union(*states.values()) == {"fresh"}


def said(done: CompletedProcess[str], status: int) -> str:
    """What a command told, without the breaks of lines; it ended with ``status``, and as commands end."""
    told = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == status, told
    assert not any(mark in told for mark in ("Traceback", "panicked", "\tat ", " at org.apache")), told
    return told


def mended(aqi: YarnCommands, before: Any) -> None:
    assert set().union(*states(aqi).values()) == {"fresh"}
    assert aqi.tables() == before
    assert aqi.applications(running=True) == []


def test_safe_mode_stops_writers_and_no_reader(stored: YarnCommands, admin: Admin) -> None:
    """And what is damaged is said there as anywhere else."""
    open_files(str(stored.warehouse))[0].rm_file(data_file(stored, oracle.SILVER))
    before = daily_rows(stored)
    admin("-safemode", "enter")
    only(states(stored), oracle.SILVER, "damaged")
    silver = stored.workspace.assets[oracle.SILVER]
    nothing = Provenance("r", silver.key, NOW.isoformat(), {}, by="")
    with pytest.raises(WarehouseError, match="HDFS is in safe mode") as told:
        tell_lost(stored.workspace, silver.key, stored.workspace.states([silver.key])[silver.key], "r")
    assert not isinstance(told.value, CommitConflict)
    with pytest.raises(WarehouseError, match="HDFS is in safe mode"):
        stored.workspace.warehouse.record(silver, nothing)
    refused = said(stored("wipe", *DAILY, "--yes"), 1)
    assert "HDFS is in safe mode" in refused
    assert "`hdfs dfsadmin -safemode get`" in refused
    admin("-safemode", "leave")
    assert daily_rows(stored) == before
    said(stored("wipe", *DAILY, "--yes"), 0)


@pytest.mark.slow
def test_a_run_in_safe_mode_fails_by_name(stored: YarnCommands, admin: Admin) -> None:
    before = stored.tables()
    said(stored("materialize", *DAILY, "--force"), 0)
    said(stored("wipe", *DAILY, "--yes"), 0)
    admin("-safemode", "enter")
    assert "safe mode" in said(stored("materialize", *DAILY), 1)
    said(stored("plan", *DAILY), 0)
    assert stored("freshness").returncode in (0, 1)
    admin("-safemode", "leave")
    said(stored("materialize", *DAILY), 0)
    mended(stored, before)


@pytest.mark.slow
def test_a_lost_file_is_damage_of_its_table(stored: YarnCommands) -> None:
    before = stored.tables()
    open_files(str(stored.warehouse))[0].rm_file(data_file(stored, oracle.CITY_DAILY))
    only(states(stored), oracle.CITY_DAILY, "damaged")
    assert f"`aqi status {oracle.CITY_DAILY}` says what is wrong" in said(stored("show", oracle.CITY_DAILY), 1)
    said(stored("repair", oracle.CITY_DAILY, "--yes"), 0)
    mended(stored, before)


@pytest.mark.slow
def test_a_lost_block_is_found_by_who_reads_it(stored: YarnCommands, cluster: Cluster) -> None:
    """A listing does not show it. Who reads the table is told how to have it mended."""
    before = stored.tables()
    lose_blocks(cluster, data_file(stored, oracle.CITY_DAILY))
    assert set().union(*states(stored).values()) == {"fresh"}
    assert f"`aqi repair {oracle.CITY_DAILY} --verify`" in said(stored("show", oracle.CITY_DAILY), 1)
    told = said(stored("repair", oracle.CITY_DAILY, "--verify", "--yes"), 0)
    assert "cannot be read" in told
    mended(stored, before)


@pytest.mark.slow
def test_a_lost_block_of_a_log_is_its_tables_trouble(stored: YarnCommands, cluster: Cluster) -> None:
    before, daily = stored.tables(), oracle.CITY_DAILY
    lose_blocks(cluster, f"{urlsplit(table(stored, daily)).path}/_delta_log/{1:020d}.json")
    only(states(stored), daily, "damaged")
    assert "no DataNode of HDFS gives a block of it" in said(stored("doctor"), 1)
    left_out = said(stored("materialize", "*", "--partitions", DAY), 1)
    assert f"`aqi repair {daily} --rebuild`" in left_out
    said(stored("repair", daily, "--rebuild", "--yes"), 0)
    mended(stored, before)


@pytest.mark.slow
@pytest.mark.parametrize("room", [None, 0, 1], ids=["space", "no name", "one name"])
def test_a_quota_that_is_reached_in_mid_commit(stored: YarnCommands, admin: Admin, room: int | None) -> None:
    """By space, or where there is room for no name: no rows can be written. For one: rows are, and the commit that
    names them is not."""
    before, where = stored.tables(), urlsplit(table(stored, oracle.CITY_DAILY)).path
    if room is None:
        admin("-setSpaceQuota", LESS_THAN_A_BLOCK, where)
        refused = said(stored("wipe", *DAILY, "--yes"), 1)
        assert "a quota of HDFS is used up" in refused
        assert stored.tables() == before
        admin("-clrSpaceQuota", where)
    said(stored("wipe", *DAILY, "--yes"), 0)
    if room is None:
        admin("-setSpaceQuota", LESS_THAN_A_BLOCK, where)
    else:
        admin("-setQuota", str(names(stored, oracle.CITY_DAILY) + room), where)
    assert "HDFS refused to write: The " in said(stored("materialize", *DAILY), 1)
    only(states(stored), oracle.CITY_DAILY, "failed")
    assert daily_rows(stored) == []
    admin("-clrSpaceQuota" if room is None else "-clrQuota", where)
    said(stored("materialize", *DAILY), 0)
    mended(stored, before)


@pytest.mark.slow
def test_a_quota_that_has_room_for_the_commit_and_not_for_the_snapshot(stored: YarnCommands, admin: Admin) -> None:
    """The table is right, its log says so, and the run says what it could not keep; the next one keeps it."""
    before, where = stored.tables(), urlsplit(table(stored, oracle.CITY_DAILY)).path
    said(stored("wipe", *DAILY, "--yes"), 0)
    admin("-setQuota", str(names(stored, oracle.CITY_DAILY) + 2), where)
    told = said(stored("materialize", *DAILY), 0)
    assert "no snapshot of the provenance" in told
    assert "a quota of HDFS is used up" in told
    mended(stored, before)
    admin("-clrQuota", where)
    said(stored("materialize", *DAILY, "--force"), 0)
    mended(stored, before)


@pytest.mark.slow
def test_a_lost_block_of_a_commit_that_a_snapshot_covers(stored: YarnCommands, cluster: Cluster) -> None:
    """No look reads it, nor do these tables' readers here; Spark and a fresh machine would. --verify finds it."""
    before, daily = stored.tables(), oracle.CITY_DAILY
    lose_blocks(cluster, f"{urlsplit(table(stored, daily)).path}/_delta_log/{0:020d}.json")
    assert set().union(*states(stored).values()) == {"fresh"}
    told = said(stored("repair", daily, "--verify", "--yes"), 1)
    assert "version 0 of its log cannot be read" in told
    assert f"`aqi repair {daily} --rebuild`" in told
    said(stored("repair", daily, "--rebuild", "--yes"), 0)
    mended(stored, before)


@pytest.mark.slow
def test_a_datanode_that_is_out_loses_nothing(
    stored: YarnCommands, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be read is not taken for lost, neither by --verify nor by --rebuild, and is there when it is back."""
    patient(stored, cluster)
    monkeypatch.setattr(patience, "_seconds", lambda: 3.0)
    before, daily, workspace = stored.tables(), oracle.CITY_DAILY, stored.workspace
    files = workspace.states([daily])[daily].files
    cluster.stop(["datanode"])
    with pytest.raises(WarehouseError, match="nothing is taken for lost") as told:
        unreadable_files(table(stored, daily), files)
    assert "`hdfs dfsadmin -report`" in told.value.remedy
    refused = said(stored("repair", daily, "--rebuild", "--yes"), 1)
    assert "HDFS" in refused
    assert "`hdfs dfsadmin -report`" in refused
    cluster.start(["datanode"])
    wait_until(lambda: is_back(stored))
    assert set().union(*states(stored).values()) == {"fresh"}
    assert stored.tables() == before


def is_back(aqi: YarnCommands) -> bool:
    """Whether the DataNode takes files; the NameNode does not notice for minutes that it was away."""
    try:
        try_to_write(*open_files(str(aqi.warehouse)))
    except OSError:
        return False
    return True


def patient(aqi: YarnCommands, cluster: Cluster) -> None:
    """Commands wait for three seconds, not for a minute."""
    conf = aqi.home / "conf"
    shutil.copytree(cluster.conf, conf)
    site = conf / "hdfs-site.xml"
    waits = "<property><name>dfs.client.socket-timeout</name><value>3000</value></property></configuration>"
    site.write_text(site.read_text().replace("</configuration>", waits))
    aqi.environment["HADOOP_CONF_DIR"] = str(conf)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["namenode", "datanode"])
def test_who_is_silent_is_not_waited_for_for_ever(stored: YarnCommands, cluster: Cluster, name: str) -> None:
    """A process that hangs takes connections, and answers none of them."""
    patient(stored, cluster)
    pid = cluster.pid(name)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        for call in (["status"], ["plan", "*", "--partitions", DAY], ["freshness"], ["show", oracle.CITY_DAILY]):
            told = said(stored(*call), 1)
            assert "gave no answer within 3 s about /warehouses/" in told, call
            assert "`hdfs dfsadmin -report`" in told
    finally:
        os.kill(pid, signal.SIGCONT)
    assert set().union(*states(stored).values()) == {"fresh"}


@pytest.mark.slow
def test_a_long_log_is_opened_every_time(aqi: YarnCommands, tmp_path: Path) -> None:
    """deltalake alone hangs in one process of four: see ``resources.delta.opening``."""
    DeltaTable.create(str(tmp_path / "t"), Schema.from_json(SCHEMA))
    files, root = open_files(f"{aqi.warehouse}/t/_delta_log")
    files.makedirs(root, exist_ok=True)
    files.pipe_file(f"{root}/{0:020d}.json", (tmp_path / "t/_delta_log" / f"{0:020d}.json").read_bytes())
    for version in range(1, 120):
        files.pipe_file(f"{root}/{version:020d}.json", b'{"commitInfo":{"timestamp":0,"operation":"WRITE"}}\n')
    code = "import sys; from resources.delta.opening import open_table; print(open_table(sys.argv[1]).version())"
    for _ in range(10):
        command = [sys.executable, "-c", code, f"{aqi.warehouse}/t"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout.strip()) == (0, "119"), done.stderr


@pytest.mark.slow
def test_a_file_that_somebody_began_to_write(stored: YarnCommands) -> None:
    """Its writer was killed, and holds its lease: it is as long as what was flushed."""
    before, daily = stored.tables(), oracle.CITY_DAILY
    code = (
        "import os, sys; from resources.storage.files import open_files; files, path = open_files(sys.argv[1])\n"
        "file = files.open(path, 'wb'); file.write(b'PAR1'); file.inner.hsync(); os.kill(os.getpid(), 9)"
    )
    uri = f"{stored.warehouse.partition('/warehouses')[0]}{data_file(stored, daily)}"
    assert subprocess.run([sys.executable, "-c", code, uri], timeout=60, check=False).returncode == -9
    only(states(stored), daily, "damaged")
    assert "is cut off (4 of " in said(stored("show", daily), 1)
    said(stored("repair", daily, "--yes"), 0)
    mended(stored, before)


@pytest.mark.slow
def test_another_user_reads_and_does_not_write(stored: YarnCommands) -> None:
    before = stored.tables()
    stored.environment["HADOOP_USER_NAME"] = "somebody"
    assert set().union(*states(stored).values()) == {"fresh"}
    refused = said(stored("wipe", *DAILY, "--yes"), 1)
    assert "Permission denied: user=somebody, access=WRITE" in refused
    assert "Check that this user may write there." in refused
    assert stored.tables() == before
