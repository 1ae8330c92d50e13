"""Scopes of names, compared with the interpreter's own: of real files, and of odd code."""

from __future__ import annotations

import ast
import re
import symtable
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from orchestration.core.code import scopes

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("assets", "orchestration", "tests/engine/code")


@pytest.mark.costly
@pytest.mark.parametrize(
    "file",
    sorted(str(file.relative_to(ROOT)) for folder in FOLDERS for file in ROOT.glob(f"{folder}/**/*.py")),
)
def test_scopes_are_those_of_the_interpreter(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert sorted(own_scopes(ast.parse(text))) == sorted(interpreters_scopes(symtable.symtable(text, "x", "exec")))


def test_scopes_of_odd_code() -> None:
    text = dedent("""
        def f(a, /, b, *c, d, **e):
            global g
            g = 1
            h = [i := j for j in a for k in j]
            l: int
            m[0] = n.o = 1
            async def p(q=(r := 1)): return await q
            with a as (s, *t): del u
            for v in a: pass
            try: import w.x, y as z
            except* A as aa: from b import c as bb
            match a:
                case [cc, *dd] | {"x": ee, **ff}: pass
                case A(x=gg) as hh: pass
            class ii(jj := object):
                kk = 1
                def ll(self): nonlocal h; h = 1
            return lambda mm=(nn := 1): {oo: pp for oo, pp in a}
        """)
    assert sorted(own_scopes(ast.parse(text))) == sorted(interpreters_scopes(symtable.symtable(text, "x", "exec")))


def own_scopes(tree: ast.AST) -> Iterator[tuple[int, tuple[str, ...]]]:
    for node in ast.walk(tree):
        scope = None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            scope = scopes.function_scope(node)
        elif isinstance(node, ast.ClassDef):
            scope = scopes.class_scope(node)
        elif isinstance(node, scopes.COMPREHENSIONS):
            scope = scopes.comprehension_scope(node)
        if scope is not None:
            yield node.lineno, tuple(sorted(scope.local))


def interpreters_scopes(table: symtable.SymbolTable) -> Iterator[tuple[int, tuple[str, ...]]]:
    for child in table.get_children():
        made_up = ("__class__", "__module__", "__qualname__", "__static_attributes__", "__firstlineno__")
        names = (
            re.sub("^_[A-Z][a-z]+(?=__)", "", symbol.get_name())
            for symbol in child.get_symbols()
            if symbol.is_local() or symbol.is_parameter()
        )
        yield child.get_lineno(), tuple(sorted(name for name in names if name not in made_up and name[0] != "."))
        yield from interpreters_scopes(child)
