"""Judging by groups = judging one by one, for any states of tables; and what groups say of each partition in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import Identity
from orchestration.core.partitions.scheme import DailyByLocation
from orchestration.core.state import judged as module
from orchestration.core.state.freshness import Current, Judge, Judgement
from orchestration.core.state.judged import judged, not_fresh
from orchestration.core.state.partition_record import ABSENT, UNRECORDED, Answer, PartitionRecord, TurnedAway
from orchestration.core.state.table_state import TableState
from tests.support.hourly_feed import HOURLY
from tests.support.judged_tables import CURRENT, LOCATIONS, asset, clean, hours, locations, runs


@dataclass(frozen=True, slots=True)
class Uneven(DailyByLocation):
    """Days that have 23 and 25 hours by turns."""

    is_even: ClassVar[bool] = False

    def ends(self, key: PartitionKey) -> datetime:
        assert key.day is not None
        return self.begins(key) + timedelta(hours=23 if key.day.day % 2 else 25)


FIRST = date(2025, 8, 1)
NAMES = ("hanoi", "hue", "vinh")
FEED_BY_UNEVEN_DAYS = replace(HOURLY, partitions=Uneven())
LABELS = asset("gold.labels", Identity(LOCATIONS), dated=False)
ASSETS = (*[HOURLY] * 6, *[clean, hours, runs] * 2, locations, LABELS, FEED_BY_UNEVEN_DAYS)
KEYS = [PartitionKey(FIRST + timedelta(number), at) for at in NAMES for number in range(9)]


class History:
    """``new`` columns came under the contract ``grown``; the question ``old`` is another one, of none it is by day."""

    def same(self, asset: Asset, location: str | None, recorded: str, own: TableState) -> bool:
        return recorded == f"same at {location}"

    def lacking(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...] | None:
        return {"k": (), "grown": ("new",), "grown twice": ("new", "newer")}.get(recorded)

    def absent(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...]:
        return self.lacking(asset, recorded, own) or ()

    def outdated(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> str:
        if record.question:
            return f"moved from {key.location}" if record.question == "old" else ""
        assert key.day is not None
        return f"the rows of {key} say so" if key.day.day % 2 else ""


fingerprints = st.sampled_from(["ffff"] * 4 + ["gggg", "h" * 30, "é"])
consulted = st.sampled_from(
    ["ffff"] * 6
    + ["gggg", *[ABSENT] * 4, UNRECORDED, "ffff without new", "ffff without new,newer", "ffff without other"]
    + ["gggg without new", " without new", "é", "é"]
)
moments = st.sampled_from(
    ["2025-08-04T06:30:00Z", "2025-08-05T00:10:00Z", "2025-08-06T00:00:00Z", "2025-08-30T00:00:00Z"]
)
contracts = st.sampled_from(["k"] * 6 + ["grown", "grown", "grown twice", "other"])


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([usual] * 3 * len(others) + list(others))


def moved(record: PartitionRecord, key: PartitionKey) -> PartitionRecord:
    """A record of the first key as one of ``key``: what it consulted at its own location lies as many days beside."""
    if key.day is None:
        return record
    inputs = {name: {_beside(text, key): said for text, said in seen.items()} for name, seen in record.inputs.items()}
    return replace(record, inputs=inputs)


def _beside(text: str, key: PartitionKey) -> str:
    one = PartitionKey.parse(text)
    if one.day is None or one.location != NAMES[0] or key.day is None:
        return text
    return str(PartitionKey(key.day + (one.day - FIRST), key.location))


@st.composite
def records(draw: st.DrawFn, of: Asset) -> PartitionRecord:
    """A record of the first key as it may come about."""
    own = "null" if of.partitions is None else str(KEYS[0])
    beside = own if of.partitions is None else str(replace(KEYS[0], day=FIRST + timedelta(draw(mostly(-1, 1, 2)))))
    inputs: dict[str, dict[str, str]] = {}
    for upstream in of.upstream_keys if draw(mostly(True, False)) else of.upstream_keys[:-1]:
        texts = ["null"] if upstream == LOCATIONS else sorted(draw(mostly([own], [], [own, beside], [beside])))
        texts = ["2025-08-03/hue"] if draw(mostly(*[False] * 5, True)) else texts
        inputs[upstream] = {text: draw(consulted) for text in texts}
    more: dict[str, Any] = {}
    if of.source:
        inputs[of.source] = {own: draw(mostly("sent", "otherwise"))}
        values = st.sampled_from(
            [
                {"aqi": 24, "pm25": 24},
                {"aqi": 7, "pm25": 24},
                {},
                {"aqi": 24},
                {"aqi": 0, "pm25": 3, "dust": 1},
                {"dust": 2},
            ]
        )
        more = {
            "question": draw(st.sampled_from(["today", "today", "old", ""])),
            "as_of": draw(mostly("", "2025-08-04T06:30:00Z", "2025-08-09T10:10:00Z")),
            "answers": tuple(Answer(at, "sent") for at in draw(st.lists(moments, max_size=1))),
            "turned_away": draw(mostly((), (TurnedAway("2025-08-05T00:10:00Z", "d", 0b11),))),
            "values": draw(values),
        }
    return PartitionRecord(
        draw(st.sampled_from([24, 0, 23])),
        draw(fingerprints),
        inputs,
        draw(mostly("c", "old", f"same at {NAMES[0]}", f"same at {NAMES[1]}")),
        draw(contracts),
        also=draw(st.sampled_from([{}, {}, {"k1": "gggg"}, {"k1": "hhhh", "k2": "ffff"}])),
        at=draw(moments),
        version=draw(st.integers(1, 3)),
        checks=draw(mostly({}, {"late": 3})),
        **more,
    )


PARTS = ("rows", "fingerprint", "inputs", "code", "contract", "also", "checks")
PARTS_OF_SOURCE = ("as_of", "answers", "question", "values", "turned_away")


@st.composite
def states(draw: st.DrawFn, of: Asset) -> TableState:
    """A table: some of it alike, some of it in one thing as another record, some of it not there."""
    keys = [NULL_KEY] if of.partitions is None else KEYS
    usual, *others = draw(st.lists(records(of), min_size=3, max_size=3))
    parts = (*PARTS, *PARTS_OF_SOURCE) if of.source else PARTS
    held, shift = {}, draw(st.integers(0, len(parts)))
    for number, key in enumerate(keys):
        part, other = parts[(number + shift) % len(parts)], others[number % 2]
        varied = draw(st.booleans())
        held[key] = moved(replace(usual, **{part: getattr(other, part)}) if varied else usual, key)
    for key in draw(st.sets(st.sampled_from(keys), max_size=6)):
        del held[key]
    unrecorded = draw(st.sets(st.sampled_from(keys), max_size=6)) if draw(st.booleans()) else set()
    return TableState(3, held, PartitionSet.from_keys(unrecorded))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Asset, dict[str, TableState], Current]:
    of = draw(st.sampled_from(ASSETS))
    lake = {one.key: one for one in (HOURLY, clean, hours, runs, locations)} | {of.key: of}
    tables = {
        key: draw(states(lake[key]))
        for key in (of.key, *of.upstream_keys)
        if draw(mostly(True, False)) or key == of.key
    }
    current = replace(
        CURRENT,
        code=lambda _asset, _location: "c",
        contracts=dict.fromkeys([*CURRENT.contracts, LABELS.key], "k"),
        now=datetime(2025, 8, 9, 10, 30, tzinfo=UTC),
        sent={"api": draw(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["sent", ""]), max_size=3))},
        history=draw(mostly(History(), None)),
        configured=draw(st.sampled_from([None, frozenset({"hue", "vinh"})])),
        values_from={"api": draw(mostly(date.min, date(2025, 8, 5)))},
        incomplete_days=draw(st.integers(1, 6)),
    )
    return of, tables, current


asked_for = st.sampled_from(
    [
        PartitionSet.of(Days.of(FIRST, FIRST + timedelta(8)), [*NAMES, "nowhere"]) | PartitionSet.null(),
        PartitionSet.of(Days.of(FIRST + timedelta(2), FIRST + timedelta(5)), ["hue"]),
        PartitionSet.from_keys(KEYS[::2]),
        PartitionSet.empty(),
    ]
)


@pytest.mark.costly
@settings(max_examples=400, deadline=None)
@given(worlds(), asked_for, st.sampled_from([0, 0, 0, module.FEW]))
def test_by_groups_and_one_by_one(
    world: tuple[Asset, dict[str, TableState], Current], asked: PartitionSet, few: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FEW", few)
        holds_for(*world, asked)


def holds_for(of: Asset, tables: Mapping[str, TableState], current: Current, asked: PartitionSet) -> None:
    asked = asked if of.partitions is None else asked.without_null()
    asked = asked & PartitionSet.null() if of.partitions is None else asked
    judge = Judge(of, tables, current)
    one_by_one = {key: judge(key) for key in asked}
    found = judged(judge, asked)
    told = {key: alike.judgement_of(key) for alike in found for key in alike.partitions}
    assert told == one_by_one
    assert sum(len(alike.partitions) for alike in found) == len(asked), "groups are disjoint"
    for alike in found:
        first = next(iter(alike.partitions))
        assert alike.judgement == one_by_one[first]
        assert {judge.completeness(key) == alike.completeness for key in alike.partitions} == {True}
        assert {key in tables[of.key].records for key in alike.partitions} == {alike.recorded}
    assert [next(iter(alike.partitions)) for alike in found] == sorted(next(iter(alike.partitions)) for alike in found)
    assert list(not_fresh(of, asked, tables, current).items()) == list(naively(one_by_one).items())


def naively(judgements: Mapping[PartitionKey, Judgement]) -> dict[Judgement, PartitionSet]:
    """``not_fresh`` by its words."""
    firsts: dict[str, Judgement] = {}
    keys: dict[str, list[PartitionKey]] = {}
    for key, judgement in judgements.items():
        if not judgement.fresh:
            firsts.setdefault(judgement.in_short, judgement)
            keys.setdefault(judgement.in_short, []).append(key)
    return {judgement: PartitionSet.from_keys(keys[in_short]) for in_short, judgement in firsts.items()}
