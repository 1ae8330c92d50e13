"""The source text of a new asset: function, contract, test, and the imports that they need.

The lines are formatted as by the project's formatter. Must not know: into which files the text goes.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence

from orchestration.core.declarations.contract import Column
from orchestration.core.declarations.new_asset import NewAsset

LINE_CHARACTERS = 120
MAPPINGS = "orchestration.core.partitions.mappings"
MADE = "tests.support.one_table"
"""The module of the tests that makes the rows of one table."""
_TYPES: Mapping[str, str] = {
    "string": "T.StringType",
    "integer": "T.IntegerType",
    "long": "T.LongType",
    "double": "T.DoubleType",
    "boolean": "T.BooleanType",
    "date": "T.DateType",
    "timestamp": "T.TimestampType",
}

Imports = Mapping[str, Sequence[str]]
"""Module → the names that are imported from it; ``a as b`` for a name that gets another one."""


def text_of_function(new: NewAsset, scheme: str = "") -> str:
    """The function with its decorator. scheme: how the module writes the partitions."""
    lines = ["@asset(", f'    layer="{new.layer}",']
    if new.upstream:
        mappings = [f'{type(one).__name__}("{one.of}")' for one in new.upstream]
        lines += _exploded("    upstream=[", mappings, "],")
    if new.scheme is not None:
        lines.append(f"    partitions={scheme},")
    lines += [f'    contract="{new.contract}",', ")"]
    arguments = [f"{_name(one.of)}: DataFrame" for one in new.upstream]
    lines += _exploded(f"def {new.name}(", arguments, ") -> DataFrame:")
    lines.append(f'    """{new.description}"""')
    return "\n".join([*lines, *_body(new)]) + "\n"


def function_imports(new: NewAsset) -> dict[str, list[str]]:
    """The imports that the function needs, those for its partitions aside."""
    wanted = {
        "orchestration.core.declarations.asset": ["asset"],
        "pyspark.sql": ["DataFrame"] if new.upstream else ["DataFrame", "SparkSession"],
    }
    if new.upstream:
        wanted[MAPPINGS] = sorted({type(one).__name__ for one in new.upstream})
    if any("F." in line for line in _body(new)):
        wanted["pyspark.sql"] = [*wanted["pyspark.sql"], "functions as F"]
    return wanted


def text_of_contract(new: NewAsset) -> str:
    """The contract class."""
    lines = [f"class {new.contract}(pa.DataFrameModel):", f'    """{new.description}"""', ""]
    for column in new.columns:
        lines += _exploded(f"    {column.name}: {_TYPES[column.type]} = pa.Field(", _said(column), ")")
    return "\n".join([*lines, "", "    class Config:", *_exploded("        unique = [", _all(new.unique), "]")]) + "\n"


def text_of_test(new: NewAsset, package: str) -> str:
    """The test module. package: the package with the project's ``CATALOG``."""
    mappings = sorted({type(one).__name__ for one in new.upstream})
    wanted = {package: ["CATALOG"], MADE: ["made"], **({MAPPINGS: mappings} if mappings else {})}
    upstream = [f'{type(one).__name__}("{one.of}")' for one in new.upstream]
    comma = "," if len(upstream) == 1 else ""
    rows = [f"{_name(one.of)}=[{{}}, {{}}]" for one in new.upstream]
    return "\n".join(
        [
            f'"""{new.key}: what it is made of, and what it makes of rows."""',
            "",
            "from __future__ import annotations",
            "",
            "from typing import Any",
            "",
            *(line for module in sorted(wanted) for line in _wrapped(module, wanted[module])),
            "",
            f'KEY = "{new.key}"',
            "",
            "",
            "def test_what_it_is_made_of() -> None:",
            *_exploded("    assert CATALOG[KEY].upstream == (", upstream, ")", comma),
            "",
            "",
            "def test_what_it_makes_of_rows(embedded: Any) -> None:",
            '    """Name the columns that matter: any other has a value of its type, or null where it may be null."""',
            *_exploded("    rows = made(", ["embedded", "KEY", *rows], ")"),
            f"    assert len(rows) == {2 if new.upstream else 1}",
            "",
        ]
    )


def with_imports(text: str, wanted: Imports, own: Collection[str]) -> str:
    """``text`` of a module with the imports ``wanted`` added. own: packages of the project; their imports come last."""
    for module, names in wanted.items():
        for name in names:
            text = _with_import(text, module, name, {*own, "orchestration"})
    return text


def names_in(text: str) -> frozenset[str]:
    """All names that a module defines or imports at its top level."""
    found: set[str] = set()
    for node in ast.parse(text).body:
        match node:
            case ast.Import() | ast.ImportFrom():
                found |= {one.asname or one.name.partition(".")[0] for one in node.names}
            case ast.FunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Assign() | ast.AnnAssign():
                found |= {
                    one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
                }
    return frozenset(found)


