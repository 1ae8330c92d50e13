"""A backfill on bad days: faults that pass, drawn by a seed, while the recorded 44 days are asked for day by day."""

from __future__ import annotations

import csv
from collections.abc import Collection
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from resources.machine.clock import system_clock
from resources.simulator.faults import parse_faults
from resources.simulator.server import Simulator
from tests.support import oracle
from tests.support.small_lake import FETCHED, Lake

FIRST, LAST = "2025-08-08", "2025-09-20"
PASSING = (
    "stream_error",
    "stream_error_alone",
    "error_in_200",
    "timeout",
    "limit",
    "error",
    "overload",
    "proxy",
    "drop",
    "truncate",
    "drip",
)
"""An error in the stream and under status 200, 408, the minute's limit, 5xx, connections that are cut, a drip."""
SHARE = 0.2
SEED = 53246
"""One that draws each kind, and in all no more than is usual."""
QUICK = {
    "attempts": 6,
    "backoff_seconds": 0.001,
    "request_deadline_seconds": 3.0,  # a third of it for an attempt: what drips is hung up on
    "calls_per_minute": 10**6,
    "calls_per_hour": 10**6,
    "calls_per_day": 10**6,
}


def each(kinds: tuple[str, ...], share: float) -> str:
    """Faults that together hit a share of the requests."""
    rate = 1 - (1 - share) ** (1 / len(kinds))
    return ",".join(f"{kind}:{rate}" for kind in kinds)


def published(recorded: Path, name: str) -> list[dict[str, str]]:
    with (recorded / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def as_published(rows: list[dict[str, Any]], columns: Collection[str]) -> list[dict[str, str]]:
    """Rows of a table in the words of the CSV files."""

    def said(value: Any) -> str:
        return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)

    return [{name: said(row[name]) for name in columns} for row in rows]


def backfilled(embedded: Any, folder: Path, recorded: Path, faults: str, seed: int) -> dict[str, Any]:
    """What was counted, once all is there, and equals what is published; with at most one call more."""
    with Simulator(
        now=system_clock,
        injected=False,
        replay=recorded,
        faults=parse_faults(faults),
        seed=seed,
        retry_after=0,
        drip_seconds=0.2,
    ) as api:
        lake = Lake(folder, embedded, api.url, flags={"open_meteo": QUICK})
        ended = [lake.backfill(FIRST, LAST, "daily", FETCHED)]
        if not ended[0].ok:
            ended.append(lake.backfill(FIRST, LAST, "daily", FETCHED))
        assert ended[-1].ok, ended[-1].in_words()
        assert lake.backfill(FIRST, LAST, "daily", FETCHED).plan.steps == ()
        counted = api.counted() | {"calls": len(ended)}
    for table, name, count in (
        (oracle.CITY_DAILY, "expected_fact_city_daily.csv", 132),
        (oracle.EPISODE, "expected_fact_episode.csv", 29),
    ):
        want = published(recorded, name)
        rows = [
            row for row in lake.rows(table) if table != oracle.EPISODE or row["end_ts_utc"].date() < date(2025, 9, 20)
        ]
        assert len(want) == len(rows) == count
        assert sorted(map(str, as_published(rows, want[0]))) == sorted(map(str, want))
    return counted


def test_a_backfill_day_by_day_through_all_kinds_at_once(embedded: Any, tmp_path: Path, recorded: Path) -> None:
    """A request in five fails, each for its own reason."""
    counted = backfilled(embedded, tmp_path, recorded, each(PASSING, SHARE), SEED)
    assert counted["calls"] == 1, "no request is hit as often as it has attempts"
    served = {name: fault["served"] for name, fault in counted["faults"].items()}
    assert sum(served.values()) >= 8
    assert set(served) == set(PASSING)


@pytest.mark.slow
@pytest.mark.parametrize("kind", PASSING)
def test_a_backfill_day_by_day_through_one_kind(embedded: Any, tmp_path: Path, recorded: Path, kind: str) -> None:
    counted = backfilled(embedded, tmp_path, recorded, f"{kind}:{SHARE}", SEED)
    assert counted["faults"][kind]["served"] >= 8
