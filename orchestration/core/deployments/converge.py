"""What distinguishes the deployments that are declared from those that a server has, as a list of changes.

Pure: both come in as values, and the changes go out to whoever makes them. What an operator did on the server stays: a
paused deployment is never resumed, a schedule that is switched off is never switched on. Schedules are told apart by
their slug, deployments by flow and name, environments by a tag.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from orchestration.core.errors import ConfigurationError

OURS = "aqi"
ENVIRONMENT_TAG = "aqi-environment:"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When. cron: empty for a schedule of another kind. parameters: those that only its runs get."""

    cron: str
    timezone: str | None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.cron} {self.timezone}" if self.cron else "no cron"


@dataclass(frozen=True, slots=True)
class Properties:
    """What a deployment is, apart from its schedules. collision: CANCEL_NEW or ENQUEUE, None without a limit."""

    entrypoint: str | None
    description: str
    tags: tuple[str, ...]
    parameters: Mapping[str, Any]
    parameter_schema: Mapping[str, Any]
    pool: str | None
    limit: int | None = None
    collision: str | None = None
    enforces_schema: bool = True


@dataclass(frozen=True, slots=True)
class Declared:
    """A deployment as it is to be. schedules: by slug."""

    flow: str
    name: str
    properties: Properties
    schedules: Mapping[str, Schedule] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        return self.flow, self.name


@dataclass(frozen=True, slots=True)
class FoundSchedule:
    """A schedule on the server."""

    id: str
    slug: str | None
    active: bool
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Found:
    """A deployment on the server."""

    id: str
    flow: str
    name: str
    properties: Properties
    schedules: tuple[FoundSchedule, ...] = ()
    paused: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.flow, self.name


@dataclass(frozen=True, slots=True)
class Pool:
    """A work pool. limit: None for none. converged: whether its limit is declared, so that another one is changed."""

    name: str
    limit: int | None = None
    converged: bool = False


@dataclass(frozen=True, slots=True)
class Automation:
    """A rule by which the server itself acts. values: what is declared of it, as its API has it."""

    name: str
    values: Mapping[str, Any]


class Kind(StrEnum):
    """What is done. LEAVE: nothing, and that is said."""

    CREATE_POOL = "create pool"
    CHANGE_POOL = "change pool"
    CREATE = "create"
    UPDATE = "update"
    ADD_SCHEDULE = "add schedule"
    CHANGE_SCHEDULE = "change schedule"
    REMOVE_SCHEDULE = "remove schedule"
    RETIRE = "retire"
    LEAVE = "leave"
    CREATE_AUTOMATION = "create automation"
    UPDATE_AUTOMATION = "update automation"


