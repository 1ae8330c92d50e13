"""Metrics: the history of steps, Prometheus's text, and rows per step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.runs.journal import RunEntry, RunState
from orchestration.core.runs.outcome import Outcome, Problem, StepOutcome
from orchestration.core.runs.step_words import steps_table
from orchestration.core.state.completeness import Completeness
from orchestration.core.state.freshness import GIVEN_UP, NO_LONGER_CONFIGURED, State
from orchestration.core.state.lags import Lag
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import TableState
from orchestration.engine.run_record import RunRecord
from orchestration.engine.scales import ChangedScale
from orchestration.engine.steps import StepRunner
from orchestration.project import load, open_workspace
from orchestration.reports.metrics import as_text, metrics
from orchestration.reports.status import StatusGroup
from resources.delta.step_history import FOLDER, StepHistory, StepRow
from resources.storage.journal import Journal
from tests.support import oracle
from tests.support.cli_calls import Aqi

AT = datetime(2025, 8, 20, 6, tzinfo=UTC)
ROW = StepRow("r1", "", "* last:1", "gold.x", "gold.x", "written", AT, 1.5, 72, 3, 0, 0, 0, 0.5)
GONE = Problem(Outcome.FAILED, PartitionSet.of(Days.of(date(2025, 8, 19)), ["hue"]), "no")


def days(first: int, last: int) -> PartitionSet:
    return PartitionSet.of(Days.of(date(2025, 8, first), date(2025, 8, last)), ["hanoi"])


def step(asset: str, partitions: PartitionSet) -> Step:
    return Step(asset, asset, partitions, PartitionSet.empty(), (), None, "missing")


def outcome(asset: str = oracle.BRONZE, **values: Any) -> StepOutcome:
    return StepOutcome(step(asset, days(18, 20)), **values)


def never(message: str) -> None:
    raise AssertionError(message)


# --- the history ----------------------------------------------------------------------------------


def test_what_was_appended_comes_back_newest_run_first(tmp_path: Path) -> None:
    history = StepHistory(str(tmp_path))
    assert history.rows() == []
    history.append([], never)
    assert not (tmp_path / FOLDER).exists()
    history.append([ROW, replace(ROW, asset="gold.y", lag_hours=None)], never)
    later = replace(ROW, run_id="r2", started_at=AT + timedelta(hours=1, microseconds=7), flow_run_id="f", title="é")
    history.append([later], never)
    assert history.rows() == [later, ROW, replace(ROW, asset="gold.y", lag_hours=None)]
    assert history.rows(1) == [later]
    assert len(list((tmp_path / FOLDER / "_delta_log").glob("*.json"))) == 2, "a commit a run"


def test_where_it_cannot_be_written_a_warning_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "_aqi").write_text("in the way", encoding="utf-8")
    warnings: list[str] = []
    StepHistory(str(tmp_path)).append([ROW], warnings.append)
    assert len(warnings) == 1
    assert "the history of steps could not be written" in warnings[0]


def test_another_table_in_its_place(tmp_path: Path) -> None:
    import pyarrow as pa
    from deltalake import write_deltalake

    write_deltalake(tmp_path / FOLDER, pa.table({"x": [1]}))
    warnings: list[str] = []
    history = StepHistory(str(tmp_path))
    history.append([ROW], warnings.append)
    assert len(warnings) == 1
    with pytest.raises(OSError, match="cannot be read"):
        history.rows()


# --- the end of a run -----------------------------------------------------------------------------


def ended(folder: Path, outcomes: Mapping[str, StepOutcome], tables: Mapping[str, TableState]) -> list[str]:
    """A run that ends with these outcomes; gives what it warned of."""
    settings = load(environment={}, flags={"warehouse": {"uri": str(folder)}, "clock": {"now": AT}})
    plan = Plan(tuple(one.step for one in outcomes.values()), ())
    warnings: list[str] = []
    record = RunRecord(open_workspace(settings), "run-7", "* last:1", plan, warnings.append, "flow-run-3")
    record.begin()
    record.runner = cast(StepRunner, SimpleNamespace(outcomes=outcomes, tables=tables))
    record.end(None, None, None)
    return warnings


def test_a_run_leaves_a_row_per_step(tmp_path: Path) -> None:
    key = PartitionKey(date(2025, 8, 20), "hanoi")
    made = PartitionRecord(6, "f", {}, "c", "k", as_of="2025-08-20T04:30:00Z", at="2025-08-20T05:59:00Z")
    good = outcome(written=days(20, 20), unchanged=days(18, 18), problems=(GONE,), rows=6, seconds=2.25)
    with_nothing = outcome(oracle.SILVER, seconds=0.5)
    outcomes = {one.step.id: one for one in (good, with_nothing)}
    assert ended(tmp_path, outcomes, {oracle.BRONZE: TableState(None, {key: made})}) == []
    first, second = StepHistory(str(tmp_path)).rows()
    assert (first.run_id, first.flow_run_id, first.title, first.state) == ("run-7", "flow-run-3", "* last:1", "failed")
    counts = (first.partitions_written, first.partitions_unchanged, first.partitions_failed, first.partitions_skipped)
    assert (counts, first.rows, first.seconds) == ((1, 1, 1, 0), 6, 2.25)
    assert (first.lag_hours, second.lag_hours) == (1.5, None)
    (entry,) = Journal(str(tmp_path)).entries()
    assert first.started_at == datetime.fromisoformat(entry.started_at)


def test_a_run_without_outcomes_leaves_none(tmp_path: Path) -> None:
    assert ended(tmp_path, {}, {}) == []
    assert StepHistory(str(tmp_path)).rows() == []
    assert len(Journal(str(tmp_path)).entries()) == 1


def test_a_run_ends_well_where_its_history_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "_delta_log").write_text("in the way", encoding="utf-8")
    (warning,) = ended(tmp_path, {oracle.BRONZE: outcome()}, {})
    assert "the history of steps could not be written" in warning


# --- metrics --------------------------------------------------------------------------------------


def samples(**of: Any) -> dict[str, float]:
    """The metrics as Prometheus reads them: ``name{label values}`` → value."""
    given = {"statuses": (), "lags": (), "entries": (), "steps": ()} | of
    text = as_text(metrics(**given))
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(sample.labels.values())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def group(state: State = State.FRESH, partitions: PartitionSet | None = None, **more: Any) -> StatusGroup:
    given: dict[str, Any] = {"asset": "gold.x", "in_short": "", "marks": ()} | more
    return StatusGroup(state=state, partitions=partitions or days(20, 20), **given)


def test_partitions_by_state() -> None:
    found = samples(statuses=[group(partitions=days(18, 19)), group(State.FAILED)])
    assert {name: value for name, value in found.items() if name.startswith("aqi_partitions")} == {
        "aqi_partitions{gold.x,fresh}": 2,
        "aqi_partitions{gold.x,stale}": 0,
        "aqi_partitions{gold.x,damaged}": 0,
        "aqi_partitions{gold.x,missing}": 0,
        "aqi_partitions{gold.x,failed}": 1,
        "aqi_partitions{gold.x,unrecorded}": 0,
        "aqi_partitions_no_longer_configured{gold.x}": 0,
    }


def test_partitions_of_a_location_that_is_gone_are_counted_apart() -> None:
    found = samples(statuses=[group(marks=(NO_LONGER_CONFIGURED,), partitions=days(1, 3)), group()])
    assert found["aqi_partitions{gold.x,fresh}"] == 1
    assert found["aqi_partitions_no_longer_configured{gold.x}"] == 3


def test_values_that_are_lacking() -> None:
    """By location; of what is given up apart; not of assets whose rows are no hours, nor of locations that are gone."""
    both = days(1, 2) | PartitionSet.of(Days.of(date(2025, 8, 1)), ["hue"])
    hue = PartitionSet.of(Days.of(date(2025, 8, 20)), ["hue"])
    whole, holes = Completeness(24, {"aqi": 24}), Completeness(24, {"aqi": 3})
    item = group(asset="bronze.x", completeness=whole)
    found = samples(
        statuses=[
            replace(item, partitions=both),
            replace(item, completeness=holes, partitions=days(5, 6), withdrawn={"hanoi": 3}),
            replace(item, completeness=holes, marks=(f"{GIVEN_UP}: 3 of 24 hours",)),
            replace(item, marks=("withdrawn: 2 hours",), partitions=hue, withdrawn={"hue": 2}),
            replace(item, completeness=None, partitions=both, withdrawn={"hue": 1}),
            replace(item, completeness=holes, partitions=hue, marks=(NO_LONGER_CONFIGURED,)),
            replace(item, asset="gold.y", completeness=None),
        ]
    )
    assert {name: value for name, value in found.items() if "{bronze.x,h" in name or "gold.y,h" in name} == {
        "aqi_partitions_incomplete{bronze.x,hanoi}": 2,
        "aqi_partitions_given_up{bronze.x,hanoi}": 1,
        "aqi_hours_withdrawn{bronze.x,hanoi}": 3,
        "aqi_partitions_incomplete{bronze.x,hue}": 0,
        "aqi_partitions_given_up{bronze.x,hue}": 0,
        "aqi_hours_withdrawn{bronze.x,hue}": 3,
    }


def test_a_scale_that_changed_of_late() -> None:
    changed = ChangedScale("bronze.x", "the scale", date(2025, 8, 20), ("hanoi", "hue"), ("It changed.",))
    found = samples(scales=[changed])
    assert {name: value for name, value in found.items() if "scale" in name} == {
        f"aqi_scale_changed_timestamp_seconds{{bronze.x,{location}}}": 1755648000 for location in ("hanoi", "hue")
    }


def test_lags_and_targets() -> None:
    found = samples(lags=[Lag("gold.x", "hue", AT, 1.5, 3), Lag("gold.x", "hà nội", None, None, 3)])
    assert found["aqi_lag_seconds{gold.x,hue}"] == 5400
    assert found["aqi_lag_seconds{gold.x,hà nội}"] == float("inf")
    assert found["aqi_lag_target_seconds{gold.x}"] == 10800


def test_steps_of_the_last_run_that_had_the_asset() -> None:
    """A backfill has a step per chunk: they are added up."""
    newer = [replace(ROW, run_id="r2", step=f"gold.x#{number}", rows=10, partitions_failed=1) for number in (1, 2)]
    found = samples(steps=[*newer, ROW, replace(ROW, asset="gold.y", rows=5)])
    assert (found["aqi_step_rows{gold.x}"], found["aqi_step_rows{gold.y}"]) == (20, 5)
    assert found["aqi_step_seconds{gold.x}"] == 3
    assert found["aqi_step_partitions{gold.x,written}"] == 6
    assert found["aqi_step_partitions{gold.x,failed}"] == 2
    assert found["aqi_step_partitions{gold.x,skipped}"] == 0


def test_runs() -> None:
    """The newest that ended counts, not one that still runs."""
    entries = [
        RunEntry("r3", "t", "2025-08-20T05:00:00Z"),
        RunEntry("r2", "t", "2025-08-20T04:00:00Z", "2025-08-20T04:30:00Z", RunState.FAILED, seconds=1800),
        RunEntry("r1", "t", "2025-08-20T03:00:00Z", "2025-08-20T03:30:00Z", RunState.COMPLETED, seconds=9),
    ]
    found = samples(entries=entries)
    assert found == {
        "aqi_runs{running}": 1,
        "aqi_runs{completed}": 1,
        "aqi_runs{failed}": 1,
        "aqi_runs{interrupted}": 0,
        "aqi_run_seconds": 1800,
        "aqi_run_ended_timestamp_seconds": datetime(2025, 8, 20, 4, 30, tzinfo=UTC).timestamp(),
        "aqi_run_failed": 1,
    }
    assert samples(entries=entries[2:])["aqi_run_failed"] == 0
    assert "aqi_run_seconds" not in samples(entries=entries[:1])


def test_a_table_of_steps() -> None:
    done = outcome(written=days(18, 19), problems=(GONE,), rows=48, seconds=1.23456)
    assert steps_table([done])[0]["lag_hours"] is None
    assert steps_table([done], {oracle.BRONZE: 1.50049}) == [
        {
            "asset": oracle.BRONZE,
            "state": "failed",
            "why": "no",
            "seconds": 1.235,
            "rows": 48,
            "written": 2,
            "unchanged": 0,
            "failed": 1,
            "skipped": 0,
            "incomplete": 0,
            "lag_hours": 1.5,
        }
    ]
    lacking = replace(done, incomplete={"2025-09-10/hue": "0 of 24 hours", "2025-09-11/hue": "1 of 24 hours"})
    assert steps_table([lacking])[0]["incomplete"] == 2


# --- the command ----------------------------------------------------------------------------------


def test_the_command(aqi: Aqi, lake: str, tmp_path: Path) -> None:
    text = aqi.text("metrics", AQI_WAREHOUSE__URI=lake)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert "aqi_run_seconds" not in families
    states = {
        (sample.labels["asset"], sample.labels["state"]): sample.value for sample in families["aqi_partitions"].samples
    }
    assert states[oracle.CITY_DAILY, "unrecorded"] == 1
    assert aqi.text("metrics", "-o", "aqi.prom", AQI_WAREHOUSE__URI=lake) == ""
    assert (tmp_path / "aqi.prom").read_text(encoding="utf-8") == text
    assert [path.name for path in tmp_path.glob("*.prom*")] == ["aqi.prom"]


def test_the_history_as_json(aqi: Aqi, tmp_path: Path) -> None:
    StepHistory(str(tmp_path / "w")).append([ROW, ROW], never)
    found = aqi.json("metrics", "--limit", "1", AQI_WAREHOUSE__URI=str(tmp_path / "w"))
    assert found == [ROW.to_json()]
    assert found[0]["started_at"] == "2025-08-20T06:00:00Z"


def test_a_warehouse_that_is_not_there(aqi: Aqi) -> None:
    assert aqi.refusal("metrics")[0].startswith("there is no warehouse at ")


def test_an_empty_warehouse(aqi: Aqi) -> None:
    (aqi.folder / "warehouse" / "_aqi").mkdir(parents=True)
    assert aqi.json("metrics") == []
    assert 'aqi_runs{state="failed"} 0.0' in aqi.text("metrics")


def test_refusals(aqi: Aqi) -> None:
    assert aqi.refusal("metrics", "-o", "no/such/x.prom")[0].startswith("no/such/x.prom cannot be written")
    assert "standard output" in aqi.refusal("metrics", "--json", "-o", "x.prom")[0]
