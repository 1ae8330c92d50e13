"""What is wrong in a module of declarations is told by its file and line, and not as a traceback."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.core.errors import DeclarationError, UsageError
from orchestration.engine.importing import importing


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "declared_here").mkdir()
    (tmp_path / "declared_here" / "__init__.py").touch()
    yield tmp_path / "declared_here"
    for name in [name for name in sys.modules if name.startswith("declared_here")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("def days() -> int\n    return 1\n", 1, "SyntaxError: expected ':'"),
        ("ONE = 1\n\n\nTWO = THREE\n", 4, "NameError: name 'THREE' is not defined"),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError: Expecting property name"),
        ("import no_such_library\n", 1, "ModuleNotFoundError: No module named 'no_such_library'"),
        ("from declared_here import nothing\n", 1, "ImportError: cannot import name 'nothing'"),
    ],
)
def test_the_line_is_named(folder: Path, text: str, line: int, says: str) -> None:
    (folder / "facts.py").write_text(text, encoding="utf-8")
    with pytest.raises(DeclarationError) as caught, importing("declared_here.facts", folder):
        importlib.import_module("declared_here.facts")
    assert caught.value.message.startswith(
        f"declared_here.facts cannot be imported: declared_here/facts.py:{line}: {says}"
    )
    assert "python -c 'import declared_here.facts'" in caught.value.remedy
    assert caught.value.exit_status == 2


def test_what_is_told_already_and_what_is_not_of_there_stays_as_it_is(folder: Path) -> None:
    with pytest.raises(UsageError, match="mine"), importing("declared_here", folder):
        raise UsageError("mine")
    with pytest.raises(ZeroDivisionError), importing("declared_here", folder):
        print(1 / 0)
