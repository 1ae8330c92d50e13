"""The planner: a selection of assets and partitions, and what storage holds → a frozen plan.

The plan is a value: ``aqi plan`` prints it, the executor runs it, the run's summary reports on its very steps.
Pure: what storage holds comes in as ``TableState`` values, and hours that reach over midnight as ``FlaggedHours``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from orchestration.asset import Asset
from orchestration.catalog import Catalog
from orchestration.mappings import FlaggedHours, PartitionMapping, RunWindow, nothing_flagged
from orchestration.partitions import Days, PartitionSet
from orchestration.provenance import TableState

FlagsOf = Callable[[RunWindow, TableState], FlaggedHours]
"""Gives, for a window and the state of its upstream table, the hours that are flagged in that table."""


@dataclass(frozen=True, slots=True)
class Input:
    """What a step reads of one upstream asset: a pinned version of its table, the output of a step, or both.

    version: the version of the table before the run, None where nothing is read from it.
    step: id of the step whose output is read, None where there is none.
    partitions: what may be read, absent partitions included.
    """

    asset: str
    version: int | None
    step: str | None
    partitions: PartitionSet

    def to_json(self) -> dict[str, Any]:
        return {
            "asset": self.asset,
            "version": self.version,
            "step": self.step,
            "partitions": str(self.partitions),
        }


@dataclass(frozen=True, slots=True)
class Step:
    """One asset to materialize.

    partitions: what was asked for. may_rewrite: further partitions that exist and may come out otherwise.
    base_version: the version of the asset's own table before the run, None where there is none.
    """

    id: str
    asset: str
    partitions: PartitionSet
    may_rewrite: PartitionSet
    inputs: tuple[Input, ...]
    base_version: int | None
    reason: str

    @property
    def all_partitions(self) -> PartitionSet:
        return self.partitions | self.may_rewrite

    @property
    def upstream_steps(self) -> tuple[str, ...]:
        return tuple(item.step for item in self.inputs if item.step is not None)

    def to_json(self) -> dict[str, Any]:
        """The form of ``aqi plan --json``; partitions as lists of keys."""
        return {
            "id": self.id,
            "asset": self.asset,
            "partitions": self.partitions.keys(),
            "may_rewrite": self.may_rewrite.keys(),
            "inputs": [item.to_json() for item in self.inputs],
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Partitions of a selected asset that the plan does not make, and why, as a sentence.

    lacking: something that they need is missing; otherwise there is nothing to be made yet.
    """

    asset: str
    partitions: PartitionSet
    reason: str
    lacking: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"asset": self.asset, "partitions": self.partitions.keys(), "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in topological order, and what was left out."""

    steps: tuple[Step, ...]
    left_out: tuple[LeftOut, ...]

    def step_of(self, asset: str) -> Step | None:
        """The step that makes ``asset``, None where the plan has none."""
        return next((step for step in self.steps if step.asset == asset), None)

    def to_json(self) -> dict[str, Any]:
        return {
            "steps": [step.to_json() for step in self.steps],
            "left_out": [item.to_json() for item in self.left_out],
        }


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: selected assets (keys), days × locations, and the current UTC day."""

    assets: frozenset[str]
    partitions: PartitionSet
    today: date


def make_plan(
    catalog: Catalog,
    request: Request,
    tables: Mapping[str, TableState],
    flags_of: FlagsOf = lambda _window, _state: nothing_flagged,
) -> Plan:
    """The plan for ``request`` over ``tables`` (a state per asset that has a table).

    Every asked partition ends up either in a step or in ``left_out`` with a reason. Steps stand in topological
    order; a step takes as inputs the outputs of earlier steps and, for the rest, its upstream table as it is now.
    """
    steps: list[Step] = []
    left_out: list[LeftOut] = []
    for key in catalog.keys:
        if key in request.assets:
            step, left = _plan_asset(catalog[key], request, tables, flags_of, steps)
            left_out += left
            steps += [step] if step.partitions or step.may_rewrite else []
    return Plan(tuple(steps), tuple(left_out))


def _plan_asset(
    asset: Asset,
    request: Request,
    tables: Mapping[str, TableState],
    flags_of: FlagsOf,
    steps: Sequence[Step],
) -> tuple[Step, list[LeftOut]]:
    own = tables.get(asset.key, TableState())
    asked = PartitionSet.null() if asset.partitions is None else request.partitions.without_null()
    left_out: list[LeftOut] = []
    future = asked - _until(asked, request.today)
    if future:
        left_out.append(LeftOut(asset.key, future, f"These days lie after today ({request.today}, UTC)."))
        asked = asked - future
    made_by = {step.asset: step for step in steps}
    rewrite = PartitionSet.empty()
    available: dict[str, PartitionSet] = {}
    for mapping in asset.upstream:
        state, made = tables.get(mapping.of, TableState()), made_by.get(mapping.of)
        flagged = _flags(mapping, state, flags_of)
        there = state.present | (made.all_partitions if made else PartitionSet.empty())
        available[mapping.of] = there
        makeable = mapping.makeable(asked, there)
        if asked - makeable:
            why = _lacks(asset.key, mapping.of, selected=mapping.of in request.assets)
            left_out.append(LeftOut(asset.key, asked - makeable, why, lacking=True))
            asked = makeable
        if made is not None:
            rewrite |= mapping.affected_by(made.all_partitions, own.present, flagged)
    for mapping in asset.upstream:  # whichever of them changed: none may lack
        rewrite = mapping.makeable(rewrite, available[mapping.of])
    rewrite = rewrite - asked
    inputs = tuple(_input(mapping, asked | rewrite, tables, made_by, flags_of) for mapping in asset.upstream)
    step = Step(asset.key, asset.key, asked, rewrite, inputs, own.version, _reason(asked, rewrite, own))
    return step, left_out


def _input(
    mapping: PartitionMapping,
    partitions: PartitionSet,
    tables: Mapping[str, TableState],
    made_by: Mapping[str, Step],
    flags_of: FlagsOf,
) -> Input:
    state, made = tables.get(mapping.of, TableState()), made_by.get(mapping.of)
    read = mapping.upstream_of(partitions, _flags(mapping, state, flags_of))
    from_table = (read & state.present) - (made.all_partitions if made else PartitionSet.empty())
    version = state.version if from_table or made is None else None
    return Input(mapping.of, version, made.id if made else None, read)


def _flags(mapping: PartitionMapping, state: TableState, flags_of: FlagsOf) -> FlaggedHours:
    return flags_of(mapping, state) if isinstance(mapping, RunWindow) else nothing_flagged


def _until(partitions: PartitionSet, today: date) -> PartitionSet:
    if not partitions.locations:
        return partitions
    first = partitions.days.first
    return partitions.restrict(days=Days.of(first, today)) if first <= today else PartitionSet.empty()


def _lacks(asset: str, upstream: str, *, selected: bool) -> str:
    if selected:
        return f"{asset} needs {upstream}, which is missing there and left out of this plan itself."
    return (
        f"{asset} needs {upstream}, which is missing there and not selected: "
        f"select it too, for instance with '+{asset}'."
    )


def _reason(asked: PartitionSet, rewrite: PartitionSet, own: TableState) -> str:
    there = asked & own.present
    doubted = asked & own.unrecorded
    missing = asked - own.present
    parts = []
    if missing:
        parts.append(f"{len(missing)} missing")
    if doubted:
        parts.append(f"{len(doubted)} changed by somebody else")
    if there - doubted:
        parts.append(f"{len(there - doubted)} there already")
    reason = "asked for: " + ", ".join(parts) if parts else "not asked for"
    if rewrite:
        reason += f"; {len(rewrite)} around may come out otherwise"
    return reason
