"""Folding for fetched assets that keep hours: new answers are folded into the stored rows, or kept answers from the
start.

``core.runs.fold`` decides hour by hour which row stays. A partition is folded from its kept answers (``refolding``) if
an answer arrives late, if somebody else changed its rows, or on request (``--from-raw``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestration.core.calendar import iso
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.errors import LakehouseError, WarehouseError, in_a_line
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.runs.decisions import Sourced
from orchestration.core.runs.fold import Folded, Hours, fold, late
from orchestration.core.source import Source
from orchestration.core.state.freshness import Current
from orchestration.core.state.table_state import TableState
from orchestration.engine.folded_asset import FoldedAsset, Questions
from orchestration.engine.refolding import Refolding, lacking
from resources.delta.warehouse import Warehouse
from resources.machine.clock import Clock
from resources.raw.answers import RawAnswers

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Rows:
    """The rows of partitions after a fold, in the columns of the source."""

    table: pa.Table
    folded: Mapping[PartitionKey, Folded] = field(default_factory=dict)
    """For each partition, from which answers its rows are."""
    frozen: Mapping[PartitionKey, int] = field(default_factory=dict)
    """For each partition, the hours in which the source's values stand still, as a mask."""
    frozen_over: Mapping[PartitionKey, int] = field(default_factory=dict)
    """The same, with stretches that cross midnight."""


class Folding:
    """Folds answers for all fetched assets of a warehouse that keep hours.

    contracts: by asset key. frozen_hours: values that are equal for this many hours count as standing still.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        raw: RawAnswers,
        sources: Mapping[str, Source[Any]],
        contracts: Mapping[str, Contract],
        current: Current,
        questions: Questions,
        now: Clock,
        frozen_hours: int,
    ) -> None:
        self._warehouse, self._raw, self._sources = warehouse, raw, sources
        self._contracts, self._current, self._questions = contracts, current, questions
        self._now, self._frozen_hours = now, frozen_hours

    def fold(
        self,
        asset: Asset,
        targets: PartitionSet,
        own: TableState,
        fetched: pa.Table | None,
        sourced: Mapping[PartitionKey, Sourced],
        anew: PartitionSet,
        columns: Sequence[str],
    ) -> Rows:
        """The rows of ``targets``, in ``columns``.

        fetched: the fetched rows. sourced: what the source sent for each partition. anew: the partitions that are
        folded from kept answers alone. Raises WarehouseError where stored rows, or needed kept answers, cannot be read.
        """
        of = self._of(asset, own, columns)
        stored = PartitionSet.from_keys(
            key for key in targets - anew if (record := own.trusted(key)) is not None and record.rows
        )
        there = None if not stored else of.table(self._stored(asset, stored, own, columns))
        stored_hours = {} if there is None else there.hours()
        new = None if fetched is None else of.table(fetched)
        new_hours = {} if new is None else new.hours()
        before = {key: of.standing(key, stored_hours.get(key, Hours())) for key in targets - anew}
        arrived = {key: of.arrived(key, sourced[key], new_hours.get(key, Hours())) for key in targets - anew}
        refolding = Refolding(of, self._raw, arrived, new)
        behind = refolding.late(before)
        changed = [key for key in targets - anew if key in own.unrecorded]
        refolded = refolding.rows([*anew], [*behind, *changed])
        folded: dict[PartitionKey, Folded] = dict(refolded.folded)
        direct = [key for key in targets if key not in folded]
        for key in direct:
            state = before[key]
            if key in behind and state is not None:
                folded[key] = late(state, arrived[key], of.essential)
            else:
                folded[key] = fold(state, arrived[key], of.essential, is_elsewhere=of.is_elsewhere, latest=of.latest)
        parts = [refolded.table]
        if there is not None:
            parts.append(there.only({key: folded[key].hours.rows & ~folded[key].taken for key in direct}))
        if new is not None:
            parts.append(new.only({key: folded[key].taken for key in direct}))
        table = of.together(parts)
        hours = of.table(table)
        return Rows(
            table, folded, hours.frozen(self._frozen_hours), hours.frozen(self._frozen_hours, over_midnight=True)
        )

    def lacking(
        self, asset: Asset, partitions: PartitionSet, own: TableState, *, repair: bool = False
    ) -> tuple[tuple[PartitionSet, Exception], ...]:
        """Those of ``partitions`` that cannot be folded from kept answers because some of these are gone; with an error
        that says how many hours are concerned."""
        return lacking(self._raw, asset, partitions, own, repair=repair)

    def _of(self, asset: Asset, own: TableState, columns: Sequence[str]) -> FoldedAsset:
        assert asset.source is not None, "only fetched assets keep hours"
        latest = iso(self._now() + self._current.clock_tolerance)
        source, essential = self._sources[asset.source], self._current.essential_of(asset)
        return FoldedAsset(asset, own, columns, source, essential, self._contracts, self._questions, latest)

    def _stored(self, asset: Asset, partitions: PartitionSet, own: TableState, columns: Sequence[str]) -> pa.Table:
        """The stored rows of ``partitions``; null in those of ``columns`` that the table does not have.

        They are read by runs of consecutive days, so that no file of a day between them is needed.
        """
        import pyarrow as pa

        assert own.version is not None, "there are rows"
        parts = []
        for first, last in partitions.days.pieces:
            piece = partitions.restrict(days=Days.of(first, last))
            try:
                rows = self._warehouse.read_partitions(asset, own.version, piece)
            except (OSError, pa.ArrowException) as error:
                raise _unreadable(asset, piece, error) from error
            except Exception as error:  # deltalake raises its own
                if isinstance(error, LakehouseError):
                    raise
                raise _unreadable(asset, piece, error) from error
            for name in columns:
                if name not in rows.column_names:
                    rows = rows.append_column(name, pa.nulls(rows.num_rows))
            parts.append(rows.select(list(columns)))
        return pa.concat_tables(parts, promote_options="permissive")


def _unreadable(asset: Asset, partitions: PartitionSet, error: Exception) -> WarehouseError:
    return WarehouseError(
        f"{asset.key}: the rows of {partitions} cannot be read ({in_a_line(error)})",
        "Restore its files from a copy; or wipe these partitions, and make them with --from-raw.",
    )
