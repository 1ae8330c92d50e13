"""What a plan is asked for: assets and partitions, and how far to go about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

from orchestration.core.partitions.keys import PartitionSet

BATCH_PARTITIONS = 13_000
"""As many day × locations at the most go through one step: some 300,000 hourly rows. What a commit has in hand, records
and a file, is in memory."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a backfill."""

    name: str
    partitions: PartitionSet


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: selected assets (keys), and days × locations.

    force: make what is fresh too. restart: the same, in a way that goes on where it was when it is asked for again.
    done: by asset, what a restart has made already, which counts as any other. chunks: the parts of ``partitions`` that
    are fetched and written one by one, of which one step bears so many together as have ``batch`` partitions.
    repair: only what somebody else changed, and compare before making it anew.
    compare: of these, sources are asked what they send now; what they send as it is recorded is not fetched again.
    beyond: what an hourly request does not catch up with, see ``HourlyWindow``; fill: the commands that make it.
    refetch: only what lies behind its question is fetched, and what follows from it made. changed: only what is there
    and would come out otherwise by a change of code, contracts or configuration. from_raw: what sources sent is not
    asked for, but folded anew from the answers that are kept. kept: of a repair, by asset, what can be folded so.
    """

    assets: frozenset[str]
    partitions: PartitionSet
    _: KW_ONLY
    force: bool = False
    done: Mapping[str, PartitionSet] = field(default_factory=dict)
    restart: bool = False
    chunks: tuple[Chunk, ...] = ()
    batch: int = BATCH_PARTITIONS
    repair: bool = False
    compare: PartitionSet = field(default_factory=PartitionSet.empty)
    beyond: PartitionSet = field(default_factory=PartitionSet.empty)
    fill: tuple[str, ...] = ()
    refetch: bool = False
    changed: bool = False
    from_raw: bool = False
    kept: Mapping[str, PartitionSet] = field(default_factory=dict)
