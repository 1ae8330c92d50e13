"""What the gold tables say, in a few sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

Rows = Callable[[str], list[dict[str, Any]]]
"""The rows of an asset, by its key."""


def insights(rows: Rows) -> list[str]:
    """A few sentences about the air, from the gold tables."""
    names = {row["location_key"]: row["location_name"] for row in rows("gold.dim_location")}
    days = rows("gold.fact_city_daily")
    episodes = rows("gold.fact_episode")
    lines = []
    measured = [day for day in days if day["aqi_daily_max"] is not None]
    if measured:
        worst = max(measured, key=lambda day: day["aqi_daily_max"])
        lines.append(
            f"The worst day was {worst['date_utc']} in {names[worst['location_key']]}: US AQI "
            f"{worst['aqi_daily_max']}, driven by {worst['dominant_pollutant_daily']}."
        )
    for key, name in sorted(names.items(), key=lambda item: item[1]):
        own = [day for day in days if day["location_key"] == key]
        hours = sum(day["hours_measured"] for day in own)
        if hours:
            lines.append(f"{name}: {_share_unhealthy(own) / hours:.0%} of {hours} hours were unhealthy or worse.")
    if episodes:
        longest = max(episodes, key=lambda episode: episode["duration_hours"])
        over_midnight = sum(episode["start_ts_utc"].date() != episode["end_ts_utc"].date() for episode in episodes)
        lines.append(
            f"{len(episodes)} episodes, {over_midnight} of them over midnight; the longest lasted "
            f"{longest['duration_hours']} hours in {names[longest['location_key']]}, from "
            f"{longest['start_ts_utc']:%Y-%m-%d %H:%M} UTC, peak {longest['peak_aqi']}."
        )
        causes = Counter(episode["dominant_pollutant"] for episode in episodes).most_common(1)
        lines.append(f"Most episodes are driven by {causes[0][0]} ({causes[0][1]} of {len(episodes)}).")
    return lines


def _share_unhealthy(days: list[dict[str, Any]]) -> int:
    names = ("hours_in_cat_unhealthy", "hours_in_cat_very_unhealthy", "hours_in_cat_hazardous")
    return sum(day[name] for day in days for name in names)
