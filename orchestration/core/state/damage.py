"""What is wrong with a table that no commit of it says: data files that are gone or cut off, trouble of the whole.

A partition is *damaged* where rows were recorded that are, or may be, in such a file; nothing is made from it before it
is mended. A table is in *trouble* where it cannot be read or written as it is, whatever its partitions are.

Pure: what lies in folders, and what a log says, comes in as values. It belongs to the moment of the look: no snapshot
keeps it.
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
    """A data file that is not there as the log says. why: ``is gone``, ``is cut off (12 of 4567 bytes)``."""

    path: str
    span: FileSpan
    why: str

    @property
    def in_words(self) -> str:
        return f"the data file {self.path} {self.why}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a table cannot be read or written as it is, and what mends it.

    readable: its rows can be read, and are what was recorded; only nothing can be written. recorded: its state could be
    read from its log, as far as its records go. refused: this user may not read it; nothing of it is lost. moved: it is
    the table of another asset, of which nothing is taken over.
    """

    what: str
    remedy: str
    readable: bool = False
    recorded: bool = True
    refused: bool = False
    moved: bool = False

    @property
    def in_words(self) -> str:
        return f"{self.what}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class Damage:
    """What a look at a table found. partitions: that are damaged; no record of them is trusted."""

    partitions: PartitionSet = field(default_factory=PartitionSet.empty)
    lost: tuple[LostFile, ...] = ()
    trouble: Trouble | None = None

    @property
    def in_short(self) -> str:
        """The same for all damaged partitions of the table."""
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
        """The same of a table of which some partitions are something else by now."""
        return replace(self, partitions=self.partitions - partitions)


def look_at(state: TableState, lost: Iterable[LostFile], trouble: Trouble | None = None) -> TableState:
    """A state as its commits make it, with what was found: the same where nothing was.

    Partitions that are damaged count as unrecorded until they are mended.
    """
    lost = tuple(lost)
    if not lost and trouble is None:
        return state
    if trouble is not None and not trouble.readable:
        damaged = state.records.partitions - state.unrecorded
    else:
        damaged = damaged_by(state, lost)
    return replace(state, unrecorded=state.unrecorded | damaged, damage=Damage(damaged, lost, trouble))


def look_further(
    state: TableState,
    lost: Iterable[LostFile] = (),
    differing: PartitionSet = NOTHING,
    trouble: Trouble | None = None,
) -> TableState:
    """A state with what a look at its rows found besides: files that cannot be read, partitions that differ, and
    trouble with commits that the state did not need."""
    if trouble is not None and (state.damage is None or state.damage.trouble is None):
        return look_at(as_folded(state), () if state.damage is None else state.damage.lost, trouble)
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
    """The state as its commits alone make it."""
    if state.damage is None:
        return state
    return replace(state, unrecorded=state.unrecorded - state.damage.partitions, damage=None)


def as_made(state: TableState) -> TableState:
    """The state as readers of the table have seen it: with the rows that were lost since."""
    state = as_folded(state)
    if not state.taken_out:
        return state
    return replace(state, unrecorded=state.unrecorded - state.taken_out, taken_out=NOTHING)


def damaged_by(state: TableState, lost: Iterable[LostFile]) -> PartitionSet:
    """The partitions of which rows were recorded that are, or may be, in lost files."""
    lost = tuple(lost)
    if not lost:
        return NOTHING
    import numpy as np  # which commands that look at no table do without

    records = state.records
    with_rows = records.set_of(np.flatnonzero(records.rows > 0)) - state.unrecorded
    return PartitionSet.union_of(one.span.covered(with_rows) for one in lost)
