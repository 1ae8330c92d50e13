"""Runs the steps of a plan on an engine. ``core.runs.step`` decides the order of a step; this module carries it out.

Knows nothing of Prefect: ``executor`` calls ``StepRunner.run`` from Prefect's tasks, several at once.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestration.core.calendar import iso
from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import CheckFailed, LakehouseError, in_a_line, with_remedy
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import FlaggedHours, RunWindow
from orchestration.core.planning.plan import Manner, Step
from orchestration.core.runs.batches import in_batches
from orchestration.core.runs.decisions import Fetched, Made, PartitionFacts, Proposal, Sourced
from orchestration.core.runs.fold import Folded
from orchestration.core.runs.outcome import StepOutcome
from orchestration.core.runs.profile import Phase
from orchestration.core.runs.step import Steps
from orchestration.core.runs.step_parts import asked_in
from orchestration.core.runs.step_parts import code_part as code_part_of
from orchestration.core.runs.step_world import Reading, Readings
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes.differences import first_difference
from orchestration.engine.engines.engine import KeptRows
from orchestration.engine.fetching import Fetching, stored_columns
from orchestration.engine.fingerprints import aggregate, contents
from orchestration.engine.flagged_hours import flags_of_tables
from orchestration.engine.folding import Rows
from orchestration.engine.frames import Frames, StoredRows, conform
from orchestration.engine.lineage.of_steps import ColumnsOfStep, is_as_declared
from orchestration.engine.run_context import RunContext
from orchestration.engine.unknown_columns import naming_unknown_columns
from resources.delta.warehouse import condition, is_conflict
from resources.machine import failpoints
from resources.machine.memory import give_back
from resources.machine.package import package_version
from resources.machine.secrets import hidden

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROWS_A_PARTITION = 24
"""An engine is set up for this many rows for each dated partition: hourly rows."""


class StepRunner:
    """Runs the steps of a plan, each once, after its upstream steps; safe to call from several threads.

    outcomes: by step id.
    """

    def __init__(self, context: RunContext, source: Fetching | None) -> None:
        self._catalog = context.catalog
        self._spans = context.spans
        self._world = EngineWorld(context, source)
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
        with self._spans.span(Phase.STEP, step.id):
            self._world.asked.pop(step.id, None)
            outcome = replace(self._steps.run(step), seconds=time.perf_counter() - started)
            with self._spans.span(Phase.END):
                self._world.keep_moments(step, outcome)
                self.outcomes[step.id] = outcome
                give_back()
        return outcome

    @property
    def tables(self) -> Mapping[str, TableState]:
        """The states of the tables, as far as this run knows them: with its own commits."""
        return self._steps.tables

    def needs_source(self, step: Step) -> bool:
        """Whether something is fetched for the step."""
        return self._catalog[step.asset].source is not None and bool(step.fetched)

    def make(self, step: Step, asset: Asset, targets: PartitionSet, tables: Mapping[str, TableState]) -> Made[KeptRows]:
        """The rows of ``targets`` as ``tables`` have what they are made of, and their facts; nothing is committed."""
        own = tables.get(asset.key, TableState())
        return self._world.make(step, asset, targets, lambda part: self._steps.readings(asset, part, tables), own)

    def transform(self, step: Step, asset: Asset, targets: PartitionSet, tables: Mapping[str, TableState]) -> DataFrame:
        """The frame of ``targets``, in the contract's columns and types, not evaluated yet."""
        inputs = self._steps.readings(asset, targets, tables)
        return self._world.transform(step, asset, targets, inputs, tables.get(asset.key, TableState()))

    def facts(
        self, asset: Asset, frame: DataFrame, tables: Mapping[str, TableState]
    ) -> dict[PartitionKey, PartitionFacts]:
        """The facts of every partition that ``frame``, in the contract's columns, has rows of."""
        return self._world.facts(asset, frame, tables.get(asset.key, TableState()))


