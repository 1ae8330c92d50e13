"""The facts: hours, days of a city, episodes."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.oracle.bronze_and_silver import quarantine, silver
from tests.support.oracle.identifiers import daily_record_id, date_key, episode_id, record_id
from tests.support.oracle.names import (
    BRONZE,
    CITY_DAILY,
    COLUMNS,
    CONCENTRATIONS,
    DAY,
    EPISODE,
    FACT_HOURLY,
    HOUR,
    QUARANTINE,
    SILVER,
    TIE_ORDER,
    TIMEZONES,
    Row,
)


def dominant_pollutant(row: Mapping[str, Any]) -> str | None:
    """Pollutant of the greatest non-null aqi_*; a tie goes to the first of TIE_ORDER; None if all null."""
    best: str | None = None
    for pollutant in TIE_ORDER:
        value = row[f"aqi_{pollutant}"]
        if value is None:
            continue
        if best is None or value > row[f"aqi_{best}"]:
            best = pollutant
    return best


def fact_hourly(silver_rows: Iterable[Mapping[str, Any]], timezones: Mapping[str, str] = TIMEZONES) -> list[Row]:
    """gold.fact_air_quality_hourly of silver rows; timezones: by location, whose local time is None without one."""
    out = []
    for row in silver_rows:
        present = 0
        for column in CONCENTRATIONS:
            if row[column] is not None:
                present += 1
        fact: Row = {"record_id": record_id(row["location_key"], row["ts_utc"])}
        for column in COLUMNS[SILVER]:
            fact[column] = row[column]
        fact["dominant_pollutant"] = dominant_pollutant(row)
        fact["data_completeness"] = 100.0 * present / len(CONCENTRATIONS)
        fact["concentrations_measured"] = present
        zone = timezones.get(row["location_key"])
        local = None if zone is None else row["ts_utc"].astimezone(ZoneInfo(zone))
        fact["ts_local"] = None if local is None else local.isoformat(timespec="seconds")
        fact["date_local"] = None if local is None else local.date()
        fact["hour_local"] = None if local is None else local.hour
        out.append(fact)
    return sorted(out, key=lambda row: (row["location_key"], row["ts_utc"]))


def category(aqi: int) -> str:
    """50 -> good, 51 -> moderate, 101 -> usg, 151 -> unhealthy, 201 -> very_unhealthy, 301 -> hazardous"""
    if aqi <= 50:
        return "good"
    if aqi <= 100:
        return "moderate"
    if aqi <= 150:
        return "usg"
    if aqi <= 200:
        return "unhealthy"
    if aqi <= 300:
        return "very_unhealthy"
    return "hazardous"


def city_daily(hourly: Iterable[Mapping[str, Any]]) -> list[Row]:
    """gold.fact_city_daily of hourly rows (fact_hourly's): a row for each location's day that has an hour.

    A day whose hours all lack an aqi has a row: aqi_daily_max and dominant_pollutant_daily None, counts 0.
    """
    days: dict[tuple[str, date], list[Mapping[str, Any]]] = {}
    for row in hourly:
        days.setdefault((row["location_key"], row["date_utc"]), []).append(row)

    out = []
    for location_key, day in sorted(days):
        counts = {
            "good": 0,
            "moderate": 0,
            "usg": 0,
            "unhealthy": 0,
            "very_unhealthy": 0,
            "hazardous": 0,
        }
        measured = 0
        peak: int | None = None
        dominant: str | None = None
        for row in sorted(days[location_key, day], key=lambda row: row["ts_utc"]):
            aqi = row["aqi"]
            if aqi is None:
                continue
            measured += 1
            counts[category(aqi)] += 1
            if peak is None or aqi > peak:
                peak = aqi
                dominant = dominant_pollutant(row)
        out.append(
            {
                "daily_record_id": daily_record_id(location_key, day),
                "location_key": location_key,
                "date_utc": day,
                "date_key": date_key(day),
                "aqi_daily_max": peak,
                "dominant_pollutant_daily": dominant,
                **{f"hours_in_cat_{name}": count for name, count in counts.items()},
                "hours_measured": measured,
                "data_completeness": 100.0 * measured / 24,
                "has_last_hour": any(row["ts_utc"].astimezone(UTC).hour == 23 for row in days[location_key, day]),
            }
        )
    return out


def rule_code(threshold: int = 151, min_hours: int = 4) -> str:
    """(151, 4) -> "AQI>=151_4h" """
    return f"AQI>={threshold}_{min_hours}h"


def episodes(hourly: Iterable[Mapping[str, Any]], threshold: int = 151, min_hours: int = 4) -> list[Row]:
    """gold.fact_episode of hourly rows: runs of adjacent hours with aqi >= threshold of at least min_hours.

    Walks every hour from a location's first to one past its last: a missing hour is met like a null one.
    """
    locations: dict[str, dict[datetime, Mapping[str, Any]]] = {}
    for row in hourly:
        locations.setdefault(row["location_key"], {})[row["ts_utc"].astimezone(UTC)] = row

    out: list[Row] = []
    for location_key in sorted(locations):
        hours = locations[location_key]
        run: list[Mapping[str, Any]] = []
        ts = min(hours)
        while ts <= max(hours) + HOUR:
            row_or_none = hours.get(ts)
            aqi = None if row_or_none is None else row_or_none["aqi"]
            if row_or_none is not None and aqi is not None and aqi >= threshold:
                run.append(row_or_none)
            else:
                if run and len(run) >= min_hours:
                    out.append(_episode(location_key, run, hours, rule_code(threshold, min_hours)))
                run = []
            ts += HOUR
    return out


def _episode(
    location_key: str, run: list[Mapping[str, Any]], hours: Mapping[datetime, Mapping[str, Any]], code: str
) -> Row:
    """hours: all rows of the location. Open: from the hour after the run to midnight there is no row."""
    after = run[-1]["ts_utc"].astimezone(UTC) + HOUR
    midnight = datetime(after.year, after.month, after.day, tzinfo=UTC) + DAY
    is_open, ts = True, after
    while ts < midnight:
        if ts in hours:
            is_open = False
        ts += HOUR
    peak = run[0]
    for row in run:
        if row["aqi"] > peak["aqi"]:
            peak = row
    start = run[0]["ts_utc"].astimezone(UTC)
    return {
        "episode_id": episode_id(location_key, start, code),
        "location_key": location_key,
        "start_ts_utc": start,
        "end_ts_utc": run[-1]["ts_utc"].astimezone(UTC),
        "start_date_utc": start.date(),
        "duration_hours": len(run),
        "peak_aqi": peak["aqi"],
        "hours_flagged": len(run),
        "dominant_pollutant": dominant_pollutant(peak),
        "rule_code": code,
        "end_exclusive_ts_utc": after,
        "is_open": is_open,
    }


def dated_tables(bronze: list[Row], timezones: Mapping[str, str] = TIMEZONES) -> dict[str, list[Row]]:
    """Every dated table of bronze rows, by its name. timezones: as of ``fact_hourly``."""
    clean = silver(bronze)
    hourly = fact_hourly(clean, timezones)
    return {
        BRONZE: bronze,
        SILVER: clean,
        QUARANTINE: quarantine(bronze),
        FACT_HOURLY: hourly,
        CITY_DAILY: city_daily(hourly),
        EPISODE: episodes(hourly),
    }
