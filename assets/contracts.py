"""The contract of every table, declared once as pandera models: columns, types, nullability, rules, units, meaning.

Delta's schema, NOT NULL and comments, the compiled row rules and docs/TABLES.md all come from here. Limits are
configuration, so the models are made for given limits. Importing this module imports pandera and pandas: whoever must
answer at once uses the kept form (``orchestration.engine.contracts``) instead.
"""

from typing import Any

import pandera.pyspark as pa
import pyspark.sql.types as T
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from orchestration.core.declarations.contract import Column, Contract, RowRule
from orchestration.core.declarations.parameters import Limits
from orchestration.core.errors import DeclarationError

MICROGRAMS = "µg/m³"
US_AQI = "US AQI"
RULE_ORDER = ("key", "negative", "not_finite", "implausible")
KEY_COLUMNS = ("location_key", "ts_utc", "date_utc")


NOT_FINITE = [float("nan"), float("inf"), float("-inf")]


def _text(description: str, *, nullable: bool = False) -> Any:
    return pa.Field(nullable=nullable, description=description)


def _number(description: str, unit: str = "", *, nullable: bool = False) -> Any:
    return pa.Field(nullable=nullable, description=description, metadata={"unit": unit})


def _instant(description: str) -> Any:
    return pa.Field(nullable=False, description=description, metadata={"unit": "UTC"})


def _ingested() -> Any:
    return pa.Field(
        alias="_ingested_at",
        nullable=False,
        description="When the answer was taken in; in no fingerprint",
        metadata={"unit": "UTC"},
    )


class _HourlyValues:
    """Makes the fields that bronze, silver and the hourly fact share; with ``limits`` also their row rules."""

    def __init__(self, limits: Limits | None) -> None:
        self.limits = limits

    def index(self, of: str) -> Any:
        rules: dict[str, Any] = {"ge": 0} if self.limits else {}
        return pa.Field(nullable=True, description=f"Index {of}", metadata={"unit": US_AQI}, **rules)

    def concentration(self, column: str, of: str, unit: str = MICROGRAMS) -> Any:
        rules: dict[str, Any] = {}
        if self.limits:
            low, high = self.limits.of(column)
            rules = {"ge": 0, "notin": NOT_FINITE}
            if low is not None:
                rules["in_range"] = {"min_value": low, "max_value": float("inf") if high is None else high}
            elif high is not None:
                rules["le"] = high
        return pa.Field(nullable=True, description=of, metadata={"unit": unit}, **rules)

    def model(self, columns_before: Any = pa.DataFrameModel) -> Any:
        made = self

        class HourlyValues(columns_before):
            location_key: T.StringType = _text("The place, a key of gold.dim_location")
            ts_utc: T.TimestampType = _instant("Start of the hour")
            date_utc: T.DateType = _text("UTC day of ts_utc")
            latitude: T.DoubleType = _number("Latitude of the place as configured", "°")
            longitude: T.DoubleType = _number("Longitude of the place as configured", "°")
            aqi: T.IntegerType = made.index("of the worst pollutant")
            aqi_pm25: T.IntegerType = made.index("of PM2.5, 24 hours")
            aqi_pm10: T.IntegerType = made.index("of PM10, 24 hours")
            aqi_no2: T.IntegerType = made.index("of nitrogen dioxide, 1 hour")
            aqi_o3: T.IntegerType = made.index("of ozone, 8 hours")
            aqi_so2: T.IntegerType = made.index("of sulphur dioxide, 1 hour")
            aqi_co: T.IntegerType = made.index("of carbon monoxide, 8 hours")
            pm25: T.DoubleType = made.concentration("pm25", "Particles up to 2.5 µm")
            pm10: T.DoubleType = made.concentration("pm10", "Particles up to 10 µm")
            o3: T.DoubleType = made.concentration("o3", "Ozone")
            no2: T.DoubleType = made.concentration("no2", "Nitrogen dioxide")
            so2: T.DoubleType = made.concentration("so2", "Sulphur dioxide")
            co: T.DoubleType = made.concentration("co", "Carbon monoxide")
            aod: T.DoubleType = made.concentration("aod", "Aerosol optical depth at 550 nm", "1")
            dust: T.DoubleType = made.concentration("dust", "Saharan dust")
            uv_index: T.DoubleType = made.concentration("uv_index", "UV index", "1")
            co2: T.DoubleType = made.concentration("co2", "Carbon dioxide", "ppm")

        return HourlyValues


