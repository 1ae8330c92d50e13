"""A table whose commits a test writes by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.delta_files import Table


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "hours")
