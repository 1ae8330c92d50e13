"""A look at a table's folder: files against the log, and the log itself."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.scheme import DailyByLocation, PartitionColumns
from orchestration.core.state.provenance import PartitionRecord, Provenance, dumps
from resources.delta.features import Features, trouble_of
from resources.delta.log import DeltaLog
from resources.delta.look import log_fault, looked, lost_files, unreadable_files
from resources.delta.mending import check_writable, how_to_mend
from resources.delta.warehouse import Warehouse
from tests.support import damages
from tests.support.records import AT, keys

FACTS = PartitionRecord(1, "f", {}, "c", "k")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table with a space in its name, a file each for three days."""
    folder = tmp_path / "a table"
    for day in (1, 2, 3):
        write(folder, keys(day))
    return folder


def write(folder: Path, partitions: PartitionSet) -> None:
    said = Provenance("run", "t", AT, dict.fromkeys(partitions, FACTS))
    rows = pa.table(
        {
            "location": pa.array([at.location for at in partitions], pa.string()),
            "day": pa.array([at.day for at in partitions], pa.date32()),
        }
    )
    from deltalake import CommitProperties

    metadata = CommitProperties(custom_metadata={"userMetadata": dumps(said.to_json())})
    write_deltalake(str(folder), rows, mode="append", commit_properties=metadata)


def log(folder: Path) -> DeltaLog:
    return DeltaLog(str(folder), PartitionColumns("day", "location"))


def found(folder: Path, *, spark: bool = False) -> Any:
    return looked("gold.t", log(folder), None, spark=spark)


def test_a_sound_table(table: Path) -> None:
    """A checkpoint, a compaction, files of others beside it: nothing is wrong."""
    DeltaTable(str(table)).create_checkpoint()
    DeltaTable(str(table)).optimize.compact()
    damages.leave_files(table)
    state = found(table)
    assert state.damage is None
    assert all(span.size for span in state.files.values())
    assert found(table.parent / "none").version is None


def test_files_that_are_gone_or_not_as_large(table: Path) -> None:
    first, second, third = sorted(damages.data_files(table))
    first.unlink()
    second.write_bytes(b"")
    third.write_bytes(third.read_bytes() + b"more")
    size = found(table).files[second.name].size
    why = {Path(one.path).name: one.why for one in found(table).damage.lost}
    assert why[first.name] == "is gone"
    assert why[second.name] == f"is cut off (0 of {size} bytes)"
    assert why[third.name].startswith("is not as the log says (")
    assert found(table).damaged == keys(1, 2, 3)
    assert len(lost_files(str(table), found(table).files)) == 3


def test_one_lost_file_damages_its_days_alone(table: Path) -> None:
    damages.data_files(table)[0].unlink()
    assert len(found(table).damaged) == 1


def test_a_snapshot_of_before_sizes_were_kept(table: Path) -> None:
    """The log still knows them."""
    import gzip

    state = log(table).state()
    log(table).keep_snapshot(state)
    (path,) = (table / "_aqi").glob("state-*")
    data = json.loads(gzip.decompress(path.read_bytes()))
    for name in ("sizes", "protocol", "properties"):
        del data[name]
    path.write_bytes(gzip.compress(json.dumps(data).encode()))
    assert {span.size for span in log(table).state().files.values()} == {None}
    cut = damages.data_files(table)[1]
    cut.write_bytes(cut.read_bytes()[:-1])
    assert len(found(table).damage.lost) == 1
    damages.enable_deletion_vectors(table)
    assert "deletionVectors" in found(table).damage.trouble.what


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (damages.lose_a_commit, "version 3 of its log is gone"),
        (damages.lose_the_first_commit, "version 0 of its log is gone"),
        (damages.lose_the_log, "its log is gone"),
        (damages.cut_the_checkpoint, "the checkpoint of version 2 of its log is damaged"),
        (damages.lose_the_checkpoint, "the checkpoint of version 2 of its log is gone"),
        (lambda table: (table / "_delta_log" / "_last_checkpoint").write_text("no hint"), ""),
        (lambda table: DeltaTable(str(table)).create_checkpoint(), ""),
    ],
)
def test_a_log_that_is_not_whole(table: Path, damage: Any, why: str) -> None:
    """As deltalake finds it, too."""
    damage(table)
    assert log_fault(str(table)).startswith(why)
    if why:
        with pytest.raises(Exception, match=r"gap|Checkpoint|Corrupt|No files|Invalid|not found|No table metadata"):
            DeltaTable(str(table)).to_pyarrow_table()
    else:
        assert not log_fault(str(table))
        assert DeltaTable(str(table)).to_pyarrow_table().num_rows == 3


def test_what_lies_behind_a_checkpoint_may_go(table: Path) -> None:
    DeltaTable(str(table)).create_checkpoint()
    write(table, keys(4))
    damages.lose_the_first_commit(table)
    assert not log_fault(str(table))


def test_a_log_that_is_gone_is_no_table_that_never_was(table: Path) -> None:
    """What was recorded is known from what was kept of it, and damaged."""
    log(table).keep_snapshot(log(table).state())
    damages.lose_the_log(table)
    state = found(table)
    assert state.damage.trouble.recorded
    assert state.damaged == keys(1, 2, 3)


