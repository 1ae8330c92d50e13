"""Values of records that do not say how many they have: counted once, kept beside the tables, and no commit is made."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.state.table_state import TableState
from orchestration.engine.lags import read_incomplete, read_lags
from orchestration.reports.status import PartitionStatus, read_status
from resources.delta import value_counts
from resources.delta.value_counts import FOLDER
from resources.raw.moments import Moments
from tests.support import oracle
from tests.support.cli_calls import Aqi
from tests.support.holes import ESSENTIAL, MARKS, opened, with_holes
from tests.support.kept.trees import commits, unpack


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return with_holes(tmp_path / "w")


@pytest.fixture
def no_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("rows are read again")

    monkeypatch.setattr(value_counts.ValueCounts, "_count", refused)


def marks(folder: Path, **flags: Any) -> dict[str, tuple[str, ...]]:
    return {str(one.partition): one.marks for one in read_status(opened(folder, **flags), [oracle.BRONZE])}


def test_they_are_counted_from_the_rows_and_no_commit_is_made(lake: Path) -> None:
    before = commits(lake)
    assert marks(lake) == MARKS
    assert commits(lake) == before
    assert (lake / FOLDER / f"{oracle.BRONZE}.json").is_file()
    assert {one.partition for one in read_incomplete(opened(lake), [oracle.BRONZE])} == set(list(MARKS)[1:])
    (lag,) = [one for one in read_lags(opened(lake), [oracle.BRONZE]) if one.location == "hanoi"]
    assert lag.covered_until == datetime(2025, 8, 21, tzinfo=UTC)


def test_what_was_counted_is_read_the_next_time(lake: Path, request: pytest.FixtureRequest) -> None:
    assert marks(lake) == MARKS
    request.getfixturevalue("no_reads")
    assert marks(lake) == MARKS
    assert marks(lake, essential={oracle.BRONZE: ["pm10"]}) == {**MARKS, "2025-08-21/hanoi": ()}


def test_the_states_of_plans_are_as_they_were_recorded(lake: Path) -> None:
    workspace = opened(lake)
    counted = workspace.counted_states([oracle.BRONZE])[oracle.BRONZE]
    recorded = workspace.states([oracle.BRONZE])[oracle.BRONZE]
    assert {record.values.get("aqi") for record in counted.records.values()} == {24, 0}
    assert not any(record.values for record in recorded.records.values())
    assert recorded.present == counted.present


@pytest.mark.parametrize("broken", ["{", "[]", '{"format": 2}', '{"format": 1, "columns": ["aqi"]}'])
def test_a_file_that_is_not_whole_is_made_anew(lake: Path, broken: str) -> None:
    marks(lake)
    file = lake / FOLDER / f"{oracle.BRONZE}.json"
    whole = file.read_bytes()
    file.write_text(broken, encoding="utf-8")
    assert marks(lake) == MARKS
    assert file.read_bytes() == whole


def test_where_it_cannot_be_written_it_is_counted_each_time(lake: Path) -> None:
    (lake / "_aqi").mkdir(exist_ok=True)
    (lake / FOLDER).write_text("in the way", encoding="utf-8")
    assert marks(lake) == MARKS
    assert marks(lake) == MARKS


def test_rows_that_are_gone_are_unknown(lake: Path) -> None:
    for file in (lake / "bronze").rglob("*.parquet"):
        file.unlink()
    counted = opened(lake).counted_states([oracle.BRONZE])[oracle.BRONZE]
    assert counted == opened(lake).states([oracle.BRONZE])[oracle.BRONZE]
    assert not (lake / FOLDER).exists()


def test_other_content_is_counted_anew(lake: Path) -> None:
    marks(lake)
    workspace = opened(lake)
    asset, state = workspace.catalog[oracle.BRONZE], workspace.states([oracle.BRONZE])[oracle.BRONZE]
    path = lake / FOLDER / f"{oracle.BRONZE}.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"fp":"f"', '"fp":"g"'), encoding="utf-8")
    assert '"fp":"g"' in path.read_text(encoding="utf-8")
    counts = value_counts.ValueCounts(workspace.warehouse).counted(asset, state, ESSENTIAL)
    assert counts.records[PartitionKey(date(2025, 8, 21), "hanoi")].values["pm25"] == 23
    assert '"fp":"f"' in path.read_text(encoding="utf-8")


def test_what_somebody_else_changed_is_not_counted(lake: Path) -> None:
    workspace = opened(lake)
    asset, state = workspace.catalog[oracle.BRONZE], workspace.states([oracle.BRONZE])[oracle.BRONZE]
    unrecorded = TableState(state.version, state.records, PartitionSet.from_keys(state.records))
    assert value_counts.ValueCounts(workspace.warehouse).counted(asset, unrecorded, ESSENTIAL) is unrecorded


@given(st.sets(st.integers(0, 400), min_size=1), st.integers(1, 9))
def test_ranges_hold_every_day_once(numbers: set[int], at_once: int) -> None:
    days = {date.fromordinal(738_000 + number) for number in numbers}
    keys = [PartitionKey(day, location) for day in days for location in ("a", "b")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(value_counts, "PARTITIONS_AT_ONCE", at_once)
        spans = list(value_counts._spans(keys))
    for day in days:
        assert sum(first <= day <= last for first, last in spans) == 1
    for first, last in spans:
        assert 2 * sum(first <= day <= last for day in days) <= max(at_once, 2)


def test_an_hourly_run_asks_for_them_again_with_a_pause(lake: Path) -> None:
    """Counted from the rows too; a question that brought nothing new is known from the file of moments."""
    revisable = {f"2025-{day}/hanoi" for day in ("08-30", "08-31", "09-01")}

    def asked_for() -> set[str]:
        request = opened(lake).hourly([oracle.BRONZE], ["hanoi"])
        assert not request.compare - request.partitions
        return {str(key) for key in request.compare} - revisable

    assert asked_for() == set(list(MARKS)[1:])
    moment = {PartitionKey(date(2025, 8, 22), "hanoi"): "2025-08-31T07:00:00Z"}
    Moments(opened(lake).warehouse.uri).keep(oracle.BRONZE, "run-2", moment)
    assert asked_for() == {"2025-08-21/hanoi"}
    assert opened(lake, hourly={"incomplete_days": 10}).hourly([oracle.BRONZE], ["hanoi"]).compare.days.first == date(
        2025, 8, 30
    )


# --- a warehouse of format 1 ----------------------------------------------------------------------


def test_a_warehouse_of_format_1_stays_fresh_and_is_whole(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder = unpack(tmp_path / "kept")
    before = commits(folder)
    found = list(read_status(opened(folder), [oracle.BRONZE]))
    assert {(str(one.state), one.marks, of(one)) for one in found} == {("fresh", (), 24)}
    assert commits(folder) == before
    request.getfixturevalue("no_reads")
    assert list(read_status(opened(folder), [oracle.BRONZE])) == found
    shutil.rmtree(folder / "_aqi" / "counts")
    workspace = opened(folder)
    plan, _ = workspace.plan(workspace.requested(workspace.select("*"), "2025-08-08..2025-08-21"))
    assert (plan.steps, plan.left_out) == ((), ()), "descriptions of tables may be others since"


def of(one: PartitionStatus) -> int | None:
    return None if one.completeness is None else one.completeness.hours


# --- commands -------------------------------------------------------------------------------------


def test_status_prints_marks(aqi: Aqi, lake: Path) -> None:
    found = aqi.json("status", oracle.BRONZE, AQI_WAREHOUSE__URI=str(lake), AQI_CLOCK__NOW="2025-09-01T06:00:00Z")
    assert {item["partition"]: tuple(item["marks"]) for item in found} == MARKS
    assert set(found[0]) == {"asset", "partition", "state", "reason", "marks", "rows", "version", "run_id"}
    text = aqi.text("status", oracle.BRONZE, AQI_WAREHOUSE__URI=str(lake), AQI_CLOCK__NOW="2025-09-25T06:00:00Z")
    assert "given up: 0 of 24 hours" in " ".join(text.split())
    text = aqi.text("metrics", AQI_WAREHOUSE__URI=str(lake), AQI_CLOCK__NOW="2025-09-01T06:00:00Z")
    assert f'aqi_partitions_incomplete{{asset="{oracle.BRONZE}",location="hanoi"}} 2.0' in text
