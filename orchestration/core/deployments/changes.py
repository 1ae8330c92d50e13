"""The changes that reconciling makes on a Prefect server: one type for each kind, with the values that making it
needs.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias

from orchestration.core.deployments.values import Automation, Declared, Found, FoundSchedule, Pool, Schedule


class Kind(StrEnum):
    """The name of a kind of change, for people and in JSON."""

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
    """A value that differs. ``None`` stands for a value that does not exist."""

    place: str
    """The names that lead to the value, joined by dots: ``parameters.selection``. A field of the JSON output."""
    old: Any
    """The value on the server."""
    new: Any
    """The declared value."""

    def __str__(self) -> str:
        return f"{self.place} {_shown(self.old)} → {_shown(self.new)}"


@dataclass(frozen=True, slots=True)
class Said:
    """What people are told about a change, besides its kind."""

    name: str
    """``flow/deployment``, or the name of a pool or automation."""
    differences: tuple[Difference, ...] = ()
    note: str = ""
    """A further sentence."""
    slug: str | None = None
    """The slug of the schedule that is changed; None for a schedule without one."""
    of_schedule: bool = False
    """Whether a schedule is changed."""


class _Change:
    """What all changes have: how they are shown as a line and as JSON."""

    __slots__ = ()
    kind: ClassVar[Kind]

    @abstractmethod
    def said(self) -> Said:
        """What people are told about this change."""

    @property
    def name(self) -> str:
        return self.said().name

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Its line in a table: the kind of change, what is changed, of it which schedule, and how."""
        said = self.said()
        schedule = (said.slug or "(without a slug)") if said.of_schedule else ""
        return str(self.kind), said.name, schedule, "; ".join(filter(None, [*map(str, said.differences), said.note]))

    def __str__(self) -> str:
        kind, name, schedule, how = self.cells
        return " ".join(filter(None, [kind, name, schedule])) + (f": {how}" if how else "")

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
    """A work pool is created."""

    kind = Kind.CREATE_POOL
    pool: Pool

    def said(self) -> Said:
        limit = (Difference("limit", None, self.pool.limit),) if self.pool.limit else ()
        return Said(self.pool.name, limit)


@dataclass(frozen=True, slots=True)
class ChangePool(_Change):
    """The limit of a work pool is changed."""

    kind = Kind.CHANGE_POOL
    pool: Pool
    before: int | None
    """The limit that it has on the server."""

    def said(self) -> Said:
        return Said(self.pool.name, (Difference("limit", self.before, self.pool.limit),))


@dataclass(frozen=True, slots=True)
class Create(_Change):
    """A deployment is created, with its schedules."""

    kind = Kind.CREATE
    declared: Declared

    def said(self) -> Said:
        schedules = ", ".join(f"{slug} ({schedule})" for slug, schedule in self.declared.schedules.items())
        return Said(self.declared.title, note=f"schedule {schedules}" if schedules else "")


@dataclass(frozen=True, slots=True)
class Update(_Change):
    """Properties of a deployment are changed."""

    kind = Kind.UPDATE
    id: str
    """The id of the deployment on the server."""
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
        return _of_schedule(self.of, self.slug, note=str(self.schedule))


@dataclass(frozen=True, slots=True)
class ChangeSchedule(_Change):
    """A schedule is changed."""

    kind = Kind.CHANGE_SCHEDULE
    of: Found
    """The deployment on the server."""
    there: FoundSchedule
    """The schedule on the server."""
    schedule: Schedule
    """The declared schedule."""
    differences: tuple[Difference, ...]

    def said(self) -> Said:
        return _of_schedule(self.of, self.there.slug, self.differences)


@dataclass(frozen=True, slots=True)
class RemoveSchedule(_Change):
    """A deployment loses a schedule."""

    kind = Kind.REMOVE_SCHEDULE
    of: Found
    there: FoundSchedule

    def said(self) -> Said:
        return _of_schedule(self.of, self.there.slug, note=str(self.there.schedule))


@dataclass(frozen=True, slots=True)
class _Undeclared(_Change):
    """What happens to a deployment that is no longer declared."""

    note: ClassVar[str]
    there: Found

    def said(self) -> Said:
        return Said(self.there.title, note=self.note)


@dataclass(frozen=True, slots=True)
class Retire(_Undeclared):
    """A deployment that is no longer declared is deleted."""

    kind = Kind.RETIRE
    note = "no longer declared"


@dataclass(frozen=True, slots=True)
class Leave(_Undeclared):
    """A deployment that is no longer declared stays, and is reported."""

    kind = Kind.LEAVE
    note = "no longer declared, --all --prune retires it"


@dataclass(frozen=True, slots=True)
class CreateAutomation(_Change):
    """An automation of the server is created."""

    kind = Kind.CREATE_AUTOMATION
    automation: Automation

    def said(self) -> Said:
        return Said(self.automation.name)


@dataclass(frozen=True, slots=True)
class UpdateAutomation(_Change):
    """An automation of the server is changed."""

    kind = Kind.UPDATE_AUTOMATION
    id: str
    """The id of the automation on the server."""
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


def _of_schedule(of: Found, slug: str | None, differences: tuple[Difference, ...] = (), note: str = "") -> Said:
    """What people are told about a change of a schedule of the deployment ``of``."""
    return Said(of.title, differences, note, slug, of_schedule=True)
