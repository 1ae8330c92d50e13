"""Delta's log, read without a JVM: hand-written commit files, as Delta's protocol has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.errors import MachineError, WarehouseError
from orchestration.core.partitions.keys import NULL_KEY, PartitionSet
from orchestration.core.partitions.scheme import PartitionColumns
from orchestration.core.state.provenance import FORMAT, Provenance, dumps
from orchestration.core.state.table_state import FileSpan, TableState
from resources.delta.log import PROVENANCE_FOLDER, DeltaLog
from tests.support.delta_files import CREATED, Table, add, info, remove, stats
from tests.support.records import AT, RECORD, key, keys

COLUMNS = PartitionColumns("date_utc", "location_key")
OURS = dumps(Provenance("run-1", "gold.hours", AT, {key(1): RECORD}).to_json())
FACTS_1 = {"2025-08-01/hue": RECORD.facts()}
OURS_1 = dumps({"aqi": 1, "run": "run-1", "asset": "gold.hours", "at": AT, "all": {}, "partitions": FACTS_1})
AUGUST_2_TO_3 = stats("2025-08-02", "2025-08-03")

# --- versions -------------------------------------------------------------------------------------


def test_no_folder_no_table(table: Table) -> None:
    assert table.log.versions() == []
    assert table.log.state() == TableState()


def test_versions_are_those_of_the_commit_files(table: Table) -> None:
    for version in (10, 0, 9, 2):
        table.commit(version, info())
    for other in (
        "_last_checkpoint",
        "00000000000000000009.checkpoint.parquet",
        "00000000000000000009.crc",
        ".00000000000000000009.json.crc",
        "00000000000000000003.00000000000000000009.compacted.json",
        "00000000000000000009.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json",
    ):
        (table.folder / "_delta_log" / other).write_text("x", encoding="utf-8")
    assert table.log.versions() == [0, 2, 9, 10]
    assert table.log.versions(after=2) == [9, 10]
    assert table.log.versions(after=10) == []


# --- whose a commit is ----------------------------------------------------------------------------


def test_a_commit_of_ours(table: Table) -> None:
    table.commit(0, info(), *CREATED)
    table.ours(1, 1, 2, actions=(add("a.parquet", AUGUST_2_TO_3),))
    commit = table.log.commit(1)
    assert commit.provenance is not None
    assert (commit.provenance.run_id, commit.provenance.asset) == ("run-1", "gold.hours")
    state = table.log.state()
    assert state.version == 1
    assert state.records == {key(day): replace(RECORD, run_id="run-1", at=AT, version=1) for day in (1, 2)}
    assert state.unrecorded == PartitionSet.empty()


def test_a_commit_of_ours_without_files(table: Table) -> None:
    table.commit(0, info(), *CREATED)
    table.ours(1, 1)
    table.ours(2, 2)
    assert {str(at): of.version for at, of in table.log.state().records.items()} == {
        "2025-08-01/hue": 1,
        "2025-08-02/hue": 2,
    }


@pytest.mark.parametrize("metadata", [None, "", "nightly fix", '{"aqi":"99"}', '{"job":"x"}', '["aqi"]'])
def test_a_commit_of_somebody_else(metadata: str | None, table: Table) -> None:
    table.commit(0, info(metadata), add("a.parquet", AUGUST_2_TO_3))
    commit = table.log.commit(0)
    assert commit.provenance is None
    assert commit.touched == (FileSpan(date(2025, 8, 2), date(2025, 8, 3), "hue", "hue"),)


def test_a_foreign_commit_without_commit_info(table: Table) -> None:
    table.ours(0, 1, 2)
    table.commit(1, add("a.parquet", AUGUST_2_TO_3))
    assert table.log.state().unrecorded == keys(2, 3)


FORMAT_1 = (
    '{"all":{"code":"c1","contract":"k1"},"aqi":1,"asset":"gold.hours","at":"2025-08-20T06:00:00Z","partitions":'
    '{"2025-08-01/hue":{"checks":{"late":2},"fp":"f","in":{"silver.clean":{"2025-08-01/hue":"x"}},"rows":24}},'
    '"run":"run-1"}'
)


def test_a_commit_of_format_1(table: Table) -> None:
    """As commit d35dc26 wrote it; the next commits go on in today's format."""
    table.commit(0, info(FORMAT_1), *CREATED)
    table.ours(1, 2)
    stamped = replace(RECORD, run_id="run-1", at=AT)
    assert table.log.state().records == {key(day): replace(stamped, version=day - 1) for day in (1, 2)}


NEWER = "of this project, in format 3 of provenance; this one reads up to 2"


