"""What a plan is asked to do: one type for each kind of request, with the fields that only this kind needs.

The methods of ``Selected`` are what the planner asks of every kind. How partitions that are not fresh are treated
differs from kind to kind: see ``_Planning._needed`` in the planner, which names every kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar, TypeAlias

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.plan import Manner
from orchestration.core.state.table_state import TableState

BATCH_PARTITIONS = 13_000
"""How many partitions (day × location) go through one step at most: some 300,000 hourly rows. The records and files of
one commit are held in memory, so this bounds the memory of a run."""
NOTHING = PartitionSet.empty()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a backfill, for instance one month."""

    name: str
    partitions: PartitionSet


@dataclass(frozen=True, slots=True)
class Selected:
    """What all kinds of requests have: the selected assets (by key) and the days × locations asked for."""

    assets: frozenset[str]
    partitions: PartitionSet
    _: KW_ONLY
    chunks: tuple[Chunk, ...] = ()
    """The parts of ``partitions`` that are fetched and written one after the other. Empty: everything at once."""
    batch: int = BATCH_PARTITIONS
    """How many partitions the chunks of one step may have together at most."""

    mends: ClassVar[bool] = False
    """Whether damaged partitions are made again."""
    manner: ClassVar[Manner] = Manner.USUAL
    """How the steps of the plan treat the partitions asked for."""

    def scope(self, asked: PartitionSet, table: TableState) -> PartitionSet:
        """Those of ``asked`` that this request is about. asked: partitions of one asset. table: the state of that
        asset's table."""
        return asked

    def forced(self, asset: str, asked: PartitionSet) -> PartitionSet:
        """Those of ``asked`` that are made even where they are fresh. asked: partitions of ``asset``."""
        return NOTHING


@dataclass(frozen=True, slots=True)
class Refresh(Selected):
    """Make what is not fresh."""


@dataclass(frozen=True, slots=True)
class Remake(Selected):
    """Make everything, fresh or not (``--force``)."""

    mends, manner = True, Manner.FORCED

    def forced(self, asset: str, asked: PartitionSet) -> PartitionSet:
        return asked


@dataclass(frozen=True, slots=True)
class Restart(Remake):
    """Make everything once more. A restart that was broken off goes on where it stopped when it is asked for again."""

    done: Mapping[str, PartitionSet] = field(default_factory=dict)
    """By asset: the partitions that an earlier, broken-off restart has made. They are not forced a second time."""

    def forced(self, asset: str, asked: PartitionSet) -> PartitionSet:
        return asked - self.done.get(asset, NOTHING)


@dataclass(frozen=True, slots=True)
class Hourly(Selected):
    """Make what is not fresh, judged by what the sources send now."""

    compare: PartitionSet = NOTHING
    """The partitions for which sources are asked what they send now. Where that equals what is recorded, nothing is
    fetched again."""
    beyond: PartitionSet = NOTHING
    """What is not fresh but lies too far back for this run; see ``HourlyWindow.beyond``."""
    fill: tuple[str, ...] = ()
    """The commands for people to type that make ``beyond``."""


@dataclass(frozen=True, slots=True)
class Repair(Selected):
    """Compare partitions that are damaged, or that somebody else changed, with what was recorded. Make those again that
    differ."""

    mends, manner = True, Manner.COMPARED
    kept: Mapping[str, PartitionSet] = field(default_factory=dict)
    """By asset: the partitions that can be made again from kept raw answers."""

    def scope(self, asked: PartitionSet, table: TableState) -> PartitionSet:
        return asked & table.unrecorded


@dataclass(frozen=True, slots=True)
class Refetch(Selected):
    """Fetch the partitions that were asked for with an outdated question (other coordinates, other variables), and make
    what depends on them."""

    mends = True


@dataclass(frozen=True, slots=True)
class ApplyChanges(Selected):
    """Make the existing partitions whose content would change, by a change of code, contracts or configuration."""

    def scope(self, asked: PartitionSet, table: TableState) -> PartitionSet:
        return asked & table.present


@dataclass(frozen=True, slots=True)
class Refold(Selected):
    """Make fetched partitions again from kept raw answers, without asking a source, and make what depends on them."""

    mends = True


Request: TypeAlias = Refresh | Remake | Restart | Hourly | Repair | Refetch | ApplyChanges | Refold


def making(assets: frozenset[str], partitions: PartitionSet, *, force: bool, from_raw: bool) -> Request:
    """The request that makes ``partitions``. By default it makes what is not fresh; with ``force`` everything; with
    ``from_raw`` fetched partitions come from kept raw answers."""
    kind = Refold if from_raw else Remake if force else Refresh
    return kind(assets, partitions)
