"""Functions that ask a clock are refused: their rows could not be made again."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.checks import Check
from orchestration.core.errors import DeclarationError


def asset(function: Any, *checks: Check) -> Asset:
    return Asset("gold.small", "Text.", function, (), None, None, "Small", (), frozenset(), checks)


def _now() -> Any:
    return datetime.now()


def by_a_helper() -> Any:
    return [_now() for _ in range(1)]


ASKING: list[tuple[Callable[[], Any], str]] = [
    (lambda: datetime.now(), "datetime.now"),
    (lambda: dt.datetime.utcnow().day, "dt.datetime.utcnow"),
    (lambda: date.today(), "date.today"),
    (lambda: dt.date.today(), "dt.date.today"),
    (lambda: time.time(), "time.time"),
    (lambda: [time.time_ns() for _ in range(3)], "time.time_ns"),
    (by_a_helper, "datetime.now"),
]


@pytest.mark.parametrize(("function", "clock"), ASKING)
def test_a_function_that_asks_a_clock_is_refused(function: Callable[[], Any], clock: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        Catalog([asset(function)])
    assert caught.value.message.startswith(f"asset gold.small: its function asks a clock ({clock})")


def test_so_is_a_check() -> None:
    with pytest.raises(DeclarationError, match="the check late asks a clock"):
        Catalog([asset(print, Check("late", False, lambda _: datetime.now()))])


@pytest.mark.parametrize(
    "function",
    [lambda: datetime(2025, 1, 1), lambda: date.fromisoformat("2025-01-01"), lambda: time, "now"],
    ids=["a day", "a day in a text", "the module", "no function"],
)
def test_what_asks_no_clock_is_none_of_these(function: Any) -> None:
    Catalog([asset(function)])
