"""The syntax trees of modules, and where the code of a function or class stands in them."""

from __future__ import annotations

import ast
import dis
import linecache
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any

from orchestration.core.code.scopes import Function, module_bindings

_PARSING = threading.Lock()
"""Python 3.11 parses in one thread at a time: "AST … depth mismatch" otherwise."""


@dataclass(slots=True)
class Source:
    """The syntax tree of one module, with an index."""

    tree: ast.Module
    functions: dict[tuple[str, int], tuple[Function, str]] = field(default_factory=dict)
    """(name, first line with decorators) → the definition, and the enclosing class."""
    lambdas: dict[int, list[tuple[ast.Lambda, str]]] = field(default_factory=dict)
    """Line → the lambdas on it, each with the enclosing class."""
    classes: dict[str, list[ast.ClassDef]] = field(default_factory=dict)
    """Qualified name → the definitions."""
    statements: dict[str, list[ast.stmt]] = field(default_factory=dict)
    """Name → the statements that bind it in the module."""

    def function(self, code: CodeType) -> tuple[Function | ast.Lambda, str] | None:
        """The definition of which ``code`` was made, and the enclosing class; None where that is not certain."""
        if code.co_name == "<lambda>":
            found = [one for one in self.lambdas.get(code.co_firstlineno, ()) if _may_be(one[0], code)]
            if not _locations(code):  # Python 3.12.1 notes none where a constant is returned
                value = list(dis.get_instructions(code))[-1].argval
                found = [one for one in found if _is_constant(one[0].body, value)]
                return found[0] if found else None
            inside = [one for one in found if _holds(one[0], code)]
            smallest = min((_extent(one[0].body) for one in inside), key=_size, default=None)
            inside = [one for one in inside if _extent(one[0].body) == smallest]
            return inside[0] if len(inside) == 1 else None
        named = self.functions.get((code.co_name, code.co_firstlineno))
        return named if named is not None and _may_be(named[0], code) else None


def source_of_file(path: str, scope: dict[str, Any] | None = None) -> Source:
    """The syntax tree of a module's file; empty where there is no file. scope: of the module, which has its loader."""
    linecache.checkcache(path)
    return _parsed("".join(linecache.getlines(path, scope)))


@lru_cache(maxsize=256)
def _parsed(text: str) -> Source:
    with _PARSING:
        tree = ast.parse(text)
    source = Source(tree)
    _index(source, tree, "", "")
    for statement in tree.body:
        for name in module_bindings(statement):
            source.statements.setdefault(name, []).append(statement)
    return source


def _index(source: Source, node: ast.AST, prefix: str, enclosing: str) -> None:
    for inner in ast.iter_child_nodes(node):
        match inner:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                line = min([inner.lineno, *(decorator.lineno for decorator in inner.decorator_list)])
                source.functions[inner.name, line] = (inner, enclosing)
                _index(source, inner, f"{prefix}{inner.name}.<locals>.", enclosing)
            case ast.ClassDef():
                source.classes.setdefault(f"{prefix}{inner.name}", []).append(inner)
                _index(source, inner, f"{prefix}{inner.name}.", inner.name)
            case ast.Lambda():
                source.lambdas.setdefault(inner.lineno, []).append((inner, enclosing))
                _index(source, inner, f"{prefix}<lambda>.<locals>.", enclosing)
            case _:
                _index(source, inner, prefix, enclosing)


def _may_be(node: Function | ast.Lambda, code: CodeType) -> bool:
    """Whether a definition has the arguments of ``code``. It may not, if the file has changed since it was imported."""
    arguments = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return len(arguments) == len(names) and all(
        one == name or one.startswith("__") for one, name in zip(arguments, names, strict=True)
    )


Extent = tuple[tuple[int, int], tuple[int, int]]


def _extent(node: ast.expr) -> Extent:
    assert node.end_lineno is not None and node.end_col_offset is not None
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _size(extent: Extent) -> tuple[int, int]:
    (first, start), (last, end) = extent
    return last - first, end - start if first == last else end


def _locations(code: CodeType) -> list[Extent]:
    """The extents in the source from which the instructions of ``code`` come."""
    return [
        ((line, column), (last_line, last_column))
        for line, last_line, column, last_column in code.co_positions()
        if line is not None and last_line is not None and column is not None and last_column is not None
        if (line, column, last_column) != (code.co_firstlineno, 0, 0)
    ]


def _holds(node: ast.Lambda, code: CodeType) -> bool:
    start, end = _extent(node.body)
    return all(start <= first and last <= end for first, last in _locations(code))


def _is_constant(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and (type(node.value), repr(node.value)) == (type(value), repr(value))
