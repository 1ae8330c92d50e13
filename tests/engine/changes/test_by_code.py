"""What made the partitions of a table, and what is to be proven of it: by columns as one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import UsageError
from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.state import judged
from orchestration.core.state.freshness import Current, Judge, State
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.record_columns import Records
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes.accept import acceptance
from orchestration.engine.changes.by_code import by_code
from tests.support.judged_tables import CURRENT, FEED, LOCATIONS, asset, clean, code, state
from tests.support.provenances import records, some_keys

quick = settings(max_examples=60, deadline=None)


@quick
@given(st.dictionaries(some_keys, records, max_size=30), st.sets(some_keys))
def test_by_code(told: dict[PartitionKey, PartitionRecord], some: set[PartitionKey]) -> None:
    held, asked = Records.of(told), PartitionSet.from_keys(some)
    for partitions, keys in ((None, set(told)), (asked, some & set(told))):
        expected: dict[tuple[str | None, str], list[PartitionKey]] = {}
        for key in sorted(keys, key=lambda one: (one.location or "", one.day or date.min)):
            expected.setdefault((key.location, told[key].code), []).append(key)
        got = {of: [held.key(one) for one in at.tolist()] for of, at in by_code(held, partitions).items()}
        assert list(got.items()) == list(expected.items())
    assert held.rows_of(asked) == sum(told[key].rows for key in some if key in told)
    assert held.rows_of(held.partitions) == sum(record.rows for record in told.values())


class History:
    """Versions that end in ``same`` count as today's; ``k2`` lacks a column."""

    def same(self, asset: Asset, location: str | None, recorded: str, own: TableState) -> bool:
        return recorded.endswith("same")

    def lacking(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...] | None:
        return {"k2": ("new",)}.get(recorded)

    def absent(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...]:
        return ()

    def outdated(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> str:
        return "moved" if record.question == "old" else ""


NAMES = ("hanoi", "hue", "vinh")
KEYS = [PartitionKey(date(2025, 8, 1) + timedelta(number), at) for at in NAMES for number in range(6)]
NOW = replace(CURRENT, history=History(), configured=frozenset(NAMES[1:]))
ASSETS = [clean, replace(clean, parameters=("locations",)), asset(FEED, source="api"), asset(LOCATIONS, dated=False)]


@st.composite
def tables(draw: st.DrawFn, of: Asset) -> dict[str, TableState]:
    def made(key: PartitionKey) -> PartitionRecord:
        return PartitionRecord(
            draw(st.sampled_from([0, 24])),
            "f",
            {FEED: {str(key): draw(st.sampled_from(["f", "f", "g"]))}} if of is not ASSETS[2] else {},
            draw(st.sampled_from([code(of, key.location), "old", "old", "older", "the same"])),
            draw(st.sampled_from([CURRENT.contracts[of.key], "k2", "k3"])),
            question=draw(st.sampled_from(["", "q", "old"])) if of is ASSETS[2] else "",
        )

    keys = KEYS if of.partitions is not None else [NULL_KEY]
    held = {key: made(key) for key in draw(st.lists(st.sampled_from(keys), unique=True))}
    unrecorded = PartitionSet.from_keys(draw(st.sets(st.sampled_from(keys), max_size=2)))
    return {of.key: TableState(3, held, unrecorded)} | ({} if of is ASSETS[2] else {FEED: state(*KEYS)})


def one_by_one(of: Asset, told: Mapping[str, TableState], current: Current) -> dict[object, list[PartitionKey]]:
    """What lies behind its code, by what is accepted together; of each those that can prove it."""
    own, history, sound = told[of.key], current.history, dict[object, list[PartitionKey]]()
    accepted = {key: replace(record, code=code(of, key.location)) for key, record in own.records.items()}
    todays = Judge(of, {**told, of.key: replace(own, records=Records.of(accepted))}, current)
    assert history is not None
    for key in sorted(own.records):
        record, found = own.records[key], Judge(of, told, current)(key)
        behind = record.code != code(of, key.location) and not history.same(of, key.location, record.code, own)
        refused = found.state is not State.STALE or found.way == "refetch" or not current.is_configured(key.location)
        if behind and not refused:
            pair = (key.location if "locations" in of.parameters else None, record.code)
            sound.setdefault(pair, []).append(key)
            sound.setdefault("sound", []).extend([key] * todays(key).fresh)
    return sound


@pytest.mark.parametrize("by", ["one by one", "by classes"])
@pytest.mark.parametrize("number", range(len(ASSETS)))
@quick
@given(data=st.data())
def test_what_is_to_be_accepted(number: int, by: str, data: st.DataObject) -> None:
    of = ASSETS[number]
    told, sample = data.draw(tables(of)), data.draw(st.integers(1, 9))
    expected = one_by_one(of, told, NOW)
    sound = set(expected.pop("sound", []))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(judged, "FEW", 0 if by == "by classes" else 256)
        if not expected or any(sound.isdisjoint(keys) for keys in expected.values()):
            why = "no proof can be had" if expected else "nothing lies behind its code"
            with pytest.raises(UsageError, match=why):
                acceptance(of, told, NOW, sample)
            return
        found = acceptance(of, told, NOW, sample)
    assert {(one.location, one.one) for one in found.equal} == set(expected)
    assert all(one.other == code(of, one.location) for one in found.equal)
    behind = [key for keys in expected.values() for key in keys]
    assert found.behind == PartitionSet.from_keys(behind)
    chosen = set(found.sample)
    assert chosen <= sound
    for keys in expected.values():
        proving = [key for key in keys if key in sound]
        wanted = min(len(proving), max(1, round(sample * len(keys) / len(behind))))
        assert len(chosen.intersection(keys)) == wanted
        with_rows = {key for key in proving if told[of.key].records[key].rows}
        if wanted > 1:
            assert len(chosen & with_rows) == min(
                len(with_rows), max(wanted - wanted // 2, wanted - (len(proving) - len(with_rows)))
            )
