"""Answers that are without a variable, from the source to the tables: the inputs 04 and 10 of the bad days."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.runs.outcome import RunSummary, StepOutcome
from tests.conftest import SHARED
from tests.support import oracle
from tests.support.field_server import FieldServer
from tests.support.keeping_lake import KeepingLake
from tests.support.small_lake import FETCHED

pytestmark = pytest.mark.engine

BRONZE, DAY = oracle.BRONZE, "2025-09-01"
GOOD, UNDEFINED = "00_good_day.json", "10_unit_undefined_and_nulls.json"
LEFT_OUT, REFUSED = "07_a_variable_was_not_asked_for.json", "400:10_variable_refused_400.json"
NO_DOMAIN = "400:04_no_data_for_this_domain_400.json"


@pytest.fixture
def lake(tmp_path: Path, embedded: Any) -> KeepingLake:
    hanoi = {"key": "hanoi", "name": "Hà Nội", "latitude": 21.0278, "longitude": 105.8342, "timezone": "Asia/Bangkok"}
    flags = {"locations": [hanoi]}
    return KeepingLake(tmp_path / "lake", embedded, "", flags, now=datetime(2025, 9, 11, 6, tzinfo=UTC))


def bronze(summary: RunSummary) -> StepOutcome:
    return next(outcome for outcome in summary.outcomes if outcome.step.asset == BRONZE)


def message(summary: RunSummary) -> str:
    assert not summary.ok
    (problem,) = bronze(summary).problems
    return problem.message


@pytest.mark.parametrize(
    ("files", "why", "requests"),
    [
        ((UNDEFINED,), "carbon_dioxide has the unit 'undefined'", 1),
        ((LEFT_OUT,), "carbon_dioxide was left out of the answer", 1),
        ((REFUSED, LEFT_OUT), "carbon_dioxide was refused", 2),
    ],
)
def test_an_optional_one_is_null_and_told_of(
    lake: KeepingLake, serve: Callable[..., FieldServer], files: tuple[str, ...], why: str, requests: int
) -> None:
    """The others come in; the day is neither behind its question nor incomplete; kept answers give the same rows."""
    with serve(*files) as api:
        lake.base_url = api.url
        summary = lake.materialize(DAY, FETCHED)
        assert summary.ok, summary.in_words()
        assert lake.materialize(DAY, FETCHED).plan.is_empty
        assert len(api.asked) == requests
    assert bronze(summary).notes == (f"co2 is null in {DAY} × hanoi: {why}",)
    rows = lake.rows(BRONZE)
    assert [row["co2"] for row in rows] == [None] * 24
    assert [row["pm25"] for row in rows] == [30.0 + hour for hour in range(24)]
    assert {name for name, value in rows[0].items() if value is None} == {"co2"}
    workspace = lake.workspace
    assert lake.run(workspace.requested(workspace.select(FETCHED), DAY, from_raw=True)).ok
    assert lake.rows(BRONZE) == rows
    assert set(lake.states(FETCHED, DAY)[BRONZE]) == {"fresh"}
    with serve(GOOD) as api:
        lake.base_url = api.url
        assert lake.materialize(DAY, BRONZE, force=True).ok
    assert [row["co2"] for row in lake.rows(BRONZE)] == [430.0] * 24


def test_one_that_was_refused_and_came_all_the_same_is_taken_and_told_of(
    lake: KeepingLake, serve: Callable[..., FieldServer]
) -> None:
    with serve(REFUSED, GOOD) as api:
        lake.base_url = api.url
        summary = lake.materialize(DAY, FETCHED)
        assert len(api.asked) == 2
    why = "carbon_dioxide was refused before, and came all the same"
    assert bronze(summary).notes == (f"co2 has values in {DAY} × hanoi: {why}",)
    rows = lake.rows(BRONZE)
    assert [row["co2"] for row in rows] == [430.0] * 24
    workspace = lake.workspace
    assert lake.run(workspace.requested(workspace.select(FETCHED), DAY, from_raw=True)).ok
    assert lake.rows(BRONZE) == rows


@pytest.mark.parametrize("kind", ["undefined", "left out", "refused"])
def test_an_essential_one_fails_the_day(
    lake: KeepingLake, serve: Callable[..., FieldServer], tmp_path: Path, kind: str
) -> None:
    """Named, and nothing is written: here carbon dioxide is essential."""
    lake.flags |= {"essential": {BRONZE: ["aqi", "co2"]}}
    files = {"undefined": [UNDEFINED], "left out": [LEFT_OUT], "refused": [REFUSED, LEFT_OUT]}[kind]
    with serve(*files) as api:
        lake.base_url = api.url
        assert "carbon_dioxide" in message(lake.materialize(DAY, FETCHED))
        assert len(api.asked) == 1
    assert not (lake.folder / "bronze" / "open_meteo_hourly" / "_delta_log").exists() or not lake.rows(BRONZE)


def test_nulls_of_an_essential_one_under_its_unit_are_incomplete_hours(
    lake: KeepingLake, serve: Callable[..., FieldServer], tmp_path: Path
) -> None:
    answer = json.loads((SHARED / "field" / GOOD).read_text(encoding="utf-8"))
    answer["hourly"]["pm2_5"][3:5] = [None, None]
    made = tmp_path / "nulls.json"
    made.write_text(json.dumps(answer), encoding="utf-8")
    with serve(made) as api:
        lake.base_url = api.url
        summary = lake.materialize(DAY, FETCHED)
    assert summary.ok
    assert bronze(summary).incomplete == {f"{DAY}/hanoi": "22 of 24 hours (pm25 22)"}


def test_a_domain_that_has_not_the_location(lake: KeepingLake, serve: Callable[..., FieldServer]) -> None:
    lake.flags |= {"open_meteo": {"model_domain": "cams_europe"}}
    with serve(NO_DOMAIN) as api:
        lake.base_url = api.url
        said = message(lake.materialize(DAY, FETCHED))
        assert len(api.asked) == 1
    assert f"refused hanoi on {DAY} (domain cams_europe): No data is available for this location" in said
    assert "open_meteo.model_domain" in said
