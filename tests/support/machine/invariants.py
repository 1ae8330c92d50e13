"""What holds of tables and of plans, by the core and by the shadow alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.planning.request import ApplyChanges, Refetch, Repair, Request
from orchestration.core.state import freshness
from orchestration.core.state.freshness import Judge, State, Way
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import TableState
from tests.support.machine import rows as rows_of_the_model
from tests.support.machine.deployed import FEED, LAKE, LOCATIONS, Code, keys_of
from tests.support.machine.rows import shown, transform
from tests.support.machine.run import Run
from tests.support.machine.shadow import has_moved, is_fresh
from tests.support.machine.storage import UNRECORDED, Making, Snapshot
from tests.support.machine.world import World, hours_begun


def asked_of(asset: str, request: Request, now: datetime) -> PartitionSet:
    """What a request asks of an asset: days after today do not count."""
    if asset == LOCATIONS:
        return PartitionSet.null()
    return PartitionSet.from_keys(key for key in request.partitions if key.day is not None and key.day <= now.date())


def covers(run: Run) -> None:
    """Every asked partition is fresh, in a step, or left out; and what is left out lacks something indeed."""
    request, tables = run.request, run.storage.snapshot(run.tables)
    planned = {(step.asset, key) for step in run.plan.steps for key in step.all_partitions}
    left_out = {(item.asset, key) for item in run.plan.left_out for key in item.partitions}
    for asset in request.assets:
        for key in asked_of(asset, request, run.current.now):
            if isinstance(request, Repair) and key not in tables[asset].unrecorded:
                continue
            if isinstance(request, Refetch | ApplyChanges):
                continue
            fresh = is_fresh(asset, key, tables, run.code, run.current.now)
            assert fresh or (asset, key) in planned | left_out, f"{asset} {key} is neither fresh nor planned"
    for item in run.plan.left_out:
        for key in item.partitions if item.is_blocked else ():
            upstream = [(of, NULL_KEY if of == LOCATIONS else key) for of in LAKE[item.asset].upstream_keys]
            sound = [cell in planned or tables[cell[0]].seen(cell[1]) not in (None, UNRECORDED) for cell in upstream]
            assert not all(sound), f"{item.asset} {key} is left out and lacks nothing"


def checked(asset: str, states: Mapping[str, TableState], tables: Snapshot, world: World) -> set[PartitionKey]:
    """What is fresh of a table, by the core and by the shadow alike; asserts that the table is what the core says."""
    table, state = tables[asset], states.get(asset, TableState())
    judge = Judge(LAKE[asset], states, world.current())
    assert set(state.unrecorded) == table.unrecorded, f"{asset}: other partitions are unrecorded"
    assert state.records.keys() == table.makings.keys(), f"{asset}: other partitions are recorded"
    for key, rows in table.rows.items():
        assert key in table.makings or key in table.unrecorded, f"{asset} {key} has rows that nobody recorded: {rows}"
    code = world.code
    upstream = {
        at: {key: shown(at, rows, code.extras(at)) for key, rows in tables[at].rows.items()}
        for at in LAKE[asset].upstream_keys
    }
    if asset == FEED:
        upstream["raw"] = {key: making.raw for key, making in table.makings.items() if key.location in code.towns}
    now = transform(asset, upstream, code)
    fresh = set()
    for key in keys_of(asset):
        making = table.makings.get(key)
        if key in state.records and key not in table.unrecorded:
            recorded, rows = state.records[key], table.rows.get(key, ())
            assert rows == table.makings[key].rows, f"{asset} {key} has other rows than were made"
            assert recorded.rows == len(rows), f"{asset} {key} has another number of rows than is recorded"
            if asset == FEED:
                says_what_was_asked(key, recorded, table.makings[key], state)
        judgement = judge(key)
        if judgement.fresh:
            fresh.add(key)
        if judgement.fresh and making and code.is_configured(key.location):
            then, anew = (shown(asset, of.get(key, ()), making.form.extras) for of in (table.rows, now))
            assert then == anew, f"{asset} {key} is stale and called fresh"
        by_shadow = is_fresh(asset, key, tables, code, world.now)
        assert judgement.fresh == by_shadow, f"{asset} {key}: {judgement}, and the shadow says otherwise"
        if making and key not in table.unrecorded:
            assert judgement.marks == marks_of(asset, key, making, code), f"{asset} {key}: {judgement.marks}"
            if judgement.state is State.STALE:
                assert judgement.way is way_of(asset, key, making, world), f"{asset} {key}: {judgement}"
    return fresh


def says_what_was_asked(key: PartitionKey, record: PartitionRecord, making: Making, state: TableState) -> None:
    """The record of a fetched partition tells the answer that its rows are of, however often they were rewritten."""
    digest = rows_of_the_model.fingerprint(making.raw)
    assert record.inputs == {"feed": {str(key): digest}}, f"{key}: another answer is recorded"
    assert [answer.digest for answer in record.answers] == [digest], f"{key}: another answer owns its hours"
    assert bool(record.as_of) == (making.begun < 25), f"{key}: the end of the day is recorded otherwise"
    assert state.questions[record.question].latitude == making.degrees, f"{key}: another question is recorded"


def marks_of(asset: str, key: PartitionKey, making: Making, code: Code) -> tuple[str, ...]:
    """What is to be said of a partition beside its state, by the shadow alone."""
    form = code.forms[asset]
    without = [f"x{number}" for number in range(making.form.extras, form.extras)] if form.takes(making.form) else []
    marks = [f"without {', '.join(without)}"] if without else []
    return tuple(marks if code.is_configured(key.location) else [*marks, freshness.NO_LONGER_CONFIGURED])


def way_of(asset: str, key: PartitionKey, making: Making, world: World) -> Way:
    """How a partition that is not fresh is brought up to date, by the shadow alone."""
    if asset != FEED or making.begun != hours_begun(key, world.now):
        return Way.MAKE
    return Way.REFETCH if has_moved(key, making, world.code) else Way.REWRITE
