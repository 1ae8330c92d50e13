"""What one partition was made from, hop by hop, to the answers of sources: what an auditor asks.

It is read from records: those of the partition, of the upstream partitions that it consulted, of those that these
consulted, and so on. A table records the last of what became of a partition: where that is not any more what was
consulted, it is said, and what follows is of what is there now.

Must not know: where answers are kept, and how it is told.
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
    """An upstream partition as it was consulted. now: what a reader would record of it now. holds: whether what was
    recorded is right still."""

    partition: PartitionKey
    recorded: str
    now: str
    holds: bool

    @property
    def was_absent(self) -> bool:
        """Whether it was not there."""
        return self.recorded == ABSENT


@dataclass(frozen=True, slots=True)
class Made:
    """One partition as it is recorded.

    judgement: its state now. code_counts: whether its code version is today's, or counts as that; None where its
    location has no code of today. reads: upstream asset
    → what was consulted of it. question: what its source was asked; None of an asset without source, or where that was
    not recorded.
    """

    partition: PartitionKey
    record: PartitionRecord
    judgement: Judgement
    code_counts: bool | None
    reads: Mapping[str, tuple[Consulted, ...]] = field(default_factory=dict)
    question: Question | None = None

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers of which its rows are."""
        return self.record.answers

    @property
    def turned_away(self) -> tuple[TurnedAway, ...]:
        """The answers that did not get to replace them."""
        return self.record.turned_away


@dataclass(frozen=True, slots=True)
class AuditHop:
    """What was consulted of an asset. made: what has a record. absent: what is not there. questions: by id."""

    asset: Asset
    made: tuple[Made, ...]
    absent: PartitionSet
    questions: Mapping[str, Question] = field(default_factory=dict)

    @property
    def partitions(self) -> PartitionSet:
        return PartitionSet.from_keys(one.partition for one in self.made) | self.absent

    def question_of(self, made: Made, answer: Answer) -> Question | None:
        """What was asked for an answer, where that was recorded."""
        return self.questions.get(answer.question or made.record.question)


@dataclass(frozen=True, slots=True)
class Audit:
    """Of one partition; hops: of its asset, then of all upstream, the nearest first."""

    asset: str
    partition: PartitionKey
    hops: tuple[AuditHop, ...]


def audited(catalog: Catalog, key: str, partition: PartitionKey, tables: Tables, current: Current) -> Audit:
    """What ``partition`` of the asset ``key`` was made from; without hops where nothing is recorded of it.

    tables: with those of everything upstream.
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
        told = [(PartitionKey.parse(text), recorded) for text, recorded in consulted.items()]
        reads[of] = tuple(
            Consulted(one, recorded, state.consulted(one, lacking), state.holds(one, recorded, lacking))
            for one, recorded in told
        )
    counts = None
    if current.is_configured(partition.location):
        counts = current.same(asset, partition.location, record.code, judge.own)
    question = judge.own.questions.get(record.question) if asset.source is not None else None
    return Made(partition, record, judge(partition), counts, reads, question)
