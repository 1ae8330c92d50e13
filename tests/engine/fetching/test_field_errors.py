"""Errors of a bad day, word for word as people met them: the files of ``shared/field``, served one after the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.field_server import FieldServer
from tests.support.keeping_lake import KeepingLake
from tests.support.oracle import BRONZE
from tests.support.small_lake import Lake

pytestmark = pytest.mark.engine

DAY = "2025-09-01"
GOOD, STREAM, IN_200 = "00_good_day.json", "01_stream_error.txt", "01_error_in_a_200.json"
LIMIT, KEY = "429:05_daily_limit_429.json", "400:06_invalid_key_400.json"
THREE = ("hanoi", "hcmc", "danang")


@pytest.fixture
def lake(tmp_path: Path, embedded: Any) -> KeepingLake:
    quick = {"open_meteo": {"backoff_seconds": 0.01, "attempts": 3}}
    return KeepingLake(tmp_path / "lake", embedded, "", quick, now=datetime(2025, 9, 11, 6, tzinfo=UTC))


def problems(summary: Any) -> list[str]:
    return [problem.message for outcome in summary.outcomes for problem in outcome.problems]


@pytest.mark.parametrize(
    ("file", "reason"),
    [(STREAM, "Unexpected error while streaming data: "), (IN_200, "(Something went wrong.)")],
)
def test_an_error_under_status_200_is_asked_again_and_told_where_it_stays(
    lake: KeepingLake, serve: Callable[..., FieldServer], file: str, reason: str
) -> None:
    with serve(file) as api:
        lake.base_url = api.url
        summary = lake.materialize(DAY, BRONZE, ["hanoi"])
        assert len(api.asked) == 3
    assert summary.exit_status == 1
    (problem,) = problems(summary)
    assert reason in problem
    with serve(file, GOOD) as api:
        lake.base_url = api.url
        assert lake.materialize(DAY, BRONZE, ["hanoi"]).ok
        assert len(api.asked) == 2
    assert [row["pm25"] for row in lake.rows(BRONZE)] == [30.0 + hour for hour in range(24)]


@pytest.mark.parametrize(
    ("run", "file", "told"),
    [
        (lambda lake: lake.backfill("2023-01-01", "2025-08-31", "monthly", BRONZE), LIMIT, "Daily API request limit"),
        (lambda lake: lake.materialize(DAY, BRONZE, THREE), KEY, "open_meteo.api_key"),
    ],
    ids=["the daily limit, three years", "a wrong key, three locations"],
)
def test_what_is_of_nobody_is_asked_once_and_told_once(
    lake: KeepingLake, serve: Callable[..., FieldServer], run: Callable[[Lake], Any], file: str, told: str
) -> None:
    with serve(file) as api:
        lake.base_url = api.url
        summary = run(lake)
        assert len(api.asked) == 1
    assert summary.exit_status == 1
    lines = [line for line in summary.in_words().splitlines() if told in line]
    assert len(lines) == 1, summary.in_words()
