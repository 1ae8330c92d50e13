"""Commits that are missing from the log: what has rows is there, and nothing of before is trusted."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.scheme import PartitionColumns
from orchestration.core.state.provenance import PartitionRecord, Provenance, dumps
from resources.delta.log import DeltaLog
from tests.support.delta_files import Table, after_listing
from tests.support.records import AT, file_of, key, keys

LOCATIONS = ("hanoi", "hcmc", "hue")
FACTS = PartitionRecord(1, "f", {}, "c", "k")


class RealTable:
    """A table whose data files are there too, written by deltalake: a row per partition."""

    def __init__(self, folder: Path, dated: bool = True, locations: tuple[str, ...] = ()) -> None:
        self.uri = str(folder)
        self.log = DeltaLog(self.uri, PartitionColumns("day", "location"), locations) if dated else DeltaLog(self.uri)

    def write(self, partitions: PartitionSet, by_us: bool, wiped: PartitionSet | None = None) -> None:
        """Append a row for each partition; by_us: with a record of each."""
        import pyarrow as pa
        from deltalake import CommitProperties, write_deltalake

        said = Provenance("run", "t", AT, dict.fromkeys(partitions, FACTS), wiped or PartitionSet.empty())
        rows = pa.table(
            {
                "location": pa.array([at.location for at in partitions], pa.string()),
                "day": pa.array([at.day for at in partitions], pa.date32()),
            }
        )
        metadata = {"userMetadata": dumps(said.to_json())} if by_us else {}
        write_deltalake(self.uri, rows, mode="append", commit_properties=CommitProperties(custom_metadata=metadata))

    def delete(self, partitions: PartitionSet, by_us: bool) -> None:
        """Delete all rows of some partitions; by_us: as a wipe."""
        from deltalake import CommitProperties, DeltaTable

        said = Provenance("run", "t", AT, {}, partitions)
        condition = " OR ".join(f"(day = '{at.day}' AND location = '{at.location}')" for at in partitions)
        metadata = {"userMetadata": dumps(said.to_json())} if by_us else {}
        DeltaTable(self.uri).delete(condition, commit_properties=CommitProperties(custom_metadata=metadata))

    def with_rows(self) -> PartitionSet:
        from deltalake import DeltaTable

        rows = DeltaTable(self.uri).to_pyarrow_table().to_pylist()
        return PartitionSet.from_keys(PartitionKey(row["day"], row["location"]) for row in rows)

    def checkpoint(self) -> None:
        from deltalake import DeltaTable

        DeltaTable(self.uri).create_checkpoint()

    def lose(self, *versions: int) -> None:
        for version in versions:
            (Path(self.uri) / "_delta_log" / f"{version:020d}.json").unlink()


def test_commits_are_missing_and_there_was_no_snapshot(tmp_path: Path) -> None:
    """Every partition that has rows is there, also at a location between the ends of a file; none is trusted."""
    table = RealTable(tmp_path)
    table.write(keys(1, 5, location="danang") | keys(2, location="hanoi") | keys(3, location="hue"), by_us=True)
    table.write(keys(7), by_us=False)
    table.checkpoint()
    table.write(keys(3, 9), by_us=True)
    table.lose(0)
    state = table.log.state()
    assert state.version == 2
    assert {str(at): of.version for at, of in state.records.items()} == {"2025-08-03/hue": 2, "2025-08-09/hue": 2}
    assert state.unrecorded == keys(1, 5, location="danang") | keys(2, location="hanoi") | keys(7)
    assert state.present == table.with_rows()


def test_commits_are_missing_behind_a_snapshot(tmp_path: Path) -> None:
    table = RealTable(tmp_path)
    table.write(keys(1, 2), by_us=True)
    table.log.keep_snapshot(table.log.state())
    table.delete(keys(2), by_us=False)
    table.write(keys(3), by_us=True)
    table.checkpoint()
    table.write(keys(4), by_us=True)
    table.lose(0, 1)
    state = table.log.state()
    assert state.records.keys() == {key(1), key(2), key(3), key(4)}
    assert state.unrecorded == keys(1, 2)
    assert sorted(state.files.values(), key=str) == [file_of(1, 1), file_of(3, 3), file_of(4, 4)]
    table.lose(2)
    state = table.log.state()
    assert state.records.keys() == {key(1), key(2), key(4)}
    assert state.unrecorded == keys(1, 2, 3)
    state = table.log.keep_snapshot(state)
    table.checkpoint()
    table.lose(3)
    assert table.log.state() == state


def test_rows_of_no_partition_are_no_partition(tmp_path: Path) -> None:
    import pyarrow as pa
    from deltalake import write_deltalake

    table = RealTable(tmp_path)
    rows = {"location": pa.array(["hue", None, "hue"]), "day": pa.array([key(1).day, key(2).day, None], pa.date32())}
    write_deltalake(table.uri, pa.table(rows))
    table.checkpoint()
    table.lose(0)
    assert table.log.state().present == keys(1)


def test_commits_are_missing_and_so_are_rows(tmp_path: Path) -> None:
    table = RealTable(tmp_path)
    table.write(keys(1), by_us=True)
    table.checkpoint()
    table.lose(0)
    for file in tmp_path.glob("*.parquet"):
        file.unlink()
    with pytest.raises(WarehouseError, match="commits are missing from the table's log, and the table itself cannot"):
        table.log.state()


def test_nothing_is_left_of_the_log_but_a_checkpoint(tmp_path: Path) -> None:
    table = RealTable(tmp_path)
    table.write(keys(1), by_us=True)
    table.write(keys(2), by_us=True)
    table.checkpoint()
    table.lose(0, 1)
    assert (table.log.versions(), table.log.newest()) == ([], 1)
    state = table.log.state()
    assert (state.version, dict(state.records), state.unrecorded) == (1, {}, keys(1, 2))


def test_a_commit_is_removed_while_the_log_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = RealTable(tmp_path)
    table.write(keys(1), by_us=True)
    table.write(keys(2), by_us=True)
    table.checkpoint()
    after_listing(tmp_path / "_delta_log", lambda: table.lose(0), monkeypatch)
    state = table.log.state()
    assert (state.trusted(key(1)), state.unrecorded) == (None, keys(1))


@pytest.mark.parametrize("rows", [True, False])
def test_commits_of_an_unpartitioned_table_are_missing(rows: bool, tmp_path: Path) -> None:
    table = RealTable(tmp_path, dated=False)
    table.write(keys(1), by_us=False)
    if not rows:
        table.delete(keys(1), by_us=False)
    table.checkpoint()
    table.lose(*table.log.versions())
    assert table.log.state().unrecorded == PartitionSet(has_null=rows)


def test_commits_are_missing_and_the_table_cannot_be_read(table: Table) -> None:
    for version in (0, 2):
        table.ours(version, 1)
    with pytest.raises(WarehouseError) as caught:
        table.log.state()
    assert caught.value.message.startswith(
        f"{table.folder}: commits are missing from the table's log, and the table itself cannot be read ("
    )
    assert caught.value.remedy.startswith(
        "Put its _delta_log or _aqi back from a copy, or make the table anew: `aqi repair`"
    )


few_keys = st.frozensets(st.builds(key, st.integers(1, 4), st.sampled_from(LOCATIONS)), min_size=1, max_size=4)


@pytest.mark.costly
@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["write", "delete"]), st.booleans(), few_keys, st.booleans()), min_size=2, max_size=6
    ),
    st.integers(0, 5),
    st.integers(1, 5),
)
def test_with_commits_missing_nothing_that_has_rows_is_missing_or_trusted_wrongly(
    history: list[tuple[str, bool, frozenset[PartitionKey], bool]], first: int, count: int
) -> None:
    """What is trusted still, the whole log would have had trusted too, and by the same record."""
    with tempfile.TemporaryDirectory() as folder:
        table = RealTable(Path(folder), locations=LOCATIONS)
        table.write(keys(1), by_us=True)
        for what, by_us, chosen, keep in history:
            partitions = PartitionSet.from_keys(chosen)
            if what == "write":
                table.write(partitions, by_us)
            else:
                table.delete(partitions, by_us)
            if keep:
                table.log.keep_snapshot(table.log.state())
        table.checkpoint()
        expected, newest = table.log.state(), table.log.newest()
        assert newest is not None
        table.lose(*range(min(first, newest), min(first + count, newest + 1)))
        state = table.log.state()
        assert (state.version, table.with_rows() - state.present) == (newest, PartitionSet.empty())
        for at in state.present:
            record = state.trusted(at)
            assert record is None or record == expected.trusted(at)
