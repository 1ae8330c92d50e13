"""Finds the functions of pyspark that the code of a declaration uses. Nothing is run: code objects are read.

Names are followed to their present values: globals, closures, aliases, partials, default arguments, imports inside
functions, and helpers of the project with everything that these use. Code that passes the module of functions on as a
value cannot be followed; that counts as a use of the module itself. Pyspark is not imported.
"""

from __future__ import annotations

import dis
import importlib
import importlib.util
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

FUNCTIONS = "pyspark.sql.functions"
PASSED_ON = "the module of functions as a value"
SQL_TEXT = "SQL as text"
_TAKE_TEXT = frozenset({"where", "filter"})
_UNKNOWN: Any = object()
_Where = tuple[str, str, int]
_NOWHERE: _Where = ("", "", 0)
_Waiting = list[tuple[Any, _Where]]
_CACHED = type(lru_cache(len))


@dataclass(frozen=True, slots=True)
class Use:
    """The use of a function of pyspark."""

    name: str
    """The name of a function of pyspark; ``.name`` for a method; or ``PASSED_ON`` or ``SQL_TEXT``."""
    function: str
    """The function whose code has the use."""
    file: str
    line: int

    @property
    def where(self) -> str:
        """The position of the use, for people. The file is named from its last folder on."""
        return f"{self.function} ({'/'.join(self.file.split('/')[-2:])}, line {self.line})" if self.function else ""


@dataclass(slots=True)
class _Frame:
    """A code object that is being read. local: the values of its variables, as far as an assignment or import gave
    them."""

    code: CodeType
    scope: Mapping[str, Any]
    name: str
    local: dict[str, Any] = field(default_factory=dict)


