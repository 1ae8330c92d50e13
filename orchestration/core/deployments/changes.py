"""Changes of a server, a type for each kind: whoever makes one has what it takes, and is told of every kind."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias

from orchestration.core.deployments.values import Automation, Declared, Found, FoundSchedule, Pool, Schedule


class Kind(StrEnum):
    """What a change is called."""

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


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that differs; place: the names that lead to it. None stands for a value that is not there."""

    place: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.place} {_shown(self.old)} → {_shown(self.new)}"


@dataclass(frozen=True, slots=True)
class Said:
    """What people are told of a change, but its kind."""

    name: str
    """``flow/deployment``, or the name of a pool or automation."""
    differences: tuple[Difference, ...] = ()
    note: str = ""
    slug: str | None = None
    """That of the schedule that is changed."""
    of_schedule: bool = False


class _Change:
    """How every change is told, as a line and as JSON."""

    __slots__ = ()
    kind: ClassVar[Kind]

    @abstractmethod
    def said(self) -> Said:
        """What is told of it."""

    @property
    def name(self) -> str:
        return self.said().name

    def __str__(self) -> str:
        said = self.said()
        what = f"{said.name} {said.slug or '(without a slug)'}" if said.of_schedule else said.name
        more = "; ".join([*map(str, said.differences), *([said.note] if said.note else [])])
        return f"{self.kind} {what}{': ' if more else ''}{more}"

    def to_json(self) -> dict[str, Any]:
        said = self.said()
        return {
            "change": str(self.kind),
            "name": said.name,
            "schedule": said.slug,
            "fields": [{"field": one.place, "old": one.old, "new": one.new} for one in said.differences],
            "note": said.note,
        }


@dataclass(frozen=True, slots=True)
class CreatePool(_Change):
    """A work pool is made."""

    kind = Kind.CREATE_POOL
    pool: Pool

    def said(self) -> Said:
        limit = (Difference("limit", None, self.pool.limit),) if self.pool.limit else ()
        return Said(self.pool.name, limit)


@dataclass(frozen=True, slots=True)
class ChangePool(_Change):
    """The limit of a work pool is changed. before: the limit that it has."""

    kind = Kind.CHANGE_POOL
    pool: Pool
    before: int | None

    def said(self) -> Said:
        return Said(self.pool.name, (Difference("limit", self.before, self.pool.limit),))


@dataclass(frozen=True, slots=True)
class Create(_Change):
    """A deployment is made, with its schedules."""

    kind = Kind.CREATE
    declared: Declared

    def said(self) -> Said:
        schedules = ", ".join(f"{slug} ({schedule})" for slug, schedule in self.declared.schedules.items())
        return Said(self.declared.title, note=f"schedule {schedules}" if schedules else "")


@dataclass(frozen=True, slots=True)
class Update(_Change):
    """Properties of a deployment are changed. id: the deployment's on the server."""

    kind = Kind.UPDATE
    id: str
    declared: Declared
    differences: tuple[Difference, ...]

    def said(self) -> Said:
        return Said(self.declared.title, self.differences)


@dataclass(frozen=True, slots=True)
class AddSchedule(_Change):
    """A deployment gets a schedule."""

    kind = Kind.ADD_SCHEDULE
    of: Found
    slug: str
    schedule: Schedule

    def said(self) -> Said:
        return Said(self.of.title, note=str(self.schedule), slug=self.slug, of_schedule=True)


@dataclass(frozen=True, slots=True)
class ChangeSchedule(_Change):
    """A schedule becomes another one. there: as the server has it; schedule: as it is to be."""

    kind = Kind.CHANGE_SCHEDULE
    of: Found
    there: FoundSchedule
    schedule: Schedule
    differences: tuple[Difference, ...]

    def said(self) -> Said:
        return Said(self.of.title, self.differences, slug=self.there.slug, of_schedule=True)


@dataclass(frozen=True, slots=True)
class RemoveSchedule(_Change):
    """A deployment loses a schedule."""

    kind = Kind.REMOVE_SCHEDULE
    of: Found
    there: FoundSchedule

    def said(self) -> Said:
        return Said(self.of.title, note=str(self.there.schedule), slug=self.there.slug, of_schedule=True)


@dataclass(frozen=True, slots=True)
class Retire(_Change):
    """A deployment that is no longer declared is taken away."""

    kind = Kind.RETIRE
    there: Found

    def said(self) -> Said:
        return Said(self.there.title, note="no longer declared")


@dataclass(frozen=True, slots=True)
class Leave(_Change):
    """Nothing is done to a deployment that is no longer declared, and that is said."""

    kind = Kind.LEAVE
    there: Found

    def said(self) -> Said:
        return Said(self.there.title, note="no longer declared, --all --prune retires it")


@dataclass(frozen=True, slots=True)
class CreateAutomation(_Change):
    """A rule is made by which the server itself acts."""

    kind = Kind.CREATE_AUTOMATION
    automation: Automation

    def said(self) -> Said:
        return Said(self.automation.name)


@dataclass(frozen=True, slots=True)
class UpdateAutomation(_Change):
    """A rule is changed. id: its id on the server."""

    kind = Kind.UPDATE_AUTOMATION
    id: str
    automation: Automation
    differences: tuple[Difference, ...]

    def said(self) -> Said:
        return Said(self.automation.name, self.differences)


Change: TypeAlias = (
    CreatePool
    | ChangePool
    | Create
    | Update
    | AddSchedule
    | ChangeSchedule
    | RemoveSchedule
    | Retire
    | Leave
    | CreateAutomation
    | UpdateAutomation
)


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(list(value) if isinstance(value, tuple) else value)
