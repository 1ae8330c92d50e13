"""Canonical forms: what is read of values, classes of the engine, and texts that last."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.engine.code.reached import form_of
from tests.support.code_packages import FORMS, FormOf

ROOT = Path(__file__).resolve().parents[3]


def test_attributes_and_what_is_read_whole(form: FormOf) -> None:
    found = form("import math\ndef root(at): return at.key, [a.b.c for a in at], math.pi\n")
    assert (found.attributes, found.whole) == ({"key", "b", "c"}, False)
    for text in (
        "def root(at): return getattr(at, 'a')\n",
        "from dataclasses import asdict\ndef root(at): return asdict(at)\n",
        "import dataclasses as d\ndef root(at): return d.replace(at, x=1)\n",
        "from operator import attrgetter\nG = attrgetter('a')\ndef root(at): return G(at)\n",
        "def root(at): return vars(at)\n",
        "def root(at): return at.__dict__\n",
        "class A: pass\ndef root(at):\n    match at:\n        case A(x=1): return 1\n",
        "def root(at): return isinstance(at, str)\n",
    ):
        assert form(text).whole, text


def test_classes_of_the_engine_count_by_content_not_by_name(form: FormOf, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration.core.declarations import contract

    text = (
        "from orchestration.core.declarations.contract import RowRule\n"
        "C = RowRule('a', 'null', 'x')\ndef root(): return C, RowRule\n"
    )
    before = form(text)
    assert "RowRule" not in before.text
    assert "orchestration" not in before.text
    assert form(text.replace("'x'", "'y'")).text != before.text
    monkeypatch.setattr(contract, "Renamed", contract.RowRule, raising=False)
    assert form(text.replace("RowRule", "Renamed")).text == before.text


def test_texts_last(form: FormOf, tmp_path: Path) -> None:
    """No address in them, and the same in every process."""
    main = """
        import re
        from functools import partial
        SEEN = {"x", "y", "z", ("a", "b"), frozenset({"p", "q"})}
        THINGS = {object, int, str}
        O = object()
        F = {lambda: 1, lambda: 2}
        G = partial(re.sub, "a")
        def root():
            return SEEN, THINGS, O, G
        """
    text = form(main).text
    assert "0x" not in text
    code = (
        "from assets_y.main import root\nfrom orchestration.engine.code.reached import form_of\n"
        "print(form_of([root], 'assets_y').text)"
    )
    for seed in ("1", "2", "3"):
        environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PYTHONHASHSEED": seed}
        answer = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        assert answer.stdout == f"{text}\n"


def test_a_file_that_changed_since_it_was_imported(form: FormOf, tmp_path: Path) -> None:
    """Where the code is not to be found, what runs counts, byte by byte."""
    form("def root(x): return x + LIMIT\nLIMIT = 1\n")
    function = sys.modules[f"{FORMS}.main"].root
    (tmp_path / FORMS / "main.py").write_text("# moved\ndef root(y): return y\n", encoding="utf-8")
    assert form_of([function], FORMS).text.startswith("#0\n#0 = code(")
