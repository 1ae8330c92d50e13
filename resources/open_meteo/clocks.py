"""Which clock says when something was asked: the run's, or the source's by the Date that it sends.

Pure. Must not know: HTTP, settings, what is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.core.calendar import hour_of, iso

CLOCK_HEADER, INJECTED = "X-AQI-Clock", "injected"
"""The header of a reply whose Date is not the time of day, but was set for whoever asks; and what it says."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its reply in time, in aware instants.

    before, after: by the run's clock, when the request was sent and when its reply was there. date: by the source's,
    in whole seconds; None where the two are not compared. is_injected: the source's is not the time of day.
    """

    before: datetime
    after: datetime
    date: datetime | None
    is_injected: bool = False

    @property
    def asked(self) -> datetime:
        """The moment of asking: the source's, as long as it is not in a later hour than the run's.

        ==========  ==========  ========================================================
        ``before``  ``date``    asked
        ==========  ==========  ========================================================
        10:59:58    10:58:40    10:58:40
        10:59:58    10:59:59    10:59:59
        10:59:58    11:00:01    10:59:58: by the run's clock the hour has not begun
        11:00:01    10:59:59    10:59:59: by the source's it has not
        10:59:58    –           10:59:58
        ==========  ==========  ========================================================
        """
        if self.date is None or hour_of(self.date) > hour_of(self.before):
            return self.before
        return self.date

    @property
    def apart(self) -> timedelta:
        """By how much ``date`` lies outside of what passed by the run's clock."""
        if self.date is None:
            return timedelta(0)
        return max(self._nearest - self.date, self.date - self._nearest)

    @property
    def told(self) -> str:
        """Both moments, in words."""
        assert self.date is not None
        return f"its clock says {iso(self.date)}, the run's {iso(self._nearest)}"

    @property
    def _nearest(self) -> datetime:
        """The moment of the run's clock that ``date`` is compared with."""
        assert self.date is not None
        first, last = sorted((self.before, self.after))  # a clock can be set back meanwhile
        return min(max(self.date, first), last)
