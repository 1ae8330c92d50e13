"""Calls of the methods and operators of columns, beside those of functions (``function_cases``)."""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tests.support.function_cases import Call, Col, Lit
from tests.support.function_samples import NAN

OPERATORS: Mapping[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
    "**": operator.pow,
    "&": operator.and_,
    "|": operator.or_,
    "~": operator.invert,
    "negated": operator.neg,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""Operators of Python by what they are called in the list of differences; ``[]`` is the method ``getItem``."""

_NUMBERS = ("i", "l", "d", "fl", "dec", "short", "tiny", "flag", "number", "s")
_TYPES = (
    "int",
    "bigint",
    "smallint",
    "tinyint",
    "double",
    "float",
    "decimal(10,2)",
    "decimal(38,10)",
    "string",
    "boolean",
)
_PAIRS = [
    ("i", "i2"),
    ("l", "i2"),
    ("d", "d2"),
    ("dec", "dec"),
    ("dec", "d"),
    ("fl", "d"),
    ("i", "d2"),
    ("l", "l"),
    ("i", "i"),
    ("short", "tiny"),
    ("dec", "i"),
]
_ALIKE = [*_PAIRS, ("s", "s2"), ("day", "day2"), ("ts", "ts2"), ("day", "ts2"), ("a", "a2"), ("bin", "bin"), ("flag",
    "flag"), ("reals", "reals"),
          ("st", "st"), ("number", "i"), ("day", "stamp"), ("s", Lit("ß")), ("d", Lit(NAN)), ("l", "d")]  # fmt: skip


def _columns(pairs: list[Call]) -> list[Call]:
    return [(one, other if isinstance(other, Lit) else Col(other)) for one, other in pairs]


METHODS: list[tuple[str, list[Call]]] = [
    ("+ - * / %", [*_columns(_PAIRS), ("i", 1), ("i", 2.5), ("tiny", 1), ("short", 1), ("l", 1), ("dec", 2),
     ("number", 1), ("dec", Lit(Decimal("3.333")))]),
    ("/ %", [("i", 0), ("d", 0), ("dec", 0), ("i", 3), ("i", -3), ("d", -2.5)]),
    ("+ -", [("day", 1), ("day", Lit(dt.timedelta(days=1))), ("ts", Lit(dt.timedelta(hours=5))), ("ts", Col("ts2")),
     ("day", Col("day2"))]),
    ("**", [("i", 2), ("d", 0.5), ("mild", Col("d2"))]),
    ("& |", [("flag", Col("flag")), ("flag", True), ("flag", None)]),
    ("~", [("flag",)]),
    ("negated", [(one,) for one in _NUMBERS[:7]]),
    ("== != < <= > >= eqNullSafe", _columns(_ALIKE)),
    ("bitwiseAND bitwiseOR bitwiseXOR", [("i", Col("i2")), ("l", 255), ("tiny", Col("short"))]),
    ("between", [("i", 0, 10), ("d", 0.0, NAN), ("day", Col("day2"), Col("day2")), ("s", "a", "b"), ("ts",
     Lit(dt.date(1970, 1, 1)), Col("ts2"))]),
    ("isin", [("i", 1, 2), ("d", NAN, 0.0), ("d", float("inf"), float("-inf")), ("s", "", "abc"), ("i", None, 1),
     ("i",), ("l", 1, 2.5), ("day", dt.date(2025, 8, 10))]),
    ("isNull isNotNull", [(one,) for one in ("i", "d", "s", "a", "st", "m", "ts")]),
    ("isNaN", [("d",), ("fl",)]),
    ("like ilike", [("s", p) for p in ("%b%", "_", "A\\%%", "%ü%", "", "a%")]),
    ("rlike", [("s", p) for p in ("b", "^a.c$", "\\d+", "(?i)x", "\\p{L}+", "(?<=a)b", "^$")]),
    ("contains startswith endswith", [("s", one) for one in ("", "a", "ü", Col("s2"))]),
    ("substr", [("s", 1, 2), ("s", 0, 2), ("s", -2, 2), ("s", Col("n"), Col("n"))]),
    ("getItem", [("a", 0), ("a", 5), ("a", -1), ("m", "a"), ("m", "zz"), ("words", Col("n")), ("a", Col("n"))]),
    ("getField", [("st", "x"), ("st", "y"), ("pairs", "x")]),
    ("withField", [("st", "x", Lit(9)), ("st", "z", Col("s"))]),
    ("dropFields", [("st", "x")]),
    ("cast try_cast", [(one, kind) for one in _NUMBERS for kind in _TYPES]),
    ("astype", [("i", "bigint"), ("d", "float")]),
    ("cast try_cast", [(one, kind) for one in ("stamp", "day", "ts", "i", "l", "mild") for kind in ("date",
     "timestamp", "string", "timestamp_ntz")]),
    ("cast try_cast", [("ts", "bigint"), ("ts", "double"), ("day", "int"), ("flag", "int"), ("s", "binary"), ("bin",
     "string"), ("a", "array<string>"),
                       ("a", "string"), ("st", "string"), ("m", "string"), ("words", "array<int>"), ("number",
                        "date"), ("d", "string"), ("dec", "decimal(3,1)"),
                       ("reals", "string"), ("number", "decimal(5,1)"), ("d", "timestamp"), ("a", "array<bigint>"),
                        ("flag", "string"), ("stamp", "boolean")]),
    ("transform", [("i", lambda x: x.isNull())]),

    ("alias name", [("i", "other")]),
]  # fmt: skip
