"""A state machine over the pure core holds; ``tests.support.machine.lakehouse`` says what may happen in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.request import Refresh, Remake, Request
from tests.support.examples import share
from tests.support.machine.deployed import ALL, DAYS, HOURS, KEYS, LAKE, TOWNS
from tests.support.machine.happenings import BATCH, PATTERNS, Pattern, chunked, quickly, seeds
from tests.support.machine.lakehouse import Lakehouse


def test_the_core_holds() -> None:
    run_state_machine_as_test(Lakehouse, settings=quickly(share.taken(60)))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_core_holds_for_long() -> None:
    run_state_machine_as_test(Lakehouse, settings=settings(quickly(500, 30), derandomize=False))


@settings(quickly(12))
@given(
    patterns=st.lists(st.sampled_from(PATTERNS), min_size=6, max_size=12),
    sizes=st.lists(st.integers(1, 3), max_size=4),
    shuffled=st.integers(0, 5),
    batch=st.sampled_from([1, 2, 4, BATCH]),
    order=seeds,
)
def test_chunks_do_not_matter(patterns: list[Pattern], sizes: list[int], shuffled: int, batch: int, order: int) -> None:
    """One range, a backfill in chunks, and a run per chunk: the same rows and the same records."""

    def loaded(*requests: Request) -> dict[str, tuple[Any, Any]]:
        machine = Lakehouse()
        machine.begin(patterns, locked=True, load="not yet", order=0)
        for request in requests:
            machine._undisturbed(request, order, batch=batch)
        records = {key: machine.storage.state(key).records for key in LAKE.keys}
        facts = {key: {one: record.facts() for one, record in of.items()} for key, of in records.items()}
        return {key: (machine.storage.newest(key).rows, facts[key]) for key in LAKE.keys}

    everything = PartitionSet.from_keys(key for key in KEYS if key.location in TOWNS)
    chunks = chunked(everything, sizes, shuffled)
    at_once = loaded(Refresh(ALL, everything))
    assert loaded(Refresh(ALL, everything, chunks=chunks)) == at_once
    assert loaded(*[Refresh(ALL, chunk.partitions) for chunk in chunks]) == at_once


def test_a_step_waits_for_the_last_step_that_makes_what_it_reads() -> None:
    """Found by the machine: the days of a later batch are made by the first batch's step too, because a dimension is
    made anew; what was made of them waited for that step alone, and was left stale by a run that came to its end."""
    machine = Lakehouse()
    machine.begin([PATTERNS[0]], locked=True, load="at once", order=0)
    asked = PartitionSet.from_keys(key for key in KEYS if key.location in TOWNS)
    run = machine._run(Remake(ALL, asked, chunks=chunked(asked, [], 0)), batch=1)
    makers = run.plan.steps_of(HOURS)
    assert len(makers) > 1 and makers[-1].partitions & makers[0].may_rewrite
    last = run.plan.steps_of(DAYS)[-1]
    assert [item.step for item in last.inputs if item.partitions & last.partitions] == [makers[-1].id]
