"""Functions of pyspark that the embedded engine and Spark compute differently. Assets that use one are refused at
import.

The list comes from trying: ``tests/engine/test_function_parity.py`` runs every function on both engines, and fails
where this list has too much or too little. Pyspark is not imported: functions go by their names, methods by ``.name``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.called_functions import PASSED_ON, SQL_TEXT, CalledFunctions, Use
from orchestration.core.errors import DeclarationError

Kind = Literal["differs", "missing", "untried", "edge"]


@dataclass(frozen=True, slots=True)
class Difference:
    """How the two engines differ in one function."""

    kind: Kind
    """``differs``: the results differ. ``missing``: one engine does not have the function. ``untried``: it was not, or
    cannot be, tried. ``edge``: the results differ only in the case that ``reason`` names; such a function is not
    refused."""
    reason: str
    """Half a line."""
    instead: str = ""
    """What to write instead, with the same result on both engines; empty where nothing short exists."""


Differences = Mapping[str, Difference]

_Line = tuple[Kind, str, str, str]

_DAYS: tuple[_Line, ...] = (
    ("differs", "weekday", "a Sunday is -1", "(dayofweek(day) + 5) % 7"),
    ("differs", "date_diff datediff", "a bigint, not an int", "(unix_date(end) - unix_date(start))"),
    ("differs", "date_part datepart extract", "DOW counts from 0, DOW_ISO is missing, SECOND has digits more or less",
     "year, quarter, month, day, weekofyear, dayofweek, hour or minute"),
    ("differs", "trunc", "an instant or day before 1677 or after 2262 raises",
     "make_date(year(day), month(day), lit(1))"),
    ("differs", "months_between timestamp_diff", "instants are cut to nanoseconds or to whole days otherwise",
     "unix_micros(end) - unix_micros(start)"),
    ("differs", "unix_seconds unix_millis", "before 1970 rounds up, not down",
     "((micros - (micros % 1000000 + 1000000) % 1000000) / 1000000).cast('bigint')"),
    ("differs", "timestamp_seconds timestamp_millis", "fractions are lost, and what overflows wraps",
     "timestamp_micros((seconds * 1000000).cast('bigint'))"),
    ("differs", "try_make_timestamp try_make_timestamp_ltz try_make_timestamp_ntz", "years 0 and 10000 are null",
     "make_timestamp with years that are checked before"),
    ("missing", "session_window time_bucket try_to_date", "missing",
     "to_date and to_timestamp of what is checked before"),
    ("differs", "make_time try_to_time", "times of day are no type of Spark's sessions here",
     "whole numbers of seconds"),
)  # fmt: skip

_TEXTS: tuple[_Line, ...] = (
    ("differs", "regexp regexp_like rlike .rlike regexp_count regexp_instr regexp_substr regexp_extract regexp_replace",
     "another language of patterns: no look-around, other groups, classes, positions",
         "like, contains, translate, split_part"),
    ("differs", "initcap quote mask sentences reverse locate", "other letters, escapes, words, nulls or types",
     "upper, lower, translate, instr"),
    ("differs", "is_valid_utf8", "null is false", "try_validate_utf8(text).isNotNull()"),
    ("differs", "char chr elt left right overlay split", "other answers outside the length of a text",
     "substring, split_part"),
    ("differs", "substr", "other answers before the beginning, and of bytes", "substring"),
    ("differs", "format_number printf", "other digits of large numbers, and of infinities",
     "format_string of whole numbers"),
    ("differs", "to_binary try_to_binary", "what is no number in base 16 or 64 is null, or raises", "unhex, unbase64"),
    ("differs", "conv", "a negative number is negative, not its complement", "hex, bin"),
    ("differs", "parse_url try_parse_url", "other parts, and no error where Spark raises", "split_part"),
    ("missing", "collate collation", "missing", "lower of both sides"),
    ("differs", "listagg string_agg listagg_distinct string_agg_distinct", "in no order, and not of bytes",
     "array_join(array_sort(collect_list(text)), separator)"),
)  # fmt: skip

_NUMBERS: tuple[_Line, ...] = (
    ("differs", "log ln log1p log2 exp cbrt acosh atanh cosh csc sin atan2 hypot pow power .**", "other last digits",
     "products and sqrt, or keep it out of tables"),
    ("differs", "round bround rint", "halves of rint, -0.0, many digits, precision of decimals",
     "floor(value * 10 + 0.5) / 10"),
    ("differs", "ifnull nvl", "a date or instant becomes a text", "coalesce"),
    ("differs", "zeroifnull", "a decimal becomes a double", "coalesce(value, lit(0).cast(its type))"),
    ("differs", "factorial shiftrightunsigned", "raises outside its range, or on what is negative", "shiftright"),
    ("differs", "pmod", "no error where a double is divided by 0; not of a decimal and a double",
     "((value % of) + of) % of, of whole numbers"),
    ("differs", "try_add try_subtract try_multiply try_divide try_mod", "of whole numbers only",
     "when(in range, ...) of + - * / %"),
    ("differs", "width_bucket", "infinities and numbers outside are null", "when(...) by bounds"),
    ("differs", "bitwise_not", "of a tinyint is an int", "~ of an int by bitwiseXOR(-1)"),
    ("differs", "hash", "another number of decimals and arrays", "xxhash64"),
    ("differs", "bitmap_bit_position bitmap_bucket_number", "an int, not a bigint", ".cast('bigint') % 32768"),
)  # fmt: skip

_AGGREGATES: tuple[_Line, ...] = (
    ("untried", "first first_value any_value last last_value", "which row comes first or last is up to the query",
     "min_by(value, order) or max_by(value, order)"),
    ("untried",
     "covar_pop covar_samp product regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx "
     "regr_sxy regr_syy std stddev stddev_pop stddev_samp", "last digits follow the order in which rows come",
     "sums of whole numbers, divided at the end"),
    ("untried", "count_distinct", "0.0 and -0.0 are one or two, as the query is",
     "size(array_distinct(collect_list(value)))"),
    ("differs", "collect_set", "in another order", "array_sort(array_distinct(collect_list(value)))"),
    ("differs", "mode", "another of several, and no choice among them",
     "max_by over counts, with the value as the second part of a struct"),
    ("differs", "approx_count_distinct percentile_approx approx_percentile histogram_numeric", "other approximations",
     "row_number() over an ordered window, and count"),
    ("untried", "median", "any of the values where one of them is NaN", "row_number() over an ordered window"),
    ("differs", "percentile", "other last digits, and NaN is no value", "row_number() over an ordered window"),
    ("differs", "corr kurtosis skewness var_pop var_samp variance", "other last digits",
     "sums of whole numbers, divided at the end"),
    ("differs", "sum_distinct", "in another order, so other last digits; what overflows wraps",
     "aggregate(array_sort(array_distinct(collect_list(n))), lit(0), lambda x, y: x + y)"),
    ("differs", "mean try_avg", "of decimals another type; large sums of whole numbers overflow", "avg of doubles"),
    ("differs", "hll_sketch_agg theta_sketch_agg", "other bytes", "size(array_distinct(collect_list(value)))"),
    ("missing", "kll_sketch_agg_bigint kll_sketch_agg_double kll_sketch_agg_float tuple_sketch_agg_double "
     "tuple_sketch_agg_integer", "missing", "row_number() over an ordered window"),
)  # fmt: skip

_NESTED: tuple[_Line, ...] = (
    ("differs", ".getField", "of a null struct is 0 or an empty text", "when(struct.isNotNull(), col('struct.field'))"),
    ("differs", ".withField", "a null struct becomes one of nulls", "struct(...) of all its fields"),
    ("differs", "array_contains arrays_overlap", "null where an element is null, or the reverse",
     "exists(values, lambda one: one.eqNullSafe(value))"),
    ("missing", "transform_values transform_keys map_zip_with zip_with", "missing",
     "transform of map_entries, arrays_zip"),
    ("missing", "from_csv schema_of_xml aes_encrypt current_path", "missing", ""),
    ("differs", "from_json from_xml get_json_object json_array_length",
     "other answers to what is no JSON or XML, spaces",
     "json_tuple"),
    ("differs", "parse_json try_parse_json to_variant_object", "other bytes, and raises otherwise", "json_tuple"),
    ("differs", "xpath_double xpath_float xpath_int xpath_long xpath_number xpath_short xpath_string",
     "raise where Spark has the first of several", "element_at(xpath(text, path), 1)"),
    ("differs", "current_catalog", "another name", ""),
    ("differs", "try_aes_decrypt", "a short text ends the query, and is not null", ""),
)  # fmt: skip

_NOT_TRIED: tuple[_Line, ...] = (
    ("untried", "rand randn uniform randstr shuffle monotonically_increasing_id spark_partition_id",
     "another answer at every run: no row can depend on it", "xxhash64 of the row's key"),
    ("untried", "curdate current_date current_time current_timestamp localtimestamp now current_user session_user user "
     "version input_file_name input_file_block_start input_file_block_length",
     "says when, where or by whom it runs: no row can depend on it", "a parameter"),
    ("untried", "udf udtf pandas_udf arrow_udf arrow_udtf call_udf unwrap_udt java_method reflect try_reflect "
     "UserDefinedFunction UserDefinedTableFunction", "code of others, which no list can know", ""),
    ("untried", "expr call_function .selectExpr .sql", "text, which no list can see through", ""),
    ("untried", f"{SQL_TEXT}|{PASSED_ON}", "cannot be seen through", "functions by their names, F.name(...)"),
    ("untried", "broadcast years months days hours bucket window_time grouping grouping_id",
     "not about values of a row", ""),
    ("untried", "to_number make_interval try_make_interval make_ym_interval to_time raise_error aes_decrypt "
     "time_from_micros time_from_millis time_from_seconds time_to_micros time_to_millis time_to_seconds time_diff "
     "time_trunc st_geogfromwkb st_geomfromwkb st_asbinary st_setsrid st_srid",
     "every call raises in both, or has a type that tables cannot hold", ""),
    ("untried", "is_valid_variant is_variant_null schema_of_variant schema_of_variant_agg try_variant_get variant_get",
     "of variants, which differ", "json_tuple"),
    ("untried",
     "AnalyzeArgument AnalyzeResult ArrowUDFType OrderingColumn PandasUDFType PartitioningColumn SelectedColumn "
     "SkipRestOfInputTableException", "no function of columns", ""),
    ("untried", " ".join(
        ["hll_sketch_estimate", "hll_union", "hll_union_agg", "theta_difference", "theta_intersection"]
        + ["theta_intersection_agg", "theta_sketch_estimate", "theta_union", "theta_union_agg"]
        + [f"kll_merge_agg_{kind}" for kind in ("bigint", "double", "float")]
        + [f"kll_sketch_{what}_{kind}" for kind in ("bigint", "double", "float")
           for what in ("get_n", "get_quantile", "get_rank", "merge", "to_string")]
        + [f"tuple_{what}_{kind}" for kind in ("double", "integer")
           for what in ("difference", "difference_theta", "intersection", "intersection_theta", "intersection_agg",
               "union",
                        "union_theta", "union_agg", "sketch_estimate", "sketch_summary", "sketch_theta")]
    ), "of sketches, which differ", "size(array_distinct(collect_list(value)))"),
)  # fmt: skip

_EDGES: tuple[_Line, ...] = (
    ("edge", "isnan .isNaN", "of null: null, not false", "coalesce(isnan(value), lit(False))"),
    ("edge", "max min", "of doubles in groups: a NaN makes it forget what came before; 0.0 and -0.0",
     "max(when(~isnan(value), value))"),
    ("edge", "greatest least nullif nullifzero sign signum", "0.0 and -0.0; mixed types", "value + 0.0, casts"),
    ("edge", "max_by min_by", "which of several rows that tie, and of keys 0.0 and -0.0",
     "a struct of the order and the row's key as order"),
    ("edge", "asc asc_nulls_first asc_nulls_last desc desc_nulls_first desc_nulls_last",
     "0.0 and -0.0, NaN, and nulls inside structs and arrays", "orders of single columns"),
    ("edge", "date_trunc dayname monthname weekofyear", "an instant before 1677 or after 2262 raises",
     "of to_date(instant)"),
    ("edge", "from_unixtime", "what is out of range is 1969 or 1970", ""),
    ("edge", "from_utc_timestamp to_utc_timestamp", "offsets such as +02:00 raise", "names of zones"),
    ("edge", "unix_date", "takes an instant, which Spark refuses", "unix_date(to_date(instant))"),
    ("edge", "contains startswith endswith", "bytes raise", "texts"),
    ("edge", "array_remove array_intersect array_max array_min array_sort sort_array create_map",
     "0.0 and -0.0, and nulls inside elements", "value + 0.0"),
    ("edge", "slice", "a start of 0 is no error", "starts from 1"),
    ("edge", "date_add date_sub dateadd", "raises outside years 1 to 9999", ""),
    ("edge", "to_date", "of texts with a time of day", "to_date(substring(text, 1, 10))"),
    ("edge", "sum", "a bigint that overflows wraps, and does not raise; of doubles the last digits",
     "sum(value.cast('decimal(38,0)'))"),
    ("edge", "avg", "sums beyond bigint, and over a window: other last digits",
     "sum(value) / nullif(count(value), lit(0))"),
    ("edge", "floor", "to digits after the point, of a double", "floor(value * 10) / 10"),
    ("edge", "lit", "a Decimal has another precision; a date before 1583", "lit(...).cast(type)"),
    ("edge", "concat concat_ws", "of texts alike; other texts of doubles and instants", "date_format, format_string"),
    ("edge", "format_string", "of whole numbers and plain texts alike; widths of others, digits of large doubles", ""),
    ("edge", "encode", "UTF-8 alike; other charsets", "encode(text, 'UTF-8')"),
    ("edge", "substring", "a start before the beginning, a negative length", "starts from 1"),
    ("edge", "xxhash64", "a null struct", "xxhash64 of its fields"),
    ("edge", ".+ .- .*",
     "whole numbers that overflow wrap, and do not raise; precision of decimals; days and intervals",
     "a cast to bigint before, to decimal(p,s) after"),
    ("edge", "./ .%", "of decimals another precision, and fewer digits; null / 0 raises",
     "doubles; nullif(of, lit(0))"),
    ("edge", ".== .!= .< .<= .> .>= .eqNullSafe",
     "a decimal with a double, a date with an instant: raises; a NaN with its sign set is below all", "a cast; ~isnan"),
    ("edge", ".getItem", "an index that is a column", "get(values, index)"),
    ("edge", ".cast .try_cast",
     "texts of infinities and of nested values, decimals, fractions of seconds, dates of long texts", ""),
)  # fmt: skip


def _listed(*parts: tuple[_Line, ...]) -> Differences:
    lines = [line for part in parts for line in part]
    split = [(names.split("|" if "|" in names else None), kind, why, instead) for kind, names, why, instead in lines]
    return {name: Difference(kind, why, instead) for names, kind, why, instead in split for name in names}


DIFFERENCES = _listed(_DAYS, _TEXTS, _NUMBERS, _AGGREGATES, _NESTED, _NOT_TRIED, _EDGES)
"""Function → difference, for the pinned versions of both engines."""


_SAID: Mapping[Kind, str] = {
    "differs": "the embedded engine and Spark answer otherwise",
    "missing": "one of the engines does not have it",
    "untried": "nobody knows that the engines answer alike",
}


def check_functions(assets: Iterable[Asset], packages: Iterable[str], differences: Differences) -> None:
    """Checks that no asset uses a function of ``differences``. packages: top-level names of the packages whose code is
    followed.

    Raises DeclarationError that names asset, use, reason, and what to write instead.
    """
    methods = {name[1:] for name, one in differences.items() if name.startswith(".") and one.kind != "edge"}
    called = CalledFunctions(frozenset(packages), frozenset(methods))
    for asset in assets:
        for what, use in _uses(asset, called):
            found = differences.get(use.name)
            if found is not None and found.kind != "edge":
                at = f" in {use.where}" if use.where else ""
                raise DeclarationError(
                    f"{what} uses {use.name}{at}; {_SAID[found.kind]}: {found.reason}",
                    (f"Write {found.instead}" if found.instead else "Write it with other functions")
                    + (', or declare the asset with engine="spark".' if what == f"asset {asset.key}" else "."),
                )


def _uses(asset: Asset, called: CalledFunctions) -> Iterator[tuple[str, Use]]:
    """The uses of an asset that no earlier asset has, each with the part of the declaration that has it."""
    if asset.engine != "spark":  # its checks and identifiers are asked on either engine all the same
        yield from ((f"asset {asset.key}", use) for use in called.of(asset.function))
    for check in asset.checks:
        yield from ((f"asset {asset.key}: check {check.name}", use) for use in called.of(check.count))
    for column, make in asset.identifiers.items():
        yield from ((f"asset {asset.key}: identifier {column}", use) for use in called.of(make))
