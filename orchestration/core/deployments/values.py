"""Deployments, schedules, pools and automations as values: the declared ones, and those that a server has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a deployment runs."""

    cron: str
    """Empty for a schedule of another kind."""
    timezone: str | None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """The parameters that only runs of this schedule get."""

    def __str__(self) -> str:
        return f"{self.cron} {self.timezone}" if self.cron else "no cron"


@dataclass(frozen=True, slots=True)
class Properties:
    """Everything about a deployment except its schedules."""

    entrypoint: str | None
    description: str
    tags: tuple[str, ...]
    parameters: Mapping[str, Any]
    parameter_schema: Mapping[str, Any]
    pool: str | None
    limit: int | None = None
    """How many runs may be under way at once; None for any number."""
    collision: str | None = None
    """What happens to further runs: CANCEL_NEW or ENQUEUE; None without a limit."""
    enforces_schema: bool = True


class _Deployment:
    """What identifies a deployment, here and on a server."""

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
    """A declared deployment."""

    flow: str
    name: str
    properties: Properties
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    """The schedules, by slug."""


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
    """A work pool."""

    name: str
    limit: int | None = None
    """None for no limit."""
    converged: bool = False
    """Whether the limit is declared, so that another limit on the server is changed."""


@dataclass(frozen=True, slots=True)
class Automation:
    """An automation of the server: a rule by which the server itself acts."""

    name: str
    values: Mapping[str, Any]
    """The declared values, as in the server's API."""
