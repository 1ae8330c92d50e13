"""Finds which of its own arguments a function reads, and which names it reads that are defined nowhere.

Code objects are read; nothing is run, and called helpers are not followed: an argument that is passed on counts as
read. An inner function that reads a name may mean the argument of that name. If the code can read names by their text
(``locals``, ``eval``), all arguments count as read.
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
"""Instructions that load something other than a variable of the function, or only put one aside."""


def unread(function: Callable[..., Any], arguments: Collection[str]) -> list[str]:
    """Those of ``arguments`` that the function cannot read; empty for a wrapped function, or a callable of another
    kind."""
    if not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
        return []
    codes = list(_codes(function.__code__))
    if any(_SEES_NAMES & {*code.co_names} for code in codes):
        return []
    read = {name for code in codes for name in _loaded(code)}
    return [name for name in arguments if name not in read]


def undeclared(function: Callable[..., Any], names: Collection[str]) -> list[str]:
    """Those of ``names`` that the function reads and that neither it, nor its module, nor Python defines."""
    if not isinstance(function, FunctionType):
        return []
    looked_up = {name for code in _codes(function.__code__) for name in _looked_up(code)}
    there = function.__globals__.keys() | vars(builtins).keys()
    return [name for name in names if name in looked_up and name not in there]


def _looked_up(code: CodeType) -> set[str]:
    """Names that code reads and no enclosing function defines, without those that a class body defines itself."""
    said = [(one.opname, one.argval) for one in dis.get_instructions(code)]
    own = {name for what, name in said if what == "STORE_NAME"}
    return {str(name) for what, name in said if what in ("LOAD_GLOBAL", "LOAD_NAME") and name not in own}


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code object and all code objects inside it."""
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _codes(one)


def _loaded(code: CodeType) -> Iterator[str]:
    """Names of variables that code loads: its own, and those of enclosing functions."""
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
