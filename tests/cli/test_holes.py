"""Nothing is quietly absent: what commands say of days that are in no table, declared or not. Today is 2025-08-20."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from assets import CATALOG
from orchestration.project import load, open_workspace
from orchestration.reports.holes import in_words, to_json
from tests.support.cli_calls import Aqi
from tests.support.days_there import with_days

BRONZE, CLEAN, DAILY = "bronze.open_meteo_hourly", "silver.air_quality_hourly_clean", "gold.fact_city_daily"
OUTAGE = {"hanoi": ["2025-06-01..2025-06-30", "2025-07-20..2025-08-20"], "hcmc": ["2025-06-01..2025-08-20"]}
"""Hà Nội lacks the days 1 to 19 July; nobody asked for Đà Nẵng ever."""
SINCE = "2025-05-30"
LOST = [f"2025-07-{day:02}/hanoi" for day in range(1, 20)]


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> str:
    return with_days(tmp_path_factory.mktemp("outage"), OUTAGE)


def found(aqi: Aqi, outage: str, *args: str, **env: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = aqi.json("status", *args, AQI_WAREHOUSE__URI=outage, **env)
    return items


# --- nothing is declared --------------------------------------------------------------------------


def test_status_without_a_range_names_days_that_are_in_no_table(aqi: Aqi, outage: str) -> None:
    for key in (BRONZE, DAILY):
        holes = [item for item in found(aqi, outage, key) if item["marks"] == ["hole"]]
        assert [item["partition"] for item in holes] == LOST
        assert {(item["state"], item["reason"], item["rows"]) for item in holes} == {("missing", "never made", None)}
    text = aqi.text("status", AQI_WAREHOUSE__URI=outage)
    assert "2025-07-01..2025-07-19 × hanoi (19 partitions)" in text
    assert "missing; hole" in text
    assert "  aqi backfill --start-date 2025-07-01 --end-date 2025-07-19 --locations hanoi" in text.splitlines()


def test_holes_that_nobody_declared_alarm_nobody(aqi: Aqi, outage: str) -> None:
    metrics = aqi.text("metrics", AQI_WAREHOUSE__URI=outage)
    assert f'aqi_partitions{{asset="{BRONZE}",state="missing"}} 0.0' in metrics
    assert f'aqi_partitions_in_holes{{asset="{BRONZE}",location="hanoi"}} 19.0' in metrics
    assert "aqi_partitions_missing{" not in metrics
    status = aqi("freshness", "--json", AQI_WAREHOUSE__URI=outage)
    lags = {(item["asset"], item["location"]): item for item in json.loads(status.stdout)}
    assert "missing" not in lags[BRONZE, "hanoi"]


def test_what_another_table_has_is_missing_as_ever(aqi: Aqi, tmp_path: Path) -> None:
    lake = with_days(
        tmp_path / "lake",
        {"hanoi": ["2025-08-10..2025-08-20"]},
        fact_city_daily={"hanoi": ["2025-08-10", "2025-08-12"]},
    )
    items = {item["partition"]: item for item in found(aqi, lake) if item["asset"] == DAILY}
    assert (items["2025-08-11/hanoi"]["state"], items["2025-08-11/hanoi"]["marks"]) == ("missing", [])


def test_a_location_that_is_no_longer_configured_has_no_holes(aqi: Aqi, tmp_path: Path) -> None:
    lake = with_days(tmp_path / "lake", {"hue": ["2025-08-01", "2025-08-09"], "hanoi": ["2025-08-19..2025-08-20"]})
    items = found(aqi, lake, BRONZE)
    assert not [item for item in items if "hole" in item["marks"]]
    assert {item["partition"] for item in items if item["partition"].endswith("hue")} == {
        "2025-08-01/hue",
        "2025-08-09/hue",
    }


# --- it is declared -------------------------------------------------------------------------------


def test_status_without_a_range_names_what_is_wanted(aqi: Aqi, outage: str) -> None:
    env = {"AQI_HISTORY__SINCE": f"{{hanoi: {SINCE}}}"}
    items = [item for item in found(aqi, outage, BRONZE, **env) if item["state"] != "fresh"]
    assert [item["partition"] for item in items] == ["2025-05-30/hanoi", "2025-05-31/hanoi", *LOST]
    assert {tuple(item["marks"]) for item in items} == {(f"wanted since {SINCE}",)}
    text = aqi.text("status", AQI_WAREHOUSE__URI=outage, **env)
    assert "Wanted (history.since) and not there: 2025-05-30..2025-05-31, 2025-07-01..2025-07-19 × hanoi" in text
    assert "aqi backfill --start-date 2025-05-30 --end-date 2025-07-19 --locations hanoi" in text


@pytest.mark.costly
def test_holes_before_what_is_wanted_are_told_as_that(aqi: Aqi, outage: str, tmp_path: Path) -> None:
    """Somebody has declared what is wanted there: it is not that."""
    since = {"AQI_WAREHOUSE__URI": outage, "AQI_HISTORY__SINCE": "{hanoi: 2025-07-10}"}
    lines = aqi.text("status", **since).splitlines()
    (told,) = (line for line in lines if line.startswith("In no table"))
    assert "2025-07-01..2025-07-09 × hanoi (9 partitions). They lie before what is wanted (history.since)." in told
    assert "Nobody declared" not in "".join(lines)
    assert "  aqi backfill --start-date 2025-07-01 --end-date 2025-07-09 --locations hanoi" in lines
    lake = with_days(tmp_path / "lake", OUTAGE | {"hcmc": ["2025-06-01", "2025-06-03..2025-08-20"]})
    both = aqi.text("status", AQI_WAREHOUSE__URI=lake, AQI_HISTORY__SINCE=since["AQI_HISTORY__SINCE"])
    assert "2025-06-02 × hcmc (1 partition). Nobody declared whether these are wanted (history.since)." in both
    assert "2025-07-01..2025-07-09 × hanoi (9 partitions). They lie before what is wanted" in both


def test_a_location_that_was_never_made_lacks_all_of_it(aqi: Aqi, outage: str) -> None:
    items = found(aqi, outage, BRONZE, AQI_HISTORY__SINCE="2025-08-01")
    lacking = [one for one in (item["partition"] for item in items) if one.endswith("danang")]
    assert lacking == [f"2025-08-{day:02}/danang" for day in range(1, 20)], "today goes on"


def test_metrics_and_freshness_report_against_it(aqi: Aqi, outage: str) -> None:
    env = {"AQI_WAREHOUSE__URI": outage, "AQI_HISTORY__SINCE": "{hanoi: 2025-06-01, hcmc: 2025-06-01}"}
    metrics = aqi.text("metrics", **env)
    assert f'aqi_partitions_missing{{asset="{DAILY}",location="hanoi"}} 19.0' in metrics
    assert f'aqi_partitions_missing{{asset="{DAILY}",location="hcmc"}} 0.0' in metrics
    assert f'aqi_partitions{{asset="{DAILY}",state="missing"}} 19.0' in metrics
    assert "aqi_partitions_in_holes{" not in metrics
    done = aqi("freshness", DAILY, **env)
    assert done.exit_code == 1
    assert "Wanted (history.since) and not there: 2025-07-01..2025-07-19 × hanoi (19 partitions)" in done.stdout
    lags = {item["location"]: item for item in aqi.json("freshness", BRONZE, status=1, **env)}
    assert (lags["hanoi"]["since"], lags["hanoi"]["missing"], lags["hanoi"]["missed"]) == ("2025-06-01", 19, False)
    assert (lags["hcmc"]["missing"], lags["danang"].get("since")) == (0, None)


def test_freshness_is_good_where_all_is_there(aqi: Aqi, outage: str) -> None:
    env = {"AQI_WAREHOUSE__URI": outage, "AQI_HISTORY__SINCE": "{hcmc: 2025-06-01}"}
    assert aqi("freshness", BRONZE, **env).exit_code == 0


def test_a_plan_without_a_range_is_of_all_that_is_wanted(aqi: Aqi, outage: str) -> None:
    env = {"AQI_WAREHOUSE__URI": outage, "AQI_HISTORY__SINCE": "{hanoi: 2025-06-20}"}
    plan = aqi.json("plan", BRONZE, **env)
    [step] = plan["steps"]
    assert step["partitions"] == LOST
    assert step["reason"] == "19 missing"
    refused = aqi("plan", BRONZE, AQI_WAREHOUSE__URI=outage)
    assert refused.exit_code == 2, "nothing is declared"
    assert aqi("plan", BRONZE, "--locations", "hcmc", **env).exit_code == 2, "nor there"
    today = env | {"AQI_HISTORY__SINCE": "{danang: 2025-08-20, hanoi: 2025-08-01}"}
    [step] = aqi.json("plan", BRONZE, "--locations", "danang", **today)["steps"]
    assert step["partitions"] == ["2025-08-20/danang"], "what begins today is wanted"
    assert aqi.json("plan", BRONZE, "--locations", "hanoi", **today)["steps"] == []


def test_a_plan_of_a_range_names_what_is_wanted_besides(aqi: Aqi, outage: str) -> None:
    env = {"AQI_WAREHOUSE__URI": outage, "AQI_HISTORY__SINCE": "{hanoi: 2025-06-20}"}
    done = aqi("plan", BRONZE, "--partitions", "2025-07-10..2025-07-19", **env)
    assert done.exit_code == 0
    assert "not there: 2025-07-01..2025-07-09 × hanoi (9 partitions)" in done.stderr
    command = next(line for line in done.stderr.splitlines() if line.startswith("  aqi backfill"))
    assert shlex.split(command)[2:6] == ["--start-date", "2025-07-01", "--end-date", "2025-07-09"]


def test_the_command_that_is_told_makes_what_is_missing(aqi: Aqi, outage: str) -> None:
    """As a dry run: the days of the plan are those that were told."""
    env = {"AQI_WAREHOUSE__URI": outage, "AQI_HISTORY__SINCE": "2025-06-01"}
    told = [line for line in aqi.text("status", **env).splitlines() if line.startswith("  aqi backfill")]
    made = set()
    for line in told:
        plan = aqi.json(*shlex.split(line)[1:], "--dry-run", **env)
        made |= {one for step in plan["steps"] if step["asset"] == BRONZE for one in step["partitions"]}
    items = found(aqi, outage, BRONZE, AQI_HISTORY__SINCE="2025-06-01")
    missing = {item["partition"] for item in items if item["state"] == "missing"}
    assert made == missing
    assert len(missing) == 19 + 80


def test_a_wrong_declaration_is_refused_before_any_work(aqi: Aqi) -> None:
    place, remedy = aqi.refusal("status", AQI_HISTORY__SINCE="last:7")
    assert "AQI_HISTORY__SINCE" in place
    assert "history.since" in place and "must be a day" in place
    assert remedy == "Correct the value."


# --- who tells it by himself ----------------------------------------------------------------------


def test_the_hourly_run_says_what_it_does_not_catch_up_with_though_later_days_are_fresh(aqi: Aqi, outage: str) -> None:
    env = {"AQI_WAREHOUSE__URI": outage, "AQI_OPEN_METEO__ATTEMPTS": "1", "AQI_HOURLY__INCOMPLETE_DAYS": "0"}
    done = aqi("materialize", "*", "--hourly", "--dry-run", **env)
    assert "Not caught up with: 2025-07-01..2025-07-19 × hanoi (from 2025-07-01 to 2025-07-19, 19 partitions)" in (
        done.stderr
    )
    assert "\n  aqi backfill --start-date 2025-07-01 --end-date 2025-07-19 --locations hanoi\n" in done.stderr
    wanted = aqi("materialize", BRONZE, "--hourly", "--dry-run", **env, AQI_HISTORY__SINCE="{danang: 2025-08-01}")
    assert "2025-08-01..2025-08-05 × danang" in wanted.stderr
    assert f"--end-date 2025-08-05 --select {BRONZE} --locations danang" in wanted.stderr


@pytest.mark.costly
def test_a_watch_tells_what_is_wanted_and_missing(aqi: Aqi, outage: str) -> None:
    """Nobody answers for the server: that is another look's incident."""
    env = {"AQI_WAREHOUSE__URI": outage, "PREFECT_API_URL": "http://127.0.0.1:9/api"}

    def missing(**more: str) -> list[dict[str, Any]]:
        done = aqi("watch", "--once", "--json", **env, **more)
        assert done.exit_code == 1
        return [item for item in json.loads(done.stdout) if item["kind"] == "missing"]

    assert missing() == [], "nobody declared anything"
    [incident] = missing(AQI_HISTORY__SINCE="{hanoi: 2025-06-01}")
    dated = [asset.key for asset in CATALOG if asset.partitions is not None]
    assert [key for key in dated if key not in incident["text"]] == [], "one of all tables that lack the same days"
    assert "2025-07-01..2025-07-19 × hanoi" in incident["text"]
    command = "Go on: aqi backfill --start-date 2025-07-01 --end-date 2025-07-19 --locations hanoi"
    assert command in incident["text"].splitlines()


