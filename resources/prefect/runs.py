"""What `aqi watch` reads of the Prefect server: how runs of our deployments ended, and which are late."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

from orchestration.core.alerts.incident_words import EndedRun, LateRun, Result
from orchestration.core.alerts.incidents import ServerView
from orchestration.core.alerts.watch_state import WatchState

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse

PAGE = 200
TIMEOUT_SECONDS = 10
WAITS_FOR_OTHERS = "AwaitingConcurrencySlot"

Unmade = Callable[[str], tuple[tuple[str, str], ...]]
"""Of a flow run's id: (asset, partitions in words) that it did not make."""


def read_server(
    api_url: str,
    tags: Sequence[str],
    state: WatchState,
    now: datetime,
    late_after: Callable[[str], timedelta],
    unmade: Unmade,
) -> ServerView:
    """What is to be known of the deployments that carry all ``tags``.

    late_after: of a deployment's name on the server. Raises what httpx raises where the server does not answer.
    """
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    patience = {"timeout": TIMEOUT_SECONDS}
    with (
        temporary_settings({PREFECT_API_URL: api_url, PREFECT_CLIENT_MAX_RETRIES: 0}),  # the next look is the retry
        get_client(httpx_settings=patience, sync_client=True) as client,
    ):
        deployments = _deployments(client, tags)
        names = _full_names(client, deployments.values())
        if not names:
            return ServerView(frozenset())
        runs = {run.id: run for run in _ended_runs(client, list(names), state.read_from)}
        runs |= {run.id: run for run in _runs(client, list(names), state.read_again)}
        ended = [
            _ended(run, names, unmade)
            for run in runs.values()
            if run.end_time is not None and not state.knows(str(run.id), _ended_at(run), _result(run))
        ]
        allowed = {id: late_after(deployments[id].name) for id in names}
        return ServerView(frozenset(names.values()), tuple(ended), tuple(_late(client, names, allowed, now)))


def without_secrets(url: str) -> str:
    """An address without user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def why_unseen(error: Exception) -> str:
    """What is wrong with a server, without what is secret."""
    from httpx import HTTPStatusError

    if isinstance(error, HTTPStatusError):
        return f"it answers {error.response.status_code} to {error.request.method} {error.request.url.path}"
    return f"{type(error).__name__}: {error}"


def _deployments(client: SyncPrefectClient, tags: Sequence[str]) -> dict[UUID, DeploymentResponse]:
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    of_ours = DeploymentFilter(tags=DeploymentFilterTags(all_=list(tags)))
    found = _paged(
        lambda offset: client.read_deployments(deployment_filter=of_ours, limit=PAGE, offset=offset),
    )
    return {item.id: item for item in found}


def _full_names(client: SyncPrefectClient, deployments: Iterable[DeploymentResponse]) -> dict[UUID, str]:
    """``flow/name`` by deployment."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterId

    of = list(deployments)
    wanted = FlowFilter(id=FlowFilterId(any_=sorted({item.flow_id for item in of})))
    flows = _paged(lambda offset: client.read_flows(flow_filter=wanted, limit=PAGE, offset=offset))
    by_id = {flow.id: flow.name for flow in flows}
    return {item.id: f"{by_id[item.flow_id]}/{item.name}" for item in of if item.flow_id in by_id}


def _ended_runs(client: SyncPrefectClient, deployments: list[UUID], since: datetime) -> list[FlowRun]:
    """Those that ended at ``since`` or later. Pages go by the end, so that none is missed when one begins again."""
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterDeploymentId,
        FlowRunFilterEndTime,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    found: dict[UUID, FlowRun] = {}
    until = None
    while True:
        page = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                deployment_id=FlowRunFilterDeploymentId(any_=deployments),
                end_time=FlowRunFilterEndTime(after_=since, before_=until),
            ),
            sort=FlowRunSort.END_TIME_DESC,
            limit=PAGE,
        )
        new = {run.id: run for run in page if run.id not in found}
        found |= new
        if len(page) < PAGE or not new:
            return list(found.values())
        until = page[-1].end_time


def _runs(client: SyncPrefectClient, deployments: list[UUID], ids: Iterable[str]) -> list[FlowRun]:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId, FlowRunFilterId

    found: list[FlowRun] = []
    wanted = [UUID(id) for id in ids]
    for start in range(0, len(wanted), PAGE):
        some = FlowRunFilterId(any_=wanted[start : start + PAGE])
        of = FlowRunFilter(id=some, deployment_id=FlowRunFilterDeploymentId(any_=deployments))
        found += client.read_flow_runs(flow_run_filter=of, limit=PAGE)
    return found


def _ended_at(run: FlowRun) -> datetime:
    """The end of its last state: the server keeps the time of the first, though a crash turns out to be none."""
    assert run.end_time is not None and run.state is not None
    return max(run.end_time, run.state.timestamp)


def _result(run: FlowRun) -> Result:
    assert run.state is not None
    kind = str(run.state.type.value).lower()
    return Result(kind) if kind in set(Result) else Result.CANCELLED


def _ended(run: FlowRun, names: Mapping[UUID, str], unmade: Unmade) -> EndedRun:
    assert run.deployment_id is not None and run.state is not None
    result = _result(run)
    return EndedRun(
        id=str(run.id),
        name=run.name,
        deployment=names[run.deployment_id],
        result=result,
        ended_at=_ended_at(run),
        message=run.state.message or "",
        link=_link(run),
        parameters=run.parameters,
        unmade=unmade(str(run.id)) if result.bad else (),
    )


def _late(
    client: SyncPrefectClient, names: Mapping[UUID, str], allowed: Mapping[UUID, timedelta], now: datetime
) -> Iterable[LateRun]:
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterDeploymentId,
        FlowRunFilterExpectedStartTime,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    waiting = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=list(names)),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING])),
        expected_start_time=FlowRunFilterExpectedStartTime(before_=now - min(allowed.values())),
    )
    for run in _paged(
        lambda offset: client.read_flow_runs(
            flow_run_filter=waiting, sort=FlowRunSort.EXPECTED_START_TIME_ASC, limit=PAGE, offset=offset
        )
    ):
        if run.deployment_id is None or run.start_time is not None or run.state_name == WAITS_FOR_OTHERS:
            continue
        due, taken = _due(run)
        if due <= now - allowed[run.deployment_id]:
            deployment, pool = names[run.deployment_id], run.work_pool_name or ""
            yield LateRun(str(run.id), run.name, deployment, due, _link(run), pool, taken)


def _due(run: FlowRun) -> tuple[datetime, bool]:
    """Since when a run might have started, and whether a worker took it then: it may have waited for others before."""
    assert run.state is not None and run.expected_start_time is not None
    if run.state.is_pending():
        return run.state.timestamp, True
    return run.next_scheduled_start_time or run.expected_start_time, False


def _paged(read: Callable[[int], list[Any]]) -> list[Any]:
    found: list[Any] = []
    while True:
        page = read(len(found))
        found += page
        if len(page) < PAGE:
            return found


def _link(run: FlowRun) -> str:
    from prefect.utilities.urls import url_for

    return without_secrets(url_for("flow-run", obj_id=run.id) or "")
