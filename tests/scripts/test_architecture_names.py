"""What ARCHITECTURE.md and CONTRIBUTING.md name is there: tests of the promises, modules, files of the errands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = "## Promises and the tests that hold them\n"
NAME = re.compile(r"(?P<file>[\w/]+\.py)|`(?P<test>test_\w*)`")
MODULE = re.compile(r"`([a-z][\w/.]*\.(?:py|yml|json|sh))`")


def promised(page: str) -> Iterator[tuple[str, str | None]]:
    """The files of the table of promises, and its tests, each with the file before it."""
    rows = page.partition(TABLE)[2].partition("\n## ")[0].splitlines()
    for row in rows:
        file = ""
        if not row.startswith("| "):
            continue
        for found in NAME.finditer(row):
            file = found["file"] or file
            yield file, found["test"]


def functions(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if hasattr(node, "name")}


@pytest.mark.costly
def test_every_test_that_a_promise_names_is_in_its_file() -> None:
    named = list(promised((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")))
    assert len(named) > 80, "or the table is not read"
    lacking = []
    for file, test in named:
        path = ROOT / "tests" / file
        if not path.is_file() or (test is not None and test not in functions(path)):
            lacking.append(f"{file}: {test}")
    assert lacking == []


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ("| 1 | a/test_b.py: `test_c`, `test_d`; e.py | |", [("a/test_b.py", None), ("a/test_b.py", "test_c"),
                                                             ("a/test_b.py", "test_d"), ("e.py", None)]),
        ("| 2 | `test_c` | |", [("", "test_c")]),
        ("`test_c` is no row", []),
    ],
)  # fmt: skip
def test_how_the_table_is_read(row: str, names: list[tuple[str, str | None]]) -> None:
    assert list(promised(f"{TABLE}{row}\n\n## Other\n| 3 | f.py |")) == names


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    """A path begins at the repository, at ``orchestration``, or at ``core``."""
    text = (ROOT / page).read_text(encoding="utf-8")
    named = sorted(set(MODULE.findall(text)))
    assert len(named) > 20
    folders = (ROOT, ROOT / "orchestration", ROOT / "orchestration" / "core")
    assert [name for name in named if not any((folder / name).is_file() for folder in folders)] == []
