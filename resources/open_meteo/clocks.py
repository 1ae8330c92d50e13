"""Whose clock says when a request was sent: the run's, or the source's by its Date header.

Pure. Must not know: HTTP, settings, what is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.core.calendar import hour_of, iso

CLOCK_HEADER, INJECTED = "X-AQI-Clock", "injected"
"""The header, with its value, of a reply whose Date is not the time of day but was set for the run."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The moments of a request and its reply; aware."""

    before: datetime
    """When the request was sent, by the run's clock."""
    after: datetime
    """When the reply was complete, by the run's clock."""
    date: datetime | None
    """The source's clock, in whole seconds; None where the two clocks are not compared."""
    is_injected: bool = False
    """Whether the source's clock is not the time of day."""

    @property
    def asked(self) -> datetime:
        """When the request was sent: by the source's clock, unless that is in a later hour than the run's.

        ==========  ==========  ========================================================
        ``before``  ``date``    asked
        ==========  ==========  ========================================================
        10:59:58    10:58:40    10:58:40
        10:59:58    10:59:59    10:59:59
        10:59:58    11:00:01    10:59:58: by the run's clock the hour has not begun
        11:00:01    10:59:59    10:59:59: by the source's clock the hour has not begun
        10:59:58    –           10:59:58
        ==========  ==========  ========================================================
        """
        if self.date is None or hour_of(self.date) > hour_of(self.before):
            return self.before
        return self.date

    @property
    def apart(self) -> timedelta:
        """By how much ``date`` lies outside the time between ``before`` and ``after``."""
        if self.date is None:
            return timedelta(0)
        return max(self._nearest - self.date, self.date - self._nearest)

    @property
    def in_words(self) -> str:
        """Both moments, in words."""
        assert self.date is not None
        return f"its clock says {iso(self.date)}, the run's {iso(self._nearest)}"

    @property
    def _nearest(self) -> datetime:
        """The moment of the run's clock that is nearest to ``date``."""
        assert self.date is not None
        first, last = sorted((self.before, self.after))  # a clock can be set back between the two
        return min(max(self.date, first), last)
