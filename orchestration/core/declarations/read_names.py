"""Which of its own arguments a function reads, and which names it reads that nobody gives it; from its code objects.

Nothing is run, and helpers that it calls are not looked into: an argument that is handed on is read. Whoever reads a
variable of its name inside may mean it, too. Where code can see names by text (``locals``, ``eval``), it may read all.
"""

from __future__ import annotations

import builtins
import dis
from collections.abc import Callable, Collection, Iterator
from types import CodeType, FunctionType
from typing import Any

_SEES_NAMES = frozenset({"locals", "vars", "dir", "eval", "exec"})
_ELSEWHERE = (
    "LOAD_CLOSURE",
    "LOAD_GLOBAL",
    "LOAD_NAME",
    "LOAD_ATTR",
    "LOAD_METHOD",
    "LOAD_CONST",
    "LOAD_FAST_AND_CLEAR",
)
"""Loads that are of no variable of the function, or only put one aside."""


def unread(function: Callable[..., Any], arguments: Collection[str]) -> list[str]:
    """Those of ``arguments`` that the function cannot read; none of one that is wrapped, or is no plain function."""
    if not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
        return []
    codes = list(_codes(function.__code__))
    if any(_SEES_NAMES & {*code.co_names} for code in codes):
        return []
    read = {name for code in codes for name in _loaded(code)}
    return [name for name in arguments if name not in read]


def undeclared(function: Callable[..., Any], names: Collection[str]) -> list[str]:
    """Those of ``names`` that the function reads, and that are neither its own, nor its module's, nor Python's."""
    if not isinstance(function, FunctionType):
        return []
    looked_up = {name for code in _codes(function.__code__) for name in _looked_up(code)}
    there = function.__globals__.keys() | vars(builtins).keys()
    return [name for name in names if name in looked_up and name not in there]


def _looked_up(code: CodeType) -> set[str]:
    """Names that code reads and no function around it has; what a class in it gives a name itself is none."""
    said = [(one.opname, one.argval) for one in dis.get_instructions(code)]
    own = {name for what, name in said if what == "STORE_NAME"}
    return {str(name) for what, name in said if what in ("LOAD_GLOBAL", "LOAD_NAME") and name not in own}


def _codes(code: CodeType) -> Iterator[CodeType]:
    """It and all that lies in it."""
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _codes(one)


def _loaded(code: CodeType) -> Iterator[str]:
    """Names of variables that code loads: its own, and those of functions around it."""
    for one in dis.get_instructions(code):
        if not one.opname.startswith("LOAD_") and "_LOAD_" not in one.opname:
            continue
        if one.opname in _ELSEWHERE:
            continue
        value = one.argval
        if isinstance(value, tuple):  # two at once, as Python 3.13 does; the first may be stored
            yield from value[1:] if one.opname.startswith("STORE") else value
        elif isinstance(value, str):
            yield value
