"""Snapshots as files: what is kept, what is read, what is damaged or of another table."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from assets import CATALOG
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.provenance import dumps
from orchestration.core.state.table_state import TableState
from resources.delta.snapshot_files import Snapshot
from resources.delta.warehouse import Warehouse
from tests.support import oracle
from tests.support.delta_files import CREATED, Table, add, after_listing, info, remove, stats
from tests.support.records import AT, FORMAT_1, RECORD, key, keys

# --- what is kept ---------------------------------------------------------------------------------


def whole(version: int) -> str:
    return f"state-{version:020d}.json.gz"


def supplement(version: int, since: int) -> str:
    return f"state-{version:020d}-since-{since:020d}.json.gz"


def a_month(table: Table) -> TableState:
    """Version 0 with thirty records, and a whole snapshot of it: one more record is less than 5 % of all."""
    table.ours(0, *range(1, 31), actions=(*CREATED, add("a.parquet", stats("2025-08-01", "2025-08-30"))))
    return table.log.keep_snapshot(table.log.state())


def test_names() -> None:
    assert Snapshot.parse(whole(7)) == Snapshot(7)
    assert Snapshot.parse(supplement(9, 7)) == Snapshot(9, 7)
    assert (Snapshot(7).name, Snapshot(9, 7).name) == (whole(7), supplement(9, 7))
    for name in (f".{whole(7)}.0f.tmp", "state-7.json.gz", whole(7) + "x", "ab12.json", whole(7).removesuffix(".gz")):
        assert Snapshot.parse(name) is None


def test_a_state_from_its_snapshot_alone(table: Table) -> None:
    """The commits before it are not read any more."""
    state = a_month(table)
    assert table.kept() == [whole(0)]
    table.ours(1, 1, actions=(remove("a.parquet"),))
    table.commit_file(0).unlink()
    read = table.log.state()
    assert (read.version, read.snapshot, dict(read.files)) == (1, 0, {})
    assert read.records == {**state.records, key(1): replace(RECORD, run_id="run-1", at=AT, version=1)}


def test_a_foreign_remove_of_a_file_that_only_the_snapshot_knows(table: Table) -> None:
    table.ours(0, 1, 2, 3, actions=(add("a.parquet", stats("2025-08-02", "2025-08-03")),))
    table.log.keep_snapshot(table.log.state())
    table.commit_file(0).unlink()
    table.commit(1, info(), remove("a.parquet"))
    assert table.log.state().unrecorded == keys(2, 3)


def test_what_is_kept_between_two_whole_snapshots(table: Table) -> None:
    """A state has its second home after every run: a supplement, as long as no whole one is due."""
    state = a_month(table)
    for version in range(1, 20):
        table.ours(version, 1)
        state = table.log.keep_snapshot(table.log.state(state))
        assert state.snapshot == 0
    assert table.kept() == [whole(0), supplement(18, 0), supplement(19, 0)]
    for version in range(20):
        table.commit_file(version).unlink()
    table.ours(20, 2)
    read = table.log.state()
    assert (read.version, read.snapshot, read.unrecorded) == (20, 0, PartitionSet.empty())
    assert [read.records[key(day)].version for day in (1, 2, 3)] == [19, 20, 0]
    assert table.log.keep_snapshot(read).snapshot == 20
    assert table.kept() == [whole(0), supplement(18, 0), supplement(19, 0), whole(20)]


def test_two_whole_snapshots_are_kept(table: Table) -> None:
    state = TableState()
    for version in range(4):
        table.ours(version, version + 1)
        state = table.log.keep_snapshot(table.log.state(state))
        assert state.snapshot == version
    assert table.kept() == [whole(2), whole(3)]


def test_snapshots_above_the_version_are_left_alone(table: Table) -> None:
    """Of a table that was here before, or of a run that is further on: they do not count as the newest two."""
    a_month(table)
    above = [whole(7), whole(8), supplement(9, 8)]
    for name in above:
        table.file(name).write_bytes(b"theirs")
    for version in (1, 2):
        table.ours(version, *range(1, 31))
        table.log.keep_snapshot(table.log.state())
    assert table.kept() == [whole(1), whole(2), *above]


def test_keeping_what_is_kept_writes_nothing(table: Table) -> None:
    """Neither a whole snapshot nor a supplement, whether the state was kept before or read from it."""
    for version in (0, 1):
        state = a_month(table) if version == 0 else table.log.keep_snapshot(table.log.state())
        assert state.kept == version
        before = {name: table.file(name).stat().st_mtime_ns for name in table.kept()}
        for kept in (state, table.log.state()):
            assert table.log.keep_snapshot(kept) == state
        assert {name: table.file(name).stat().st_mtime_ns for name in table.kept()} == before
        table.ours(version + 1, 1)
    assert table.log.keep_snapshot(TableState()) == TableState()


def test_a_supplement_is_not_written_to_a_whole_snapshot_that_is_gone(table: Table) -> None:
    state = a_month(table)
    table.ours(1, 1)
    shutil.rmtree(table.folder / "_aqi")
    assert table.log.keep_snapshot(table.log.state(state)).snapshot == 1
    assert table.kept() == [whole(1)]


def test_a_snapshot_above_the_log_is_not_read(table: Table) -> None:
    state = a_month(table)
    table.ours(1, *range(1, 31))
    table.log.keep_snapshot(table.log.state())
    assert table.kept() == [whole(0), whole(1)]
    table.commit_file(1).unlink()
    assert (table.log.state(), table.log.state().snapshot) == (state, 0)
    table.commit_file(0).unlink()
    assert table.log.state() == TableState()  # no table: what lies beside it says nothing


def test_a_snapshot_of_another_table_that_was_here_before_is_not_read(table: Table) -> None:
    """Somebody removed the table, or put back an older copy of it, and left the snapshots."""
    a_month(table)
    for later in (0, 1):
        table.ours(later, 5)
    assert table.log.state().records.keys() == {key(5)}


def test_the_warehouse_keeps_states(tmp_path: Path) -> None:
    warehouse, asset = Warehouse(str(tmp_path)), CATALOG[oracle.SILVER]
    table = Table(tmp_path / asset.layer / asset.name)
    table.ours(0, 1)
    state = warehouse.keep_state(asset, warehouse.state(asset))
    assert (state, state.snapshot) == (table.log.state(), 0)
    assert table.kept() == [whole(0)]


# --- what is damaged ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: b"",
        lambda packed: b"not gzip",
        lambda packed: packed[: len(packed) // 2],
        lambda packed: packed[:-9] + bytes([packed[-9] ^ 1]) + packed[-8:],
        lambda packed: packed[:10] + b"\xff" * 20 + packed[30:],
        lambda packed: gzip.compress(b'{"format": 1'),
        lambda packed: gzip.compress(b"\xff"),
        lambda packed: gzip.compress(b"[]"),
        lambda packed: gzip.compress(gzip.decompress(packed).replace(b'"format":2', b'"format":3')),
        lambda packed: gzip.compress(gzip.decompress(packed).replace(b'"version":1', b'"version":0')),
    ],
    ids=["empty", "other", "half", "bit", "bytes", "half JSON", "no text", "no object", "format", "version"],
)
@pytest.mark.parametrize("log_is_whole", [True, False])
def test_a_damaged_snapshot(damage: Callable[[bytes], bytes], log_is_whole: bool, table: Table) -> None:
    """An older one is read, and the log."""
    for version in (0, 1):
        table.ours(version, version + 1)
        table.log.keep_snapshot(table.log.state())
    table.ours(2, 3)
    state = table.log.state()
    assert (state.snapshot, table.kept()) == (1, [whole(0), whole(1)])
    newest = table.file(whole(1))
    newest.write_bytes(damage(newest.read_bytes()))
    if not log_is_whole:
        table.commit_file(0).unlink()
    assert (table.log.state(), table.log.state().snapshot) == (state, 0)
    if log_is_whole:
        table.file(whole(0)).write_bytes(b"")
        assert (table.log.state(), table.log.state().snapshot) == (state, None)


def test_a_folder_in_the_place_of_a_snapshot(table: Table) -> None:
    a_month(table)
    table.file(whole(0)).unlink()
    table.file(whole(0)).mkdir()
    assert (table.log.state().version, table.log.state().snapshot) == (0, None)


def test_a_table_that_could_not_be_read_is_not_sound_when_it_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is known of before, and a log that begins anew needs no snapshot, which nobody may read."""
    a_month(Table(tmp_path / "gold" / "fact_air_quality_hourly"))
    warehouse, asset = Warehouse(str(tmp_path)), CATALOG[oracle.FACT_HOURLY]
    monkeypatch.setattr("resources.delta.snapshot_files.SnapshotFiles._read", _refused)
    known = warehouse.states([asset])
    assert (damage := known[asset.key].damage) is not None
    assert "Permission denied" in damage.in_short
    assert warehouse.states([asset], known) == known


