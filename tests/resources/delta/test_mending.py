"""Who could not commit is told why; and what cannot be read is lost only where the file system is in order."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from orchestration.core.errors import CommitConflict, WarehouseError
from resources.delta import mending
from resources.delta.look import log_trouble
from resources.delta.mending import check_in_order, how_to_mend, take_out
from resources.hadoop import datanodes
from resources.storage.patience import NoAnswer

FOLDER = "hdfs://nobody:8020/lake/gold/t"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table of three commits."""
    for number in range(3):
        write_deltalake(str(tmp_path / "t"), pa.table({"a": [number]}), mode="append")
    return tmp_path / "t"


@pytest.mark.parametrize("overtaken", [True, False])
def test_a_commit_that_was_refused_is_another_runs_only_where_there_is_one(
    folder: Path, overtaken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """deltalake says the same of both."""

    def refuse(*_: Any, **__: Any) -> None:
        if overtaken:
            (folder / "_delta_log" / f"{3:020d}.json").write_text("{}")
        raise CommitFailedError("Transaction failed, max retries reached")

    monkeypatch.setattr(DeltaTable, "create_write_transaction", refuse)
    with pytest.raises(WarehouseError) as told:
        take_out(str(folder), [], "{}", 2)
    assert isinstance(told.value, CommitConflict) is overtaken
    assert ("another run has committed" in str(told.value)) is overtaken
    assert ("max retries" in str(told.value)) is not overtaken


def test_a_file_system_that_takes_nothing_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.EDQUOT, "a quota of HDFS is used up", "/lake")

    def refuse(*_: Any, **__: Any) -> None:
        raise CommitFailedError("Transaction failed")

    monkeypatch.setattr(DeltaTable, "create_write_transaction", refuse)
    monkeypatch.setattr(mending, "try_to_write", full)
    with pytest.raises(WarehouseError, match="a quota of HDFS is used up") as told:
        take_out(str(folder), [], "{}", 2)
    assert not isinstance(told.value, CommitConflict)
    assert told.value.remedy.startswith("Have the quota raised")


@pytest.mark.parametrize(
    ("refused", "gone", "said"),
    [
        (None, 0, None),
        (None, 1, "1 of its DataNodes is gone"),
        (None, 2, "2 of its DataNodes are gone"),
        (OSError(errno.EROFS, "HDFS is in safe mode"), 0, "HDFS is in safe mode"),
        (NoAnswer("HDFS gave no answer", "Look"), 0, "HDFS gave no answer"),
    ],
)
def test_what_cannot_be_read_is_lost_only_where_hdfs_is_in_order(
    refused: OSError | None, gone: int, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: Any, **__: Any) -> None:
        if refused is not None:
            raise refused

    monkeypatch.setattr(mending, "try_to_write", write)
    monkeypatch.setattr(mending, "open_files", lambda uri: (None, uri))
    monkeypatch.setattr(datanodes, "datanodes_gone", lambda _uri: gone)
    check_in_order("/lake/gold/t", "a file")  # a disk is what it is
    if said is None:
        check_in_order(FOLDER, "a file")
        return
    with pytest.raises(WarehouseError, match="a file cannot be read, and HDFS is in trouble") as told:
        check_in_order(FOLDER, "a file")
    assert f"({said}): nothing is taken for lost" in str(told.value)
    assert "`hdfs dfsadmin -report`" in told.value.remedy


@pytest.mark.parametrize("answer", ["", "no JSON", json.dumps({"beans": []})])
def test_where_no_namenode_tells_nobody_is_gone(answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf(tmp_path, monkeypatch, answer)
    assert datanodes.datanodes_gone(FOLDER) == 0
    monkeypatch.delenv("HADOOP_CONF_DIR")
    assert datanodes.datanodes_gone(FOLDER) == 0


def test_dead_and_stale_datanodes_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = {"name": "Hadoop:service=NameNode,name=FSNamesystemState", "NumDeadDataNodes": 1}
    system = {"name": "Hadoop:service=NameNode,name=FSNamesystem", "StaleDataNodes": 2}
    conf(tmp_path, monkeypatch, json.dumps({"beans": [state, system]}))
    assert datanodes.datanodes_gone(FOLDER) == 3


def conf(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """A client's configuration, and what the NameNode's web address answers."""
    (folder / "core-site.xml").write_text("<configuration/>")
    web = "<property><name>dfs.namenode.http-address</name><value>nobody:9870</value></property>"
    (folder / "hdfs-site.xml").write_text(f"<configuration>{web}</configuration>")
    monkeypatch.setenv("HADOOP_CONF_DIR", str(folder))

    class Answer:
        ok = bool(answer)

        def json(self) -> Any:
            return json.loads(answer)

    monkeypatch.setattr("requests.get", lambda *_, **__: Answer())


def test_every_commit_that_a_reader_needs_is_read(folder: Path) -> None:
    assert log_trouble("gold.t", str(folder)) is None
    (folder / "_delta_log" / f"{1:020d}.json").write_text("")
    found = log_trouble("gold.t", str(folder))
    assert found is not None
    assert "version 1 of its log cannot be read" in found.what
    assert "`aqi repair gold.t --rebuild`" in found.remedy


def test_who_does_not_answer_needs_no_rights() -> None:
    assert (
        how_to_mend("gold.t", NoAnswer("HDFS gave no answer", "Look whether it answers.")) == "Look whether it answers."
    )
