"""`aqi checks`: the results of the checks of tables, from the records of partitions and from the journal of runs.

A partition that breaks a blocking check is not published, so no record has it; the journal has the last attempts to
make it. Row rules are not checks of partitions: rows that break one are in the quarantine table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.checks import LINEAGE, STANDARD_CHECKS
from orchestration.core.json_value import JsonValue
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.runs.journal import LastAttempt, RunEntry, last_attempts
from orchestration.core.state.record_columns import Records
from orchestration.core.state.table_state import TableState
from orchestration.engine.workspace import Workspace
from orchestration.reports.fitting import Column, Kind, print_table
from resources.storage.journal import Journal

OF_EVERY_TABLE, OF_THE_ASSET, OF_THE_SOURCE, OF_THE_STEP = "every table", "asset", "source", "step"
"""Kinds of checks: who declares the check, or what it is about."""
BLOCKING, WARNING = "blocking", "warning"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check of one asset."""

    asset: str
    check: str
    kind: str
    """One of the kinds of checks, as OF_EVERY_TABLE."""
    severity: str
    """``blocking`` (a partition that breaks the check is not published) or ``warning``."""
    says: str
    """What the check demands, for people."""
    checked: int
    """The number of partitions with a known result."""
    failed: int
    """The number of partitions that break the check now."""
    violations: int | None
    """The number of violations in these partitions; None where it is not recorded."""
    last_failed_at: str
    """When a partition that breaks the check was last made or attempted (ISO 8601, UTC); empty where none is known."""

    def to_json(self) -> dict[str, JsonValue]:
        return {
            "asset": self.asset,
            "check": self.check,
            "kind": self.kind,
            "severity": self.severity,
            "says": self.says,
            "partitions_checked": self.checked,
            "partitions_failed": self.failed,
            "violations": self.violations,
            "last_failed_at": self.last_failed_at or None,
        }


def read_checks(workspace: Workspace, keys: Sequence[str]) -> list[CheckResult]:
    """The results of all checks of the assets ``keys``."""
    tables, entries = workspace.states(keys), Journal(workspace.warehouse.uri).entries()
    return [
        result for key in keys for result in results_of(workspace.catalog[key], tables.get(key, TableState()), entries)
    ]


def results_of(asset: Asset, state: TableState, entries: Sequence[RunEntry]) -> list[CheckResult]:
    """The results of all checks of one asset. state: of its table. entries: of the journal, newest first."""
    records = state.records.restricted(state.present - state.unrecorded)
    found = [_blocking(asset, name, OF_EVERY_TABLE, says, records, entries) for name, says in STANDARD_CHECKS.items()]
    for check in asset.checks:
        if check.blocking:
            found.append(_blocking(asset, check.name, OF_THE_ASSET, check.remedy, records, entries))
        else:
            found.append(_warning(asset, check.name, OF_THE_ASSET, check.remedy, records))
    lineage = _blocking(asset, LINEAGE, OF_THE_STEP, "What a step made is made of what is declared.", records, entries)
    if lineage.failed or lineage.last_failed_at:
        found.append(lineage)
    known = {check.name for check in asset.checks}
    others = dict.fromkeys(name for kind in records.kinds for name, count in kind.checks.items() if count)
    return found + [_warning(asset, name, OF_THE_SOURCE, "", records) for name in others if name not in known]


def _blocking(
    asset: Asset, check: str, kind: str, says: str, records: Records, entries: Sequence[RunEntry]
) -> CheckResult:
    """The result of a blocking check. Recorded partitions have passed it."""
    begins = f"{asset.key}: check {check} failed"
    tried = [
        (entry, problem.partitions)
        for entry in entries
        if (attempt := entry.attempts.get(asset.key)) is not None
        for problem in attempt.problems
        if problem.message.startswith(begins)
    ]
    last = max((entry.ended_at or entry.started_at for entry, _ in tried), default="")
    some = PartitionSet.union_of(partitions for _, partitions in tried)
    failed = PartitionSet.union_of(
        _not_made_since(records, partitions, attempt)
        for partitions, attempt in last_attempts(entries, asset.key, some)
        if attempt.failed and attempt.message.startswith(begins)
    )
    passed = len(records) - len(records.restricted(failed))
    return CheckResult(
        asset.key, check, kind, BLOCKING, says, passed + len(failed), len(failed), None if failed else 0, last
    )


def _not_made_since(records: Records, partitions: PartitionSet, attempt: LastAttempt) -> PartitionSet:
    """The ones of ``partitions`` that no run has made since ``attempt``. Runs that are not in the journal count,
    too."""
    at = records.index(partitions)
    since = [records.stamps[stamp].at > attempt.at for stamp in records.stamp[at].tolist()]
    return partitions - records.set_of(at[np.array(since, dtype=bool)])


def _warning(asset: Asset, check: str, kind: str, says: str, records: Records) -> CheckResult:
    """The result of a warning check, whose violations are in the records."""
    checked = failed = violations = 0
    last = ""
    for positions, of in zip(records.by_kind(), records.kinds, strict=True):
        count = of.checks.get(check, 0)
        if kind != OF_THE_ASSET or count or check in of.check_versions:
            checked += len(positions)
        if count:
            failed += len(positions)
            violations += count * len(positions)
            stamps = (records.stamps[at] for at in set(records.stamp[positions].tolist()))
            last = max(last, *(stamp.at for stamp in stamps))
    return CheckResult(asset.key, check, kind, WARNING, says, checked, failed, violations, last)


def print_checks(console: Console, found: Sequence[CheckResult]) -> None:
    """Print a line for each check; where a partition breaks the check, with what the check demands."""
    columns = [
        Column("asset", Kind.KEY),
        Column("check", Kind.KEY),
        Column("severity", Kind.KEY),
        Column("checked", Kind.NUMBER),
        Column("failed", Kind.NUMBER),
        Column("violations", Kind.NUMBER),
        Column("last failed", Kind.KEY),
        Column("says"),
    ]
    print_table(console, columns, [_row(one) for one in found], group=True)


def _row(one: CheckResult) -> list[str]:
    failed = str(one.failed) if one.failed else ""
    return [
        one.asset,
        one.check,
        one.severity,
        str(one.checked),
        failed,
        str(one.violations or ""),
        one.last_failed_at,
        one.says if one.failed else "",
    ]
