"""Real data in pieces: the recorded 44 days loaded in other orders end in the tables of one range."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.partitions.keys import PartitionSet, chunks, parse_range
from resources.machine.clock import system_clock
from resources.simulator.server import Simulator
from tests.support import oracle
from tests.support.small_lake import FETCHED, Lake

RANGE = "2025-08-08..2025-09-20"
LAST_DAY = "2025-09-20"
LATER, EARLIER = "2025-09-09..2025-09-20", "2025-08-08..2025-09-08"
THREE_PIECES = ("2025-08-28..2025-09-09", "2025-08-08..2025-08-27", "2025-09-10..2025-09-20")


@pytest.fixture(scope="module")
def replay(recorded: Path) -> Iterator[Simulator]:
    with Simulator(now=system_clock, injected=False, replay=recorded) as simulator:
        yield simulator


def of_one_range(shared: Any, folder: Path, replay: Simulator) -> dict[str, Any]:
    lake = Lake(folder, shared, replay.url)
    assert lake.materialize(RANGE, FETCHED).ok
    return lake.tables()


@pytest.fixture(scope="module")
def one_range(embedded: Any, tmp_path_factory: pytest.TempPathFactory, replay: Simulator) -> dict[str, Any]:
    return of_one_range(embedded, tmp_path_factory.mktemp("one"), replay)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((LATER, EARLIER), id="cut in a run of 94 hours"),
        pytest.param(THREE_PIECES, id="three pieces", marks=pytest.mark.slow),
    ],
)
def test_pieces_out_of_order_equal_one_range(
    embedded: Any, tmp_path: Path, replay: Simulator, one_range: dict[str, Any], pieces: tuple[str, ...]
) -> None:
    """The cut lies inside a run of 94 hours in Hà Nội: the fragment on its later side goes, the whole one comes."""
    lake = Lake(tmp_path, embedded, replay.url)
    summaries = [lake.materialize(days, FETCHED) for days in pieces]
    assert all(summary.ok for summary in summaries)
    assert lake.tables() == one_range
    last = next(outcome for outcome in summaries[1].outcomes if outcome.step.asset == oracle.EPISODE)
    if pieces[0] == LATER:
        assert last.rewritten.keys() == ["2025-09-09/hanoi"]
        assert last.rewritten <= last.step.may_rewrite


@pytest.mark.pipeline
def test_one_range_has_exactly_the_published_episodes(one_range: dict[str, Any], recorded: Path) -> None:
    """Those that do not touch the last day."""
    with (recorded / "expected_fact_episode.csv").open(encoding="utf-8") as file:
        want = {(row["location_key"], row["start_ts_utc"][:13]) for row in csv.DictReader(file)}
    names = oracle.COLUMNS[oracle.EPISODE]
    rows = [dict(zip(names, row, strict=True)) for row in one_range[oracle.EPISODE]]
    got = {
        (row["location_key"].strip("'"), row["start_ts_utc"][:13].replace("T", " "))
        for row in rows
        if row["end_ts_utc"] < LAST_DAY
    }
    assert len(want) == 29
    assert got == want


@pytest.mark.spark
def test_spark_makes_the_same_of_one_range(
    on_spark: Any, tmp_path: Path, replay: Simulator, one_range: dict[str, Any]
) -> None:
    """And so what is published."""
    assert of_one_range(on_spark, tmp_path, replay) == one_range


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param("monthly", marks=pytest.mark.slow),
        "weekly",
        pytest.param("daily", marks=pytest.mark.slow),
    ],
)
def test_a_backfill_equals_one_range(
    embedded: Any, tmp_path: Path, replay: Simulator, one_range: dict[str, Any], mode: Any
) -> None:
    """And again it does nothing."""
    lake = Lake(tmp_path, embedded, replay.url)
    summary = lake.backfill(*RANGE.split(".."), mode, FETCHED)
    assert summary.ok
    assert {chunk.state for chunk in summary.chunks} == {"written"}
    assert lake.tables() == one_range
    assert lake.backfill(*RANGE.split(".."), mode, FETCHED).plan.steps == ()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["monthly", "weekly", "daily"])
@pytest.mark.parametrize("order", ["in reverse", "at random, some twice"])
def test_chunks_as_runs_of_their_own_equal_one_range(
    embedded: Any, tmp_path: Path, replay: Simulator, one_range: dict[str, Any], mode: Any, order: str
) -> None:
    """Every chunk a run by itself; what is done again is fetched again (--force)."""
    days = list(chunks(parse_range(RANGE, date(2026, 1, 1)), mode))
    if order == "in reverse":
        calls = days[::-1]
    else:
        chance = random.Random(11)
        calls = days + chance.sample(days, max(1, len(days) // 4))
        chance.shuffle(calls)
    lake = Lake(tmp_path, embedded, replay.url)
    seen = set()
    for piece in calls:
        assert lake.materialize(str(piece), FETCHED, force=piece in seen).ok
        seen.add(piece)
    assert lake.tables() == one_range
    assert set().union(*lake.states("layer:silver or gold.fact_*", RANGE).values()) == {"fresh"}


def test_what_episodes_read_does_not_grow_with_history(
    embedded: Any, tmp_path: Path, replay: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more day after 43: only the days of the run that reaches it are read of the hourly fact."""
    from resources.delta.warehouse import Warehouse

    lake = Lake(tmp_path, embedded, replay.url)
    lake.materialize("2025-08-08..2025-09-19", FETCHED, ["danang"])
    asked: list[Any] = []
    read = Warehouse.read_arrow

    def counted(self: Warehouse, key: str, *arguments: Any, **filters: Any) -> Any:
        asked.append([item for item in filters["filters"] if item[0] == "date_utc"])
        return read(self, key, *arguments, **filters)

    monkeypatch.setattr(Warehouse, "read_arrow", counted)
    summary = lake.materialize("2025-09-20", FETCHED, ["danang"])
    episode = summary.outcomes[-1].step
    # The day after the range is not there, and a run may reach it: whether it does is known when the range is made.
    assert str(PartitionSet.union_of(item.partitions for item in episode.inputs)) == "2025-09-19..2025-09-21 × danang"
    days = {str(value) for filters in asked for _, _, value in filters}
    assert min(days) >= "2025-09-04"  # a block of 16 days
