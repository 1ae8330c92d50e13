"""``aqi plan --changed``: what a change of code, contracts or configuration costs, before it is merged or run.

It shows the plan of a run over everything that exists, with what it leaves out; the number of rows and partitions; the
time that earlier steps took; and the deployments and targets that are concerned.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestration.core.counted import counted
from orchestration.core.errors import UsageError
from orchestration.core.planning.plan import Obstacle, Plan, Step
from orchestration.core.state.freshness import Current
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes.by_code import by_code
from orchestration.engine.changes.locations import check_ready
from orchestration.engine.changes.tables import troubles
from orchestration.engine.workspace import Workspace
from resources.delta.step_history import StepHistory, StepRow

LOOKED_AT = 2000
"""At most this many earlier steps are read to estimate times."""
REFETCH_STATUS = 3


@dataclass(frozen=True, slots=True)
class StepCost:
    """What a step of the plan costs at most."""

    step: Step
    way: str
    """``rewrite`` (of stored rows), or ``remake``."""
    rows: int
    """The recorded rows of its partitions."""
    seconds: float | None
    """None if no such step ever ran."""

    def in_words(self) -> str:
        takes = "" if self.seconds is None else f", about {_duration(self.seconds)}"
        partitions = counted(len(self.step.all_partitions), "partition")
        return f"{self.step.asset}: {self.way} {partitions}, {counted(self.rows, 'row')}{takes}"

    def to_json(self) -> dict[str, Any]:
        return {
            **self.step.to_json(),
            "way": self.way,
            "rows": self.rows,
            "minutes": None if self.seconds is None else round(self.seconds / 60, 2),
        }


@dataclass(frozen=True, slots=True)
class Accepted:
    """The number of partitions of an earlier code version that counts as equal to today's."""

    asset: str
    partitions: int

    def to_json(self) -> dict[str, Any]:
        return {"asset": self.asset, "partitions": self.partitions}


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs of the changes at hand."""

    plan: Plan
    steps: tuple[StepCost, ...]
    accepted: tuple[Accepted, ...]
    deployments: tuple[str, ...]
    """The deployments that make one of the assets of the plan."""
    targets: Mapping[str, float]
    """Asset key → the lag in hours that it declares as fine."""
    refetch: bool
    """Whether something can only be brought up to date by fetching it again."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Asset key → why its table cannot be read, and what mends it."""

    @property
    def minutes(self) -> float | None:
        known = [step.seconds for step in self.steps if step.seconds is not None]
        return sum(known) / 60 if known or not self.steps else None

    @property
    def exit_status(self) -> int:
        """1 if a run would be refused, if it would leave something out that is blocked, or if that cannot be told; 3 if
        something needs a fetch; else 0."""
        if self.unread or any(item.is_blocked for item in self.plan.left_out):
            return 1
        return REFETCH_STATUS if self.refetch else 0

    def to_json(self) -> dict[str, Any]:
        return {
            "tables": [change.to_json() for change in self.plan.tables],
            "steps": [step.to_json() for step in self.steps],
            "left_out": [item.to_json() for item in self.plan.left_out],
            "accepted": [item.to_json() for item in self.accepted],
            "partitions": sum(len(cost.step.all_partitions) for cost in self.steps),
            "rows": sum(cost.rows for cost in self.steps),
            "minutes": None if self.minutes is None else round(self.minutes, 2),
            "deployments": list(self.deployments),
            "freshness_targets": dict(self.targets),
            "refetch": self.refetch,
            "unread": dict(self.unread),
        }

    def in_words(self) -> str:
        """Lines for people, below the plan."""
        lines = [cost.in_words() for cost in self.steps]
        lines += [
            f"{item.asset}: {counted(item.partitions, 'partition')} of earlier versions count as equal"
            for item in self.accepted
        ]
        if self.steps:
            whole = (
                "it was never done, so nobody knows how long" if self.minutes is None else _duration(self.minutes * 60)
            )
            partitions = counted(sum(len(cost.step.all_partitions) for cost in self.steps), "partition")
            lines.append(f"In all {partitions} at the most: {whole}.")
        if self.deployments:
            lines.append(f"Deployments that make these tables: {', '.join(self.deployments)}.")
        if self.targets:
            targets = (f"{asset} ({hours:g} h)" for asset, hours in self.targets.items())
            lines.append(f"Freshness targets that wait: {', '.join(targets)}.")
        lines += [f"{key} cannot be read: {why}" for key, why in self.unread.items()]
        if any(item.is_blocked for item in self.plan.left_out):
            lines.append("A run would be refused, or would lack what is left out: mend that first.")
        if self.refetch:
            lines.append("Something can only be brought up to date by fetching it again: see what is left out.")
        return "\n".join(lines)


