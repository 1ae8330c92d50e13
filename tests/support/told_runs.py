"""Events of a made-up run that say everything that events can say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from orchestration.core.declarations.contract import Column, Contract
from orchestration.core.openlineage.columns import ReportedColumns, SourceField
from orchestration.core.openlineage.events import (
    EventType,
    RunFacts,
    SourceCode,
    StepFacts,
    TableFacts,
    ended_as,
    run_event,
    step_event,
)
from orchestration.core.openlineage.naming import dataset_at, source_dataset
from orchestration.core.openlineage.quality import DeclaredCheck, Quality
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.partitions.scheme import PartitionColumns
from orchestration.core.planning.plan import Input, Step
from orchestration.core.runs.outcome import Outcome, Problem, StepOutcome

AT = datetime(2025, 8, 20, 6, 0, 0, 123_000, tzinfo=UTC)
FIRST, LAST = date(2025, 8, 8), date(2025, 8, 9)
PERIOD = (datetime(2025, 8, 8, tzinfo=UTC), datetime(2025, 8, 10, tzinfo=UTC))
COLUMNS = PartitionColumns("day", "location")
DAYS = PartitionSet.of(Days.of(FIRST, LAST), ["north", "south"])
RUN = RunFacts("run-1", "materialize", "rivers", "gold.days 2025-08-08..2025-08-09", "Sail", "0.7.2", "0.2.0")
STEP = Step("gold.days", "gold.days", DAYS, PartitionSet.empty(), (Input("silver.hours", 4, None, DAYS),), 6, "missing")
CHECKS = (DeclaredCheck("unique", True, "Two rows have the same key."), DeclaredCheck("short", False, "Too few."))
CONTRACT = Contract(
    "Days",
    "A day and a location.",
    (Column("day", "date", False, "", "UTC day"), Column("level", "double", True, "cm", "mean")),
    ("day",),
)
HOURS = dataset_at("/lake/silver/hours")
LINEAGE = ReportedColumns(
    {
        "day": [SourceField(*HOURS, "ts", "DIRECT", "TRANSFORMATION")],
        "level": [SourceField(*HOURS, "level", "DIRECT", "AGGREGATION")],
    },
    [SourceField(*HOURS, "ts", "INDIRECT", "GROUP_BY"), SourceField(*HOURS, "location", "INDIRECT", "GROUP_BY")],
)
READ = TableFacts(
    HOURS,
    CONTRACT,
    version=4,
    columns=COLUMNS,
    partitions=DAYS,
    quality=Quality(96, 4, {"level": 90}, {"unique": 0, "short": 3}),
    checks=CHECKS,
)
SOURCE = TableFacts(source_dataset("gauges", "https://gauges.example.org"), CONTRACT, stored=False)
FACTS = StepFacts(
    STEP, "The mean of a day.", PERIOD, SourceCode("https://git.example.org/a/days.py", "a/days.py", "0" * 40)
)


def wrote(version: int | None = 7, partitions: PartitionSet = DAYS, rows: int = 4) -> TableFacts:
    quality = Quality(rows, len(partitions), {"level": rows - 1}, {"unique": 0, "short": 1})
    return TableFacts(
        dataset_at("hdfs://namenode:8020/lake/gold/days"),
        CONTRACT,
        version=version,
        columns=COLUMNS,
        partitions=partitions,
        quality=quality,
        checks=CHECKS,
        lineage=LINEAGE,
    )


def outcome(*problems: Problem, written: PartitionSet = DAYS) -> StepOutcome:
    return StepOutcome(STEP, written=written, problems=problems, rows=4, version=7, warnings={"short": 1})


FAILED = Problem(
    Outcome.FAILED, DAYS, "gold.days: check unique failed for 2 rows of 2025-08-08.", check="unique", violations=2
)


def of_step(kind: EventType, of: StepOutcome | None = None, error: str = "", **more: Any) -> dict[str, Any]:
    reads: Sequence[TableFacts] = more.pop("reads", (READ, SOURCE))
    return step_event(kind, AT + timedelta(seconds=1), RUN, FACTS, reads, more.pop("writes", wrote()), of, error)


def all_events() -> list[dict[str, Any]]:
    """Of a run that completes, of one that fails, and of one that is broken off."""
    nothing, failed = PartitionSet.empty(), outcome(FAILED, written=PartitionSet.empty())
    return [
        run_event(EventType.START, AT, RUN, PERIOD),
        of_step(EventType.START, writes=wrote(None)),
        of_step(EventType.COMPLETE, outcome()),
        of_step(ended_as(failed), failed, writes=wrote(7, nothing, 0)),
        of_step(EventType.ABORT, error="the run was interrupted"),
        run_event(EventType.COMPLETE, AT, RUN, PERIOD),
        run_event(EventType.FAIL, AT, RUN, None, "the warehouse is full"),
        run_event(EventType.ABORT, AT, RUN, None, "the run was interrupted"),
    ]
