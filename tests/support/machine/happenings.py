"""What may happen in the model, as strategies: revisions by the provider, deployments, ranges, chunks."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.planning.request import BATCH_PARTITIONS, Chunk
from tests.support.machine.deployed import (
    ALL,
    CLEAN,
    DATES,
    DAYS,
    FEED,
    HOURS,
    KEYS,
    LAKE,
    LOCATIONS,
    NAMES,
    QUARANTINE,
    RUNS,
    TOWNS,
    Rows,
)

NOON = datetime(2025, 8, 4, 12, 30, tzinfo=UTC)
NOTHING = PartitionSet.empty()
BATCH = BATCH_PARTITIONS

Pattern = tuple[int | None, ...]
HIGH, LOW, BAD = 160, 50, -1
PATTERNS: tuple[Pattern, ...] = (
    (LOW, LOW, LOW, LOW),
    (HIGH, HIGH, HIGH, HIGH),
    (LOW, LOW, HIGH, HIGH),
    (HIGH, HIGH, LOW, LOW),
    (LOW, HIGH, LOW, HIGH),
    (HIGH, LOW, None, HIGH),
    (120, BAD, HIGH, HIGH),
    (200, HIGH, 120, 120),
)
"""The index of the blocks of a day: runs that start, end, or go on over midnight, nulls, rows for the quarantine."""

SELECTIONS = (
    ALL,
    frozenset({FEED, CLEAN, LOCATIONS, HOURS, RUNS}),
    frozenset({CLEAN, QUARANTINE, HOURS, DAYS, RUNS}),
    frozenset({FEED, CLEAN, HOURS}),
    frozenset({FEED}),
    frozenset({CLEAN}),
    frozenset({HOURS}),
    frozenset({RUNS}),
    frozenset({LOCATIONS}),
    frozenset({FEED, RUNS}),
    frozenset({CLEAN, RUNS, DAYS}),
)
WORLD = (
    *("", "pattern", "pattern", "move", "move", "withdraw", "back"),
    *("contract", "code", "code", "effect", "effect", "effect", "grow", "grow", "line", "revert"),
    *("nudge", "far", "leave or come"),
)
"""What the provider (on the asked days) or a deployment does right before a run."""

RACES = (("contract", "effect"), ("code", "effect"), ("contract", "move"), ("contract", "delete"), ("effect", ""))
"""What happens before the first of two runs starts, and before the second does."""

END = 1_000_000
"""More phases than a run has."""

often_all = st.just(ALL) | st.sampled_from(SELECTIONS)
assets = st.sampled_from([*LAKE.keys, LOCATIONS])
dated = st.sampled_from([key for key in LAKE.keys if key != LOCATIONS])
towns = st.sampled_from([TOWNS, TOWNS[:1], TOWNS[1:]])
keys = st.sampled_from([key for key in KEYS if key.location in TOWNS])
seldom = st.sampled_from([False, False, True])
seeds = st.integers(0, 2**16)


@st.composite
def ranges(draw: st.DrawFn) -> PartitionSet:
    """Some days at some towns."""
    first = draw(st.integers(0, len(DATES) - 2))
    last = draw(st.integers(first, len(DATES) - 1))
    return PartitionSet.of(Days.of(DATES[first], DATES[last]), draw(towns))


Happening = tuple[str, str, Pattern, bool]
"""What happens to the world: of ``WORLD``, a deployment of which asset, a revision to which pattern, fetched soon?"""


def happenings() -> st.SearchStrategy[Happening]:
    return st.tuples(st.sampled_from(WORLD), assets, st.sampled_from(PATTERNS), st.sampled_from([True, True, False]))


def day_of(pattern: Sequence[int | None], key: PartitionKey) -> Rows:
    """The blocks of a day; on every other day of a town, dust is there only where the index is not."""
    sparse = (DATES.index(key.day) + NAMES.index(key.location)) % 2
    return tuple((block, aqi, None if sparse and aqi is not None else 10) for block, aqi in enumerate(pattern))


def moved(rows: Rows) -> Rows:
    """Every value in the other column."""
    return tuple((block, dust, aqi) for block, aqi, dust in rows)


def chunked(partitions: PartitionSet, sizes: Iterable[int], order: int) -> tuple[Chunk, ...]:
    """``partitions`` in chunks of so many days each, in some order; 0 leaves them in theirs."""
    left, chunks = list(partitions.days), []
    for size in (*sizes, *[1] * len(left)):
        taken, left = left[:size], left[size:]
        if taken:
            part = partitions.restrict(days=Days.from_dates(taken))
            chunks.append(Chunk(str(part.days), part))
    if order:
        random.Random(order).shuffle(chunks)
    return tuple(chunks)


def go(phases: Iterator[None], count: int) -> bool:
    """Let a run go on for so many phases; whether it is still there."""
    return all(next(phases, phases) is not phases for _ in range(count))


def quickly(examples: int, steps: int = 15) -> settings:
    """Settings for so many examples of so many rules."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
