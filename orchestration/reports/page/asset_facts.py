"""The facts of one asset in the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from shlex import quote
from typing import Any

import numpy as np

from orchestration.core.calendar import iso
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.checks import STANDARD_CHECKS
from orchestration.core.declarations.contract import Contract, describe
from orchestration.core.lineage.columns import NOTHING, Sources
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.state.freshness import State
from orchestration.core.state.lags import Lag
from orchestration.core.state.partition_record import PartitionRecord
from orchestration.core.state.record_columns import Records
from orchestration.core.state.table_state import TableState
from orchestration.reports.page.found import Found
from orchestration.reports.status import StatusGroup, cause_of, first_of

COMMITS = 8
"""At most this many of the last commits are shown that still have records."""
PARTITIONS = 5
"""At most this many of the newest partitions are shown with their fingerprints."""
CONSULTED = 3
REASONS = 8
URGENT = (State.DAMAGED, State.FAILED, State.UNRECORDED, State.MISSING, State.STALE, State.FRESH)
LOCATIONS = 5


def of_asset(found: Found, key: str) -> dict[str, Any]:
    """JSON values of one asset.

    Its declaration: ``key``, ``layer``, ``description``, ``source``, ``upstream``, ``partitioned``, ``tags``, ….
    Its state: ``states``, ``reasons``, ``lacking``, ``lag``, ``rows``, ``version``.
    ``contract``, and ``columns`` with the sources of each. ``checks``. The newest ``commits`` and ``partitions``.
    ``commands`` for it.
    """
    asset, own = found.workspace.catalog[key], found.states.get(key, TableState())
    groups = [group for group in found.statuses.groups if group.asset == key]
    contract = found.workspace.contracts[key]
    return {
        "key": key,
        "layer": asset.layer,
        "description": asset.description,
        "source": asset.source,
        "upstream": [[mapping.of, type(mapping).__name__] for mapping in asset.upstream],
        "partitioned": None if asset.partitions is None else list(asset.partitions.columns),
        "tags": sorted(asset.tags),
        "parameters": list(asset.parameters),
        "version": own.version,
        "rows": int(own.records.rows.sum()) if own.records else 0,
        **_standing(groups),
        "lag": _lag([lag for lag in found.lags if lag.asset == key]),
        "contract": _contract(contract),
        **_columns(found, key, contract),
        "checks": _checks(asset, own.records),
        "commits": _commits(own.records),
        "partitions": _partitions(own.records),
        "code": found.code_parts[key],
        "commands": _commands(asset, groups, own.present),
    }


def _standing(groups: Iterable[StatusGroup]) -> dict[str, Any]:
    states: Counter[State] = Counter()
    groups = list(groups)
    names = {name for group in groups for name in group.partitions.locations}
    reasons: Counter[tuple[State, str]] = Counter()
    messages: dict[tuple[State, str], dict[str, None]] = {}
    lacking: Counter[bool] = Counter()
    withdrawn = 0
    for group in groups:
        states[group.state] += len(group.partitions)
        why = "; ".join(dict.fromkeys([part for part in (group.in_short, *group.marks) if part]))
        if why and why != group.state:
            kind = group.state, cause_of(group.state, why, names)
            reasons[kind] += len(group.partitions)
            messages.setdefault(kind, {})[why] = None
        if group.lacks_values:
            lacking[group.given_up] += len(group.partitions)
        withdrawn += sum(group.withdrawn.values())
    ordered = sorted(reasons.items(), key=lambda item: (URGENT.index(item[0][0]), -item[1], item[0][1]))
    return {
        "states": {str(state): states[state] for state in State if states[state]},
        "reasons": [[str(kind[0]), first_of(messages[kind]), many] for kind, many in ordered[:REASONS]],
        "reasons_more": max(len(reasons) - REASONS, 0),
        "lacking": {"incomplete": lacking[False], "given_up": lacking[True], "hours_withdrawn": withdrawn},
    }


def _lag(lags: list[Lag]) -> dict[str, Any] | None:
    """The largest lag of the asset, and how many locations miss the target."""
    if not lags:
        return None
    worst = sorted(lags, key=lambda lag: (-float("inf") if lag.lag_hours is None else -lag.lag_hours, lag.location))
    return {
        "target": lags[0].target_hours,
        "missed": sum(lag.missed for lag in lags),
        "locations": len(lags),
        "worst": [
            [
                lag.location,
                None if lag.lag_hours is None else round(lag.lag_hours, 1),
                None if lag.covered_until is None else iso(lag.covered_until),
                lag.missed,
            ]
            for lag in worst[:LOCATIONS]
        ],
    }


def _contract(contract: Contract) -> dict[str, Any]:
    rules: dict[str, list[str]] = {}
    for rule in contract.rules:
        rules.setdefault(rule.rule, []).append(describe(rule))
    return {
        "name": contract.name,
        "description": contract.description,
        "key": list(contract.key),
        "digest": contract.digest,
        "rules": [[name, "; ".join(words)] for name, words in rules.items()],
    }


def _columns(found: Found, key: str, contract: Contract) -> dict[str, Any]:
    """``columns``: name, type, nullable, unit, description, edges, and what is unknown about it. ``rows_from``: the
    columns that decide which rows exist. ``known``: whether the lineage is that of the present code."""
    recorded = found.columns
    lineage = recorded.lineages.get(key)
    known = "lacking" if lineage is None else "older" if key in recorded.of_older_code else "now"
    return {
        "known": known,
        "rows_from": _edges(NOTHING if lineage is None else lineage.rows),
        "unknown": sorted(lineage.rows.unknown) if lineage is not None else [],
        "columns": [
            [
                column.name,
                column.type,
                column.nullable,
                column.unit,
                column.description,
                _edges(sources := NOTHING if lineage is None else lineage.columns.get(column.name, NOTHING)),
                sorted(sources.unknown),
            ]
            for column in contract.columns
        ],
    }


def _edges(sources: Sources) -> list[list[str]]:
    return [[edge.of, edge.column, edge.kind.value] for edge in sorted(sources.edges)]


def _checks(asset: Asset, records: Records) -> list[dict[str, Any]]:
    """Every check, with its violations in the present records, and the number of partitions with violations."""
    violations: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    if records:
        many = np.bincount(records.kind, minlength=len(records.columns.kinds)).tolist()
        for kind, of in zip(records.columns.kinds, many, strict=True):
            for name, count in kind.checks:
                violations[name] += count * of
                broken[name] += of if count else 0
    checks = [(name, True, text, "") for name, text in STANDARD_CHECKS.items()]
    checks += [(check.name, check.blocking, "", check.remedy) for check in asset.checks]
    names = {name for name, *_ in checks}
    checks += [(name, False, "", "") for name in sorted(violations) if name not in names]
    return [
        {
            "name": name,
            "blocking": blocking,
            "says": says,
            "remedy": remedy,
            "violations": violations[name],
            "partitions": broken[name],
        }
        for name, blocking, says, remedy in checks
    ]


def _commits(records: Records) -> list[list[Any]]:
    """The last commits with present records: version, time, run, number of partitions, rows, partitions."""
    if not records:
        return []
    stamps, found = records.stamps, []
    partitions = np.bincount(records.stamp, minlength=len(stamps))
    rows = np.bincount(records.stamp, records.rows, len(stamps))
    newest = sorted(range(len(stamps)), key=lambda at: (stamps[at].version, stamps[at].at), reverse=True)
    for at in newest[:COMMITS]:
        stamp = stamps[at]
        which = str(records.set_of(np.flatnonzero(records.stamp == at)))
        found.append([stamp.version, stamp.at, stamp.run_id, int(partitions[at]), int(rows[at]), which])
    return found


def _partitions(records: Records) -> list[dict[str, Any]]:
    """The newest partitions, with code version, contract and upstream fingerprints."""
    if not records:
        return []
    order = np.lexsort((records.location, records.day, records.version))[::-1]
    return [_partition(str(records.key(at)), records.record(at)) for at in order[:PARTITIONS].tolist()]


def _partition(key: str, record: PartitionRecord) -> dict[str, Any]:
    return {
        "key": key,
        "rows": record.rows,
        "fingerprint": record.fingerprint,
        "code": record.code,
        "contract": record.contract,
        "run": record.run_id,
        "at": record.at,
        "as_of": record.as_of,
        "inputs": [
            [of, [[*item] for item in sorted(consulted.items())[-CONSULTED:]], max(len(consulted) - CONSULTED, 0)]
            for of, consulted in record.inputs.items()
        ],
        "answers": [[answer.asked, answer.digest] for answer in record.answers[-CONSULTED:]],
    }


def _commands(asset: Asset, groups: Iterable[StatusGroup], present: PartitionSet) -> list[list[str]]:
    """Pairs: what a command is for, and the command."""
    key = quote(asset.key)
    if asset.partitions is None:
        return [
            ["read", f"aqi show {key}"],
            ["remake", f"aqi materialize {key} --force"],
            ["states", f"aqi status {key}"],
        ]
    days = present.without_null().days
    late = PartitionSet.union_of(group.partitions for group in groups if group.state is not State.FRESH)
    commands = []
    if days:
        commands = [
            ["read", f"aqi show {key} --partitions {days.last}"],
            ["remake its last day", f"aqi materialize {key} --partitions {days.last} --force"],
        ]
    if due := late.without_null().days:
        commands.append(["bring up to date", f"aqi materialize {quote(f'+{asset.key}')} --partitions {_span(due)}"])
    if not commands:
        commands = [["make", f"aqi materialize {quote(f'+{asset.key}')} --partitions last:7"]]
    if asset.hours is not None and days:
        commands.append(["what its source sent", f"aqi show {key} --raw --partitions {days.last}"])
    return [*commands, ["states", f"aqi status {key}"]]


def _span(days: Days) -> str:
    return str(days.first) if days.first == days.last else f"{days.first}..{days.last}"
