"""The page *The air*: of this project's tables, of tables that lack or are broken, of a project that has no figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from orchestration.core.errors import DeclarationError
from orchestration.engine.workspace import Workspace
from orchestration.project import FIGURES, PROJECT, load, open_workspace
from orchestration.reports.page import air
from orchestration.reports.page.found import Found
from tests.support.river.project import PROJECT as RIVERS

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAILY, EPISODES = FIGURES.assets


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    flags = {"warehouse": {"uri": str(tmp_path / "w")}, "clock": {"now": NOW}}
    return open_workspace(load(environment={}, flags=flags))


def facts(workspace: Workspace, *keys: str) -> dict[str, Any]:
    told = air.facts(Found(workspace, keys or (DAILY, EPISODES)))
    assert told is not None
    return told


def write_days(workspace: Workspace, **others: Any) -> None:
    rows = [
        {
            "location_key": "hanoi",
            "date_utc": date(2026, 5, 1) + timedelta(days=day),
            "aqi_daily_max": 40 * day,
            "dominant_pollutant_daily": "pm25",
            **{category.hours: 4 for category in FIGURES.daily.categories},
            **others,
        }
        for day in range(9)
    ]
    write_deltalake(workspace.warehouse.table_uri(DAILY), pa.Table.from_pylist(rows))


def write_episode(workspace: Workspace, **others: Any) -> None:
    row = {
        "location_key": "hanoi",
        "start_ts_utc": datetime(2026, 5, 4, 22, tzinfo=UTC),
        "start_date_utc": date(2026, 5, 4),
        "duration_hours": 31,
        "peak_aqi": 320,
        "dominant_pollutant": "pm25",
        **others,
    }
    write_deltalake(workspace.warehouse.table_uri(EPISODES), pa.Table.from_pylist([row]))


def test_the_columns_are_those_of_the_contracts(workspace: Workspace) -> None:
    daily, spells = FIGURES.daily, FIGURES.spells
    assert spells is not None
    hours = {category.hours for category in daily.categories}
    assert {daily.value, daily.because[0], *hours} <= set(workspace.contracts[DAILY].column_names)
    of_spells = {spells.start, spells.hours, spells.peak, spells.because, spells.open}
    assert of_spells <= set(workspace.contracts[EPISODES].column_names)
    assert [category.low for category in daily.categories] == sorted(category.low for category in daily.categories)


def test_days_and_episodes_of_the_tables(workspace: Workspace) -> None:
    write_days(workspace)
    write_episode(workspace)
    told = facts(workspace)
    assert told["trouble"] == []
    assert told["locations"] == [["hanoi", "Hà Nội"]]
    assert (told["daily"]["base"], told["daily"]["days"], told["spells"]["count"]) == ("2026-05-01", 9, 1)


@pytest.mark.parametrize(("says", "told"), [({"is_open": True}, [0]), ({"is_open": False}, []), ({}, None)])
def test_an_episode_that_may_go_on_is_marked(workspace: Workspace, says: dict[str, bool], told: list[int]) -> None:
    """A table of an earlier version has no column for it, and is shown as it is."""
    write_days(workspace)
    write_episode(workspace, **says)
    found = facts(workspace)
    assert (found["trouble"], found["spells"]["open"]) == ([], told)


def test_what_lacks_is_said_with_its_remedy(workspace: Workspace) -> None:
    told = facts(workspace)
    assert told["daily"] is told["spells"] is None
    assert told["trouble"] == [f"{DAILY} has no table yet. Make it: aqi materialize '+{DAILY}' --partitions RANGE"]
    write_days(workspace)
    told = facts(workspace)
    assert told["daily"]["days"] == 9 and told["spells"] is None
    assert [text.split(" ", 1)[0] for text in told["trouble"]] == [EPISODES]


@pytest.mark.parametrize("broken", [{"aqi_daily_max": "many"}, {"hours_in_cat_good": [1]}])
def test_a_table_that_others_broke_is_named_and_does_no_more(workspace: Workspace, broken: dict[str, Any]) -> None:
    write_days(workspace, **broken)
    write_episode(workspace)
    told = facts(workspace)
    assert told["daily"] is None
    assert told["trouble"][0].startswith(f"{DAILY} cannot be read: ")
    assert told["spells"]["count"] == 1


def test_a_column_that_is_gone_is_told(workspace: Workspace) -> None:
    write_episode(workspace)
    uri = workspace.warehouse.table_uri(DAILY)
    write_deltalake(uri, pa.table({"location_key": ["hanoi"], "date_utc": [date(2026, 5, 1)]}))
    assert facts(workspace)["trouble"][0].startswith(f"{DAILY}: its table cannot be read ")


def test_a_day_that_no_calendar_has_does_no_more(workspace: Workspace) -> None:
    write_days(workspace)
    uri = workspace.warehouse.table_uri(DAILY)
    rows = pa.table({"location_key": ["hanoi"], "date_utc": pa.array([9_000_000], pa.date32())})
    write_deltalake(uri, rows, mode="append", schema_mode="merge")
    assert facts(workspace)["trouble"][0].startswith(f"{DAILY} cannot be read: ")


def test_there_is_no_page_without_figures(workspace: Workspace) -> None:
    """Nor where the assets of the report are others."""
    assert RIVERS.figures is None
    assert air.facts(Found(replace(workspace, project=RIVERS), (DAILY,))) is None
    assert air.facts(Found(workspace, (EPISODES,))) is None


@pytest.mark.parametrize(
    ("asset", "why"), [("gold.fact_city_dayly", "'gold.fact_city_dayly' is unknown"), ("gold.dim_date", "has no days")]
)
def test_figures_of_an_asset_that_cannot_have_them_are_refused(asset: str, why: str) -> None:
    wrong = replace(FIGURES, daily=replace(FIGURES.daily, asset=asset))
    with pytest.raises(DeclarationError, match=why):
        replace(PROJECT, figures=wrong)
