"""Metrics of the pipeline for a monitoring system, in Prometheus's text format; and the steps of runs as rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest, write_to_textfile

from orchestration.core.calendar import midnight
from orchestration.core.errors import LakehouseError, UsageError, in_a_line
from orchestration.core.runs.journal import RunEntry, RunState
from orchestration.core.state.freshness import NO_LONGER_CONFIGURED, State
from orchestration.core.state.holes import HOLE, Holes
from orchestration.core.state.lags import Lag
from orchestration.engine.lags import read_lags
from orchestration.engine.scales import ChangedScale, read_changed_scales
from orchestration.engine.workspace import Workspace
from orchestration.reports.status import StatusGroup, read_status
from resources.delta.step_history import StepHistory, StepRow
from resources.storage.journal import KEPT, Journal

HOUR_SECONDS = 3600
NEVER = float("inf")
"""The lag of something that was never made: above every target."""


def step_rows(workspace: Workspace, limit: int | None = None) -> list[StepRow]:
    """The history of steps, newest run first. Raises UsageError where it cannot be read."""
    history = StepHistory(workspace.warehouse.uri)
    try:
        return history.rows(limit)
    except OSError as error:
        raise UsageError(str(error), "Move that folder away; runs begin a new one.") from error


def read_metrics(workspace: Workspace, warn: Callable[[str], None]) -> CollectorRegistry:
    """All metrics of a warehouse, from its tables, its journal and its history of steps.

    If the history, or rows, cannot be read, a warning is given and their metrics are left out.
    """
    keys, steps, scales = workspace.catalog.keys, list[StepRow](), list[ChangedScale]()
    try:
        steps = step_rows(workspace)
    except UsageError as error:
        warn(str(error))
    try:
        scales = read_changed_scales(workspace)
    except (LakehouseError, OSError) as error:
        warn(f"whether a scale changed cannot be told ({in_a_line(error)})")
    statuses = read_status(workspace, keys)
    return metrics(
        statuses.groups,
        read_lags(workspace, keys),
        Journal(workspace.warehouse.uri).entries(KEPT),
        steps,
        statuses.holes.values(),
        scales,
    )


def metrics(
    statuses: Iterable[StatusGroup],
    lags: Iterable[Lag],
    entries: Sequence[RunEntry],
    steps: Sequence[StepRow],
    holes: Iterable[Holes] = (),
    scales: Iterable[ChangedScale] = (),
) -> CollectorRegistry:
    """The metrics. entries, steps: newest run first. holes: of dated assets. scales: those that changed recently."""
    registry = CollectorRegistry()
    statuses = tuple(statuses)
    _partitions(registry, statuses)
    _values(registry, statuses)
    _holes(registry, holes)
    _scales(registry, scales)
    _lags(registry, lags)
    _last_steps(registry, steps)
    _runs(registry, entries)
    return registry


def as_text(registry: CollectorRegistry) -> str:
    """Prometheus's text format."""
    return generate_latest(registry).decode("utf-8")


def write_text(registry: CollectorRegistry, output: Path) -> None:
    """Write the metrics so that a collector never sees a part of the file. Raises UsageError if the file cannot be
    written."""
    try:
        write_to_textfile(str(output), registry)
    except OSError as error:
        raise UsageError(f"{output} cannot be written ({error.strerror})", "Name a file that can.") from error


def _partitions(registry: CollectorRegistry, statuses: Iterable[StatusGroup]) -> None:
    """Partitions of locations that are no longer configured, and gaps, are counted separately: nobody waits for
    them.
    """
    gauge = Gauge("aqi_partitions", "Partitions of an asset in a state", ["asset", "state"], registry=registry)
    apart = Gauge(
        "aqi_partitions_no_longer_configured",
        "Partitions of an asset whose location is no longer configured",
        ["asset"],
        registry=registry,
    )
    counts: Counter[tuple[str, State]] = Counter()
    gone: Counter[str] = Counter()
    for group in statuses:
        if NO_LONGER_CONFIGURED in group.marks:
            gone[group.asset] += len(group.partitions)
        elif HOLE not in group.marks:
            counts[group.asset, group.state] += len(group.partitions)
    for asset in dict.fromkeys([*(asset for asset, _ in counts), *gone]):
        for state in State:
            gauge.labels(asset, str(state)).set(counts[asset, state])
        apart.labels(asset).set(gone[asset])


def _values(registry: CollectorRegistry, statuses: Iterable[StatusGroup]) -> None:
    """Incomplete partitions and withdrawn hours, for assets that keep hours, at configured locations."""
    labels = ["asset", "location"]
    gauges = {
        name: Gauge(name, help_, labels, registry=registry)
        for name, help_ in (
            ("aqi_partitions_incomplete", "Partitions with fewer values than hours that had begun, not given up"),
            ("aqi_partitions_given_up", "Partitions with fewer values than hours that are not asked for again"),
            ("aqi_hours_withdrawn", "Hours of which a later answer of the source lacked values that are kept"),
        )
    }
    counts: dict[tuple[str, str], Counter[str]] = {}
    for group in statuses:
        if NO_LONGER_CONFIGURED in group.marks:
            continue
        for location in group.partitions.locations if group.completeness else group.withdrawn:
            of = counts.setdefault((group.asset, location), Counter())
            of["aqi_hours_withdrawn"] += group.withdrawn.get(location, 0)
            if group.lacks_values:
                name = "aqi_partitions_given_up" if group.given_up else "aqi_partitions_incomplete"
                of[name] += len(group.partitions.days_of(location))
    for (asset, location), of in sorted(counts.items()):
        for name, gauge in gauges.items():
            gauge.labels(asset, location).set(of[name])