def test_the_same_as_facts_for_a_page(outage: str) -> None:
    workspace = open_workspace(
        load(environment={"AQI_WAREHOUSE__URI": outage, "AQI_CLOCK__NOW": "2025-08-20T06:00:00Z"})
    )
    found = workspace.holes([BRONZE])
    [fact] = to_json(found, workspace.settings.since)
    assert fact == {
        "asset": BRONZE,
        "location": "hanoi",
        "since": None,
        "wanted": 0,
        "missing": 0,
        "missing_days": "",
        "hole_days": "2025-07-01..2025-07-19",
    }
    assert in_words(workspace, found)[1:] == [
        f"  aqi backfill --start-date 2025-07-01 --end-date 2025-07-19 --select {BRONZE} --locations hanoi"
    ]


def test_what_is_wiped_is_a_hole(aqi: Aqi, tmp_path: Path) -> None:
    lake = with_days(tmp_path / "lake", {"hanoi": ["2025-08-10..2025-08-20"]})
    day = ("--partitions", "2025-08-14", "--locations", "hanoi", "--yes")
    assert aqi("wipe", "*", *day, AQI_WAREHOUSE__URI=lake).exit_code == 0
    items = {item["partition"]: item for item in found(aqi, lake, DAILY)}
    assert items["2025-08-14/hanoi"]["marks"] == ["hole"]
