"""Accepts and renames in the model: around what ``aqi accept`` and ``aqi location rename`` decide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from orchestration.core.errors import UsageError
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import FlaggedHours, PartitionMapping, nothing_flagged
from orchestration.core.runs import decisions
from orchestration.core.runs.records import provenance_of
from orchestration.core.runs.renaming import Renaming
from orchestration.core.state.provenance import Provenance
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes import accept as accepting
from tests.support.machine.deployed import (
    FEED,
    LAKE,
    LOCATIONS,
    NAMED,
    NAMES,
    Content,
    Known,
    Rows,
    made_of,
    version_of,
)
from tests.support.machine.rows import facts_of, renamed_rows, shown, transform
from tests.support.machine.shadow import still_seen
from tests.support.machine.storage import Cell, Making, Seen, Sight, Storage
from tests.support.machine.world import World

# --- accept -----------------------------------------------------------------------------------------------------------


def made_anew(storage: Storage, world: World, asset: str, partitions: PartitionSet) -> dict[PartitionKey, Rows]:
    """``partitions`` by today's code, from what is there; of a fetched asset, from its stored rows."""
    states, read = storage.states(), dict[str, Content]()
    if asset == FEED:
        stored = storage.newest(FEED).rows
        read["raw"] = {key: tuple(row[:3] for row in stored.get(key, ())) for key in partitions}

    def flagged(mapping: PartitionMapping) -> FlaggedHours:
        if mapping.window is None:
            return nothing_flagged
        return storage.flags(mapping.of, states.get(mapping.of, TableState()), world.code)

    for mapping in LAKE[asset].upstream:
        there = mapping.upstream_of(partitions, flagged(mapping)) & states.get(mapping.of, TableState()).present
        rows, extras = storage.newest(mapping.of).rows, world.code.extras(mapping.of)
        read[mapping.of] = {key: shown(mapping.of, rows.get(key, ()), extras) for key in there}
    return {key: rows for key, rows in transform(asset, read, world.code).items() if key in partitions}


def accept(storage: Storage, world: World, asset: str, sample: int, run_id: str) -> str:
    """Accept what lies behind the code of an asset; gives what came of it.

    What makes the same rows is taken. What makes others may come out alike in a sample, and is not taken here, since
    nothing that it says could be believed later; but not where all that lies behind was sampled, and is not alike.
    """
    states, current = storage.states(), world.current()
    try:
        found = accepting.acceptance(LAKE[asset], states, current, sample)
    except UsageError:
        return "nothing to accept"
    own, table, code = states[asset], storage.newest(asset), world.code
    anew = made_anew(storage, world, asset, found.sample)
    facts = facts_of(asset, anew, code, own)
    differ = [
        key
        for key in found.sample
        if not decisions.comes_out_as(own.records[key], facts.get(key, decisions.PartitionFacts()))
    ]
    pairs = [(equal.location, made_of(equal.one), made_of(equal.other)) for equal in found.equal]
    towns: dict[str | None, list[str | None]] = {town: [town] for town in NAMES} | {None: [None, *code.towns]}
    sound = all(code.makes_the_same(asset, town, one, other) for at, one, other in pairs for town in towns[at])
    assert not (sound and differ), f"{asset} {differ} comes out otherwise, though it is the same code"
    if differ:
        return "refused"
    for key in found.sample:
        extras = table.makings[key].form.extras
        then, now = shown(asset, table.rows.get(key, ()), extras), shown(asset, anew.get(key, ()), extras)
        assert then == now, f"{asset} {key} is accepted and comes out otherwise"
    if not sound:
        return "taken for the same"
    said = Provenance(run_id, asset, "at", {}, equal=found.equal)
    storage.turn(asset, said, {}, {}, pairs)
    return "accepted"


# --- rename -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rename:
    """A rename that was begun. versions: of all tables, before it."""

    old: str
    new: str
    versions: dict[str, int]


def begin_rename(storage: Storage, old: str, new: str) -> Rename | None:
    """None where it is refused: a key that has data already, or what somebody else changed."""
    for state in storage.states().values():
        if state.unrecorded.restrict(locations=[old, new]).without_null():
            return None
        if any(key.location == new for key in state.records):
            return None
    return Rename(old, new, {asset: len(log) - 1 for asset, log in storage.tables.items() if log})


def go_on_with_rename(storage: Storage, world: World, rename: Rename) -> Iterator[str]:
    """A commit a table, upstream first; gives the tables as they are done. What was done before is left alone."""
    tables = {asset: at for asset, at in rename.versions.items() if asset != LOCATIONS}
    before = {asset: state_at(storage, asset, at) for asset, at in tables.items()}
    now = {asset: storage.state(asset) for asset in tables}
    renaming = Renaming(rename.old, rename.new, before, now)
    for asset in LAKE.keys:
        if asset in tables and any(key.location == rename.old for key in now[asset].records):
            _rename_table(storage, world, asset, rename, renaming)
            now[asset] = storage.state(asset)
            yield asset


def state_at(storage: Storage, asset: str, version: int) -> TableState:
    state = TableState()
    for one in storage.tables[asset][: version + 1]:
        state = state.after(one.commit)
    return state


def _rename_table(storage: Storage, world: World, asset: str, rename: Rename, renaming: Renaming) -> None:
    """As ``rename._Renaming.table``."""
    state, table, code = storage.state(asset), storage.newest(asset), world.code
    keys = [key for key in state.records if key.location == rename.old]
    rows = {renaming.key(key): renamed_rows(asset, table.rows.get(key, ()), rename.old, rename.new) for key in keys}
    facts = facts_of(asset, rows, code, state)

    def renamed_version(version: str) -> str:
        return version_of(asset, rename.new if asset in NAMED else None, made_of(version))

    records = {}
    for key in keys:
        record, fact = state.records[key], facts.get(renaming.key(key), decisions.PartitionFacts())
        assert fact.rows == record.rows, f"{asset} {key} has other rows than are recorded"
        version = renamed_version(record.code)
        records[renaming.key(key)] = renaming.record(record, fact, code=version, question=record.question)
    gone, known = PartitionSet.from_keys(keys), Known(code)
    said = provenance_of("rename", LAKE[asset], "at", records, state, known.shapes(asset, state), wiped=gone)
    said = replace(said, equal=renaming.equal(state, renamed_version))
    makings = {renaming.key(key): _renamed(storage, table.makings[key], rename) for key in keys}
    for key, content in rows.items():
        makings[key] = replace(makings[key], rows=content)
    accepted = [(rename.new, one, other) for at, one, other in table.accepted if at == rename.old]
    storage.turn(asset, said, rows, makings, accepted)


def _renamed(storage: Storage, making: Making, rename: Rename) -> Making:
    """What was seen under the old name, and was right before the rename, was seen under the new one."""
    seen: dict[Cell, Seen] = {}
    for (asset, key), then in making.seen.items():
        if key.location != rename.old:
            seen[asset, key] = then
            continue
        at = PartitionKey(key.day, rename.new)
        now = storage.tables[asset][rename.versions[asset]].seen(key) if asset in rename.versions else None
        right = isinstance(then, Sight) and still_seen(asset, then, now)
        rows = renamed_rows(asset, then.rows, rename.old, rename.new) if right else ()
        seen[asset, at] = replace(then, rows=rows) if right else then
    return replace(making, seen=seen)
