"""The decisions of a step: which partitions it makes, which it cannot make, and what its commit has to change.

Example: silver is to be made for 2025-08-08 and 2025-08-09 at hue. If bronze failed for the second day, ``skipped``
gives that day. If the first day is fresh by now, ``to_make`` leaves it out. When rows have been computed, ``broken``
gives the partitions that must not be published, and ``change_of`` what the commit has to write.

Pure: computed rows come in as ``PartitionFacts``, tables as ``TableState``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.checks import LINEAGE, STANDARD_CHECKS
from orchestration.core.errors import SourceNotAsked
from orchestration.core.lineage.compare import REMEDY, Difference
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import FlaggedHours, PartitionMapping
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.runs.fold import Folded
from orchestration.core.runs.outcome import Outcome, Problem, StepOutcome
from orchestration.core.state.freshness import Current, Tables
from orchestration.core.state.judged import not_fresh
from orchestration.core.state.partition_record import nothing
from orchestration.core.state.provenance import PartitionRecord, Provenance, Question
from orchestration.core.state.table_state import TableState

EMPTY = "empty"
"""The fingerprint of a partition without rows."""

Frame = TypeVar("Frame")
"""Rows of partitions of one table; the engine knows in which form."""

FlagsBehind = Callable[[PartitionMapping], FlaggedHours]
"""Mapping → the flagged hours of its upstream table, as that table is now."""


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """What the one aggregation over a step's rows found for one partition."""

    rows: int = 0
    fingerprint: str = EMPTY
    violations: Mapping[str, int] = field(default_factory=nothing)
    """Check → the number of its violations, where there are any."""
    also: Mapping[str, str] = field(default_factory=nothing)
    """Digest of an earlier contract → the fingerprint of the same rows over the columns of that contract."""
    values: Mapping[str, int] = field(default_factory=nothing)
    """Of a fetched asset: column → how many values (not nulls) it has."""


@dataclass(frozen=True, slots=True)
class Sourced:
    """From where the rows of one fetched partition come: an answer of the source, or rows that were stored before."""

    digest: str
    """Digest of what the source sent for the partition; empty where ``stored`` is given."""
    asked: str = ""
    """When the source was asked (ISO 8601, UTC)."""
    forced: bool = False
    """Whether ``--force`` was given."""
    question: Question | None = None
    """What the source was asked for."""
    stored: PartitionRecord | None = None
    """The record of the stored rows that go through the asset's function again; None where the source was asked."""
    whole: bool = False
    """Whether the source will never have more for the partition, even though its period is not over."""
    lacking: Mapping[str, str] = field(default_factory=nothing)
    """The columns of which the source has no value at all → why."""
    unasked: Mapping[str, str] = field(default_factory=nothing)
    """The columns that the source was not asked for and sent all the same → why it was not."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched for a step."""

    partitions: PartitionSet = field(default_factory=PartitionSet.empty)
    """The fetched partitions, those without rows included."""
    sourced: Mapping[PartitionKey, Sourced] = field(default_factory=dict)
    """For each fetched partition, from where its rows come."""
    errors: tuple[tuple[PartitionSet, Exception], ...] = ()
    """The partitions that could not be fetched, with the error."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit has to change in a table."""

    changed_records: Mapping[PartitionKey, PartitionRecord]
    """The records that differ from the table's."""
    written: PartitionSet
    """The partitions whose content differs from the table's."""
    replaced: PartitionSet
    """Those of ``written`` that have rows now, or may have had some before. Only for these, files are written."""
    rows: int
    """The number of rows of ``written``."""

    def with_files(self) -> Change:
        """Only the part of the change for which files are written."""
        changed_records = {key: record for key, record in self.changed_records.items() if key in self.replaced}
        return Change(changed_records, self.replaced, self.replaced, self.rows)


@dataclass(frozen=True, slots=True)
class Made(Generic[Frame]):
    """Computed rows of a step, and what was found out about them."""

    frame: Frame
    """The rows."""
    facts: Mapping[PartitionKey, PartitionFacts]
    """For each partition, what the aggregation found."""
    folded: Mapping[PartitionKey, Folded] = field(default_factory=dict)
    """Of a fetched asset that keeps hours: for each partition, from which answers its rows are."""
    frozen: Mapping[PartitionKey, int] = field(default_factory=dict)
    """The hours, as a mask, in which the source's values stand still."""
    frozen_over: Mapping[PartitionKey, int] = field(default_factory=dict)
    """The same, with stretches that cross midnight, as far as the days were made together."""
    columns_of: Mapping[str, str] = field(default_factory=dict)
    """Of which columns each column is made, as in ``Provenance``; empty where that was not asked for."""
    differences: tuple[Difference, ...] = ()
    """Where the columns are made of others than the contract declares."""
    notes: tuple[str, ...] = ()
    """Sentences for people."""

    @property
    def held(self) -> PartitionSet:
        """The partitions of which ``frame`` has rows, also those that broke a check and are not published."""
        return PartitionSet.from_keys(key for key, fact in self.facts.items() if fact.rows)


