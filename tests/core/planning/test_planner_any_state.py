"""The planner: what holds of every plan, whatever tables hold and whatever is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import (
    ALL_DAY,
    LAST_HOUR,
    PartitionMapping,
    nothing_flagged,
)
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.planning.request import Chunk
from orchestration.core.state.freshness import judge
from orchestration.core.state.table_state import TableState
from tests.support.planned_lake import (
    ALL,
    CURRENT,
    LOCATIONS,
    NOTHING,
    NULL,
    TODAY,
    WITH_SUMMARY,
    Tables,
    changed,
    in_chunks,
    plan,
    quick,
    settled,
    there,
)

NUMBERS = range(17, 23)
keys = st.builds(
    PartitionKey,
    st.sampled_from(NUMBERS).map(lambda number: date(2025, 8, number)),
    st.sampled_from(["hanoi", "hue"]),
)
key_sets = st.sets(keys).map(PartitionSet.from_keys)
dated_states = st.builds(
    lambda held, unrecorded, version: there(held, version, unrecorded), key_sets, key_sets, st.just(4)
)
null_states = st.sampled_from([there(NULL), there(NULL, unrecorded=NULL), there(NOTHING)])
states = st.fixed_dictionaries(
    {}, optional={key: null_states if key == LOCATIONS else dated_states for key in WITH_SUMMARY.keys}
)
news = st.fixed_dictionaries({}, optional={key: st.just(NULL) if key == LOCATIONS else key_sets for key in ALL})
masks = st.dictionaries(st.integers(16, 23), st.sampled_from([ALL_DAY, LAST_HOUR, 1]))


@st.composite
def cut(draw: st.DrawFn, asked: PartitionSet) -> list[Chunk]:
    """``asked`` in chunks of some days each; or in none, which is no backfill."""
    if not asked or draw(st.booleans()):
        return []
    days = sorted(asked.days)
    ends = sorted({*draw(st.sets(st.sampled_from(days))), days[-1]})
    starts = [days[0], *(end + timedelta(days=1) for end in ends[:-1])]
    pieces = [asked.restrict(days=Days.of(first, last)) for first, last in zip(starts, ends, strict=True)]
    return [Chunk(f"c{number}", piece) for number, piece in enumerate(pieces, 1)]


@quick
@given(
    st.data(),
    st.sets(st.sampled_from(WITH_SUMMARY.keys)),
    key_sets,
    states,
    news,
    masks,
    st.integers(1, 6),
    st.booleans(),
)
def test_every_plan(
    data: st.DataObject,
    selected: set[str],
    asked: PartitionSet,
    tables: dict[str, TableState],
    differences: dict[str, PartitionSet],
    flagged: dict[int, int],
    batch: int,
    force: bool,
) -> None:
    """Each asked partition is fresh, in one step, or left out; inputs are there or made before; nothing is unasked."""
    tables = settled(tables, flagged, WITH_SUMMARY)
    for key in tables.keys() & differences.keys():
        tables = changed(tables, key, differences[key] & PartitionSet.from_keys(tables[key].records))
    chunks = data.draw(cut(asked))
    if chunks:
        made = in_chunks(selected, chunks, tables, flagged, WITH_SUMMARY, batch=batch, force=force)
    else:
        made = plan(selected, asked, tables, flagged, WITH_SUMMARY, force=force)
    assert {of.asset for of in made.steps} | {item.asset for item in made.left_out} <= selected
    assert all(item.partitions and item.reason for item in made.left_out)
    ids = [of.id for of in made.steps]
    assert len(ids) == len(set(ids))
    for key in selected:
        steps = made.steps_of(key)
        if WITH_SUMMARY[key].source is None:  # chunks never make the same partition: they need not wait for each other
            assert [of.after for of in steps] == [None, *(of.id for of in steps)][: len(steps)]
        ends_up = [of.partitions for of in steps]
        ends_up += [item.partitions for item in made.left_out if item.asset == key]
        found = PartitionSet.union_of(ends_up)
        assert sum(len(partitions) for partitions in ends_up) == len(found)
        wanted = NULL if key == LOCATIONS else asked
        assert found <= wanted
        if force:
            assert found == wanted
        assert all(judge(WITH_SUMMARY[key], one, tables, CURRENT).fresh for one in wanted - found)
    until_today = PartitionSet.of(Days.of(date.min, TODAY), ["hanoi", "hue"])
    made_of: dict[str, PartitionSet] = {}
    for number, of in enumerate(made.steps):
        assert of.all_partitions
        assert not of.partitions & of.may_rewrite
        assert not of.partitions - NULL - until_today
        assert set(of.upstream_steps) <= set(ids[:number])
        state = tables.get(of.asset, TableState())
        assert of.may_rewrite <= state.present | made_of.get(of.asset, NOTHING)
        assert of.base_version == state.version
        assert {item.asset for item in of.inputs} == set(WITH_SUMMARY[of.asset].upstream_keys)
        for mapping in WITH_SUMMARY[of.asset].upstream:
            check_inputs(of, mapping, tables, made_of.get(mapping.of, NOTHING), made)
        made_of[of.asset] = made_of.get(of.asset, NOTHING) | of.all_partitions
    for key in selected:
        check_downstream(WITH_SUMMARY[key], tables, made_of, made)


def check_inputs(of: Step, mapping: PartitionMapping, tables: Tables, made: PartitionSet, whole: Plan) -> None:
    """A step reads each upstream partition once, from the steps that make it, else the table; none is unrecorded."""
    state = tables.get(mapping.of, TableState())
    inputs = [item for item in of.inputs if item.asset == mapping.of]
    for one, other in pairwise(inputs):
        assert one.step is not None, "tables stand behind the steps"
        assert not one.partitions & other.partitions
    for item in inputs:
        if item.step is None:
            assert item.version == state.version
            assert not item.partitions & made
        else:
            assert item.version is None
            assert item.partitions <= next(one for one in whole.steps if one.id == item.step).all_partitions
    trusted = (state.present - state.unrecorded) | made
    assert mapping.makeable(of.all_partitions, trusted) == of.all_partitions
    needed = mapping.upstream_of(of.all_partitions, nothing_flagged)
    assert needed & (state.present | made) <= PartitionSet.union_of(item.partitions for item in inputs)


def check_downstream(asset: Asset, tables: Tables, made: Mapping[str, PartitionSet], whole: Plan) -> None:
    """What was made from partitions that the plan makes is in a step too, unless it cannot be made."""
    state = tables.get(asset.key, TableState())
    done = made.get(asset.key, NOTHING)
    done |= PartitionSet.union_of(item.partitions for item in whole.left_out if item.asset == asset.key)
    for key, record in state.records.items():
        consulted = {of: PartitionSet.from_keys(map(PartitionKey.parse, texts)) for of, texts in record.inputs.items()}
        if key in done or not any(partitions & made.get(of, NOTHING) for of, partitions in consulted.items()):
            continue
        one = PartitionSet.from_keys([key])
        upstream = {of: tables.get(of, TableState()) for of in asset.upstream_keys}
        trusted = {of: (up.present - up.unrecorded) | made.get(of, NOTHING) for of, up in upstream.items()}
        assert any(mapping.makeable(one, trusted[mapping.of]) != one for mapping in asset.upstream), key
