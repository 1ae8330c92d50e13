"""What a step decides, apart from Spark: which of its partitions it makes, which it cannot, what it records of those it
made, and what its commit has to change.

Pure: what was computed comes in as ``PartitionFacts``, what tables hold as ``TableState``.
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
"""Rows of partitions of one table, wherever they are."""

FlagsBehind = Callable[[PartitionMapping], FlaggedHours]
"""Gives the flagged hours behind a mapping, in its upstream table as it is now."""


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """What the aggregation says of one partition. violations: per check, only where there are any.

    also: fingerprints over the columns of earlier contracts, by the digests of these. values: of a fetched asset, how
    many values a column has that are not null.
    """

    rows: int = 0
    fingerprint: str = EMPTY
    violations: Mapping[str, int] = field(default_factory=nothing)
    also: Mapping[str, str] = field(default_factory=nothing)
    values: Mapping[str, int] = field(default_factory=nothing)


@dataclass(frozen=True, slots=True)
class Sourced:
    """What the source sent for a partition: its digest.

    asked: when it was asked (ISO 8601, UTC). forced: by ``--force``. question: what it was asked. whole: it will never
    have more, even if the period was not over. lacking: the columns that it has nothing of, and why.
    unasked: those that it sent though it was not asked for them, and why it was not.
    stored: the record of rows that were not asked for again, but went through the function as they were stored.
    """

    digest: str
    asked: str = ""
    forced: bool = False
    question: Question | None = None
    stored: PartitionRecord | None = None
    whole: bool = False
    lacking: Mapping[str, str] = field(default_factory=nothing)
    unasked: Mapping[str, str] = field(default_factory=nothing)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a source brought for a step.

    partitions: that were brought, those without a row included. sourced: what was sent for each. errors: why others
    were not.
    """

    partitions: PartitionSet = field(default_factory=PartitionSet.empty)
    sourced: Mapping[PartitionKey, Sourced] = field(default_factory=dict)
    errors: tuple[tuple[PartitionSet, Exception], ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit has to say and to do.

    changed_records: those that differ from the table's. written: partitions whose content differs; rows: of them.
    replaced: those of ``written`` that have rows now or may have had some.
    """

    changed_records: Mapping[PartitionKey, PartitionRecord]
    written: PartitionSet
    replaced: PartitionSet
    rows: int

    def with_files(self) -> Change:
        """The part that replaces rows."""
        changed_records = {key: record for key, record in self.changed_records.items() if key in self.replaced}
        return Change(changed_records, self.replaced, self.replaced, self.rows)


@dataclass(frozen=True, slots=True)
class Made(Generic[Frame]):
    """Evaluated rows, and what is to be known of them.

    folded: of a fetched asset that keeps hours, what each partition rests on. frozen: the hours, as a mask, in which
    its feed stands still; frozen_over: where runs of them go on over midnight too, as far as days are made together.
    columns_of: what its columns are made of, where that was asked for, as ``Provenance`` has it. differences: between
    that, what was read and what is declared. notes: what else people have to know.
    """

    frame: Frame
    facts: Mapping[PartitionKey, PartitionFacts]
    folded: Mapping[PartitionKey, Folded] = field(default_factory=dict)
    frozen: Mapping[PartitionKey, int] = field(default_factory=dict)
    frozen_over: Mapping[PartitionKey, int] = field(default_factory=dict)
    columns_of: Mapping[str, str] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def held(self) -> PartitionSet:
        """The partitions that it has rows of, also those that are not published: one may have broken a check."""
        return PartitionSet.from_keys(key for key, fact in self.facts.items() if fact.rows)


@dataclass(frozen=True, slots=True)
class Proposal(Generic[Frame]):
    """A commit that is to be: the rows of ``change.replaced`` become those of ``made``, and ``said`` goes with them.

    before: the state of the table on which it was decided.
    """

    made: Made[Frame]
    change: Change
    said: Provenance
    before: TableState


def skipped(
    step: Step, asset: Asset, plan: Plan, outcomes: Mapping[str, StepOutcome], flagged: FlagsBehind
) -> tuple[Problem, ...]:
    """The partitions of a step that depend on upstream partitions which failed or were skipped in this run."""
    problems: list[Problem] = []
    left = step.all_partitions
    for mapping in asset.upstream:
        upstream = (outcomes[other.id] for other in plan.steps_of(mapping.of) if other.id in outcomes)
        bad = PartitionSet.union_of(outcome.bad for outcome in upstream)
        concerned = mapping.affected_by(bad, left, flagged(mapping)) if bad else PartitionSet.empty()
        if concerned:
            why = f"upstream {mapping.of} failed" + ("" if bad == PartitionSet.null() else f": {bad}")
            because = bad & mapping.upstream_of(concerned, flagged(mapping))
            problems.append(Problem(Outcome.SKIPPED, concerned, why, mapping.of, because))
            left = left - concerned
    return tuple(problems)


def to_make(step: Step, asset: Asset, partitions: PartitionSet, tables: Tables, current: Current) -> PartitionSet:
    """Those of ``partitions`` (of the step) that are not fresh, now that its upstream steps are done, or are forced."""
    forced = partitions & (step.forced | step.raw)
    return forced | PartitionSet.union_of(not_fresh(asset, partitions - forced, tables, current).values())


def not_fetched(
    step: Step, targets: PartitionSet, fetched: Fetched, explain: Callable[[Exception], str]
) -> tuple[Problem, ...]:
    """Why ``targets``, of a fetched asset, were not brought; each once."""
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
    """The partitions that have rows, and were not asked for."""
    return PartitionSet.from_keys(key for key in facts if key not in needed)


def broken(
    asset: Asset, partitions: PartitionSet, facts: Mapping[PartitionKey, PartitionFacts], current: Current
) -> tuple[Problem, ...]:
    """Those of ``partitions`` that break a blocking check, each once; they stay as they were."""
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
    """What is wrong with ``partitions`` where they are not made of what is declared: all of them, once."""
    if not found or not partitions:
        return ()
    message = f"{asset.key}: check {LINEAGE} failed: {'; '.join(map(str, found))}. {REMEDY}"
    return (Problem(Outcome.FAILED, partitions, message, check=LINEAGE, violations=len(found)),)


def warned(
    asset: Asset, partitions: PartitionSet, facts: Mapping[PartitionKey, PartitionFacts], current: Current
) -> dict[str, int]:
    """Violations per warning check, summed over ``partitions``."""
    found = [judged(asset, key, facts[key], current) for key in partitions if key in facts]
    totals = {
        check.name: sum(counts.get(check.name, 0) for counts in found) for check in asset.checks if not check.blocking
    }
    return {name: total for name, total in totals.items() if total}


def judged(asset: Asset, key: PartitionKey, fact: PartitionFacts, current: Current) -> dict[str, int]:
    """The violations of a partition, without checks that say nothing of a day that is not over."""
    if not fact.violations:
        return nothing()
    over = asset.partitions is None or asset.partitions.is_over(key, current.now)
    early = {check.name for check in asset.checks if check.ended_days_only and not over}
    return {name: count for name, count in fact.violations.items() if name not in early}


def change_of(records: Mapping[PartitionKey, PartitionRecord], state: TableState) -> Change:
    """What distinguishes ``records`` from the table as ``state`` has it."""
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
    """``records`` without those of a fetched asset of which another run has committed an answer that was asked later.

    Nothing older is put in its place, be it an answer or stored rows; the next run finds out what is left to do.
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
    """Those partitions of which another run than ``run_id`` has committed something since ``base``."""

    def by_another(key: PartitionKey) -> bool:
        there = state.trusted(key)
        return there is None or there.run_id != run_id

    return PartitionSet.from_keys(key for key in records if not is_as_it_was(key, base, state) and by_another(key))


def is_as_it_was(key: PartitionKey, then: TableState, now: TableState) -> bool:
    """Whether nobody has recorded a partition, or changed its rows, between two states."""
    before, after = then.records.get(key), now.records.get(key)
    if (key in then.unrecorded) != (key in now.unrecorded) or (before is None) != (after is None):
        return False
    return before is None or after is None or (before.version, before.run_id) == (after.version, after.run_id)


def _last_asked(record: PartitionRecord) -> str:
    """When the newest answer was asked for (ISO 8601, UTC); empty where that was not kept."""
    return max((answer.asked for answer in record.answers), default="")


def adoptable(
    partitions: PartitionSet, facts: Mapping[PartitionKey, PartitionFacts], state: TableState
) -> dict[PartitionKey, PartitionRecord]:
    """The last records of those unrecorded ``partitions`` whose rows in the table (``facts``) are still theirs."""
    found = {}
    for key in partitions & state.unrecorded:
        record, fact = state.records.get(key), facts.get(key, PartitionFacts())
        if record is not None and comes_out_as(record, fact):
            found[key] = record
    return found


def comes_out_as(record: PartitionRecord, fact: PartitionFacts) -> bool:
    """Whether rows are those of a record, over the columns that it was made of."""
    return (record.rows, record.fingerprint) == (fact.rows, fact.also.get(record.contract, fact.fingerprint))
