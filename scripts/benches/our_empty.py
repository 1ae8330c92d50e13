"""Five assets whose functions do nothing, through the planner and a Prefect flow, without an engine and tables.

    python -m scripts.benches.our_empty DAYS

One process: imports, plan, flow, until Prefect's history is whole. Prefect's server is the one that PREFECT_API_URL
names, else one of its own.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.partitions.mappings import Identity
from orchestration.core.partitions.scheme import DailyByLocation
from orchestration.core.planning.plan import Step
from orchestration.core.planning.planner import make_plan
from orchestration.core.planning.request import Refresh
from orchestration.core.runs.outcome import StepOutcome
from orchestration.core.selection.parser import parse
from orchestration.core.state.freshness import Current
from resources.prefect.quiet import quiet_prefect
from scripts.benches.graph_shape import EMPTY_ASSETS, FIRST, Splits


def nothing(*_upstream: object) -> None:
    """The function of every asset."""


def empty_asset(number: int, *upstream: int) -> Asset:
    """An asset of a day at a location, made from others."""
    mappings = tuple(Identity(f"gold.a{one}") for one in upstream)
    return Asset(
        f"gold.a{number}", "Empty.", nothing, mappings, None, DailyByLocation(), "C", (), frozenset(), ()
    )  # fmt: skip


def current(catalog: Catalog, now: datetime) -> Current:
    """What holds now: one version of all code."""
    return Current(lambda _asset, _location: "code", dict.fromkeys(catalog.keys, "contract"), now)


class Runner:
    """Calls the functions of a plan's steps."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.outcomes: dict[str, StepOutcome] = {}

    def needs_source(self, _step: Step) -> bool:
        return False

    def run(self, step: Step) -> StepOutcome:
        self._catalog[step.asset].function(*step.inputs)
        self.outcomes[step.id] = StepOutcome(step, written=step.all_partitions)
        return self.outcomes[step.id]


class Silent:
    """A listener that says nothing."""

    def fetched(self, _task: Any, _error: str | None) -> None: ...

    def step_started(self, _step: Step) -> None: ...

    def step_done(self, _outcome: StepOutcome) -> None: ...


def main() -> None:
    """The command."""
    quiet_prefect()
    from orchestration.engine.flow import MATERIALIZE, Work, run_flow
    from resources.prefect.server import prefect_api

    splits, days = Splits(), int(sys.argv[1])
    last = FIRST + timedelta(days=days - 1)
    with tempfile.TemporaryDirectory() as scratch, splits.part("all"), prefect_api(Path(scratch) / "prefect.log"):
        catalog = Catalog([empty_asset(at, *([at - 1] if at else [])) for at in range(EMPTY_ASSETS)])
        asked = Refresh(frozenset(parse("*").resolve(catalog)), PartitionSet.of(Days.of(FIRST, last), ["here"]))
        plan = make_plan(catalog, asked, {}, current(catalog, datetime(2026, 1, 1, tzinfo=UTC)))
        runner: Any = Runner(catalog)
        run_flow(Work(plan, runner, None, Silent(), 4), name="empty", flow_name=MATERIALIZE)
    made = sum(len(one.written) for one in runner.outcomes.values())
    assert made == EMPTY_ASSETS * days, f"{made} partitions were made"
    splits.say(partitions=made)


if __name__ == "__main__":
    main()
