"""What a plan is asked for: a type for each kind of asking, with what only that kind needs.

What the planner asks of every kind are the methods of ``Selected``; what becomes of partitions that are not fresh
differs by kind in the planner itself (``_Planning._needed``), which names all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar, TypeAlias

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.plan import Manner
from orchestration.core.state.table_state import TableState

BATCH_PARTITIONS = 13_000
"""As many day × locations at the most go through one step: some 300,000 hourly rows. What a commit has in hand, records
and a file, is in memory."""
NOTHING = PartitionSet.empty()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a backfill."""

    name: str
    partitions: PartitionSet


@dataclass(frozen=True, slots=True)
class Selected:
    """Assets, by key, and days × locations of them: what all kinds of asking are about."""

    assets: frozenset[str]
    partitions: PartitionSet
    _: KW_ONLY
    chunks: tuple[Chunk, ...] = ()
    """The parts of ``partitions`` that are fetched and written one by one; none: all in one."""
    batch: int = BATCH_PARTITIONS
    """So many partitions at the most are in the chunks that one step bears together."""

    mends: ClassVar[bool] = False
    """Whether what is damaged is made anew."""
    manner: ClassVar[Manner] = Manner.USUAL
    """How steps go about it."""

    def scope(self, asked: PartitionSet, table: TableState) -> PartitionSet:
        """Those of ``asked``, partitions of an asset that has this table, which this is about."""
        return asked

    def forced(self, asset: str, asked: PartitionSet) -> PartitionSet:
        """Those of ``asked`` that are made fresh or not."""
        return NOTHING


@dataclass(frozen=True, slots=True)
class Refresh(Selected):
    """Make what is not fresh."""


@dataclass(frozen=True, slots=True)
class Remake(Selected):
    """Make everything, fresh or not."""

    mends, manner = True, Manner.FORCED

    def forced(self, asset: str, asked: PartitionSet) -> PartitionSet:
        return asked


@dataclass(frozen=True, slots=True)
class Restart(Remake):
    """Make everything, in a way that goes on where it was when it is asked for again."""

    done: Mapping[str, PartitionSet] = field(default_factory=dict)
    """By asset, what an earlier one has made already: it counts as any other."""

    def forced(self, asset: str, asked: PartitionSet) -> PartitionSet:
        return asked - self.done.get(asset, NOTHING)


@dataclass(frozen=True, slots=True)
class Hourly(Selected):
    """Make what is not fresh, by what sources send now."""

    compare: PartitionSet = NOTHING
    """Of these, sources are asked what they send now; what they send as it is recorded is not fetched again."""
    beyond: PartitionSet = NOTHING
    """What is not caught up with, see ``HourlyWindow``."""
    fill: tuple[str, ...] = ()
    """The commands that make what is beyond."""


@dataclass(frozen=True, slots=True)
class Repair(Selected):
    """Compare what somebody else changed, or what is damaged, with what was recorded, and make anew what differs."""

    mends, manner = True, Manner.COMPARED
    kept: Mapping[str, PartitionSet] = field(default_factory=dict)
    """By asset, what can be folded anew from answers that are kept."""

    def scope(self, asked: PartitionSet, table: TableState) -> PartitionSet:
        return asked & table.unrecorded


@dataclass(frozen=True, slots=True)
class Refetch(Selected):
    """Fetch what lies behind its question, and make what follows from it."""

    mends = True


@dataclass(frozen=True, slots=True)
class ApplyChanges(Selected):
    """Make what is there and would come out otherwise, by a change of code, contracts or configuration."""

    def scope(self, asked: PartitionSet, table: TableState) -> PartitionSet:
        return asked & table.present


@dataclass(frozen=True, slots=True)
class Refold(Selected):
    """Ask no source: fold what was fetched anew, from the answers that are kept, and make what follows from it."""

    mends = True


Request: TypeAlias = Refresh | Remake | Restart | Hourly | Repair | Refetch | ApplyChanges | Refold


def making(assets: frozenset[str], partitions: PartitionSet, *, force: bool, from_raw: bool) -> Request:
    """What makes these partitions: what is not fresh of them; by ``force`` all; with ``from_raw`` from kept answers."""
    kind = Refold if from_raw else Remake if force else Refresh
    return kind(assets, partitions)
