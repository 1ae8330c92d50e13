"""The command line is typed, and prints facts in one way."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.cli.emit import emit
from orchestration.core.json_value import JsonValue

CLI = Path(__file__).resolve().parents[2] / "orchestration" / "cli"
FILES = sorted(CLI.glob("*.py"))


def names_in(text: str) -> set[str]:
    """Names that a module's code mentions, those of what it imports and of attributes too."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                found.add(name)
            case ast.ImportFrom(names=imported) | ast.Import(names=imported):
                found |= {one.name for one in imported} | set((getattr(node, "module", None) or "").split("."))
            case ast.Constant(value=str(quoted)) if quoted.isidentifier():  # a type in quotes
                found.add(quoted)
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_module_of_the_command_line_says_any(file: Path) -> None:
    """What a command is handed, and hands on, has a type: mypy sees whether they fit."""
    assert names_in(file.read_text(encoding="utf-8")) & {"Any", "cast"} == set()


@pytest.mark.parametrize("file", [file for file in FILES if file.name != "emit.py"], ids=lambda file: file.name)
def test_facts_are_printed_by_emit_alone(file: Path) -> None:
    """No command chooses by itself between JSON and what people read."""
    assert names_in(file.read_text(encoding="utf-8")) & {"json_text", "dumps"} == set()


def test_the_checks_see_what_they_are_for() -> None:
    assert "Any" in names_in("from typing import Any")
    assert "Any" in names_in("import typing\ndef f(x: typing.Any) -> None: ...")
    assert "Any" in names_in("def f(x: 'Any') -> None: ...")
    assert "json_text" in names_in("def f():\n    from orchestration.reports.json_text import to_json")
    assert "dumps" in names_in("import json\nprint(json.dumps({}))")


def never() -> None:
    pytest.fail("the other way was asked for")


def test_one_of_the_two_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    def facts() -> JsonValue:
        never()
        return None

    emit(facts, False, lambda: print("for people"))
    emit(facts, False)
    assert capsys.readouterr().out == "for people\n"
    emit(lambda: {"rows": 3, "keys": ["a", None]}, True, never)
    assert json.loads(capsys.readouterr().out) == {"rows": 3, "keys": ["a", None]}


def test_a_list_is_written_while_it_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    def items() -> Iterator[JsonValue]:
        for number in range(2500):
            if number == 2400:
                assert capsys.readouterr().out.count('"number"') == 2000, "what was made is not kept"
            yield {"number": number}

    emit(items, True, never)
    assert capsys.readouterr().out.count('"number"') == 500
    emit(lambda: iter(()), True, never)
    assert capsys.readouterr().out == "[]\n"