class Undeclared(StrEnum):
    """What becomes of deployments of ours that are not declared: not looked at, told, or retired."""

    IGNORE = "ignore"
    LEAVE = "leave"
    RETIRE = "retire"


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that differs; place: the names that lead to it. None stands for a value that is not there."""

    place: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.place} {_shown(self.old)} → {_shown(self.new)}"


@dataclass(frozen=True, slots=True)
class Change:
    """A change to be made. name: ``flow/deployment``, or the pool's or automation's.

    id: of the deployment or automation on the server; schedule_id: of its schedule, slug: the schedule's. declared,
    schedule, pool, automation: what is to be, where something is to be.
    """

    kind: Kind
    name: str
    differences: tuple[Difference, ...] = ()
    id: str = ""
    schedule_id: str = ""
    slug: str | None = None
    declared: Declared | None = None
    schedule: Schedule | None = None
    pool: Pool | None = None
    automation: Automation | None = None
    note: str = ""

    def __str__(self) -> str:
        what = f"{self.name} {self.slug or '(without a slug)'}" if "schedule" in self.kind else self.name
        said = "; ".join([*map(str, self.differences), *([self.note] if self.note else [])])
        return f"{self.kind} {what}{': ' if said else ''}{said}"

    def to_json(self) -> dict[str, Any]:
        values = [{"field": item.place, "old": item.old, "new": item.new} for item in self.differences]
        return {
            "change": str(self.kind),
            "name": self.name,
            "schedule": self.slug if "schedule" in self.kind else None,
            "fields": values,
            "note": self.note,
        }


def converge(
    declared: Sequence[Declared],
    found: Iterable[Found],
    tags: Iterable[str],
    undeclared: Undeclared = Undeclared.IGNORE,
) -> tuple[Change, ...]:
    """What is to be done so that a server with ``found`` has ``declared``; nothing where it has.

    tags: those that all deployments of this environment carry; only what carries them is ever retired. What has a
    declared name is ours, whatever its tags. Raises ConfigurationError where it is another environment's.
    """
    ours = frozenset(tags)
    there = {item.key: item for item in found}
    changes: list[Change] = []
    for item in sorted(declared, key=lambda item: item.key):
        before = there.pop(item.key, None)
        changes += _created(item) if before is None else _changed(item, _not_of_another(before, ours))
    gone = [item for _, item in sorted(there.items()) if ours <= set(item.properties.tags)]
    if undeclared is Undeclared.IGNORE:  # what has one of the declared names, but another flow, would do its work twice
        names = {item.name for item in declared}
        gone = [item for item in gone if item.name in names]
    kind = Kind.RETIRE if undeclared is Undeclared.RETIRE else Kind.LEAVE
    note = "no longer declared" + (", --all --prune retires it" if kind is Kind.LEAVE else "")
    return (*changes, *(Change(kind, _name(item), id=item.id, note=note) for item in gone))


def converge_pools(wanted: Iterable[Pool], found: Mapping[str, int | None]) -> tuple[Change, ...]:
    """What is to be done so that a server with pools ``found`` (name → limit) has those ``wanted``."""
    changes = []
    for pool in sorted(wanted, key=lambda pool: pool.name):
        limit = Difference("limit", found.get(pool.name), pool.limit)
        if pool.name not in found:
            changes.append(Change(Kind.CREATE_POOL, pool.name, (limit,) if pool.limit else (), pool=pool))
        elif pool.converged and limit.old != limit.new:
            changes.append(Change(Kind.CHANGE_POOL, pool.name, (limit,), pool=pool))
    return tuple(changes)


def converge_automation(wanted: Automation, found: Mapping[str, Mapping[str, Any]]) -> tuple[Change, ...]:
    """What is to be done so that a server with the automations ``found`` (id → values) of its name has this one.

    What is not declared of it stays, whether it is enabled above all.
    """
    if not found:
        return (Change(Kind.CREATE_AUTOMATION, wanted.name, automation=wanted),)
    id_, there = min(found.items())
    wrong = tuple(differences(_declared_part(there, wanted.values), wanted.values))
    return (Change(Kind.UPDATE_AUTOMATION, wanted.name, wrong, id_, automation=wanted),) if wrong else ()


def differences(old: Mapping[str, Any], new: Mapping[str, Any], place: str = "") -> Iterator[Difference]:
    """Where two mappings differ, as deep as both have mappings."""
    for key in [*new, *(key for key in old if key not in new)]:
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from differences(before, after, f"{place}{key}.")
        elif key not in old or key not in new or not _same(before, after):
            yield Difference(f"{place}{key}", before, after)


def _created(item: Declared) -> list[Change]:
    said = ", ".join(f"{slug} ({schedule})" for slug, schedule in item.schedules.items())
    return [Change(Kind.CREATE, _name(item), declared=item, note=f"schedule {said}" if said else "")]


def _changed(item: Declared, before: Found) -> list[Change]:
    changes = []
    name = _name(item)
    wrong = tuple(differences(_values(before.properties), _values(item.properties)))
    if wrong:
        changes.append(Change(Kind.UPDATE, name, wrong, before.id, declared=item))
    left = dict(item.schedules)
    for there in sorted(before.schedules, key=lambda there: (there.slug or "", there.id)):
        wanted = left.pop(there.slug, None) if there.slug is not None else None
        if wanted is None:
            said = str(there.schedule)
            changes.append(Change(Kind.REMOVE_SCHEDULE, name, (), before.id, there.id, there.slug, note=said))
            continue
        wrong = tuple(differences(_values(there.schedule), _values(wanted)))
        if wrong:
            kind = Kind.CHANGE_SCHEDULE
            changes.append(Change(kind, name, wrong, before.id, there.id, there.slug, schedule=wanted))
    for slug, schedule in left.items():
        added = Change(Kind.ADD_SCHEDULE, name, id=before.id, slug=slug, schedule=schedule, note=str(schedule))
        changes.append(added)
    # What fires too often goes first: broken off in between, a deployment rather runs too seldom than twice.
    return sorted(changes, key=lambda change: change.kind is not Kind.REMOVE_SCHEDULE)


def _not_of_another(item: Found, ours: frozenset[str]) -> Found:
    environments = {tag for tag in item.properties.tags if tag.startswith(ENVIRONMENT_TAG)}
    if environments and not environments <= ours:
        other = min(environments - ours).removeprefix(ENVIRONMENT_TAG)
        raise ConfigurationError(
            f"the server's {_name(item)} belongs to the environment {other!r}",
            "Rename the deployment, or set deploy.environment (AQI_DEPLOY__ENVIRONMENT) to another name.",
        )
    return item


def _declared_part(there: Any, wanted: Any) -> Any:
    """``there`` without what ``wanted`` says nothing of."""
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
    """As JSON: true is not 1."""
    return type(old) is type(new) and bool(old == new)


def _name(item: Declared | Found) -> str:
    return f"{item.flow}/{item.name}"


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(list(value) if isinstance(value, tuple) else value)
