"""Which names a scope of Python code binds: what tells a local variable from a name of the module.

The rules are those of the language reference (4.2.1, Binding of names), for the syntax of Python 3.11 to 3.13; the
tests compare them with what the interpreter's own ``symtable`` says of every module at hand.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["function", "class", "comprehension"]
Function = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import statement binds to a name."""

    module: str
    """The module as written, with leading dots."""
    name: str = ""
    """The imported name of ``from module import name``; empty for ``import module``."""


@dataclass(slots=True)
class Scope:
    """The names that a function, class or comprehension binds."""

    kind: Kind
    bound: set[str] = field(default_factory=set)
    declared_global: set[str] = field(default_factory=set)
    """Names in ``global`` statements."""
    nonlocals: set[str] = field(default_factory=set)
    """Names in ``nonlocal`` statements."""
    imports: dict[str, set[Imported]] = field(default_factory=dict)
    """Name → what imports bind to it."""
    otherwise: set[str] = field(default_factory=set)
    """Names that something else than an import binds."""

    @property
    def local(self) -> set[str]:
        return self.bound - self.declared_global - self.nonlocals

    def alias(self, name: str) -> Imported | None:
        """What a local name always stands for, if only imports of one thing bind it; None where that depends on what
        has run."""
        found = self.imports.get(name, set())
        if len(found) != 1 or name in self.otherwise or name not in self.local:
            return None
        return next(iter(found))


def function_scope(node: Function | ast.Lambda) -> Scope:
    binder = _Binder("function")
    for argument in arguments_of(node.args):
        binder.bind(argument.arg)
    for inner in node.body if isinstance(node.body, list) else [node.body]:
        binder.visit(inner)
    return binder.scope


def class_scope(node: ast.ClassDef) -> Scope:
    binder = _Binder("class")
    for inner in node.body:
        binder.visit(inner)
    return binder.scope


def comprehension_scope(node: Comprehension) -> Scope:
    """The scope of a comprehension: only its targets. What ``:=`` binds belongs to the enclosing function."""
    binder = _Binder("comprehension")
    for generator in node.generators:
        binder.visit(generator.target)
    return binder.scope


def type_parameters_scope(node: ast.AST) -> Scope:
    """The scope of ``[T]`` (Python 3.12), which encloses a function or class."""
    scope = Scope("function")
    scope.bound |= {parameter.name for parameter in getattr(node, "type_params", ())}
    return scope


def module_bindings(node: ast.stmt) -> set[str]:
    """The names that a statement binds in its module."""
    binder = _Binder("function")
    binder.visit(node)
    return binder.scope.bound


def arguments_of(arguments: ast.arguments) -> list[ast.arg]:
    several = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*several, *(one for one in (arguments.vararg, arguments.kwarg) if one is not None)]


class _Binder(ast.NodeVisitor):
    """Collects the names that a body binds, without those of inner scopes."""

    def __init__(self, kind: Kind) -> None:
        self.scope = Scope(kind)
        self._inside = 0  # of how many comprehensions

    def bind(self, name: str | None) -> None:
        if name is not None:
            self.scope.bound.add(name)
            self.scope.otherwise.add(name)

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load) and not self._inside:
            self.bind(node.id)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.bind(node.target.id)
        self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _function(self, node: Function) -> None:
        self.bind(node.name)
        for decorator in node.decorator_list:
            self.visit(decorator)
        self._defaults(node.args)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._defaults(node.args)

    def _defaults(self, arguments: ast.arguments) -> None:
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self.visit(default)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.bind(node.name)
        for inner in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(inner)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node)

    def _comprehension(self, node: Comprehension) -> None:
        self._inside += 1
        self.generic_visit(node)
        self._inside -= 1

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.bind(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.bind(node.name)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self.bind(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.bind(node.rest)
        self.generic_visit(node)

    def visit_TypeAlias(self, node: ast.AST) -> None:
        self.visit(node.name)  # type: ignore[attr-defined]  # Python 3.12

    def visit_Global(self, node: ast.Global) -> None:
        self.scope.declared_global |= set(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.scope.nonlocals |= set(node.names)

    def visit_Import(self, node: ast.Import) -> None:
        for name, imported in imported_by(node):
            self.scope.bound.add(name)
            self.scope.imports.setdefault(name, set()).add(imported)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for name, imported in imported_by(node):
            self.scope.bound.add(name)
            self.scope.imports.setdefault(name, set()).add(imported)


def imported_by(node: ast.Import | ast.ImportFrom) -> list[tuple[str, Imported]]:
    """The names that an import statement binds, each with what it stands for."""
    if isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        return [(alias.asname or alias.name, Imported(module, alias.name)) for alias in node.names]
    return [
        (alias.asname, Imported(alias.name))
        if alias.asname
        else (alias.name.partition(".")[0], Imported(alias.name.partition(".")[0]))
        for alias in node.names
    ]
