"""The deployments that the configuration declares, checked before anything is changed on a server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from orchestration.core.deployments.reconcile import ENVIRONMENT_TAG, OURS
from orchestration.core.deployments.values import Automation, Declared, Pool, Properties, Schedule
from orchestration.core.errors import ConfigurationError, UsageError, unknown_names
from orchestration.core.planning.ranges import in_range
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from orchestration.service.flow_parameters import check_parameters, parameter_schema
from resources.settings.load import Settings, WarehouseSettings
from resources.settings.operations import A_NAME, DeploymentSettings

FLOWS = "orchestration.flows"
HEARTBEAT = "prefect.flow-run.heartbeat"
WITHOUT_HEARTBEAT_SECONDS = 300.0
"""Ten heartbeats of a worker: a server that was away for some minutes must not take living runs for dead."""
COLLISION = {"skip": "CANCEL_NEW", "queue": "ENQUEUE"}


def environment_tags(settings: Settings) -> tuple[str, ...]:
    """The tags that all deployments of this environment have on the server."""
    return tuple(sorted((OURS, f"{ENVIRONMENT_TAG}{settings.deploy.environment or 'default'}")))


def deployment_name(settings: Settings, name: str) -> str:
    """The name on the server of the configured deployment ``name``."""
    return _in_environment(settings, f"{OURS}-{name}")


def pool_name(settings: Settings, name: str | None = None) -> str:
    """The name on the server of a configured work pool; None: of the pool in ``deploy.pool``."""
    return _in_environment(settings, name or settings.deploy.pool)


def declared_deployments(settings: Settings, names: Iterable[str] | None = None) -> tuple[Declared, ...]:
    """The configured deployments, or only those with these names.

    Raises ConfigurationError for a wrong declaration, naming deployment and key; UsageError for an unknown name.
    """
    known = {name: item for name, item in settings.deployments.items() if item is not None}
    if problem := unknown_names("the deployment", names or (), known, "Declared"):
        raise UsageError(*problem)
    # No warehouse is looked at: that of a cluster would want Hadoop's configuration on this machine.
    workspace = open_workspace(settings.model_copy(update={"warehouse": WarehouseSettings()}))
    wanted = known if names is None else {name: known[name] for name in dict.fromkeys(names)}
    return tuple(_declared(workspace, name, item) for name, item in wanted.items())


def declared_pools(settings: Settings, deployments: Iterable[Declared], *, everything: bool) -> tuple[Pool, ...]:
    """The pools of ``deployments``; with ``everything`` also all others of ``deploy.pools``."""
    limits = {pool_name(settings, name): item.limit for name, item in settings.deploy.pools.items()}
    names = {item.properties.pool or pool_name(settings) for item in deployments}
    if everything:
        names |= set(limits)
    return tuple(Pool(name, limits.get(name), name in limits) for name in sorted(names))


def heartbeat_automation(settings: Settings) -> Automation:
    """The automation that marks a run of this environment as crashed if its process is gone, killed, or lost with its
    machine.

    It only concerns runs that have sent a heartbeat: those with PREFECT_FLOWS_HEARTBEAT_FREQUENCY in their environment.
    If the server was away for longer, living runs are marked too; such a run still reports its own end.
    """
    tag = environment_tags(settings)[-1]
    ended = [f"prefect.flow-run.{state}" for state in ("Cancelled", "Completed", "Crashed", "Failed", "Paused")]
    trigger = {
        "type": "event",
        "posture": "Proactive",
        "match": {"prefect.resource.id": "prefect.flow-run.*"},
        "match_related": {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{tag}"},
        "after": [HEARTBEAT],
        "expect": [HEARTBEAT, *ended],
        "for_each": ["prefect.resource.id"],
        "threshold": 1,
        "within": WITHOUT_HEARTBEAT_SECONDS,
    }
    message = f"no heartbeat for {WITHOUT_HEARTBEAT_SECONDS:.0f} seconds: the process of the run is gone"
    action = {"type": "change-flow-run-state", "state": "CRASHED", "message": message}
    name = f"{_in_environment(settings, OURS)}: runs without a heartbeat are crashed"
    return Automation(name, {"trigger": trigger, "actions": [action], "tags": list(environment_tags(settings))})


def _declared(workspace: Workspace, name: str, item: DeploymentSettings) -> Declared:
    settings = workspace.settings
    if not re.fullmatch(A_NAME, name):
        raise ConfigurationError(
            f"deployments: the name {name!r} must be lower-case letters, digits and -", "Rename the deployment."
        )
    parameters = _json_values(item.parameters)
    try:
        check_parameters(item.flow, parameters)
        _check_meaning(workspace, item.flow, parameters)
    except UsageError as error:
        raise ConfigurationError(f"deployments.{name}.parameters: {error.message}", error.remedy) from error
    if settings.profile != "local":
        parameters = {"profile": settings.profile, **parameters}
    if _is_file(parameters.get("profile")):
        parameters["profile"] = str(Path(parameters["profile"]).absolute())
    properties = Properties(
        entrypoint=f"{FLOWS}.{item.flow}",
        description=item.description,
        tags=environment_tags(settings),
        parameters=parameters,
        parameter_schema=parameter_schema(item.flow),
        pool=pool_name(settings, item.pool),
        limit=item.overlap.limit if item.overlap else None,
        collision=COLLISION[item.overlap.on_collision] if item.overlap else None,
    )
    schedules = {
        slug: _schedule(name, slug, one.cron, one.timezone) for slug, one in item.schedules.items() if one is not None
    }
    if schedules:
        _all_given(name, properties)
    return Declared(item.flow, deployment_name(settings, name), properties, schedules)


def _check_meaning(workspace: Workspace, flow: str, parameters: Mapping[str, Any]) -> None:
    """Checks parameters against assets and configuration."""
    if parameters.get("profile") is not None:
        load(parameters["profile"])
    if flow == "maintenance":
        return
    selection = parameters.get("selection" if flow == "materialize" else "select")
    keys = workspace.select("*" if selection is None else selection)
    in_range(workspace.catalog, keys, parameters.get("partitions"))
    locations = parameters.get("locations") or []
    names = [name.strip() for name in locations.split(",")] if isinstance(locations, str) else locations
    workspace.check_locations([name for name in names if name])
    if parameters.get("partitions") is not None:
        workspace.partitions(parameters["partitions"])


def _all_given(name: str, properties: Properties) -> None:
    missing = [key for key in properties.parameter_schema["required"] if key not in properties.parameters]
    if missing:
        raise ConfigurationError(
            f"deployments.{name}.schedules: a scheduled run would lack {' and '.join(missing)}",
            f"Give deployments.{name}.parameters.{missing[0]}, or take the schedules away.",
        )


def _schedule(name: str, slug: str, cron: str, timezone: str) -> Schedule:
    from prefect.client.schemas.schedules import CronSchedule
    from pydantic import ValidationError

    try:
        CronSchedule(cron=cron, timezone=timezone)
    except ValidationError as error:
        raise ConfigurationError(
            f"deployments.{name}.schedules.{slug}.cron: {cron!r} is no cron expression that Prefect reads",
            "Five fields: minute, hour, day of the month, month, day of the week; for instance 0 * * * *.",
        ) from error
    return Schedule(cron, timezone)


def _json_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with days of YAML as texts, as the server keeps them."""
    kept: dict[str, Any] = json.loads(json.dumps(values, default=lambda it: it.isoformat() if _is_day(it) else str(it)))
    return kept


def _is_day(value: object) -> bool:
    return isinstance(value, date)


def _is_file(profile: object) -> bool:
    return isinstance(profile, str) and (profile.endswith((".yml", ".yaml")) or "/" in profile)


def _in_environment(settings: Settings, name: str) -> str:
    return f"{name}-{settings.deploy.environment}" if settings.deploy.environment else name
