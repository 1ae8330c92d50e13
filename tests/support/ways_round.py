"""What to write instead of functions on which the engines do not agree, as the list of differences says it.

A way has the two columns: what is written instead, which both engines must answer alike, and what it stands for, which
Spark must answer as the other (None: it stands for something that Spark answers otherwise too).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pyspark.sql import Column
from pyspark.sql import functions as F

Make = Callable[[], Any]


class WayRound(NamedTuple):
    """kind: how the columns are used, as in ``function_values``."""

    name: str
    kind: str
    instead: Make
    stands_for: Make | None = None


def _whole_seconds(micros: Column) -> Column:
    return ((micros - (micros % 1000000 + 1000000) % 1000000) / 1000000).cast("bigint")


WAYS = (
    WayRound("weekday", "column", lambda: (F.dayofweek("day") + 5) % 7, lambda: F.weekday("day")),
    WayRound("datediff", "column", lambda: F.unix_date("day") - F.unix_date("day2"), lambda: F.datediff("day", "day2")),
    WayRound("unix_seconds", "column", lambda: _whole_seconds(F.unix_micros("ts")), lambda: F.unix_seconds("ts")),
    WayRound("trunc", "column", lambda: F.make_date(F.year("day"), F.month("day"), F.lit(1)), lambda: F.trunc("day",
        "month")),
    WayRound("date_part", "column", lambda: F.dayofweek("ts"), lambda: F.date_part(F.lit("DOW"), "ts")),
    WayRound("try_make_timestamp", "column", lambda: F.make_timestamp(*map(F.lit, (2024, 2, 29, 1, 2, 3.5)))),
    WayRound("timestamp_seconds", "column", lambda: F.timestamp_micros((F.col("mild") * 1000000).cast("bigint")),
             lambda: F.timestamp_seconds("mild")),
    WayRound("dayname", "column", lambda: F.dayname(F.to_date("ts")), lambda: F.dayname("ts")),
    WayRound("weekofyear", "column", lambda: F.weekofyear(F.to_date("ts")), lambda: F.weekofyear("ts")),
    WayRound("is_valid_utf8", "column", lambda: F.try_validate_utf8("s").isNotNull()),
    WayRound("left", "column", lambda: F.substring("s", 1, 2), lambda: F.left("s", F.lit(2))),
    WayRound("split", "column", lambda: F.split_part("s", F.lit(","), F.lit(1))),
    WayRound("initcap", "column", lambda: F.upper("s"), None),
    WayRound("pmod", "column", lambda: ((F.col("n") % 3) + 3) % 3, lambda: F.pmod("n", F.lit(3))),
    WayRound("round", "column", lambda: F.floor(F.col("mild") * 10 + 0.5) / 10),
    WayRound("isnan", "column", lambda: F.coalesce(F.isnan("d"), F.lit(False)), lambda: F.isnan("d")),
    WayRound("greatest", "column", lambda: F.greatest(F.col("d") + 0.0, F.col("d2") + 0.0)),
    WayRound("nvl", "column", lambda: F.coalesce("day", "day2"), lambda: F.nvl("day", "day2")),
    WayRound("array_contains", "column", lambda: F.exists("a", lambda one: one.eqNullSafe(1))),
    WayRound("array_sort", "column", lambda: F.array_sort(F.transform("reals", lambda one: one + 0.0))),
    WayRound("getField", "column", lambda: F.when(F.col("st").isNotNull(), F.col("st.x")), lambda: F.col("st.x")),
    WayRound("+", "column", lambda: F.col("i").cast("bigint") + F.col("i2")),
    WayRound("to_date", "column", lambda: F.to_date(F.substring("stamp", 1, 10))),
    WayRound("max", "aggregate", lambda: F.max(F.when(~F.isnan("d"), F.col("d") + 0.0))),
    WayRound("count_distinct", "aggregate", lambda: F.size(F.array_distinct(F.collect_list("s2"))),
        lambda: F.count_distinct("s2")),
    WayRound("collect_set", "aggregate", lambda: F.array_sort(F.array_distinct(F.collect_list("i")))),
    WayRound("listagg", "aggregate", lambda: F.array_join(F.array_sort(F.collect_list("s")), ",")),
    WayRound("first", "aggregate", lambda: F.min_by("i", "id")),
    WayRound("last", "aggregate", lambda: F.max_by("i", "id")),
    WayRound("max_by", "aggregate", lambda: F.max_by("s", F.struct(F.col("flag"), F.col("id")))),
    WayRound("sum", "aggregate", lambda: F.sum(F.col("l").cast("decimal(38,0)"))),
    WayRound("avg", "aggregate", lambda: F.sum("n") / F.nullif(F.count("n"), F.lit(0)), lambda: F.avg("n")),
    WayRound("zip_with", "column", lambda: F.transform(F.arrays_zip("a", "a2"), lambda one: one["a"])),
    WayRound("transform_values", "column", lambda: F.transform(F.map_entries("m"), lambda one: one["value"] * 2)),
)  # fmt: skip
