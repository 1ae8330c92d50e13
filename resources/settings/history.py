"""The section ``history`` of the settings: from which day on each location's history is wanted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from difflib import get_close_matches
from typing import Annotated

from pydantic import BeforeValidator, Field

from resources.settings.refusals import Refused
from resources.settings.section import Section

EVERYWHERE = "default"
"""The key that stands for all locations that are not named."""


def _a_day(value: object) -> object:
    """A day of the settings: a date, a text like ``2024-01-01``, or None. Raises ValueError."""
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"there is no such day ({error})") from error
    raise ValueError("must be a day, for instance 2024-01-01, or null")


def _by_location(value: object) -> object:
    """``2024-01-01`` → ``{"default": 2024-01-01}``; a mapping stays as it is."""
    if value is None:
        return {}
    return value if isinstance(value, dict) else {EVERYWHERE: value}


Day = Annotated[date | None, BeforeValidator(_a_day)]


class HistorySettings(Section):
    """Which history is wanted."""

    since: Annotated[dict[str, Day], BeforeValidator(_by_location)] = Field(default_factory=dict)
    """Location key → the first day (UTC) of its history; ``default`` stands for all locations that are not named. One
    day alone means all locations. A location with None, or without an entry, has no declared beginning.
    """

    def check(self, locations: Sequence[str]) -> None:
        """Raises Refused where ``since`` names a location that is not among ``locations``."""
        known = [EVERYWHERE, *locations]
        for name in sorted(self.since.keys() - set(known)):
            near = get_close_matches(name, known, n=1)
            remedy = f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(known)}."
            raise Refused(("history", "since", name), "is no configured location", remedy)

    def check_begun(self, today: date) -> None:
        """Raises Refused where a first day is after ``today`` (UTC): no partition would ever count as missing."""
        for name, day in sorted(self.since.items()):
            if day is not None and day > today:
                what = f"{day} lies after today ({today}, UTC)"
                raise Refused(("history", "since", name), what, "Name a day up to it.")

    def since_by_location(self, locations: Sequence[str]) -> dict[str, date]:
        """Location key → the first day (UTC) of its wanted history, for those of ``locations`` that declare one."""
        days = {name: self.since.get(name, self.since.get(EVERYWHERE)) for name in locations}
        return {name: day for name, day in days.items() if day is not None}
