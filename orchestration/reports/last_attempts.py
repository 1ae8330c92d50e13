"""What the journal adds to the state of a partition: whether the last attempt to make it failed, and why.

A partition that is stale or missing is *failed* if the last attempt to make it failed. If it was skipped there, because
something upstream failed, it is failed only as long as an upstream partition on which it depends is failed, changed by
somebody else or damaged. Once all of these are right, or only wait to be made, the skip is over, and the partition is
stale or missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.mappings import FlaggedHours, PartitionMapping, nothing_flagged
from orchestration.core.runs.journal import AttemptResult, LastAttempt, RunEntry, last_attempts, last_failed
from orchestration.core.state.freshness import Current, Judge, Judgement, State
from orchestration.core.state.judged import judged
from orchestration.core.state.table_state import TableState
from orchestration.engine.workspace import Workspace
from resources.storage.journal import Journal

NOTHING = PartitionSet.empty()


class LastAttempts:
    """What the journal knows of the last attempts at partitions; read once, and only if that is asked."""

    def __init__(self, workspace: Workspace, current: Current) -> None:
        self._workspace, self._current = workspace, current
        self._journal = Journal(workspace.warehouse.uri)
        self._flags: dict[PartitionMapping, FlaggedHours] = {}

    @cached_property
    def _entries(self) -> list[RunEntry]:
        return self._journal.entries()

    def at(self, asset: str, partitions: PartitionSet) -> list[tuple[PartitionSet, LastAttempt]]:
        """The last attempts at those of ``partitions`` of an asset of which one is known. A skip that nothing is the
        reason for any more is OVER."""
        found: list[tuple[PartitionSet, LastAttempt]] = []
        for tried, attempt in last_attempts(self._entries, asset, partitions) if partitions else ():
            over = NOTHING
            if attempt.result is AttemptResult.SKIPPED and self._workspace.catalog[asset].upstream:
                over = tried - self._held_up(asset, tried)
            found += [(tried - over, attempt)] if tried - over else []
            found += [(over, attempt.over)] if over else []
        return found

    def failed(self, assets: Iterable[str]) -> PartitionSet:
        """Days and locations at which the last attempt at any of ``assets`` failed."""
        return PartitionSet.union_of(last_failed(self._entries, asset) for asset in assets).without_null()

    @cached_property
    def _tables(self) -> dict[str, TableState]:
        return self._workspace.states(self._workspace.catalog.keys)

    def _held_up(self, key: str, partitions: PartitionSet) -> PartitionSet:
        """Those of ``partitions`` that depend on upstream partitions which a run cannot make, or could not."""
        found = NOTHING
        for mapping in self._workspace.catalog[key].upstream:
            flagged = self._flagged(mapping)
            bad = self._bad(mapping.of, mapping.upstream_of(partitions, flagged))
            found |= mapping.affected_by(bad, partitions, flagged) if bad else NOTHING
        return found

    def _bad(self, key: str, partitions: PartitionSet) -> PartitionSet:
        """Those of ``partitions`` of an asset that are failed, changed by somebody else or damaged."""
        bad, lagging = NOTHING, NOTHING
        for alike in judged(Judge(self._workspace.catalog[key], self._tables, self._current), partitions):
            if alike.judgement.state in (State.UNRECORDED, State.DAMAGED):
                bad |= alike.partitions
            elif not alike.judgement.fresh:
                lagging |= alike.partitions
        return PartitionSet.union_of([bad, *(tried for tried, attempt in self.at(key, lagging) if attempt.failed)])

    def _flagged(self, mapping: PartitionMapping) -> FlaggedHours:
        if mapping.window is None:
            return nothing_flagged
        if mapping not in self._flags:
            state = self._tables.get(mapping.of, TableState())
            self._flags[mapping] = self._workspace.flags_of(mapping.window, state)
        return self._flags[mapping]


def explained(judgement: Judgement, reason: str, attempt: LastAttempt | None) -> tuple[State, str, str]:
    """State, reason and reason in short, with what is known of the last attempt.

    FAILED is what is stale or missing, and of which the last attempt failed, or was skipped because of something
    upstream that is still in the way.
    """
    if attempt is not None and attempt.failed and judgement.state is State.UNRECORDED:
        why = f"the last attempt (run {attempt.run_id}, {attempt.at}) failed: {attempt.message}"
        return judgement.state, f"{reason}; {why}", f"{judgement.in_short}; {attempt.message}"
    if attempt is None or judgement.state not in (State.STALE, State.MISSING):
        return judgement.state, reason, judgement.in_short if judgement.reason else ""
    if attempt.failed:
        why = f"the last attempt (run {attempt.run_id}, {attempt.at}) failed: {attempt.message}"
        return State.FAILED, f"{reason}; {why}", f"{judgement.in_short}; {attempt.message}"
    if attempt.result is AttemptResult.OVER:
        why = f"run {attempt.run_id}, {attempt.at}, skipped it ({attempt.message}), and that is over"
        return judgement.state, f"{reason}; {why}", judgement.in_short
    if attempt.broken_off:
        why = f"run {attempt.run_id}, {attempt.at}, did not finish it"
        return judgement.state, f"{reason}; {why}", judgement.in_short
    return judgement.state, reason, judgement.in_short
