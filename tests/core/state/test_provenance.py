"""Provenance: what a commit says survives as JSON, and the state of a table is the fold of its commits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionKey, PartitionSet
from orchestration.core.state.provenance import (
    ABSENT,
    UNRECORDED,
    Answer,
    Commit,
    FileSpan,
    PartitionRecord,
    Provenance,
    Question,
    Shape,
    TableState,
    TurnedAway,
    dumps,
    fold,
    format_of,
    is_ours,
)
from orchestration.core.state.versions import Equal

quick = settings(max_examples=50, deadline=None)

AT = "2025-08-20T06:00:00Z"


def key(number: int, place: str = "hue") -> PartitionKey:
    return PartitionKey(date(2025, 8, number), place)


def keys(*numbers: int, place: str = "hue") -> PartitionSet:
    return PartitionSet.from_keys(key(number, place) for number in numbers)


def record(fingerprint: str = "f", rows: int = 24, **facts: str) -> PartitionRecord:
    return PartitionRecord(rows, fingerprint, {}, facts.get("code", "c1"), "k1", as_of=facts.get("as_of", ""))


def ours(version: int, records: dict[PartitionKey, PartitionRecord], run: str = "run") -> Commit:
    return Commit(version, Provenance(run, "gold.hours", AT, records))


def theirs(version: int, *touched: FileSpan) -> Commit:
    return Commit(version, None, touched)


def span(first: int, last: int, *places: str) -> FileSpan:
    return FileSpan(date(2025, 8, first), date(2025, 8, last), min(places), max(places))


# --- JSON -----------------------------------------------------------------------------------------
# How records are written: test_provenance_format.py.

words = st.text(alphabet="abcdef0123456789", min_size=1, max_size=4)


def test_text_is_compact_deterministic_and_readable() -> None:
    assert dumps({"b": 1, "a": "Hà Nội"}) == '{"a":"Hà Nội","b":1}'


@pytest.mark.parametrize(
    ("metadata", "answer"),
    [
        ('{"aqi":1,"run":"x"}', True),
        ('{"run":"x","aqi":1}', True),
        (None, False),
        ("", False),
        ("aqi", False),
        ("nightly fix by hand", False),
        ('{"aqi":2,"run":"x"}', True),
        ('{"aqi":99}', True),  # a form of the future: ours, though not to be read
        ('{"aqi":0}', False),
        ('{"aqi":-1}', False),
        ('{"aqi":true}', False),
        ('{"aqi":1.0}', False),
        ('{"aqi":"1"}', False),
        ('{"aqi":1', False),
        ("{}", False),
        ('[{"aqi":1}]', False),
        ("1", False),
        ('"aqi"', False),
    ],
)
def test_whose_a_commit_is(metadata: str | None, answer: bool) -> None:
    assert is_ours(metadata) is answer
    assert (format_of(metadata) is not None) is answer


def test_the_same_facts_whoever_committed_them_and_when() -> None:
    one = record()
    assert one.says_the_same_as(replace(one, run_id="other", at="later", version=9))
    for other in (
        replace(one, rows=23),
        replace(one, fingerprint="g"),
        replace(one, code="c2"),
        replace(one, contract="k2"),
        replace(one, inputs={"silver.clean": {"null": "x"}}),
        replace(one, checks={"late": 1}),
        replace(one, as_of=AT),
        replace(one, also={"k0": "g"}),
        replace(one, answers=(Answer(AT, "d"),)),
        replace(one, turned_away=(TurnedAway(AT, "d", 1),)),
        replace(one, question="q"),
        replace(one, values={"aqi": 24}),
        replace(one, check_versions={"late": "v"}),
    ):
        assert not one.says_the_same_as(other)
        assert one.has_content_of(other) is ((other.rows, other.fingerprint) == (24, "f"))


def test_the_same_answer_asked_for_again_is_the_same_fact() -> None:
    """Else a fetch of what has not changed would make a commit. What it says, and what it owns, does count."""
    one = replace(record(), answers=(Answer("2025-08-19T00:00:00Z", "d", hours=3), Answer(AT, "e", hours=4)))
    answer, other = one.answers
    for again in (replace(answer, asked=AT), replace(answer, forced=True)):
        assert one.says_the_same_as(replace(one, answers=(again, other)))
    for answers in (
        (replace(answer, digest="x"), other),
        (replace(answer, hours=1), other),
        (replace(answer, hours=None), other),
        (other, answer),
        (answer,),
        (),
    ):
        assert not one.says_the_same_as(replace(one, answers=answers))
    assert not one.says_the_same_as(replace(one, answers=(replace(answer, asked=AT), other), rows=1))
    turned_away = replace(one, turned_away=(TurnedAway(AT, "d", 1),))
    assert not turned_away.says_the_same_as(replace(one, turned_away=(TurnedAway("later", "d", 1),)))


def test_facts_that_are_not_there_are_not_named() -> None:
    assert record().facts() == {"rows": 24, "fp": "f", "in": {}, "code": "c1", "contract": "k1"}
    full = replace(
        record(as_of=AT),
        checks={"late": 1},
        also={"k0": "g"},
        answers=(Answer(AT, "d", True, 7),),
        turned_away=(TurnedAway(AT, "e", 8, ("aqi",)),),
        question="q",
        values={"aqi": 3},
        check_versions={"late": "v"},
    )
    assert full.facts() == record().facts() | {
        "as_of": AT,
        "checks": {"late": 1},
        "also": {"k0": "g"},
        "answers": [[AT, "d", True, 7]],
        "turned_away": [[AT, "e", 8, ["aqi"]]],
        "question": "q",
        "values": {"aqi": 3},
        "check_versions": {"late": "v"},
    }


def test_a_question_is_known_by_what_it_asks() -> None:
    hue = Question("open_meteo", "cams_global", ("pm2_5", "no2"), 16.0, 107.5)
    assert len(hue.id) == 12
    assert hue.id == replace(hue, latitude=16).id  # settings may have 16 and 16.0
    others = [
        replace(hue, source="other"),
        replace(hue, domain="cams_europe"),
        replace(hue, variables=("no2", "pm2_5")),
        replace(hue, latitude=16.1),
        replace(hue, longitude=None),
    ]
    assert len({hue.id, *(other.id for other in others)}) == 6
    assert replace(hue, latitude=None, longitude=None).id != hue.id


# --- what a file can hold -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "inside", "outside"),
    [
        (FileSpan(), [NULL_KEY, key(1), key(30, "zz")], []),
        (
            span(3, 5, "hanoi", "hue"),
            [key(3, "hanoi"), key(5, "hue"), key(4, "hcmc")],
            [key(2, "hanoi"), key(6, "hue"), key(4, "danang"), key(4, "hue2")],
        ),
        (FileSpan(first_day=date(2025, 8, 3)), [key(3), key(30)], [key(2)]),
        (FileSpan(last_day=date(2025, 8, 3)), [key(3), key(1)], [key(4)]),
        (FileSpan(first_location="hue"), [key(1, "hue"), key(1, "z")], [key(1, "hanoi")]),
        (FileSpan(last_location="hue"), [key(1, "hue"), key(1, "a")], [key(1, "z")]),
        (span(3, 3, "hue"), [NULL_KEY], [key(3, "hanoi")]),  # an unpartitioned table: any file
        # A name of 32 characters may have been cut off: what begins with it, and what comes after it, may be there.
        (
            FileSpan(first_location="v" * 32, last_location="v" * 32),
            [key(1, "v" * 32), key(1, "v" * 40), key(1, "w")],
            [key(1, "v" * 31), key(1, "hue")],
        ),
        (FileSpan(last_location="v" * 31), [key(1, "v" * 31)], [key(1, "v" * 32), key(1, "w")]),
    ],
)
def test_what_a_file_can_hold(file: FileSpan, inside: list[PartitionKey], outside: list[PartitionKey]) -> None:
    assert [at for at in inside if not file.covers(at)] == []
    assert [at for at in outside if file.covers(at)] == []


def test_the_partitions_of_a_file() -> None:
    """Places that are only known from the file's ends count too; places between them only where known."""
    august_3_to_5 = Days.of(date(2025, 8, 3), date(2025, 8, 5))
    file = span(3, 5, "hanoi", "hue")
    assert file.spanned(["hcmc", "zz"]) == PartitionSet.of(august_3_to_5, ["hanoi", "hcmc", "hue"])
    assert file.spanned([]) == PartitionSet.of(august_3_to_5, ["hanoi", "hue"])
    no_places = replace(file, first_location=None, last_location=None)
    assert no_places.spanned(["hcmc"]) == PartitionSet.of(august_3_to_5, ["hcmc"])
    for half in (FileSpan(), replace(file, first_day=None), replace(file, last_day=None)):
        assert half.spanned(["hcmc"]) == PartitionSet.empty()
    cut_off = replace(file, first_location="a" * 32, last_location="v" * 32 + "\ufffd")
    assert cut_off.spanned(["hcmc", "v" * 40]) == PartitionSet.of(august_3_to_5, ["hcmc", "v" * 40])
    assert FileSpan(has_null=True).spanned([]) == PartitionSet.null()


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
    held = {key(day, place): record() for day in (1, 2, 3) for place in ("hanoi", "hue")}
    state = fold([ours(1, held), theirs(2, span(2, 3, "hanoi"), span(3, 4, "hue"))])
    assert state.unrecorded == keys(2, 3, place="hanoi") | keys(3, 4)
    assert state.version == 2
    assert state.present == PartitionSet.from_keys(held) | keys(4)
    assert state.trusted(key(3)) is None
    assert state.fingerprint(key(3)) == UNRECORDED
    assert state.records[key(3)].fingerprint == "f"  # what was recorded is still told; it is not relied upon
    assert state.trusted(key(2)) == replace(record(), version=1)


