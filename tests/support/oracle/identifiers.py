"""Identifiers of rows, and the keys of the calendar's tables."""

import uuid
from datetime import UTC, date, datetime

from tests.support.oracle.names import CITY_DAILY, EPISODE, FACT_HOURLY


def table_namespace(asset_key: str) -> uuid.UUID:
    """The namespace of a table's identifiers: UUIDv5 of the lakehouse's namespace and the asset key."""
    lakehouse = uuid.uuid5(uuid.NAMESPACE_DNS, "air-quality-lakehouse")
    return uuid.uuid5(lakehouse, asset_key)


def _instant(ts_utc: datetime) -> str:
    return ts_utc.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def record_id(location_key: str, ts_utc: datetime) -> str:
    """Identifier of a row of gold.fact_air_quality_hourly."""
    return str(uuid.uuid5(table_namespace(FACT_HOURLY), f"{location_key}|{_instant(ts_utc)}"))


def daily_record_id(location_key: str, date_utc: date) -> str:
    """Identifier of a row of gold.fact_city_daily."""
    return str(uuid.uuid5(table_namespace(CITY_DAILY), f"{location_key}|{date_utc:%Y-%m-%d}"))


def episode_id(location_key: str, start_ts_utc: datetime, rule_code: str) -> str:
    """Identifier of a row of gold.fact_episode."""
    return str(uuid.uuid5(table_namespace(EPISODE), f"{location_key}|{_instant(start_ts_utc)}|{rule_code}"))


def date_key(day: date) -> int:
    """2024-02-29 -> 20240229"""
    return day.year * 10_000 + day.month * 100 + day.day


def time_key(hour: int) -> int:
    """0 -> 0, 1 -> 100, 23 -> 2300"""
    return hour * 100