@dataclass(frozen=True, slots=True)
class Proposal(Generic[Frame]):
    """A commit that is about to be tried: the rows of ``change.replaced`` are replaced by those of ``made``."""

    made: Made[Frame]
    change: Change
    said: Provenance
    """The provenance that goes into the commit."""
    before: TableState
    """The state of the table on which the change was decided."""


def skipped(
    step: Step, asset: Asset, plan: Plan, outcomes: Mapping[str, StepOutcome], flagged: FlagsBehind
) -> tuple[Problem, ...]:
    """The partitions of a step that depend on upstream partitions which failed or were skipped in this run."""
    problems: list[Problem] = []
    left = step.all_partitions
    for mapping in asset.upstream:
        upstream = (outcomes[other.id] for other in plan.steps_of(mapping.of) if other.id in outcomes)
        bad = PartitionSet.union_of(outcome.not_made for outcome in upstream)
        concerned = mapping.affected_by(bad, left, flagged(mapping)) if bad else PartitionSet.empty()
        if concerned:
            why = f"upstream {mapping.of} failed" + ("" if bad == PartitionSet.null() else f": {bad}")
            because = bad & mapping.upstream_of(concerned, flagged(mapping))
            problems.append(Problem(Outcome.SKIPPED, concerned, why, mapping.of, because))
            left = left - concerned
    return tuple(problems)


def to_make(step: Step, asset: Asset, partitions: PartitionSet, tables: Tables, current: Current) -> PartitionSet:
    """Those of ``partitions`` that are not fresh now that the upstream steps are done, or that are forced."""
    forced = partitions & (step.forced | step.raw)
    return forced | PartitionSet.union_of(not_fresh(asset, partitions - forced, tables, current).values())


def not_fetched(
    step: Step, targets: PartitionSet, fetched: Fetched, explain: Callable[[Exception], str]
) -> tuple[Problem, ...]:
    """A problem for each reason for which some of ``targets`` were not fetched. Each partition is in one of them."""
    problems: list[Problem] = []
    for partitions, error in fetched.errors:
        if concerned := partitions & targets:
            after = explain(error.because) if isinstance(error, SourceNotAsked) else ""
            problems.append(Problem(Outcome.FAILED, concerned, explain(error), after=after))
            targets = targets - concerned
    if targets:
        problems.append(Problem(Outcome.FAILED, targets, f"{step.asset}: was not fetched; the run's log says more"))
    return tuple(problems)


def astray(facts: Iterable[PartitionKey], needed: PartitionSet) -> PartitionSet:
    """The partitions that have rows although they were not asked for."""
    return PartitionSet.from_keys(key for key in facts if key not in needed)


def broken(
    asset: Asset, partitions: PartitionSet, facts: Mapping[PartitionKey, PartitionFacts], current: Current
) -> tuple[Problem, ...]:
    """A problem for each blocking check that is broken. Each partition is in one problem at most, and stays as it is in
    the table."""
    problems: list[Problem] = []
    blocking = STANDARD_CHECKS | {check.name: check.remedy for check in asset.checks if check.blocking}
    found = {key: judged(asset, key, facts[key], current) for key in partitions if key in facts}
    for name, remedy in blocking.items():
        counts = {key: violations[name] for key, violations in found.items() if violations.get(name)}
        if counts:
            bad = PartitionSet.from_keys(counts)
            rows = sum(counts.values())
            message = f"{asset.key}: check {name} failed for {rows} rows of {bad}. {remedy}"
            problems.append(Problem(Outcome.FAILED, bad, message, check=name, violations=rows))
            found = {key: violations for key, violations in found.items() if key not in counts}
    return tuple(problems)


