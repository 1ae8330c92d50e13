"""Python code as canonical text: equal text, equal meaning; comments, annotations and names of variables do not count.

The text is the syntax tree, written by this module (``ast.unparse`` and ``ast.dump`` write otherwise in every version
of Python). A local variable is a number, unique to the scope that binds it, in the order in which they are met. A name
from outside is what ``Outer`` says that it stands for. Knows nothing of modules and live values.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from orchestration.core.code import scopes
from orchestration.core.code.scopes import Function, Imported, Scope
from orchestration.core.code.visible import Seen

NEUTRAL = frozenset({"@functools.cache", "@functools.lru_cache", "@functools.wraps", "@typing.override"})
"""Decorators that leave what a function gives as it is."""

_KEPT_OF_DATACLASSES = frozenset({"ClassVar", "InitVar", "KW_ONLY"})


class Outer(Protocol):
    """The meaning of names that a piece of code does not define itself."""

    def reach(self, base: str | Imported, attributes: Sequence[str], stored: bool) -> tuple[str, int]:
        """``base.attributes…`` as text, and how many of the attributes are in it."""
        ...

    def load(self, module: str) -> None:
        """Called for a module that the code imports."""
        ...


class Writer:
    """Writes one piece of code. fixed: arguments that keep their names. exact: all names, docstrings and annotations
    are kept. enclosing_class: in whose body the code stands, for names like ``__x``."""

    def __init__(
        self, outer: Outer, seen: Seen, fixed: frozenset[str], exact: bool = False, enclosing_class: str = ""
    ) -> None:
        self._outer, self._seen, self._fixed, self._exact = outer, seen, fixed, exact
        self._scopes: list[Scope] = []
        self._classes = [enclosing_class] if enclosing_class else []
        self._numbers: dict[tuple[int, str], int] = {}
        self._tries = 0  # how many are around
        self._kept: list[Scope] = []  # so that no two scopes get one id

    # --- definitions ---------------------------------------------------------------------------------

    def function(self, node: Function | ast.Lambda, defaults: str | None = None, decorators: bool = False) -> str:
        """A function. defaults: of its arguments, where they are known as values."""
        parts = []
        if decorators and not isinstance(node, ast.Lambda):
            parts.append(f"decorators=[{','.join(self._decorators(node))}]")
        if defaults is None:
            defaults = self._fields(node.args, ("defaults", "kw_defaults"))
        if self._exact and not isinstance(node, ast.Lambda) and node.returns is not None:
            parts.append(f"returns={self.write(node.returns)}")
        self._enter(scopes.type_parameters_scope(node))
        type_parameters = self._fields(node, ("type_params",))
        annotations = {}
        if self._exact:
            for argument in scopes.arguments_of(node.args):
                if argument.annotation is not None:
                    annotations[argument.arg] = self.write(argument.annotation)
        self._enter(scopes.function_scope(node))
        parts += [type_parameters, self._arguments(node.args, annotations), f"defaults=({defaults})"]
        body = self.write(node.body) if isinstance(node, ast.Lambda) else self._body(node.body)
        self._leave(2)
        return f"{type(node).__name__}({','.join(part for part in parts if part)},body={body})"

    def class_(self, node: ast.ClassDef, named: bool = True) -> str:
        """A class with the names of its attributes. named: its name counts where it can be seen in what it makes."""
        parts = [f"decorators=[{','.join(self._decorators(node))}]"]
        special = bool(node.bases or node.keywords or node.decorator_list)
        if self._exact or _has_private_names(node) or (named and special):
            parts.append(f"name={node.name}")
        self._enter(scopes.type_parameters_scope(node))
        parts.append(self._fields(node, ("type_params", "bases", "keywords")))
        self._enter(scopes.class_scope(node))
        self._classes.append(node.name)
        parts.append(f"body={self._body(node.body, self._kept_annotations(node))}")
        self._classes.pop()
        self._leave(2)
        return f"ClassDef({','.join(part for part in parts if part)})"

    def write(self, node: Any) -> str:
        """A node, or a list of nodes, or what else a field of a node can hold."""
        if isinstance(node, list):
            return f"[{','.join(self.write(item) for item in node)}]"
        if isinstance(node, ast.AST):
            method = getattr(self, f"_{type(node).__name__}", None)
            return method(node) if method else f"{type(node).__name__}({self._fields(node)})"
        return constant(node)

    def _fields(self, node: ast.AST, names: Sequence[str] = ()) -> str:
        fields = ((name, getattr(node, name, None)) for name in names or node._fields)
        return ",".join(
            f"{name}={self.write(value)}"
            for name, value in fields
            if value not in (None, []) and name not in ("ctx", "kind", "type_comment")
        )

    def _decorators(self, node: Function | ast.ClassDef) -> Iterator[str]:
        for decorator in node.decorator_list:
            text = self.write(decorator.func if isinstance(decorator, ast.Call) else decorator)
            if text not in NEUTRAL or self._exact:
                yield self.write(decorator)

    def _arguments(self, arguments: ast.arguments, annotations: dict[str, str]) -> str:
        """Arguments by their places. What is passed by name keeps its name: those after ``*`` always."""
        parts = []
        for kind in ("posonlyargs", "args", "vararg", "kwonlyargs", "kwarg"):
            found = getattr(arguments, kind) or []
            texts = []
            for argument in found if isinstance(found, list) else [found]:
                text = self._local(self._scopes[-1], argument.arg)
                if kind == "args":
                    self._seen.parameters.add(argument.arg)
                if kind == "kwonlyargs" or (kind == "args" and argument.arg in self._fixed):
                    text += f"={argument.arg}"
                if argument.arg in annotations:
                    text += f":{annotations[argument.arg]}"
                texts.append(text)
            if texts:
                parts.append(f"{kind}=[{','.join(texts)}]")
        return ",".join(parts)

    def _body(self, body: Sequence[ast.stmt], annotated: bool = False) -> str:
        texts = [text for statement in body for text in self._statement(statement, annotated)]
        return f"[{','.join(texts or ['Pass()'])}]"

    def _statement(self, node: ast.stmt, annotated: bool) -> Iterator[str]:
        """A statement, unless it does nothing."""
        in_class = bool(self._scopes) and self._scopes[-1].kind == "class"
        match node:
            case ast.Expr(value=ast.Constant(value=str())) if not self._exact:
                return
            case ast.Nonlocal():  # the numbers of the variables say so
                return
            case ast.Import() | ast.ImportFrom():
                yield from self._imports(node)
            case ast.AnnAssign() if in_class or self._exact:
                kept = annotated or self._exact or _names_in(node.annotation) & _KEPT_OF_DATACLASSES
                text = self._fields(node, ("target", "value"))
                yield f"AnnAssign({text}{',annotation=' + plain(node.annotation) if kept else ''})"
            case ast.AnnAssign(value=None, target=ast.Name()):
                return
            case ast.AnnAssign(value=ast.expr()):
                yield f"Assign(targets=[{self.write(node.target)}],value={self.write(node.value)})"
            case ast.AnnAssign():
                yield f"AnnAssign({self._fields(node, ('target',))})"
            case _:
                yield self.write(node)

    def _imports(self, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._outer.load(alias.name)
        scope = self._scopes[-1] if self._scopes else None
        for name, imported in scopes.imported_by(node):
            if scope is not None and scope.kind == "function" and scope.alias(name) is not None and not self._tries:
                continue  # it is read as what it stands for; in a `try`, that it may fail counts
            text, _ = self._outer.reach(imported, (), False)
            yield f"Import({self._stored(name)},{text},{imported.module},{imported.name})"

    def _stored(self, name: str) -> str:
        return self._Name(ast.Name(name, ast.Store()))

    def _kept_annotations(self, node: ast.ClassDef) -> bool:
        """Whether somebody else may read what is written behind the colons of a class."""
        decorators = (part.func if isinstance(part, ast.Call) else part for part in node.decorator_list)
        return bool(node.bases or node.keywords) or any("dataclass" not in _names_in(part) for part in decorators)

    # --- names ---------------------------------------------------------------------------------------

    def _enter(self, scope: Scope) -> None:
        self._scopes.append(scope)
        self._kept.append(scope)

    def _leave(self, count: int) -> None:
        del self._scopes[-count:]

    def _local(self, scope: Scope, name: str) -> str:
        number = self._numbers.setdefault((id(scope), name), len(self._numbers))
        return f"%{number}:{name}" if self._exact else f"%{number}"

    def _lookup(self, name: str, scopes_around: Sequence[Scope]) -> Scope | None:
        """The scope whose local ``name`` is; None for one from outside. Bodies of classes do not reach inwards."""
        for index, scope in enumerate(reversed(scopes_around)):
            if name in scope.declared_global:
                return None
            if name in scope.local and (scope.kind != "class" or index == 0):
                return scope
        return None

    def _read(self, name: str, attributes: Sequence[str], stored: bool) -> tuple[str, int]:
        scope = self._lookup(name, self._scopes)
        if scope is None and name == "__class__" and any(around.kind == "class" for around in self._scopes):
            self._seen.whole = True
            return "%class", 0
        if scope is not None and scope.kind == "class":
            text = f".{name}"
            if not stored:  # what an outer name of the same spelling means, where the class has not bound it yet
                text += f"|{self._of(self._lookup(name, self._scopes[:-1]), name, (), False)[0]}"
            return text, 0
        return self._of(scope, name, attributes, stored)

    def _of(self, scope: Scope | None, name: str, attributes: Sequence[str], stored: bool) -> tuple[str, int]:
        if scope is None:
            if self._classes and name.startswith("__") and not name.endswith("__"):
                name = f"_{self._classes[-1].lstrip('_')}{name}"
            self._seen.name(name)
            text, used = self._outer.reach(name, attributes, stored)
            self._seen.external(text)
            return f"{text}:{'.'.join([name, *attributes[:used]])}" if self._exact else text, used
        alias = scope.alias(name) if scope.kind == "function" else None
        if alias is None:
            return self._local(scope, name), 0
        text, used = self._outer.reach(alias, attributes, stored)
        self._seen.external(text)
        return text, used

    def _Name(self, node: ast.Name) -> str:
        return self._read(node.id, (), not isinstance(node.ctx, ast.Load))[0]

    def _Attribute(self, node: ast.Attribute) -> str:
        attributes: list[str] = []
        base: ast.expr = node
        while isinstance(base, ast.Attribute):
            attributes.insert(0, base.attr)
            base = base.value
        stored = not isinstance(node.ctx, ast.Load)
        text, used = self._read(base.id, attributes, stored) if isinstance(base, ast.Name) else (self.write(base), 0)
        for name in attributes:
            self._seen.name(name)
        for name in attributes[used:]:
            self._seen.attributes.add(name)
            text = f"Attribute({text},{name})"
        return text

    # --- nodes that are written otherwise than field by field ----------------------------------------

    def _Constant(self, node: ast.Constant) -> str:
        if isinstance(node.value, str):
            self._seen.name(node.value)
        return constant(node.value)

    def _JoinedStr(self, node: ast.JoinedStr) -> str:
        """Versions of Python cut the text between the braces in different pieces."""
        pieces: list[Any] = []
        for value in node.values:
            if isinstance(value, ast.Constant):
                if pieces and isinstance(pieces[-1], str):
                    pieces[-1] += str(value.value)
                elif value.value:
                    pieces.append(str(value.value))
            else:
                pieces.append(value)
        return f"JoinedStr({self.write(pieces)})" if pieces else "JoinedStr()"

    def _FormattedValue(self, node: ast.FormattedValue) -> str:
        spec = self.write(node.format_spec) if node.format_spec is not None else "JoinedStr()"
        return f"FormattedValue({self.write(node.value)},{node.conversion},{spec})"

    def _Call(self, node: ast.Call) -> str:
        for keyword in node.keywords:
            if keyword.arg is None:
                self._seen.any_keyword = True
            else:
                self._seen.keywords.add(keyword.arg)
        return f"Call({self._fields(node)})"

    def _keyword(self, node: ast.keyword) -> str:
        return f"{node.arg or '**'}={self.write(node.value)}"

    def _FunctionDef(self, node: Function) -> str:
        text = self.function(node, decorators=True)
        return f"{self._stored(node.name)}={text}"

    _AsyncFunctionDef = _FunctionDef
    _Lambda = function

    def _ClassDef(self, node: ast.ClassDef) -> str:
        text = self.class_(node)
        return f"{self._stored(node.name)}={text}"

    def _comprehension_expression(self, node: scopes.Comprehension) -> str:
        """Its first iterable is read in the scope around."""
        first = self.write(node.generators[0].iter)
        self._enter(scopes.comprehension_scope(node))
        parts = [self._fields(node, ("elt", "key", "value"))]
        for index, generator in enumerate(node.generators):
            iterable = self.write(generator.iter) if index else first
            target, conditions = self.write(generator.target), self.write(generator.ifs)
            parts.append(f"for({target},{iterable},{conditions},{generator.is_async})")
        self._leave(1)
        return f"{type(node).__name__}({','.join(parts)})"

    _ListComp = _SetComp = _DictComp = _GeneratorExp = _comprehension_expression

    def _ExceptHandler(self, node: ast.ExceptHandler) -> str:
        name = "" if node.name is None else self._stored(node.name)
        return f"ExceptHandler({self._fields(node, ('type',))},{name},{self._body(node.body)})"

    def _MatchAs(self, node: ast.MatchAs) -> str:
        name = "_" if node.name is None else self._stored(node.name)
        return f"MatchAs({self._fields(node, ('pattern',))},{name})"

    def _MatchStar(self, node: ast.MatchStar) -> str:
        return f"MatchStar({'_' if node.name is None else self._stored(node.name)})"

    def _MatchMapping(self, node: ast.MatchMapping) -> str:
        rest = "" if node.rest is None else self._stored(node.rest)
        return f"MatchMapping({self._fields(node, ('keys', 'patterns'))},{rest})"

    def _MatchClass(self, node: ast.MatchClass) -> str:
        self._seen.whole = True
        return f"MatchClass({self._fields(node)})"

    def _match_case(self, node: ast.match_case) -> str:
        return f"case({self._fields(node, ('pattern', 'guard'))},{self._body(node.body)})"

    def _type_parameter(self, node: Any) -> str:
        return f"{type(node).__name__}({self._stored(node.name)},{self._fields(node, ('bound', 'default_value'))})"

    _TypeVar = _TypeVarTuple = _ParamSpec = _type_parameter

    def _Global(self, node: ast.Global) -> str:
        self._seen.exact = True
        return f"Global({','.join(sorted(node.names))})"

    def _with_bodies(self, node: ast.AST) -> str:
        """A statement with statements in it."""
        texts = []
        for name in node._fields:
            value = getattr(node, name)
            if name in ("body", "orelse", "finalbody"):
                if value:
                    texts.append(f"{name}={self._body(value)}")
            elif name != "type_comment" and value not in (None, []):
                texts.append(f"{name}={self.write(value)}")
        return f"{type(node).__name__}({','.join(texts)})"

    def _Try(self, node: ast.AST) -> str:
        self._tries += 1
        text = self._with_bodies(node)
        self._tries -= 1
        return text

    _TryStar = _Try
    _If = _For = _AsyncFor = _While = _With = _AsyncWith = _with_bodies

    def _IfExp(self, node: ast.IfExp) -> str:  # its fields are expressions, though they have the names of bodies
        return f"IfExp({self._fields(node)})"


def constant(value: Any) -> str:
    """A literal of Python with its type, in ASCII: what is printable depends on the version of Python."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"int:{value:x}"
    text = ascii(value) if isinstance(value, str) else repr(value)
    return f"{type(value).__name__}:{text}"


def plain(node: Any) -> str:
    """A node with its names as they are written."""
    if isinstance(node, list):
        return f"[{','.join(plain(item) for item in node)}]"
    if not isinstance(node, ast.AST):
        return constant(node)
    fields = ((name, getattr(node, name, None)) for name in node._fields)
    return "{}({})".format(
        type(node).__name__,
        ",".join(
            f"{name}={plain(value)}"
            for name, value in fields
            if value not in (None, []) and name not in ("ctx", "kind", "type_comment")
        ),
    )


def _names_in(node: ast.AST) -> set[str]:
    """Every name in an expression, those in text (annotations are written so, too) included."""
    names: set[str] = set()
    for inner in ast.walk(node):
        match inner:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                names.add(name)
            case ast.Constant(value=str() as text):
                names |= {word for word in _KEPT_OF_DATACLASSES if word in text}
    return names


def _has_private_names(node: ast.ClassDef) -> bool:
    names = (getattr(inner, "attr", getattr(inner, "id", "")) for inner in ast.walk(node))
    defined = (getattr(inner, "name", "") for inner in ast.walk(node))
    return any(str(name).startswith("__") and not str(name).endswith("__") for name in (*names, *defined))
