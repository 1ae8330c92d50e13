"""Insights: a few sentences about the contents of the gold tables. Days and times are in the location's local time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

Rows = Callable[[str], list[dict[str, Any]]]
"""The rows of an asset, by its key."""


def insights(rows: Rows) -> list[str]:
    """A few sentences about the air, from the gold tables."""
    locations = rows("gold.dim_location")
    names = {row["location_key"]: row["location_name"] for row in locations}
    zones = {row["location_key"]: ZoneInfo(row["timezone"]) for row in locations}
    days = [row for row in rows("gold.fact_city_daily") if row["location_key"] in names]
    episodes = [row for row in rows("gold.fact_episode") if row["location_key"] in names]

    def local(row: dict[str, Any], instant: str) -> datetime:
        """An instant of a row by the clock of its location; the columns of local time can be null in older rows."""
        at: datetime = row[instant]
        return at.astimezone(zones[row["location_key"]])

    lines = []
    hours = [row for row in rows("gold.fact_air_quality_hourly") if row["aqi"] is not None]
    hours = [row for row in hours if row["location_key"] in names]
    if hours:
        worst = max(hours, key=lambda hour: (hour["aqi"], -hour["ts_utc"].timestamp()))
        lines.append(
            f"The worst day was {local(worst, 'ts_utc'):%Y-%m-%d} (local time) in {names[worst['location_key']]}: US "
            f"AQI {worst['aqi']} at {local(worst, 'ts_utc'):%H:%M}, driven by {worst['dominant_pollutant']}."
        )
    for key, name in sorted(names.items(), key=lambda item: item[1]):
        own = [day for day in days if day["location_key"] == key]
        measured = sum(day["hours_measured"] for day in own)
        if measured:
            lines.append(f"{name}: {_hours_unhealthy(own) / measured:.0%} of {measured} hours were unhealthy or worse.")
    if episodes:
        longest = max(episodes, key=lambda episode: episode["duration_hours"])
        over_midnight = sum(local(one, "start_ts_utc").date() != local(one, "end_ts_utc").date() for one in episodes)
        still_open = sum(one["is_open"] is True for one in episodes)
        lines.append(
            f"{len(episodes)} episodes, {over_midnight} of them over midnight (local time), {still_open} still open; "
            f"the longest lasted {longest['duration_hours']} hours in {names[longest['location_key']]}, from "
            f"{local(longest, 'start_ts_utc'):%Y-%m-%d %H:%M} local time, peak {longest['peak_aqi']}."
        )
        causes = Counter(episode["dominant_pollutant"] for episode in episodes).most_common(1)
        lines.append(f"Most episodes are driven by {causes[0][0]} ({causes[0][1]} of {len(episodes)}).")
    return lines


def _hours_unhealthy(days: list[dict[str, Any]]) -> int:
    names = ("hours_in_cat_unhealthy", "hours_in_cat_very_unhealthy", "hours_in_cat_hazardous")
    return sum(day[name] for day in days for name in names)