@pytest.mark.parametrize(("by", "writer"), [("0.9.0", "version 0.9.0"), (None, "a newer version")])
def test_a_commit_of_a_newer_version_is_refused_by_name(by: str | None, writer: str, table: Table) -> None:
    """It is not passed over as somebody else's, nor taken for damage."""
    table.ours(0, 1)
    said = {"aqi": 3, "run": "run-1", "unheard": "of"}
    table.commit(1, info(dumps(said if by is None else said | {"by": by})))
    with pytest.raises(MachineError) as caught:
        table.log.state()
    assert caught.value.exit_status == 2
    assert caught.value.message == f"{table.folder}: version 1 of the table was written by {writer} {NEWER}"
    assert caught.value.remedy.startswith("Upgrade")


def test_a_file_of_a_newer_version_is_refused_by_name(table: Table) -> None:
    text = dumps({"aqi": 3, "by": "0.9.0"})
    digest = hashlib.sha256(text.encode()).hexdigest()
    table.log.keep_provenance(digest, text)
    table.commit(0, info(dumps({"aqi": 2, "run": "run-1", "asset": "gold.hours", "file": digest})))
    with pytest.raises(MachineError, match=r"version 0 of the table was written by version 0\.9\.0"):
        table.log.state()


# --- the schema -----------------------------------------------------------------------------------


def test_the_schema(table: Table) -> None:
    """That of the newest commit that gives one, whoever made it."""
    table.commit(0, info(), *CREATED)
    table.ours(1, 1)
    assert table.log.commit(0).schema == "{}"
    assert table.log.commit(1).schema is None
    early = table.log.state()
    assert early.schema == "{}"
    told = {"id": "1", "schemaString": '{"fields":[]}', "description": "Hours."}
    table.commit(2, info(), {"metaData": told})
    table.ours(3, 2)
    for state in (table.log.state(), table.log.state(early)):
        assert (state.schema, state.description) == ('{"fields":[]}', "Hours.")
    table.commit(4, info(), *CREATED)
    assert (table.log.state().schema, table.log.state().description) == ("{}", None)


# --- which partitions a foreign commit touched ----------------------------------------------------


@pytest.mark.parametrize(
    ("statistics", "unrecorded"),
    [
        (AUGUST_2_TO_3, keys(2, 3)),
        (stats("2025-08-04", "2025-08-04"), keys(4)),  # a partition that nobody had recorded
        (stats("2025-08-02", "2025-08-02", "hanoi", "hcmc"), keys(2, location="hanoi") | keys(2, location="hcmc")),
        (stats("2025-08-02T00:00:00.000Z", "2025-08-02T23:00:00.000Z"), keys(2)),
        (stats("2025-08-02", "2025-08-02", "hue", "v" * 32), keys(2)),  # cut off: the name of no location
        (None, keys(1, 2, 3)),  # no statistics: any partition
        ("", keys(1, 2, 3)),
        ('{"numRecords": 24}', keys(1, 2, 3)),
        ('{"minValues": {"date_utc": "2025-08-03"}, "maxValues": {}}', keys(3)),
        ('{"minValues": {"date_utc": "3rd of August", "location_key": 7}}', keys(1, 2, 3)),
        ('{"minValues": null}', keys(1, 2, 3)),
        ("{", keys(1, 2, 3)),
    ],
)
def test_a_foreign_file(statistics: str | None, unrecorded: PartitionSet, table: Table) -> None:
    table.ours(0, 1, 2, 3, actions=CREATED)
    table.commit(1, info(), add("x.parquet", statistics))
    assert table.log.state().unrecorded == unrecorded


def test_a_foreign_remove_of_a_file_that_was_seen_before(table: Table) -> None:
    """Delta's ``remove`` need not carry statistics: the ``add`` of the file did."""
    table.ours(0, 1, 2, 3, actions=(add("a.parquet", AUGUST_2_TO_3), add("b.parquet", None)))
    table.commit(1, info(), remove("a.parquet"))
    assert table.log.state().unrecorded == keys(2, 3)


def test_a_foreign_remove_of_a_file_that_a_foreign_commit_added_in_place_of_another(table: Table) -> None:
    """What UPDATE and DELETE leave: the removed file's partitions count as much as the added one's."""
    table.ours(0, 1, 2, 3, actions=(add("a.parquet", AUGUST_2_TO_3),))
    table.commit(1, info(), remove("a.parquet"), add("b.parquet", stats("2025-08-03", "2025-08-03")))
    assert table.log.state().unrecorded == keys(2, 3)
    table.ours(2, 2, 3)
    table.commit(3, info(), remove("b.parquet"))
    assert table.log.state().unrecorded == keys(3)


