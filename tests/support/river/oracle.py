"""What the rivers' tables have to hold, in plain Python from what the sources have; shares nothing with the assets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

READINGS, RAINFALL = "bronze.gauge_readings", "bronze.rainfall"
LEVELS, REFUSED = "silver.levels", "silver.levels_refused"
DAILY, FLOODS = "gold.daily_levels", "gold.floods"
DIM_GAUGE, DIM_ALARM = "gold.dim_gauge", "gold.dim_alarm"
DATED = (READINGS, RAINFALL, LEVELS, REFUSED, DAILY, FLOODS)
COLUMNS = {
    READINGS: ("gauge_id", "reading_day", "read_at", "level_m", "flow_m3s"),
    RAINFALL: ("station_id", "fell_on", "bucket", "rain_mm"),
    LEVELS: ("gauge_id", "reading_day", "read_at", "level_m", "flow_m3s"),
    REFUSED: ("gauge_id", "reading_day", "read_at", "level_m", "flow_m3s", "broken_rules"),
    DAILY: ("gauge_id", "reading_day", "level_max_m", "level_mean_m", "hours_read", "rain_mm"),
    FLOODS: (
        "flood_id", "gauge_id", "began_day", "began_at", "last_hour_at", "duration_hours", "peak_m", "alarm_code",
    ),
    DIM_GAUGE: ("gauge_id", "gauge_name", "latitude", "longitude", "timezone"),
    DIM_ALARM: ("alarm_code", "level_m", "min_hours"),
}  # fmt: skip
HOUR = timedelta(hours=1)
Row = dict[str, Any]


def tables(
    levels: Mapping[tuple[str, datetime], tuple[float | None, float | None]],
    rain: Mapping[tuple[str, date], list[float]],
    days: Iterable[date],
    level: float = 4.0,
    min_hours: int = 3,
    now: datetime | None = None,
) -> dict[str, list[Row]]:
    """The rows of every table, of ``days``. now: nothing after it is known."""
    wanted = set(days)
    hours = {at: value for at, value in levels.items() if now is None or at[1] <= now}
    readings = [
        {"gauge_id": gauge, "reading_day": hour.date(), "read_at": hour, "level_m": height, "flow_m3s": flow}
        for (gauge, hour), (height, flow) in sorted(hours.items())
        if hour.date() in wanted
    ]
    rainfall = [
        {"station_id": gauge, "fell_on": day, "bucket": number, "rain_mm": rain_mm}
        for (gauge, day), buckets in sorted(rain.items())
        if day in wanted and (now is None or day <= now.date())
        for number, rain_mm in enumerate(buckets, 1)
    ]
    refused = [row | {"broken_rules": [rule]} for row in readings if (rule := _rule(row["level_m"]))]
    clean = [row for row in readings if not _rule(row["level_m"])]
    return {
        READINGS: readings,
        RAINFALL: rainfall,
        LEVELS: clean,
        REFUSED: refused,
        DAILY: _daily(clean, rainfall),
        FLOODS: _floods(clean, level, min_hours),
        DIM_GAUGE: [
            _gauge("alder", "Alder Bridge", 49.10, 14.20),
            _gauge("birch", "Birch Mill", 49.35, 14.55),
            _gauge("willow", "Willow Weir", 49.80, 14.90),
        ],
        DIM_ALARM: [{"alarm_code": f"level>={level:g}m_{min_hours}h", "level_m": level, "min_hours": min_hours}],
    }


def _rule(height: float | None) -> str:
    if height is None:
        return ""
    return "negative" if height < 0 else "implausible" if height > 20 else ""


def _daily(clean: list[Row], rainfall: list[Row]) -> list[Row]:
    found = []
    for gauge, day in sorted({(row["gauge_id"], row["reading_day"]) for row in clean}):
        of_day = [row["level_m"] for row in clean if (row["gauge_id"], row["reading_day"]) == (gauge, day)]
        known = [height for height in of_day if height is not None]
        fell = [row["rain_mm"] for row in rainfall if (row["station_id"], row["fell_on"]) == (gauge, day)]
        found.append(
            {
                "gauge_id": gauge,
                "reading_day": day,
                "level_max_m": max(known, default=None),
                "level_mean_m": sum(known) / len(known) if known else None,
                "hours_read": len(known),
                "rain_mm": float(sum(fell)),
            }
        )
    return found


def _floods(clean: list[Row], level: float, min_hours: int) -> list[Row]:
    high = {
        (row["gauge_id"], row["read_at"]): row["level_m"]
        for row in clean
        if row["level_m"] is not None and row["level_m"] >= level
    }
    found = []
    for gauge, hour in sorted(high):
        if (gauge, hour - HOUR) in high:
            continue
        run = []
        at = hour
        while (gauge, at) in high:
            run.append(high[gauge, at])
            at += HOUR
        if len(run) >= min_hours:
            found.append(
                {
                    "flood_id": f"{gauge}|{hour:%Y-%m-%dT%H}Z",
                    "gauge_id": gauge,
                    "began_day": hour.date(),
                    "began_at": hour,
                    "last_hour_at": at - HOUR,
                    "duration_hours": len(run),
                    "peak_m": max(run),
                    "alarm_code": f"level>={level:g}m_{min_hours}h",
                }
            )
    return found


def _gauge(key: str, name: str, latitude: float, longitude: float) -> Row:
    return {
        "gauge_id": key,
        "gauge_name": name,
        "latitude": latitude,
        "longitude": longitude,
        "timezone": "Europe/Prague",
    }
