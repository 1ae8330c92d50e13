"""The fold against what happens to a table: partitions wiped, rows changed by others, files lost, clocks and rules that
change. In a warehouse, over the embedded engine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from rich.console import Console

from orchestration.cli.progress import Quiet
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.runs.outcome import RunSummary
from orchestration.engine.wipe import run_wipes
from orchestration.reports.status import read_status
from tests.support import oracle
from tests.support.small_lake import FETCHED
from tests.support.story import RANGE, Story, mend, spoil, story

pytestmark = pytest.mark.engine
DAY_2 = PartitionKey(date(2025, 3, 4), "hanoi")


@pytest.fixture
def told(tmp_path: Path, embedded: Any) -> Iterator[Story]:
    with story(tmp_path / "lake", embedded) as made:
        yield made


def values(told: Story, key: PartitionKey, column: str = "pm25") -> list[Any]:
    rows = sorted(told.lake.rows(oracle.BRONZE), key=lambda row: row["ts_utc"])
    return [row[column] for row in rows if (row["date_utc"], row["location_key"]) == (key.day, key.location)]


def states(told: Story) -> dict[str, tuple[str, tuple[str, ...]]]:
    found = read_status(told.lake.workspace, [oracle.BRONZE])
    return {str(one.partition): (str(one.state), one.marks) for one in found}


def wipe(told: Story, key: PartitionKey) -> None:
    workspace = told.lake.workspace
    request = workspace.to_wipe(workspace.select(oracle.BRONZE), str(key.day), [str(key.location)])
    run_wipes(workspace, request, Quiet(Console(quiet=True)))


def changed_by_others(told: Story, where: str) -> None:
    DeltaTable(told.lake.uri(oracle.BRONZE)).update(updates={"pm25": "99.0"}, predicate=where)


def ok(summary: RunSummary) -> None:
    assert summary.ok, summary.in_words()


def test_days_beside_one_that_was_wiped_are_read_and_folded(told: Story) -> None:
    ok(told.materialize())
    wipe(told, DAY_2)
    told.clock.pass_(minutes=60)
    ok(told.hourly())
    told.clock.pass_(minutes=60)
    ok(told.hourly())
    told.check()
    ok(told.materialize(force=True))
    told.check()


def test_what_was_wiped_does_not_come_back_from_what_is_kept(told: Story) -> None:
    ok(told.materialize())
    wipe(told, DAY_2)
    told.clock.pass_(minutes=30)
    spoil(told, "nulls", "hanoi", 1)
    ok(told.materialize())
    assert values(told, DAY_2) == [None] * 24
    changed_by_others(told, "location_key='hanoi' and date_utc='2025-03-04' and ts_utc='2025-03-04T05:00:00Z'")
    told.clock.pass_(minutes=30)
    ok(told.materialize())
    assert values(told, DAY_2) == [None] * 24


def test_rows_that_somebody_changed_are_those_of_the_fold_again(told: Story) -> None:
    ok(told.materialize())
    told.clock.pass_(minutes=30)
    spoil(told, "nulls", "hanoi", 1, 0, 11)
    changed_by_others(told, "location_key='hanoi' and date_utc='2025-03-04'")
    assert states(told)[str(DAY_2)][0] == "unrecorded"
    ok(told.materialize())
    told.check()
    assert None not in values(told, DAY_2)


def test_a_clock_that_was_far_ahead_is_put_right_by_the_same_answer(told: Story) -> None:
    told.clock.pass_(days=400)
    ok(told.materialize())
    told.clock.pass_(days=-400)
    assert {state for state, _ in states(told).values()} == {"stale"}
    ok(told.materialize("2025-03-03..2025-03-04"))
    assert {state for key, (state, _) in states(told).items() if "03-05" not in key} == {"fresh"}


def test_a_rule_that_was_tightened_takes_no_row_away(told: Story) -> None:
    ok(told.materialize())
    before = values(told, DAY_2)
    told.clock.pass_(minutes=30)
    spoil(told, "one null", "hanoi", 1)
    lake = told.lake
    lake.flags["rules"] = {"limits": {"pm25": {"high": 1}}}
    ok(lake.hourly(FETCHED))
    assert values(told, DAY_2) == before


def test_a_lost_file_is_named_and_its_table_as_it_was_and_force_mends_it(told: Story) -> None:
    """Put back, it is as if nothing had been; forced, what it held is folded from all answers that are kept."""
    ok(told.materialize())
    lost = Path(DeltaTable(told.lake.uri(oracle.BRONZE)).file_uris()[0].removeprefix("file://"))
    lost.rename(told.folder / "lost")
    told.clock.pass_(minutes=30)
    summary = told.lake.materialize(RANGE, FETCHED)
    assert not summary.ok
    (reason,) = [item.reason for item in summary.plan.left_out if item.asset == oracle.BRONZE]
    assert f"{lost.name} is gone" in reason and f"`aqi repair {oracle.BRONZE}`" in reason
    (told.folder / "lost").rename(lost)
    told.check()
    lost.unlink()
    ok(told.materialize(force=True))
    told.check()
    assert not told.lake.materialize(RANGE).plan.left_out


def test_the_same_answer_by_force_commits_nothing_where_an_optional_value_had_gone(told: Story) -> None:
    ok(told.materialize())
    told.clock.pass_(minutes=30)
    spoil(told, "optional null", "hanoi", 1, 3, 4)
    ok(told.hourly())
    version = told.lake.versions()[oracle.BRONZE]
    told.clock.pass_(minutes=1)
    ok(told.materialize("2025-03-03..2025-03-04", force=True))  # days that have ended
    assert told.lake.versions()[oracle.BRONZE] == version


def test_notes_tell_what_stayed_what_turned_null_and_what_stands_still(told: Story) -> None:
    ok(told.materialize())
    told.clock.pass_(minutes=30)
    spoil(told, "one null", "hanoi", 1, 3, 4)
    spoil(told, "optional null", "danang", 1, 7, 7)
    for hour in list(told.provider.rows):
        location, at = hour
        if location == "danang" and (at.day, at.hour) >= (3, 18) and (at.day, at.hour) <= (4, 6):
            told.provider.instead[hour] = dict(told.provider.rows["danang", at.replace(day=3, hour=18)])
    summary = told.hourly()
    (step,) = [outcome for outcome in summary.outcomes if outcome.step.asset == oracle.BRONZE]
    notes = "\n".join(step.notes)
    stayed = "2 hours of 2025-03-04 × hanoi 03:00Z..04:00Z stay as they were: the source has no value any more for pm25"
    assert stayed in notes
    assert "dust, uv_index turned null in hours of 2025-03-04 × danang" in notes
    assert "2025-03-03/danang: every variable is the same for 6 hours (18:00Z..23:00Z)" in notes
    assert "2025-03-04/danang: every variable is the same for 7 hours (00:00Z..06:00Z)" in notes
    mend(told)
