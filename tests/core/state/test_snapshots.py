"""Snapshots as JSON: the whole state, supplements, earlier formats; and when one is due."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionKey, PartitionSet
from orchestration.core.state.provenance import Answer, PartitionRecord, Question, Shape, dumps
from orchestration.core.state.snapshots import from_json, snapshot_due, to_json
from orchestration.core.state.table_state import FileSpan, TableState
from orchestration.core.state.versions import Equal
from tests.support.records import AT, FORMAT_1, RECORD, key, keys

quick = settings(max_examples=50, deadline=None)


# --- as JSON --------------------------------------------------------------------------------------

LOCATIONS = ("hanoi", "hcmc", "hue")
some_keys = st.builds(key, st.integers(1, 9), st.sampled_from(LOCATIONS)) | st.just(NULL_KEY)
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
some_locations = st.none() | st.sampled_from((*LOCATIONS, "Hà Nội", "v" * 33))
spans = st.builds(FileSpan, some_days, some_days, some_locations, some_locations) | st.just(FileSpan(has_null=True))
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
    columns_of=st.dictionaries(words, words, max_size=3),
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
    base: TableState, news: dict[PartitionKey, PartitionRecord], wiped: PartitionSet, unrecorded: PartitionSet
) -> None:
    assert base.version is not None
    left = {at: record for at, record in base.records.items() if at not in wiped}
    later = {at: replace(record, version=base.version + 1) for at, record in news.items()}
    state = TableState(base.version + 2, {**left, **later}, unrecorded, files={"new": FileSpan()})
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
