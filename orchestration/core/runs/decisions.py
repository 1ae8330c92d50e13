"""What a step decides, apart from Spark: which of its partitions it makes, which it cannot, what it records of those it
made, and what its commit has to change.

Pure: what was computed comes in as ``PartitionFacts``, what tables hold as ``TableState``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import FlaggedHours, PartitionMapping
from orchestration.core.planning.planner import Plan, Step
from orchestration.core.runs.outcome import Outcome, Problem, StepOutcome, union
from orchestration.core.state.freshness import Current, Tables, not_fresh
from orchestration.core.state.provenance import Answer, PartitionRecord, Provenance, Question, Shape, TableState

EMPTY = "empty"
"""The fingerprint of a partition without rows."""

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
    violations: Mapping[str, int] = field(default_factory=dict)
    also: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sourced:
    """What the source sent for a partition: its digest; as_of: when it was asked, empty if the day had ended.

    asked: when it was asked, always. forced: by ``--force``. question: what it was asked.
    stored: the record of rows that were not asked for again, but went through the function as they were stored.
    """

    digest: str
    as_of: str = ""
    asked: str = ""
    forced: bool = False
    question: Question | None = None
    stored: PartitionRecord | None = None


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
    own = tables.get(asset.key, TableState())
    versions = {name: current.check_version(asset, name) for name in warnings} if current.check_version else {}
    lacking = {
        mapping.of: lru_cache(maxsize=None)(
            partial(current.columns_lacking, mapping.of, tables.get(mapping.of, TableState()))
        )
        for mapping in asset.upstream
    }
    records = {}
    for key in partitions:
        fact = facts.get(key, PartitionFacts())
        inputs: dict[str, dict[str, str]] = {}
        for mapping in asset.upstream:
            state = tables.get(mapping.of, TableState())
            consulted = mapping.consulted_by(key, flagged(mapping))
            inputs[mapping.of] = {str(one): state.consulted(one, lacking[mapping.of]) for one in consulted}
        record = PartitionRecord(
            rows=fact.rows,
            fingerprint=fact.fingerprint,
            inputs=inputs,
            code=current.code(asset, key.location),
            contract=current.contracts[asset.key],
            checks={name: n for name, n in judged(asset, key, fact, current).items() if name in warnings},
            check_versions=versions,
            also=_also(fact, current.contracts[asset.key], own.trusted(key)),
        )
        brought = sourced.get(key)
        if asset.source is not None and brought is not None:
            record = _from_source(record, asset.source, key, fact, brought, own.trusted(key))
        records[key] = record
    return records


def _also(fact: PartitionFacts, contract: str, before: PartitionRecord | None) -> Mapping[str, str]:
    """The fingerprints over earlier columns: of rows that came out as they were, also those that were known before, of
    columns that are no more."""
    if before is None or (before.contract, before.rows, before.fingerprint) != (contract, fact.rows, fact.fingerprint):
        return fact.also
    return {**before.also, **fact.also}


def _from_source(
    record: PartitionRecord,
    source: str,
    key: PartitionKey,
    fact: PartitionFacts,
    brought: Sourced,
    before: PartitionRecord | None,
) -> PartitionRecord:
    """The record of a fetched partition: which answers own its hours, and what was asked.

    An answer that brought nothing else than the one before leaves that in place: it was there first.
    """
    record = replace(record, values=fact.values)
    if brought.stored is not None:
        then = brought.stored
        return replace(
            record,
            inputs=then.inputs,
            as_of=then.as_of,
            answers=then.answers,
            turned_away=then.turned_away,
            question=then.question or (brought.question.id if brought.question else ""),
        )
    answers: tuple[Answer, ...] = (Answer(brought.asked, brought.digest, brought.forced),)
    if before is not None and [answer.digest for answer in before.answers] == [brought.digest]:
        answers = before.answers
    return replace(
        record,
        inputs={source: {str(key): brought.digest}},
        as_of=brought.as_of,
        answers=answers,
        question="" if brought.question is None else brought.question.id,
    )


def provenance_of(
    run_id: str,
    asset: Asset,
    at: str,
    records: Mapping[PartitionKey, PartitionRecord],
    state: TableState,
    shapes: Mapping[str, Shape],
    *,
    questions: Iterable[Question] = (),
    wiped: PartitionSet | None = None,
    past: tuple[Mapping[str, Any], ...] = (),
    by: str = "",
) -> Provenance:
    """What a commit says: ``records``, and what they refer to by a digest.

    state: of the table before; shapes, questions: those of now, besides those that the table knows already.
    """
    known = {**state.questions, **{question.id: question for question in questions}}
    used = {record.question for record in records.values()}
    contracts = {record.contract for record in records.values()}
    contracts |= {digest for record in records.values() for digest in record.also}
    said = {**state.shapes, **shapes}
    return Provenance(
        run_id,
        asset.key,
        at,
        records,
        PartitionSet.empty() if wiped is None else wiped,
        questions={name: known[name] for name in sorted(used) if name in known},
        shapes={digest: said[digest] for digest in sorted(contracts) if digest in said},
        past=past,
        by=by,
    )


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