class CalledFunctions:
    """Finds the uses in everything that can be reached from some values.

    packages: code is followed if it is in a package with one of these top-level names. methods: names of attributes
    that count as uses on any value, since the value of a variable is not known.
    """

    def __init__(self, packages: Set[str], methods: Set[str]) -> None:
        self._packages, self._methods = packages, methods
        self._met: dict[int, Any] = {}  # with the values, so that no two get one id

    def of(self, *values: Any) -> Iterator[Use]:
        """The uses that can be reached from ``values``. One object follows each value only once."""
        waiting: _Waiting = [(value, _NOWHERE) for value in values]
        while waiting:
            value, where = waiting.pop()
            name = _function_name(value)
            if name is not None:
                yield Use(name, *where)
            elif _is_functions(value):
                yield Use(PASSED_ON, *where)
            elif id(value) not in self._met and not isinstance(value, str | int | float | bytes | None):
                self._met[id(value)] = value
                if isinstance(value, FunctionType) and self._is_ours(value.__module__):
                    yield from self._of_function(value, waiting)
                waiting += ((part, where) for part in self._parts(value))

    def _is_ours(self, module: object) -> bool:
        return str(module).partition(".")[0] in self._packages

    def _parts(self, value: Any) -> list[Any]:
        """The parts of a value that may be code or have code."""
        if isinstance(value, partial):
            return [value.func, *value.args, *value.keywords.values()]
        if isinstance(value, MethodType):
            return [value.__func__, value.__self__]
        if isinstance(value, dict | MappingProxyType):
            return [*value.values()]
        if isinstance(value, list | tuple | set | frozenset):
            return [*value]
        if isinstance(value, staticmethod | classmethod):
            return [value.__func__]
        if isinstance(value, property):
            return [value.fget]
        if isinstance(value, ModuleType):
            return []
        kind = value if isinstance(value, type) else type(value)
        if isinstance(value, FunctionType):
            cells = [one for one in map(_content, value.__closure__ or ()) if not isinstance(one, ModuleType)]
            return [*cells, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values(), *vars(value).values()]
        if isinstance(value, _CACHED):
            return [value.__wrapped__]
        if not self._is_ours(kind.__module__):
            return []
        if isinstance(value, type):
            return [*vars(value).values(), *value.__bases__]
        slots = [name for base in kind.__mro__ for name in vars(base).get("__slots__", ()) if hasattr(value, name)]
        return [kind, *getattr(value, "__dict__", {}).values(), *(getattr(value, name) for name in slots)]

    # --- code ----------------------------------------------------------------------------------------

    def _of_function(self, function: FunctionType, waiting: _Waiting) -> Iterator[Use]:
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        local = {name: _content(cell) for name, cell in cells}
        frames = [_Frame(function.__code__, function.__globals__, function.__qualname__, local)]
        while frames:
            yield from self._of_code(frames.pop(), frames, waiting)

    def _of_code(self, frame: _Frame, frames: list[_Frame], waiting: _Waiting) -> Iterator[Use]:
        top = imported = _UNKNOWN  # what the instruction before has left on the stack; what an import is about
        attribute, line = "", frame.code.co_firstlineno
        constants: tuple[Any, Any] = (0, None)  # the last two
        inner: list[CodeType] = []
        for one in dis.get_instructions(frame.code):
            if one.opname == "EXTENDED_ARG":  # a part of the next one
                continue
            line = (one.positions and one.positions.lineno) or line
            before, top, taken, attribute = top, _UNKNOWN, attribute, ""
            kind, name = one.opname, one.argval
            if kind.count("_FAST") == 2:  # two variables at once, as Python 3.13 does
                if kind.startswith("STORE"):
                    frame.local[name[0]] = before
                kind, name = "STORE_FAST" if "_STORE_" in kind else "LOAD_FAST", name[1]
            where = (frame.name, frame.code.co_filename, line)
            if kind in ("LOAD_GLOBAL", "LOAD_NAME"):
                top = frame.local.get(name, frame.scope.get(name, _UNKNOWN))
            elif kind.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_CLOSURE", "LOAD_FROM_DICT")):
                top = frame.local.get(name, _UNKNOWN)
            elif kind.startswith("STORE_") and kind not in ("STORE_ATTR", "STORE_SUBSCR"):
                frame.local[name] = before
            elif kind in ("LOAD_ATTR", "LOAD_METHOD"):
                top = self._attribute(before, name)
                attribute = name if before is _UNKNOWN else ""
                if attribute in self._methods:
                    yield Use(f".{attribute}", *where)
            elif kind == "IMPORT_NAME":
                top = imported = self._imported(name, constants, frame.scope)
            elif kind == "IMPORT_FROM":
                top = self._attribute(imported, name)
                if constants[1] is None:  # import a.b as c: b is looked for in a
                    imported = top
            elif kind == "LOAD_CONST":
                constants = (constants[1], name)
                if isinstance(name, CodeType):
                    inner.append(name)
                elif isinstance(name, str) and taken in _TAKE_TEXT:
                    yield Use(SQL_TEXT, *where)
            read = kind in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM", "POP_TOP") or kind.startswith(("STORE_", "SWAP"))
            if _is_functions(before) and not read:
                yield Use(PASSED_ON, *where)
            if top is not _UNKNOWN and not isinstance(top, ModuleType):
                found = _function_name(top)
                if found is not None:
                    yield Use(found, *where)
                else:
                    waiting.append((top, where))
        for code in inner:
            frames.append(_Frame(code, frame.scope, f"{frame.name}.{code.co_name}", dict(frame.local)))

    def _attribute(self, of: Any, name: str) -> Any:
        if isinstance(of, ModuleType):
            if _is_functions(of):
                return vars(of).get(name, _Named(name))
            return vars(of).get(name, _module(f"{of.__name__}.{name}"))
        if isinstance(of, type) and self._is_ours(of.__module__):
            return vars(of).get(name, _UNKNOWN)
        return _UNKNOWN

    def _imported(self, name: str, constants: tuple[Any, Any], scope: Mapping[str, Any]) -> Any:
        """The module that an import names. constants: the number of leading dots, and the imported names."""
        level, names = constants
        full = name
        if isinstance(level, int) and level:
            full = importlib.util.resolve_name("." * level + name, str(scope.get("__package__") or ""))
        bound = full if names else full.partition(".")[0]
        if not self._is_ours(full):
            return _module(bound)
        try:
            importlib.import_module(full)
            return importlib.import_module(bound)
        except ImportError:  # the function cannot do it either
            return _UNKNOWN


@dataclass(frozen=True, slots=True)
class _Named:
    """A function of a module that is not loaded."""

    name: str


def _module(name: str) -> Any:
    """A stand-in with the name of a module of pyspark. Modules of other packages are not followed."""
    return ModuleType(name) if name in ("pyspark", "pyspark.sql", FUNCTIONS, f"{FUNCTIONS}.builtin") else _UNKNOWN


def _is_functions(value: Any) -> bool:
    return isinstance(value, ModuleType) and value.__name__ in (FUNCTIONS, f"{FUNCTIONS}.builtin")


def _function_name(value: Any) -> str | None:
    """The name of a function in pyspark; None for anything else."""
    if isinstance(value, _Named):
        return value.name
    module = getattr(value, "__module__", None) if isinstance(value, FunctionType | type) else None
    return value.__name__ if isinstance(module, str) and module.startswith(FUNCTIONS) else None


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None
