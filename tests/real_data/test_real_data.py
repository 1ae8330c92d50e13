"""Real data in pieces: the recorded 44 days loaded in other orders end in the tables of one range."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from resources.simulator import Simulator
from tests import oracle
from tests.lake import Lake

pytestmark = pytest.mark.spark

RANGE = "2025-08-08..2025-09-20"
LATER, EARLIER = "2025-09-09..2025-09-20", "2025-08-08..2025-09-08"
THREE_PIECES = ("2025-08-28..2025-09-09", "2025-08-08..2025-08-27", "2025-09-10..2025-09-20")


@pytest.fixture(scope="module")
def replay(recorded: Path) -> Iterator[Simulator]:
    with Simulator(now=lambda: datetime(2026, 1, 1, tzinfo=UTC), replay=recorded) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def one_range(spark: Any, tmp_path_factory: pytest.TempPathFactory, replay: Simulator) -> dict[str, Any]:
    lake = Lake(tmp_path_factory.mktemp("one"), spark, replay.url)
    assert lake.materialize(RANGE, "bronze.open_meteo_hourly+").ok
    return lake.tables()


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((LATER, EARLIER), id="cut in a run of 94 hours"),
        pytest.param(THREE_PIECES, id="three pieces", marks=pytest.mark.slow),
    ],
)
def test_pieces_out_of_order_equal_one_range(
    spark: Any, tmp_path: Path, replay: Simulator, one_range: dict[str, Any], pieces: tuple[str, ...]
) -> None:
    """The cut lies inside a run of 94 hours in Hà Nội: the fragment on its later side goes, the whole one comes."""
    lake = Lake(tmp_path, spark, replay.url)
    summaries = [lake.materialize(days, "bronze.open_meteo_hourly+") for days in pieces]
    assert all(summary.ok for summary in summaries)
    assert lake.tables() == one_range
    last = next(outcome for outcome in summaries[1].outcomes if outcome.step.asset == oracle.EPISODE)
    if pieces[0] == LATER:
        assert last.rewritten.keys() == ["2025-09-09/hanoi"]
        assert last.rewritten <= last.step.may_rewrite


def test_what_episodes_read_does_not_grow_with_history(
    spark: Any, tmp_path: Path, replay: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more day after 43: only the days of the run that reaches it are read of the hourly fact."""
    from resources.warehouse import Warehouse

    lake = Lake(tmp_path, spark, replay.url)
    lake.materialize("2025-08-08..2025-09-19", "bronze.open_meteo_hourly+", ["danang"])
    asked: list[Any] = []
    read = Warehouse.read_arrow

    def counted(self: Warehouse, key: str, *arguments: Any, **filters: Any) -> Any:
        asked.append([item for item in filters["filters"] if item[0] == "date_utc"])
        return read(self, key, *arguments, **filters)

    monkeypatch.setattr(Warehouse, "read_arrow", counted)
    summary = lake.materialize("2025-09-20", "bronze.open_meteo_hourly+", ["danang"])
    episode = summary.outcomes[-1].step
    assert str(episode.inputs[0].partitions) == "2025-09-19..2025-09-20 × danang"
    days = {str(value) for filters in asked for _, _, value in filters}
    assert min(days) >= "2025-09-04"  # a block of 16 days
