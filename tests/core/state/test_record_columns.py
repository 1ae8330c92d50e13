"""Records in columns: as a mapping they are what a dict of the same records is, however they came about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionKey, PartitionSet
from orchestration.core.state import record_columns
from orchestration.core.state.completeness import CompletenessOf
from orchestration.core.state.incomplete_days import incomplete
from orchestration.core.state.partition_record import ABSENT, Answer, PartitionRecord
from orchestration.core.state.record_columns import Records
from orchestration.core.state.record_kinds import key_of
from orchestration.core.state.record_texts import as_list, joined, same, text_at, texts_in, texts_of
from orchestration.core.state.table_state import FileSpan, TableState
from tests.support.hourly_feed import HOURLY, now
from tests.support.provenances import fingerprints, provenances, record, records, some_keys
from tests.support.records import AT, key

quick = settings(max_examples=60, deadline=None)
Told = Mapping[PartitionKey, PartitionRecord]

some_sets = st.frozensets(some_keys, max_size=6).map(PartitionSet.from_keys)
told = st.dictionaries(some_keys, records, max_size=8) | provenances.map(lambda one: dict(one.records))


def in_columns(told: Told) -> Records:
    return Records(Records.of(told).columns)


def over_columns(told: Told) -> Records:
    """Some in columns, others beside them, and one of a partition that was changed."""
    half = dict(list(told.items())[::2])
    before = in_columns({at: replace(of, fingerprint="before") for at, of in half.items()})
    return before.updated({at: of for at, of in told.items() if at not in half or half[at] is of})


WAYS = [Records.of, in_columns, over_columns]
ways = st.sampled_from(WAYS)


def in_order(told: Told) -> list[PartitionKey]:
    return sorted(told, key=lambda at: (at.location or "", at.day or date.min))


# --- as a mapping ---------------------------------------------------------------------------------


@quick
@given(told, ways, st.lists(some_keys, max_size=5))
def test_it_is_what_a_dict_is(told: Told, way: Callable[[Told], Records], asked: list[PartitionKey]) -> None:
    found = way(told)
    assert found == told
    assert told == found
    assert (len(found), bool(found)) == (len(told), bool(told))
    assert (dict(found), set(found), dict(found.items())) == (told, set(told), told)
    assert list(found.values()) == [found[at] for at in found.keys()]  # noqa: SIM118  # the view
    for at in [*told, *asked]:
        assert (at in found, found.get(at)) == (at in told, told.get(at))
        one = told.get(at)
        assert found.content(at) == (None if one is None else (one.rows, one.fingerprint, one.contract))
    assert "null" not in found


@quick
@given(told, told, ways, ways)
def test_they_are_equal_where_dicts_are(
    one: Told, other: Told, way: Callable[[Told], Records], back: Callable[[Told], Records]
) -> None:
    assert way(one) == back(dict(reversed(one.items())))
    assert (way(one) == back(other)) is (one == other)
    if one:
        at = next(iter(one))
        for name, value in (("rows", -1), ("fingerprint", "z"), ("version", 77), ("as_of", "z"), ("inputs", {"z": {}})):
            assert way(one) != back({**one, at: replace(one[at], **{name: value})}), name


def test_a_key_that_is_not_there_is_an_error() -> None:
    for way in WAYS:
        with pytest.raises(KeyError, match="hue"):
            way({key(1): record()})[key(2)]
        assert NULL_KEY not in way({key(1): record()})


@quick
@given(told, told, some_sets, ways, ways)
def test_what_is_new_stands_in_place_of_what_was_there(
    told: Told, new: Told, wiped: PartitionSet, way: Callable[[Told], Records], of: Callable[[Told], Records]
) -> None:
    expected = {**{at: one for at, one in told.items() if at not in wiped}, **new}
    for given_new in (new, of(new)):
        found = way(told).updated(given_new, wiped)
        assert found == expected
        assert len(found) == len(expected)
        assert found.partitions == PartitionSet.from_keys(expected)
        assert in_columns(found) == expected
    assert way(told).updated(new) == {**told, **new}
    assert way(told) == told  # what it was made of is what it was


@quick
@given(told, some_sets, ways)
def test_sets_of_them(told: Told, some: PartitionSet, way: Callable[[Told], Records]) -> None:
    found = way(told)
    assert found.partitions == PartitionSet.from_keys(told)
    assert found.restricted(some) == {at: one for at, one in told.items() if at in some}
    at = found.index(some)
    assert [found.key(one) for one in at] == [one for one in in_order(told) if one in some]
    assert found.set_of(at) == found.partitions & some
    mask = np.zeros(len(found), dtype=bool)
    mask[at] = True
    assert found.set_of(mask) == found.partitions & some


@quick
@given(told, st.integers(0, 9), ways)
def test_versions(told: Told, version: int, way: Callable[[Told], Records]) -> None:
    numbered = {at: replace(one, version=number % 4) for number, (at, one) in enumerate(told.items())}
    assert way(numbered).since(1) == {at: one for at, one in numbered.items() if one.version > 1}
    assert way(numbered).at_version(version) == {at: replace(one, version=version) for at, one in numbered.items()}
    assert way(numbered).version.tolist() == [numbered[at].version for at in in_order(numbered)]


def test_many_small_commits_on_a_large_state() -> None:
    days = [PartitionKey(one, "hue") for one in Days.of(date(2020, 1, 1), date(2025, 12, 31))]
    expected = {at: record(str(number)) for number, at in enumerate(days)}
    state = in_columns(expected)
    for version in range(40):
        new = {days[(version * 37 + number) % len(days)]: record(f"{version}") for number in range(35)}
        state, expected = state.updated(new), {**expected, **new}
    assert state == expected
    assert len(state._parts[1]) <= max(record_columns.FEW, len(days) // 8)


# --- as columns -----------------------------------------------------------------------------------


@quick
@given(told, ways)
def test_columns_say_what_records_say(told: Told, way: Callable[[Told], Records]) -> None:
    found, keys = way(told), in_order(told)
    assert [found.key(at) for at in range(len(found))] == keys
    assert [found.record(at) for at in range(len(found))] == [told[at] for at in keys]
    assert found.rows.tolist() == [told[at].rows for at in keys]
    assert as_list(found.fingerprint) == [told[at].fingerprint for at in keys]
    assert [None if at < 0 else found.locations[at] for at in found.location] == [at.location for at in keys]
    assert found.day.tolist() == [at.day.toordinal() if at.day else 0 for at in keys]
    assert list(found.locations) == sorted({at.location for at in told if at.location is not None})
    assert [found.stamps[at].run_id for at in found.stamp] == [told[at].run_id for at in keys]
    others = dict.fromkeys(("rows", "version"), 0) | {"fingerprint": "", "run_id": "", "at": ""}
    for number, positions in enumerate(found.by_kind()):
        first = found.kinds[number]
        assert first == told[keys[positions[0]]]
        for at in positions:
            assert found.kind[at] == number
            assert alike(keys[at], told[keys[at]], others) == alike(keys[positions[0]], first, others)
    assert len(found.kinds[:]) == len(found.by_kind()) == len(found.kinds)
    assert len({repr(alike(at, told[at], others)) for at in told}) == len(found.kinds)


def alike(at: PartitionKey, told: PartitionRecord, others: Mapping[str, Any]) -> Any:
    """All of a record that belongs to its kind, spelled out."""
    own = key_of(str(at))
    inputs = {}
    for upstream in sorted(told.inputs):
        keys = []
        for text in told.inputs[upstream]:
            one = key_of(text)
            beside = one.day and own.day and one.location == own.location
            keys.append("0" if text == str(at) else str(one.day - own.day) if beside else f"key {text}")
        inputs[upstream] = dict.fromkeys(sorted(keys), "")
    answers = tuple(replace(one, digest="") for one in told.answers)
    parts = {name: dict(sorted(getattr(told, name).items())) for name in ("checks", "values", "check_versions")}
    also = dict.fromkeys(sorted(told.also), "")
    return replace(told, inputs=inputs, answers=answers, also=also, **parts, **others)


@quick
@given(told, ways)
def test_what_was_consulted(told: Told, way: Callable[[Told], Records]) -> None:
    found, keys = way(told), in_order(told)
    for upstream in ("open_meteo", "silver.clean", "gold.dim", "none"):
        consulted = found.consulted(upstream)
        expected = {at: one.inputs[upstream] for at, one in told.items() if upstream in one.inputs}
        if consulted is None:
            assert not expected
            continue
        said: dict[PartitionKey, dict[str, str]] = {}
        for at, fingerprint in zip(consulted.own.tolist(), as_list(consulted.own_fingerprints), strict=True):
            said[keys[at]] = {str(keys[at]): fingerprint}
        for number, at in enumerate(consulted.others.tolist()):
            said[keys[at]] = {}
            for one in range(consulted.starts[number], consulted.starts[number + 1]):
                text = consulted.text[one]
                beside = key_of(str(keys[at])).beside if keys[at].day else lambda _, own=str(keys[at]): own
                name = beside(int(consulted.offset[one])) if text < 0 else consulted.texts[text]
                said[keys[at]][name] = text_at(consulted.fingerprints, one)
        assert said == expected
        assert [keys[at] for at in consulted.own] == [at for at in keys if list(expected.get(at, ())) == [str(at)]]


@quick
@given(told, st.lists(some_keys, max_size=6), ways)
def test_keys_as_arrays_are_found(told: Told, asked: list[PartitionKey], way: Callable[[Told], Records]) -> None:
    found, keys, names = way(told), in_order(told), ("vinh", "hue", "hcmc", "hanoi")
    asked = [*asked, key(1, "vinh")]
    location = np.array([-1 if at.location is None else names.index(at.location) for at in asked])
    day = np.array([0 if at.day is None else at.day.toordinal() for at in asked])
    expected = [keys.index(at) if at in told else -1 for at in asked]
    assert found.find(names, location, day).tolist() == expected


def test_equal_texts_are_kept_once() -> None:
    """Ten years of fifty locations: what is the same everywhere costs nothing."""
    told = {key(day): record(inputs={"a": {str(key(day)): "d"}}, answers=(Answer(AT, "d"),)) for day in range(1, 9)}
    found = in_columns(told)
    assert found.fingerprint.strides == (0,)
    assert len(found.kinds) == 1
    assert found == told


# --- texts ----------------------------------------------------------------------------------------


@quick
@given(st.lists(fingerprints, max_size=6), st.lists(fingerprints, max_size=6))
def test_columns_of_texts(one: list[str], other: list[str]) -> None:
    assert as_list(texts_of(one)) == one
    assert as_list(joined([texts_of(one), texts_of(other)])) == [*one, *other]
    pairs = list(zip(one, other, strict=False))
    columns = [texts_of([pair[side] for pair in pairs]) for side in (0, 1)]
    assert same(*columns).tolist() == [left == right for left, right in pairs]


@pytest.mark.parametrize("text", ["aabb", "Huế!", "a\0bb", "f" * 400])
def test_texts_end_to_end(text: str) -> None:
    half = len(text) // 2
    assert as_list(texts_in(text, half)) == [text[:half], text[half:]]


def test_what_is_no_text_is_refused() -> None:
    for odd in (None, 7, b"x"):
        with pytest.raises(TypeError, match="nothing but texts"):
            texts_of(["a", odd])  # type: ignore[list-item]


# --- what is read of them by arrays ----------------------------------------------------------------

values = st.fixed_dictionaries({}, optional={name: st.integers(0, 25) for name in ("aqi", "pm25", "other")})
fetched = st.builds(
    lambda rows, values, as_of, asked: record("f", rows, values=values, as_of=as_of, answers=(Answer(asked, "d"),)),
    st.sampled_from([0, 23, 24, 25]),
    values,
    st.sampled_from(["", "2025-08-05T05:00:00Z", AT]),
    st.sampled_from(["", AT]),
)
dated_keys = st.builds(key, st.integers(1, 9), st.sampled_from(["hanoi", "hue"]))
essential = st.lists(st.sampled_from(["aqi", "pm25", "lost"]), unique=True, max_size=3)


@quick
@given(st.dictionaries(dated_keys, fetched, max_size=8), essential, st.integers(0, 9), ways)
def test_what_lacks_values_is_among_those_that_may(
    told: Told, names: list[str], from_day: int, way: Callable[[Told], Records]
) -> None:
    assert HOURLY.partitions is not None
    values_from = date.min if not from_day else date(2025, 8, 1) + timedelta(from_day)
    of = CompletenessOf(HOURLY.partitions, way(told), names, values_from)
    lacking = {at for at, one in told.items() if (hours := of(at, one)) is not None and not hours.whole}
    may = list(of.may_lack(way(told)))
    assert lacking <= set(may)
    assert len(may) == len(set(may))


@quick
@given(st.dictionaries(dated_keys, fetched, max_size=8), essential, st.integers(1, 9), ways)
def test_the_first_values_of_each_location(
    told: Told, names: list[str], from_day: int, way: Callable[[Told], Records]
) -> None:
    assert HOURLY.partitions is not None
    values_from = date(2025, 8, from_day)
    of = CompletenessOf(HOURLY.partitions, way(told), names, values_from)
    for at in told:
        assert at.day is not None
        since = [one for one in told if one.location == at.location and one.day and one.day < min(at.day, values_from)]
        offered = [name for name in names if any(told[one].values.get(name) for one in since)]
        assert list(of._offered(at)) == (names if at.day >= values_from else offered)


@quick
@given(st.dictionaries(dated_keys, fetched, max_size=8))
def test_all_that_lack_values(told: Told) -> None:
    state, current = TableState(1, in_columns(told)), now()
    one_by_one = list(incomplete(HOURLY, state, current, in_order(told)))
    assert list(incomplete(HOURLY, state, current)) == one_by_one


days = st.none() | st.integers(1, 9).map(lambda number: date(2025, 8, number))
locations = st.none() | st.sampled_from(["hanoi", "hcmc", "hue", "h" * 32])


@quick
@given(st.builds(FileSpan, days, days, locations, locations), some_sets)
def test_what_a_file_covers(span: FileSpan, some: PartitionSet) -> None:
    assert span.covered(some) == PartitionSet.from_keys(at for at in some if span.covers(at))


def test_what_is_absent_is_no_record() -> None:
    state = TableState(1, {key(1): record()})
    assert [state.fingerprint(at) for at in (key(1), key(2))] == ["f", ABSENT]


def made(fingerprint: str) -> PartitionRecord:
    return PartitionRecord(rows=24, fingerprint=fingerprint, inputs={}, code="c", contract="k")


def test_threads_see_all_records_while_another_one_puts_them_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step asks for a set, or goes on from a state, in the moment in which another makes columns of it."""
    day, more = date(2025, 1, 1), timedelta(days=1)
    base = {PartitionKey(day + number * more, "hue"): made(f"f{number}") for number in range(3)}
    new = {PartitionKey(day + number * more, "hue"): made(f"n{number}") for number in range(2, 2000)}
    wanted = base | new
    going, put_over, found = threading.Event(), record_columns.put_over, list[object]()

    def slow(*arguments: Any) -> Any:
        made = put_over(*arguments)
        going.set()
        time.sleep(0.05)
        return made

    records = Records(in_columns(base).columns, new)
    monkeypatch.setattr(record_columns, "put_over", slow)
    first = threading.Thread(target=lambda: found.append(records.columns))
    first.start()
    going.wait(10)
    monkeypatch.setattr(record_columns, "put_over", put_over)
    seen = [len(records.partitions), len(dict(records.pairs())), len(records.updated({})), len(list(records))]
    seen.append(len(records.updated({}, PartitionSet.one(next(iter(base))))) + 1)
    first.join(10)
    assert seen == [len(wanted)] * 5
    assert records == wanted


def test_a_set_of_partitions_is_whole_whoever_asks_while_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    base, new = {key(1): made("f")}, {key(2): made("n")}
    records, from_keys, going = Records(in_columns(base).columns, new), PartitionSet.from_keys, threading.Event()

    def slow(keys: Any) -> PartitionSet:
        going.set()
        time.sleep(0.2)
        return from_keys(keys)

    monkeypatch.setattr(PartitionSet, "from_keys", slow)
    first = threading.Thread(target=lambda: records.partitions)
    first.start()
    going.wait(10)
    assert len(records.partitions) == 2
    first.join(10)
