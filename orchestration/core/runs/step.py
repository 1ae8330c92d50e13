"""One step of a plan, on any engine. It does the following, in this order:

| skip    | leave out what depends on a failed upstream partition |
| decide  | of the rest, find what is not fresh by now, or is forced |
| adopt   | in a repair: record again rows that somebody else touched, if they are still what was recorded |
| fetch   | partitions that could not be fetched fail |
| compute | compute the rows of what is left, and the facts about them |
| check   | partitions that break a blocking check fail, and stay as they were |
| record  | write down of what the others were made |
| commit  | commit rows and records together; begin again where another run committed first |

``decisions`` has the decisions, ``StepWorld`` all contact with the world. The state machine of the tests runs this
code. Pure, and safe to call from several threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Generic

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.errors import CheckFailed, WarehouseError
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import FlaggedHours, PartitionMapping, nothing_flagged
from orchestration.core.planning.plan import Manner, Plan, Step
from orchestration.core.runs import decisions
from orchestration.core.runs import records as recording
from orchestration.core.runs.decisions import Change, Fetched, FlagsBehind, Frame, Made, Proposal
from orchestration.core.runs.notes import notes_of
from orchestration.core.runs.outcome import Outcome, Problem, StepOutcome
from orchestration.core.runs.step_parts import (
    COMMIT_ATTEMPTS,
    Anew,
    KeptOutput,
    SoFar,
    all_of,
    code_part,
    is_kept,
    others_came_first,
    sourced_of,
)
from orchestration.core.runs.step_world import CommitHistory, Reading, StepWorld
from orchestration.core.state.freshness import Current, Tables
from orchestration.core.state.incomplete_days import incomplete_hours
from orchestration.core.state.provenance import PartitionRecord, Provenance
from orchestration.core.state.table_state import TableState

NOTHING = PartitionSet.empty()


class Steps(Generic[Frame]):
    """The steps of a plan. Each is run once, after its upstream steps.

    tables: the states of the tables, at first those on which the plan was made; this run's own commits are added.
    outcomes: by step id. by: the version of this package.
    """

    def __init__(
        self,
        world: StepWorld[Frame],
        plan: Plan,
        catalog: Catalog,
        tables: Tables,
        current: Current,
        history: CommitHistory,
        run_id: str,
        by: str = "",
    ) -> None:
        self._world = world
        self._plan = plan
        self._catalog = catalog
        self._current = current
        self._history = history
        self._run_id = run_id
        self._by = by
        self._kept: dict[str, list[KeptOutput[Frame]]] = {}
        self.tables: dict[str, TableState] = dict(tables)
        self.outcomes: dict[str, StepOutcome] = {}

    def run(self, step: Step) -> StepOutcome:
        """Run a step. Failures do not escape: the outcome has them, with the partitions concerned."""
        problems: tuple[Problem, ...] = ()
        try:
            view = self._view()
            problems = self._skipped(step, view)
            outcome = self._outcome(step, view, problems)
        except Exception as error:  # whatever happens in a step is reported on that step  # noqa: BLE001
            failed = Problem(Outcome.FAILED, step.all_partitions - all_of(problems), self._world.explain(error))
            outcome = StepOutcome(step, problems=(*problems, failed))
        self.outcomes[step.id] = outcome
        self._release(step)
        if step.chunk:
            self._world.reached("between-chunks")
        return outcome

    def readings(self, asset: Asset, targets: PartitionSet, view: Tables) -> tuple[Reading[Frame], ...]:
        """What is read of each upstream table, with the states in ``view``, to make ``targets``.

        Rows that this run made are read as it kept them, unless another run has committed to the table since. Raises
        WarehouseError where a table is missing from which something is needed.
        """
        flagged = self._flags(view)
        return tuple(
            self._reading(mapping.of, mapping.upstream_of(targets, flagged(mapping)), view)
            for mapping in asset.upstream
        )

    # The order ----------------------------------------------------------------------------------------------------

    def _outcome(self, step: Step, view: Tables, problems: tuple[Problem, ...]) -> StepOutcome:
        asset, own = self._catalog[step.asset], view.get(step.asset, TableState())
        targets = step.all_partitions - all_of(problems)
        needed = decisions.to_make(step, asset, targets, view, self._current)
        unchanged = targets - needed
        if needed and step.manner is Manner.COMPARED:
            adopted = self._adopt(step, asset, needed)
            unchanged |= adopted
            needed = needed - adopted
        if asset.hours is not None and needed & own.unrecorded:  # rows that nobody changed are kept, like others
            self._adopt(step, asset, needed & own.unrecorded)
            view = {**view, asset.key: (own := self._state(asset))}
        stored = needed & step.stored
        fetched = Fetched()
        if asset.source is not None:
            fetched = self._world.fetched(step)
            left = needed - stored - fetched.partitions
            problems += decisions.not_fetched(step, left, fetched, self._world.explain)
            needed = needed - left
        if not needed:
            return StepOutcome(step, unchanged=unchanged, problems=problems, version=self._state(asset).version)
        made_all, parts = SoFar(), [(needed, own)]
        for _ in range(COMMIT_ATTEMPTS):
            found = [
                self._make_and_commit(step, asset, part, {**view, asset.key: on}, on, stored & part, fetched, made_all)
                for part, on in parts
            ]
            # What others put there meanwhile is gone on from; where it was run over, from the version before that.
            if not (parts := [one for anew in found for one in anew.on(self._state(asset))]):
                break
        else:
            raise others_came_first(asset)
        good = targets - unchanged - all_of(problems) - all_of(made_all.problems)
        return StepOutcome(
            step,
            written=made_all.written,
            unchanged=unchanged | (good - made_all.written),
            problems=problems + made_all.problems,
            rows=made_all.rows,
            version=self._state(asset).version,
            warnings=made_all.warnings,
            notes=tuple(made_all.notes),
            incomplete=made_all.incomplete,
        )

    def _make_and_commit(
        self,
        step: Step,
        asset: Asset,
        needed: PartitionSet,
        view: Tables,
        own: TableState,
        stored: PartitionSet,
        fetched: Fetched,
        done: SoFar,
    ) -> Anew:
        """Make ``needed`` and commit it. Gives what has to be made again because another run committed first."""
        code = done.to_tell(code_part(self._current, asset, needed), self._state(asset))
        made = self._world.make(step, asset, needed, lambda part: self.readings(asset, part, view), own, code)
        made, kept = done.with_columns(made), False
        try:
            with self._world.checking():
                broken = self._checked(asset, made, needed, stored, own)
                done.problems += broken
                needed = needed - all_of(broken)
                sourced = sourced_of(step, asset, stored, fetched, own, self._history)
                records = recording.records_of(
                    asset, needed, made.facts, view, self._current, self._flags(view), sourced, made
                )
            written, rows, left = self._commit(asset, made, records, own)
            kept = is_kept(self._plan, asset)
            if kept:
                self._kept.setdefault(asset.key, []).append(KeptOutput(made.frame, made.held, written - left.all))
        finally:
            if not kept:
                self._world.let_go(made.frame)
        done.written, done.rows = done.written | written, done.rows + rows
        for name, count in decisions.warned(asset, needed - left.all, made.facts, self._current).items():
            done.warnings[name] = done.warnings.get(name, 0) + count
        done.notes += made.notes
        done.notes += notes_of(asset, needed - left.all, made, self._state(asset), self._current, sourced)
        done.incomplete |= incomplete_hours(asset, needed - left.all, self._state(asset), self._current)
        return left

    def _skipped(self, step: Step, view: Tables) -> tuple[Problem, ...]:
        asset = self._catalog[step.asset]
        return decisions.skipped(step, asset, self._plan, dict(self.outcomes), self._flags(view))

    def _adopt(self, step: Step, asset: Asset, partitions: PartitionSet) -> PartitionSet:
        """Record again those unrecorded ``partitions`` whose rows are still those of their last record.

        If another run commits first, the table is read once more: rows that can be adopted are never made or fetched
        again because somebody committed something else.
        """
        with self._world.committing(asset):
            for _ in range(COMMIT_ATTEMPTS):
                if not self._world.alone:
                    self._look(asset)
                before = self._state(asset)
                if before.version is None:
                    return NOTHING
                found = self._world.stored(step, asset, partitions, before)
                records = decisions.adoptable(partitions, found.facts, before)
                if not records:
                    return NOTHING
                self._propose(asset, found, Change(records, NOTHING, NOTHING, 0))
                self._look(asset)
                there = PartitionSet.from_keys(key for key, one in records.items() if self._is_there(asset, key, one))
                if there:
                    return there
        raise others_came_first(asset)

    def _checked(
        self, asset: Asset, made: Made[Frame], needed: PartitionSet, stored: PartitionSet, own: TableState
    ) -> tuple[Problem, ...]:
        """The partitions that must not be published, and why. Raises CheckFailed for rows of partitions that nobody
        asked for."""
        if made.differences:
            return decisions.not_as_declared(asset, needed, made.differences)
        if stray := decisions.astray(made.facts, needed):
            raise CheckFailed(
                f"{asset.key}: the transformation made rows of partitions that it was not asked for: {stray}",
                "Every row must lie in the partition of the upstream rows that it is made from.",
            )
        broken = decisions.broken(asset, needed, made.facts, self._current)
        if stored := stored - all_of(broken):
            altered, why = self._world.altered(asset, made, stored, own)
            if altered:
                message = (
                    f"{asset.key}: its function would change what was fetched: {why}. What was fetched is a record: "
                    "make such a change in an asset that is made from it, or fetch it anew (--force)."
                )
                broken += (Problem(Outcome.FAILED, altered, message),)
        return broken

    # The commit ---------------------------------------------------------------------------------------------------

    def _commit(
        self, asset: Asset, made: Made[Frame], records: Mapping[PartitionKey, PartitionRecord], base: TableState
    ) -> tuple[PartitionSet, int, Anew]:
        """Replace the partitions whose content changed, and record all. Gives the written partitions, their number of
        rows, and what has to be made again first. base: the state of the table from which the rows were made.

        Where other runs may commit, this takes two commits. The storage detects conflicts about partitions that a
        commit replaces. Records without new rows go into a second commit, which fails if anybody committed since the
        table was read.
        """
        self._world.reached("before-write")
        written, rows, failures, left = NOTHING, 0, 0, Anew()
        with self._world.committing(asset):  # chunks are computed side by side, and committed one after the other
            if records and self._state(asset).version is None:
                self._world.create(asset)  # before it is decided what to replace: another run may have filled it
                self._look(asset)
            while failures < COMMIT_ATTEMPTS:
                if not self._world.alone:  # another run may have committed since this one began
                    self._look(asset)
                    if asset.hours is None:
                        records = decisions.not_outdone(asset, records, self._state(asset))
                    else:
                        moved = decisions.moved(records, base, self._state(asset), self._run_id)
                        left = replace(left, moved=left.moved | moved)
                        records = {key: record for key, record in records.items() if key not in moved}
                change = decisions.change_of(records, self._state(asset))
                if not change.changed_records:
                    if records and made.columns_of.keys() - self._state(asset).columns_of:
                        self._try_commit(asset, made, change)  # once: who comes next can say it as well
                    return written, rows, left
                if change.replaced and not self._world.alone:
                    change = change.with_files()
                before = self._state(asset)
                ours = self._try_commit(asset, made, change)
                written |= change.written & ours
                rows += sum(change.changed_records[key].rows for key in change.written & ours)
                left = self._with_overrun(left, asset, ours, before)
                failures += len(ours) < len(change.changed_records)
        raise others_came_first(asset)

    def _with_overrun(self, left: Anew, asset: Asset, ours: PartitionSet, before: TableState) -> Anew:
        """``left``, and what another run committed between the moment we read the table and our commit, which replaced
        it.

        The storage looks for conflicts only from the moment at which it begins to write. ours: the partitions that we
        have just committed. before: the state of the table when we read it.
        """
        if asset.hours is None or self._world.alone or before.version is None or not ours:
            return left
        version = max(self._state(asset).records[key].version for key in ours)
        if version == before.version + 1:
            return left
        then = self._world.state_at(asset, version - 1)
        overrun = PartitionSet.from_keys(key for key in ours if not decisions.is_as_it_was(key, before, then))
        return replace(left, overrun=overrun, then=then) if overrun else left

    def _try_commit(self, asset: Asset, made: Made[Frame], change: Change) -> PartitionSet:
        """Try one commit. Gives the partitions of which the table now has what this commit was to say."""
        self._propose(asset, made, change)
        self._world.reached("after-commit")
        self._look(asset)
        return PartitionSet.from_keys(
            key for key, record in change.changed_records.items() if self._is_there(asset, key, record)
        )

    def _propose(self, asset: Asset, made: Made[Frame], change: Change) -> None:
        """Try a commit on the table as this run knows it. Whether it succeeded, only the table says."""
        before = self._state(asset)
        said = self._provenance(asset, change.changed_records, before, made.columns_of)
        self._world.commit(asset, Proposal(made, change, said, before))

    def _is_there(self, asset: Asset, key: PartitionKey, record: PartitionRecord) -> bool:
        """Whether this run was the last one to record the partition, with ``record``."""
        there = self._state(asset).trusted(key)
        return there is not None and there.run_id == self._run_id and there.says_the_same_as(record)

    def _provenance(
        self,
        asset: Asset,
        records: Mapping[PartitionKey, PartitionRecord],
        state: TableState,
        columns_of: Mapping[str, str],
    ) -> Provenance:
        history = self._history
        then = history.questions_of(asset, [key for key in records if key in state.records], state)
        today = {history.question(asset, key.location) for key in records} if asset.source is not None else set()
        return recording.provenance_of(
            self._run_id,
            asset,
            self._world.at(),
            records,
            state,
            history.shapes(asset.key, state),
            questions=[*then, *(question for question in today if question is not None)],
            past=history.past(asset),
            columns_of=columns_of,
            by=self._by,
            kinds=history.kinds(asset, state),
        )

    # What is there ------------------------------------------------------------------------------------------------

    def _view(self) -> Tables:
        """The states of the tables that a step uses from its start to its record, whatever other steps commit
        meanwhile."""
        return dict(self.tables)

    def _state(self, asset: Asset) -> TableState:
        return self.tables.get(asset.key, TableState())

    def _look(self, asset: Asset) -> None:
        """Read the state of a table again."""
        self.tables[asset.key] = self._world.state(asset, self._state(asset))

    def _flags(self, view: Tables) -> FlagsBehind:
        def flagged(mapping: PartitionMapping) -> FlaggedHours:
            if mapping.window is None:
                return nothing_flagged
            return self._world.flagged(mapping.window, view.get(mapping.of, TableState()))

        return flagged

    def _reading(self, of: str, partitions: PartitionSet, view: Tables) -> Reading[Frame]:
        state = view.get(of, TableState())
        left, kept = partitions & state.present, []
        for output in list(self._kept.get(of, ())):
            taken = self._as_written(left & output.written, state)
            if taken:
                kept.append((output.frame, None if output.held <= taken else taken))
                left = left - taken
        if state.version is None and (left or not kept):
            raise WarehouseError(f"{of} has no table", f"Materialize it first: '+{of}'.")
        return Reading(of, tuple(kept), left, state.version)

    def _as_written(self, partitions: PartitionSet, state: TableState) -> PartitionSet:
        """Those of ``partitions``, written by this run, whose rows in the table are still those that it wrote."""
        if self._world.alone:
            return partitions
        records = ((key, state.trusted(key)) for key in partitions)
        return PartitionSet.from_keys(key for key, of in records if of is not None and of.run_id == self._run_id)

    # What is kept -------------------------------------------------------------------------------------------------

    def _release(self, done: Step) -> None:
        """Drop fetched answers and kept rows that no later step of the plan needs."""
        self._world.forget(done)
        for key in list(self._kept):
            makers = {step.id for step in self._plan.steps_of(key)}
            readers = {step.id for step in self._plan.steps if makers & set(step.upstream_steps)}
            if makers | readers <= self.outcomes.keys():
                for output in self._kept.pop(key, ()):
                    self._world.let_go(output.frame)
