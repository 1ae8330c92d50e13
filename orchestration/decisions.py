"""What a step decides, apart from Spark: which of its partitions it makes, which it cannot, what it records of those it
made, and what its commit has to change.

Pure: what was computed comes in as ``PartitionFacts``, what tables hold as ``TableState``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from orchestration.asset import Asset
from orchestration.freshness import Current, Tables, not_fresh
from orchestration.mappings import FlaggedHours, PartitionMapping
from orchestration.outcome import Outcome, Problem, StepOutcome, union
from orchestration.partitions import PartitionKey, PartitionSet
from orchestration.planner import Plan, Step
from orchestration.provenance import PartitionRecord, TableState

EMPTY = "empty"
"""The fingerprint of a partition without rows."""

FlagsBehind = Callable[[PartitionMapping], FlaggedHours]
"""Gives the flagged hours behind a mapping, in its upstream table as it is now."""


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """What the aggregation says of one partition. violations: per check, only where there are any."""

    rows: int = 0
    fingerprint: str = EMPTY
    violations: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sourced:
    """What the source sent for a partition: its digest; as_of: when it was asked, empty if the day had ended."""

    digest: str
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit has to say and to do.

    news: records that differ from those of the table. written: partitions whose content differs; rows: of them.
    replaced: those of ``written`` that have rows now or may have had some.
    """

    news: Mapping[PartitionKey, PartitionRecord]
    written: PartitionSet
    replaced: PartitionSet
    rows: int

    def with_files(self) -> Change:
        """The part that replaces rows."""
        news = {key: record for key, record in self.news.items() if key in self.replaced}
        return Change(news, self.replaced, self.replaced, self.rows)


def skipped(
    step: Step, asset: Asset, plan: Plan, outcomes: Mapping[str, StepOutcome], flagged: FlagsBehind
) -> tuple[Problem, ...]:
    """The partitions of a step that depend on upstream partitions which failed or were skipped in this run."""
    problems: list[Problem] = []
    left = step.all_partitions
    for mapping in asset.upstream:
        upstream = (outcomes[other.id] for other in plan.steps_of(mapping.of) if other.id in outcomes)
        bad = union(outcome.bad for outcome in upstream)
        concerned = mapping.affected_by(bad, left, flagged(mapping)) if bad else PartitionSet.empty()
        if concerned:
            problems.append(Problem(Outcome.SKIPPED, concerned, f"upstream {mapping.of} failed: {bad}"))
            left = left - concerned
    return tuple(problems)


def to_make(step: Step, asset: Asset, partitions: PartitionSet, tables: Tables, current: Current) -> PartitionSet:
    """Those of ``partitions`` (of the step) that are not fresh, now that its upstream steps are done, or are forced."""
    forced = partitions & step.partitions if step.force else PartitionSet.empty()
    return forced | union(not_fresh(asset, partitions - forced, tables, current).values())


def records_of(
    asset: Asset,
    partitions: Iterable[PartitionKey],
    facts: Mapping[PartitionKey, PartitionFacts],
    tables: Tables,
    current: Current,
    flagged: FlagsBehind,
    sourced: Mapping[PartitionKey, Sourced],
) -> dict[PartitionKey, PartitionRecord]:
    """What is to be recorded of ``partitions``: they were made from the tables as ``tables`` has them."""
    warnings = {check.name for check in asset.checks if not check.blocking}
    records = {}
    for key in partitions:
        fact = facts.get(key, PartitionFacts())
        inputs: dict[str, dict[str, str]] = {}
        for mapping in asset.upstream:
            state = tables.get(mapping.of, TableState())
            consulted = mapping.consulted_by(key, flagged(mapping))
            inputs[mapping.of] = {str(one): state.fingerprint(one) for one in consulted}
        brought = sourced.get(key)
        if asset.source is not None and brought is not None:
            inputs[asset.source] = {str(key): brought.digest}
        records[key] = PartitionRecord(
            rows=fact.rows,
            fingerprint=fact.fingerprint,
            inputs=inputs,
            code=current.code(asset, key.location),
            contract=current.contracts[asset.key],
            checks={name: n for name, n in judged(asset, key, fact, current).items() if name in warnings},
            as_of="" if brought is None else brought.as_of,
        )
    return records


def judged(asset: Asset, key: PartitionKey, fact: PartitionFacts, current: Current) -> dict[str, int]:
    """The violations of a partition, without checks that say nothing of a day that is not over."""
    over = key.day is None or key.day < current.now.date()
    early = {check.name for check in asset.checks if check.ended_days_only and not over}
    return {name: count for name, count in fact.violations.items() if name not in early}


def change_of(records: Mapping[PartitionKey, PartitionRecord], state: TableState) -> Change:
    """What distinguishes ``records`` from the table as ``state`` has it."""
    news, written, replaced, rows = {}, [], [], 0
    for key, record in records.items():
        before = state.trusted(key)
        if before is not None and before.says_the_same_as(record):
            continue
        news[key] = record
        if before is None or not before.has_content_of(record):
            written.append(key)
            rows += record.rows
            if record.rows or key in state.unrecorded or (before is not None and before.rows):
                replaced.append(key)
    return Change(news, PartitionSet.from_keys(written), PartitionSet.from_keys(replaced), rows)


def adoptable(
    partitions: PartitionSet, facts: Mapping[PartitionKey, PartitionFacts], state: TableState
) -> dict[PartitionKey, PartitionRecord]:
    """The last records of those unrecorded ``partitions`` whose rows in the table (``facts``) are still theirs."""
    found = {}
    for key in partitions & state.unrecorded:
        record, fact = state.records.get(key), facts.get(key, PartitionFacts())
        if record is not None and (record.rows, record.fingerprint) == (fact.rows, fact.fingerprint):
            found[key] = record
    return found
