"""Calls of Spark's functions that both engines have to answer alike: what is called, with what, on which samples.

A call is a tuple of arguments: a text is the name of a sample column where the function takes columns, else a text; a
``Lit`` is a literal column, a ``Col`` a column where a text would be taken for a text; functions are passed on. The
samples are awkward on purpose. Knows neither engine: ``function_values`` makes the calls.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from tests.support.function_samples import NAN

Call = tuple[Any, ...]


class Lit(NamedTuple):
    """A literal column."""

    value: Any


class Col(NamedTuple):
    """A sample column, as a column."""

    name: str


def _each(*columns: str) -> list[Call]:
    return [(column,) for column in columns]


NUMERIC = _each("i", "l", "d", "fl", "dec", "short", "tiny")
ORDERED = _each("i", "l", "d", "fl", "dec", "s", "day", "ts", "flag")
DATED = _each("day", "ts")
REAL = _each("d", "mild", "i")
TWO_NUMBERS = [("i", "i2"), ("l", "i2"), ("d", "d2"), ("dec", "d"), ("dec", "dec"), ("l", "l"), ("i", "i")]
TWO_OF_KIND = [
    ("i", "i2"),
    ("d", "d2"),
    ("s", "s2"),
    ("day", "day2"),
    ("ts", "ts2"),
    ("a", "a2"),
    ("dec", "dec"),
    ("flag", "flag"),
]
FORMATS = (
    "yyyy-MM-dd HH:mm:ss",
    "yyyyMMdd",
    "yyyy-MM-dd'T'HH:mm:ss'Z'",
    "EEE",
    "EEEE d MMMM y",
    "SSS",
    "SSSSSS",
    "a h",
    "D",
    "Q",
    "MMM",
    "u",
    "yy",
    "XXX",
)
FIELDS = ("YEAR", "MONTH", "DAY", "DOW", "DOW_ISO", "WEEK", "DOY", "QUARTER", "YEAROFWEEK", "HOUR", "MINUTE", "SECOND")
UNITS = (
    "year",
    "quarter",
    "month",
    "week",
    "day",
    "hour",
    "minute",
    "second",
    "millisecond",
    "microsecond",
    "nonsense",
)

GROUPS: list[tuple[str, list[Call]]] = [
    # conditions
    ("col column", _each("i", "s")),
    ("lit", [(x,) for x in (1, 2**40, 1.5, NAN, -0.0, "ü", True, None, dt.date(1, 1, 1), Decimal("1.50"), b"\x00", [1,
     2])]),
    ("coalesce ifnull nvl nullif equal_null", TWO_OF_KIND),
    ("nvl2", [("i", "i2", "n"), ("s", "s2", "s"), ("d", "d2", "d")]),
    ("nanvl", [("d", "d2"), ("fl", "fl"), ("i", "d")]),
    ("when", [(Col("flag"), 1), (Col("flag"), Col("s")), (Col("flag"), Col("d"))]),
    ("nullifzero zeroifnull", NUMERIC),
    ("isnan", _each("d", "fl", "i")),
    ("isnull isnotnull", [*ORDERED, *_each("a", "m", "st")]),
    ("greatest least", [*TWO_OF_KIND, ("i", "l", "n"), ("i", "d", "dec")]),
    # texts
    ("like ilike", [("s", Lit("%b%")), ("s", Lit("_bc")), ("s", Lit("A\\%\\_b%")), ("s", "s2"), ("s", Lit("a/%"),
     Lit("/")), ("s", Lit("Ä%"))]),
    ("regexp regexp_like rlike regexp_count regexp_instr regexp_substr",
     [("s", Lit(p)) for p in ("b", "^a.c$", "(a)|(X)", "\\d+", "[[:alpha:]]", "(?i)x", "\\p{L}+", "(?<=a)b", "(a)\\1",
      "^$", "\\bx", "[")]),
    ("regexp_extract", [("s", "([a-z])([A-Z,])", n) for n in (0, 1, 2, 3)] + [("s", "(z)?(a)", 1), ("s", "(?<=a)(.)",
     1)]),
    ("regexp_extract_all", [("s", Lit("([a-zA-Z])"), n) for n in (0, 1)] + [("s", Lit("([a-z])([A-Z])?"), 2)]),
    ("regexp_replace", [("s", p, r) for p, r in (("[a-z]", "_"), ("(a)", "$1$1"), ("(a)", "\\1"), ("", "-"), ("x*",
     "y"), ("(?=X)", "!"), (".", "😀"))]),
    ("ascii base64 bit_length char_length character_length initcap lcase length lower octet_length soundex ucase upper "
     "unbase64 quote is_valid_utf8 make_valid_utf8 try_validate_utf8 validate_utf8 crc32 md5 sha sha1", _each("s")),
    ("base64 bit_length length octet_length crc32 md5 sha sha1 hex reverse", _each("bin")),
    ("ascii length upper lower crc32 md5 hex reverse", _each("stamp", "url")),
    ("btrim ltrim rtrim trim", [("s",), ("s", Lit(" a")), ("s", Lit("")), ("s", "s2")]),
    ("char", _each("i", "l")),
    ("chr", _each("i")),
    ("collate", [("s", "UTF8_BINARY"), ("s", "UTF8_LCASE")]),
    ("collation typeof", _each("s", "i", "d", "dec", "day", "ts", "a", "m", "st") ),
    ("concat_ws", [("|", "s", "s2"), ("", "words", "s"), ("|", "i", "d", "day", "ts", "flag", "dec"), ("ü", "s")]),
    ("concat", [("s", "s2"), ("a", "a2"), ("s", "i", "d"), ("bin", "bin"), ("s", "day", "ts"), ("s", "flag", "dec",
     "fl")]),
    ("contains startswith endswith instr find_in_set levenshtein position", [("s", "s2"), ("s", "s")]),
    ("contains startswith endswith", [("bin", "bin")]),
    ("levenshtein", [("s", "s2", 1), ("s", "url")]),
    ("decode", [("bin", c) for c in ("UTF-8", "ISO-8859-1", "UTF-16", "US-ASCII")]),
    ("encode", [("s", c) for c in ("UTF-8", "ISO-8859-1", "UTF-16", "US-ASCII")]),
    ("elt", [("n", "s", "s2"), ("i", "s", "s2")]),
    ("format_number", [("d", 2), ("i", 0), ("l", 3), ("dec", 1), ("d", 0)]),
    ("format_string", [("%s|%s", "s", "i"), ("%05d", "i"), ("%.2f", "d"), ("%x", "l"), ("%10s", "s"), ("%s %s", "day",
     "d"), ("%,d", "l"), ("%02d:00", "n")]),
    ("printf", [(Lit("%s|%s"), "s", "i"), (Lit("%.2f"), "d")]),
    ("left right", [("s", "n"), ("s", "i2"), ("s", Lit(2))]),
    ("locate", [("b", "s"), ("", "s"), ("X", "s", 3), ("ü", "s", 0)]),
    ("lpad rpad", [("s", 5, "*"), ("s", 2, "ab"), ("s", 6, ""), ("s", 0, "x"), ("s", 7, "日本")]),
    ("mask", [("s",), ("s", Lit("U"), Lit("l"), Lit("#"), Lit("?"))]),
    ("overlay", [("s", "s2", 2), ("s", "s2", 1, 0), ("s", "s2", 10, 1), ("s", "s2", "n")]),
    ("repeat", [("s", 2), ("s", 0), ("s", -1), ("s", "n")]),
    ("replace", [("s", "s2"), ("s", Lit("a"), Lit("😀")), ("s", Lit(""), Lit("x"))]),
    ("sentences", [("s",), ("url",)]),
    ("split", [("s", p, *limit) for p in (",", "", "X", "[a-c]", "b|ü") for limit in ((), (2,), (0,))]),
    ("split_part", [("s", Lit(","), Lit(n)) for n in (1, -1, 9)] + [("s", "s2", Lit(1))]),
    ("substr", [("s", "n"), ("s", "i2", "n"), ("s", Lit(-2)), ("s", Lit(0), Lit(2)), ("bin", Lit(1), Lit(1))]),
    ("substring", [("s", 1, 2), ("s", 0, 2), ("s", -3, 2), ("s", 2, 100), ("s", 5, -1), ("s", -100, 99), ("bin", 1,
     1), ("s", "i2", "n")]),
    ("substring_index", [("s", ",", n) for n in (1, 2, -1, 0)] + [("s", "", 1), ("s", "X", -1)]),
    ("to_binary try_to_binary", [("hexes",), ("hexes", Lit("hex")), ("s", Lit("utf-8")), ("s", Lit("base64"))]),
    ("to_char to_varchar", [("dec", Lit("999.99")), ("i", Lit("S000000")), ("day", Lit("yyyy")), ("dec",
     Lit("$99,999,999.99"))]),
    ("to_number try_to_number", [("number", Lit("999")), ("number", Lit("S99.9")), ("number", Lit("9,999"))]),
    ("translate", [("s", "abc", "xy"), ("s", "üÄ", "uA"), ("s", "", "x"), ("s", "aa", "12"), ("s", "X", "")]),
    ("parse_url try_parse_url", [("url", Lit(p)) for p in ("HOST", "PATH", "QUERY", "REF", "PROTOCOL", "FILE",
     "AUTHORITY", "USERINFO")] + [("url", Lit("QUERY"), Lit("q"))]),
    ("url_decode try_url_decode url_encode", _each("url", "s")),
    # numbers
    ("abs negate negative positive sign signum", NUMERIC),
    ("acos acosh asin asinh atan atanh cbrt cos cosh cot csc degrees exp expm1 ln log log10 log1p log2 radians rint "
     "sec sin sinh sqrt tan tanh", REAL),
    ("atan2 hypot pow power", [("d", "d2"), ("mild", "d2"), ("i", "i2"), ("d", 2.0), ("mild", 0.5)]),
    ("log", [(2.0, "d"), (10.0, "i"), ("d2", "d"), (0.0, "mild")]),
    ("bin", _each("i", "l")),
    ("hex", _each("i", "l", "s")),
    ("unhex", _each("hexes", "s")),
    ("round bround", [*NUMERIC, ("d", 1), ("d", -1), ("dec", 1), ("dec", -2), ("i", -1), ("l", -2), ("mild", 1), ("d",
     400)]),
    ("ceil ceiling floor", [*NUMERIC, ("d", Lit(1)), ("dec", Lit(1)), ("i", Lit(-1))]),
    ("conv", [("number", 10, 16), ("hexes", 16, 10), ("number", 10, -2), ("i", 10, 36)]),
    ("e pi", [()]),
    ("factorial", _each("n", "i")),
    ("pmod try_add try_subtract try_multiply try_divide try_mod", TWO_NUMBERS),
    ("try_add try_subtract", [("day", "n")]),
    ("width_bucket", [("d", Lit(0.0), Lit(10.0), Lit(5)), ("mild", Lit(1.0), Lit(-1.0), Lit(4)), ("d", "d2", Lit(3.0),
     "n")]),
    ("bit_count bitwise_not", _each("i", "l", "tiny", "flag")),
    ("bit_get getbit", [("i", "n"), ("l", Lit(63)), ("l", Lit(0)), ("i", Lit(40))]),
    ("shiftleft shiftright shiftrightunsigned", [("i", n) for n in (1, 0, 31, 33, -1)] + [("l", 1), ("l", 65),
     ("tiny", 1)]),
    ("hash xxhash64", [*NUMERIC, *_each("s", "day", "ts", "flag", "bin", "a", "st", "words", "reals"), ("i", "s",
     "d")]),
    ("sha2", [("s", n) for n in (0, 224, 256, 384, 512, 1)] + [("bin", 256)]),
    # days and instants
    ("add_months date_add date_sub dateadd", [("day", 1), ("day", -1), ("day", 12), ("day", "n"), ("ts", 1), ("day",
     "i")]),
    ("convert_timezone", [(Lit("UTC"), Lit("Asia/Ho_Chi_Minh"), "ts"), (None, Lit("Europe/Berlin"), "ts")]),
    ("current_timezone", [()]),
    ("date_diff datediff", [("day", "day2"), ("ts", "day2"), ("day2", "day")]),
    ("date_format", [(column, text) for text in FORMATS for column in ("day", "ts")]),
    ("date_from_unix_date", _each("i", "n")),
    ("date_part datepart extract", [(Lit(field), "ts") for field in FIELDS] + [(Lit("DOW"), "day"), (Lit("WEEK"),
     "day")]),
    ("date_trunc", [(unit, "ts") for unit in UNITS] + [("month", "day")]),
    ("trunc", [("day", unit) for unit in UNITS] + [("ts", "month")]),
    ("day dayname dayofmonth dayofweek dayofyear last_day month monthname quarter weekday weekofyear year unix_date",
     DATED),
    ("hour minute second", _each("ts", "day")),
    ("from_unixtime", [("l",), ("n",), ("l", "yyyy-MM-dd")]),
    ("from_utc_timestamp to_utc_timestamp", [("ts", z) for z in ("Asia/Ho_Chi_Minh", "Europe/Berlin", "+02:00",
     "America/New_York", "Nowhere")]),
    ("make_date", [("year", "month", "dom")]),
    ("make_dt_interval", [("n", "n", "n", "sec"), ()]),
    ("make_interval try_make_interval", [("n", "n", "n", "n", "n", "n", "sec"), ("i",)]),
    ("make_ym_interval", [("n", "n"), ("i",)]),
    ("make_time", [("n", "n", "sec")]),
    ("make_timestamp make_timestamp_ltz make_timestamp_ntz try_make_timestamp try_make_timestamp_ltz "
     "try_make_timestamp_ntz",
     [("year", "month", "dom", "n", "n", "sec")]),
    ("make_timestamp make_timestamp_ltz try_make_timestamp try_make_timestamp_ltz", [("year", "month", "dom", "n",
     "n", "sec", Lit("Europe/Berlin"))]),
    ("months_between", [("day", "day2"), ("ts", "ts2"), ("ts2", "ts", False)]),
    ("next_day", [("day", x) for x in ("Mon", "sunday", "FR", "nonsense")]),
    ("timestamp_add", [(unit, "n", "ts") for unit in ("DAY", "MONTH", "HOUR", "MICROSECOND", "YEAR")]),
    ("timestamp_diff", [(unit, "ts", "ts2") for unit in ("DAY", "MONTH", "HOUR", "SECOND", "YEAR")]),
    ("timestamp_micros timestamp_millis timestamp_seconds", _each("l", "i", "n")),
    ("timestamp_seconds", _each("mild", "dec")),
    ("time_from_micros time_from_millis time_from_seconds", _each("n", "l")),
    ("to_time try_to_time", [("stamp",), ("stamp", Lit("HH:mm:ss"))]),
    ("to_date try_to_date to_timestamp try_to_timestamp", _each("stamp", "day", "ts")),
    ("to_timestamp_ltz to_timestamp_ntz to_unix_timestamp unix_timestamp", _each("stamp", "day", "ts")),
    ("to_date try_to_date to_timestamp unix_timestamp", [("stamp", f) for f in ("yyyy-MM-dd", "dd/MM/yyyy",
     "yyyyMMdd", "yyyy-MM-dd HH:mm:ss")]),
    ("try_to_timestamp to_timestamp_ltz to_timestamp_ntz to_unix_timestamp", [("stamp", Lit("yyyy-MM-dd")), ("stamp",
     Lit("dd/MM/yyyy"))]),
    ("unix_micros unix_millis unix_seconds", _each("ts")),
    ("time_bucket", [(Lit(dt.timedelta(hours=6)), "ts")]),
    ("window", [("ts", "1 hour"), ("ts", "1 day"), ("ts", "90 minutes", "30 minutes"), ("ts", "1 hour", "1 hour",
     "15 minutes")]),
    ("session_window", [("ts", "1 hour")]),
    # arrays, maps, structs
    ("array", [("i", "i2"), ("s", "s2"), (), ("i", "d")]),
    ("array_append array_contains array_position array_prepend array_remove", [("a", 1), ("a", "n"), ("words",
     Lit("a")), ("reals", NAN), ("reals", 0.0), ("reals", -0.0)]),
    ("array_append array_prepend", [("a", None)]),
    ("array_compact array_distinct array_max array_min array_size array_sort cardinality reverse size sort_array",
     _each("a", "words", "reals")),
    ("cardinality size map_keys map_values map_entries", _each("m")),
    ("sort_array", [("a", False), ("words", False), ("reals", False), ("pairs",)]),
    ("array_sort", [("a", lambda x, y: y - x), ("pairs",), ("nested",)]),
    ("array_except array_intersect array_union arrays_overlap arrays_zip", [("a", "a2"), ("words", "words"), ("reals",
     "reals")]),
    ("array_insert", [("a", n, 9) for n in (1, 2, 5, -1, -4, 0)] + [("a", "n", "i")]),
    ("array_join", [("words", ","), ("words", ",", "?"), ("a", "-")]),
    ("array_repeat", [("s", 2), ("i", 0), ("s", "n"), ("i", -1)]),
    ("flatten", _each("nested")),
    ("get", [("a", 0), ("a", -1), ("a", 9), ("a", "n")]),
    ("element_at try_element_at", [("a", Lit(n)) for n in (1, -1, 5)] + [("m", Lit("a")), ("m", Lit("none")),
     ("words", Lit(1))]),
    ("sequence", [("n", Lit(4)), (Lit(3), "n"), ("day2", Lit(dt.date(2025, 8, 14))), (Lit(0), Lit(9), "n"),
     (Lit(dt.date(2024, 2, 28)), "day2")]),
    ("slice", [("a", 1, 2), ("a", -1, 1), ("a", 2, 9), ("a", 0, 1), ("a", "n", "n")]),
    ("named_struct", [(Lit("x"), "i", Lit("y"), "s")]),
    ("struct", [("i", "s"), ("d", "a", "m")]),
    ("create_map", [("s", "i"), (Lit("k"), "d"), (), ("d", "i")]),
    ("map_concat", [("m", "m2"), ("m", "m")]),
    ("map_contains_key", [("m", "a"), ("m", "ü")]),
    ("map_from_arrays", [("words", "words"), ("a", "a2")]),
    ("map_from_entries", _each("pairs")),
    ("str_to_map", [("s",), ("s", Lit(","), Lit("b")), ("url", Lit("&"), Lit("="))]),
    ("aggregate reduce", [("a", Lit(0), lambda x, y: x + y), ("a", Lit(0), lambda x, y: x + y, lambda x: x * 10)]),
    ("exists forall filter", [("a", lambda x: x > 1), ("words", lambda x: x.isNull()), ("reals", lambda x: x > 1.0)]),
    ("filter transform", [("a", lambda x, at: x > at)]),
    ("transform", [("a", lambda x: x * 2), ("words", lambda x: x.isNull()), ("reals", lambda x: -x)]),
    ("map_filter transform_values", [("m", lambda key, value: value > 1)]),
    ("transform_keys", [("m", lambda key, value: key.substr(1, 1))]),
    ("map_zip_with", [("m", "m2", lambda key, x, y: x)]),
    ("zip_with", [("a", "a2", lambda x, y: x + y)]),
    # texts with structure
    ("from_csv", [("s", "x STRING, y STRING"), ("number", "x INT")]),
    ("schema_of_csv", [("1,a,2.5",)]),
    ("to_csv", _each("st")),
    ("from_json", [("json", "a INT"), ("json", "a STRING, c STRUCT<d: DOUBLE>"), ("json", "ARRAY<INT>"), ("json",
     "MAP<STRING, STRING>")]),
    ("get_json_object", [("json", p) for p in ("$.a", "$.b[0]", "$.c.d", "$", "$[1]", "$.*")]),
    ("json_array_length json_object_keys", _each("json")),
    ("schema_of_json", [('{"a": 1, "b": [1.5]}',)]),
    ("to_json", _each("st", "m", "a", "pairs")),
    ("parse_json try_parse_json", _each("json")),
    ("from_xml", [("xml", "a STRING")]),
    ("schema_of_xml", [("<p><a>1</a></p>",)]),
    ("to_xml", _each("st")),
    ("xpath xpath_boolean xpath_double xpath_float xpath_int xpath_long xpath_number xpath_short xpath_string",
     [("xml", Lit("p/a/text()")), ("xml", Lit("p/b"))]),
    ("to_variant_object", _each("st", "a")),
    # others
    ("aes_encrypt try_aes_decrypt aes_decrypt",
     [("bin", Lit("0000111122223333"), Lit("ECB")), (Lit(b"\xff"), Lit(b"0000111122223333"), Lit("ECB"))]),
    ("assert_true raise_error", [(Lit(True),)]),
    ("bitmap_bit_position bitmap_bucket_number", _each("i", "l")),
    ("bitmap_count", _each("bin")),
    ("st_geogfromwkb st_geomfromwkb", _each("bin")),
    ("current_catalog current_database current_schema current_path", [()]),
]  # fmt: skip

AGGREGATES: list[tuple[str, list[Call]]] = [
    ("any_value first first_value last last_value max min count approx_count_distinct", ORDERED),
    ("any_value first_value last_value first last", [("i", True)]),
    ("count", [("*",), (Lit(1),), ("a",), ("st",)]),
    ("count_distinct", [*ORDERED, ("i", "s"), ("g", "d")]),
    ("array_agg collect_list collect_set", ORDERED),
    ("avg mean sum try_avg try_sum sum_distinct", [*NUMERIC, ("mild",), ("n",)]),
    ("bit_and bit_or bit_xor", _each("i", "l", "tiny")),
    ("bool_and bool_or every some count_if", _each("flag")),
    ("corr covar_pop covar_samp regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy "
     "regr_syy",
     [("mild", "n"), ("d", "d2"), ("id", "mild")]),
    ("kurtosis skewness std stddev stddev_pop stddev_samp var_pop var_samp variance product", _each("mild", "n", "d",
     "id")),
    ("median", _each("mild", "n", "d", "i", "dec")),
    ("percentile", [("mild", 0.3), ("n", [0.0, 0.5, 1.0]), ("d", 0.9), ("mild", 0.5, Col("id"))]),
    ("percentile_approx approx_percentile", [("mild", 0.3), ("n", [0.0, 0.5, 1.0]), ("d", 0.9), ("l", 0.5), ("day",
     0.5)]),
    ("mode", [("n",), ("n", True), ("flag", True), ("d", True)]),
    ("max_by min_by", [("s", "i"), ("s", "d"), ("i", "s"), ("id", "ts"), ("id", "st"), ("id", "d2"), ("s", "flag")]),
    ("max min", _each("st", "a", "bin", "reals")),
    ("listagg string_agg", [("s",), ("s", ","), ("bin",)]),
    ("listagg_distinct string_agg_distinct", [("s2", ",")]),
    ("histogram_numeric", [("mild", Lit(3))]),
    ("bitmap_construct_agg", _each("n")),
    ("bitmap_or_agg bitmap_and_agg", _each("bin")),
    ("hll_sketch_agg theta_sketch_agg", _each("i", "s")),
    ("kll_sketch_agg_bigint", _each("l")),
    ("kll_sketch_agg_double", _each("mild")),
    ("kll_sketch_agg_float", _each("fl")),
    ("tuple_sketch_agg_double", [("id", "mild")]),
    ("tuple_sketch_agg_integer", [("id", "n")]),
    ("count_min_sketch", [("i", Lit(0.5), Lit(0.5), Lit(1))]),
]  # fmt: skip

WINDOWED: list[tuple[str, list[Call]]] = [
    ("cume_dist dense_rank percent_rank rank row_number", [()]),
    ("ntile", [(2,), (5,)]),
    ("lag lead", [("i",), ("s", 2), ("d", 1, 0.5), ("i", 0), ("i", -1)]),
    ("nth_value", [("i", 2), ("i", 1, True), ("d", 2)]),
    ("sum avg count min max first last", [("i2",), ("mild",), ("d",)]),
    ("stddev max_by collect_list", [("n", "id")]),
]

GENERATORS: list[tuple[str, list[Call]]] = [
    ("explode explode_outer posexplode posexplode_outer", _each("a", "m", "words", "pairs")),
    ("inline inline_outer", _each("pairs")),
    ("stack", [(Lit(2), "i", "s", "i2", "s2")]),
    ("json_tuple", [("json", "a", "b")]),
]

ORDERS = "asc asc_nulls_first asc_nulls_last desc desc_nulls_first desc_nulls_last"
"""Orders of rows; tried on every kind of ``ORDERED``."""


def calls() -> Iterator[tuple[str, str, Call]]:
    """Every call as (how it is used, name of the function, arguments)."""
    kinds = {"column": GROUPS, "aggregate": AGGREGATES, "window": WINDOWED, "generator": GENERATORS}
    for kind, groups in kinds.items():
        for names, several in groups:
            for name in names.split():
                yield from ((kind, name, one) for one in several)
    for name in ORDERS.split():
        yield from (("order", name, one) for one in [*ORDERED, ("st",), ("a",), ("reals",), ("bin",)])
