"""Rows on which functions are tried: awkward ones of every type, nulls among them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa

NAN, INF = float("nan"), float("inf")


def _at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


INTS = [0, 1, -1, 7, -7, 2147483647, -2147483648, None, 100, 3, 2, 12, 31, 65]
LONGS = [0, 1, -1, 86400, -86400, 2**63 - 1, -(2**63), None, 10**15, 3, 1723300000, 12, 31, 253402300799]
DOUBLES = [0.0, 1.0, -1.0, 2.5, -2.5, NAN, INF, None, -0.0, -INF, 0.5, 1e308, 5e-324, 123.456]
DOUBLES_2 = [1.0, -0.0, NAN, 0.0, 3.0, NAN, 1.0, 2.0, 0.0, -INF, 1.5, 1e308, 2.0, None]
DECIMALS = [
    "0",
    "1.50",
    "-1.50",
    "2.25",
    "99999999.99",
    "-99999999.99",
    "0.01",
    None,
    "2.5",
    "3",
    "0.05",
    "7",
    "1",
    "-7",
]
TEXTS = [
    "",
    "abc",
    "ÄÖü ß",
    "日本語",
    "e\u0301 x",
    " trim ",
    "a,b,,c",
    None,
    "-12.5",
    "2025-08-10",
    "A%_b\\",
    "😀x",
    "aXbX",
    "12",
]
TEXTS_2 = ["", "b", "ü", "本", "x", " ", ",", "a", None, "-", "%", "x", "X", "1"]
DAYS = [
    *("0001-01-01", "1582-10-04", "1582-10-15", "1969-12-31", "1970-01-01", "2025-08-10", "2024-02-29", None),
    *("9999-12-31", "2025-12-31", "2021-01-03", "2000-01-31", "1900-02-28", "2025-08-11"),
]
INSTANTS = [
    *("0001-01-01 00:00:00", "1582-10-04 12:34:56.789012", "1582-10-15 00:00:00", "1969-12-31 23:59:59.999999"),
    *("1970-01-01 00:00:00", "2025-08-10 06:07:08.000009", "2024-02-29 23:59:59.5", None),
    *("9999-12-31 23:59:59.999999", "2025-03-30 01:30:00", "2021-01-03 12:00:00", "1900-01-01 00:00:00.1"),
    *("2025-10-26 00:30:00", "2025-08-11 00:00:00"),
]
ARRAYS = [
    [],
    [1],
    [1, 2, 3],
    [3, None, 1],
    None,
    [None],
    [2, 2, 1],
    [1, 1],
    [0, -1],
    [5, 4],
    [7],
    [1, 2],
    [2, 1],
    [9, 9, 9],
]
ARRAYS_2 = [[1], [1], [3, 4], [None, 1], [1], [], [2], None, [0], [4], [8, None], [2, 1], [], [9]]
WORDS = [
    ["b", "a"],
    [],
    ["ü", None],
    None,
    [""],
    ["a", "a"],
    ["x"],
    ["日", "😀"],
    ["c"],
    [None],
    ["B", "a"],
    ["1"],
    ["q"],
    ["z", "y"],
]
REALS = [
    [1.0, NAN],
    [-0.0, 0.0],
    [],
    None,
    [INF, -INF],
    [NAN, NAN],
    [None, 1.0],
    [2.5],
    [0.0, -0.0],
    [NAN, None, 1.0],
    *[[1.0]] * 4,
]
MAPS = [{"a": 1}, {}, None, {"b": 2, "a": 1}, {"ü": None}, {"x": 0}, *[{"a": 3, "k": 4}] * 8]
MAPS_2 = [{"b": 9}, {"c": 1}, {"a": 1}, {}, {"q": None}, None, *[{"z": 3}] * 8]
PAIRS = [{"x": 1, "y": "a"}, {"x": None, "y": None}, None, {"x": -1, "y": "ü"}, *[{"x": 5, "y": ""}] * 10]
JSONS = [
    *('{"a": 1, "b": [1, 2]}', "{}", "[1, 2, 3]", "", "null", '{"a": "ü", "c": {"d": 2.5}}', "broken {", None),
    *('{"a": null}', '"text"', "1.0", '{"a": true}', '[{"a": 1}]', '{"A": 3, "a": 4}'),
]
URLS = [
    *("https://user:pw@host.example:80/p/a%20th?q=1&r=ü#frag", "http://h/", "", "no url", "ftp://a/b?c", "a+b%2Bc"),
    *("%", None, "http://h?q=", "mailto:a@b", "//h/p", "http://h/p?q=1", "x y", "é"),
]
XMLS = ["<p><a>1</a><a>2</a></p>", "<p/>", "<p><a>x</a></p>", "", None, *["<p><a>3</a><b>4</b></p>"] * 9]
STAMPS = ["2025-08-10 01:02:03", "2025-08-10", "10/08/2025", "", None, "2025-02-30", "0001-01-01",
    "9999-12-31 23:59:59.999999",
          "2025-08-10T01:02:03Z", "2025-08-10 01:02:03+02:00", "12:30:00", "nonsense", "20250810",
              "2025-8-1"]  # fmt: skip
NUMBERS = ["1", "-1", "+1", " 7 ", "1.5", "1e3", "NaN", None, "", "abc", "2147483648", "Infinity", "0x1F", "1,234"]


def samples() -> pa.Table:
    """Fourteen rows; ``g`` groups them, one group of nulls among them."""
    text, whole = pa.string(), pa.int32()
    ids = list(range(len(INTS)))
    bytes_ = [None if one is None else one.encode() for one in TEXTS]
    return pa.table(
        {
            "id": pa.array(ids, whole),
            "g": pa.array([(None if one == 7 else one % 3) for one in ids], whole),
            "i": pa.array(INTS, whole),
            "i2": pa.array([2, 3, 0, -2, 2, 1, -1, 1, None, 2, 7, 5, -3, 10], whole),
            "n": pa.array([1, 2, 0, 3, 4, 1, 2, 5, None, 2, 3, 6, 2, 1], whole),
            "tiny": pa.array([0, 127, -128, None, 5, *[1] * 9], pa.int8()),
            "short": pa.array([0, 32767, -32768, None, 5, *[2] * 9], pa.int16()),
            "l": pa.array(LONGS, pa.int64()),
            "d": pa.array(DOUBLES, pa.float64()),
            "d2": pa.array(DOUBLES_2, pa.float64()),
            "mild": pa.array([0.1, 0.5, -0.9, 0.25, None, 1.0, -1.0, 0.0, 0.75, 0.3, 0.7, -0.5, 0.2, 0.9],
                pa.float64()),
            "fl": pa.array([None if x is None or abs(x) == 1e308 else x for x in DOUBLES], pa.float32()),
            "dec": pa.array([None if x is None else Decimal(x) for x in DECIMALS], pa.decimal128(10, 2)),
            "flag": pa.array([True, False, None, True, *[False, True] * 5], pa.bool_()),
            "s": pa.array(TEXTS, text),
            "s2": pa.array(TEXTS_2, text),
            "day": pa.array([None if x is None else dt.date.fromisoformat(x) for x in DAYS], pa.date32()),
            "day2": pa.array([dt.date(2025, 8, 10)] * 13 + [None], pa.date32()),
            "ts": pa.array([None if x is None else _at(x) for x in INSTANTS], pa.timestamp("us", "UTC")),
            "ts2": pa.array([_at("2025-08-10 06:00:00")] * 13 + [None], pa.timestamp("us", "UTC")),
            "bin": pa.array([b"\xff\x00", *bytes_[1:]], pa.binary()),
            "a": pa.array(ARRAYS, pa.list_(whole)),
            "a2": pa.array(ARRAYS_2, pa.list_(whole)),
            "words": pa.array(WORDS, pa.list_(text)),
            "reals": pa.array(REALS, pa.list_(pa.float64())),
            "nested": pa.array([None if x is None else [x, [1]] for x in ARRAYS], pa.list_(pa.list_(whole))),
            "m": pa.array([None if x is None else list(x.items()) for x in MAPS], pa.map_(text, whole)),
            "m2": pa.array([None if x is None else list(x.items()) for x in MAPS_2], pa.map_(text, whole)),
            "st": pa.array(PAIRS, pa.struct([("x", whole), ("y", text)])),
            "pairs": pa.array([[{"x": 1, "y": "a"}, {"x": 2, "y": None}], [], None, *[[{"x": 3, "y": "c"}]] * 11],
                              pa.list_(pa.struct([("x", whole), ("y", text)]))),
            "json": pa.array(JSONS, text),
            "url": pa.array(URLS, text),
            "xml": pa.array(XMLS, text),
            "stamp": pa.array(STAMPS, text),
            "number": pa.array(NUMBERS, text),
            "hexes": pa.array(["", "ff", "FF00", "abc", None, "xyz", "1A", *["41"] * 7], text),
            "year": pa.array([2025, 2024, 2023, 1, 9999, 0, 1582, None, 2000, 1900, 10000, 2025, 2025, 1970], whole),
            "month": pa.array([8, 2, 2, 1, 12, 1, 10, 1, 2, 2, 1, 13, 0, 1], whole),
            "dom": pa.array([10, 29, 29, 1, 31, 1, 10, 1, 29, 29, 1, 1, 1, None], whole),
            "sec": pa.array([Decimal(x) for x in ("0", "59.999999", "60", "1.5", *["7"] * 10)], pa.decimal128(8, 6)),
        }
    )  # fmt: skip
