"""Lost slots, and runs that wait too long for a slot: found on the Prefect server, and ended there.

A run takes its deployment's slot when a worker takes the run (Pending), and returns it at its end. If the worker dies
in between, the run never begins, and after a restart of the server its slot is never freed. This module frees such
slots. Runs that have begun are not its business: the server's heartbeats find those that died.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from resources.prefect.client import PrefectApi

WAITS_FOR_OTHERS = "AwaitingConcurrencySlot"
STARTING_SECONDS = 30.0
"""A run's process may still start so long after its worker is gone."""
_HOLDS = ("PENDING", "RUNNING", "CANCELLING")

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long runs may take before they are ended."""

    pending: timedelta
    """How long a run may be pending or cancelling while nothing happens."""
    waits: Mapping[str, timedelta]
    """Name of a deployment on the server → how long its runs may wait for a slot. A deployment that is not here: for
    ever."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """A worker that has just started, the only one of its name. Runs that a worker of this name took before ``at`` have
    no worker any more."""

    name: str
    at: datetime


def free_slots(
    api: PrefectApi,
    tags: Sequence[str],
    now: datetime,
    bounds: Bounds,
    by: str,
    pool: str = "",
    restarted: Restarted | None = None,
) -> list[str]:
    """End runs that hold a slot and whose worker is gone, and runs that waited too long for a slot.

    Returns a sentence for each run that was ended. tags: only runs of deployments with all of them. pool: only runs of
    this work pool. by: who ends the runs, for the message. restarted: the calling worker, if a worker calls. Raises
    httpx's errors where the server does not answer.
    """
    wanted: dict[str, Any] = {"deployments": {"tags": {"all_": list(tags)}}}
    if pool:
        wanted["work_pools"] = {"name": {"any_": [pool]}}
    ended = []
    online: dict[str, list[str]] = {}
    for run in api.all("/flow_runs/filter", wanted | _in_states("PENDING", "CANCELLING")):
        name = run["work_pool_name"] or ""
        if name not in online:
            online[name] = _online(api, name)
        since, state = _time(run["state"]["timestamp"]), run["state"]["type"]
        waited = now - since
        new_one = restarted.name if restarted is not None and since < restarted.at else None
        there = not name or any(one != new_one for one in online[name])  # without a pool no worker is known
        if waited < bounds.pending and (there or waited < timedelta(seconds=STARTING_SECONDS)):
            continue
        why = (
            f"nothing was heard of it for {waited.total_seconds():.0f} s"
            if there
            else f"the worker that took it is gone (pool {name})"
        )
        if state == "PENDING":
            new = {"type": "CRASHED", "message": f"taken by a worker at {_shown(since)}, it never began: {why}"}
        else:
            new = {"type": "CANCELLED", "message": f"cancelled at {_shown(since)}; {why}"}
        new["message"] += f"; {by} freed its slot"
        if _set(api, run, new):
            ended.append(f"run {run['name']} ({run['id']}): {new['message']}")
    return ended + list(_waited_too_long(api, wanted, now, bounds, by))


def _waited_too_long(
    api: PrefectApi, wanted: Mapping[str, Any], now: datetime, bounds: Bounds, by: str
) -> Iterator[str]:
    waiting = {"flow_runs": {"state": {"name": {"any_": [WAITS_FOR_OTHERS]}}}}
    for run in api.all("/flow_runs/filter", {**wanted, **waiting}):
        deployment = api.ask("GET", f"/deployments/{run['deployment_id']}")["name"]
        bound = bounds.waits.get(deployment)
        if bound is None:
            continue
        states = api.ask("GET", f"/flow_run_states/?flow_run_id={run['id']}")
        since = _waits_since(states)
        if since is None or now - since < bound:
            continue
        message = (
            f"refused: {deployment} is in use by {_holders(api, run) or 'other runs'}; waited for {_long(bound)}. "
            f"Wait until that is done, or cancel it (prefect flow-run cancel ID), then ask again ({by})"
        )
        if _set(api, run, {"type": "CANCELLED", "message": message}):
            yield f"run {run['name']} ({run['id']}): {message}"


def _waits_since(states: Sequence[Item]) -> datetime | None:
    """Since when a run waits for a slot, from its states; None if it got a slot meanwhile. Earlier waits, before it
    began and was tried again, do not count."""
    times = sorted((_time(one["timestamp"]), one["type"], one["name"]) for one in states)
    begun = max((at for at, kind, _ in times if kind != "SCHEDULED"), default=times[0][0])
    return next((at for at, _, name in times if at >= begun and name == WAITS_FOR_OTHERS), None)


def _holders(api: PrefectApi, run: Item) -> str:
    of = {"deployments": {"id": {"any_": [run["deployment_id"]]}}}
    found = api.all("/flow_runs/filter", of | _in_states(*_HOLDS))
    return " and ".join(f"run {one['name']} ({one['id']}, {one['state']['name']})" for one in found)


def _online(api: PrefectApi, pool: str) -> list[str]:
    if not pool:
        return []
    found = api.ask("POST", f"/work_pools/{pool}/workers/filter", {"limit": api.page})
    return [str(one["name"]) for one in found if one["status"] == "ONLINE"]


def _in_states(*kinds: str) -> dict[str, Any]:
    return {"flow_runs": {"state": {"type": {"any_": list(kinds)}}}}


def _set(api: PrefectApi, run: Item, state: Mapping[str, str]) -> bool:
    """Set the state of a run; whether that worked. Not where the run has changed its state meanwhile."""
    now = api.ask("GET", f"/flow_runs/{run['id']}")["state"]
    if now["id"] != run["state"]["id"]:
        return False
    answer = api.ask("POST", f"/flow_runs/{run['id']}/set_state", {"state": dict(state)})
    return bool(answer["status"] == "ACCEPT")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _long(bound: timedelta) -> str:
    seconds = bound.total_seconds()
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds:g} s"
