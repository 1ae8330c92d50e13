"""An incident is about partitions: on a real server, over tables; a run that completes for other days ends nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.runs.journal import Attempt, RunEntry, RunState
from orchestration.project import load, open_workspace
from resources.storage.journal import Journal
from tests.support.cli_calls import write
from tests.support.days_there import with_days
from tests.support.watching import Place, states

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(240)]
CLEAN, BRONZE = "silver.air_quality_hourly_clean", "bronze.open_meteo_hourly"


def test_other_days_end_nothing(place: Place) -> None:
    """The field report: `last:1` failed, and three days later the hourly run completed for other days."""
    failed_day = datetime.now(UTC).date() - timedelta(days=3)
    later = [str(failed_day + timedelta(days=ago)) for ago in (1, 2, 3)]
    with_days(place.warehouse, {"hanoi": later})
    lost = PartitionSet.of(Days.of(failed_day), ["hanoi"])
    run = place.run(partitions="last:1", locations=["hanoi"])
    attempts = {key: Attempt(planned=lost) for key in (BRONZE, CLEAN)}
    entry = RunEntry("20250820T060000-abcdef", "* last:1", "", state=RunState.FAILED, attempts=attempts)
    Journal(str(place.warehouse)).write(replace(entry, flow_run_id=str(run.id)))
    place.bring(run, states().Failed(message="no answer"))
    assert not place.observe().is_healthy
    assert place.arrived() == [f"{place.deployment} failed"]
    place.run(states().Completed(), partitions="last:1")
    place.run(states().Completed(), partitions="last:1")
    [incident] = place.observe().incidents
    assert place.arrived() == []
    assert incident.unmade == {BRONZE: lost, CLEAN: lost}
    assert "last:" not in incident.text
    assert f"--param partitions={failed_day} " in incident.text
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": str(place.warehouse)}}))
    for key in (BRONZE, CLEAN):  # by hand: no run of the deployment
        assert not place.observe().is_healthy
        write(workspace, key, [], **{f"{failed_day}/hanoi": 0})
    assert place.observe().is_healthy
    assert place.arrived() == [f"what {place.deployment} did not make is there"]
