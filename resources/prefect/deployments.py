"""The deployments of a Prefect server, our own or Prefect Cloud: what the server has, and changes to it.

Prefect's own settings name the server's address and key. The key is never part of a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from json import JSONDecodeError
from typing import Any, assert_never

from orchestration.core.deployments.changes import (
    AddSchedule,
    Change,
    ChangePool,
    ChangeSchedule,
    Create,
    CreateAutomation,
    CreatePool,
    Leave,
    RemoveSchedule,
    Retire,
    Update,
    UpdateAutomation,
)
from orchestration.core.deployments.values import Declared, Found, FoundSchedule, Pool, Properties, Schedule
from orchestration.core.errors import RunError, UsageError
from resources.machine.addresses import without_secrets
from resources.prefect.client import PrefectApi, open_api, wrong_answer
from resources.prefect.leases import lease_storage, leases_in_words
from resources.prefect.pools import POOL_TYPE
from resources.prefect.reach import ENDS_WITH, GIVE_A_KEY
from resources.prefect.server import api_to_work_with

CLIENT_RETRIES = 4
"""How often a request is repeated that a busy server puts off (503). A request that reaches no server is not repeated.
"""
API_NAMES = {
    "parameter_schema": "parameter_openapi_schema",
    "pool": "work_pool_name",
    "limit": "concurrency_limit",
    "enforces_schema": "enforce_parameter_schema",
}
"""Field of `Properties` → its name in the API, where they differ. ``collision`` is not here: the API has it inside an
object."""


@contextmanager
def connect() -> Iterator[DeploymentServer]:
    """Connect to the configured server.

    Raises, before any work, UsageError where no server is configured, and MachineError where the server cannot be
    worked with; during the work UsageError where the server forbids a request, and RunError where a request fails.
    """
    shown = without_secrets(api_to_work_with())
    from httpx import HTTPStatusError, RequestError
    from pydantic import ValidationError

    try:
        with open_api(retries=CLIENT_RETRIES) as api:
            yield DeploymentServer(api)
    except HTTPStatusError as error:
        what = wrong_answer(error)
        if error.response.status_code in (401, 403):
            forbidden = what.partition(" to ")[2]
            raise UsageError(f"Prefect's server at {shown} forbids {forbidden}", GIVE_A_KEY) from None
        raise RunError(f"{shown} answers {what}: {_detail(error)}", ENDS_WITH) from None
    except RequestError as error:
        raise RunError(
            f"Prefect's server at {shown} does not answer any more ({type(error).__name__})",
            "Call the command again when it does: what is done stays.",
        ) from None
    except (JSONDecodeError, ValidationError):
        raise RunError(f"{shown} does not answer as Prefect's API does", ENDS_WITH) from None


class DeploymentServer:
    """A server and its deployments, from `connect`."""

    def __init__(self, api: PrefectApi) -> None:
        self._api = api

    def deployments(self, tags: Sequence[str], names: Iterable[str]) -> list[Found]:
        """The deployments that carry all ``tags``, and the deployments whose name is one of ``names``."""
        by_tag = self._api.all("/deployments/filter", {"deployments": {"tags": {"all_": list(tags)}}})
        by_name = self._api.all("/deployments/filter", {"deployments": {"name": {"any_": sorted(set(names))}}})
        answers = {item["id"]: item for item in [*by_tag, *by_name]}
        ids = sorted({item["flow_id"] for item in answers.values()})
        flows = self._api.all("/flows/filter", {"flows": {"id": {"any_": ids}}})
        flow_names = {item["id"]: item["name"] for item in flows}
        return [_found(item, flow_names[item["flow_id"]]) for item in answers.values()]

    def pools(self, names: Iterable[str]) -> dict[str, int | None]:
        """Name → concurrency limit of those of the pools that exist on the server. None: no limit."""
        found = self._api.all("/work_pools/filter", {"work_pools": {"name": {"any_": sorted(names)}}})
        return {item["name"]: item["concurrency_limit"] for item in found}

    def automations(self, name: str) -> dict[str, dict[str, Any]]:
        """The automations of this name: id → automation as the API gives it."""
        found = self._api.all("/automations/filter", {"automations": {"name": {"any_": [name]}}})
        return {item["id"]: item for item in found}

    def leases(self) -> str:
        """A sentence: where the server keeps the leases of slots, and what follows from that."""
        return leases_in_words(lease_storage(self._api))

    def make(self, change: Change) -> None:
        """Make one change on the server."""
        match change:
            case CreatePool(pool):
                self._make_pool(pool)
            case ChangePool(pool):
                self._api.send("PATCH", f"/work_pools/{pool.name}", {"concurrency_limit": pool.limit})
            case Create(declared):
                self._create(declared)
            case Update(id):
                self._api.send("PATCH", f"/deployments/{id}", _changed_values(change))
            case AddSchedule(of, slug, schedule):
                body = {**_schedule_body(schedule), "slug": slug, "active": True}
                self._api.send("POST", f"/deployments/{of.id}/schedules", [body])
            case ChangeSchedule(of, there, schedule):
                self._api.send("PATCH", f"/deployments/{of.id}/schedules/{there.id}", _schedule_body(schedule))
            case RemoveSchedule(of, there):
                self._api.send("DELETE", f"/deployments/{of.id}/schedules/{there.id}")
            case Retire(gone):
                self._api.send("DELETE", f"/deployments/{gone.id}")
            case Leave():
                pass
            case CreateAutomation(automation):
                self._api.send("POST", "/automations/", {"name": automation.name, **automation.values})
            case UpdateAutomation(id, automation):
                now = self._api.ask("GET", f"/automations/{id}")
                kept = {key: now[key] for key in ("enabled", "description")}
                values = {"name": automation.name, **kept, **automation.values}
                self._api.send("PUT", f"/automations/{id}", values)
            case _:
                assert_never(change)

    def _make_pool(self, pool: Pool) -> None:
        from prefect.workers.process import ProcessWorker

        template = ProcessWorker.get_default_base_job_template()
        values = {"name": pool.name, "type": POOL_TYPE, "base_job_template": template}
        self._api.send("POST", "/work_pools/", {**values, "concurrency_limit": pool.limit})

    def _create(self, item: Declared) -> None:
        flow_id = self._api.ask("POST", "/flows/", {"name": item.flow})["id"]
        schedules = [
            {**_schedule_body(schedule), "slug": slug, "active": True} for slug, schedule in item.schedules.items()
        ]
        values = _body(item.properties)
        self._api.send(
            "POST", "/deployments/", {"flow_id": flow_id, "name": item.name, "schedules": schedules, **values}
        )


def _found(item: Mapping[str, Any], flow: str) -> Found:
    limit = (item.get("global_concurrency_limit") or {}).get("limit")
    options = item.get("concurrency_options") or {}
    properties = Properties(
        entrypoint=item.get("entrypoint"),
        description=item.get("description") or "",
        tags=tuple(sorted(item.get("tags") or ())),
        parameters=item.get("parameters") or {},
        parameter_schema=item.get("parameter_openapi_schema") or {},
        pool=item.get("work_pool_name"),
        limit=limit,
        collision=None if limit is None else options.get("collision_strategy") or "ENQUEUE",
        enforces_schema=bool(item.get("enforce_parameter_schema")),
    )
    schedules = tuple(
        FoundSchedule(one["id"], one.get("slug"), one["active"], _found_schedule(one)) for one in item["schedules"]
    )
    return Found(item["id"], flow, item["name"], properties, schedules, bool(item.get("paused")))


def _found_schedule(item: Mapping[str, Any]) -> Schedule:
    when = item["schedule"]
    return Schedule(when.get("cron") or "", when.get("timezone"), item.get("parameters") or {})


def _body(properties: Properties) -> dict[str, Any]:
    values = {name: getattr(properties, name) for name in properties.__slots__ if name != "collision"}
    body = {API_NAMES.get(name, name): value for name, value in values.items()}
    if properties.collision is not None:
        body["concurrency_options"] = {"collision_strategy": properties.collision}
    return body


def _changed_values(change: Update) -> dict[str, Any]:
    """Only the values that differ. All other values on the server stay, above all whether the deployment is paused."""
    changed = {item.place.partition(".")[0] for item in change.differences}
    names = {"concurrency_options" if name == "collision" else API_NAMES.get(name, name) for name in changed}
    return {name: value for name, value in _body(change.declared.properties).items() if name in names}


def _schedule_body(schedule: Schedule) -> dict[str, Any]:
    when = {"cron": schedule.cron, "timezone": schedule.timezone, "day_or": True}
    return {"schedule": when, "parameters": dict(schedule.parameters)}


def _detail(error: Any) -> str:
    try:
        said = error.response.json()
    except ValueError:
        return "no reason given"
    reason = said.get("detail") or said.get("exception_message") if isinstance(said, dict) else None
    return str(reason or said)[:300]
