"""Plans, as JSON and for people."""

from __future__ import annotations

import io
import json
from datetime import date

import pytest
from rich.console import Console

from orchestration.cli.printing import print_plan
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.planning.plan import Input, LeftOut, Obstacle, Plan, Step
from tests.support.cli_calls import DAILY, EPISODE, Aqi, tree

AUGUST = PartitionSet.from_keys([PartitionKey(date(2025, 8, 8), "hanoi")])


@pytest.mark.costly
def test_a_plan_in_a_process_of_its_own(aqi: Aqi, lake: str) -> None:
    call = ("plan", "*", "--partitions", "last:1", "--json")
    done = aqi.process(*call, AQI_WAREHOUSE__URI=lake, PATH="/nowhere")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == aqi.json(*call, AQI_WAREHOUSE__URI=lake)


def test_plan_as_json(aqi: Aqi) -> None:
    """DESIGN, Commands: these keys and no others."""
    plan = aqi.json("plan", f"{EPISODE} or +{DAILY}", "--partitions", "2025-08-18..2025-08-19", "--locations", "hanoi")
    assert set(plan) == {"steps", "left_out"}
    assert [step["asset"] for step in plan["steps"]] == [
        "bronze.open_meteo_hourly",
        "silver.air_quality_hourly_clean",
        "gold.fact_air_quality_hourly",
        DAILY,
        EPISODE,
    ]
    for step in plan["steps"]:
        assert set(step) == {"id", "asset", "partitions", "may_rewrite", "inputs", "reason"}
        assert step["partitions"] == ["2025-08-18/hanoi", "2025-08-19/hanoi"]
        assert isinstance(step["may_rewrite"], list)
        assert step["reason"] == "2 missing"
    assert [item["step"] for item in plan["steps"][3]["inputs"]] == ["gold.fact_air_quality_hourly"]
    assert plan["left_out"] == []


def test_what_a_plan_leaves_out(aqi: Aqi) -> None:
    plan = aqi.json("plan", DAILY, "--partitions", "2025-08-19", "--locations", "hanoi,hcmc")
    assert plan["steps"] == []
    [left] = plan["left_out"]
    assert set(left) == {"asset", "partitions", "reason"}
    assert (left["asset"], left["partitions"]) == (DAILY, ["2025-08-19/hanoi", "2025-08-19/hcmc"])
    assert f"'+{DAILY}'" in left["reason"]


def test_a_dry_run_is_the_plan_and_leaves_nothing_behind(aqi: Aqi) -> None:
    call = ("*", "--partitions", "last:2")
    before = tree(aqi.folder)
    assert aqi.json("materialize", *call, "--dry-run") == aqi.json("plan", *call)
    assert aqi.text("materialize", *call, "--dry-run") == aqi.text("plan", *call)
    assert tree(aqi.folder) == before


def test_a_plan_for_people(aqi: Aqi, lake: str) -> None:
    text = aqi.text("plan", EPISODE, "--partitions", "last:1", "--locations", "hanoi", AQI_WAREHOUSE__URI=lake)
    assert text.startswith("left out gold.fact_episode 2025-08-19..2025-08-20 × hanoi: ")
    assert f"'+{EPISODE}'" in text


def step(name: str, inputs: tuple[Input, ...] = (), partitions: PartitionSet | None = None) -> Step:
    return Step(name, name.split("#")[0], partitions or AUGUST, PartitionSet.empty(), inputs, None, "3 missing")


def printed(plan: Plan) -> str:
    text = io.StringIO()
    print_plan(Console(file=text, width=200), plan)
    return text.getvalue()


def test_equal_inputs_of_a_step_are_told_once() -> None:
    """A backfill in six chunks: what is made of them reads six steps of one table."""
    read = tuple(Input("bronze.open_meteo_hourly", None, f"bronze#{number}", AUGUST) for number in range(6))
    text = printed(Plan((step("gold.dim_time", partitions=PartitionSet.null()), step(DAILY, read)), ()))
    assert "bronze.open_meteo_hourly (steps: 6)" in text
    assert text.count("bronze") == 1
    assert "null" not in text, "a table that has no days"


def test_where_all_is_left_out_something_is_to_be_done() -> None:
    """The name of the table stands once, and the lines of a reason are not broken."""
    reason = f"{DAILY}: pm25: table double, contract integer. " + "Say it. " * 40
    lacking = LeftOut(DAILY, AUGUST, reason, Obstacle.BLOCKED)
    text = printed(Plan((), (lacking,)))
    assert text == f"left out {DAILY} 2025-08-08 × hanoi: {reason.removeprefix(f'{DAILY}: ')}\n"
    later = LeftOut(DAILY, AUGUST, "2025-08-21 is in the future", Obstacle.FUTURE)
    assert printed(Plan((), (later,))).startswith("Nothing to do.\nleft out ")
