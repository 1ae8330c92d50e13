"""``aqi location rename OLD NEW``: another key for a location, in every table, without a fetch.

A commit a table, upstream first: the rows of OLD become rows of NEW, with the identifiers that the new key makes, and
their records go with them. What was begun is written down first (``delta.pending``), so that a rename that was
broken off is gone on with by the same call, and nothing else writes these tables meanwhile. A table says by itself
whether it is done: it has no partitions of OLD any more. What sources sent stays as it was kept; it is told of the new
key last, when everything that was kept under the old one has been.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from orchestration.core.calendar import iso
from orchestration.core.counted import counted
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.errors import UsageError, WarehouseError
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.location import LOCATION_KEY, Location
from orchestration.core.runs.decisions import PartitionFacts, comes_out_as
from orchestration.core.runs.records import provenance_of
from orchestration.core.runs.renaming import Renaming
from orchestration.core.state.equivalence import parts
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes.by_code import of_location
from orchestration.engine.changes.history import location_of
from orchestration.engine.changes.tables import differences
from orchestration.engine.engines.engine import Engine, MakeEngine
from orchestration.engine.exclusive import RunListener, locked, new_run_id
from orchestration.engine.fingerprints import aggregate
from orchestration.engine.frames import conform
from orchestration.engine.session import engine_session
from orchestration.engine.workspace import Workspace
from resources.delta.pending import Pending, PendingChange
from resources.machine import failpoints
from resources.machine.package import package_version
from resources.raw.renames import Renamed

LOCATION = "place"
"""What a rename that was begun calls what is known of its location: a name on disk, which older versions wrote."""


@dataclass(frozen=True, slots=True)
class TableRename:
    """What a rename does to one table. rows: as recorded."""

    asset: str
    partitions: PartitionSet
    rows: int

    def in_words(self) -> str:
        return f"rename in {self.asset}: {counted(len(self.partitions), 'partition')}, {counted(self.rows, 'row')}"

    def to_json(self) -> dict[str, Any]:
        return {"asset": self.asset, "partitions": len(self.partitions), "rows": self.rows}


@dataclass(frozen=True, slots=True)
class Rename:
    """A rename: what it does to each table."""

    old: str
    new: str
    tables: tuple[TableRename, ...]
    still_named: tuple[str, ...]
    """Where the configuration still names the old key."""
    resumed: bool = False
    """Whether the rename was begun earlier."""

    def to_json(self) -> dict[str, Any]:
        return {
            "old": self.old,
            "new": self.new,
            "tables": [table.to_json() for table in self.tables],
            "still_named": list(self.still_named),
            "resumed": self.resumed,
        }


def command(old: str, new: str) -> str:
    return f"aqi location rename {old} {new}"


def planned_rename(workspace: Workspace, old: str, new: str) -> Rename:
    """What a rename would do. Raises UsageError for keys that cannot be renamed, before any work."""
    return _planned(workspace, old, new, _states(workspace))


def _states(workspace: Workspace) -> dict[str, TableState]:
    return workspace.warehouse.states(asset for asset in workspace.catalog if _has_locations(workspace, asset))


def _has_locations(workspace: Workspace, asset: Asset) -> bool:
    """Whether rows of an asset belong to locations: those of a dated asset and of the table of locations. Any other
    asset that names locations is made again from these."""
    return asset.partitions is not None or workspace.history.is_of_locations(asset)


def location_column(workspace: Workspace, asset: Asset) -> str:
    """For an asset with locations: the column that says to which one a row belongs."""
    if asset.partitions is not None:
        return asset.partitions.columns.location
    assert workspace.project.locations is not None
    return workspace.project.locations.column("key")


def _planned(workspace: Workspace, old: str, new: str, tables: Mapping[str, TableState]) -> Rename:
    pending = Pending(workspace.warehouse.uri).read()
    if pending is not None and pending.command != command(old, new):
        raise UsageError(
            f"`{pending.command}` is under way, or was broken off", f"Call `{pending.command}` again first."
        )
    if not LOCATION_KEY.fullmatch(new):
        raise UsageError(
            f"location {new!r}: a key is lower-case letters, digits, _ and -, starting with a letter or digit",
            "Choose another key.",
        )
    if old == new:
        raise UsageError(f"location {old!r}: the new key is the old one", "Name another key.")
    for difference in differences(workspace, tables, tables).values():
        if difference.blocks:
            raise UsageError(difference.in_words().removesuffix(difference.remedy).strip(), difference.remedy)
    renames = []
    for key in workspace.catalog.keys:
        if key not in tables:
            continue
        asset, state = workspace.catalog[key], tables[key]
        unrecorded = state.unrecorded.restrict(locations=[old, new])
        if unrecorded and pending is None:
            raise UsageError(
                f"{key} {unrecorded}: somebody else changed it, so what its rows are is not known",
                f"Mend it first: aqi repair {key}.",
            )
        if asset.partitions is None:
            listed = _keys_of(workspace, asset, state)
            if {old, new} <= listed and pending is None:
                raise UsageError(
                    f"{key} has both {old!r} and {new!r}: a key that exists cannot be renamed onto",
                    f"Choose another key; if {new!r} is not configured any more: aqi materialize {key}.",
                )
            partitions = PartitionSet.null() if old in listed else PartitionSet.empty()
        else:
            partitions, taken = of_location(state.records, old), of_location(state.records, new)
            if taken and partitions and pending is None:
                raise UsageError(
                    f"{key} has {len(taken)} partitions of {new!r} already: a key that exists cannot be renamed onto",
                    _remedy_of_taken(workspace, old, new, taken),
                )
        if partitions:
            rows = 1 if asset.partitions is None else state.records.rows_of(partitions)
            renames.append(TableRename(key, partitions, rows))
    configured = [location.key for location in workspace.settings.locations]
    if old in configured and new in configured and pending is None:
        raise UsageError(
            f"locations: both {old!r} and {new!r} are configured, so they are two locations",
            f"Take one of them out of the configuration: {old!r} if it is called {new!r} from now on.",
        )
    if not renames and pending is None and not any(of_location(state.records, new) for state in tables.values()):
        raise UsageError(f"location {old!r}: no table has it", "`aqi status` says what there is.")
    return Rename(old, new, tuple(renames), still_named(workspace, old), pending is not None)


def _remedy_of_taken(workspace: Workspace, old: str, new: str, taken: PartitionSet) -> str:
    """What to do where partitions of the new key exist. Only people know whether they are of the same location."""
    configured = {location.key for location in workspace.settings.locations}
    if new in configured and old not in configured:
        days = taken.days
        return (
            f"If {new!r} is {old!r}, fetched under its new key since the configuration has it, wipe that first: "
            f"aqi wipe '*' --partitions {days.first}..{days.last} --locations {new}. Else choose another key."
        )
    return "Choose another key."


def _keys_of(workspace: Workspace, asset: Asset, state: TableState) -> set[str]:
    assert state.version is not None
    column = location_column(workspace, asset)
    rows = workspace.warehouse.read_arrow(asset.key, state.version, columns=[column])
    return set(rows.column(column).to_pylist())


def still_named(workspace: Workspace, key: str) -> tuple[str, ...]:
    """Where the configuration names a location."""
    found = ["locations"] if key in [location.key for location in workspace.settings.locations] else []
    for name, deployment in workspace.settings.deployments.items():
        said = None if deployment is None else deployment.parameters.get("locations")
        named = [one.strip() for one in said.split(",")] if isinstance(said, str) else list(said or [])
        found += [f"deployments.{name}.parameters.locations"] if key in named else []
    return tuple(found)


def run_rename(
    workspace: Workspace, old: str, new: str, listener: RunListener, make_engine: MakeEngine | None = None
) -> Rename:
    """Rename a location, or go on with a rename. Raises UsageError as ``planned_rename`` does."""
    run_id, pending = new_run_id(), Pending(workspace.warehouse.uri)
    with locked(workspace, run_id, listener) as inherited:
        tables = _states(workspace)
        found = _planned(workspace, old, new, tables)
        begun = pending.read()
        if begun is None:
            versions = {key: state.version for key, state in tables.items()}
            begun = PendingChange(
                command(old, new), run_id, tuple(tables), versions, {LOCATION: _location(workspace, old)}
            )
            pending.begin(begun)
        failpoints.reach("rename-begun")
        before = {
            key: tables[key]
            if key in tables and tables[key].version == version  # as of all where it has just begun
            else workspace.warehouse.state_at(workspace.catalog[key], version)
            for key, version in begun.versions.items()
            if version is not None
        }
        if found.tables:
            rows = max(table.rows for table in found.tables)
            with engine_session(workspace, begun.run_id, rows, inherited, listener, make_engine) as engine:
                renaming = _Renaming(workspace, old, new, begun, before, tables)
                for table in found.tables:
                    listener.starting(table.in_words())
                    with engine.working(table.asset):
                        renaming.table(engine, workspace.catalog[table.asset])
                    failpoints.reach("between-tables")
        failpoints.reach("before-rename-ends")
        _check_done(workspace, old, found)
        _tell_kept_answers(workspace, Renamed(old, new, begun.run_id), before)
        pending.end()
    return found


def _check_done(workspace: Workspace, old: str, found: Rename) -> None:
    """Raises WarehouseError if an earlier run has committed the old key again: possible only without a lock."""
    for key, state in _states(workspace).items():
        if of_location(state.records, old):
            raise WarehouseError(
                f"{key}: another run has committed partitions of {old!r} meanwhile",
                f"Call `{command(found.old, found.new)}` again when no run is going on.",
            )


def _tell_kept_answers(workspace: Workspace, renamed: Renamed, before: Mapping[str, TableState]) -> None:
    """The kept answers of the old key belong to the new one from now on, also those of a table that was lost. before:
    the states before the rename. Not if nothing was renamed; nor for a table in which the new key was another location
    then."""
    if any(of_location(state.records, renamed.old) for state in before.values()):
        for asset in workspace.project.fetched:
            if not of_location(before.get(asset.key, TableState()).records, renamed.new):
                workspace.raw.rename(asset.key, renamed)


def _location(workspace: Workspace, key: str) -> dict[str, Any] | None:
    """What is known about a location, before its row in the dimension gets another key."""
    locations = workspace.history.locations_of(key)
    if not locations:
        return None
    return {name: getattr(locations[0], name) for name in ("key", "name", "latitude", "longitude", "timezone")}


class _Renaming:
    """Renames table after table. before, now: the states of all tables before the rename, and at present."""

    def __init__(
        self,
        workspace: Workspace,
        old: str,
        new: str,
        begun: PendingChange,
        before: Mapping[str, TableState],
        now: Mapping[str, TableState],
    ) -> None:
        self._workspace, self._old, self._new, self._begun = workspace, old, new, begun
        self._before, self._now = before, dict(now)
        self._renaming = Renaming(old, new, before, self._now)
        self._code = cache(self._code_under_the_new_key)

    def table(self, engine: Engine, asset: Asset) -> None:
        """One commit: rows and records of the old key become those of the new key."""
        from pyspark.sql import functions as F

        workspace, warehouse = self._workspace, self._workspace.warehouse
        state = self._now[asset.key]
        assert state.version is not None
        contract = workspace.contracts[asset.key]
        column = location_column(workspace, asset)
        rows = engine.table(asset, state.version)
        if asset.partitions is not None:
            rows = rows.where(F.col(column) == self._old)
        renamed = F.when(F.col(column) == self._old, F.lit(self._new)).otherwise(F.col(column))
        rows = rows.withColumn(column, renamed)
        for name, made in asset.identifiers.items():
            rows = rows.withColumn(name, made())
        kept = engine.evaluate(rows)
        try:
            frame = conform(kept.frame(), asset, contract, missing_is_null=True)
            earlier = workspace.history.earlier(asset.key, state)
            facts = aggregate(frame, asset, contract, workspace.parameters, earlier)
            self._check_doubted(engine, asset, state, contract, earlier)
            renamed_ones = PartitionSet.null() if asset.partitions is None else of_location(state.records, self._old)
            records = {
                self._renaming.key(key): self._record(asset, key, state.records[key], facts) for key in renamed_ones
            }
            gone = renamed_ones.without_null()
            said = provenance_of(
                self._begun.run_id,
                asset,
                iso(datetime.now(UTC)),
                records,
                state,
                workspace.history.shapes(asset.key, state),
                questions=workspace.history.questions_of(asset, renamed_ones, state),
                wiped=gone,
                past=workspace.history.past(asset),
                by=package_version(),
            )
            said = replace(said, equal=self._renaming.equal(state, partial(self._code, asset.key, self._old)))
            there = gone | PartitionSet.from_keys(records)
            number = sum(record.rows for record in records.values())
            if number:
                engine.replace(kept, None, asset, there, number, said, state)
            else:
                warehouse.record(asset, said, state)
        finally:
            kept.let_go()
        failpoints.reach("after-commit")
        self._now[asset.key] = warehouse.state(asset, state)
        with contextlib.suppress(OSError):  # the log says it too; the next run writes it down
            warehouse.keep_state(asset, self._now[asset.key])

    def _check_doubted(
        self, engine: Engine, asset: Asset, state: TableState, contract: Contract, earlier: Mapping[str, Any]
    ) -> None:
        """Raises WarehouseError if somebody else has changed rows of the old key since the rename began."""
        unrecorded = state.unrecorded.restrict(locations=[self._old]).without_null()
        if not unrecorded or state.version is None:
            return
        there = conform(engine.table(asset, state.version, unrecorded), asset, contract, missing_is_null=True)
        facts = aggregate(there, asset, contract, self._workspace.parameters, earlier)
        for key in unrecorded:
            record = state.records.get(key)
            if record is None or not comes_out_as(record, facts.get(key, PartitionFacts())):
                version = self._begun.versions.get(asset.key)
                raise WarehouseError(
                    f"{asset.key} {key}: somebody else changed it while the rename was under way",
                    f"Restore the table to its version {version}, and call the command again.",
                )

    def _record(
        self, asset: Asset, key: PartitionKey, record: PartitionRecord, facts: Mapping[PartitionKey, PartitionFacts]
    ) -> PartitionRecord:
        """The record of a partition under its new key: the same facts, about the present rows."""
        fact = facts.get(self._renaming.key(key), PartitionFacts())
        if fact.rows != record.rows:
            raise WarehouseError(
                f"{asset.key} {key} has {fact.rows} rows, and {record.rows} are recorded",
                f"Restore the table to its version {self._begun.versions.get(asset.key)}, and call the command again.",
            )
        question = record.question
        if asset.source is not None and not question:
            own = self._before[asset.key]
            then = self._workspace.history.question_of(asset, key, record, own)
            question = "" if then is None else then.id
        code = self._code(asset.key, key.location, record.code)
        return self._renaming.record(record, fact, code=code, question=question)

    def _code_under_the_new_key(self, key: str, location: str | None, code: str) -> str:
        """The code version that made the rows, under the new key. A version that is behind stays behind."""
        asset = self._workspace.catalog[key]
        if "locations" not in asset.parameters:
            return code
        split = parts(code) or parts(self._workspace.history.explained_as(asset, location, code) or "")
        if split is None:
            return code
        by_location, today = asset.partitions is not None, self._workspace.code
        then = self._workspace.history.parameters_then(asset, self._before[key])
        old, new = (self._old, self._new) if by_location else (None, None)
        for locations in [(location,) for location in self._locations()] if by_location else self._lists(asset):
            renamed = tuple(replace(at, key=self._new) if at.key == self._old else at for at in locations)
            for codes in (today, *map(today.with_parameters, then)):
                if split[1] == codes.with_locations(locations).settings_part(asset, old):
                    return f"{split[0]}:{codes.with_locations(renamed).settings_part(asset, new)}"
        return code

    def _lists(self, asset: Asset) -> list[tuple[Location, ...]]:
        """All lists of locations from which a table of locations can have been made: configured, under the old key, its
        own rows."""
        configured = self._workspace.parameters.locations
        back = tuple(replace(at, key=self._old) if at.key == self._new else at for at in configured)
        return [configured, back, self._workspace.history.locations_in(asset)]

    def _locations(self) -> list[Location]:
        kept = self._begun.details.get(LOCATION)
        first = [location_of(kept)] if kept else []
        return first + [one for one in self._workspace.history.locations_of(self._old) if one not in first]
