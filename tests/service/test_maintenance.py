"""Maintenance: logs, the second home of provenance, failures by name, dry runs, the command."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from orchestration.core.calendar import iso
from orchestration.core.errors import ConfigurationError
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.state.provenance import Provenance
from orchestration.project import load
from resources.delta.compaction import SMALL_FILES, SmallFile, TableFiles
from resources.delta.log import DeltaLog
from resources.delta.snapshot_files import SnapshotFiles
from resources.delta.step_history import FOLDER, StepHistory
from resources.delta.warehouse import Warehouse
from resources.storage.lock import WarehouseLock
from tests.reports.test_metrics import ROW, never
from tests.support.cli_calls import EPISODE, QUARANTINE, Aqi, record, tree
from tests.support.filled_tables import JULY, LONG_AGO, NOW, Tables, says

# --- the log, and the second home of provenance ---------------------------------------------------


def test_provenance_outlives_the_log(tables: Tables) -> None:
    tables.old_log()
    before, rows = tables.state, tables.rows()
    done = tables.upkeep()
    assert (done.kept, done.checkpoint) == (True, True)
    assert done.commits >= 13
    left = sorted(path.name for path in (tables.table_folder / "_delta_log").glob("*.json"))
    assert int(left[0][:20]) > 12
    assert (says(tables.state), tables.rows()) == (says(before), rows)
    tables.day(date(2025, 8, 17))
    assert set(tables.state.records) == {
        *before.records,
        *(PartitionKey(date(2025, 8, 17), at) for at in ("hanoi", "hue")),
    }
    assert tables.state.unrecorded == PartitionSet.empty()


def test_the_log_stays_where_the_state_could_not_be_kept(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read back is not the state: nothing of the log is removed, and the table has failed by name."""
    tables.old_log()
    names = {path.name for path in (tables.table_folder / "_delta_log").glob("*.json")}
    monkeypatch.setattr(SnapshotFiles, "newest", lambda _files, _version: None)
    summary = tables.maintain()
    assert summary.exit_status == 1
    (failed,) = [table for table in summary.tables if table.error]
    assert (failed.table, failed.joined, failed.commits) == (EPISODE, 0, 0), "the rest was not tried"
    assert "its log was left as it is" in failed.error
    assert names <= {path.name for path in (tables.table_folder / "_delta_log").glob("*.json")}


def test_a_version_that_a_run_reads_stays_readable(tables: Tables) -> None:
    """The newest before maintenance, however long ago it was committed: on HDFS a run may have pinned it."""
    tables.old_log()
    pinned, known, rows = tables.table.version(), tables.state, tables.rows()
    done = tables.upkeep()
    assert (done.joined, done.checkpoint, done.commits) == (11, True, 13)
    assert tables.table.version() > pinned
    assert tables.workspace.warehouse.read_arrow(EPISODE, pinned).num_rows == len(rows)
    assert says(tables.workspace.warehouse.state(tables.asset, known)) == says(tables.state) == says(known)


def test_what_others_did_before_it_is_known_when_its_commit_has_gone(tables: Tables) -> None:
    tables.table.delete("start_date_utc = '2025-07-03'")
    tables.old_log()
    before = tables.state
    assert before.unrecorded
    assert tables.upkeep().commits > 0
    assert says(tables.state) == says(before)


def test_commits_of_deltalake_leave_the_log_as_it_is(tables: Tables) -> None:
    """At each 100th commit (here: eighth) deltalake would write a checkpoint and remove what is old, kept or not."""
    tables.table.alter.set_table_properties({"delta.checkpointInterval": "8"})
    warehouse, keys = tables.workspace.warehouse, tables.state.records.keys()
    nothing = Provenance("run-9", EPISODE, iso(NOW), {})
    wiped = PartitionSet.of(Days.of(JULY[0], JULY[0]), ["hue"])
    for last, commit in (
        (15, lambda: warehouse.record(tables.asset, nothing)),
        (23, lambda: warehouse.wipe(tables.asset, wiped, replace(nothing, wiped=wiped))),
    ):
        while tables.table.version() < last - 1:
            warehouse.record(tables.asset, nothing)
        tables.old_log()
        commit()
        assert tables.table.version() == last
        names = {path.name for path in (tables.table_folder / "_delta_log").iterdir()}
        assert names == {f"{version:020d}.json" for version in range(last + 1)}
    assert tables.state.unrecorded == PartitionSet.empty()
    assert tables.state.records.keys() == keys - {PartitionKey(JULY[0], "hue")}


