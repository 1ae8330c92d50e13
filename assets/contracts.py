"""The contract of every table, declared once as pandera models: columns, types, nullability, rules, units, meaning.

Delta's schema, NOT NULL and comments, the compiled row rules and docs/TABLES.md all come from here. A contract is found
by its class: each class of this module is one, but for those whose name begins with ``_``. Limits are configuration, so
the one with row rules is made for given limits.

``of`` is what a column is made of: columns of the upstream asset, or of the source; those that choose its value, where
that is a constant; none. A run fails where that is not so; where nothing is said, nothing is looked for. Importing this
module imports pandera and pandas: whoever must answer at once uses the kept form (``engine.contracts``) instead.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandera.pyspark as pa
import pyspark.sql.types as T
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from assets.parameters import Bounds
from assets.variables import CONCENTRATIONS, INDEXES, MEASURED, SUB_INDEXES, US_AQI, VARIABLES, Variable
from orchestration.core.declarations.contract import models_among

NOT_FINITE = [float("nan"), float("inf"), float("-inf")]


Of = Sequence[str] | None


def _said(of: Of, unit: str = "") -> dict[str, Any]:
    """The metadata of a column: its unit, and ``of``, the columns from which it is made."""
    return {"unit": unit} if of is None else {"unit": unit, "from": [*of]}


def _text(description: str, *, of: Of = None, nullable: bool = False) -> Any:
    return pa.Field(nullable=nullable, description=description, metadata=_said(of))


def _number(description: str, unit: str = "", *, of: Of = None, nullable: bool = False) -> Any:
    return pa.Field(nullable=nullable, description=description, metadata=_said(of, unit))


def _instant(description: str, *, of: Of = None, nullable: bool = False) -> Any:
    return pa.Field(nullable=nullable, description=description, metadata=_said(of, "UTC"))


def _ingested(of: Of) -> Any:
    return pa.Field(
        alias="_ingested_at",
        nullable=False,
        description="When the answer was taken in; in no fingerprint",
        metadata=_said(of, "UTC"),
    )


SENT: Mapping[str, str] = {
    **{column: name for name, column in VARIABLES.items()},
    "ts_utc": "time",
    "date_utc": "time",
    "latitude": "location_key",
    "longitude": "location_key",
}
"""What the provider sends for a column of bronze, where that is called otherwise or is another."""
RULED = ("location_key", "ts_utc", "date_utc", *(one.column for one in (*INDEXES, *MEASURED)))
"""The columns of which row rules speak."""
AT_PEAK = ("dominant_pollutant", "aqi", "ts_utc")
"""Of the hour with the highest index, the earliest: what it is, and what it is found by."""


class _HourlyValues:
    """Makes the columns that bronze, silver and the hourly fact have in common. With ``limits`` also their row rules.

    made_of: column → the column from which it is made, where that one has another name.
    """

    def __init__(self, limits: Mapping[str, Bounds] | None = None, made_of: Mapping[str, str] | None = None) -> None:
        self.limits = limits
        self._made_of = made_of or {}

    def made_of(self, column: str) -> str:
        return self._made_of.get(column, column)

    def field(self, variable: Variable) -> Any:
        """The column of a variable, with its rules: an index is not negative; a measured value is not negative, and
        plausible."""
        rules: dict[str, Any] = {}
        if self.limits is not None:
            rules["ge"] = 0
        if self.limits is not None and variable in MEASURED:
            bounds = self.limits.get(variable.column, Bounds())
            low, high = bounds.low, bounds.high
            rules["notin"] = NOT_FINITE
            if low is not None:
                rules["in_range"] = {"min_value": low, "max_value": float("inf") if high is None else high}
            elif high is not None:
                rules["le"] = high
        metadata = {"unit": variable.unit, "from": [self.made_of(variable.column)]}
        return pa.Field(nullable=True, description=variable.description, metadata=metadata, **rules)

    def model(self, columns_before: Any = pa.DataFrameModel) -> Any:
        columns = {
            "location_key": (
                T.StringType,
                _text("The location, a key of gold.dim_location", of=[self.made_of("location_key")]),
            ),
            "ts_utc": (T.TimestampType, _instant("Start of the hour", of=[self.made_of("ts_utc")])),
            "date_utc": (T.DateType, _text("UTC day of ts_utc", of=[self.made_of("date_utc")])),
            "latitude": (
                T.DoubleType,
                _number("Latitude of the location as configured", "°", of=[self.made_of("latitude")]),
            ),
            "longitude": (
                T.DoubleType,
                _number("Longitude of the location as configured", "°", of=[self.made_of("longitude")]),
            ),
            **{one.column: (T.IntegerType, self.field(one)) for one in INDEXES},
            **{one.column: (T.DoubleType, self.field(one)) for one in MEASURED},
        }
        said = {
            "__module__": __name__,
            "__annotations__": {name: kind for name, (kind, _) in columns.items()},
            **{name: field for name, (_, field) in columns.items()},
        }
        return type("_HourlyValues", (columns_before,), said)


def models(limits: Mapping[str, Bounds]) -> dict[str, Any]:
    """A pandera model for each contract name: every class of this module, and the one whose row rules follow from
    ``limits``."""
    return models_among([*globals().values(), _clean(limits)])


class OpenMeteoHourly(_HourlyValues(made_of=SENT).model()):
    """What the provider sent, unchanged: an hour of one location a row."""

    model_domain: T.StringType = _text("Model that the provider was asked for", of=[])
    request_timezone: T.StringType = _text("Time zone that was asked for", of=[])
    ingested_at: T.TimestampType = _ingested([])

    class Config:
        unique = ["location_key", "ts_utc"]


def _clean(limits: Mapping[str, Bounds]) -> Any:
    """The contract of silver, with the row rules that follow from ``limits``."""

    class AirQualityHourlyClean(_HourlyValues(limits).model()):
        """Hours that break no row rule."""

        @pa.dataframe_check
        def on_the_hour(cls, rows: DataFrame) -> bool:
            return bool(rows.where(F.date_trunc("hour", "ts_utc") != F.col("ts_utc")).isEmpty())

        @pa.dataframe_check
        def on_its_day(cls, rows: DataFrame) -> bool:
            return bool(rows.where(F.to_date("ts_utc") != F.col("date_utc")).isEmpty())

        date_key: T.IntegerType = _number("UTC day as YYYYMMDD, a key of gold.dim_date", of=["date_utc"])
        time_key: T.IntegerType = _number("UTC hour as HH00, a key of gold.dim_time", of=["ts_utc"])
        ingested_at: T.TimestampType = _ingested(["_ingested_at"])

        class Config:
            unique = ["location_key", "ts_utc"]
            metadata = {
                "key": ["location_key", "ts_utc", "date_utc"],
                "on_the_hour": ["ts_utc"],
                "on_its_day": ["ts_utc", "date_utc"],
            }

    return AirQualityHourlyClean


class AirQualityHourlyQuarantine(_HourlyValues().model()):
    """Hours that break a row rule, whole, with the names of all rules that they broke."""

    model_domain: T.StringType = _text("Model that the provider was asked for", of=["model_domain"])
    request_timezone: T.StringType = _text("Time zone that was asked for", of=["request_timezone"])
    ingested_at: T.TimestampType = _ingested(["_ingested_at"])
    broken_rules: T.ArrayType(T.StringType()) = _text("Names of the broken row rules", of=RULED)

    class Config:
        unique = ["location_key", "ts_utc"]


class DimDate(pa.DataFrameModel):
    """A calendar, of whichever clock: date_key of a fact is a UTC day, its date_local a local one."""

    date_key: T.IntegerType = _number("Day as YYYYMMDD")
    date_value: T.DateType = _text("The day")
    day_of_month: T.IntegerType = _number("1 to 31")
    day_of_week: T.IntegerType = _number("Monday 1 to Sunday 7")
    week_of_year: T.IntegerType = _number("ISO 8601 week, 1 to 53")
    month: T.IntegerType = _number("1 to 12")
    month_name: T.StringType = _text("January to December")
    quarter: T.IntegerType = _number("1 to 4")
    year: T.IntegerType = _number("Calendar year")
    is_weekend: T.BooleanType = _text("Saturday or Sunday")

    class Config:
        unique = ["date_key"]


class DimTime(pa.DataFrameModel):
    """The hours of a day, of whichever clock: time_key of a fact is a UTC hour, its hour_local a local one."""

    time_key: T.IntegerType = _number("Hour as HH00: 0, 100, … 2300")
    time_value: T.StringType = _text("Hour as HH:00")
    hour: T.IntegerType = _number("0 to 23", "h")
    work_shift: T.StringType = _text(
        "Of the clock that it was joined by, so join hour = hour_local: night 0–5, morning 6–11, afternoon 12–17, "
        "evening 18–23"
    )

    class Config:
        unique = ["time_key"]


class DimLocation(pa.DataFrameModel):
    """The configured locations."""

    location_key: T.StringType = _text("Key of the location")
    location_name: T.StringType = _text("Name of the location")
    latitude: T.DoubleType = _number("Latitude as configured", "°")
    longitude: T.DoubleType = _number("Longitude as configured", "°")
    timezone: T.StringType = _text("IANA name of the local time")

    class Config:
        unique = ["location_key"]


class DimPollutant(pa.DataFrameModel):
    """The measured quantities."""

    pollutant_code: T.StringType = _text("Name of its column")
    display_name: T.StringType = _text("Name for people")
    unit_default: T.StringType = _text("Unit of its column")
    aqi_timespan: T.StringType = _text("Averaging time of its US AQI; null where it has none", nullable=True)

    class Config:
        unique = ["pollutant_code"]


class _WithRecordId(pa.DataFrameModel):
    record_id: T.StringType = _text("UUIDv5 of location_key|ts_utc", of=["location_key", "ts_utc"])


class FactAirQualityHourly(_HourlyValues().model(columns_before=_WithRecordId)):
    """Every clean hour with its id, its dominant pollutant, its completeness and its local time."""

    date_key: T.IntegerType = _number("UTC day as YYYYMMDD, a key of gold.dim_date", of=["date_key"])
    time_key: T.IntegerType = _number("UTC hour as HH00, a key of gold.dim_time", of=["time_key"])
    dominant_pollutant: T.StringType = _text("Pollutant of the highest index", of=SUB_INDEXES, nullable=True)
    data_completeness: T.DoubleType = _number(
        "Of this hour: 100 × concentrations_measured / 10 (of a day it means something else)", "%", of=CONCENTRATIONS
    )
    concentrations_measured: T.IntegerType = _number(
        "How many of the ten concentrations are not null", of=CONCENTRATIONS, nullable=True
    )
    ts_local: T.StringType = _text(
        "ts_utc in local time, with its offset: 2025-08-08T13:00:00+07:00", of=["ts_utc"], nullable=True
    )
    date_local: T.DateType = _text("Local day, a key of gold.dim_date (date_value)", of=["ts_utc"], nullable=True)
    hour_local: T.IntegerType = _number(
        "Local hour, 0 to 23, a key of gold.dim_time (hour)", "h", of=["ts_utc"], nullable=True
    )

    class Config:
        unique = ["location_key", "ts_utc"]


class FactCityDaily(pa.DataFrameModel):
    """A day of one location: the worst hour, the hours per category, the completeness."""

    daily_record_id: T.StringType = _text("UUIDv5 of location_key|date_utc", of=["location_key", "date_utc"])
    location_key: T.StringType = _text("The location, a key of gold.dim_location", of=["location_key"])
    date_utc: T.DateType = _text("The UTC day", of=["date_utc"])
    date_key: T.IntegerType = _number("UTC day as YYYYMMDD, a key of gold.dim_date", of=["date_key"])
    aqi_daily_max: T.IntegerType = _number("Highest hourly index", US_AQI, of=["aqi"], nullable=True)
    dominant_pollutant_daily: T.StringType = _text(
        "dominant_pollutant of the earliest hour that reaches aqi_daily_max", of=AT_PEAK, nullable=True
    )
    hours_in_cat_good: T.LongType = _number("Hours with an index of 0–50", "h", of=["aqi"])
    hours_in_cat_moderate: T.LongType = _number("Hours with an index of 51–100", "h", of=["aqi"])
    hours_in_cat_usg: T.LongType = _number("Hours with an index of 101–150", "h", of=["aqi"])
    hours_in_cat_unhealthy: T.LongType = _number("Hours with an index of 151–200", "h", of=["aqi"])
    hours_in_cat_very_unhealthy: T.LongType = _number("Hours with an index of 201–300", "h", of=["aqi"])
    hours_in_cat_hazardous: T.LongType = _number("Hours with an index of 301 and more", "h", of=["aqi"])
    hours_measured: T.LongType = _number("Hours with an index", "h", of=["aqi"])
    data_completeness: T.DoubleType = _number(
        "Of this day: 100 × hours_measured / 24 (of an hour it means something else)", "%", of=["aqi"]
    )
    has_last_hour: T.BooleanType = _text(
        "Whether the hour of 23:00 UTC has a row; false: the day is open, its figures may change",
        of=["ts_utc"],
        nullable=True,
    )

    class Config:
        unique = ["location_key", "date_utc"]


class FactEpisode(pa.DataFrameModel):
    """A run of adjacent hours at or above the rule's threshold, whole, on the day on which it starts."""

    episode_id: T.StringType = _text("UUIDv5 of location_key|start_ts_utc|rule_code", of=["location_key", "ts_utc"])
    location_key: T.StringType = _text("The location, a key of gold.dim_location", of=["location_key"])
    start_ts_utc: T.TimestampType = _instant("Start of the first hour", of=["ts_utc"])
    end_ts_utc: T.TimestampType = _instant("Start of the last hour", of=["ts_utc"])
    start_date_utc: T.DateType = _text("UTC day of start_ts_utc", of=["ts_utc"])
    duration_hours: T.LongType = _number("Length of the run", "h", of=[])
    peak_aqi: T.IntegerType = _number("Highest hourly index", US_AQI, of=["aqi"])
    hours_flagged: T.LongType = _number("Hours at or above the threshold", "h", of=[])
    dominant_pollutant: T.StringType = _text(
        "dominant_pollutant of the earliest hour that reaches peak_aqi", of=AT_PEAK, nullable=True
    )
    rule_code: T.StringType = _text("The rule, for instance AQI>=151_4h", of=[])
    end_exclusive_ts_utc: T.TimestampType = _instant(
        "End of the last hour: end_ts_utc and an hour", of=["ts_utc"], nullable=True
    )
    is_open: T.BooleanType = _text(
        "Whether the episode may go on: no row of its location follows end_ts_utc, up to the end of the UTC day of the "
        "hour after it",
        of=["ts_utc"],
        nullable=True,
    )

    class Config:
        unique = ["location_key", "start_ts_utc", "rule_code"]
