"""Code versions: a digest of what makes an asset's rows — its function, the helpers and constants that it reaches in
``assets``, its mappings, and the values of its parameters. Comments, docstrings and formatting do not count.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from types import FunctionType, ModuleType
from typing import Any
from uuid import UUID

from orchestration.asset import Asset
from orchestration.parameters import Parameters

PACKAGE = "assets"
CONSTANTS = (str, int, float, bytes, tuple, list, dict, set, frozenset, UUID, date, time, timedelta, Decimal)


class CodeVersions:
    """The code version of every partition, for given parameters.

    A partition of a place depends on that place's own configuration only: adding a place changes no other's version.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._known: dict[tuple[str, str | None], str] = {}
        self._reading = threading.Lock()  # Python 3.11 parses in one thread at a time: "AST … depth mismatch" otherwise

    def of(self, asset: Asset, location: str | None) -> str:
        """16 hexadecimal digits for the partitions of ``asset`` at ``location`` (None: unpartitioned)."""
        if "locations" not in asset.parameters or asset.partitions is None:
            location = None
        with self._reading:
            found = self._known.get((asset.key, location))
            if found is None:
                text = "\n".join([*_sources(asset.function), *_settings(asset, self._parameters, location)])
                found = hashlib.sha256(text.encode()).hexdigest()[:16]
                self._known[(asset.key, location)] = found
            return found


def normalized(source: str) -> str:
    """Python source without comments, docstrings, decorators, annotations of its formatting: equal code, equal text."""
    tree = ast.parse(textwrap.dedent(source))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = []
    return ast.unparse(tree)


def _sources(function: Any) -> Iterator[str]:
    """The normalized source of ``function`` and of all that it reaches inside the package, each once."""
    waiting, seen = [function], set()
    while waiting:
        item = waiting.pop(0)
        if id(item) in seen:
            continue
        seen.add(id(item))
        source, names = _read(item)
        yield source
        scope = vars(item if isinstance(item, ModuleType) else sys.modules[item.__module__])
        for name in sorted(names):
            value = scope.get(name)
            leaves = (getattr(leaf, "__wrapped__", leaf) for leaf in _leaves(value))  # @cache and the like
            waiting += [leaf for leaf in leaves if _is_ours(leaf)]
            if isinstance(value, CONSTANTS):
                yield f"{name} = {_text(value)}"


def _read(item: Any) -> tuple[str, set[str]]:
    """The normalized source of a function, class or module, and the names in it."""
    text = inspect.getsource(item)
    try:
        source = normalized(text)
    except SyntaxError:  # a lambda amid a statement: its lines alone are no Python
        return text.strip(), set(item.__code__.co_names)
    return source, {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def _is_ours(value: Any) -> bool:
    module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
    return isinstance(value, FunctionType | type | ModuleType) and str(module).partition(".")[0] == PACKAGE


def _leaves(value: Any) -> Iterator[Any]:
    """What a container holds, at any depth; of anything else, itself."""
    if isinstance(value, dict):
        value = (*value.keys(), *value.values())
    if isinstance(value, tuple | list | set | frozenset):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _text(value: Any) -> str:
    """A constant as text that is the same in every process: sets are sorted, no address of an object is in it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)}: {_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(_text(item) for item in value)) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return repr(value) if isinstance(value, CONSTANTS) else getattr(value, "__qualname__", type(value).__qualname__)


def _settings(asset: Asset, parameters: Parameters, location: str | None) -> Iterator[str]:
    for mapping in asset.upstream:
        yield repr(mapping)
        at_least = getattr(mapping, "at_least", None)
        if at_least is not None:
            yield repr(parameters.value(at_least))
    for name in sorted(asset.parameters):
        value = getattr(parameters, name)
        if name == "locations" and location is not None:
            value = [place for place in value if place.key == location]
        yield f"{name} = {json.dumps(value, default=_plain, sort_keys=True)}"


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"a parameter holds a {type(value).__name__}, which has no lasting text")
