"""The audit of a partition: from what it was made, step by step upstream, back to the answers of sources.

It follows the records: that of the partition, those of the upstream partitions on which it depends, and so on. A table
keeps only the last record of a partition. If that is no longer the content from which the dependent partition was made,
the audit says so, and goes on with the present record.

Must not know: where raw answers are kept, and how an audit is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.state.freshness import Current, Judge, Judgement, Tables
from orchestration.core.state.partition_record import ABSENT, Answer, PartitionRecord, Question, TurnedAway
from orchestration.core.state.table_state import TableState


class Consulted(NamedTuple):
    """An upstream partition from which another one was made."""

    partition: PartitionKey
    recorded: str
    """What the record of the dependent partition says of it; see ``TableState.consulted``."""
    now: str
    """What such a record would say now."""
    holds: bool
    """Whether ``recorded`` is still right."""

    @property
    def was_absent(self) -> bool:
        """Whether the upstream partition did not exist."""
        return self.recorded == ABSENT


@dataclass(frozen=True, slots=True)
class Made:
    """One partition with its record."""

    partition: PartitionKey
    record: PartitionRecord
    judgement: Judgement
    """The present state of the partition."""
    code_counts: bool | None
    """Whether the recorded code version makes the same rows as today's; None where the location has no code version of
    today."""
    accepted: bool = False
    """Whether `aqi accept` has equated the recorded code version with another one."""
    reads: Mapping[str, tuple[Consulted, ...]] = field(default_factory=dict)
    """Upstream asset → the partitions from which this one was made."""
    question: Question | None = None
    """What its source was asked; None for an asset without source, or where it was not recorded."""

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers from which the rows are."""
        return self.record.answers

    @property
    def turned_away(self) -> tuple[TurnedAway, ...]:
        """The answers that did not replace a row."""
        return self.record.turned_away


@dataclass(frozen=True, slots=True)
class AuditHop:
    """The part of an audit about one asset."""

    asset: Asset
    made: tuple[Made, ...]
    """The partitions that have a record."""
    absent: PartitionSet
    """The partitions that do not exist."""
    questions: Mapping[str, Question] = field(default_factory=dict)
    """What sources were asked, by id."""

    @property
    def partitions(self) -> PartitionSet:
        return PartitionSet.from_keys(one.partition for one in self.made) | self.absent

    def question_of(self, made: Made, answer: Answer) -> Question | None:
        """What was asked for an answer, where that was recorded."""
        return self.questions.get(answer.question or made.record.question)


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit of one partition."""

    asset: str
    partition: PartitionKey
    hops: tuple[AuditHop, ...]
    """The asset itself, then everything upstream, the nearest first."""


def audited(catalog: Catalog, key: str, partition: PartitionKey, tables: Tables, current: Current) -> Audit:
    """The audit of ``partition`` of the asset ``key``. It has no hops if the partition has no record.

    tables: the states of the asset's table and of everything upstream.
    """
    wanted: dict[str, PartitionSet] = {key: PartitionSet.one(partition)}
    hops: dict[str, AuditHop] = {}
    downwards = tuple(reversed(tuple(catalog)))  # a table comes after all that is made from it
    while asset := next((one for one in downwards if one.key in wanted and one.key not in hops), None):
        hop = hops[asset.key] = _hop(asset, wanted[asset.key], tables, current)
        for made in hop.made:
            for of, consulted in made.reads.items():
                here = PartitionSet.from_keys(one.partition for one in consulted)
                wanted[of] = wanted.get(of, PartitionSet.empty()) | here
    return Audit(key, partition, tuple(hops.values()) if hops[key].made else ())


def _hop(asset: Asset, partitions: PartitionSet, tables: Tables, current: Current) -> AuditHop:
    judge = Judge(asset, tables, current)
    records = judge.own.records
    found = [(one, record) for one in partitions if (record := records.get(one)) is not None]
    made = tuple(_made(judge, one, record, tables) for one, record in found)
    absent = partitions - PartitionSet.from_keys(one for one, _ in found)
    return AuditHop(asset, made, absent, judge.own.questions)


def _made(judge: Judge, partition: PartitionKey, record: PartitionRecord, tables: Tables) -> Made:
    asset, current = judge.asset, judge.current
    reads: dict[str, tuple[Consulted, ...]] = {}
    for of, consulted in record.inputs.items():
        if of == asset.source:
            continue  # its answers say more
        state, lacking = tables.get(of, TableState()), judge.lacking.get(of)
        pairs = [(PartitionKey.parse(text), recorded) for text, recorded in consulted.items()]
        reads[of] = tuple(
            Consulted(one, recorded, state.consulted(one, lacking), state.holds(one, recorded, lacking))
            for one, recorded in pairs
        )
    counts = None
    if current.is_configured(partition.location):
        counts = current.same(asset, partition.location, record.code, judge.own)
    question = judge.own.questions.get(record.question) if asset.source is not None else None
    accepted = judge.own.accepted_with(record.code, partition.location)
    return Made(partition, record, judge(partition), counts, accepted, reads, question)
