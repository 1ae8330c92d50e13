"""Finds functions that read a clock. Their rows would depend on when they were made, and could never be made again.

The code of the function is read, and that of the functions of its package that it calls by name. Nothing is run.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator
from datetime import date, datetime
from types import CodeType, FunctionType, ModuleType
from typing import Any

_OF_CLASS = frozenset({"now", "utcnow", "today"})
_OF_TIME = frozenset({"time", "time_ns", "monotonic", "gmtime", "localtime", "strftime", "ctime"})


def clock_in(function: Callable[..., Any]) -> str:
    """The first call by which a function reads a clock, for instance ``datetime.now``; empty where it reads none."""
    waiting, seen, package = [function], set[int](), _package(function)
    while waiting:
        one = waiting.pop()
        if not isinstance(one, FunctionType) or id(one) in seen:
            continue
        seen.add(id(one))
        for code in _codes(one.__code__):
            for names, value in _read(code, one.__globals__):
                if _is_clock(value):
                    return names
                if _package(value) == package:
                    waiting.append(value)
    return ""


def _package(of: Any) -> str:
    return str(getattr(of, "__module__", "")).partition(".")[0]


def _is_clock(value: Any) -> bool:
    owner, name = getattr(value, "__self__", None), getattr(value, "__name__", "")
    if isinstance(owner, ModuleType):
        return owner.__name__ == "time" and name in _OF_TIME
    return isinstance(owner, type) and issubclass(owner, date | datetime) and name in _OF_CLASS


def _read(code: CodeType, scope: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each global name that code reads, and each attribute of it (``datetime.now``), with its value."""
    names, value = "", None
    for one in dis.get_instructions(code):
        if one.opname in ("LOAD_GLOBAL", "LOAD_NAME") and one.argval in scope:
            names, value = str(one.argval), scope[one.argval]
        elif one.opname in ("LOAD_ATTR", "LOAD_METHOD") and isinstance(value, ModuleType | type):
            names, value = f"{names}.{one.argval}", getattr(value, str(one.argval), None)
        elif one.opname in ("EXTENDED_ARG", "CACHE", "PUSH_NULL"):
            continue
        else:
            names, value = "", None
        if value is not None:
            yield names, value


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _codes(one)
