"""What records say of quality: sums over kinds are sums over partitions, and what was not counted is not told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.checks import Check
from orchestration.core.openlineage.quality import Quality, check_results, checks_of
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.scheme import DailyByLocation
from orchestration.core.state.partition_record import PartitionRecord
from orchestration.core.state.table_state import TableState

DAY = date(2025, 8, 8)
ASSET = Asset(
    key="gold.days",
    description="days",
    function=lambda: None,
    upstream=(),
    source=None,
    partitions=DailyByLocation("day", "location"),
    contract="Days",
    parameters=(),
    tags=frozenset(),
    checks=(
        Check("short", False, lambda _parameters: None, "Too few."),
        Check("low", False, lambda _parameters: None),
        Check("open", True, lambda _parameters: None, "Not closed."),
    ),
)
CHECKS = checks_of(ASSET)
COUNTED = {"short": "v1", "low": "v1"}


def at(number: int) -> PartitionKey:
    return PartitionKey(DAY + timedelta(days=number), "north")


def record(
    rows: int,
    checks: Mapping[str, int] | None = None,
    values: Mapping[str, int] | None = None,
    versions: Mapping[str, str] = COUNTED,
) -> PartitionRecord:
    return PartitionRecord(
        rows, f"f{rows}", {}, "code", "contract", checks or {}, values=values or {}, check_versions=versions
    )


def quality(*records: PartitionRecord, unrecorded: PartitionSet | None = None) -> Quality:
    state = TableState(
        version=1,
        records={at(number): one for number, one in enumerate(records)},  # type: ignore[arg-type]
        unrecorded=unrecorded or PartitionSet.empty(),
    )
    return Quality.of(ASSET, state, PartitionSet.from_keys(map(at, range(-1, 400))))


def test_nothing_is_known_of_what_is_not_there() -> None:
    assert quality() == Quality()
    assert Quality().assertions(CHECKS) is None


def test_rows_values_and_violations_are_summed() -> None:
    found = quality(record(24, {"short": 2}, {"level": 20}), record(10, {"short": 1, "low": 4}, {"level": 10}))
    assert found == Quality(34, 2, {"level": 30}, {"not_null": 0, "unique": 0, "short": 3, "low": 4, "open": 0})
    assert found.metrics("2025-08-20T06:00:00Z") == {
        "rowCount": 34,
        "columnMetrics": {"level": {"count": 30, "nullCount": 4}},
        "captureDate": "2025-08-20T06:00:00Z",
    }
    told = found.assertions(CHECKS)
    assert told is not None
    assert {one["assertion"]: (one["success"], one["severity"], one["actual"]) for one in told["assertions"]} == {
        "not_null": (True, "error", "0"),
        "unique": (True, "error", "0"),
        "short": (False, "warn", "3"),
        "low": (False, "warn", "4"),
        "open": (True, "error", "0"),
    }


def test_what_was_not_counted_everywhere_is_not_told() -> None:
    found = quality(record(24, values={"level": 20}), record(24, versions={"short": "v1"}))
    assert found.values == {}
    assert set(found.violations) == {"not_null", "unique", "short", "open"}
    assert quality(record(24, values={"level": 20}), record(0)).values == {"level": 20}
    assert quality(record(24, values={"level": 1}), record(0, values={"level": 1})).values == {"level": 1}, (
        "of one kind"
    )


def test_what_somebody_else_changed_is_not_told() -> None:
    found = quality(record(24), record(10), unrecorded=PartitionSet.one(at(0)))
    assert (found.rows, found.partitions) == (10, 1)


def with_values(rows: int) -> st.SearchStrategy[PartitionRecord]:
    """Records of so many rows; no column has more values than that."""
    checks = st.dictionaries(st.sampled_from(["short", "low"]), st.integers(1, 3))
    values = st.fixed_dictionaries({"level": st.integers(0, rows), "flow": st.integers(0, rows)})
    return st.builds(record, st.just(rows), checks, values)


kinds = st.integers(0, 24).flatmap(with_values)


@settings(max_examples=50, deadline=None)
@given(st.lists(kinds, min_size=1, max_size=30))
def test_sums_are_those_of_the_records(records: list[PartitionRecord]) -> None:
    found = quality(*records)
    assert (found.rows, found.partitions) == (sum(one.rows for one in records), len(records))
    for name in ("short", "low"):
        assert found.violations[name] == sum(one.checks.get(name, 0) for one in records)
    with_rows = [one for one in records if one.rows]
    expected: dict[str, Any] = {
        name: sum(one.values[name] for one in with_rows) for name in ("level", "flow") if with_rows
    }
    assert found.values == expected


def test_results_of_a_step() -> None:
    assert check_results(CHECKS, {}, made=False) is None
    told = check_results(CHECKS, {"unique": 2}, made=False)
    assert told is not None
    assert [(one["name"], one["status"]) for one in told["tests"]] == [("unique", "fail")]
    told = check_results(CHECKS, {"short": 2}, made=True)
    assert told is not None
    assert {one["name"]: one["status"] for one in told["tests"]} == {
        "not_null": "pass",
        "unique": "pass",
        "short": "fail",
        "low": "pass",
        "open": "pass",
    }
    assert "description" not in next(one for one in told["tests"] if one["name"] == "low")