def not_as_declared(asset: Asset, partitions: PartitionSet, found: Sequence[Difference]) -> tuple[Problem, ...]:
    """A problem for all of ``partitions`` where their columns are made of others than declared; empty where they are
    not."""
    if not found or not partitions:
        return ()
    message = f"{asset.key}: check {LINEAGE} failed: {'; '.join(map(str, found))}. {REMEDY}"
    return (Problem(Outcome.FAILED, partitions, message, check=LINEAGE, violations=len(found)),)


def warned(
    asset: Asset, partitions: PartitionSet, facts: Mapping[PartitionKey, PartitionFacts], current: Current
) -> dict[str, int]:
    """The number of violations of each warning check, over all of ``partitions``."""
    found = [judged(asset, key, facts[key], current) for key in partitions if key in facts]
    totals = {
        check.name: sum(counts.get(check.name, 0) for counts in found) for check in asset.checks if not check.blocking
    }
    return {name: total for name, total in totals.items() if total}


def judged(asset: Asset, key: PartitionKey, fact: PartitionFacts, current: Current) -> dict[str, int]:
    """The violations of a partition. Checks that say nothing about a day that is not over are left out."""
    if not fact.violations:
        return nothing()
    over = asset.partitions is None or asset.partitions.is_over(key, current.now)
    early = {check.name for check in asset.checks if check.ended_days_only and not over}
    return {name: count for name, count in fact.violations.items() if name not in early}


def change_of(records: Mapping[PartitionKey, PartitionRecord], state: TableState) -> Change:
    """What a commit of ``records`` changes in the table with the state ``state``."""
    changed_records, written, replaced, rows = {}, [], [], 0
    for key, record in records.items():
        before = state.trusted(key)
        if before is not None and before.says_the_same_as(record) and _last_asked(record) >= _last_asked(before):
            continue
        changed_records[key] = record
        if before is None or not before.has_content_of(record):
            written.append(key)
            rows += record.rows
            if record.rows or key in state.unrecorded or (before is not None and before.rows):
                replaced.append(key)
    return Change(changed_records, PartitionSet.from_keys(written), PartitionSet.from_keys(replaced), rows)


def not_outdone(
    asset: Asset, records: Mapping[PartitionKey, PartitionRecord], state: TableState
) -> Mapping[PartitionKey, PartitionRecord]:
    """``records`` without those of fetched partitions for which another run has meanwhile committed a later answer.

    Older answers or stored rows never replace a later answer. The next run finds out what is left to do.
    """
    if asset.source is None:
        return records
    found = {key: state.trusted(key) for key in records}
    return {
        key: record
        for key, record in records.items()
        if (there := found[key]) is None or _last_asked(there) <= _last_asked(record)
    }


def moved(records: Iterable[PartitionKey], base: TableState, state: TableState, run_id: str) -> PartitionSet:
    """Those of ``records`` whose partitions another run than ``run_id`` has committed since the state ``base``."""

    def by_another(key: PartitionKey) -> bool:
        there = state.trusted(key)
        return there is None or there.run_id != run_id

    return PartitionSet.from_keys(key for key in records if not is_as_it_was(key, base, state) and by_another(key))


def is_as_it_was(key: PartitionKey, then: TableState, now: TableState) -> bool:
    """Whether between two states nobody recorded the partition or changed its rows."""
    before, after = then.records.get(key), now.records.get(key)
    if (key in then.unrecorded) != (key in now.unrecorded) or (before is None) != (after is None):
        return False
    return before is None or after is None or (before.version, before.run_id) == (after.version, after.run_id)


def _last_asked(record: PartitionRecord) -> str:
    """When the newest answer was asked for (ISO 8601, UTC); empty where that was not recorded."""
    return max((answer.asked for answer in record.answers), default="")


def adoptable(
    partitions: PartitionSet, facts: Mapping[PartitionKey, PartitionFacts], state: TableState
) -> dict[PartitionKey, PartitionRecord]:
    """Those unrecorded ``partitions`` whose rows in the table are still those of their last record, with these records.

    facts: of the rows that are in the table now.
    """
    found = {}
    for key in partitions & state.unrecorded:
        record, fact = state.records.get(key), facts.get(key, PartitionFacts())
        if record is not None and comes_out_as(record, fact):
            found[key] = record
    return found


def comes_out_as(record: PartitionRecord, fact: PartitionFacts) -> bool:
    """Whether rows are those of ``record``, compared over the columns that the record's rows had."""
    return (record.rows, record.fingerprint) == (fact.rows, fact.also.get(record.contract, fact.fingerprint))