def _body(new: NewAsset) -> list[str]:
    columns = _all(column.name for column in new.columns)
    if not new.upstream:
        return [f'    return SparkSession.active().range(1).select(F.lit("write it here").alias({columns[0]}))']
    rows, lines = _name(new.upstream[0].of), []
    for key, on in new.joined.items():
        lines += _joined(rows, _name(key), on)
        rows = "rows"
    return [*lines, *_exploded(f"    return {rows}.select(", columns, ")")]


def _joined(rows: str, other: str, on: Sequence[tuple[str, str]]) -> list[str]:
    if not on:
        return _exploded(
            f"    rows = {rows}.crossJoin(", [f'{other}.agg(F.count(F.lit(1)).alias("{other}_rows"))'], ")"
        )
    theirs = [f'"{name}"' if name == own else f'F.col("{name}").alias("{own}")' for own, name in on]
    names = ", ".join(_all(own for own, _ in on))
    selected = f"{other}.select({', '.join(theirs)})"
    return _exploded(f"    rows = {rows}.join(", [selected, f"[{names}]", '"left_semi"'], ")")


def _said(column: Column) -> list[str]:
    metadata = [f'"unit": {_quoted(column.unit)}'] if column.unit else []
    if column.made_of is not None:
        metadata.append(f'"from": [{", ".join(_all(column.made_of))}]')
    said = [f"description={_quoted(column.description)}"]
    return [*said, f"metadata={{{', '.join(metadata)}}}"] if metadata else said


def _name(key: str) -> str:
    return key.partition(".")[2]


def _all(names: Iterable[str]) -> list[str]:
    return [_quoted(name) for name in names]


def _quoted(text: str) -> str:
    """The text as the formatter quotes it: in double quotes, unless it contains such."""
    text = text.replace("\\", "\\\\")
    return f"'{text}'" if '"' in text and "'" not in text else '"' + text.replace('"', '\\"') + '"'


def _exploded(before: str, parts: Sequence[str], after: str, comma: str = "") -> list[str]:
    """In one line if there is room, else one line for each part."""
    line = f"{before}{', '.join(parts)}{comma}{after}"
    if len(line) <= LINE_CHARACTERS:
        return [line]
    indent = " " * (len(before) - len(before.lstrip()))
    return [before, *(f"{indent}    {part}," for part in parts), f"{indent}{after}"]


def _in_order(names: Iterable[str]) -> list[str]:
    """Names as linters sort them: constants, then classes, then the rest."""

    def kind(name: str) -> int:
        return 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2

    return sorted(set(names), key=lambda name: (kind(name), name.casefold(), name))


def _with_import(text: str, module: str, name: str, own: Collection[str]) -> str:
    tree, lines = ast.parse(text), text.splitlines()
    there = [node for node in tree.body if isinstance(node, ast.ImportFrom) and not node.level and node.module]
    said, _, called = name.partition(" as ")
    same = [node for node in there if node.module == module]
    for node in same:
        if any(one.name == said and (one.asname or "") == called for one in node.names):
            return text
    for node in same:
        if not called and not any(one.asname for one in node.names):
            names = [one.name for one in node.names]
            return _replaced(lines, node.lineno - 1, node.end_lineno or node.lineno, _wrapped(module, [*names, name]))
    section = _section(module, own)
    before = [node for node in there if (_section(str(node.module), own), str(node.module)) <= (section, module)]
    if before:
        last = before[-1].end_lineno or before[-1].lineno
        gap = [] if _section(str(before[-1].module), own) == section else [""]
        return _replaced(lines, last, last, [*gap, *_wrapped(module, [name])])
    first = there[0].lineno - 1 if there else (tree.body[0].end_lineno or 0) if ast.get_docstring(tree) else 0
    gap = [""] if not there or _section(str(there[0].module), own) != section else []
    return _replaced(lines, first, first, [*_wrapped(module, [name]), *gap])


def _wrapped(module: str, names: Sequence[str]) -> list[str]:
    line = f"from {module} import {', '.join(_in_order(names))}"
    if len(line) <= LINE_CHARACTERS:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in _in_order(names)), ")"]


def _replaced(lines: Sequence[str], start: int, end: int, by: Sequence[str]) -> str:
    return "\n".join([*lines[:start], *by, *lines[end:]]) + "\n"


def _section(module: str, own: Collection[str]) -> int:
    root = module.partition(".")[0]
    return 0 if root == "__future__" else 1 if root in sys.stdlib_module_names else 3 if root in own else 2