def test_the_whole_state_is_kept_where_a_run_would_write_a_supplement(tables: Tables) -> None:
    tables.workspace.warehouse.keep_state(tables.asset, tables.state)
    tables.workspace.warehouse.record(tables.asset, Provenance("run-9", EPISODE, iso(NOW), {}))
    before = tables.state
    assert before.version is not None
    assert before.snapshot == before.version - 1
    assert tables.upkeep().kept
    assert tables.state.snapshot == before.version


def test_a_log_that_is_young_stays(tables: Tables) -> None:
    done = tables.upkeep()
    assert (done.checkpoint, done.commits) == (True, 0)
    assert tables.upkeep().checkpoint is False


def test_hadoops_checksum_of_a_checkpoint_does_not_outlive_it(tables: Tables) -> None:
    stale = tables.table_folder / "_delta_log" / "._last_checkpoint.crc"
    stale.write_bytes(b"crc")
    assert tables.upkeep().checkpoint
    assert not stale.exists()


@pytest.mark.costly
def test_provenance_files_that_no_commit_names(tables: Tables) -> None:
    key = PartitionKey(date(2025, 8, 1), "hue")
    said = Provenance("run-9", EPISODE, iso(NOW), {key: record(tables.workspace, EPISODE, key, 0)})
    Warehouse(tables.workspace.warehouse.uri, inline_characters=10).record(tables.asset, said)
    tables.day(date(2025, 5, 1))
    folder = tables.table_folder / "_aqi"
    (needed,) = folder.glob("*.json")
    for name in ("a" * 64 + ".json", "b" * 64 + ".json", f".{'c' * 64}.json.12.tmp", "notes.json"):
        (folder / name).write_text("{}", encoding="utf-8")
    for path in folder.iterdir():
        if not path.name.startswith("b"):
            os.utime(path, (LONG_AGO, LONG_AGO))
    assert tables.upkeep().provenance_files == 2
    assert {path.name for path in folder.glob("*.json")} == {needed.name, "b" * 64 + ".json", "notes.json"}
    assert key in tables.state.records
    tables.old_log()
    for version in range(12):
        tables.day(date(2025, 6, version + 1))
    done = tables.upkeep()
    assert (done.provenance_files, needed.exists()) == (1, False), "its commit has gone, a snapshot has what it said"
    assert key in tables.state.records


# --- the whole ------------------------------------------------------------------------------------


def test_one_table_that_fails_does_not_stop_the_others(tables: Tables) -> None:
    tables.create(QUARANTINE)
    log = tables.folder / "silver" / "air_quality_hourly_quarantine" / "_delta_log"
    (log / f"{1:020d}.json").write_text("{", encoding="utf-8")
    summary = tables.maintain()
    assert (summary.ok, summary.exit_status) == (False, 1)
    errors = {table.table: table.error for table in summary.tables}
    assert errors[QUARANTINE]
    assert errors[EPISODE] == ""
    assert f"{QUARANTINE}: FAILED: " in summary.in_words()
    assert f"{EPISODE}: 11 small files put together into 2, its state kept" in summary.in_words()
    assert summary.in_words().endswith("1 failed")