def test_a_foreign_file_with_locations_that_have_no_records_yet(table: Table) -> None:
    """Statistics name the first and the last; those between are found among the locations that there can be."""
    table.log = DeltaLog(str(table.folder), COLUMNS, ["hcmc", "hue", "sapa"])
    table.commit(0, info(), *CREATED)
    table.commit(1, info(), add("x.parquet", stats("2025-08-02", "2025-08-02", "hanoi", "hue")))
    assert table.log.state().present == keys(2) | keys(2, location="hanoi") | keys(2, location="hcmc")


def test_a_foreign_remove_of_a_file_that_was_there_before_the_start(table: Table) -> None:
    table.ours(0, 1, 2, 3, actions=(add("a.parquet", AUGUST_2_TO_3), add("b.parquet", None)))
    early = table.log.state()
    table.commit(1, info(), remove("a.parquet"))
    assert table.log.state(early).unrecorded == keys(2, 3)


def test_the_files_are_what_was_added_and_not_removed(table: Table) -> None:
    table.ours(0, 1, actions=(add("a.parquet", None), add("b.parquet", AUGUST_2_TO_3)))
    table.commit(1, info(), remove("a.parquet", dataChange=False), add("c.parquet", None, dataChange=False))
    table.ours(2, 1, actions=(remove("b.parquet"), add("b.parquet", AUGUST_2_TO_3)))  # as with deletion vectors
    table.ours(3, 1, actions=(add("b.parquet", AUGUST_2_TO_3), remove("b.parquet")))
    files = {"b.parquet": FileSpan(date(2025, 8, 2), date(2025, 8, 3), "hue", "hue"), "c.parquet": FileSpan()}
    assert table.log.state().files == files


def test_a_foreign_remove_of_an_unknown_file(table: Table) -> None:
    table.ours(0, 1, 2)
    table.commit(1, info(), remove("z.parquet", stats=stats("2025-08-02", "2025-08-02")))
    assert table.log.state().unrecorded == keys(2)
    table.commit(2, info(), remove("y.parquet"))
    assert table.log.state().unrecorded == keys(1, 2)


def test_optimize_changes_no_data(table: Table) -> None:
    table.ours(0, 1, 2, actions=(add("a.parquet", AUGUST_2_TO_3),))
    table.commit(1, info(), remove("a.parquet", dataChange=False), add("big.parquet", AUGUST_2_TO_3, dataChange=False))
    table.commit(2, info(), {"metaData": {"id": "1", "schemaString": "{}"}})
    state = table.log.state()
    assert (state.version, state.unrecorded) == (2, PartitionSet.empty())
    assert set(state.records) == {key(1), key(2)}
    table.commit(3, info(), remove("big.parquet"))  # the new file is known all the same
    assert table.log.state().unrecorded == keys(2, 3)


def test_what_our_own_commits_touch_is_never_unrecorded(table: Table) -> None:
    table.ours(0, 1, 2)
    table.ours(1, 1, actions=(remove("z.parquet"), add("a.parquet", None)))
    assert table.log.state().unrecorded == PartitionSet.empty()


def test_an_unpartitioned_table(tmp_path: Path) -> None:
    table = Table(tmp_path / "locations")
    table.log = DeltaLog(str(table.folder))
    text = dumps(Provenance("run-1", "gold.locations", AT, {NULL_KEY: RECORD}).to_json())
    table.commit(0, info(text), add("a.parquet", AUGUST_2_TO_3))
    assert table.log.state().present == PartitionSet.null()
    table.commit(1, info(), remove("a.parquet"), add("b.parquet", AUGUST_2_TO_3))
    assert table.log.state().unrecorded == PartitionSet.null()


def test_an_unpartitioned_table_that_only_others_wrote(tmp_path: Path) -> None:
    table = Table(tmp_path / "locations")
    table.log = DeltaLog(str(table.folder))
    table.commit(0, info(), *CREATED)
    assert table.log.state().present == PartitionSet.empty()
    table.commit(1, info(), add("a.parquet", AUGUST_2_TO_3))
    assert table.log.state().unrecorded == PartitionSet.null()


def test_a_wipe(table: Table) -> None:
    table.ours(0, 1, 2, 3, actions=(add("a.parquet", AUGUST_2_TO_3),))
    table.commit(1, info(), remove("a.parquet"))
    table.ours(2, wiped=keys(1, 2))
    assert table.log.state().records.keys() == {key(3)}
    assert table.log.state().unrecorded == keys(3)


