"""The quality of partitions, from their records: numbers of rows, values and violations of checks.

They are summed by kinds of records: a million partitions take milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.checks import STANDARD_CHECKS
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.table_state import TableState


@dataclass(frozen=True, slots=True)
class DeclaredCheck:
    """A check, as OpenLineage reports it. blocking: whether rows that break it are not published."""

    name: str
    blocking: bool
    description: str

    @property
    def severity(self) -> str:
        return "error" if self.blocking else "warn"


def checks_of(asset: Asset) -> tuple[DeclaredCheck, ...]:
    """The checks of an asset's table: those of every table, then its own."""
    standard = (DeclaredCheck(name, True, text) for name, text in STANDARD_CHECKS.items())
    return (*standard, *(DeclaredCheck(check.name, check.blocking, check.remedy) for check in asset.checks))


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of some partitions of a table together."""

    rows: int = 0
    partitions: int = 0
    """The number of recorded partitions."""
    values: Mapping[str, int] = field(default_factory=dict)
    """Column → number of values (not nulls), for columns whose values were counted in all of these partitions."""
    violations: Mapping[str, int] = field(default_factory=dict)
    """Check → number of violations, for checks that were made for all of these partitions."""

    @classmethod
    def of(cls, asset: Asset, state: TableState, partitions: PartitionSet) -> Quality:
        """The quality of those of ``partitions`` that exist and that nobody else changed."""
        records = state.records.restricted(partitions - state.unrecorded)
        values: dict[str, int] | None = None
        violations = {check.name: 0 for check in checks_of(asset)}
        own = {check.name for check in asset.checks if not check.blocking}
        for positions, kind in zip(records.by_kind(), records.kinds, strict=True):
            count = len(positions)
            if filled := int((records.rows[positions] > 0).sum()):  # without rows nothing was counted, nothing lacks
                before = dict.fromkeys(kind.values, 0) if values is None else values
                values = {name: before[name] + n * filled for name, n in kind.values.items() if name in before}
            violations = {
                name: n + kind.checks.get(name, 0) * count
                for name, n in violations.items()
                if name not in own or name in kind.check_versions
            }
        found = len(records)
        return cls(int(records.rows.sum()) if found else 0, found, values or {}, violations if found else {})

    def metrics(self, captured: str) -> dict[str, Any]:
        """The facet ``dataQualityMetrics``. captured: when the records were read (ISO 8601)."""
        columns = {
            name: {"count": values, "nullCount": self.rows - values} for name, values in sorted(self.values.items())
        }
        return {"rowCount": self.rows, "columnMetrics": columns, "captureDate": captured}

    def assertions(self, checks: Sequence[DeclaredCheck]) -> dict[str, Any] | None:
        """The facet ``dataQualityAssertions``: which checks the partitions passed; None where none is recorded."""
        assertions = [
            _without_empty(
                assertion=check.name,
                success=self.violations[check.name] == 0,
                severity=check.severity,
                description=check.description,
                expected="0",
                actual=str(self.violations[check.name]),
            )
            for check in checks
            if check.name in self.violations
        ]
        return {"assertions": assertions} if assertions else None


def check_results(
    checks: Sequence[DeclaredCheck], violations: Mapping[str, int], *, made: bool
) -> dict[str, Any] | None:
    """The facet ``test`` of a run: the results of a step's checks.

    violations: of the checks that found any. made: whether the step made any rows; otherwise the results of the other
    checks are not known, and they are left out.
    """
    results = [
        _without_empty(
            name=check.name,
            status="fail" if found else "pass",
            severity=check.severity,
            description=check.description,
            expected="0",
            actual=str(found),
        )
        for check in checks
        if (found := violations.get(check.name, 0)) or made
    ]
    return {"tests": results} if results else None


def _without_empty(**said: Any) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value != ""}