def test_whatever_goes_wrong_with_a_table_is_named(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    tables.create(QUARANTINE)
    groups = TableFiles.groups

    def fail(files: TableFiles, before: date) -> list[list[SmallFile]]:
        if files.uri.endswith("quarantine"):
            raise KeyError("nobody thought of it")
        return groups(files, before)

    monkeypatch.setattr(TableFiles, "groups", fail)
    summary = tables.maintain()
    assert {table.table: table.error for table in summary.tables} == {
        QUARANTINE: "KeyError: 'nobody thought of it'",
        EPISODE: "",
    }
    assert (summary.exit_status, sum(table.joined for table in summary.tables)) == (1, 11)


def test_a_table_that_cannot_be_looked_at_is_named(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = DeltaLog.newest

    def refuse(log: DeltaLog) -> int | None:
        if log.uri.endswith("quarantine"):
            raise PermissionError(13, "Permission denied")
        return newest(log)

    monkeypatch.setattr(DeltaLog, "newest", refuse)
    summary = tables.maintain()
    assert {table.table: table.error for table in summary.tables} == {
        QUARANTINE: "Permission denied",
        EPISODE: "",
    }


def test_files_are_kept_no_longer_than_delta_knows_of_them(tables: Tables) -> None:
    """What was removed 8 days ago is in no checkpoint any more: more than 168 hours could not be kept."""
    with pytest.raises(
        ConfigurationError, match=r"maintenance\.retention_hours.*\n?.*at most 168.*deletedFileRetention"
    ):
        load(environment={"AQI_MAINTENANCE__RETENTION_HOURS": "169"})
    assert load(environment={"AQI_MAINTENANCE__RETENTION_HOURS": "168"}).maintenance.retention_hours == 168
    assert "delta.deletedFileRetentionDuration" not in tables.table.metadata().configuration


def test_a_dry_run_changes_nothing_and_says_what_would_be_done(tables: Tables) -> None:
    old = tables.table_folder / "part-old.parquet"
    old.write_bytes(b"x")
    os.utime(old, (LONG_AGO, LONG_AGO))
    StepHistory(str(tables.folder)).append([ROW], never)
    before = tree(tables.folder)
    would = tables.maintain(dry_run=True)
    assert tree(tables.folder) == before
    did = tables.maintain()
    assert [replace(table, commits=0) for table in did.tables] == list(would.tables)
    assert "dry run" in would.in_words()


def test_logs_of_runs_long_ago(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "aqi" / "logs"
    folder.mkdir(parents=True)
    for name in ("r1-spark.log", "r2-prefect.log", "r3-spark.log", "mine.txt"):
        (folder / name).write_text("x", encoding="utf-8")
    for name in ("r1-spark.log", "r2-prefect.log", "mine.txt"):
        os.utime(folder / name, (LONG_AGO, LONG_AGO))
    tables = Tables(tmp_path / "lake")
    assert tables.maintain(dry_run=True).logs == 2
    assert tables.maintain().logs == 2
    assert sorted(path.name for path in folder.iterdir()) == ["mine.txt", "r3-spark.log"]
    assert tables.maintain().logs == 0


def test_the_history_of_steps_is_looked_after_too(tmp_path: Path) -> None:
    tables = Tables(tmp_path / "lake")
    history = StepHistory(str(tables.folder))
    for _ in range(SMALL_FILES):
        history.append([ROW], never)
    (done,) = tables.maintain().tables
    assert (done.table, done.joined, done.into, done.checkpoint) == (FOLDER, SMALL_FILES, 1, True)
    assert history.rows() == [ROW] * SMALL_FILES


# --- the command ----------------------------------------------------------------------------------


def test_the_command(aqi: Aqi, tables: Tables) -> None:
    at = {"AQI_WAREHOUSE__URI": str(tables.folder)}
    text = aqi.text("maintenance", EPISODE, "--dry-run", **at)
    assert (
        text.splitlines()[1]
        == f"{EPISODE}  11 small files put together into 2, its state kept, a checkpoint of its log"
    )
    assert text.splitlines()[-1].endswith("(dry run: nothing was done)")
    done = aqi.json("maintenance", **at)
    assert (done["state"], done["dry_run"], done["logs"], done["errors"]) == ("completed", False, 0, [])
    (table,) = done["tables"]
    assert (table["table"], table["joined"], table["into"], table["error"]) == (EPISODE, 11, 2, "")
    assert aqi.text("maintenance", EPISODE, **at).splitlines()[1] == f"{EPISODE}  its state kept"
    assert aqi.text("maintenance", EPISODE, **at).splitlines()[0] == "Nothing to do."


def test_it_waits_for_the_lock(aqi: Aqi, tables: Tables) -> None:
    with WarehouseLock(tables.folder, "run-1", iso(NOW), 0):
        result = aqi("maintenance", AQI_WAREHOUSE__URI=str(tables.folder), AQI_WAREHOUSE__LOCK_WAIT_SECONDS="0")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "in use by run run-1" in result.stderr
        assert aqi("maintenance", "--dry-run", AQI_WAREHOUSE__URI=str(tables.folder)).exit_code == 0