def _refused(*_args: object, **_kwargs: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_supplement_whose_base_is_damaged(table: Table) -> None:
    state = a_month(table)
    table.ours(1, 1)
    table.log.keep_snapshot(table.log.state(state))
    assert table.kept() == [whole(0), supplement(1, 0)]
    table.file(whole(0)).write_bytes(b"")
    assert (table.log.state(), table.log.state().snapshot) == (table.log.state(state), None)


def test_what_is_damaged_is_kept_anew(table: Table) -> None:
    state = a_month(table)
    table.ours(1, 1)
    table.log.keep_snapshot(table.log.state(state))
    table.file(supplement(1, 0)).write_bytes(b"")
    table.log.keep_snapshot(table.log.state())
    assert table.log.state().kept == 1


def test_a_kill_while_a_snapshot_is_written(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """At no moment there is half a file under the real name; what is left is removed by and by."""
    state = a_month(table)
    table.ours(1, *range(1, 31))

    class Killed(BaseException):
        pass

    def kill(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(LocalFileSystem, "mv", kill)
        with pytest.raises(Killed):
            table.log.keep_snapshot(table.log.state(state))
    left = [name for name in table.kept() if name != whole(0)]
    assert len(left) == 1
    assert left[0].startswith(f".{whole(1)}.")
    assert table.log.state() == table.log.state(state)
    state = table.log.keep_snapshot(table.log.state(state))
    assert set(table.kept()) == {whole(0), whole(1), *left}  # it might be another writer's, at work
    table.ours(2, *range(1, 31))
    table.log.keep_snapshot(table.log.state(state))
    assert set(table.kept()) == {whole(1), whole(2), *left}
    table.ours(3, *range(1, 31))
    table.log.keep_snapshot(table.log.state())
    assert set(table.kept()) == {whole(2), whole(3)}


def test_what_cannot_be_written_leaves_nothing_behind(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    a_month(table)
    before = table.kept()
    table.ours(1, *range(1, 31))

    def refuse(*_: Any) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(LocalFileSystem, "mv", refuse)
    with pytest.raises(OSError, match="no"):
        table.log.keep_snapshot(table.log.state())
    assert table.kept() == before


def test_a_snapshot_that_is_removed_while_it_is_read(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    a_month(table)
    table.ours(1, *range(1, 31))
    table.log.keep_snapshot(table.log.state())
    expected = table.log.state()
    assert expected.snapshot == 1
    after_listing(table.folder / "_aqi", table.file(whole(1)).unlink, monkeypatch)
    assert (table.log.state(), table.log.state().snapshot) == (expected, 0)


def test_a_snapshot_of_a_version_that_did_not_understand_the_commits_is_passed_over(table: Table) -> None:
    """An older `aqi` took a commit of ours for somebody else's, and wrote down what it made of it."""
    a_month(table)
    table.ours(1, *range(1, 31))
    state = table.log.state()
    digest = hashlib.sha256(table.commit_file(1).read_bytes()).hexdigest()
    unrecorded = FORMAT_1 | {
        "version": 1,
        "commit": digest,
        "records": [],
        "unrecorded": [["hue", "2025-08-01", "2025-08-30"]],
    }
    packed = gzip.compress(dumps(unrecorded).encode())
    table.file(whole(1)).write_bytes(packed)
    assert table.log.state() == state
    table.file("format-2").unlink()  # a warehouse that no version since then has written
    assert table.log.state() != state