def models(limits: Limits) -> dict[str, Any]:
    """A pandera model per contract name, with the row rules for ``limits``."""
    values = _HourlyValues(None).model()
    ruled_values = _HourlyValues(limits).model()

    class OpenMeteoHourly(values):
        """What the provider sent, unchanged: an hour of one place a row."""

        model_domain: T.StringType = _text("Model that the provider was asked for")
        request_timezone: T.StringType = _text("Time zone that was asked for")
        ingested_at: T.TimestampType = _ingested()

        class Config:
            unique = ["location_key", "ts_utc"]

    class AirQualityHourlyClean(ruled_values):
        """Hours that break no row rule."""

        @pa.dataframe_check
        def on_the_hour(cls, rows: DataFrame) -> bool:
            return bool(rows.where(F.date_trunc("hour", "ts_utc") != F.col("ts_utc")).isEmpty())

        @pa.dataframe_check
        def on_its_day(cls, rows: DataFrame) -> bool:
            return bool(rows.where(F.to_date("ts_utc") != F.col("date_utc")).isEmpty())

        date_key: T.IntegerType = _number("Day as YYYYMMDD, a key of gold.dim_date")
        time_key: T.IntegerType = _number("Hour as HH00, a key of gold.dim_time")
        ingested_at: T.TimestampType = _ingested()

        class Config:
            unique = ["location_key", "ts_utc"]

    class AirQualityHourlyQuarantine(OpenMeteoHourly):
        """Hours that break a row rule, whole, with the names of all rules that they broke."""

        broken_rules: T.ArrayType(T.StringType()) = _text("Names of the broken row rules")

        class Config:
            unique = ["location_key", "ts_utc"]

    class DimDate(pa.DataFrameModel):
        """A calendar."""

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
        """The hours of a day."""

        time_key: T.IntegerType = _number("Hour as HH00: 0, 100, … 2300")
        time_value: T.StringType = _text("Hour as HH:00")
        hour: T.IntegerType = _number("0 to 23", "h")
        work_shift: T.StringType = _text("night 0–5, morning 6–11, afternoon 12–17, evening 18–23")

        class Config:
            unique = ["time_key"]

    class DimLocation(pa.DataFrameModel):
        """The configured places."""

        location_key: T.StringType = _text("Key of the place")
        location_name: T.StringType = _text("Name of the place")
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

    class WithRecordId(pa.DataFrameModel):
        record_id: T.StringType = _text("UUIDv5 of location_key|ts_utc")

    class FactAirQualityHourly(_HourlyValues(None).model(columns_before=WithRecordId)):
        """Every clean hour with its id, its dominant pollutant and its completeness."""

        date_key: T.IntegerType = _number("Day as YYYYMMDD, a key of gold.dim_date")
        time_key: T.IntegerType = _number("Hour as HH00, a key of gold.dim_time")
        dominant_pollutant: T.StringType = _text("Pollutant of the highest index", nullable=True)
        data_completeness: T.DoubleType = _number("Share of the ten concentrations that are not null", "%")

        class Config:
            unique = ["location_key", "ts_utc"]

    class FactCityDaily(pa.DataFrameModel):
        """A day of one place: the worst hour, the hours per category, the completeness."""

        daily_record_id: T.StringType = _text("UUIDv5 of location_key|date_utc")
        location_key: T.StringType = _text("The place, a key of gold.dim_location")
        date_utc: T.DateType = _text("The UTC day")
        date_key: T.IntegerType = _number("Day as YYYYMMDD, a key of gold.dim_date")
        aqi_daily_max: T.IntegerType = _number("Highest hourly index", US_AQI, nullable=True)
        dominant_pollutant_daily: T.StringType = _text(
            "dominant_pollutant of the earliest hour that reaches aqi_daily_max", nullable=True
        )
        hours_in_cat_good: T.LongType = _number("Hours with an index of 0–50", "h")
        hours_in_cat_moderate: T.LongType = _number("Hours with an index of 51–100", "h")
        hours_in_cat_usg: T.LongType = _number("Hours with an index of 101–150", "h")
        hours_in_cat_unhealthy: T.LongType = _number("Hours with an index of 151–200", "h")
        hours_in_cat_very_unhealthy: T.LongType = _number("Hours with an index of 201–300", "h")
        hours_in_cat_hazardous: T.LongType = _number("Hours with an index of 301 and more", "h")
        hours_measured: T.LongType = _number("Hours with an index", "h")
        data_completeness: T.DoubleType = _number("100 × hours_measured / 24", "%")

        class Config:
            unique = ["location_key", "date_utc"]

    class FactEpisode(pa.DataFrameModel):
        """A run of adjacent hours at or above the rule's threshold, whole, on the day on which it starts."""

        episode_id: T.StringType = _text("UUIDv5 of location_key|start_ts_utc|rule_code")
        location_key: T.StringType = _text("The place, a key of gold.dim_location")
        start_ts_utc: T.TimestampType = _instant("Start of the first hour")
        end_ts_utc: T.TimestampType = _instant("Start of the last hour")
        start_date_utc: T.DateType = _text("UTC day of start_ts_utc")
        duration_hours: T.LongType = _number("Length of the run", "h")
        peak_aqi: T.IntegerType = _number("Highest hourly index", US_AQI)
        hours_flagged: T.LongType = _number("Hours at or above the threshold", "h")
        dominant_pollutant: T.StringType = _text(
            "dominant_pollutant of the earliest hour that reaches peak_aqi", nullable=True
        )
        rule_code: T.StringType = _text("The rule, for instance AQI>=151_4h")

        class Config:
            unique = ["location_key", "start_ts_utc", "rule_code"]

    return {
        "OpenMeteoHourly": OpenMeteoHourly,
        "AirQualityHourlyClean": AirQualityHourlyClean,
        "AirQualityHourlyQuarantine": AirQualityHourlyQuarantine,
        "DimDate": DimDate,
        "DimTime": DimTime,
        "DimLocation": DimLocation,
        "DimPollutant": DimPollutant,
        "FactAirQualityHourly": FactAirQualityHourly,
        "FactCityDaily": FactCityDaily,
        "FactEpisode": FactEpisode,
    }


