"""What verify, deploy and maintenance found or did: a table that fits a terminal, as of all other commands."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import date
from functools import partial

import pytest
from rich.console import Console

from orchestration.cli.deploy import print_changes
from orchestration.cli.upkeep import print_maintenance
from orchestration.cli.verify import print_verified
from orchestration.core.deployments.changes import CreatePool, RemoveSchedule
from orchestration.core.deployments.values import Found, FoundSchedule, Pool, Properties, Schedule
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.engine.verify import Verified
from orchestration.service.maintenance import MaintenanceSummary, TableUpkeep
from tests.support.cli_calls import DAILY, EPISODE

DAY = date(2025, 8, 8)
ONE = PartitionSet.from_keys([PartitionKey(DAY, "hanoi")])
NONE = PartitionSet.empty()
WHY = "2025-08-08/hanoi: in the row location_key=hanoi aqi_daily_max was 151, and is 201 on spark"
VERIFIED = [
    Verified(EPISODE, "spark", ONE, NONE, {}),
    Verified(DAILY, "spark", NONE, ONE, {PartitionKey(DAY, "hcmc"): "missing: never made"}, WHY),
]
UPKEEP = (TableUpkeep(DAILY), TableUpkeep(EPISODE, joined=11, into=2, kept=True, error="the disk is full"))


def lines(show: Callable[[Console], None], width: int = 200) -> list[str]:
    text = io.StringIO()
    show(Console(file=text, width=width))
    return text.getvalue().splitlines()


def test_what_was_compared() -> None:
    head, equal, different = lines(partial(print_verified, found=VERIFIED))
    assert head.split() == ["asset", "equal", "different", "left", "out", "why"]
    assert equal.split() == [EPISODE, "1", "0", "0"]
    assert different.split()[:4] == [DAILY, "0", "1", "1"]
    assert different.endswith(f"{WHY}; missing: never made")


def test_what_was_changed_on_a_server() -> None:
    there = FoundSchedule("7", None, True, Schedule("5 * * * *", "UTC"))
    found = Found("1", "materialize", "aqi-hourly", Properties(None, "", (), {}, {}, None))
    changes = [CreatePool(Pool("aqi", 2)), RemoveSchedule(found, there)]
    assert [re.split(" {2,}", line) for line in lines(partial(print_changes, changes=changes))] == [
        ["change", "of", "schedule", "how"],
        ["create pool", "aqi", "limit nothing → 2"],
        ["remove schedule", "materialize/aqi-hourly", "(without a slug)", "5 * * * * UTC"],
    ]
    assert lines(partial(print_changes, changes=())) == ["Nothing to do."]


def test_what_was_maintained() -> None:
    told = lines(partial(print_maintenance, summary=MaintenanceSummary(UPKEEP, 1, 0.94, errors=("no room",))))
    assert told == [
        "table              done",
        f"{EPISODE}  11 small files put together into 2, its state kept, FAILED: the disk is full",
        "1 log of runs removed",
        "FAILED: no room",
        "2 tables, 0.9 s, 2 failed",
    ]
    idle = MaintenanceSummary(UPKEEP[:1], 0, 0.04, dry_run=True)
    assert lines(partial(print_maintenance, summary=idle)) == [
        "Nothing to do.",
        "1 table, 0.0 s (dry run: nothing was done)",
    ]


@pytest.mark.parametrize(
    "show",
    [
        partial(print_verified, found=VERIFIED),
        partial(print_changes, changes=[CreatePool(Pool("aqi-of-an-environment", 2))]),
        partial(print_maintenance, summary=MaintenanceSummary(UPKEEP, 1, 0.94)),
    ],
)
def test_none_is_wider_than_a_terminal(show: Callable[[Console], None]) -> None:
    assert max(map(len, lines(show, 80))) <= 80
