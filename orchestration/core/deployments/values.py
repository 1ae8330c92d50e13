"""Deployments, schedules, pools and automations as values: as they are declared, and as a server has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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


class _Deployment:
    """What a deployment is told apart by, here and on a server."""

    __slots__ = ()
    flow: str
    name: str

    @property
    def key(self) -> tuple[str, str]:
        return self.flow, self.name

    @property
    def title(self) -> str:
        """``flow/deployment``."""
        return f"{self.flow}/{self.name}"


@dataclass(frozen=True, slots=True)
class Declared(_Deployment):
    """A deployment as it is to be. schedules: by slug."""

    flow: str
    name: str
    properties: Properties
    schedules: Mapping[str, Schedule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoundSchedule:
    """A schedule on the server."""

    id: str
    slug: str | None
    active: bool
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Found(_Deployment):
    """A deployment on the server."""

    id: str
    flow: str
    name: str
    properties: Properties
    schedules: tuple[FoundSchedule, ...] = ()
    paused: bool = False


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
