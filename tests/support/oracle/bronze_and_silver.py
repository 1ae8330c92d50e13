"""Bronze rows of an answer of the API; what of them is clean, and what is quarantined."""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.support.oracle.identifiers import date_key, time_key
from tests.support.oracle.names import (
    API_TO_COLUMN,
    BRONZE,
    COLUMNS,
    CONCENTRATIONS,
    DEFAULT_LIMITS,
    INDEXES,
    SILVER_BASE,
    Row,
)

# --- bronze ---------------------------------------------------------------------------------------


def from_api_answer(
    json_obj: Mapping[str, Any],
    location_key: str,
    latitude: float,
    longitude: float,
    *,
    model_domain: str = "auto",
    request_timezone: str = "UTC",
    now: datetime | None = None,
) -> list[Row]:
    """Bronze rows of one location's answer of the API (the parsed JSON object).

    Coordinates are those configured, not the answer's. Hours after `now` are forecasts and left out
    (None: keep all). A variable that the answer lacks is null.

    Raises:
        ValueError: an hour comes twice with different values, or an index is not a whole number.
    """
    hourly = json_obj["hourly"]
    rows: dict[datetime, Row] = {}
    for position, text in enumerate(hourly["time"]):
        ts = datetime.fromisoformat(text).replace(tzinfo=UTC)
        if now is not None and ts > now:
            continue
        row: Row = dict.fromkeys(COLUMNS[BRONZE])
        row["location_key"] = location_key
        row["ts_utc"] = ts
        row["date_utc"] = ts.date()
        row["latitude"] = latitude
        row["longitude"] = longitude
        row["model_domain"] = model_domain
        row["request_timezone"] = request_timezone
        for api_name, column in API_TO_COLUMN.items():
            if api_name not in hourly:
                continue
            value = hourly[api_name][position]
            if value is None:
                row[column] = None
            elif column in INDEXES:
                if value != int(value):
                    raise ValueError(f"{api_name} at {text} must be a whole number (got {value!r})")
                row[column] = int(value)
            else:
                row[column] = float(value)
        if ts in rows and rows[ts] != row:
            raise ValueError(f"{location_key}: the hour {text} comes twice with different values")
        rows[ts] = row
    return [rows[ts] for ts in sorted(rows)]


# --- silver ---------------------------------------------------------------------------------------


def broken_rules(
    row: Mapping[str, Any], limits: Mapping[str, tuple[float | None, float | None]] = DEFAULT_LIMITS
) -> list[str]:
    """Names of the row rules that a bronze row breaks, in the order of RULES.

    Comparisons are those of IEEE 754: NaN is neither below nor above anything, so it breaks not_finite alone;
    +inf also exceeds its limit, -inf is also negative. (Spark orders NaN above all: a plain `>` differs.)
    """
    broken = []
    if _breaks_key(row):
        broken.append("key")
    if any(row[column] is not None and row[column] < 0 for column in (*CONCENTRATIONS, *INDEXES)):
        broken.append("negative")
    if any(row[column] is not None and not math.isfinite(row[column]) for column in (*CONCENTRATIONS, *INDEXES)):
        broken.append("not_finite")
    if _breaks_implausible(row, limits):
        broken.append("implausible")
    return broken


def _breaks_key(row: Mapping[str, Any]) -> bool:
    ts, day = row["ts_utc"], row["date_utc"]
    if row["location_key"] is None or ts is None or day is None:
        return True
    if ts.minute != 0 or ts.second != 0 or ts.microsecond != 0:
        return True
    return bool(ts.astimezone(UTC).date() != day)


def _breaks_implausible(row: Mapping[str, Any], limits: Mapping[str, tuple[float | None, float | None]]) -> bool:
    for column, (least, greatest) in limits.items():
        value = row[column]
        if value is None:
            continue
        if least is not None and value < least:
            return True
        if greatest is not None and value > greatest:
            return True
    return False


def silver(
    bronze: Iterable[Mapping[str, Any]],
    limits: Mapping[str, tuple[float | None, float | None]] = DEFAULT_LIMITS,
) -> list[Row]:
    """silver.air_quality_hourly_clean: the bronze rows that break no rule."""
    out = []
    for row in bronze:
        if broken_rules(row, limits):
            continue
        clean = {column: row[column] for column in SILVER_BASE}
        clean["date_key"] = date_key(row["date_utc"])
        clean["time_key"] = time_key(row["ts_utc"].astimezone(UTC).hour)
        out.append(clean)
    return sorted(out, key=lambda row: (row["location_key"], row["ts_utc"]))


def quarantine(
    bronze: Iterable[Mapping[str, Any]],
    limits: Mapping[str, tuple[float | None, float | None]] = DEFAULT_LIMITS,
) -> list[Row]:
    """silver.air_quality_hourly_quarantine: the other bronze rows, whole, plus `broken_rules` (names)."""
    out = []
    for row in bronze:
        broken = broken_rules(row, limits)
        if not broken:
            continue
        kept = {column: row[column] for column in COLUMNS[BRONZE]}
        kept["broken_rules"] = broken
        out.append(kept)
    # Keys may be null here: as texts, a null and a time can be sorted side by side.
    return sorted(out, key=lambda row: (str(row["location_key"]), str(row["ts_utc"])))
