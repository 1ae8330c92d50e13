"""Commits of ours and of others, as values."""

from __future__ import annotations

from datetime import date

from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.state.provenance import PartitionRecord, Provenance
from orchestration.core.state.table_state import Commit, FileSpan
from tests.support.records import AT


def record(fingerprint: str = "f", rows: int = 24, **facts: str) -> PartitionRecord:
    return PartitionRecord(rows, fingerprint, {}, facts.get("code", "c1"), "k1", as_of=facts.get("as_of", ""))


def ours(version: int, records: dict[PartitionKey, PartitionRecord], run: str = "run") -> Commit:
    return Commit(version, Provenance(run, "gold.hours", AT, records))


def theirs(version: int, *touched: FileSpan) -> Commit:
    return Commit(version, None, touched)


def span(first: int, last: int, *locations: str) -> FileSpan:
    return FileSpan(date(2025, 8, first), date(2025, 8, last), min(locations), max(locations))