def costs(workspace: Workspace, keys: Sequence[str]) -> Costs:
    """The costs for everything that exists of ``keys``. Needs no JVM.

    Raises UsageError where a run would be refused because two locations have each other's coordinates.
    """
    request, current = workspace.changed(keys), workspace.current()
    check_ready(workspace, request)
    plan, tables = workspace.plan(request, current)
    history = _history(workspace)
    steps = tuple(_cost(step, tables, history) for step in plan.steps)
    assets = {step.asset for step in plan.steps} | {change.asset for change in plan.tables}
    targets = {
        asset.key: asset.fresh_within_hours
        for asset in workspace.catalog
        if asset.key in assets and asset.fresh_within_hours is not None
    }
    refetch = any(item.obstacle is Obstacle.REFETCH for item in plan.left_out)
    accepted, deployments = _accepted(workspace, keys, tables, current), deployments_of(workspace, assets)
    left_out = {item.asset for item in plan.left_out}
    unread = {
        key: trouble.in_words
        for key, trouble in troubles(tables).items()
        if key in keys and key not in left_out and not trouble.readable
    }
    return Costs(plan, steps, accepted, deployments, targets, refetch, unread)


def _cost(step: Step, tables: Mapping[str, TableState], history: Mapping[str, list[StepRow]]) -> StepCost:
    records = tables.get(step.asset, TableState()).records
    return StepCost(
        step,
        "rewrite" if step.stored else "remake",
        records.rows_of(step.all_partitions),
        seconds(history.get(step.asset, []), len(step.all_partitions)),
    )


def seconds(history: Iterable[StepRow], partitions: int) -> float | None:
    """How long a step with this many partitions may take: at least as long as the shortest earlier one, else by
    partition."""
    done = [(row.seconds, row.partitions_written + row.partitions_unchanged) for row in history]
    made = [(took, number) for took, number in done if number]
    if not made:
        return None
    return max(min(took for took, _ in made), sum(took for took, _ in made) / sum(n for _, n in made) * partitions)


def _history(workspace: Workspace) -> dict[str, list[StepRow]]:
    try:
        rows = StepHistory(workspace.warehouse.uri).rows(LOOKED_AT)
    except OSError:  # it is for people: an estimate less
        return {}
    found: dict[str, list[StepRow]] = {}
    for row in rows:
        found.setdefault(row.asset, []).append(row)
    return found


def _accepted(
    workspace: Workspace, keys: Sequence[str], tables: Mapping[str, TableState], current: Current
) -> tuple[Accepted, ...]:
    found = []
    for key in keys:
        asset, own = workspace.catalog[key], tables.get(key, TableState())
        number = sum(
            len(at)
            for (location, code), at in by_code(own.records).items()
            if current.is_configured(location)
            and code != current.code(asset, location)
            and current.same(asset, location, code, own)
        )
        found += [Accepted(key, number)] if number else []
    return tuple(found)


def deployments_of(workspace: Workspace, assets: Collection[str]) -> tuple[str, ...]:
    """The declared deployments that materialize one of ``assets``."""
    found = []
    for name, item in workspace.settings.deployments.items():
        if item is None or item.flow == "maintenance":
            continue
        selection = item.parameters.get("selection" if item.flow == "materialize" else "select") or "*"
        try:
            selected = set(workspace.select(str(selection)))
        except UsageError:  # `aqi deploy` says so
            continue
        found += [name] if not selected.isdisjoint(assets) else []
    return tuple(found)


def _duration(of: float) -> str:
    return f"{of:.0f} s" if of < 120 else f"{of / 60:.0f} minutes"