@pytest.mark.parametrize(
    ("reading", "writing", "properties", "embedded", "spark"),
    [
        ([], [], {}, "", ""),
        (["timestampNtz"], ["timestampNtz"], {}, "", ""),
        (["deletionVectors"], ["deletionVectors"], {}, "cannot be read", "cannot be read"),
        (["columnMapping"], ["columnMapping"], {}, "cannot be read", ""),
        ([], [], {"delta.columnMapping.mode": "name"}, "cannot be read", ""),
        ([], ["changeDataFeed"], {}, "only Spark can write", ""),
        ([], [], {"delta.constraints.positive": "x > 0"}, "only Spark can write", ""),
        (["featureOfTomorrow"], ["featureOfTomorrow"], {}, "cannot be read", "cannot be read"),
    ],
)
def test_features_of_others(
    reading: list[str], writing: list[str], properties: dict[str, str], embedded: str, spark: str
) -> None:
    features = Features(7, frozenset(reading), frozenset(writing), properties, "{}")
    for by_spark, said in ((False, embedded), (True, spark)):
        trouble = trouble_of("gold.t", features, spark=by_spark)
        assert (trouble is None) is not bool(said)
        if trouble is not None:
            assert said in trouble.what
            assert "`aqi repair gold.t --rebuild`" in trouble.remedy
            assert trouble.readable is said.startswith("only Spark")


def test_what_may_not_be_read_is_not_lost(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken for lost, it would be taken out of the log, and of fetched rows nothing may be left."""
    live = found(table).files

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.open", refuse)
    unread = unreadable_files(str(table), live)
    assert unread.lost == ()
    assert [one.path for one in unread.refused] == sorted(live), "each is named"
    assert all("Permission denied" in one.in_words for one in unread.refused)
    assert how_to_mend("gold.t", PermissionError(13, "Permission denied")).startswith("Give this user rights")
    assert "`aqi repair gold.t --verify`" in how_to_mend("gold.t", ValueError("no Parquet"))


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OSError(errno.EDQUOT, "a quota of HDFS is used up"), "Have the quota raised"),
        (OSError(errno.EROFS, "HDFS is in safe mode"), "Call the command again when HDFS has left it"),
        (PermissionError("AccessControlException: no"), "Check that this user may write there."),
    ],
)
def test_what_refuses_a_write_is_told_before_one(
    error: OSError, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_writable("gold.t", str(tmp_path))
    assert list(tmp_path.iterdir()) == [], "nothing is left of the attempt"

    def refuse(*_args: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.pipe_file", refuse)
    with pytest.raises(WarehouseError) as raised:
        check_writable("gold.t", str(tmp_path))
    assert raised.value.message.startswith(f"gold.t: {tmp_path} cannot be written (")
    assert raised.value.remedy.startswith(remedy)


# --- a second look --------------------------------------------------------------------------------

TABLE = Asset("gold.t", "Text.", lambda: None, (), None, DailyByLocation("day", "location"), "C", (), frozenset(), ())


def looked_at(tmp_path: Path) -> tuple[Warehouse, Path]:
    """A warehouse of one table, with a file each for two days."""
    for day in (1, 2):
        write(tmp_path / "gold" / "t", keys(day))
    return Warehouse(str(tmp_path)), tmp_path / "gold" / "t"


def test_a_second_look_reads_a_log_again_that_could_not_be_read(tmp_path: Path) -> None:
    """It goes on from nothing: what was known of it before the trouble is not what is there."""
    warehouse, table = looked_at(tmp_path)
    first, second = damages.commits(table)
    content = second.read_bytes()
    second.write_text("{")
    known = warehouse.states([TABLE])
    assert known["gold.t"].damage is not None and known["gold.t"].damage.trouble is not None
    second.write_bytes(content)
    found = warehouse.states([TABLE], known)["gold.t"]
    assert (found.damage, found.version, found.records.partitions) == (None, 1, keys(1, 2))
    first.unlink()
    trouble = warehouse.states([TABLE], {"gold.t": found})["gold.t"].damage
    assert trouble is not None and trouble.trouble is not None
    assert "version 0 of its log is gone" in trouble.trouble.what


def test_a_second_look_finds_what_was_lost_and_what_came_back(tmp_path: Path) -> None:
    warehouse, table = looked_at(tmp_path)
    known = warehouse.states([TABLE])
    file = damages.data_files(table)[0]
    content = file.read_bytes()
    file.unlink()
    known = warehouse.states([TABLE], known)
    assert len(known["gold.t"].damaged) == 1
    file.write_bytes(content)
    found = warehouse.states([TABLE], known)["gold.t"]
    assert (found.damage, found.unrecorded) == (None, PartitionSet.empty())


def test_a_look_that_could_not_be_had_is_had_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a table that nobody may list nothing is known: not even that it has no version."""
    warehouse, table = looked_at(tmp_path)

    def refuse(key: str, *_args: object, **_named: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(table))

    with monkeypatch.context() as patch:
        patch.setattr("resources.delta.warehouse.looked", refuse)
        known = warehouse.states([TABLE])
    assert known["gold.t"].version is None
    damage = known["gold.t"].damage
    assert damage is not None and damage.trouble is not None
    assert damage.trouble.remedy.startswith("Give this user rights")
    assert warehouse.states([TABLE], known)["gold.t"].version == 1


def test_nothing_is_believed_of_a_table_that_nobody_could_look_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is told of it is what was last known, also where it is gone by then: the next look says so."""
    warehouse, table = looked_at(tmp_path)
    warehouse.keep_state(TABLE, warehouse.state(TABLE))

    def refuse(*_args: object, **_named: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(table))

    with monkeypatch.context() as patch:
        patch.setattr("resources.delta.warehouse.looked", refuse)
        known = warehouse.states([TABLE])
    assert known["gold.t"].version == 1
    shutil.rmtree(table)
    assert warehouse.states([TABLE], known) == {}