class EngineWorld:
    """A ``StepWorld`` (``core.runs.step_world``) with a warehouse, an engine and sources.

    Every frame is evaluated once. The engine keeps its rows until they are let go.
    """

    def __init__(self, context: RunContext, source: Fetching | None) -> None:
        self._context = context
        self._spans = context.spans
        self._source = source
        self._assets = {asset.key: asset for asset in context.catalog}
        self._frames = Frames(self._assets, context.contracts, context.engine)
        self._committing: dict[str, threading.Lock] = {key: threading.Lock() for key in self._assets}
        self._flags: dict[tuple[RunWindow, int | None], FlaggedHours] = {}
        self.asked: dict[str, Mapping[PartitionKey, str]] = {}
        self.alone: bool = context.warehouse.is_local

    # Tables -----------------------------------------------------------------------------------------------------

    def state(self, asset: Asset, known: TableState) -> TableState:
        with self._spans.span(Phase.COMMIT):
            return self._context.warehouse.state(asset, None if known.version is None else known)

    def state_at(self, asset: Asset, version: int) -> TableState:
        with self._spans.span(Phase.COMMIT):
            return self._context.warehouse.state_at(asset, version)

    def flagged(self, window: RunWindow, state: TableState) -> FlaggedHours:
        context, at = self._context, (window, state.version)
        if at not in self._flags:
            with self._spans.span(Phase.READ):
                self._flags[at] = flags_of_tables(context.warehouse, self._assets, context.parameters, window, state)
        return self._flags[at]

    def committing(self, asset: Asset) -> contextlib.AbstractContextManager[Any]:
        return self._spans.around(Phase.WAIT, self._committing[asset.key])

    def create(self, asset: Asset) -> None:
        with self._spans.span(Phase.COMMIT):
            self._context.engine().create(asset, self._context.contracts[asset.key])

    def commit(self, asset: Asset, proposal: Proposal[KeptRows]) -> None:
        warehouse, made, said, before = self._context.warehouse, proposal.made, proposal.said, proposal.before
        replaced = proposal.change.replaced
        try:
            with self._spans.span(Phase.COMMIT):
                if not replaced:
                    warehouse.record(asset, said, before)
                else:
                    engine, only = self._context.engine(), None if made.held <= replaced else replaced
                    engine.replace(made.frame, only, asset, replaced, proposal.change.rows, said, before)
        except Exception as error:
            if not is_conflict(error):
                raise

    # Rows -------------------------------------------------------------------------------------------------------

    def fetched(self, step: Step) -> Fetched:
        asset, own = self._assets[step.asset], self._context.tables.get(step.asset, TableState())
        folding = self._context.folding
        lacking = folding.lacking(asset, step.raw, own, repair=step.manner is Manner.COMPARED) if step.raw else ()
        kept = step.raw - PartitionSet.union_of(partitions for partitions, _ in lacking)
        if self._source is None:
            return Fetched(kept, {}, lacking)
        errors = tuple((task.partitions, error) for task, error in self._source.errors(step.id).items())
        sourced = self._source.sourced(step.id)
        self.asked[step.id] = {key: one.asked for key, one in sourced.items()}
        return Fetched(self._source.fetched(step.id) | kept, sourced, (*errors, *lacking))

    def keep_moments(self, step: Step, outcome: StepOutcome) -> None:
        """Record when the source was asked in vain, since no commit says so."""
        asked = {key: at for key, at in self.asked.pop(step.id, {}).items() if key in outcome.unchanged}
        if asked:
            with contextlib.suppress(OSError):  # losing it costs a question, never a state
                self._context.moments.keep(step.asset, self._context.run_id, asked)

    def make(
        self,
        step: Step,
        asset: Asset,
        targets: PartitionSet,
        readings: Readings[KeptRows],
        own: TableState,
        code_part: str = "",
    ) -> Made[KeptRows]:
        engine = self._context.engine()
        with engine.working(step.id):
            whole_locations = any(mapping.window is not None for mapping in asset.upstream)
            kept: list[tuple[PartitionSet, KeptRows]] = []
            facts: dict[PartitionKey, PartitionFacts] = {}
            folded: dict[PartitionKey, Folded] = {}
            frozen: dict[PartitionKey, int] = {}
            frozen_over: dict[PartitionKey, int] = {}
            code_part = code_part or self._to_judge(asset, targets, own)
            columns = self._columns_of(asset) if code_part else None
            try:
                for part in self._batches(targets, whole_locations=whole_locations):
                    with self._spans.span(Phase.READ):
                        hours = self._folded(step, asset, part, own)
                    with self._spans.span(Phase.COMPUTE):
                        rows = engine.evaluate(self.transform(step, asset, part, readings(part), own, hours, columns))
                    kept.append((part, rows))
                    with self._spans.span(Phase.AGGREGATE):
                        facts |= self._distinct(asset, targets - part, self.facts(asset, rows.frame(), own))
                    if hours is not None:
                        folded |= hours.folded
                        frozen |= hours.frozen
                        frozen_over |= hours.frozen_over
                made = Made(engine.together(kept), facts, folded, frozen, frozen_over)
                return made if columns is None else self._with_columns(made, code_part, columns)
            except BaseException:
                for _, rows in kept:
                    rows.let_go()
                raise

    def _to_judge(self, asset: Asset, targets: PartitionSet, own: TableState) -> str:
        """The code part, if the recorded column lineage differs from the declared one: then the plan is read once
        more.
        """
        if not own.columns_of or not self._context.current.is_configured(next(iter(targets)).location):
            return ""
        part = code_part_of(self._context.current, asset, targets)
        text = own.columns_of.get(part)
        return "" if text is None or is_as_declared(asset, self._context.contracts, text) else part

    def _columns_of(self, asset: Asset) -> ColumnsOfStep:
        source = None if asset.source is None else self._context.sources[asset.source]
        return ColumnsOfStep(asset, self._context.contracts, source, self._context.engine().name)

    def _with_columns(self, made: Made[KeptRows], code_part: str, columns: ColumnsOfStep) -> Made[KeptRows]:
        with self._spans.span(Phase.CHECK):
            recorded = columns.result()
        notes = (recorded.note,) if recorded.note else ()
        return replace(
            made, columns_of={code_part: recorded.lineage.text}, differences=recorded.differences, notes=notes
        )

    def _batches(self, partitions: PartitionSet, *, whole_locations: bool = False) -> list[PartitionSet]:
        """The partitions in batches for which the engine has enough memory."""
        at_once = max(1, self._context.engine().rows_at_once // ROWS_A_PARTITION)
        return in_batches(partitions, at_once, whole_locations=whole_locations)

    def _distinct(
        self, asset: Asset, others: PartitionSet, more: dict[PartitionKey, PartitionFacts]
    ) -> dict[PartitionKey, PartitionFacts]:
        """``more``, the facts of a batch. Raises CheckFailed if the batch made rows of partitions of ``others``."""
        if others and (stray := [key for key in more if key in others]):
            raise CheckFailed(
                f"{asset.key}: the transformation made rows of partitions that it was not asked for: {min(stray)}",
                "Every row must lie in the partition of the upstream rows that it is made from.",
            )
        return more

    def transform(
        self,
        step: Step,
        asset: Asset,
        targets: PartitionSet,
        inputs: tuple[Reading[KeptRows], ...],
        own: TableState,
        hours: Rows | None = None,
        columns: ColumnsOfStep | None = None,
    ) -> DataFrame:
        """The unevaluated frame of ``targets``, in the columns and types of the contract.

        hours: for a fetched asset that keeps hours, its rows after the fold. columns: gets the frame, to read its plan.
        """
        frames: Sequence[DataFrame]
        with self._spans.span(Phase.READ):
            if asset.source is not None:
                frames = [self._sources_rows(step, asset, targets, own, hours)]
            else:
                frames = [self._frames.read(reading) for reading in inputs]
            if columns is not None:
                frames = columns.marked(frames)
        with naming_unknown_columns(asset, self._context):
            frame = self._context.engine().call(asset, frames, self._context.arguments(asset))
            if frame is None:
                raise CheckFailed(f"{asset.key}: the function returned no DataFrame", "Return the rows of the table.")
            frame = conform(frame, asset, self._context.contracts[asset.key])
        if columns is not None:
            columns.read(frame, None if asset.source is not None else [reading.of for reading in inputs])
        if any(mapping.window is not None for mapping in asset.upstream):
            frame = frame.where(condition(asset.partition_columns, targets))
        return frame

    def facts(self, asset: Asset, frame: DataFrame, own: TableState) -> dict[PartitionKey, PartitionFacts]:
        """The facts of every partition that ``frame``, in the contract's columns, has rows of."""
        context = self._context
        earlier = context.history.earlier(asset.key, own)
        return aggregate(frame, asset, context.contracts[asset.key], context.parameters, earlier)

    def stored(self, step: Step, asset: Asset, partitions: PartitionSet, own: TableState) -> Made[KeptRows]:
        engine = self._context.engine()
        with engine.working(step.id), self._spans.span(Phase.AGGREGATE):
            facts: dict[PartitionKey, PartitionFacts] = {}
            for part in self._batches(partitions):
                facts |= self.facts(asset, self._frames.stored(asset, part, own), own)
            return Made(StoredRows(self._frames.stored(asset, partitions, own)), facts)

    def checking(self) -> contextlib.AbstractContextManager[None]:
        return self._spans.span(Phase.CHECK)

    def altered(
        self, asset: Asset, made: Made[KeptRows], partitions: PartitionSet, own: TableState
    ) -> tuple[PartitionSet, str]:
        columns = [name for name in self._source_columns(asset) if not name.startswith("_")]
        with self._context.engine().working(asset.key):
            then, now = dict[PartitionKey, tuple[int, int]](), dict[PartitionKey, tuple[int, int]]()
            for part in self._batches(partitions):
                then |= contents(self._frames.stored(asset, part, own), asset, columns)
                rows = made.frame.frame(part).where(condition(asset.partition_columns, part))
                now |= contents(rows, asset, columns)
            bad = PartitionSet.from_keys(key for key in partitions if then.get(key) != now.get(key))
            if not bad:
                return bad, ""
            first = PartitionSet.from_keys([next(iter(bad))])
            stored = self._frames.stored(asset, first, own)
            made_anew = made.frame.frame(first).where(condition(asset.partition_columns, first))
            return bad, first_difference(stored, made_anew, self._context.contracts[asset.key].key, columns)

    def let_go(self, frame: KeptRows) -> None:
        frame.let_go()

    def forget(self, step: Step) -> None:
        if self._source is not None:
            self._source.forget(step.id)

    def _folded(self, step: Step, asset: Asset, targets: PartitionSet, own: TableState) -> Rows | None:
        """For a fetched asset that keeps hours: the fetched rows of ``targets``, folded into the stored ones."""
        rest = targets - step.stored
        if asset.hours is None or not rest:
            return None
        context, history = self._context, self._context.history
        fetched, sourced = rest - step.raw, dict[PartitionKey, Sourced]()
        if fetched:
            assert self._source is not None, "targets were fetched"
            asked = {key: one for key, one in self._source.sourced(step.id).items() if key in fetched}
            sourced = asked_in(step, asset, asked, history)
        table = self._source.table(step.id, fetched) if fetched and self._source is not None else None
        return context.folding.fold(asset, rest, own, table, sourced, rest & step.raw, self._source_columns(asset))

    def _sources_rows(
        self, step: Step, asset: Asset, targets: PartitionSet, own: TableState, hours: Rows | None
    ) -> DataFrame:
        """The rows that the function of a fetched asset is given: fetched ones and stored ones."""
        stored, columns = targets & step.stored, self._source_columns(asset)
        frames = [self._frames.as_fetched(asset, stored, own, columns)] if stored else []
        if hours is not None:
            frames.append(self._context.engine().rows(hours.table))
        elif targets - stored:
            frames.append(self._fetched_rows(step, targets - stored))
        return frames[0] if len(frames) == 1 else frames[0].unionByName(frames[1])

    def _fetched_rows(self, step: Step, targets: PartitionSet) -> DataFrame:
        """The fetched rows of ``targets``. They are filtered here, as Spark would compile code for every chunk."""
        assert self._source is not None
        table = self._source.table(step.id, targets)
        assert table is not None, "targets were fetched"
        return self._context.engine().rows(table)

    def _source_columns(self, asset: Asset) -> list[str]:
        """The columns of the rows that the function of a fetched asset is given."""
        assert asset.source is not None
        return [name for name, _ in stored_columns(self._context.sources[asset.source])]

    # Beside -----------------------------------------------------------------------------------------------------

    def at(self) -> str:
        return iso(datetime.now(UTC))

    def explain(self, error: Exception) -> str:
        return explain(error)

    def reached(self, point: str) -> None:
        failpoints.reach(point)


def explain(error: BaseException) -> str:
    """What went wrong and what to do about it, in one line without secrets. For Spark also that its JVM is gone."""
    if isinstance(error, LakehouseError):
        return hidden(with_remedy(in_a_line(error), error.remedy))
    if isinstance(error, ConnectionError) or type(error).__name__ == "Py4JNetworkError":
        return "Spark's driver JVM ended in mid-run: it was killed, or ran out of memory. Ask for the same days again."
    return hidden(in_a_line(error))
