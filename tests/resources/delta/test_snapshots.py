"""Snapshots: the second home of states, and what is left of a state where commits are missing from the log."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets import CATALOG
from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionKey, PartitionSet
from orchestration.core.state.provenance import (
    Answer,
    FileSpan,
    PartitionRecord,
    Provenance,
    Question,
    Shape,
    TableState,
    dumps,
)
from orchestration.core.state.snapshots import from_json, snapshot_due, to_json
from orchestration.core.state.versions import Equal
from resources.delta.log import DeltaLog
from resources.delta.snapshot_files import Snapshot
from resources.delta.warehouse import Warehouse
from resources.storage import whole_files
from tests.support import oracle
from tests.support.delta_files import AT, CREATED, RECORD, Table, add, info, key, keys, remove, stats

quick = settings(max_examples=50, deadline=None)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "hours")


# --- as JSON --------------------------------------------------------------------------------------

PLACES = ("hanoi", "hcmc", "hue")
some_keys = st.builds(key, st.integers(1, 9), st.sampled_from(PLACES)) | st.just(NULL_KEY)
some_sets = st.frozensets(some_keys, max_size=6).map(PartitionSet.from_keys)
words = st.text(alphabet="abcdef0123456789", min_size=1, max_size=4)
records = st.builds(
    PartitionRecord,
    rows=st.integers(0, 10**12),
    fingerprint=words,
    inputs=st.dictionaries(words, st.dictionaries(some_keys.map(str), words, max_size=2), max_size=2),
    code=words,
    contract=words,
    checks=st.dictionaries(words, st.integers(1, 9), max_size=2),
    as_of=st.sampled_from(["", AT]),
    run_id=words,
    at=words,
    version=st.integers(0, 9),
    answers=st.lists(st.builds(Answer, words, words, st.booleans(), st.none() | st.integers(0, 9)), max_size=2).map(
        tuple
    ),
    values=st.dictionaries(words, st.integers(0, 24), max_size=2),
)
some_days = st.none() | st.integers(1, 9).map(lambda number: date(2025, 8, number))
some_places = st.none() | st.sampled_from((*PLACES, "Hà Nội", "v" * 33))
spans = st.builds(FileSpan, some_days, some_days, some_places, some_places) | st.just(FileSpan(has_null=True))
states = st.builds(
    TableState,
    version=st.integers(9, 99),
    records=st.dictionaries(some_keys, records, max_size=8),
    unrecorded=some_sets,
    files=st.dictionaries(words, spans, max_size=4),
    questions=st.dictionaries(
        words, st.builds(Question, words, words, st.just(("a",)), st.none(), st.just(1.5)), max_size=2
    ),
    shapes=st.dictionaries(words, st.builds(Shape, st.just((("a", "long", True),)), words), max_size=2),
    equal=st.frozensets(st.builds(Equal, words, st.none() | words, words, words), max_size=3),
    past=st.frozensets(st.dictionaries(words, words, max_size=2).map(lambda of: tuple(sorted(of.items()))), max_size=3),
    schema=st.none() | words,
    description=st.none() | words,
)


def through_json(state: TableState, since: int | None = None, base: TableState | None = None) -> TableState:
    read, commit = from_json(json.loads(dumps(to_json(state, "digest", since))), base)
    assert commit == "digest"
    return read


@quick
@given(states)
def test_a_whole_snapshot_says_all(state: TableState) -> None:
    read = through_json(state)
    assert (read, read.files, read.snapshot, read.kept) == (state, state.files, state.version, state.version)
    assert (read.schema, read.description) == (state.schema, state.description)
    assert dumps(to_json(read, "digest")) == dumps(to_json(state, "digest"))


@quick
@given(states, st.dictionaries(some_keys, records, max_size=4), some_sets, some_sets)
def test_a_supplement_says_what_its_base_does_not(
    base: TableState, news: dict[PartitionKey, PartitionRecord], wiped: PartitionSet, doubted: PartitionSet
) -> None:
    assert base.version is not None
    left = {at: record for at, record in base.records.items() if at not in wiped}
    later = {at: replace(record, version=base.version + 1) for at, record in news.items()}
    state = TableState(base.version + 2, {**left, **later}, doubted, files={"new": FileSpan()})
    read = through_json(state, base.version, base)
    assert (read, read.files, read.snapshot, read.kept) == (state, state.files, base.version, state.version)
    told = through_json(replace(state, records=later)).records
    assert to_json(state, "", base.version)["records"] == to_json(replace(state, records=told), "")["records"]


def test_a_supplement_does_not_go_with_another_base() -> None:
    state = TableState(5, {key(1): replace(RECORD, version=5)})
    for base in (None, TableState(2)):
        with pytest.raises(ValueError, match="a supplement needs its base"):
            through_json(state, 3, base)
    with pytest.raises(ValueError, match="a supplement needs its base"):
        through_json(state, None, TableState(3))


FORMAT_1: dict[str, Any] = {
    "format": 1,
    "version": 5,
    "commit": "digest",
    "records": [
        [
            3,
            {
                "aqi": 1,
                "run": "run-1",
                "asset": "",
                "at": AT,
                "all": {"code": "c1", "contract": "k1"},
                "partitions": {
                    "2025-08-01/hue": {
                        "rows": 24,
                        "fp": "f",
                        "in": {"silver.clean": {"2025-08-01/hue": "x"}},
                        "checks": {"late": 2},
                    }
                },
            },
        ],
        [5, {"aqi": 1, "run": "run-2", "asset": "", "at": AT, "all": {}, "partitions": {}}],
    ],
    "unrecorded": [["hue", "2025-08-02", "2025-08-03"]],
    "files": {"a.parquet": ["2025-08-01", "2025-08-03", "hue", "hue"]},
}
"""As commit d35dc26 wrote it."""


def test_a_snapshot_of_format_1_is_read() -> None:
    read, commit = from_json(json.loads(dumps(FORMAT_1)))
    assert read == TableState(5, {key(1): replace(RECORD, run_id="run-1", at=AT, version=3)}, keys(2, 3))
    assert read.files == {"a.parquet": FileSpan(date(2025, 8, 1), date(2025, 8, 3), "hue", "hue")}
    assert (read.snapshot, read.kept, read.schema, commit) == (5, 5, None, "digest")
    assert through_json(read) == read


def test_a_supplement_goes_with_a_base_of_format_1() -> None:
    base, _ = from_json(FORMAT_1)
    state = replace(base, version=6, records={**base.records, key(9): replace(RECORD, version=6)}, schema="{}")
    read = through_json(state, 5, base)
    assert (read, read.schema) == (state, "{}")


def test_a_supplement_of_format_1_is_read() -> None:
    base, _ = from_json(FORMAT_1)
    news = [[6, {**FORMAT_1["records"][0][1], "run": "run-3"}]]
    data = FORMAT_1 | {"version": 6, "since": 5, "there": [["hue", "2025-08-01", "2025-08-01"]], "records": news}
    state, _ = from_json(data, base)
    assert state.records == {key(1): replace(RECORD, run_id="run-3", at=AT, version=6)}
    assert (state.version, state.snapshot) == (6, 5)


def test_equal_parts_of_a_state_are_one_object() -> None:
    state = TableState(5, {key(day): replace(RECORD, values={"a": 24}, version=day % 3) for day in range(1, 9)})
    read = list(through_json(state).records.values())
    for name in ("checks", "values", "code", "at"):
        assert len({id(getattr(one, name)) for one in read}) == 1, name


@pytest.mark.parametrize("name", ["format", "version", "commit", "records", "unrecorded", "files", "said"])
def test_what_lacks_a_part_is_no_snapshot(name: str) -> None:
    data = to_json(TableState(5, {key(1): RECORD}), "digest")
    del data[name]
    with pytest.raises(ValueError, match=name):
        from_json(data)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("format", 3),
        ("format", "2"),
        ("format", 1),
        ("version", None),
        ("version", "x"),
        ("records", 7),
        ("records", [[1, {}]]),
        ("records", {"keys": [["hue", "2025-08-01", "yesterday"]]}),
        ("said", {"past": [7]}),
        ("said", {"equal": [["a"]]}),
        ("unrecorded", [7]),
        ("files", []),
        ("files", {"a": ["2025-08-01"]}),
        ("files", {"a": ["today", None, None, None]}),
    ],
)
def test_what_is_no_snapshot(name: str, damage: Any) -> None:
    with pytest.raises(ValueError):
        from_json(to_json(TableState(5, {key(1): RECORD}), "digest") | {name: damage})


@pytest.mark.parametrize("data", [None, [], "x", {}, {"format": 1}])
def test_what_is_nothing_like_a_snapshot(data: Any) -> None:
    with pytest.raises(ValueError):
        from_json(data)


# --- when one is due ------------------------------------------------------------------------------


def of_versions(*versions: int) -> dict[PartitionKey, PartitionRecord]:
    days = iter(Days.of(date(2025, 1, 1), date(2025, 12, 31)))
    return {PartitionKey(next(days), "hue"): replace(RECORD, version=version) for version in versions}


@pytest.mark.parametrize(
    ("version", "snapshot", "records_of", "due"),
    [
        (None, None, [], False),  # no table
        (0, None, [], True),  # no snapshot
        (9, None, [9], True),
        (9, 9, [9] * 40, False),  # nothing since
        (10, 9, [9] * 39 + [10], False),  # 2.5 % changed since
        (10, 9, [9] * 38 + [10] * 2, True),  # 5 %
        (10, 9, [9] * 39 + [10] * 2, False),
        (28, 9, [9] * 40, False),  # 19 commits since
        (29, 9, [9] * 40, True),  # 20
        (10, 9, [], False),
    ],
)
def test_when_a_whole_snapshot_is_due(
    version: int | None, snapshot: int | None, records_of: list[int], due: bool
) -> None:
    assert snapshot_due(TableState(version, of_versions(*records_of), snapshot=snapshot)) is due


# --- as files -------------------------------------------------------------------------------------


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
        patch.setattr(type(table.log.snapshots._files), "mv", kill)
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

    monkeypatch.setattr(type(table.log.snapshots._files), "mv", refuse)
    with pytest.raises(OSError, match="no"):
        table.log.keep_snapshot(table.log.state())
    assert table.kept() == before


def test_a_snapshot_that_is_removed_while_it_is_read(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    a_month(table)
    table.ours(1, *range(1, 31))
    table.log.keep_snapshot(table.log.state())
    expected, listed = table.log.state(), table.log.snapshots.there()
    table.file(whole(1)).unlink()
    monkeypatch.setattr(type(table.log.snapshots), "there", lambda _: listed)
    assert (table.log.state(), table.log.state().snapshot) == (expected, 0)


def test_the_warehouse_keeps_states(tmp_path: Path) -> None:
    warehouse, asset = Warehouse(str(tmp_path)), CATALOG[oracle.SILVER]
    table = Table(tmp_path / asset.layer / asset.name)
    table.ours(0, 1)
    state = warehouse.keep_state(asset, warehouse.state(asset))
    assert (state, state.snapshot) == (table.log.state(), 0)
    assert table.kept() == [whole(0)]


# --- any history, any snapshots -------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A commit of a random history. removed: which of the files there, by number. keep: then keep the state."""

    ours: bool
    days: frozenset[int]
    wiped: frozenset[int]
    added: FileSpan | None
    removed: int | None
    with_stats: bool
    data_change: bool
    keep: bool


