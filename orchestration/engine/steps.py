"""Runs the steps of a plan on Spark: ``core.runs.step`` says in which order, this does it.

Knows nothing of Prefect: ``executor`` calls ``StepRunner.run`` from its tasks, several at once.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestration.core.calendar import iso
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.contract import Contract
from orchestration.core.declarations.parameters import Parameters
from orchestration.core.errors import CheckFailed, LakehouseError, in_a_line
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import FlaggedHours, RunWindow
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.runs.decisions import Fetched, Made, PartitionFacts, Proposal
from orchestration.core.runs.outcome import StepOutcome
from orchestration.core.runs.step import Steps
from orchestration.core.runs.step_world import Reading
from orchestration.core.source import Source
from orchestration.core.state.freshness import Current
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes.differences import first_difference
from orchestration.engine.changes.history import WarehouseHistory
from orchestration.engine.fetching import Fetching, stored_columns
from orchestration.engine.fingerprints import aggregate, contents
from orchestration.engine.flagged_hours import flags_of_tables
from orchestration.engine.frames import Frames, conform
from resources.delta.warehouse import Warehouse, condition, is_conflict
from resources.machine import crash_points
from resources.machine.package import package_version

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class RunContext:
    """What all steps of a run share.

    spark: gives the session, waits until it is ready. tables: the states on which the plan was made; current: the code,
    contracts and moment of the run. history: of the warehouse. arguments: what an asset's function gets by keyword.
    sources: by name.
    """

    run_id: str
    plan: Plan
    catalog: Catalog
    contracts: Mapping[str, Contract]
    parameters: Parameters
    warehouse: Warehouse
    tables: Mapping[str, TableState]
    current: Current
    spark: Callable[[], SparkSession]
    history: WarehouseHistory
    arguments: Callable[[Asset], dict[str, Any]]
    sources: Mapping[str, Source[Any]]


class StepRunner:
    """Runs the steps of a plan, each once, after its upstream steps; safe to call from several threads.

    outcomes: by step id.
    """

    def __init__(self, context: RunContext, source: Fetching | None) -> None:
        self._catalog = context.catalog
        self._world = SparkWorld(context, source)
        self._steps = Steps(
            self._world,
            context.plan,
            context.catalog,
            context.tables,
            context.current,
            context.history,
            context.run_id,
            package_version(),
        )
        self.outcomes: dict[str, StepOutcome] = self._steps.outcomes

    def run(self, step: Step) -> StepOutcome:
        """Run a step. Failures are contained: they end up in the outcome, with the partitions concerned."""
        started = time.perf_counter()
        outcome = replace(self._steps.run(step), seconds=time.perf_counter() - started)
        self.outcomes[step.id] = outcome
        return outcome

    @property
    def tables(self) -> Mapping[str, TableState]:
        """The states of the tables, as far as this run knows them: with its own commits."""
        return self._steps.tables

    def needs_source(self, step: Step) -> bool:
        """Whether something is fetched for the step."""
        return self._catalog[step.asset].source is not None and bool(step.fetched)

    def transform(self, step: Step, asset: Asset, targets: PartitionSet, tables: Mapping[str, TableState]) -> DataFrame:
        """The frame of ``targets``, in the contract's columns and types, not evaluated yet."""
        inputs = self._steps.readings(asset, targets, tables)
        return self._world.transform(step, asset, targets, inputs, tables.get(asset.key, TableState()))

    def facts(
        self, asset: Asset, frame: DataFrame, tables: Mapping[str, TableState]
    ) -> dict[PartitionKey, PartitionFacts]:
        """The facts of every partition that ``frame``, in the contract's columns, has rows of."""
        return self._world.facts(asset, frame, tables.get(asset.key, TableState()))


