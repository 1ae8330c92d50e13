"""Hourly facts with given AQIs, by the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from tests.support import oracle
from tests.support.oracle import Row
from tests.support.strategies import plain_row

HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2024, 2, 29, tzinfo=UTC)


def gold_hours(levels: Sequence[int | str | None], start: datetime = MIDNIGHT, key: str = "hanoi") -> list[Row]:
    """Hourly facts with these AQIs from `start` on; a text stands for a missing hour."""
    bronze = [plain_row(key, start + n * HOUR, level) for n, level in enumerate(levels) if not isinstance(level, str)]
    return oracle.fact_hourly(oracle.silver(bronze))
