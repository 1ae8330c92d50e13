"""The oracle: every table of DATA_MODEL, made again in plain Python from bronze rows.

It exists so that tests can compare what Spark wrote with what the specification says. It is written from
DATA_MODEL alone and must not know the project's code: nothing of the project is imported here. It prefers
loops over hours that are plainly right to anything fast.

A row is a dict keyed by column, a table is a list of rows, sorted by its key. Timestamps are aware datetimes
in UTC, dates are dates, INT columns hold int or None, DOUBLE columns float or None (a float may be NaN or
infinite). `_ingested_at` is left out everywhere: it depends on the run.
"""

import math
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from numbers import Integral
from types import MappingProxyType
from typing import Any

Row = dict[str, Any]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

BRONZE = "bronze.open_meteo_hourly"
SILVER = "silver.air_quality_hourly_clean"
QUARANTINE = "silver.air_quality_hourly_quarantine"
DIM_DATE = "gold.dim_date"
DIM_TIME = "gold.dim_time"
DIM_LOCATION = "gold.dim_location"
DIM_POLLUTANT = "gold.dim_pollutant"
FACT_HOURLY = "gold.fact_air_quality_hourly"
CITY_DAILY = "gold.fact_city_daily"
EPISODE = "gold.fact_episode"

API_TO_COLUMN: Mapping[str, str] = MappingProxyType(
    {
        "us_aqi": "aqi",
        "us_aqi_pm2_5": "aqi_pm25",
        "us_aqi_pm10": "aqi_pm10",
        "us_aqi_nitrogen_dioxide": "aqi_no2",
        "us_aqi_ozone": "aqi_o3",
        "us_aqi_sulphur_dioxide": "aqi_so2",
        "us_aqi_carbon_monoxide": "aqi_co",
        "pm2_5": "pm25",
        "pm10": "pm10",
        "ozone": "o3",
        "nitrogen_dioxide": "no2",
        "sulphur_dioxide": "so2",
        "carbon_monoxide": "co",
        "aerosol_optical_depth": "aod",
        "dust": "dust",
        "uv_index": "uv_index",
        "carbon_dioxide": "co2",
    }
)
INDEXES = ("aqi", "aqi_pm25", "aqi_pm10", "aqi_no2", "aqi_o3", "aqi_so2", "aqi_co")
CONCENTRATIONS = ("pm25", "pm10", "o3", "no2", "so2", "co", "aod", "dust", "uv_index", "co2")
TIE_ORDER = ("pm25", "pm10", "o3", "no2", "so2", "co")

_SILVER_BASE = ("location_key", "ts_utc", "date_utc", "latitude", "longitude", *INDEXES, *CONCENTRATIONS)
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        BRONZE: (*_SILVER_BASE, "model_domain", "request_timezone"),
        SILVER: (*_SILVER_BASE, "date_key", "time_key"),
        QUARANTINE: (*_SILVER_BASE, "model_domain", "request_timezone", "broken_rules"),
        DIM_DATE: (
            "date_key",
            "date_value",
            "day_of_month",
            "day_of_week",
            "week_of_year",
            "month",
            "month_name",
            "quarter",
            "year",
            "is_weekend",
        ),
        DIM_TIME: ("time_key", "time_value", "hour", "work_shift"),
        DIM_LOCATION: ("location_key", "location_name", "latitude", "longitude", "timezone"),
        DIM_POLLUTANT: ("pollutant_code", "display_name", "unit_default", "aqi_timespan"),
        FACT_HOURLY: (
            "record_id",
            *_SILVER_BASE,
            "date_key",
            "time_key",
            "dominant_pollutant",
            "data_completeness",
        ),
        CITY_DAILY: (
            "daily_record_id",
            "location_key",
            "date_utc",
            "date_key",
            "aqi_daily_max",
            "dominant_pollutant_daily",
            "hours_in_cat_good",
            "hours_in_cat_moderate",
            "hours_in_cat_usg",
            "hours_in_cat_unhealthy",
            "hours_in_cat_very_unhealthy",
            "hours_in_cat_hazardous",
            "hours_measured",
            "data_completeness",
        ),
        EPISODE: (
            "episode_id",
            "location_key",
            "start_ts_utc",
            "end_ts_utc",
            "start_date_utc",
            "duration_hours",
            "peak_aqi",
            "hours_flagged",
            "dominant_pollutant",
            "rule_code",
        ),
    }
)

RULES = ("key", "negative", "not_finite", "implausible")

# Column -> (least, greatest) plausible value, both still plausible; None: no such bound.
DEFAULT_LIMITS: Mapping[str, tuple[float | None, float | None]] = MappingProxyType(
    {
        "pm25": (None, 5_000.0),
        "pm10": (None, 20_000.0),
        "dust": (None, 20_000.0),
        "o3": (None, 2_000.0),
        "no2": (None, 5_000.0),
        "so2": (None, 10_000.0),
        "co": (None, 200_000.0),
        "aod": (None, 20.0),
        "uv_index": (None, 25.0),
        "co2": (250.0, 2_000.0),
    }
)

