"""What every command starts from: settings, catalog, contracts, the warehouse, and the plan that follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from orchestration.core.calendar import day_of
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.contract import Contract
from orchestration.core.declarations.parameters import Parameters
from orchestration.core.errors import PartitionRangeError, UsageError, unknown_names
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet, parse_range
from orchestration.core.partitions.mappings import FlaggedHours, RunWindow
from orchestration.core.planning.commands import fill_commands
from orchestration.core.planning.hourly import hourly_window
from orchestration.core.planning.plan import Plan
from orchestration.core.planning.planner import make_plan
from orchestration.core.planning.ranges import in_range
from orchestration.core.planning.request import ApplyChanges, Hourly, Refetch, Repair, Request, Selected, making
from orchestration.core.selection.parser import parse
from orchestration.core.source import Source
from orchestration.core.state.damage import LostFile, Trouble, with_more_damage
from orchestration.core.state.equivalence import SCHEME_2
from orchestration.core.state.freshness import Current
from orchestration.core.state.holes import Holes, Wanted, holes
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes.history import WarehouseHistory
from orchestration.engine.changes.past import NoPast
from orchestration.engine.changes.tables import table_changes, with_changes_of_others
from orchestration.engine.code.code_version import CodeVersions
from orchestration.engine.essential import essential_columns
from orchestration.engine.flagged_hours import flags_of_tables
from orchestration.engine.project import Project
from resources.delta.value_counts import ValueCounts
from resources.delta.warehouse import Warehouse
from resources.raw.answers import RawAnswers
from resources.raw.moments import Moments
from resources.settings.load import Settings
from resources.spark.on_yarn import resolve_warehouse

if TYPE_CHECKING:
    from orchestration.engine.folding import Folding


@dataclass(frozen=True)
class Workspace:
    """A project's settings and everything that follows from them without a JVM."""

    project: Project
    settings: Settings
    warehouse: Warehouse

    @classmethod
    def open(cls, project: Project, settings: Settings) -> Workspace:
        """The workspace of ``settings``. Raises ConfigurationError where these do not fit the project."""
        keys = (location.key for location in settings.locations)
        uri, spark = resolve_warehouse(settings.warehouse.uri), settings.engine == "spark"
        workspace = cls(project, settings, Warehouse(uri, keys, spark=spark))
        if settings.essential:
            _ = workspace.essential  # wrong ones are told before any work
        return workspace

    @property
    def catalog(self) -> Catalog:
        return self.project.catalog

    @cached_property
    def contracts(self) -> dict[str, Contract]:
        return self.project.contracts(self.settings).load(self.catalog)

    @cached_property
    def parameters(self) -> Parameters:
        """The parameters of assets."""
        parameters: Parameters = self.project.parameters(self.settings, self.contracts)
        return parameters

    @cached_property
    def sources(self) -> dict[str, Source[Any]]:
        """The sources of the catalog's assets, by name. There is one object for each, so that its limits hold for all
        requests."""
        names = sorted({str(asset.source) for asset in self.project.fetched})
        return {name: self.project.sources[name](self.settings) for name in names}

    @cached_property
    def essential(self) -> dict[str, tuple[str, ...]]:
        """Asset key → the essential columns that settings name instead of the declared ones."""
        return essential_columns(self.settings.essential, self.catalog, self.sources if self.settings.essential else {})

    @cached_property
    def raw(self) -> RawAnswers:
        """The kept raw answers of sources."""
        return RawAnswers(self.warehouse.uri)

    @cached_property
    def moments(self) -> Moments:
        """When sources were asked in vain."""
        return Moments(self.warehouse.uri)

    def folding(self, current: Current) -> Folding:
        """What folds answers into the rows of fetched assets."""
        from orchestration.engine.folding import Folding

        return Folding(
            self.warehouse,
            self.raw,
            self.sources,
            self.contracts,
            current,
            self.history,
            self.settings.now,
            self.settings.feed.frozen_hours,
        )

    @cached_property
    def first_day(self) -> date:
        """The first day for which any source can be asked."""
        return min((source.first_day for source in self.sources.values()), default=date.min)

    @cached_property
    def code(self) -> CodeVersions:
        """The code versions of the assets as they are now."""
        return CodeVersions(self.parameters, self.project.package)

    @cached_property
    def history(self) -> WarehouseHistory:
        """What is known about rows that other code, contracts or settings made."""
        make = self.project.past
        return WarehouseHistory(
            self.project,
            self.settings.configured_locations,
            self.contracts,
            self.code,
            self.sources,
            self.warehouse,
            NoPast if make is None else lambda: make(self),
            self.settings.warehouse.mixed_sources,
        )

    def current(self, sent: Mapping[str, Mapping[PartitionKey, str]] | None = None) -> Current:
        """Code, contracts and clock by which freshness is judged. sent: what sources send now."""
        digests = {key: contract.digest for key, contract in self.contracts.items()}
        return Current(
            self.code.of,
            digests,
            self.settings.now(),
            sent or {},
            self.history,
            frozenset(location.key for location in self.settings.locations),
            self._check_version,
            self.essential,
            {name: source.values_from for name, source in self.sources.items()},
            max(self.settings.hourly.incomplete_days, self.settings.hourly.revisable_days),
            behind=self.history.why_behind,
        )

    def code_parts(self, keys: Iterable[str]) -> dict[str, str]:
        """The code parts of the code versions of assets, by key."""
        return {key: f"{SCHEME_2}:{self.code.code_part(self.catalog[key])}" for key in keys}

    def _check_version(self, asset: Asset, name: str) -> str:
        return next(self.code.check_version(check) for check in asset.checks if check.name == name)

    @cached_property
    def assets(self) -> dict[str, Asset]:
        return {asset.key: asset for asset in self.catalog}

    def select(self, selection: str) -> tuple[str, ...]:
        """The asset keys that a selection means, in topological order, at least one. Raises UsageError."""
        keys = tuple(parse(selection).resolve(self.catalog))
        if not keys:
            raise UsageError(f"the selection {selection!r} means no asset", "Widen it; `aqi lineage` shows all assets.")
        return keys

    def partitions(self, days: str, locations: Sequence[str] = ()) -> PartitionSet:
        """The partitions of a RANGE at the named locations (none named: all). Raises PartitionRangeError."""
        self.check_locations(locations)
        names = locations or [one.key for one in self.settings.locations]
        return PartitionSet.of(self.days(days), names)

    @property
    def a_week(self) -> Days:
        """The last seven ended days, and today: an example of a RANGE that means the same tomorrow."""
        return self.days("last:7")

    def days(self, text: str) -> Days:
        """The days of a RANGE. Raises PartitionRangeError."""
        return parse_range(text, day_of(self.settings.now()), self.first_day)

    def check_locations(self, locations: Sequence[str], also: Iterable[str] = ()) -> None:
        """Raises PartitionRangeError for locations that are neither configured nor among ``also``."""
        known = {location.key for location in self.settings.locations}.union(also)
        if problem := unknown_names("location", locations, known):
            raise PartitionRangeError(*problem)

    def requested(
        self,
        keys: Sequence[str],
        days: str | None,
        locations: Sequence[str] = (),
        *,
        force: bool = False,
        from_raw: bool = False,
    ) -> Request:
        """The request of a command. Raises UsageError if a dated asset is selected without a range, or if ``from_raw``
        is given and no selected asset keeps answers."""
        if from_raw and not any(self.catalog[key].hours for key in keys):
            kept = ", ".join(asset.key for asset in self.project.fetched if asset.hours) or "there is none"
            raise UsageError("nothing that is selected is folded from kept answers", f"Select one that is: {kept}.")
        self.check_locations(locations)
        in_range(self.catalog, keys, days)
        dated = [key for key in keys if self.catalog[key].partitions is not None]
        if days is None and dated:
            raise UsageError(
                f"{dated[0]} has partitions: say which", f"Add --partitions, for instance --partitions {self.a_week}."
            )
        partitions = self.partitions(days, locations) if days is not None else PartitionSet.empty()
        return making(frozenset(keys), partitions, force=force, from_raw=from_raw)

    def repair(
        self, keys: Sequence[str], days: str | None, locations: Sequence[str] = (), *, refetch: bool = False
    ) -> Repair | Refetch:
        """The request that repairs the unrecorded partitions of ``keys``, in a range or (None) everywhere.

        refetch: instead, fetch partitions that answer another question than today's.
        """
        keys = in_range(self.catalog, keys, days)
        tables = self.states(keys)
        partitions = self.repaired(keys, tables, days, locations, everything=refetch)
        if refetch:
            return Refetch(frozenset(keys), partitions)
        return Repair(frozenset(keys), partitions, kept=self._kept(keys, partitions, tables))

    def repaired(
        self,
        keys: Sequence[str],
        tables: Mapping[str, TableState],
        days: str | None,
        locations: Sequence[str],
        *,
        everything: bool,
    ) -> PartitionSet:
        """The partitions that a repair is about. Without a range: the unrecorded ones, or with ``everything`` all
        existing ones."""
        there = {key: tables[key] for key in keys if key in tables}
        self.check_locations(locations, PartitionSet.union_of(one.present for one in there.values()).locations)
        if days is not None:
            return PartitionSet.of(self.days(days), locations) if locations else self.partitions(days)
        found = PartitionSet.union_of(one.present if everything else one.unrecorded for one in there.values())
        return found.restrict(locations=locations) if locations else found

    def _kept(
        self, keys: Sequence[str], partitions: PartitionSet, tables: Mapping[str, TableState]
    ) -> dict[str, PartitionSet]:
        """Fetched asset → those of the unrecorded ``partitions`` that can be folded from kept answers."""
        from orchestration.engine.refolding import lacking

        found = {}
        for asset in self.project.fetched:
            own = tables.get(asset.key)
            if asset.key in keys and asset.hours is not None and own is not None and own.unrecorded & partitions:
                wanted = own.unrecorded & own.records.partitions & partitions
                gone = (of for of, _ in lacking(self.raw, asset, wanted, own))
                found[asset.key] = wanted - PartitionSet.union_of(gone)
        return found

    def to_wipe(self, keys: Sequence[str], days: str | None, locations: Sequence[str] = ()) -> Selected:
        """The request of `aqi wipe`. Named locations without a range: all their days, configured or not, also those of
        which the last attempt failed."""
        from orchestration.engine.wipe import failed_at

        keys = in_range(self.catalog, keys, days)
        if not locations:
            return self.requested(keys, days)
        tables = self.states(keys)
        present = PartitionSet.union_of(tables[key].present for key in keys if key in tables).without_null()
        present |= failed_at(self, keys)
        self.check_locations(locations, present.locations)
        there = present.restrict(locations=locations)
        if days is not None:
            there = there.restrict(days=self.days(days)) | self.partitions(days).restrict(locations=locations)
        dated = [key for key in keys if self.catalog[key].partitions is not None]
        return Selected(frozenset(dated), there)

    def changed(self, keys: Sequence[str]) -> ApplyChanges:
        """The request for all existing partitions that a change of code, contracts or configuration concerns."""
        tables = self.states(keys)
        there = PartitionSet.union_of(tables[key].present for key in keys if key in tables)
        there = there.restrict(locations=[location.key for location in self.settings.locations])
        return ApplyChanges(frozenset(keys), there)

    def hourly(self, keys: Sequence[str], locations: Sequence[str] = ()) -> Hourly:
        """The request of an hourly run of ``keys``."""
        self.check_locations(locations)
        tables = self.counted_states(keys)
        window = hourly_window(
            [self.catalog[key] for key in keys],
            locations or [location.key for location in self.settings.locations],
            tables,
            self.current(),
            revisable_days=self.settings.hourly.revisable_days,
            catch_up_days=self.settings.hourly.catch_up_days,
            moments=self.moments.read,
            wanted={key: of.wanted for key, of in self.holes(keys, tables).items()},
        )
        fill = tuple(self.fill_commands(window.beyond, keys)) if window.beyond else ()
        return Hourly(frozenset(keys), window.partitions, compare=window.revisable, beyond=window.beyond, fill=fill)

    @property
    def wanted(self) -> Wanted:
        """Which history the settings want, and what the sources say about themselves."""
        return Wanted(
            self.settings.now(),
            self.settings.since,
            frozenset(location.key for location in self.settings.locations),
            {name: source.first_day for name, source in self.sources.items()},
            {name: source.values_from for name, source in self.sources.items()},
        )

    def holes(self, keys: Sequence[str], tables: Mapping[str, TableState] | None = None) -> dict[str, Holes]:
        """The holes of those of ``keys`` that have days, by key. tables: their states, if they were read already."""
        found = holes(self.catalog, self.states(keys) if tables is None else tables, self.wanted)
        return {key: found[key] for key in keys if key in found}

    def fill_commands(self, partitions: PartitionSet, keys: Sequence[str] = ()) -> list[str]:
        """The commands that make ``partitions`` of the assets ``keys`` (none: of all), and what these need."""
        dated = {asset.key for asset in self.catalog if asset.partitions is not None}
        needed = self.catalog.dag.upstream_of_any(keys)
        ends = [f"+{key}" if self.catalog[key].upstream else key for key in keys if key in dated - needed]
        named = () if not keys or dated <= {*keys, *needed} else ends
        return fill_commands(partitions, named, [location.key for location in self.settings.locations])

    def states(self, keys: Sequence[str]) -> dict[str, TableState]:
        """The states of the tables of ``keys`` and of everything directly upstream of them."""
        needed = set(keys) | {upstream for key in keys for upstream in self.catalog[key].upstream_keys}
        assets = [asset for asset in self.catalog if asset.key in needed]
        found = with_changes_of_others(self, self.warehouse.states(assets, self._known))
        self._known.update({key: with_more_damage(state, *self.compared.get(key, ())) for key, state in found.items()})
        return {asset.key: self._known[asset.key] for asset in assets if asset.key in self._known}

    def counted_states(self, keys: Sequence[str]) -> dict[str, TableState]:
        """``states``, with ``with_counts``."""
        return self.with_counts(self.states(keys))

    def with_counts(self, states: Mapping[str, TableState]) -> dict[str, TableState]:
        """The states, with counts of values added to records that have none.

        Only for reports: plans and steps compare records with those of the tables.
        """
        current, counted = self.current(), dict(states)
        for asset in self.project.fetched:
            if asset.key in states and asset.hours is not None:
                essential = current.essential_of(asset)
                counted[asset.key] = self._value_counts.counted(asset, states[asset.key], essential)
        return counted

    @cached_property
    def _value_counts(self) -> ValueCounts:
        return ValueCounts(self.warehouse)

    @cached_property
    def compared(self) -> dict[str, tuple[tuple[LostFile, ...], PartitionSet, Trouble | None]]:
        """Asset → what a comparison of rows with records has found: lost files, partitions that differ, trouble."""
        return {}

    @cached_property
    def _known(self) -> dict[str, TableState]:
        """The states that were read already. Later commits are read on top of them."""
        return {}

    def forget(self, key: str) -> None:
        """Forget the state of a table: another table has replaced it."""
        self._known.pop(key, None)

    def plan(self, request: Request, current: Current | None = None) -> tuple[Plan, dict[str, TableState]]:
        """The plan for ``request`` over the present warehouse, and the states from which it was made.

        current: None for the present one, without asking sources.
        """
        states = self.states(tuple(request.assets))
        changes, blocked = table_changes(self, request.assets, states, tell=isinstance(request, ApplyChanges))
        plan = make_plan(
            self.catalog,
            request,
            states,
            current or self.current(),
            self.flags_of,
            changes=changes,
            blocked=blocked,
        )
        return plan, states

    def flags_of(self, window: RunWindow, state: TableState) -> FlaggedHours:
        """The flagged hours behind ``window`` in its upstream table as ``state`` has it."""
        return flags_of_tables(self.warehouse, self.assets, self.parameters, window, state)
