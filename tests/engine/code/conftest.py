"""Canonical forms of code that a test writes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.engine.code.reached import Form, form_of
from tests.support.code_packages import FORMS, FormOf, forget, imported


@pytest.fixture
def form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FormOf]:
    """The form of ``root`` in the text of ``main``; other modules by keyword."""
    folder = tmp_path / FORMS
    folder.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def made(main: str, **modules: str) -> Form:
        return form_of([imported(folder, {"__init__": "", "main": main, **modules}).root], FORMS)

    yield made
    forget(FORMS)
