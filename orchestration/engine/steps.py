"""Runs one step of a plan on Spark: read, transform, evaluate once, aggregate once, check, commit once.

What it decides, ``core.runs.decisions`` decides. Knows nothing of Prefect: ``executor`` calls
``StepRunner.run`` from its tasks, several at once.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.contract import Contract
from orchestration.core.declarations.parameters import Parameters
from orchestration.core.errors import AqiError, CheckFailed, WarehouseError
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import FlaggedHours, PartitionMapping, RunWindow, nothing_flagged
from orchestration.core.planning.planner import Plan, Step
from orchestration.core.runs.decisions import (
    Change,
    PartitionFacts,
    Sourced,
    adoptable,
    change_of,
    judged,
    not_outdone,
    provenance_of,
    records_of,
    skipped,
    to_make,
)
from orchestration.core.runs.outcome import Outcome, Problem, StepOutcome, union
from orchestration.core.state.freshness import Current
from orchestration.core.state.provenance import PartitionRecord, Provenance, TableState
from orchestration.engine.changes.differences import first_difference
from orchestration.engine.changes.history import WarehouseHistory
from orchestration.engine.fetching import SOURCE_COLUMNS, OpenMeteoSource
from orchestration.engine.fingerprints import NOT_NULL, UNIQUE, aggregate, contents
from orchestration.engine.flagged_hours import flags_of_tables
from resources.delta.warehouse import Warehouse, condition, is_conflict
from resources.machine import crash_points
from resources.machine.clock import iso
from resources.machine.package import package_version

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

COMMIT_ATTEMPTS = 5
CHUNKS_IN_MEMORY = 16
"""So many chunks of an asset are read from memory; more are read from the table, with less planning."""

STANDARD_CHECKS = {
    NOT_NULL: "A column that must not be null is null.",
    UNIQUE: "Two rows have the same key.",
}
"""Blocking checks of every table, with what they say."""


@dataclass(frozen=True)
class RunContext:
    """What all steps of a run share.

    spark: gives the session, waits until it is ready. tables: the states on which the plan was made; current: the code,
    contracts and moment of the run. history: of the warehouse. arguments: what an asset's function gets by keyword.
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


@dataclass(frozen=True)
class _Output:
    """The evaluated frame of a step.

    written: the partitions whose rows in ``frame`` are the table's rows. held: all partitions that it has rows of,
    also those that failed a check, or are left in the table as they were.
    """

    frame: DataFrame
    written: PartitionSet
    held: PartitionSet