def _holes(registry: CollectorRegistry, holes: Iterable[Holes]) -> None:
    """The missing partitions where history is declared, also if there are 0. Otherwise the gaps, which need no
    alarm."""
    labels = ["asset", "location"]
    missing = Gauge(
        "aqi_partitions_missing",
        "Partitions that are wanted (history.since), over, and not there",
        labels,
        registry=registry,
    )
    gaps = Gauge(
        "aqi_partitions_in_holes",
        "Partitions in no table, between some that are there, of which nobody declared whether they are wanted",
        labels,
        registry=registry,
    )
    for of in holes:
        for location in of.wanted.locations:
            missing.labels(of.asset, location).set(len(of.missing.days_of(location)))
        for location in of.gaps.locations:
            gaps.labels(of.asset, location).set(len(of.gaps.days_of(location)))


def _scales(registry: CollectorRegistry, scales: Iterable[ChangedScale]) -> None:
    """The first day of each recent change of a scale; no values without such a change."""
    changed = Gauge(
        "aqi_scale_changed_timestamp_seconds",
        "The first day, among the newest ones, that follows another scale of its source than those before it",
        ["asset", "location"],
        registry=registry,
    )
    for one in scales:
        for location in one.locations:
            changed.labels(one.asset, location).set(midnight(one.first).timestamp())


def _lags(registry: CollectorRegistry, lags: Iterable[Lag]) -> None:
    lag_seconds = Gauge(
        "aqi_lag_seconds",
        "How far an asset lies behind now at a location; +Inf where it was never made",
        ["asset", "location"],
        registry=registry,
    )
    target = Gauge("aqi_lag_target_seconds", "How far an asset may lie behind now", ["asset"], registry=registry)
    for lag in lags:
        hours = NEVER if lag.lag_hours is None else lag.lag_hours
        lag_seconds.labels(lag.asset, lag.location).set(round(hours * HOUR_SECONDS, 3))
        if lag.target_hours is not None:
            target.labels(lag.asset).set(lag.target_hours * HOUR_SECONDS)


def _last_steps(registry: CollectorRegistry, steps: Sequence[StepRow]) -> None:
    seconds = Gauge("aqi_step_seconds", "Of the last run that had the asset", ["asset"], registry=registry)
    rows = Gauge("aqi_step_rows", "Rows written by the last run that had the asset", ["asset"], registry=registry)
    partitions = Gauge(
        "aqi_step_partitions",
        "Partitions of the last run that had the asset, by what became of them",
        ["asset", "outcome"],
        registry=registry,
    )
    for asset, last in _of_last_runs(steps).items():
        seconds.labels(asset).set(round(sum(step.seconds for step in last), 3))
        rows.labels(asset).set(sum(step.rows for step in last))
        partitions.labels(asset, "written").set(sum(step.partitions_written for step in last))
        partitions.labels(asset, "unchanged").set(sum(step.partitions_unchanged for step in last))
        partitions.labels(asset, "failed").set(sum(step.partitions_failed for step in last))
        partitions.labels(asset, "skipped").set(sum(step.partitions_skipped for step in last))


def _of_last_runs(steps: Sequence[StepRow]) -> Mapping[str, list[StepRow]]:
    """For each asset, its steps in the last run that had it."""
    last: dict[str, list[StepRow]] = {}
    for step in steps:
        of_asset = last.setdefault(step.asset, [])
        if not of_asset or of_asset[0].run_id == step.run_id:
            of_asset.append(step)
    return dict(sorted(last.items()))


def _runs(registry: CollectorRegistry, entries: Sequence[RunEntry]) -> None:
    runs = Gauge("aqi_runs", "Runs in the journal in a state", ["state"], registry=registry)
    counts = Counter(entry.state for entry in entries)
    for state in RunState:
        runs.labels(str(state)).set(counts[state])
    newest = max((entry for entry in entries if entry.ended_at), key=lambda entry: entry.ended_at, default=None)
    if newest is None:
        return
    ended = datetime.fromisoformat(newest.ended_at).timestamp()
    for name, help_, value in (
        ("aqi_run_seconds", "How long the newest run that ended took", newest.seconds),
        ("aqi_run_ended_timestamp_seconds", "When the newest run that ended did so", ended),
        ("aqi_run_failed", "1 where that run failed or was interrupted", newest.state is not RunState.COMPLETED),
    ):
        Gauge(name, help_, registry=registry).set(value)
