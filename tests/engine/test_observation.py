"""What a run does about fetches before and beside Spark: what was asked for beforehand, and what was never brought."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest

from orchestration.core.state.freshness import NOT_ANSWERED
from orchestration.core.state.table_state import TableState
from orchestration.engine.executor import prepare
from orchestration.engine.observation import observe_sources
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from resources.simulator.server import Simulator
from tests.support import oracle

NOW = datetime(2025, 8, 20, 10, 30, tzinfo=UTC)


def no_spark() -> NoReturn:
    raise AssertionError("nothing is to be computed")


@pytest.fixture
def api() -> Iterator[Simulator]:
    with Simulator(now=lambda: NOW) as simulator:
        yield simulator


def workspace(folder: Path, url: str) -> Workspace:
    flags: dict[str, Any] = {
        "warehouse": {"uri": str(folder)},
        "clock": {"now": NOW},
        "open_meteo": {"base_url": url, "attempts": 1},
    }
    return open_workspace(load(environment={}, flags=flags))


def test_the_revisable_days_are_asked_for(tmp_path: Path, api: Simulator) -> None:
    here = workspace(tmp_path, api.url)
    request = here.hourly(here.select("*"))
    gap = here.partitions("2025-08-10..2025-08-12")  # is fetched by the run, if it is not there: nothing to compare
    observed = observe_sources(here, replace(request, partitions=request.partitions | gap))
    assert observed is not None and observed.brought and not observed.problems
    assert observed.assets == (oracle.BRONZE,)
    (sent,) = observed.sent.values()
    assert set(sent) == set(request.compare) == set(here.partitions("2025-08-18..2025-08-20"))
    assert NOT_ANSWERED not in sent.values()
    assert api.requests_served.total() == 1


def test_a_provider_that_is_away(tmp_path: Path, api: Simulator) -> None:
    here = workspace(tmp_path, api.url)
    api.stop()
    observed = observe_sources(here, here.hourly(here.select("*")))
    assert observed is not None and not observed.brought
    assert len(observed.problems) == 3 and all("2025-08-18..2025-08-20: " in line for line in observed.problems)


def test_nothing_is_asked_where_nothing_is_compared_or_fetched(tmp_path: Path, api: Simulator) -> None:
    here = workspace(tmp_path, api.url)
    assert observe_sources(here, here.requested(here.select("*"), "2025-08-18")) is None
    assert observe_sources(here, here.hourly(here.select("layer:gold"))) is None
    assert api.requests_served.total() == 0


def test_a_look_is_outdated_where_another_run_came_first(tmp_path: Path, api: Simulator) -> None:
    here = workspace(tmp_path, api.url)
    observed = observe_sources(here, here.hourly(here.select("*")))
    assert observed is not None
    before = {oracle.BRONZE: TableState(3), oracle.SILVER: TableState(3)}
    assert not observed.is_outdated(before, before)
    assert not observed.is_outdated(before, before | {oracle.SILVER: TableState(4)})
    assert observed.is_outdated(before, before | {oracle.BRONZE: TableState(4)})
    assert observed.is_outdated({}, before)


def test_what_was_never_brought_fails_by_name(tmp_path: Path, api: Simulator) -> None:
    """Whatever became of its fetch: it must not be passed over."""
    here = workspace(tmp_path, api.url)
    plan, tables = here.plan(here.requested(here.select(oracle.BRONZE), "2025-08-18"))
    runner, source = prepare(here, plan, tables, "run", no_spark)
    assert source is not None
    brought, *_ = source.tasks
    api.stop()
    with pytest.raises(Exception, match=r"no connection|refused|reach"):
        source.fetch(brought)
    outcome = runner.run(plan.steps[0])
    assert outcome.failed == plan.steps[0].partitions
    assert outcome.problems[0].partitions == brought.partitions
    assert "was not fetched" in outcome.problems[1].message
