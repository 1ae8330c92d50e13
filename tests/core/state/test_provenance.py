"""Provenance: whose a commit is, what a record says, and what a file can hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionKey, PartitionSet
from orchestration.core.state.provenance import (
    ABSENT,
    UNRECORDED,
    Answer,
    Question,
    TurnedAway,
    dumps,
    format_of,
    is_ours,
)
from orchestration.core.state.table_state import FileSpan, fold
from tests.support.commits import ours, record, span, theirs
from tests.support.records import AT, key

# --- what a record says ---------------------------------------------------------------------------


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
    """Locations that are only known from the file's ends count too; locations between them only where known."""
    august_3_to_5 = Days.of(date(2025, 8, 3), date(2025, 8, 5))
    file = span(3, 5, "hanoi", "hue")
    assert file.spanned(["hcmc", "zz"]) == PartitionSet.of(august_3_to_5, ["hanoi", "hcmc", "hue"])
    assert file.spanned([]) == PartitionSet.of(august_3_to_5, ["hanoi", "hue"])
    no_locations = replace(file, first_location=None, last_location=None)
    assert no_locations.spanned(["hcmc"]) == PartitionSet.of(august_3_to_5, ["hcmc"])
    for half in (FileSpan(), replace(file, first_day=None), replace(file, last_day=None)):
        assert half.spanned(["hcmc"]) == PartitionSet.empty()
    cut_off = replace(file, first_location="a" * 32, last_location="v" * 32 + "\ufffd")
    assert cut_off.spanned(["hcmc", "v" * 40]) == PartitionSet.of(august_3_to_5, ["hcmc", "v" * 40])
    assert FileSpan(has_null=True).spanned([]) == PartitionSet.null()


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
    unrecorded = fold([theirs(2, span(1, 1, "hue"))], state)
    assert [unrecorded.holds(key(1), recorded) for recorded in ("new", "old", UNRECORDED)] == [False, False, True]
