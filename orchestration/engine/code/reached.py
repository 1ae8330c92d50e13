"""Everything that makes the rows of a function, as one canonical text: its code and all code of the project that it
uses.

Names are followed to their present values, as Python does. Functions, classes and containers of the project are
numbered in the order in which they are met, and defined once. Anything of other packages goes by its public name.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import lru_cache, partial
from pathlib import Path
from types import (
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

from orchestration.core.code.canonical import Writer, constant, plain
from orchestration.core.code.scopes import class_scope, imported_by
from orchestration.core.code.visible import Seen
from orchestration.engine.code.live_names import LASTING, LITERALS, Names, public_name
from orchestration.engine.code.syntax import Source, source_of_file

ENGINE = "orchestration"
_CACHED = type(lru_cache(len))
_DESCRIPTORS = (MemberDescriptorType, GetSetDescriptorType)
_OF_NAMED_TUPLES = ("_make", "_replace", "_asdict", "_fields", "_field_defaults")


@dataclass(frozen=True)
class Form:
    """The canonical form of code."""

    text: str
    """Equal for code of equal meaning."""
    attributes: frozenset[str]
    """The names of attributes that the code reads of values."""
    whole: bool
    """Whether the code can read attributes without naming them."""


def form_of(roots: Sequence[Any], package: str) -> Form:
    """The canonical form of functions, classes or other values, with everything of ``package`` that they use."""
    fixed: frozenset[str] = frozenset()
    exact = False
    while True:  # what is passed by name, or can see names, is known at the end; then once more
        reach = _Reach(package, fixed, exact)
        text = reach.text(roots)
        seen = reach.seen
        by_name = frozenset(seen.parameters if seen.any_keyword else seen.parameters & seen.keywords)
        if by_name <= fixed and seen.exact <= exact:
            return Form(text, frozenset(seen.attributes), seen.whole)
        fixed, exact = fixed | by_name, exact or seen.exact


class _Reach:
    """Collects everything that is reached, as text."""

    def __init__(self, package: str, fixed: frozenset[str], exact: bool) -> None:
        self.seen = Seen()
        self._roots = {package, ENGINE}
        self._package, self._fixed, self._exact = package, fixed, exact
        self._numbers: dict[Any, int] = {}
        self._waiting: list[Callable[[], str]] = []
        self._kept: list[Any] = []  # so that no two values get one id
        self._files: dict[str, Source] = {}

    def text(self, roots: Sequence[Any]) -> str:
        lines = [self._reference(root) if isinstance(root, FunctionType) else self.value(root) for root in roots]
        for number, define in enumerate(self._waiting):  # grows on the way
            lines.append(f"#{number} = {define()}")
        return "\n".join(lines)

    def writer(self, outer: Names, enclosing_class: str = "") -> Writer:
        return Writer(outer, self.seen, self._fixed, self._exact, enclosing_class)

    def source(self, path: str, scope: dict[str, Any]) -> Source:
        if path not in self._files:
            self._files[path] = source_of_file(path, scope)
        return self._files[path]

    def is_ours(self, module: object) -> bool:
        return any(str(module) == root or str(module).startswith(f"{root}.") for root in self._roots)

    # --- values --------------------------------------------------------------------------------------

    def value(self, value: Any) -> str:
        """A value as text that is the same in every process, or a reference to it."""
        kind = type(value)
        if kind in LITERALS:
            return constant(value)
        if kind in LASTING:
            return f"{kind.__name__}:{value!r}"
        if kind is tuple:
            return f"({','.join(self.value(item) for item in value)})"
        if isinstance(value, ModuleType):
            return self._reference(value) if self.is_ours(value.__name__) else f"@{value.__name__}"
        if kind is _CACHED:
            return self.value(value.__wrapped__)
        if isinstance(value, FunctionType):
            name = self.public(value)
            return f"@{name}" if name else self._reference(value)
        if isinstance(value, type) and self.is_ours(value.__module__):
            if self._class_source(value):
                return self._reference(value)
            return _unlasting(f"class {value.__name__}({','.join(self.value(base) for base in value.__bases__)})")
        if kind is MethodType:
            return f"method({self.value(value.__func__)},{self.value(value.__self__)})"
        if kind in (staticmethod, classmethod):
            return f"{kind.__name__}({self.value(value.__func__)})"
        if kind is property:
            return f"property({','.join(self.value(part) for part in (value.fget, value.fset, value.fdel))})"
        if kind is partial:
            self.seen.keywords |= set(value.keywords)
            parts = (value.func, value.args, tuple(value.keywords.items()))
            return f"partial({','.join(self.value(part) for part in parts)})"
        if kind is re.Pattern:
            return f"pattern({constant(value.pattern)},{value.flags})"
        if isinstance(value, Enum):
            return f"member({self.value(kind)},{value.name},{self.value(value.value)})"
        if isinstance(value, type) or not isinstance(value, Mapping | Set | Sequence):
            name = self.public(value)
            if name:
                return f"@{name}"
        if isinstance(value, type):
            return _unlasting(f"class {value.__module__}.{value.__qualname__}")
        return self._reference(value)

    def public(self, value: Any) -> str:
        """The public name of a value of another package; empty where it has none. A function that a decorator of
        another package made has our name."""
        name = public_name(value)
        return "" if self.is_ours(name) else name

    def _reference(self, value: Any) -> str:
        return self.numbered(id(value), lambda: self._definition(value), value)

    def numbered(self, key: Any, define: Callable[[], str], keep: Any = None) -> str:
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers)
            self._waiting.append(define)
            self._kept.append(keep)
        return f"#{self._numbers[key]}"

    def is_lasting(self, value: Any, above: frozenset[int] = frozenset()) -> bool:
        """Whether the text of ``value`` says everything about it, at any depth. Otherwise it matters how it was
        made.
        """
        if id(value) in above:
            return True
        kind, within = type(value), above | {id(value)}
        if kind in (*LITERALS, *LASTING, re.Pattern) or isinstance(value, ModuleType | Enum):
            return True
        if kind is _CACHED:
            return self.is_lasting(value.__wrapped__, within)
        if isinstance(value, type) and self.is_ours(value.__module__):
            return bool(self._class_source(value))
        if isinstance(value, type):
            return bool(self.public(value))
        parts: list[Any]
        if isinstance(value, FunctionType):
            parts = [*_cells(value).values(), *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        elif kind in (dict, MappingProxyType, OrderedDict):
            parts = [*value.keys(), *value.values()]
        elif kind in (list, tuple, set, frozenset):
            parts = [*value]
        elif kind is partial:
            parts = [value.func, *value.args, *value.keywords.values()]
        elif kind is MethodType:
            parts = [value.__func__, value.__self__]
        elif self.public(value):
            return True
        else:
            state = self._state(value)
            if state is None:
                return False
            parts = [kind, *state.values()]
        return all(self.is_lasting(part, within) for part in parts)

    def _definition(self, value: Any) -> str:
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, ModuleType):
            return self._module(value)
        kind = type(value)
        name = "" if kind in (dict, list, set, frozenset) else self.value(kind)
        if kind.__module__ in ("weakref", "_weakref", "_weakrefset"):  # caches, which fill while code runs
            text = _unlasting("")
        elif isinstance(value, Mapping):
            text = f"{{{','.join(f'{self.value(key)}:{self.value(item)}' for key, item in value.items())}}}"
        elif isinstance(value, Set):
            text = f"set({','.join(self.value(item) for item in sorted(value, key=_order_in_set))})"
        elif isinstance(value, list) or (isinstance(value, Sequence) and not isinstance(value, str | bytes)):
            text = f"[{','.join(self.value(item) for item in value)}]"
        else:
            text = self._instance(value)
        return f"{name}{text}"

    def _instance(self, value: Any) -> str:
        state = self._state(value)
        if state is None:
            text = repr(value)
            return _unlasting("" if re.search(r"\bat 0x[0-9a-fA-F]+", text) else ascii(text))
        return f"<{','.join(f'{name}={self.value(item)}' for name, item in state.items())}>"

    def _state(self, value: Any) -> dict[str, Any] | None:
        """Everything that an object holds; None where that is not known."""
        kind = type(value)
        if is_dataclass(value):
            state = {field.name: getattr(value, field.name) for field in fields(value) if hasattr(value, field.name)}
        elif self.is_ours(kind.__module__) and all(self.is_ours(base.__module__) for base in kind.__mro__[:-1]):
            slots = [name for base in kind.__mro__ for name in _slots(base)]
            state = {name: getattr(value, name) for name in sorted(slots) if hasattr(value, name)}
        else:
            return None
        return state | getattr(value, "__dict__", {})

    # --- definitions ---------------------------------------------------------------------------------

    def _function(self, function: FunctionType) -> str:
        code = function.__code__
        found = self.source(code.co_filename, function.__globals__).function(code)
        names = Names(self, function.__globals__, _cells(function))
        defaults = [self.value(value) for value in function.__defaults__ or ()]
        defaults += [f"{name}={self.value(value)}" for name, value in sorted((function.__kwdefaults__ or {}).items())]
        extra = {name: value for name, value in sorted(vars(function).items()) if name != "__wrapped__"}
        if found is None:
            text = self._byte_code(code, names)
        else:
            node, enclosing = found
            text = self.writer(names, enclosing).function(node, ",".join(defaults), decorators=self._exact)
        if "__class__" in code.co_freevars:
            text += f"class={self.value(names.closure.get('__class__'))}"
        if self._exact:
            text += f"name={function.__module__}.{function.__qualname__}"
        return text + "".join(f",{name}={self.value(value)}" for name, value in extra.items())

    def _byte_code(self, code: CodeType, names: Names) -> str:
        """The text of a function without source: one that was made at run time, or changed since it was imported."""
        reached = [names.reach(name, (), False)[0] for name in (*code.co_names, *code.co_freevars)]
        constants = [
            self._byte_code(one, names) if isinstance(one, CodeType) else self.value(one) for one in code.co_consts
        ]
        what = (code.co_varnames, code.co_cellvars, code.co_argcount, code.co_kwonlyargcount, code.co_flags)
        return f"code({code.co_code.hex()},{what},[{','.join(reached)}],[{','.join(constants)}])"

    def _class_source(self, kind: type) -> list[Any]:
        module = sys.modules.get(kind.__module__)
        path = getattr(module, "__file__", None)
        return self.source(path, vars(module)).classes.get(kind.__qualname__, []) if path and module else []

    def _class(self, kind: type) -> str:
        nodes = self._class_source(kind)
        functions = [value for value in vars(kind).values() if isinstance(value, FunctionType)]
        closure = {name: cell for function in functions for name, cell in _cells(function).items()}
        names = Names(self, vars(sys.modules[kind.__module__]), closure)
        named = not kind.__module__.startswith(f"{ENGINE}.")
        parts = [self.writer(names).class_(node, named) for node in nodes]
        if type(kind) is type:  # what was put into it later
            bound = set().union(*(class_scope(node).local for node in nodes))
            local = "<locals>" in kind.__qualname__  # made by a function, of what it was called with
            if local:
                parts.append(self.value(kind.__bases__))
            lines = [range(node.lineno, node.end_lineno + 1) for node in nodes]
            for name, value in sorted(vars(kind).items()):
                inside = isinstance(value, FunctionType) and any(value.__code__.co_firstlineno in at for at in lines)
                made = not isinstance(value, FunctionType) or value.__code__.co_filename.startswith("<")
                made |= not self.is_ours(getattr(value, "__globals__", {}).get("__name__"))
                made &= name.startswith("__") and name.endswith("__")  # by Python, or by @dataclass
                made |= issubclass(kind, tuple) and name in _OF_NAMED_TUPLES
                counts = name not in bound or type(value) in LITERALS or isinstance(value, FunctionType) or local
                if counts and not (inside or made or type(value) in _DESCRIPTORS):
                    parts.append(f"{name}={self.value(value)}")
        if self._exact:
            parts.append(f"{kind.__module__}.{kind.__qualname__}")
        return ";".join(parts)

    def _module(self, module: ModuleType) -> str:
        path = module.__file__ or ""
        bound = self.source(path, vars(module)).statements
        names = Names(self, vars(module), {})
        parts = [f"{name}={names.reach(name, (), False)[0]}" for name in sorted(vars(module)) if name in bound]
        for folder in getattr(module, "__path__", ()):  # which modules of a package are there depends on what has run
            for file in sorted(Path(folder).rglob("*.py")):
                parts.append(plain(self.source(str(file), {}).tree))
        return f"module({','.join(parts)})"

    def binding(self, scope: Mapping[str, Any], name: str) -> str:
        """The statements that bind ``name`` in the module with the names ``scope``."""
        path = scope.get("__file__")
        statements = self.source(path, dict(scope)).statements.get(name, []) if path else []
        return self.numbered(("binding", path, name), lambda: self._binding(scope, name, statements))

    def _binding(self, scope: Mapping[str, Any], name: str, statements: list[Any]) -> str:
        names = Names(self, scope, {})
        texts = []
        for statement in statements:
            for imported_name, imported in imported_by(statement) if isinstance(statement, ast.ImportFrom) else ():
                module = names.module(imported.module) if imported_name == name else None
                if module is not None:
                    texts.append(self.binding(vars(module), imported.name))
            texts.append(self.writer(names).write(statement))
        return f"made by [{','.join(texts)}]"


def _cells(function: FunctionType) -> dict[str, Any]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not bound yet
            continue
    return found


def _unlasting(text: str) -> str:
    return f"unlasting({text})"


def _slots(kind: type) -> Sequence[str]:
    slots = vars(kind).get("__slots__", ())
    return [slots] if isinstance(slots, str) else [name for name in slots if name not in ("__dict__", "__weakref__")]


def _order_in_set(value: Any) -> str:
    """A key to sort the members of a set, which has no order of its own: their texts; for functions and classes their
    names."""
    name = getattr(value, "__qualname__", None)
    if name is not None:
        return f"{getattr(value, '__module__', '')}.{name}"
    if isinstance(value, frozenset):
        return ",".join(sorted(_order_in_set(item) for item in value))
    if isinstance(value, tuple):
        return ",".join(_order_in_set(item) for item in value)
    return f"{type(value).__name__}:{value!r}"