def contract_of(name: str, model: Any) -> Contract:
    """The plain form of a pandera model. Raises DeclarationError for a check that has no compiled form."""
    schema = model.to_schema()
    columns, rules = [], []
    for column_name, column in schema.columns.items():
        columns.append(
            Column(
                name=column_name,
                type=_delta_type(column.dtype.type),
                nullable=column.nullable,
                unit=(column.metadata or {}).get("unit", ""),
                description=column.description,
            )
        )
        for check in column.checks:
            rules += _row_rules(name, column_name, check.name, dict(check.statistics))
    if rules:
        rules = [RowRule("key", "null", key) for key in KEY_COLUMNS] + _table_rules(name, schema) + rules
        rules.sort(key=lambda rule: RULE_ORDER.index(rule.rule))
    return Contract(
        name=name,
        description=(model.__doc__ or "").strip(),
        columns=tuple(columns),
        key=tuple(schema.unique),
        rules=tuple(rules),
    )


def _delta_type(kind: T.DataType) -> str:
    if isinstance(kind, T.ArrayType):
        return f"array<{kind.elementType.typeName()}>"
    return kind.typeName()


def _table_rules(model: str, schema: Any) -> list[RowRule]:
    compiled = {
        "on_the_hour": RowRule("key", "off_hour", "ts_utc"),
        "on_its_day": RowRule("key", "other_day", "ts_utc", other="date_utc"),
    }
    for check in schema.checks:
        if check.name not in compiled:
            raise _no_compiled_form(model, check.name)
    return [compiled[check.name] for check in schema.checks]


def _row_rules(model: str, column: str, check: str, statistics: dict[str, Any]) -> list[RowRule]:
    match check:
        case "greater_than_or_equal_to":
            low = float(statistics["min_value"])
            return [RowRule("implausible" if low else "negative", "below", column, low)]
        case "notin":
            return [RowRule("not_finite", "not_finite", column)]
        case "less_than_or_equal_to":
            return [RowRule("implausible", "above", column, float(statistics["max_value"]))]
        case "in_range":
            low, high = float(statistics["min_value"]), float(statistics["max_value"])
            above = [] if high == float("inf") else [RowRule("implausible", "above", column, high)]
            return [RowRule("implausible", "below", column, low), *above]
    raise _no_compiled_form(model, check)


def _no_compiled_form(model: str, check: str) -> DeclarationError:
    return DeclarationError(
        f"contract {model}: the check {check!r} has no compiled form",
        "Use ge=0, le, in_range or notin=NOT_FINITE of a column, or teach assets/contracts.py a new one.",
    )
