"""Format 2 from columns and from records one by one: the same bytes, and the same records of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.state.column_arrays import (
    coded_from_json,
    coded_to_json,
    interned,
    numbers_from_json,
    numbers_to_json,
    texts_from_json,
    texts_to_json,
)
from orchestration.core.state.columnar import column_from_json, column_to_json
from orchestration.core.state.counted_values import CountedValues, uncounted
from orchestration.core.state.partition_record import Answer, PartitionRecord, Stamp
from orchestration.core.state.provenance import dumps
from orchestration.core.state.provenance_format import records_from_json, records_to_json
from orchestration.core.state.record_columns import Records
from orchestration.core.state.record_texts import as_list, texts_of
from tests.support import row_wise_provenance as row_wise
from tests.support.provenances import provenances, record, some_keys
from tests.support.records import AT, key

quick = settings(max_examples=80, deadline=None)
BY = Stamp(7, "run-7", AT)
stamps = st.sampled_from([Stamp(1, "run-1", AT), Stamp(2, "run-1", AT), Stamp(3, "run-0", "")])
Told = Mapping[PartitionKey, PartitionRecord]


@st.composite
def stamped(draw: st.DrawFn) -> dict[PartitionKey, PartitionRecord]:
    told = draw(provenances).records
    return {at: replace(one, **draw(stamps)._asdict()) for at, one in told.items()}


@quick
@given(stamped(), st.booleans())
def test_the_bytes_are_the_same(told: Told, in_a_state: bool) -> None:
    text = dumps(row_wise.records_to_json(told, in_a_state))
    assert dumps(records_to_json(told, in_a_state)) == text
    stamp = None if in_a_state else BY
    for data in (json.loads(text), row_wise.records_to_json(told, in_a_state)):
        read = records_from_json(data, stamp)
        assert read == row_wise.records_from_json(data, stamp)
        assert dumps(records_to_json(read, in_a_state)) == text
        assert dumps(records_to_json(dict(read), in_a_state)) == text


def window(day: int, *beside: int) -> dict[str, dict[str, str]]:
    return {"gold.hours": {str(key(day + days)): f"f{day + days}" for days in beside}, "gold.dim": {"null": "n"}}


@pytest.mark.parametrize(
    "told",
    [
        {key(day): record(f"{day:020}", inputs={"a": {str(key(day)): f"{day:032}"}}) for day in range(1, 400)},
        {key(day): record(inputs=window(day, *((-1, 0) if day % 3 else (-1, 0, 1)))) for day in range(1, 100)},
        {key(day): record(inputs={"a": {str(key(1, "hanoi")): str(day)}}) for day in range(1, 9)},
        {key(day, at): record(answers=(Answer(AT, "d"),) * (day % 3)) for day in range(1, 30) for at in ("b", "a")},
        {key(day): record(also={"k0": f"{day}"} if day % 2 else {}) for day in range(1, 9)},
        {key(day): record(inputs={"a": {str(key(day)): f"d{day}"}}, answers=(Answer(AT, "d4"),)) for day in range(9)},
    ],
    ids=["own keys", "windows", "another location", "several answers", "earlier contracts", "some digests"],
)
def test_the_bytes_of_what_runs_make(told: Told) -> None:
    text = dumps(row_wise.records_to_json(told, True))
    assert dumps(records_to_json(told, True)) == text
    assert records_from_json(json.loads(text)) == told


def test_what_an_answer_brought_is_kept_once() -> None:
    """A fetched partition's digest stands in its answer and in what it consulted."""
    told = {
        key(day): record(inputs={"a": {str(key(day)): f"d{day}"}}, answers=(Answer(AT, f"d{day}"),))
        for day in range(1, 9)
    }
    columns = records_from_json(records_to_json(told, True)).columns
    assert columns.texts["answers", ""] is columns.texts["in", "a"]
    more = Records(columns).updated(records_from_json(records_to_json({key(9): record()}, True)))
    assert more == {**told, key(9): record()}


cells = st.none() | st.integers(-1, 3) | st.sampled_from(["", "-", "a", "b", "a b", "Huế", "cd"])
columns = st.lists(cells | st.tuples(cells), min_size=1, max_size=12)


@quick
@given(columns)
def test_a_coded_column_is_a_column(values: list[Any]) -> None:
    told = column_to_json(values)
    assert coded_to_json(interned(values)) == told
    for data in (told, json.loads(json.dumps(told))):
        numbers, of = coded_from_json(data, len(values))
        assert [of[number] for number in numbers] == column_from_json(data, len(values))


@quick
@given(st.lists(st.text(max_size=2) | st.sampled_from(["aa", "bb"]), min_size=1, max_size=12))
def test_a_column_of_texts_is_a_column(values: list[str]) -> None:
    told = column_to_json(values)
    assert texts_to_json(texts_of(values)) == told
    assert as_list(texts_from_json(told, len(values))) == values


@quick
@given(st.lists(st.integers(-1, 3) | st.just(10**12), min_size=1, max_size=12))
def test_a_column_of_numbers_is_a_column(values: list[int]) -> None:
    told = column_to_json(values)
    numbers = numbers_from_json(told, len(values))
    assert numbers.tolist() == values
    assert numbers_to_json(numbers) == told


@pytest.mark.parametrize(
    "data",
    [
        [1, 2],
        {"runs": [1, 2]},
        {"runs": [1, 3, 2, 0]},
        {"runs": [1, 3, 2]},
        {"each": 2, "text": "abcde"},
        {"text": "a b"},
        {"of": [1], "at": [0, 0]},
        {"of": [1], "at": [0, 0, 1]},
        {"of": [1], "at": [0, 0, -1]},
        [1, 2, None],
        [1, 2, "x"],
        [1, 2, 10**30],
        [1, 2, 1.5],
    ],
)
def test_what_is_no_column_of_three_numbers(data: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        numbers_from_json(data, 3)
    with pytest.raises((ValueError, TypeError)):
        texts_from_json(data, 3)


# --- counts of values beside the records -------------------------------------------------------------------


@quick
@given(
    st.dictionaries(some_keys, st.builds(record, st.sampled_from("fgh"), st.integers(0, 2)), max_size=8),
    st.frozensets(some_keys, max_size=3),
    st.dictionaries(some_keys, st.fixed_dictionaries({}, optional={"a": st.integers(0, 9), "b": st.just(1)})),
)
def test_what_was_counted(told: Told, counted: frozenset[PartitionKey], counts: dict[PartitionKey, Any]) -> None:
    """Of those that lack counts only, and of the content that is there."""
    own = {at: replace(one, values={"a": 1}) if at in counted else one for at, one in told.items() if at.day}
    records = Records.of(own)
    at = uncounted(records, records.restricted(records.partitions).partitions - records.partitions)
    lacking = {one for one, of in own.items() if of.rows and not of.values}
    assert {records.key(one) for one in at} == lacking
    known = CountedValues.none()
    assert set(known.lacks(records, at)) == lacking
    known = known.with_more(records, at, counts)
    expected = {one: replace(of, values=counts.get(one, {})) if one in lacking else of for one, of in own.items()}
    assert known.put_into(records, at) == expected
    if lacking:
        read = CountedValues.from_json(json.loads(json.dumps(known.to_json())))
        assert read.put_into(records, at) == expected
        other = Records.of({one: replace(of, fingerprint="z") for one, of in own.items()})
        assert set(read.lacks(other, at)) == lacking