# English names spelled out: calendar.month_name follows the machine's locale.
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


# --- identifiers ----------------------------------------------------------------------------------


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


# --- bronze ---------------------------------------------------------------------------------------


def from_api_answer(
    json_obj: Mapping[str, Any],
    location_key: str,
    latitude: float,
    longitude: float,
    *,
    model_domain: str = "cams_global",
    request_timezone: str = "UTC",
    now: datetime | None = None,
) -> list[Row]:
    """Bronze rows of one place's answer of the API (the parsed JSON object).

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
        clean = {column: row[column] for column in _SILVER_BASE}
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


# --- facts ----------------------------------------------------------------------------------------


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


def fact_hourly(silver_rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """gold.fact_air_quality_hourly of silver rows."""
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
        fact["data_completeness"] = 100.0 * present / 10
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
                    out.append(_episode(location_key, run, rule_code(threshold, min_hours)))
                run = []
            ts += HOUR
    return out


def _episode(location_key: str, run: list[Mapping[str, Any]], code: str) -> Row:
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
    }


# --- dimensions -----------------------------------------------------------------------------------


def dim_date(first: date = date(2022, 1, 1), last: date = date(2030, 12, 31)) -> list[Row]:
    """gold.dim_date from first to last, both included."""
    out = []
    day = first
    while day <= last:
        out.append(
            {
                "date_key": date_key(day),
                "date_value": day,
                "day_of_month": day.day,
                "day_of_week": day.isoweekday(),
                "week_of_year": day.isocalendar().week,
                "month": day.month,
                "month_name": _MONTHS[day.month - 1],
                "quarter": (day.month - 1) // 3 + 1,
                "year": day.year,
                "is_weekend": day.isoweekday() in (6, 7),
            }
        )
        day += DAY
    return out


def dim_time() -> list[Row]:
    """gold.dim_time: 24 hours."""
    out = []
    for hour in range(24):
        if hour <= 5:
            shift = "night"
        elif hour <= 11:
            shift = "morning"
        elif hour <= 17:
            shift = "afternoon"
        else:
            shift = "evening"
        out.append({"time_key": time_key(hour), "time_value": f"{hour:02d}:00", "hour": hour, "work_shift": shift})
    return out


def dim_location() -> list[Row]:
    """gold.dim_location as DATA_MODEL configures it, sorted by its key."""
    zone = "Asia/Ho_Chi_Minh"
    rows = [
        ("danang", "Đà Nẵng", 16.0544, 108.2022, zone),
        ("hanoi", "Hà Nội", 21.0278, 105.8342, zone),
        ("hcmc", "TP.HCM", 10.8231, 106.6297, zone),
    ]
    return [dict(zip(COLUMNS[DIM_LOCATION], row, strict=True)) for row in rows]


def dim_pollutant() -> list[Row]:
    """gold.dim_pollutant as DATA_MODEL configures it, in the specification's order; µ is U+00B5."""
    unit = "\u00b5g/m³"
    rows: list[tuple[str, str, str, str | None]] = [
        ("pm25", "PM2.5", unit, "24h"),
        ("pm10", "PM10", unit, "24h"),
        ("o3", "Ozone (O₃)", unit, "8h"),
        ("no2", "Nitrogen Dioxide (NO₂)", unit, "1h"),
        ("so2", "Sulphur Dioxide (SO₂)", unit, "1h"),
        ("co", "Carbon Monoxide (CO)", unit, "8h"),
        ("aod", "Aerosol Optical Depth", "index", None),
        ("dust", "Dust", unit, None),
        ("uv_index", "UV Index", "index", None),
        ("co2", "Carbon Dioxide (CO₂)", "ppm", None),
    ]
    return [dict(zip(COLUMNS[DIM_POLLUTANT], row, strict=True)) for row in rows]


# --- comparing ------------------------------------------------------------------------------------


def canonical(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> list[tuple[str, ...]]:
    """Rows as sorted tuples of texts, so that tables compare with ==: NaN equals NaN, order does not count.

    Types count (1 and 1.0 differ, as INT and DOUBLE do). Instants are compared in UTC; a naive datetime is
    refused, for its zone would be a guess.

    Raises:
        ValueError: a datetime is naive.
    """
    names = tuple(columns)
    return sorted(tuple(_canonical_value(row[name]) for name in names) for row in rows)


def _canonical_value(value: Any) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"a timestamp must be aware (got {value!r})")
        return value.astimezone(UTC).isoformat()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_canonical_value(item) for item in value) + "]"
    if isinstance(value, bool):
        return repr(value)
    if isinstance(value, float):  # numpy's too, whose own repr names the type
        return repr(float(value))
    if isinstance(value, Integral):
        return repr(int(value))
    return repr(value)