def file_of(one: int, other: int) -> FileSpan:
    return FileSpan(date(2025, 8, min(one, other)), date(2025, 8, max(one, other)), "hue", "hue")


day_numbers = st.integers(1, 9)
steps = st.builds(
    Step,
    ours=st.booleans(),
    days=st.frozensets(day_numbers, max_size=3),
    wiped=st.just(frozenset[int]()) | st.frozensets(day_numbers, max_size=3),
    added=st.none() | st.builds(file_of, day_numbers, day_numbers),
    removed=st.none() | st.integers(0, 9),
    with_stats=st.booleans(),
    data_change=st.booleans(),
    keep=st.booleans(),
)


def statistics(span: FileSpan) -> str:
    return stats(str(span.first_day), str(span.last_day), span.first_location or "", span.last_location or "")


def commit(table: Table, version: int, step: Step, there: dict[str, FileSpan]) -> None:
    """Write a step's commit. there: the files and what they hold; changed as the commit changes them."""
    actions = []
    if step.removed is not None and there:
        path = sorted(there)[step.removed % len(there)]
        del there[path]
        actions.append(remove(path, dataChange=step.data_change))
    if step.added is not None:
        path = f"{version}.parquet"
        there[path] = step.added if step.with_stats else FileSpan()
        actions.append(add(path, statistics(step.added) if step.with_stats else None, dataChange=step.data_change))
    if step.ours:
        table.ours(version, *step.days, actions=tuple(actions), wiped=keys(*step.wiped))
    else:
        table.commit(version, info(), *actions)


