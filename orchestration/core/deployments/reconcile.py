"""Reconciling: the changes that turn the deployments on a server into the declared ones.

What an operator did on the server stays: a paused deployment is never resumed, and a schedule that is switched off is
never switched on. Schedules are identified by their slug, deployments by flow and name, environments by a tag.

Pure: declared and existing deployments come in as values; ``service`` makes the changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from enum import StrEnum
from typing import Any

from orchestration.core.deployments.changes import (
    AddSchedule,
    Change,
    ChangePool,
    ChangeSchedule,
    Create,
    CreateAutomation,
    CreatePool,
    Difference,
    Leave,
    RemoveSchedule,
    Retire,
    Update,
    UpdateAutomation,
)
from orchestration.core.deployments.values import Automation, Declared, Found, Pool, Properties, Schedule
from orchestration.core.errors import ConfigurationError

OURS = "aqi"
ENVIRONMENT_TAG = "aqi-environment:"


class Undeclared(StrEnum):
    """What happens to deployments of this project that are no longer declared: they are ignored, reported, or
    retired.
    """

    IGNORE = "ignore"
    LEAVE = "leave"
    RETIRE = "retire"


def reconcile(
    declared: Sequence[Declared],
    found: Iterable[Found],
    tags: Iterable[str],
    undeclared: Undeclared = Undeclared.IGNORE,
) -> tuple[Change, ...]:
    """The changes after which a server with the deployments ``found`` has those of ``declared``; empty where it has
    them.

    tags: the tags of all deployments of this environment. Only deployments with these tags are ever retired. A
    deployment with a declared name belongs to this project whatever its tags are. Raises ConfigurationError where it
    belongs to another environment.
    """
    ours = frozenset(tags)
    there = {item.key: item for item in found}
    changes: list[Change] = []
    for item in sorted(declared, key=lambda item: item.key):
        before = there.pop(item.key, None)
        changes += [Create(item)] if before is None else _changed(item, _not_of_another(before, ours))
    gone = [item for _, item in sorted(there.items()) if ours <= set(item.properties.tags)]
    if undeclared is Undeclared.IGNORE:  # what has one of the declared names, but another flow, would do its work twice
        names = {item.name for item in declared}
        gone = [item for item in gone if item.name in names]
    changes += [Retire(item) if undeclared is Undeclared.RETIRE else Leave(item) for item in gone]
    return tuple(changes)


def reconcile_pools(wanted: Iterable[Pool], found: Mapping[str, int | None]) -> tuple[Change, ...]:
    """The changes after which a server with the pools ``found`` (name → limit) has those of ``wanted``."""
    changes: list[Change] = []
    for pool in sorted(wanted, key=lambda pool: pool.name):
        if pool.name not in found:
            changes.append(CreatePool(pool))
        elif pool.converged and found[pool.name] != pool.limit:
            changes.append(ChangePool(pool, found[pool.name]))
    return tuple(changes)


def reconcile_automation(wanted: Automation, found: Mapping[str, Mapping[str, Any]]) -> tuple[Change, ...]:
    """The changes after which a server with the automations ``found`` (id → values), all of the same name, has
    ``wanted``.

    Values that are not declared stay, above all whether the automation is enabled.
    """
    if not found:
        return (CreateAutomation(wanted),)
    id_, there = min(found.items())
    wrong = tuple(differences(_declared_part(there, wanted.values), wanted.values))
    return (UpdateAutomation(id_, wanted, wrong),) if wrong else ()


def differences(old: Mapping[str, Any], new: Mapping[str, Any], place: str = "") -> Iterator[Difference]:
    """The values in which two mappings differ, also within nested mappings."""
    for key in [*new, *(key for key in old if key not in new)]:
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from differences(before, after, f"{place}{key}.")
        elif key not in old or key not in new or not _same(before, after):
            yield Difference(f"{place}{key}", before, after)


def _changed(item: Declared, before: Found) -> list[Change]:
    """The changes of one deployment. Removed schedules come first: if reconciling breaks off, the deployment runs too
    rarely rather than twice."""
    changes: list[Change] = []
    if wrong := tuple(differences(_values(before.properties), _values(item.properties))):
        changes.append(Update(before.id, item, wrong))
    gone: list[Change] = []
    left = dict(item.schedules)
    for there in sorted(before.schedules, key=lambda there: (there.slug or "", there.id)):
        wanted = left.pop(there.slug, None) if there.slug is not None else None
        if wanted is None:
            gone.append(RemoveSchedule(before, there))
        elif wrong := tuple(differences(_values(there.schedule), _values(wanted))):
            changes.append(ChangeSchedule(before, there, wanted, wrong))
    return [*gone, *changes, *(AddSchedule(before, slug, schedule) for slug, schedule in left.items())]


def _not_of_another(item: Found, ours: frozenset[str]) -> Found:
    environments = {tag for tag in item.properties.tags if tag.startswith(ENVIRONMENT_TAG)}
    if environments and not environments <= ours:
        other = min(environments - ours).removeprefix(ENVIRONMENT_TAG)
        raise ConfigurationError(
            f"the server's {item.title} belongs to the environment {other!r}",
            "Rename the deployment, or set deploy.environment (AQI_DEPLOY__ENVIRONMENT) to another name.",
        )
    return item


def _declared_part(there: Any, wanted: Any) -> Any:
    """The part of ``there`` about which ``wanted`` says something."""
    if isinstance(there, Mapping) and isinstance(wanted, Mapping):
        return {key: _declared_part(there[key], wanted[key]) for key in there if key in wanted}
    if isinstance(there, list) and isinstance(wanted, list) and len(there) == len(wanted):
        parts = [_declared_part(*pair) for pair in zip(there, wanted, strict=True)]
        # The server keeps sets in an order of its own.
        return wanted if all(isinstance(it, str) for it in parts) and sorted(parts) == sorted(wanted) else parts
    return there


def _values(item: Properties | Schedule) -> dict[str, Any]:
    return {one.name: getattr(item, one.name) for one in fields(item)}


def _same(old: Any, new: Any) -> bool:
    """Whether two values are equal as JSON: true is not 1."""
    return type(old) is type(new) and bool(old == new)