def test_going_on_from_an_earlier_state(table: Table) -> None:
    table.ours(0, 1, 2)
    early = table.log.state()
    assert table.log.state(early) == early
    table.commit(1, info(), add("a.parquet", AUGUST_2_TO_3))
    table.ours(2, 3)
    assert table.log.state(early) == table.log.state()


def test_the_state_as_it_was(table: Table) -> None:
    """By the log, and by the snapshots that there were by then."""
    for version in range(4):
        table.ours(version, version + 1)
        if version in (1, 3):
            table.log.keep_snapshot(table.log.state())
    for version in range(4):
        state = table.log.state(until=version)
        assert (state.version, state.present) == (version, keys(*range(1, version + 2)))
    assert table.log.state(until=9) == table.log.state()


# --- provenance in a file of its own --------------------------------------------------------------


def keep(table: Table, version: int, mark: int = FORMAT) -> Path:
    """A commit of ours whose provenance was too large for it."""
    text = dumps(Provenance("run-1", "gold.hours", AT, {key(1): RECORD}).to_json())
    digest = hashlib.sha256(text.encode()).hexdigest()
    table.log.keep_provenance(digest, text)
    table.commit(version, info(dumps({"aqi": mark, "run": "run-1", "asset": "gold.hours", "file": digest})))
    return table.folder / PROVENANCE_FOLDER / f"{digest}.json"


@pytest.mark.parametrize("mark", [1, 2])
def test_provenance_in_a_file(mark: int, table: Table) -> None:
    file = keep(table, 0, mark)
    assert file.is_file()
    assert table.log.state().records == {key(1): replace(RECORD, run_id="run-1", at=AT, version=0)}


def provenance_error(table: Table) -> WarehouseError:
    with pytest.raises(WarehouseError) as caught:
        table.log.state()
    assert caught.value.remedy == ("Restore the file, or materialize the table's partitions again with --force.")
    return caught.value


def test_provenance_whose_file_is_gone(table: Table) -> None:
    table.ours(0, 1)
    file = keep(table, 1)
    file.unlink()
    assert provenance_error(table).message == f"{table.folder}: the provenance of version 1 is gone ({file})"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"aqi":1,"run":"x"}'])
def test_provenance_whose_file_is_damaged(damage: str, table: Table) -> None:
    """The commit names the file by the digest of its text."""
    file = keep(table, 0)
    file.write_text(damage, encoding="utf-8")
    assert provenance_error(table).message == f"{table.folder}: the provenance of version 0 is damaged ({file})"


def test_a_log_can_be_read_through_a_uri(table: Table) -> None:
    table.ours(0, 1)
    through = DeltaLog(f"file://{table.folder}", COLUMNS)
    assert through.state() == table.log.state()


def test_actions_of_a_commit(table: Table) -> None:
    actions: list[Mapping[str, Any]] = [info(), add("Hà Nội.parquet")]
    table.commit(0, *[dict(action) for action in actions])
    assert table.log.actions(0) == actions


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "\n",
        '{"commitInfo": {"timest',
        "not json",
        "7",
        '{"commitInfo": null}',
        '{"add": {"dataChange": true}}',
        '{"remove": 1}',
        json.dumps(info('{"aqi":1}')),
        json.dumps(info('{"aqi":2}')),
        json.dumps(info(OURS.replace('"2025-08-01"', '"yesterday"'))),
        json.dumps(info(OURS_1.replace('"rows":24', '"rows":null'))),
        json.dumps(info(OURS_1.replace('"fp":"f"', '"fp":null'))),
        json.dumps({"metaData": 1}),
    ],
)
def test_a_damaged_commit(damage: str, table: Table) -> None:
    table.ours(0, 1, 2)
    table.ours(1, 2)
    table.commit_file(1).write_text(damage, encoding="utf-8")
    with pytest.raises(WarehouseError) as caught:
        table.log.state()
    assert caught.value.message.startswith(
        f"{table.folder}: version 1 of the table's log is damaged ({table.commit_file(1)}: "
    )
    assert (
        caught.value.remedy
        == "Put that file back from a copy, or make the table anew: `aqi repair` of it, with --rebuild."
    )


def test_a_commit_of_format_1_is_whole_until_it_is_damaged(table: Table) -> None:
    assert '"rows":24' in OURS_1 and '"fp":"f"' in OURS_1
    table.commit(0, info(OURS_1))
    assert table.log.state().records == {key(1): replace(RECORD, run_id="run-1", at=AT, version=0)}


def test_a_commit_that_is_no_text(table: Table) -> None:
    table.ours(0, 1)
    table.commit_file(0).write_bytes(b"\xff\xfe{}")
    with pytest.raises(WarehouseError, match="version 0 of the table's log is damaged"):
        table.log.state()
