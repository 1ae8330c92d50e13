"""What `aqi watch` reads from the Prefect server: how runs of our deployments ended, and which runs are late."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from orchestration.core.alerts.incident_words import EndedRun, LateRun, Result
from orchestration.core.alerts.incidents import ServerView
from orchestration.core.alerts.watch_state import WatchState
from orchestration.core.calendar import day_of
from orchestration.core.errors import PartitionRangeError
from orchestration.core.partitions.keys import PartitionSet, parse_range
from resources.machine.addresses import without_secrets
from resources.prefect.client import PAGE, PrefectApi, open_api
from resources.prefect.slots import WAITS_FOR_OTHERS

TIMEOUT_SECONDS = 10

Unmade = Callable[[str, str, Mapping[str, Any], datetime], tuple[tuple[str, PartitionSet], ...]]
"""(flow run's id, flow, parameters, start of the run) → (asset, partitions) that the run did not make."""

Item = Mapping[str, Any]
"""A deployment or a flow run, as the API gives it."""


def read_server(
    api_url: str,
    tags: Sequence[str],
    state: WatchState,
    now: datetime,
    late_after: Callable[[str], timedelta],
    unmade: Unmade,
    page: int = PAGE,
) -> ServerView:
    """The ended and the late runs of the deployments that carry all ``tags``.

    late_after: name of a deployment on the server → how late its runs may start. unmade: finds what a failed run did
    not make. page: how many items one request asks for. Raises httpx's errors where the server does not answer.
    """
    with open_api(api_url, retries=0, timeout_seconds=TIMEOUT_SECONDS, page=page) as api:  # watch asks again soon
        found = api.all("/deployments/filter", {"deployments": {"tags": {"all_": list(tags)}}})
        deployments = {item["id"]: item for item in found}
        names = _full_names(api, deployments.values())
        if not names:
            return ServerView(frozenset())
        runs = {run["id"]: run for run in _ended_runs(api, list(names), state.read_from)}
        runs |= {run["id"]: run for run in _runs(api, list(names), list(state.read_again))}
        ended = [
            _ended(run, names, unmade)
            for run in runs.values()
            if run["end_time"] is not None and not state.knows(run["id"], _ended_at(run), _result(run))
        ]
        allowed = {id: late_after(deployments[id]["name"]) for id in names}
        return ServerView(frozenset(names.values()), tuple(ended), tuple(_late(api, names, allowed, now)))


def _full_names(api: PrefectApi, deployments: Iterable[Item]) -> dict[str, str]:
    """Id of a deployment → ``flow/name``."""
    of = list(deployments)
    wanted = sorted({item["flow_id"] for item in of})
    by_id = {flow["id"]: flow["name"] for flow in api.all("/flows/filter", {"flows": {"id": {"any_": wanted}}})}
    return {item["id"]: f"{by_id[item['flow_id']]}/{item['name']}" for item in of if item["flow_id"] in by_id}


def _ended_runs(api: PrefectApi, deployments: list[str], since: datetime) -> list[Item]:
    """The runs that ended at ``since`` or later. Pages are cut by the end of runs, so that no run is missed when a run
    starts again meanwhile."""
    found: dict[str, Item] = {}
    until = None
    while True:
        wanted = {
            "deployment_id": {"any_": deployments},
            "end_time": {"after_": since.isoformat(), "before_": until},
        }
        body = {"flow_runs": wanted, "sort": "END_TIME_DESC", "limit": api.page}
        items = api.ask("POST", "/flow_runs/filter", body)
        new = {run["id"]: run for run in items if run["id"] not in found}
        found |= new
        if len(items) < api.page or not new:
            return list(found.values())
        until = items[-1]["end_time"]


def _runs(api: PrefectApi, deployments: list[str], ids: Sequence[str]) -> list[Item]:
    found: list[Item] = []
    for start in range(0, len(ids), api.page):
        wanted = {"id": {"any_": ids[start : start + api.page]}, "deployment_id": {"any_": deployments}}
        found += api.ask("POST", "/flow_runs/filter", {"flow_runs": wanted, "limit": api.page})
    return found


def _ended_at(run: Item) -> datetime:
    """The time of a run's last state. The server's ``end_time`` is that of its first final state, even where a run goes
    on after a supposed crash."""
    return max(_time(run["end_time"]), _time(run["state"]["timestamp"]))


def _result(run: Item) -> Result:
    kind = run["state"]["type"].lower()
    return Result(kind) if kind in set(Result) else Result.CANCELLED


def _ended(run: Item, names: Mapping[str, str], unmade: Unmade) -> EndedRun:
    result, name = _result(run), names[run["deployment_id"]]
    began = _time(run["start_time"] or run["expected_start_time"] or run["end_time"])
    parameters = _with_days(run["parameters"], began)
    flow = name.partition("/")[0]
    return EndedRun(
        id=run["id"],
        name=run["name"],
        deployment=name,
        result=result,
        ended_at=_ended_at(run),
        message=run["state"]["message"] or "",
        link=_link(run),
        parameters=parameters,
        unmade=unmade(run["id"], flow, parameters, began) if result.is_failure else (),
    )


def _with_days(parameters: Mapping[str, Any], began: datetime) -> Mapping[str, Any]:
    """Parameters in which ``last:2`` is replaced by the days that it meant when the run began."""
    days = parameters.get("partitions")
    if not isinstance(days, str) or not days.strip().startswith("last:"):
        return parameters
    try:
        return {**parameters, "partitions": str(parse_range(days, day_of(began)))}
    except PartitionRangeError:
        return parameters


def _late(
    api: PrefectApi, names: Mapping[str, str], allowed: Mapping[str, timedelta], now: datetime
) -> Iterable[LateRun]:
    waiting = {
        "deployment_id": {"any_": list(names)},
        "state": {"type": {"any_": ["SCHEDULED", "PENDING"]}},
        "expected_start_time": {"before_": (now - min(allowed.values())).isoformat()},
    }
    for run in api.all("/flow_runs/filter", {"flow_runs": waiting, "sort": "EXPECTED_START_TIME_ASC"}):
        if run["deployment_id"] is None or run["start_time"] is not None or run["state_name"] == WAITS_FOR_OTHERS:
            continue
        due, taken = _due(run)
        if due <= now - allowed[run["deployment_id"]]:
            deployment, pool = names[run["deployment_id"]], run["work_pool_name"] or ""
            yield LateRun(run["id"], run["name"], deployment, due, _link(run), pool, taken)


def _due(run: Item) -> tuple[datetime, bool]:
    """Since when a run could have started; and whether a worker has taken it. Before, it may have waited for a slot."""
    if run["state"]["type"] == "PENDING":
        return _time(run["state"]["timestamp"]), True
    return _time(run["next_scheduled_start_time"] or run["expected_start_time"]), False


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _link(run: Item) -> str:
    from prefect.utilities.urls import url_for

    return without_secrets(url_for("flow-run", obj_id=run["id"]) or "")
