"""Any history, any snapshots: they say what the log said."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.state.snapshots import snapshot_due
from orchestration.core.state.table_state import FileSpan, TableState
from tests.support.delta_files import CREATED, Table, add, info, remove, stats
from tests.support.records import file_of, keys

quick = settings(max_examples=50, deadline=None)


@dataclass(frozen=True)
class Step:
    """A commit of a random history. removed: which of the files there, by number. keep: then keep the state."""

    ours: bool
    days: frozenset[int]
    wiped: frozenset[int]
    added: FileSpan | None
    removed: int | None
    with_stats: bool
    data_change: bool
    keep: bool


day_numbers = st.integers(1, 9)
steps = st.builds(
    Step,
    ours=st.booleans(),
    days=st.frozensets(day_numbers, max_size=3),
    wiped=st.just(frozenset[int]()) | st.frozensets(day_numbers, max_size=3),
    added=st.none() | st.builds(file_of, day_numbers, day_numbers),
    removed=st.none() | st.integers(0, 9),
    with_stats=st.booleans(),
    data_change=st.booleans(),
    keep=st.booleans(),
)


def statistics(span: FileSpan) -> str:
    return stats(str(span.first_day), str(span.last_day), span.first_location or "", span.last_location or "")


def commit(table: Table, version: int, step: Step, there: dict[str, FileSpan]) -> None:
    """Write a step's commit. there: the files and what they hold; changed as the commit changes them."""
    actions = []
    if step.removed is not None and there:
        path = sorted(there)[step.removed % len(there)]
        del there[path]
        actions.append(remove(path, dataChange=step.data_change))
    if step.added is not None:
        path = f"{version}.parquet"
        there[path] = step.added if step.with_stats else FileSpan()
        actions.append(add(path, statistics(step.added) if step.with_stats else None, dataChange=step.data_change))
    if step.ours:
        table.ours(version, *step.days, actions=tuple(actions), wiped=keys(*step.wiped))
    else:
        table.commit(version, info(), *actions)


@contextmanager
def a_table() -> Iterator[Table]:
    with tempfile.TemporaryDirectory() as folder:
        yield Table(Path(folder))


@quick
@given(
    st.frozensets(day_numbers, min_size=1),
    st.lists(steps, min_size=1, max_size=8),
    st.sampled_from([1, 3, 20]),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_snapshots_say_what_the_log_said(
    first: frozenset[int], history: list[Step], apart: int, share: float, cut: float
) -> None:
    """Whenever snapshots were taken, and whether commits that they cover, or the snapshots themselves, are gone."""
    due = partial(snapshot_due, commits_apart=apart, changed_share=share)
    with a_table() as table:
        there: dict[str, FileSpan] = {}
        table.ours(0, *first, actions=CREATED)
        whole_log = TableState()
        covered = -1
        for version, step in enumerate(history, 1):
            commit(table, version, step, there)
            whole_log = table.log.state(whole_log)
            assert whole_log.files == there
            assert (table.log.state(), table.log.state().files) == (whole_log, there)
            if step.keep:
                table.log.snapshots.keep(table.log.state(), due)
                covered = version
        last = len(history)
        for version in range(min(round(cut * (covered + 1)), last)):  # Delta never removes its last commit
            table.commit_file(version).unlink()
        assert (table.log.state(), table.log.state().files) == (whole_log, there)
        if len(table.log.versions()) == last + 1:
            shutil.rmtree(table.folder / "_aqi", ignore_errors=True)
            assert (table.log.state(), table.log.state().files) == (whole_log, there)