def test_a_foreign_change_of_unknown_extent_makes_everything_unrecorded() -> None:
    state = fold([ours(1, {key(1): record(), key(2, "hanoi"): record()}), theirs(2, FileSpan())])
    assert state.unrecorded == keys(1) | keys(2, place="hanoi") == state.present


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


def test_a_foreign_change_reaches_every_place_that_is_known() -> None:
    """From a record, from an earlier foreign change, or because there can be such a place."""
    start = TableState(0, {key(1, "hue"): record()}, keys(1, place="hcmc"), places=frozenset({"hoian", "vinh"}))
    state = fold([theirs(1, span(2, 2, "hanoi", "sapa"))], start)
    everywhere = ("hanoi", "hcmc", "hoian", "hue", "sapa")
    assert state.unrecorded == keys(1, place="hcmc") | PartitionSet.from_keys(key(2, place) for place in everywhere)


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
    assert state == replace(state, files={"a": FileSpan()}, places=frozenset({"hue"}), snapshot=1)
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


# --- what a reader records, and whether it is right still -----------------------------------------


def lacking(contract: str) -> tuple[str, ...] | None:
    return {"k0": ("ts_local", "aqi"), "k1": ()}.get(contract)


def test_what_a_reader_records_of_a_partition() -> None:
    old, other = replace(record("old"), contract="k0"), replace(record("other"), contract="elsewhere")
    state = fold([ours(1, {key(1): record(), key(2): old, key(3): old, key(4): other}), theirs(2, span(3, 3, "hue"))])
    told = {1: "f", 2: "old without aqi,ts_local", 3: UNRECORDED, 4: "other", 5: ABSENT}
    assert {number: state.consulted(key(number), lacking) for number in told} == told
    assert {number: state.consulted(key(number)) for number in told} == told | {2: "old"}
    for number, recorded in told.items():
        assert state.holds(key(number), recorded, lacking)
        assert not state.holds(key(number), "x", lacking)
        assert not state.holds(key(number), "", lacking)


