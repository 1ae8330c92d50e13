"""Damage: what is wrong with a table although no commit says so.

A partition is *damaged* if rows of it are recorded whose data file is gone or cut off. Nothing is made from a damaged
partition before it is mended. A table has *trouble* if the table as a whole cannot be read or written.

Pure: what folders and logs hold comes in as values. Damage is true for the moment of the inspection; no snapshot keeps
it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestration.core.partitions.keys import PartitionKey, PartitionSet

if TYPE_CHECKING:
    from orchestration.core.state.table_state import FileSpan, TableState

NOTHING = PartitionSet.empty()


@dataclass(frozen=True, slots=True)
class LostFile:
    """A data file that is missing or incomplete, although the table's log names it."""

    path: str
    span: FileSpan
    """The partitions whose rows the file can hold."""
    why: str
    """``is gone``, or ``is cut off (12 of 4567 bytes)``."""

    @property
    def in_words(self) -> str:
        return f"the data file {self.path} {self.why}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a table as a whole cannot be read or written, and what mends it."""

    what: str
    """What is wrong, a sentence."""
    remedy: str
    """What mends it, a sentence."""
    readable: bool = False
    """Whether the table's rows can still be read and are as recorded. Then only writing is impossible."""
    recorded: bool = True
    """Whether the table's state could be read from its log."""
    refused: bool = False
    """Whether the table merely cannot be reached: this user has no permission, or the folder is a link to nothing. Then
    nothing of it is lost."""
    moved: bool = False
    """Whether the folder has the table of another asset. Then nothing is taken over from it."""

    @property
    def in_words(self) -> str:
        return f"{self.what}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class Damage:
    """What an inspection found wrong with a table."""

    partitions: PartitionSet = field(default_factory=PartitionSet.empty)
    """The damaged partitions. Their records are not trusted."""
    lost: tuple[LostFile, ...] = ()
    """The data files that are missing or incomplete."""
    trouble: Trouble | None = None

    @property
    def in_short(self) -> str:
        """What is wrong, in words that fit all damaged partitions of the table together."""
        if self.trouble is not None and not self.trouble.readable:
            return self.trouble.what
        if not self.lost:
            return "its rows are not those that were recorded"
        first = self.lost[0].in_words
        return first if len(self.lost) == 1 else f"{first}, and {len(self.lost) - 1} more are not as the log says"

    def why(self, key: PartitionKey) -> str:
        """Why a partition is damaged."""
        if self.trouble is not None and not self.trouble.readable:
            return self.trouble.what
        return next((one.in_words for one in self.lost if one.span.covers(key)), self.in_short)

    def remedy(self, asset: str) -> str:
        """What mends the damaged partitions of an asset, a sentence."""
        if self.trouble is not None and not self.trouble.readable:
            return self.trouble.remedy
        return f"`aqi repair {asset}` mends it."

    def without(self, partitions: PartitionSet) -> Damage:
        """The damage that is left once ``partitions`` have been mended or changed."""
        return replace(self, partitions=self.partitions - partitions)


def with_damage(state: TableState, lost: Iterable[LostFile], trouble: Trouble | None = None) -> TableState:
    """``state`` with the damage that an inspection found; ``state`` itself where it found none.

    Damaged partitions count as unrecorded until they are mended.
    """
    lost = tuple(lost)
    if not lost and trouble is None:
        return state
    if trouble is not None and not trouble.readable:
        damaged = state.records.partitions - state.unrecorded
    else:
        damaged = damaged_by(state, lost)
    return replace(state, unrecorded=state.unrecorded | damaged, damage=Damage(damaged, lost, trouble))


def with_more_damage(
    state: TableState,
    lost: Iterable[LostFile] = (),
    differing: PartitionSet = NOTHING,
    trouble: Trouble | None = None,
) -> TableState:
    """``state`` with further damage, found by reading the rows.

    lost: files that cannot be read. differing: partitions whose rows are not those that were recorded. trouble: trouble
    with commits that were not needed to make the state.
    """
    if trouble is not None and (state.damage is None or state.damage.trouble is None):
        return with_damage(as_folded(state), () if state.damage is None else state.damage.lost, trouble)
    folded, before = as_folded(state), state.damage or Damage()
    differing = (differing & state.records.partitions) - folded.unrecorded
    known = {one.path for one in before.lost}
    more = tuple(one for one in lost if one.path in state.files and one.path not in known)
    if not more and not differing:
        return state
    lost = before.lost + more
    damaged = before.partitions | damaged_by(folded, lost) | differing
    return replace(folded, unrecorded=folded.unrecorded | damaged, damage=Damage(damaged, lost, before.trouble))


def as_folded(state: TableState) -> TableState:
    """The state without its damage: only what the commits say."""
    if state.damage is None:
        return state
    return replace(state, unrecorded=state.unrecorded - state.damage.partitions, damage=None)


def as_made(state: TableState) -> TableState:
    """The state before rows were lost: what dependent tables were made from."""
    state = as_folded(state)
    if not state.taken_out:
        return state
    return replace(state, unrecorded=state.unrecorded - state.taken_out, taken_out=NOTHING)


def damaged_by(state: TableState, lost: Iterable[LostFile]) -> PartitionSet:
    """The partitions of which rows were recorded that are, or may be, in the files ``lost``."""
    lost = tuple(lost)
    if not lost:
        return NOTHING
    import numpy as np  # which commands that look at no table do without

    records = state.records
    with_rows = records.set_of(np.flatnonzero(records.rows > 0)) - state.unrecorded
    return PartitionSet.union_of(one.span.covered(with_rows) for one in lost)