class SparkWorld:
    """See ``core.runs.step_world.StepWorld``, which this is for a warehouse, a session and a source.

    Every frame that it makes is evaluated once, and kept by Spark until it is let go of.
    """

    def __init__(self, context: RunContext, source: Fetching | None) -> None:
        self._context = context
        self._source = source
        self._assets = {asset.key: asset for asset in context.catalog}
        self._frames = Frames(context.warehouse, self._assets, context.contracts, context.spark)
        self._committing: dict[str, threading.Lock] = {key: threading.Lock() for key in self._assets}
        self._flags: dict[tuple[RunWindow, int | None], FlaggedHours] = {}
        self.alone: bool = context.warehouse.is_local

    # Tables -----------------------------------------------------------------------------------------------------

    def state(self, asset: Asset, known: TableState) -> TableState:
        return self._context.warehouse.state(asset, None if known.version is None else known)

    def flagged(self, window: RunWindow, state: TableState) -> FlaggedHours:
        context, at = self._context, (window, state.version)
        if at not in self._flags:
            self._flags[at] = flags_of_tables(context.warehouse, self._assets, context.parameters, window, state)
        return self._flags[at]

    def committing(self, asset: Asset) -> contextlib.AbstractContextManager[Any]:
        return self._committing[asset.key]

    def create(self, asset: Asset) -> None:
        self._context.warehouse.create(self._context.spark(), asset, self._context.contracts[asset.key])

    def commit(self, asset: Asset, proposal: Proposal[DataFrame]) -> None:
        warehouse, made, said, before = self._context.warehouse, proposal.made, proposal.said, proposal.before
        replaced = proposal.change.replaced
        try:
            if not replaced:
                warehouse.record(asset, said, before)
            else:
                whole = made.held <= replaced
                part = made.frame if whole else made.frame.where(condition(asset.partition_columns, replaced))
                warehouse.replace(part, asset, replaced, proposal.change.rows, said, before)
        except Exception as error:
            if not is_conflict(error):
                raise

    # Rows -------------------------------------------------------------------------------------------------------

    def fetched(self, step: Step) -> Fetched:
        if self._source is None:
            return Fetched()
        errors = tuple((task.partitions, error) for task, error in self._source.errors(step.id).items())
        return Fetched(self._source.fetched(step.id), self._source.sourced(step.id), errors)

    def make(
        self, step: Step, asset: Asset, targets: PartitionSet, inputs: tuple[Reading[DataFrame], ...], own: TableState
    ) -> Made[DataFrame]:
        self._name_thread(step)
        frame = self.transform(step, asset, targets, inputs, own).persist()
        try:
            return Made(frame, self.facts(asset, frame, own))
        except BaseException:
            self.let_go(frame)
            raise

    def transform(
        self, step: Step, asset: Asset, targets: PartitionSet, inputs: tuple[Reading[DataFrame], ...], own: TableState
    ) -> DataFrame:
        """The frame of ``targets``, in the contract's columns and types, not evaluated yet."""
        if asset.source is not None:
            frames = [self._sources_rows(step, asset, targets, own)]
        else:
            frames = [self._frames.read(reading) for reading in inputs]
        frame = asset.function(*frames, **self._context.arguments(asset))
        if frame is None:
            raise CheckFailed(f"{asset.key}: the function returned no DataFrame", "Return the rows of the table.")
        frame = conform(frame, asset, self._context.contracts[asset.key])
        if any(mapping.window is not None for mapping in asset.upstream):
            frame = frame.where(condition(asset.partition_columns, targets))
        return frame

    def facts(self, asset: Asset, frame: DataFrame, own: TableState) -> dict[PartitionKey, PartitionFacts]:
        """The facts of every partition that ``frame``, in the contract's columns, has rows of."""
        context = self._context
        earlier = context.history.earlier(asset.key, own)
        return aggregate(frame, asset, context.contracts[asset.key], context.parameters, earlier)

    def stored(self, step: Step, asset: Asset, partitions: PartitionSet, own: TableState) -> Made[DataFrame]:
        self._name_thread(step)
        frame = self._frames.stored(asset, partitions, own)
        return Made(frame, self.facts(asset, frame, own))

    def altered(
        self, asset: Asset, made: Made[DataFrame], partitions: PartitionSet, own: TableState
    ) -> tuple[PartitionSet, str]:
        columns = [name for name in self._source_columns(asset) if not name.startswith("_")]
        table = self._frames.table(asset, own)
        within = condition(asset.partition_columns, partitions)
        then, now = (contents(rows.where(within), asset, columns) for rows in (table, made.frame))
        bad = PartitionSet.from_keys(key for key in partitions if then.get(key) != now.get(key))
        if not bad:
            return bad, ""
        where = condition(asset.partition_columns, PartitionSet.from_keys([next(iter(bad))]))
        key = self._context.contracts[asset.key].key
        return bad, first_difference(table.where(where), made.frame.where(where), key, columns)

    def let_go(self, frame: DataFrame) -> None:
        with contextlib.suppress(Exception):  # a JVM that is gone has forgotten it
            frame.unpersist()

    def forget(self, step: Step) -> None:
        if self._source is not None:
            self._source.forget(step.id)

    def _sources_rows(self, step: Step, asset: Asset, targets: PartitionSet, own: TableState) -> DataFrame:
        """What the function of a fetched asset is given: rows that were fetched, and rows as they are stored."""
        stored, columns = targets & step.stored, self._source_columns(asset)
        frames = [self._frames.as_fetched(asset, stored, own, columns)] if stored else []
        if targets - stored:
            frames.append(self._fetched_rows(step, targets - stored))
        return frames[0] if len(frames) == 1 else frames[0].unionByName(frames[1])

    def _fetched_rows(self, step: Step, targets: PartitionSet) -> DataFrame:
        """What was fetched of ``targets``. Filtered here and not by Spark, which would compile code for every chunk."""
        assert self._source is not None
        table = self._source.table(step.id, targets)
        assert table is not None, "targets were fetched"
        return self._context.spark().createDataFrame(table)

    def _source_columns(self, asset: Asset) -> list[str]:
        """The columns of what the function of a fetched asset is given."""
        assert asset.source is not None
        return [name for name, _ in stored_columns(self._context.sources[asset.source])]

    # Beside -----------------------------------------------------------------------------------------------------

    def at(self) -> str:
        return iso(datetime.now(UTC))

    def explain(self, error: Exception) -> str:
        return explain(error)

    def reached(self, point: str) -> None:
        crash_points.reach(point)

    def _name_thread(self, step: Step) -> None:
        """Give this thread's Spark jobs a name, and a fair share beside those of other steps."""
        context = self._context.spark().sparkContext
        context.setLocalProperty("spark.scheduler.pool", step.id)
        context.setJobDescription(step.id)


def explain(error: BaseException) -> str:
    """What went wrong and what to do about it, in a line; of Spark also that its JVM is gone."""
    if isinstance(error, LakehouseError):
        return f"{in_a_line(error)} {error.remedy}".strip()
    if isinstance(error, ConnectionError) or type(error).__name__ == "Py4JNetworkError":
        return "Spark's driver JVM ended in mid-run: it was killed, or ran out of memory. Call the same command again."
    return in_a_line(error)