@contextmanager
def a_table() -> Iterator[Table]:
    with tempfile.TemporaryDirectory() as folder:
        yield Table(Path(folder))


@quick
@given(
    st.frozensets(day_numbers, min_size=1),
    st.lists(steps, min_size=1, max_size=8),
    st.sampled_from([1, 3, 20]),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_snapshots_say_what_the_log_said(
    first: frozenset[int], history: list[Step], apart: int, share: float, cut: float
) -> None:
    """Whenever snapshots were taken, and whether commits that they cover, or the snapshots themselves, are gone."""
    with a_table() as table, pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestration.core.state.snapshots.COMMITS_APART", apart)
        patch.setattr("orchestration.core.state.snapshots.CHANGED_SHARE", share)
        there: dict[str, FileSpan] = {}
        table.ours(0, *first, actions=CREATED)
        whole_log = TableState()
        covered = -1
        for version, step in enumerate(history, 1):
            commit(table, version, step, there)
            whole_log = table.log.state(whole_log)
            assert whole_log.files == there
            assert (table.log.state(), table.log.state().files) == (whole_log, there)
            if step.keep:
                table.log.keep_snapshot(table.log.state())
                covered = version
        last = len(history)
        for version in range(min(round(cut * (covered + 1)), last)):  # Delta never removes its last commit
            table.commit_file(version).unlink()
        assert (table.log.state(), table.log.state().files) == (whole_log, there)
        if len(table.log.versions()) == last + 1:
            shutil.rmtree(table.folder / "_aqi", ignore_errors=True)
            assert (table.log.state(), table.log.state().files) == (whole_log, there)


# --- commits that are missing ---------------------------------------------------------------------

FACTS = PartitionRecord(1, "f", {}, "c", "k")


class RealTable:
    """A table whose data files are there too, written by deltalake: a row per partition."""

    def __init__(self, folder: Path, dated: bool = True, places: tuple[str, ...] = ()) -> None:
        self.uri = str(folder)
        self.log = DeltaLog(self.uri, "day", "place", places) if dated else DeltaLog(self.uri)

    def write(self, partitions: PartitionSet, by_us: bool, wiped: PartitionSet | None = None) -> None:
        """Append a row for each partition; by_us: with a record of each."""
        import pyarrow as pa
        from deltalake import CommitProperties, write_deltalake

        said = Provenance("run", "t", AT, dict.fromkeys(partitions, FACTS), wiped or PartitionSet.empty())
        rows = pa.table(
            {
                "place": pa.array([at.location for at in partitions], pa.string()),
                "day": pa.array([at.day for at in partitions], pa.date32()),
            }
        )
        metadata = {"userMetadata": dumps(said.to_json())} if by_us else {}
        write_deltalake(self.uri, rows, mode="append", commit_properties=CommitProperties(custom_metadata=metadata))

    def delete(self, partitions: PartitionSet, by_us: bool) -> None:
        """Delete all rows of some partitions; by_us: as a wipe."""
        from deltalake import CommitProperties, DeltaTable

        said = Provenance("run", "t", AT, {}, partitions)
        condition = " OR ".join(f"(day = '{at.day}' AND place = '{at.location}')" for at in partitions)
        metadata = {"userMetadata": dumps(said.to_json())} if by_us else {}
        DeltaTable(self.uri).delete(condition, commit_properties=CommitProperties(custom_metadata=metadata))

    def with_rows(self) -> PartitionSet:
        from deltalake import DeltaTable

        rows = DeltaTable(self.uri).to_pyarrow_table().to_pylist()
        return PartitionSet.from_keys(PartitionKey(row["day"], row["place"]) for row in rows)

    def checkpoint(self) -> None:
        from deltalake import DeltaTable

        DeltaTable(self.uri).create_checkpoint()

    def lose(self, *versions: int) -> None:
        for version in versions:
            (Path(self.uri) / "_delta_log" / f"{version:020d}.json").unlink()


def test_commits_are_missing_and_there_was_no_snapshot(tmp_path: Path) -> None:
    """Every partition that has rows is there, also at a place between the ends of a file; none is trusted."""
    table = RealTable(tmp_path)
    table.write(keys(1, 5, place="danang") | keys(2, place="hanoi") | keys(3, place="hue"), by_us=True)
    table.write(keys(7), by_us=False)
    table.checkpoint()
    table.write(keys(3, 9), by_us=True)
    table.lose(0)
    state = table.log.state()
    assert state.version == 2
    assert {str(at): of.version for at, of in state.records.items()} == {"2025-08-03/hue": 2, "2025-08-09/hue": 2}
    assert state.unrecorded == keys(1, 5, place="danang") | keys(2, place="hanoi") | keys(7)
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
    rows = {"place": pa.array(["hue", None, "hue"]), "day": pa.array([key(1).day, key(2).day, None], pa.date32())}
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
    names = table.log._log_names()
    table.lose(0)
    monkeypatch.setattr(table.log, "_log_names", lambda: names)
    assert (table.log.state().trusted(key(1)), table.log.state().unrecorded) == (None, keys(1))


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
    assert caught.value.remedy.startswith("Restore its _delta_log or _aqi from a copy")


few_keys = st.frozensets(st.builds(key, st.integers(1, 4), st.sampled_from(PLACES)), min_size=1, max_size=4)


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
        table = RealTable(Path(folder), places=PLACES)
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


# --- whole files ----------------------------------------------------------------------------------


def test_a_whole_file_replaces_another(tmp_path: Path) -> None:
    import fsspec

    files = fsspec.filesystem("file")
    path = tmp_path / "new" / "a.json"
    for text in (b"one", b"two"):
        whole_files.write_whole(files, str(path), text)
        assert path.read_bytes() == text
    assert whole_files.names_in(files, str(path.parent)) == ["a.json"]
    assert whole_files.names_in(files, str(tmp_path / "nowhere")) == []


def test_a_snapshot_of_a_version_that_did_not_understand_the_commits_is_passed_over(table: Table) -> None:
    """An older `aqi` took a commit of ours for somebody else's, and wrote down what it made of it."""
    a_month(table)
    table.ours(1, *range(1, 31))
    state = table.log.state()
    digest = table.log._digest(1)
    doubted = FORMAT_1 | {
        "version": 1,
        "commit": digest,
        "records": [],
        "unrecorded": [["hue", "2025-08-01", "2025-08-30"]],
    }
    packed = gzip.compress(dumps(doubted).encode())
    table.file(whole(1)).write_bytes(packed)
    assert table.log.state() == state
    table.file("format-2").unlink()  # a warehouse that no version since then has written
    assert table.log.state() != state