class StepRunner:
    """Runs the steps of a plan, each once, after its upstream steps; safe to call from several threads."""

    def __init__(self, context: RunContext, source: OpenMeteoSource | None) -> None:
        self._context = context
        self._source = source
        self._assets = {asset.key: asset for asset in context.catalog}
        self._tables: dict[str, TableState] = dict(context.tables)
        self._outputs: dict[str, list[_Output]] = {}
        self._committing: dict[str, threading.Lock] = {asset.key: threading.Lock() for asset in context.catalog}
        self._flags: dict[tuple[RunWindow, int | None], FlaggedHours] = {}
        self.outcomes: dict[str, StepOutcome] = {}

    def run(self, step: Step) -> StepOutcome:
        """Run a step. Failures are contained: they end up in the outcome, with the partitions concerned."""
        started = time.perf_counter()
        try:
            outcome = self._run(step)
        except Exception as error:  # whatever happens in a step is reported on that step  # noqa: BLE001
            problems = self._skipped(step)
            bad = union(problem.partitions for problem in problems)
            failed = Problem(Outcome.FAILED, step.all_partitions - bad, explain(error))
            outcome = StepOutcome(step, problems=(*problems, failed))
        outcome = replace(outcome, seconds=time.perf_counter() - started)
        self.outcomes[step.id] = outcome
        self._release(step)
        if step.chunk:
            crash_points.reach("between-chunks")
        return outcome

    @property
    def tables(self) -> Mapping[str, TableState]:
        """The states of the tables, as far as this run knows them: with its own commits."""
        return self._tables

    def needs_source(self, step: Step) -> bool:
        """Whether something is fetched for the step."""
        return self._assets[step.asset].source is not None and bool(step.fetched)

    def _run(self, step: Step) -> StepOutcome:
        asset, tables = self._assets[step.asset], dict(self._tables)  # another batch's steps may change them meanwhile
        problems = self._skipped(step)
        targets = step.all_partitions - union(problem.partitions for problem in problems)
        needed = to_make(step, asset, targets, tables, self._context.current)
        unchanged = targets - needed
        if needed and step.verify:
            adopted = self._adopt(step, asset, needed)
            unchanged |= adopted
            needed = needed - adopted
        stored = needed & step.stored
        if asset.source is not None:
            fetched = self._source.fetched(step.id) if self._source else PartitionSet.empty()
            problems += self._not_fetched(step, needed - stored - fetched)
            needed &= fetched | stored
        if not needed:
            version = self._state(asset.key).version
            return StepOutcome(step, unchanged=unchanged, problems=problems, version=version)
        self._name_thread(step)
        frame = self.transform(step, asset, needed, tables).persist()
        facts = self.facts(asset, frame, tables)
        stray = PartitionSet.from_keys(key for key in facts if key not in needed)
        if stray:
            raise CheckFailed(
                f"{asset.key}: the transformation made rows of partitions that it was not asked for: {stray}",
                "Every row must lie in the partition of the upstream rows that it is made from.",
            )
        broken = self._broken(asset, needed, facts)
        if stored:
            broken += self._not_kept(asset, frame, stored - union(problem.partitions for problem in broken), tables)
        problems += broken
        needed = needed - union(problem.partitions for problem in broken)
        sourced = self._sourced(step, asset, stored, tables) if asset.source is not None else {}
        records = records_of(
            asset, needed, facts, tables, self._context.current, lambda mapping: self._flagged(mapping, tables), sourced
        )
        written, rows = self._commit(asset, frame, records, facts)
        if self._is_kept(asset):
            self._outputs.setdefault(asset.key, []).append(_Output(frame, written, PartitionSet.from_keys(facts)))
        else:
            frame.unpersist()
        return StepOutcome(
            step,
            written=written,
            unchanged=unchanged | (needed - written),
            problems=problems,
            rows=rows,
            version=self._state(asset.key).version,
            warnings=self._warnings(asset, needed, facts),
        )

    def _adopt(self, step: Step, asset: Asset, partitions: PartitionSet) -> PartitionSet:
        """Record again those of unrecorded ``partitions`` whose rows are still what was recorded last."""
        context, state = self._context, self._state(asset.key)
        if state.version is None:
            return PartitionSet.empty()
        self._name_thread(step)
        rows = context.warehouse.read(context.spark(), asset.key, state.version)
        there = rows.where(condition(asset.partitions, partitions))
        records = adoptable(partitions, self.facts(asset, there, self._tables), state)
        if records:
            context.warehouse.record(asset, self._provenance(asset, records, state), state)
            self._tables[asset.key] = context.warehouse.state(asset, state)
        return PartitionSet.from_keys(records)

    def facts(
        self, asset: Asset, frame: DataFrame, tables: Mapping[str, TableState]
    ) -> dict[PartitionKey, PartitionFacts]:
        """The facts of every partition that ``frame``, in the contract's columns, has rows of."""
        context = self._context
        earlier = context.history.earlier(asset.key, tables.get(asset.key, TableState()))
        return aggregate(frame, asset, context.contracts[asset.key], context.parameters, earlier)

    def _sourced(
        self, step: Step, asset: Asset, stored: PartitionSet, tables: Mapping[str, TableState]
    ) -> dict[PartitionKey, Sourced]:
        """Where the rows of a fetched asset come from: answers of this run, or what was stored before it."""
        context, own = self._context, tables.get(asset.key, TableState())
        brought = self._source.sourced(step.id) if self._source else {}
        found = {
            key: replace(
                what,
                forced=step.force and key in step.partitions,
                question=context.history.question(asset, key.location),
            )
            for key, what in brought.items()
        }
        for key in stored:
            record = own.records[key]
            then = context.history.question_of(asset, key, record, own)
            found[key] = Sourced("", question=then, stored=record)
        return found

    def _provenance(
        self, asset: Asset, records: Mapping[PartitionKey, PartitionRecord], state: TableState
    ) -> Provenance:
        context = self._context
        history = context.history
        questions = {history.question(asset, key.location) for key in records} if asset.source is not None else set()
        return provenance_of(
            context.run_id,
            asset,
            iso(datetime.now(UTC)),
            records,
            state,
            history.shapes(asset.key, state),
            questions=[
                *history.questions_of(asset, [key for key in records if key in state.records], state),
                *(question for question in questions if question is not None),
            ],
            past=history.past(asset),
            by=package_version(),
        )

    def _is_kept(self, asset: Asset) -> bool:
        """Whether what is made of an asset stays in memory for its dependants; otherwise they read the table.

        It does where one step makes all of it, or not too many chunks do, which never make the same partition.
        """
        steps = len(self._context.plan.steps_of(asset.key))
        return steps == 1 or (asset.source is not None and steps <= CHUNKS_IN_MEMORY)

    def _name_thread(self, step: Step) -> None:
        """Give this thread's Spark jobs a name, and a fair share beside those of other steps."""
        context = self._context.spark().sparkContext
        context.setLocalProperty("spark.scheduler.pool", step.id)
        context.setJobDescription(step.id)

    # Inputs -----------------------------------------------------------------------------------------------------

    def _state(self, key: str) -> TableState:
        return self._tables.get(key, TableState())

    def _flagged(self, mapping: PartitionMapping, tables: Mapping[str, TableState]) -> FlaggedHours:
        """The flagged hours behind a mapping, in its upstream table as ``tables`` has it."""
        if not isinstance(mapping, RunWindow):
            return nothing_flagged
        state = tables.get(mapping.of, TableState())
        at = (mapping, state.version)
        if at not in self._flags:
            context = self._context
            self._flags[at] = flags_of_tables(context.warehouse, self._assets, context.parameters, mapping, state)
        return self._flags[at]

    def _skipped(self, step: Step) -> tuple[Problem, ...]:
        tables = dict(self._tables)
        return skipped(
            step,
            self._assets[step.asset],
            self._context.plan,
            dict(self.outcomes),
            lambda mapping: self._flagged(mapping, tables),
        )

    def _not_fetched(self, step: Step, targets: PartitionSet) -> tuple[Problem, ...]:
        problems: list[Problem] = []
        for task, error in (self._source.errors(step.id) if self._source else {}).items():
            if concerned := task.partitions & targets:
                problems.append(Problem(Outcome.FAILED, concerned, explain(error)))
                targets = targets - concerned
        if targets:
            problems.append(Problem(Outcome.FAILED, targets, f"{step.asset}: was not fetched; the run's log says more"))
        return tuple(problems)

    def transform(self, step: Step, asset: Asset, targets: PartitionSet, tables: Mapping[str, TableState]) -> DataFrame:
        """The frame of ``targets``, in the contract's columns and types."""
        if asset.source is not None:
            frames = [self._sources_rows(step, asset, targets, tables)]
        else:
            frames = [
                self._read(mapping, mapping.upstream_of(targets, self._flagged(mapping, tables)), tables)
                for mapping in asset.upstream
            ]
        frame = asset.function(*frames, **self._context.arguments(asset))
        if frame is None:
            raise CheckFailed(f"{asset.key}: the function returned no DataFrame", "Return the rows of the table.")
        frame = conform(frame, asset, self._context.contracts[asset.key])
        if any(isinstance(mapping, RunWindow) for mapping in asset.upstream):
            frame = frame.where(condition(asset.partitions, targets))
        return frame

    def _sources_rows(
        self, step: Step, asset: Asset, targets: PartitionSet, tables: Mapping[str, TableState]
    ) -> DataFrame:
        """What the function of a fetched asset is given: rows that were fetched, and rows as they are stored."""
        stored = targets & step.stored
        frames = [self._stored(asset, stored, tables)] if stored else []
        if targets - stored:
            frames.append(self._fetched(step, targets - stored))
        return frames[0] if len(frames) == 1 else frames[0].unionByName(frames[1])

    def _stored(self, asset: Asset, partitions: PartitionSet, tables: Mapping[str, TableState]) -> DataFrame:
        """The rows of a fetched asset's own table, in the columns that its source sends.

        Raises CheckFailed where the table has not all of these: what its function would make without them is not what
        was fetched.
        """
        state = tables.get(asset.key, TableState())
        assert state.version is not None, "there are stored rows"
        rows = self._context.warehouse.read(self._context.spark(), asset.key, state.version)
        rows = rows.where(condition(asset.partitions, partitions))
        lacking = [name for name, _ in SOURCE_COLUMNS if name not in rows.columns]
        if lacking:
            raise CheckFailed(
                f"{asset.key}: its table has no column {', '.join(lacking)}, so its stored rows cannot go through its "
                "function again",
                "Keep these columns in its contract by the names that the source has for them.",
            )
        return rows.select(*[name for name, _ in SOURCE_COLUMNS])

    def _fetched(self, step: Step, targets: PartitionSet) -> DataFrame:
        """What was fetched of ``targets``. Filtered here and not by Spark, which would compile code for every chunk."""
        assert self._source is not None
        table = self._source.table(step.id, targets)
        assert table is not None, "targets were fetched"
        return self._context.spark().createDataFrame(table)

    def _read(self, mapping: PartitionMapping, needed: PartitionSet, tables: Mapping[str, TableState]) -> DataFrame:
        """The rows of ``needed`` of an upstream table as ``tables`` has it: what this run wrote comes from memory."""
        key = mapping.of
        columns, state = self._assets[key].partitions, tables.get(key, TableState())
        from_table = needed & state.present
        spark = self._context.spark()
        frames = []
        for output in list(self._outputs.get(key, ())):
            from_memory = from_table & output.written
            if from_memory:
                whole = output.held <= from_memory
                frames.append(output.frame if whole else output.frame.where(condition(columns, from_memory)))
                from_table = from_table - from_memory
        if from_table or not frames:
            if state.version is None:
                raise WarehouseError(f"{key} has no table", f"Materialize it first: '+{key}'.")
            table = self._context.warehouse.read(spark, key, state.version).where(condition(columns, from_table))
            # By its contract: without columns that others added, with null in those that it does not have yet.
            frames.append(conform(table, self._assets[key], self._context.contracts[key], missing_is_null=True))
        if len(frames) == 1:
            return frames[0]
        union = reduce(lambda one, other: one.unionByName(other), frames)
        return union.coalesce(spark.sparkContext.defaultParallelism)

    # Checks -----------------------------------------------------------------------------------------------------

    def _broken(
        self, asset: Asset, targets: PartitionSet, facts: Mapping[PartitionKey, PartitionFacts]
    ) -> tuple[Problem, ...]:
        """The partitions that break a blocking check; they stay as they were."""
        problems = []
        blocking = STANDARD_CHECKS | {check.name: check.remedy for check in asset.checks if check.blocking}
        for name, remedy in blocking.items():
            counts = {
                key: judged(asset, key, facts[key], self._context.current).get(name, 0)
                for key in targets
                if key in facts
            }
            bad = PartitionSet.from_keys(key for key, count in counts.items() if count)
            if bad:
                message = f"{asset.key}: check {name} failed for {sum(counts.values())} rows of {bad}. {remedy}"
                problems.append(Problem(Outcome.FAILED, bad, message))
                targets = targets - bad
        return tuple(problems)

    def _not_kept(
        self, asset: Asset, frame: DataFrame, stored: PartitionSet, tables: Mapping[str, TableState]
    ) -> tuple[Problem, ...]:
        """The partitions whose stored rows would not come out of their function as they were fetched.

        What was fetched is a record: neither a row nor a value of it goes because code changed.
        """
        state = tables.get(asset.key, TableState())
        assert state.version is not None, "there are stored rows"
        table = self._context.warehouse.read(self._context.spark(), asset.key, state.version)
        columns = [name for name, _ in SOURCE_COLUMNS if not name.startswith("_")]
        then, now = (
            contents(rows.where(condition(asset.partitions, stored)), asset, columns) for rows in (table, frame)
        )
        bad = PartitionSet.from_keys(key for key in stored if then.get(key) != now.get(key))
        if not bad:
            return ()
        where = condition(asset.partitions, PartitionSet.from_keys([next(iter(bad))]))
        why = first_difference(table.where(where), frame.where(where), self._context.contracts[asset.key].key, columns)
        message = (
            f"{asset.key}: its function would change what was fetched: {why}. What was fetched is a record: make "
            "such a change in an asset that is made from it, or fetch it anew (--force)."
        )
        return (Problem(Outcome.FAILED, bad, message),)

    def _warnings(
        self, asset: Asset, targets: PartitionSet, facts: Mapping[PartitionKey, PartitionFacts]
    ) -> dict[str, int]:
        """Violations per warning check, summed over the partitions."""
        found = [judged(asset, key, facts[key], self._context.current) for key in targets if key in facts]
        totals = {
            check.name: sum(counts.get(check.name, 0) for counts in found)
            for check in asset.checks
            if not check.blocking
        }
        return {name: total for name, total in totals.items() if total}

    # The commit -------------------------------------------------------------------------------------------------

    def _commit(
        self,
        asset: Asset,
        frame: DataFrame,
        records: Mapping[PartitionKey, PartitionRecord],
        facts: Mapping[PartitionKey, PartitionFacts],
    ) -> tuple[PartitionSet, int]:
        """Replace the partitions whose content changed, and record all; gives what was written and its rows.

        Without a lock this takes two commits: Delta looks after the partitions that one replaces. What is only recorded
        goes into another, which is refused if anybody committed since the table was looked at.
        """
        crash_points.reach("before-write")
        written, rows, failures = PartitionSet.empty(), 0, 0
        with self._committing[asset.key]:  # chunks are computed side by side, and committed one after the other
            while failures < COMMIT_ATTEMPTS:
                if not self._context.warehouse.is_local:  # another run may have committed since this one began
                    self._tables[asset.key] = self._context.warehouse.state(asset, self._state(asset.key))
                    records = not_outdone(asset, records, self._state(asset.key))
                change = change_of(records, self._state(asset.key))
                if not change.news:
                    return written, rows
                if change.replaced and not self._context.warehouse.is_local:
                    change = change.with_files()
                if self._try_commit(asset, frame, facts, change):
                    written, rows = written | change.written, rows + change.rows
                else:
                    failures += 1
        raise WarehouseError(
            f"{asset.key}: other runs committed first, {COMMIT_ATTEMPTS} times in a row",
            "Call the same command again when they are done.",
        )

    def _try_commit(
        self, asset: Asset, frame: DataFrame, facts: Mapping[PartitionKey, PartitionFacts], change: Change
    ) -> bool:
        """One commit with ``change``; False, with the table's state read again, where another run came first."""
        context, warehouse = self._context, self._context.warehouse
        if self._state(asset.key).version is None:
            warehouse.create(context.spark(), asset, context.contracts[asset.key])
            self._tables[asset.key] = warehouse.state(asset)
        before = self._state(asset.key)
        provenance = self._provenance(asset, change.news, before)
        if change.replaced:
            with_rows = PartitionSet.from_keys(key for key, fact in facts.items() if fact.rows)
            whole = with_rows <= change.replaced
            part = frame if whole else frame.where(condition(asset.partitions, change.replaced))
        else:
            part = None
        try:
            if part is None:
                warehouse.record(asset, provenance, before)
            else:
                warehouse.replace(part, asset, change.replaced, change.rows, provenance, before)
        except Exception as error:
            if not is_conflict(error):
                raise
        crash_points.reach("after-commit")
        state = warehouse.state(asset, before)
        self._tables[asset.key] = state
        committed = (state.records.get(key) for key in change.news)
        return all(record is not None and record.run_id == context.run_id for record in committed)

    def _release(self, done: Step) -> None:
        """Forget fetched answers and evaluated frames that no step of the plan needs any more."""
        if self._source is not None:
            self._source.forget(done.id)
        for key, outputs in list(self._outputs.items()):
            makers = {step.id for step in self._context.plan.steps_of(key)}
            dependants = [step for step in self._context.plan.steps if makers & set(step.upstream_steps)]
            if makers <= self.outcomes.keys() and all(step.id in self.outcomes for step in dependants):
                for output in outputs:
                    with contextlib.suppress(Exception):  # a JVM that is gone has forgotten it
                        output.frame.unpersist()


