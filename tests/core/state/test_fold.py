"""The state of a table is the fold of its commits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.state.provenance import ABSENT, UNRECORDED, PartitionRecord, Provenance, Question, Shape
from orchestration.core.state.table_state import Commit, FileSpan, TableState, fold
from orchestration.core.state.versions import Equal
from tests.support.commits import ours, record, span, theirs
from tests.support.records import AT, key, keys

quick = settings(max_examples=50, deadline=None)


# --- the fold -------------------------------------------------------------------------------------


def test_no_commits_no_table() -> None:
    state = fold([])
    assert (state.version, dict(state.records), state.unrecorded) == (None, {}, PartitionSet.empty())
    assert state.present == PartitionSet.empty()
    assert state.fingerprint(key(1)) == ABSENT
    assert state.trusted(key(1)) is None


def test_the_last_commit_of_ours_that_names_a_partition_decides() -> None:
    state = fold(
        [
            ours(1, {key(1): record("a"), key(2): record("b")}, run="first"),
            ours(2, {key(2): record("B"), key(3): record("c", rows=0)}, run="second"),
        ]
    )
    assert {str(at): (of.fingerprint, of.version) for at, of in state.records.items()} == {
        "2025-08-01/hue": ("a", 1),
        "2025-08-02/hue": ("B", 2),
        "2025-08-03/hue": ("c", 2),
    }
    assert (state.version, state.present, state.unrecorded) == (2, keys(1, 2, 3), PartitionSet.empty())
    assert state.fingerprint(key(2)) == "B"
    trusted = state.trusted(key(2))
    assert trusted is not None
    assert trusted.fingerprint == "B"


def test_a_foreign_change_makes_unrecorded_exactly_what_the_files_can_hold() -> None:
    held = {key(day, location): record() for day in (1, 2, 3) for location in ("hanoi", "hue")}
    state = fold([ours(1, held), theirs(2, span(2, 3, "hanoi"), span(3, 4, "hue"))])
    assert state.unrecorded == keys(2, 3, location="hanoi") | keys(3, 4)
    assert state.version == 2
    assert state.present == PartitionSet.from_keys(held) | keys(4)
    assert state.trusted(key(3)) is None
    assert state.fingerprint(key(3)) == UNRECORDED
    assert state.records[key(3)].fingerprint == "f"  # what was recorded is still told; it is not relied upon
    assert state.trusted(key(2)) == replace(record(), version=1)


def test_a_foreign_change_of_unknown_extent_makes_everything_unrecorded() -> None:
    state = fold([ours(1, {key(1): record(), key(2, "hanoi"): record()}), theirs(2, FileSpan())])
    assert state.unrecorded == keys(1) | keys(2, location="hanoi") == state.present


@pytest.mark.parametrize(
    ("file", "unrecorded"),
    [
        (FileSpan(first_day=date(2025, 8, 2)), keys(2, 3)),
        (FileSpan(last_day=date(2025, 8, 2)), keys(1, 2)),
        (replace(span(2, 2, "hue"), last_location=None), keys(2)),
    ],
)
def test_a_foreign_change_of_an_extent_that_is_half_known(file: FileSpan, unrecorded: PartitionSet) -> None:
    held = {key(number): record() for number in (1, 2, 3)}
    assert fold([ours(1, held), theirs(2, file)]).unrecorded == unrecorded


def test_a_foreign_change_of_an_unpartitioned_table() -> None:
    state = fold([ours(1, {NULL_KEY: record()}), theirs(2, FileSpan())])
    assert state.unrecorded == PartitionSet.null()
    assert state.trusted(NULL_KEY) is None


def test_a_foreign_change_of_an_unpartitioned_table_that_has_no_record() -> None:
    state = fold([theirs(1, FileSpan(has_null=True))])
    assert state.unrecorded == state.present == PartitionSet.null()


def test_a_foreign_change_reaches_every_location_that_is_known() -> None:
    """From a record, from an earlier foreign change, or because there can be such a location."""
    start = TableState(0, {key(1, "hue"): record()}, keys(1, location="hcmc"), locations=frozenset({"hoian", "vinh"}))
    state = fold([theirs(1, span(2, 2, "hanoi", "sapa"))], start)
    everywhere = ("hanoi", "hcmc", "hoian", "hue", "sapa")
    assert state.unrecorded == keys(1, location="hcmc") | PartitionSet.from_keys(
        key(2, location) for location in everywhere
    )


def test_a_wipe_leaves_neither_records_nor_doubts() -> None:
    before = fold([ours(1, {key(1): record(), key(2): record(), NULL_KEY: record()}), theirs(2, span(2, 4, "hue"))])
    wipe = Provenance("run", "gold.hours", AT, {key(4): record("new")}, keys(1, 2, 4) | PartitionSet.null())
    state = fold([Commit(3, wipe)], before)
    assert (state.records.keys(), state.unrecorded) == ({key(4)}, keys(3))
    assert state.fingerprint(key(1)) == ABSENT
    assert fold([ours(4, {key(1): record("again")})], state).records.keys() == {key(1), key(4)}


def test_files_come_and_go_with_commits() -> None:
    one, two = span(1, 1, "hue"), span(2, 2, "hue")
    added = replace(ours(1, {key(1): record()}), added={"a": one, "b": two})
    state = fold([added, Commit(2, None, removed=frozenset({"a", "unknown"}))])
    assert state.files == {"b": two}
    assert fold([Commit(3, None, added={"b": one}, removed=frozenset({"b"}))], state).files == {"b": one}


def test_after_a_gap_nothing_is_trusted_and_what_has_rows_is_there() -> None:
    before = replace(fold([ours(1, {key(1): record(), key(2): record()})]), files={"old": FileSpan()}, snapshot=1)
    after = before.after_gap(7, keys(2, 3), {"new": FileSpan()})
    assert (after.version, after.snapshot, after.files) == (7, 1, {"new": FileSpan()})
    assert (after.records, after.unrecorded) == (before.records, keys(1, 2, 3))


def test_what_states_agree_in_is_what_the_table_is() -> None:
    state = fold([ours(1, {key(1): record()})])
    assert state == replace(state, files={"a": FileSpan()}, locations=frozenset({"hue"}), snapshot=1)
    assert state != replace(state, version=2)


def test_commits_without_a_change_of_data_change_nothing_but_the_version() -> None:
    before = fold([ours(1, {key(1): record()}), theirs(2, span(2, 2, "hue"))])
    after = fold([theirs(3), theirs(4)], before)
    assert after == replace(before, version=4)


def test_a_later_commit_of_ours_heals_what_it_names_and_nothing_else() -> None:
    broken = fold([ours(1, {key(1): record(), key(2): record()}), theirs(2, span(1, 3, "hue"))])
    assert broken.unrecorded == keys(1, 2, 3)
    healed = fold([ours(3, {key(2): record("new")})], broken)
    assert healed.unrecorded == keys(1, 3)
    trusted = healed.trusted(key(2))
    assert trusted is not None
    assert (trusted.fingerprint, trusted.version) == ("new", 3)


def test_a_change_after_the_healing_counts_again() -> None:
    state = fold([theirs(1, span(1, 1, "hue")), ours(2, {key(1): record()}), theirs(3, span(1, 1, "hue"))])
    assert state.unrecorded == keys(1)


# --- what commits say besides records -------------------------------------------------------------

HUE = Question("open_meteo", "cams_global", ("pm2_5",), 16.0, 107.5)
SHAPE = Shape((("aqi", "integer", True),), "0" * 16)
EQUAL = Equal("gold.hours", None, "c1", "c2")


def test_what_commits_said_adds_up_and_the_later_one_wins() -> None:
    said = Provenance(
        "run", "gold.hours", AT, {}, questions={"q": HUE}, shapes={"k": SHAPE}, equal=(EQUAL,), past=({"b": 1, "a": 2},)
    )
    other = replace(EQUAL, location="hue")
    more = replace(
        said,
        questions={"q": replace(HUE, latitude=17.0), "r": HUE},
        shapes={"l": SHAPE},
        equal=(other, EQUAL),
        past=({"a": 2, "b": 1}, {"a": 3}),
    )
    state = fold([Commit(1, said), theirs(2, span(1, 1, "hue")), Commit(3, more), ours(4, {key(1): record()})])
    assert state.questions == {"q": replace(HUE, latitude=17.0), "r": HUE}
    assert state.shapes == {"k": SHAPE, "l": SHAPE}
    assert state.equal == {EQUAL, other}
    assert state.past == {(("a", 2), ("b", 1)), (("a", 3),)}
    wiped = fold([Commit(5, Provenance("run", "gold.hours", AT, {}, keys(1)))], state)
    for name in ("questions", "shapes", "equal", "past"):
        assert getattr(wiped, name) is getattr(state, name)
        assert replace(state, **{name: getattr(TableState(), name)}) != state


def test_the_schema_is_that_of_the_newest_commit_that_gave_one() -> None:
    commits = [Commit(0, None, schema="a"), ours(1, {key(1): record()}), theirs(2, span(1, 1, "hue"))]
    state = fold(commits)
    assert (state.schema, fold([]).schema) == ("a", None)
    later = fold([replace(ours(3, {key(1): record()}), schema="b"), theirs(4)], state)
    assert later.schema == "b"
    assert later == replace(later, schema="c")
    assert later.after_gap(7, keys(1), {}).schema is None  # a commit that is gone may have given another


def test_a_record_that_knows_its_version_is_not_copied() -> None:
    mine = replace(record(), version=1)
    assert fold([ours(1, {key(1): mine})]).records[key(1)] is mine


# --- any history ----------------------------------------------------------------------------------

words = st.text(alphabet="abcdef0123456789", min_size=1, max_size=4)
days = st.integers(1, 5)
locations = st.sampled_from(["hanoi", "hcmc", "hue"])
whole_spans = st.builds(lambda a, b, p, q: span(min(a, b), max(a, b), p, q), days, days, locations, locations)
spans = whole_spans | st.builds(
    lambda file, without: replace(file, **dict.fromkeys(without)),
    whole_spans,
    st.frozensets(st.sampled_from(["first_day", "last_day", "first_location", "last_location"])),
)
entries = st.dictionaries(st.builds(key, days, locations), st.builds(record, words), min_size=1, max_size=4)
histories = st.lists(entries | st.lists(spans, max_size=2), max_size=8)


def as_commits(history: Iterable[dict[PartitionKey, PartitionRecord] | list[FileSpan]]) -> list[Commit]:
    return [
        ours(version, entry) if isinstance(entry, dict) else theirs(version, *entry)
        for version, entry in enumerate(history)
    ]


@quick
@given(histories)
def test_the_fold_says_of_each_partition_what_its_own_history_says(
    history: list[dict[PartitionKey, PartitionRecord] | list[FileSpan]],
) -> None:
    """The last commit of ours that names the partition, and whether a foreign one touched it since."""
    state = fold(as_commits(history))
    for at in (key(day, location) for day in range(1, 6) for location in ("hanoi", "hcmc", "hue")):
        named = [version for version, entry in enumerate(history) if isinstance(entry, dict) and at in entry]
        last = named[-1] if named else -1
        touched = any(file.covers(at) for entry in history[last + 1 :] if isinstance(entry, list) for file in entry)
        if not named:
            assert at not in state.records
            assert state.trusted(at) is None
            continue
        entry = history[last]
        assert isinstance(entry, dict)
        assert state.records[at] == replace(entry[at], version=last)
        assert (at in state.unrecorded) is touched
        assert (state.trusted(at) is None) is touched


@quick
@given(histories, st.integers(0, 8))
def test_going_on_from_an_earlier_state_gives_the_same(
    history: list[dict[PartitionKey, PartitionRecord] | list[FileSpan]], cut: int
) -> None:
    commits = as_commits(history)
    assert fold(commits[cut:], fold(commits[:cut])) == fold(commits)


def test_what_columns_are_made_of_is_known_by_code_the_newest_last() -> None:
    def said(version: int, columns_of: dict[str, str]) -> Commit:
        return Commit(version, Provenance(f"r{version}", "gold.a", AT, {}, columns_of=columns_of))

    first = fold([said(1, {"2:a": "one", "2:b": "two"}), said(2, {})])
    assert first.columns_of == {"2:a": "one", "2:b": "two"}
    assert list(fold([said(3, {"2:a": "again"})], first).columns_of.items()) == [("2:b", "two"), ("2:a", "again")]
