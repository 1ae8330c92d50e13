"""The section of the settings that says which history is wanted."""

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
"""In place of a location: all that are not named."""


def _a_day(value: object) -> object:
    """A day, or nothing."""
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"there is no such day ({error})") from error
    raise ValueError("must be a day, for instance 2024-01-01, or null")


def _by_location(value: object) -> object:
    if value is None:
        return {}
    return value if isinstance(value, dict) else {EVERYWHERE: value}


Day = Annotated[date | None, BeforeValidator(_a_day)]


class HistorySettings(Section):
    """since: the first day (UTC) of the history that is wanted; or by location, ``default`` for all that are not named.

    Null, or not said: nobody declared anything.
    """

    since: Annotated[dict[str, Day], BeforeValidator(_by_location)] = Field(default_factory=dict)

    def check(self, locations: Sequence[str]) -> None:
        """Raises Refused for a location that is none of ``locations``."""
        known = [EVERYWHERE, *locations]
        for name in sorted(self.since.keys() - set(known)):
            near = get_close_matches(name, known, n=1)
            remedy = f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(known)}."
            raise Refused(("history", "since", name), "is no configured location", remedy)

    def check_begun(self, today: date) -> None:
        """Raises Refused for a day after ``today`` (UTC), from which on nothing would ever be missing."""
        for name, day in sorted(self.since.items()):
            if day is not None and day > today:
                what = f"{day} lies after today ({today}, UTC)"
                raise Refused(("history", "since", name), what, "Name a day up to it.")

    def since_by_location(self, locations: Sequence[str]) -> dict[str, date]:
        """The first day that is wanted at each of ``locations`` where one is declared."""
        days = {name: self.since.get(name, self.since.get(EVERYWHERE)) for name in locations}
        return {name: day for name, day in days.items() if day is not None}