def test_what_a_reader_recorded_holds_for_the_rows_and_the_columns_that_it_could_know() -> None:
    grown = replace(record("new"), also={"k0": "old", "k00": "oldest"})
    state = fold([ours(1, {key(1): grown})])
    for recorded in ("new", "old", "oldest"):
        assert state.holds(key(1), recorded, lacking)
        assert state.holds(key(1), recorded)
    for recorded in ("k0", "old without aqi,ts_local", ABSENT, UNRECORDED):  # a reader had nulls there
        assert not state.holds(key(1), recorded, lacking)
    before = fold([ours(1, {key(1): replace(record("old"), contract="k0")})])
    for recorded, holds in {
        "old": True,
        "old without aqi,ts_local": True,
        "old without aqi": True,
        "old without o3": False,
    }.items():
        assert before.holds(key(1), recorded, lacking) is holds
    doubted = fold([theirs(2, span(1, 1, "hue"))], state)
    assert [doubted.holds(key(1), recorded) for recorded in ("new", "old", UNRECORDED)] == [False, False, True]


# --- any history ----------------------------------------------------------------------------------

days = st.integers(1, 5)
places = st.sampled_from(["hanoi", "hcmc", "hue"])
whole_spans = st.builds(lambda a, b, p, q: span(min(a, b), max(a, b), p, q), days, days, places, places)
spans = whole_spans | st.builds(
    lambda file, without: replace(file, **dict.fromkeys(without)),
    whole_spans,
    st.frozensets(st.sampled_from(["first_day", "last_day", "first_location", "last_location"])),
)
entries = st.dictionaries(st.builds(key, days, places), st.builds(record, words), min_size=1, max_size=4)
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
    for at in (key(day, place) for day in range(1, 6) for place in ("hanoi", "hcmc", "hue")):
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
