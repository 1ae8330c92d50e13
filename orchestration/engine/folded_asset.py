"""One fetched asset that keeps hours, with everything that folding its answers needs: rules, columns, questions,
records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from orchestration.core.calendar import instant_of, midnight
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract, RowRule
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.runs.decisions import Sourced
from orchestration.core.runs.fold import Arrived, Folded, Hours, begun_by, standing
from orchestration.core.source import INGESTED_AT, Source
from orchestration.core.state.partition_record import Question
from orchestration.core.state.table_state import TableState
from orchestration.engine.hourly_rows import HourlyTable, schema_of

if TYPE_CHECKING:
    import pyarrow as pa


class Questions(Protocol):
    """What sources are asked today, and what they were asked earlier."""

    def question(self, asset: Asset, location: str | None) -> Question | None: ...

    def question_of(self, asset: Asset, key: PartitionKey, record: Any, own: TableState) -> Question | None: ...

    def meet(self, asset: str, kinds: Iterable[str]) -> None: ...


class FoldedAsset:
    """A fetched asset that keeps hours, and its table.

    own: the state of the table. columns: of the rows, named as in the source. contracts: by asset key. latest: answers
    that were asked for after this moment (ISO 8601, UTC) are not believed.
    """

    def __init__(
        self,
        asset: Asset,
        own: TableState,
        columns: Sequence[str],
        source: Source[Any],
        essential: Sequence[str],
        contracts: Mapping[str, Contract],
        questions: Questions,
        latest: str,
    ) -> None:
        assert asset.hours is not None and asset.partition_columns is not None, "it keeps hours of days"
        self.asset, self.own, self.source, self.latest = asset, own, source, latest
        self.essential = tuple(essential)
        self.location = asset.partition_columns.location
        self.asked: dict[str, Question] = {}
        self._instant, self._questions = asset.hours.instant, questions
        judge = asset.hours.judged_by
        self._rules: tuple[RowRule, ...] = contracts[judge].rules if judge else ()
        self._values = [name for name in columns if name not in (self.location, self._instant, INGESTED_AT)]
        self._schema = schema_of(source)

    def table(self, rows: pa.Table) -> HourlyTable:
        return HourlyTable(rows, self.location, self._instant, self._values, self._rules)

    def together(self, tables: Sequence[pa.Table]) -> pa.Table:
        """The rows of all tables, one after the other, in the columns and types of the source, as one chunk."""
        import pyarrow as pa

        parts = [one.select(self._schema.names).cast(self._schema) for one in tables if one.num_rows]
        return pa.concat_tables(parts).combine_chunks() if parts else self._schema.empty_table()

    def standing(self, key: PartitionKey, hours: Hours) -> Folded | None:
        """The recorded state of a partition, with the question that it answers; None where there is no record."""
        record = self.own.trusted(key)
        if record is None:
            return None
        found = standing(str(self.asset.source), str(key), record, hours, self.latest)
        then = self._questions.question_of(self.asset, key, record, self.own)
        if then is not None:
            self.asked[then.id] = then
        return replace(found, question=record.question or ("" if then is None else then.id))

    def arrived(self, key: PartitionKey, came: Sourced, hours: Hours) -> Arrived:
        """A fetched answer, as the fold takes it. hours: what its rows have."""
        question = came.question or self._questions.question(self.asset, key.location)
        if question is not None:
            self.asked[question.id] = question
        asked = "" if question is None else question.id
        return Arrived(came.asked, came.digest, hours, begun(key, came.asked), came.forced, asked)

    def meet(self, kinds: Iterable[str]) -> None:
        """Check the kinds of source of kept answers. Raises SourceOfOtherKind where the table does not take them."""
        self._questions.meet(self.asset.key, kinds)

    def is_elsewhere(self, then: str, now: str) -> bool:
        """Whether rows that answer the question with the id ``then`` do not answer the question ``now``."""
        if then == now:
            return False
        one, other = self._question(then), self._question(now)
        if one is None or other is None:
            return False
        # A column that was never asked for makes no row another's.
        return bool(self.source.difference("", replace(one, variables=other.variables), other))

    def _question(self, name: str) -> Question | None:
        return self.asked.get(name) or self.own.questions.get(name)


def begun(key: PartitionKey, asked: str) -> int:
    """The hours of a partition, as a mask, that had begun when it was asked for."""
    assert key.day is not None, "fetched assets have days"
    return begun_by(midnight(key.day), instant_of(asked))
