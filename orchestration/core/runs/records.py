"""What a step records of the partitions that it made, and what else its commit says.

Pure: computed rows come in as ``PartitionFacts``, tables as ``TableState``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from orchestration.core.calendar import instant_of
from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.runs.decisions import FlagsBehind, Made, PartitionFacts, Sourced, judged
from orchestration.core.runs.fold import Folded
from orchestration.core.state.freshness import Current, Tables
from orchestration.core.state.partition_record import FADED, FROZEN, nothing
from orchestration.core.state.provenance import Answer, PartitionRecord, Provenance, Question, Shape
from orchestration.core.state.table_state import TableState


def records_of(
    asset: Asset,
    partitions: Iterable[PartitionKey],
    facts: Mapping[PartitionKey, PartitionFacts],
    tables: Tables,
    current: Current,
    flagged: FlagsBehind,
    sourced: Mapping[PartitionKey, Sourced],
    made: Made[Any] | None = None,
) -> dict[PartitionKey, PartitionRecord]:
    """The records of ``partitions``, which were made from the tables as they are in ``tables``.

    made: the rows of the step; needed for a fetched asset that keeps hours.
    """
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
    upstream = [(mapping, tables.get(mapping.of, TableState()), flagged(mapping)) for mapping in asset.upstream]
    undated = {  # the same for all of them, and one object
        mapping.of: {str(NULL_KEY): state.consulted(NULL_KEY, lacking[mapping.of])} for mapping, state, _ in upstream
    }
    for key in partitions:
        fact = facts.get(key, PartitionFacts())
        inputs: dict[str, dict[str, str]] = {}
        for mapping, state, flags in upstream:
            consulted = tuple(mapping.consulted_by(key, flags))
            if consulted == (NULL_KEY,):
                inputs[mapping.of] = undated[mapping.of]
            else:
                inputs[mapping.of] = {str(one): state.consulted(one, lacking[mapping.of]) for one in consulted}
        record = PartitionRecord(
            rows=fact.rows,
            fingerprint=fact.fingerprint,
            inputs=inputs,
            code=current.code(asset, key.location),
            contract=current.contracts[asset.key],
            checks={name: n for name, n in judged(asset, key, fact, current).items() if name in warnings} or nothing(),
            check_versions=versions,
            also=_also(fact, current.contracts[asset.key], own.trusted(key)),
        )
        brought, folded = sourced.get(key), None if made is None else made.folded.get(key)
        if folded is not None:
            record = _from_answers(record, asset, key, fact, folded, 0 if made is None else made.frozen.get(key, 0))
        elif asset.source is not None and brought is not None:
            record = _from_source(record, asset, key, fact, brought, own.trusted(key))
        records[key] = record
    return records


def _also(fact: PartitionFacts, contract: str, before: PartitionRecord | None) -> Mapping[str, str]:
    """The fingerprints over the columns of earlier contracts. If the rows came out as before, earlier such fingerprints
    are kept, also those over columns that no longer exist."""
    if before is None or (before.contract, before.rows, before.fingerprint) != (contract, fact.rows, fact.fingerprint):
        return fact.also
    return {**before.also, **fact.also}


def _from_answers(
    record: PartitionRecord, asset: Asset, key: PartitionKey, fact: PartitionFacts, folded: Folded, frozen: int
) -> PartitionRecord:
    """The record of a partition of a fetched asset that keeps hours: which answers became rows and which were turned
    away."""
    assert asset.source is not None, "only fetched assets come here"
    counts = {
        FROZEN: frozen.bit_count(),
        FADED: sum(mask.bit_count() for mask in folded.faded.values()),
    }
    checks = {**record.checks, **{name: count for name, count in counts.items() if count}}
    return replace(
        record,
        values=fact.values,
        checks=checks or nothing(),
        inputs={asset.source: {str(key): folded.digest}},
        as_of=as_of(asset, key, folded.asked),
        answers=folded.answers,
        turned_away=folded.turned_away,
        question=folded.question,
    )


def _from_source(
    record: PartitionRecord,
    asset: Asset,
    key: PartitionKey,
    fact: PartitionFacts,
    brought: Sourced,
    before: PartitionRecord | None,
) -> PartitionRecord:
    """The record of a partition of a fetched asset that does not keep hours: which answer its rows are from, and what
    was asked.

    An answer with the same content as the recorded one does not replace it in the record.
    """
    assert asset.source is not None, "only fetched assets come here"
    record = replace(record, values=fact.values)
    if brought.stored is not None:
        then = brought.stored
        counted = {name: then.checks[name] for name in (FROZEN, FADED) if name in then.checks}
        return replace(
            record,
            checks={**record.checks, **counted} or nothing(),
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
        inputs={asset.source: {str(key): brought.digest}},
        as_of="" if brought.whole else as_of(asset, key, brought.asked),
        answers=answers,
        question="" if brought.question is None else brought.question.id,
    )


def as_of(asset: Asset, key: PartitionKey, asked: str) -> str:
    """When a source was asked (ISO 8601, UTC) for a partition whose period was not over then; empty where it was
    over.
    """
    over = asset.partitions is None or not asked or asset.partitions.is_over(key, instant_of(asked))
    return "" if over else asked


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
    columns_of: Mapping[str, str] | None = None,
    by: str = "",
    kinds: tuple[str, ...] = (),
) -> Provenance:
    """The provenance of a commit: ``records``, and what they refer to by a digest.

    state: of the table before the commit. What the table knows already is left out of the rest. shapes: of today's
    contracts, by digest. questions: what sources are asked for today. columns_of: the lineage of columns. kinds: the
    kinds of source from which rows are.
    """
    known = {**state.questions, **{question.id: question for question in questions}}
    used = {record.question for record in records.values()}
    used |= {answer.question for record in records.values() for answer in record.answers if answer.question}
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
        columns_of={part: text for part, text in (columns_of or {}).items() if part not in state.columns_of},
        by=by,
        kinds=kinds,
    )
