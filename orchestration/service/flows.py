"""The flows of deployments, which a worker runs. Each does the same as the command with its name.

A run of a deployment is one flow run, with fetches and steps as its tasks. Its state says how it ended: Completed, with
what was done; Failed, with what failed, where and why; or Cancelled, if other runs kept it waiting for the warehouse or
for YARN for too long, with who did and what to do. Wrong parameters fail before Spark starts.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resources.prefect.leases import outlive_leases
from resources.prefect.outages import outlive_outages
from resources.prefect.quiet import quiet_prefect
from resources.prefect.unread import outlive_readers

quiet_prefect()
outlive_leases()
outlive_outages()
outlive_readers()

from prefect import Flow, flow, get_run_logger  # noqa: E402
from prefect.client.schemas.objects import State  # noqa: E402
from prefect.runtime import flow_run  # noqa: E402
from prefect.states import Cancelled, Completed, Failed  # noqa: E402

from orchestration.core.errors import LakehouseError, Refused  # noqa: E402
from orchestration.core.planning.parameters import Maintenance, Materialize  # noqa: E402
from orchestration.core.planning.plan import Plan, Step  # noqa: E402
from orchestration.core.runs.names import HOURLY, at_partitions, run_name, title_of  # noqa: E402
from orchestration.core.runs.outcome import StepOutcome  # noqa: E402
from orchestration.engine.asked import request_of  # noqa: E402
from orchestration.engine.executor import materialize as run_request  # noqa: E402
from orchestration.engine.fetching import FetchTask  # noqa: E402
from orchestration.engine.flow import task_threads  # noqa: E402
from orchestration.engine.workspace import Workspace  # noqa: E402
from orchestration.project import load, open_workspace  # noqa: E402
from orchestration.service.flow_parameters import flow_signature, parse_parameters  # noqa: E402
from resources.machine.secrets import hidden, telling_no_secret  # noqa: E402
from resources.prefect.away import wait_for_server  # noqa: E402
from resources.prefect.server import configured_api_url  # noqa: E402

WORKER_FOLDER = "AQI_WORKER_FOLDER"
ROOT = Path(__file__).resolve().parents[2]
PARALLEL_STEPS = 8


def _run_name() -> str:
    """The name of a run: what it makes. Lists of runs show its time beside the name.

    A run with wrong parameters gets a name too, so the parameters are not checked here.
    """
    given = flow_run.parameters
    selection = given.get("selection") or given.get("select")
    if not selection:
        return "maintenance"
    days = HOURLY if given.get("hourly") else given.get("partitions")
    if given.get("start_date") and given.get("end_date"):
        days = f"{given['start_date']}..{given['end_date']}"
    at = given.get("locations") or ()
    locations = at.split(",") if isinstance(at, str) else at if isinstance(at, list | tuple) else ()
    how = given.get("chunk_mode")
    return run_name(str(selection), *(str(one) for one in (days, how) if one), locations=map(str, locations))


_options: dict[str, Any] = {
    "flow_run_name": _run_name,
    "validate_parameters": False,
    "persist_result": False,
    "task_runner": task_threads(PARALLEL_STEPS),
}


def _flow(name: str) -> Flow[..., State[Any]]:
    """The flow of that name, with the parameters that are declared for it."""

    def run(**given: object) -> State[Any]:
        state = _run(name, given)
        if url := configured_api_url():
            wait_for_server(url, get_run_logger().warning)  # or the run would stay as one that goes on
        return state

    run.__name__, run.__doc__ = name, f"`aqi {name}`."
    run.__signature__ = flow_signature(name)  # type: ignore[attr-defined]  # which Prefect asks for
    made: Flow[..., State[Any]] = flow(name=name, **_options)(run)
    return made


materialize, backfill, maintenance = _flow("materialize"), _flow("backfill"), _flow("maintenance")


@telling_no_secret()
def _run(name: str, given: Mapping[str, Any]) -> State[Any]:
    """Read the parameters and run the flow. Every error of this project becomes the message of the state."""
    # A worker starts its runs in folders of their own, which go with them: a warehouse must not lie there.
    os.chdir(os.environ.get(WORKER_FOLDER) or ROOT)
    try:
        parameters = parse_parameters(name, {key: value for key, value in given.items() if value is not None})
        workspace = open_workspace(load(parameters.profile))
        if isinstance(parameters, Maintenance):
            return _maintain(workspace)
        request, title = request_of(workspace, parameters), title_of(parameters)
        logged, flow_run_id = Logged(get_run_logger()), str(flow_run.id)
        summary = run_request(workspace, request, logged, title=title, flow_run_id=flow_run_id, wait=parameters.wait)
        if isinstance(parameters, Materialize) and parameters.hourly:
            _leave_report(workspace)
    except Refused as error:
        return Cancelled(message=hidden(str(error)))
    except LakehouseError as error:
        return Failed(message=hidden(str(error)))
    return Completed(message=summary.in_words()) if summary.ok else Failed(message=summary.in_words())


def _leave_report(workspace: Workspace) -> None:
    from orchestration.service.report import leave_report

    leave_report(workspace, get_run_logger().warning)


def _maintain(workspace: Workspace) -> State[Any]:
    from orchestration.service.maintenance import run_maintenance

    summary = run_maintenance(workspace, Logged(get_run_logger()))
    return Completed(message=summary.in_words()) if summary.ok else Failed(message=summary.in_words())


class Logged:
    """Writes what happens in a run to a logger. Tasks log their own outcome."""

    def __init__(self, logger: logging.Logger | logging.LoggerAdapter[Any]) -> None:
        self._logger = logger

    def planned(self, plan: Plan) -> None:
        for step in plan.steps:
            self._logger.info("%s: %s", at_partitions(step.asset, step.all_partitions), step.reason)
        for change in plan.tables:
            self._logger.info("table %s", change.text)
        if plan.is_empty:
            self._logger.info("nothing to do")

    def waiting(self, holder: str) -> None:
        self._logger.info("The warehouse is in use by %s; waiting.", holder)

    def starting(self, what: str) -> None:
        self._logger.info("starting %s", what)

    def warned(self, message: str) -> None:
        self._logger.warning(message)

    def orphan_ended(self, message: str) -> None:
        self._logger.warning(message)

    def fetched(self, task: FetchTask, error: str | None) -> None: ...

    def step_started(self, step: Step) -> None: ...

    def step_done(self, outcome: StepOutcome) -> None: ...
