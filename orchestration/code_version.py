"""Code versions: a digest of what makes an asset's rows — its function, the helpers and constants that it reaches in
``assets``, its mappings, and the values of its parameters. Comments, docstrings and formatting do not count.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

from orchestration.asset import Asset
from orchestration.parameters import Parameters

PACKAGE = "assets"


class CodeVersions:
    """The code version of every partition, for given parameters.

    A partition of a place depends on that place's own configuration only: adding a place changes no other's version.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._known: dict[tuple[str, str | None], str] = {}

    def of(self, asset: Asset, location: str | None) -> str:
        """16 hexadecimal digits for the partitions of ``asset`` at ``location`` (None: unpartitioned)."""
        if "locations" not in asset.parameters or asset.partitions is None:
            location = None
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
        yield normalized(inspect.getsource(item))
        if isinstance(item, FunctionType):
            for name in sorted(_names(item.__code__)):
                value = item.__globals__.get(name)
                if _is_ours(value):
                    waiting.append(value)
                elif _is_constant(value):
                    yield f"{name} = {value!r}"


def _names(code: CodeType) -> set[str]:
    nested = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*(_names(inner) for inner in nested))


def _is_ours(value: Any) -> bool:
    module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
    return isinstance(value, FunctionType | type | ModuleType) and str(module).partition(".")[0] == PACKAGE


def _is_constant(value: Any) -> bool:
    return value is not None and isinstance(value, str | int | float | bytes | tuple | dict)


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