def conform(frame: DataFrame, asset: Asset, contract: Contract, *, missing_is_null: bool = False) -> DataFrame:
    """The columns of the contract, in its order. Raises CheckFailed where one is missing or of another type.

    missing_is_null: of rows that are stored, a nullable column that is younger than they are is null.
    """
    from pyspark.sql import functions as F

    types = {field.name: _delta_type(field.dataType) for field in frame.schema.fields}
    for column in contract.columns:
        if column.name not in types and missing_is_null and column.nullable:
            frame = frame.withColumn(column.name, F.lit(None).cast(column.type))
        elif column.name not in types:
            raise CheckFailed(
                f"{asset.key}: the transformation made no column {column.name!r}",
                f"Its contract {contract.name} declares it.",
            )
        elif types[column.name] != column.type:
            raise CheckFailed(
                f"{asset.key}: column {column.name!r} must be {column.type} (got {types[column.name]})",
                "Cast it in the asset's function, or change the contract.",
            )
    return frame.select(*contract.column_names)


def _delta_type(kind: Any) -> str:
    element = getattr(kind, "elementType", None)
    return f"array<{element.typeName()}>" if element is not None else str(kind.typeName())


def explain(error: BaseException) -> str:
    """What went wrong, in a line or two, without a stack trace."""
    if isinstance(error, AqiError):
        return f"{error.message} {error.remedy}".strip()
    if isinstance(error, ConnectionError) or type(error).__name__ == "Py4JNetworkError":
        return "Spark's driver JVM ended in mid-run: it was killed, or ran out of memory. Call the same command again."
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    shown = [line for line in lines if not line.startswith(("at ", "JVM stacktrace", "==", "'"))]
    return f"{type(error).__name__}: {' '.join(shown[:2])}"[:600]
