"""Steps in batches of a few partitions make what they make at once, and read of each other only what they need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration.core.partitions.keys import PartitionSet
from orchestration.engine.steps import ROWS_A_PARTITION
from resources.delta.warehouse import Warehouse
from tests.assets.test_tables import expected, span
from tests.support.days_and_keys import days
from tests.support.feed import Feed
from tests.support.small_lake import DATED, Lake
from tests.support.strategies import random_bronze


@pytest.mark.parametrize("partitions", [1, pytest.param(7, marks=pytest.mark.slow)])
def test_tables_are_those_of_the_oracle(
    embedded: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partitions: int
) -> None:
    """Episodes over midnight too: their runs of hours are longer than a batch."""
    bytes_a_row = embedded.process.memory // (ROWS_A_PARTITION * partitions)
    monkeypatch.setattr("orchestration.engine.engines.embedded.BYTES_A_ROW", bytes_a_row)
    rows = random_bronze(149, days=9)
    with Feed(rows) as feed:
        lake = Lake(tmp_path, embedded, feed.server.url)
        assert lake.materialize(span(rows)).ok
        tables = lake.tables()
    want = expected(rows)
    for key in DATED:
        assert tables[key] == want[key], key


def test_rows_that_were_evaluated_in_parts(embedded: Any, tmp_path: Path) -> None:
    engine = embedded.engine(Warehouse(str(tmp_path / "lake")))
    early, late, later = (PartitionSet.of(days(of), ["hue"]) for of in ("2025-08-01", "2025-08-02", "2025-08-03"))
    with engine.working("a test"):
        session = embedded.process.session()
        rows = engine.together([(early, engine.evaluate(session.range(3))), (late, engine.evaluate(session.range(5)))])
        counts = [rows.frame(of).count() for of in (None, early, late, early | late, early | later)]
    assert counts == [8, 3, 5, 8, 3]
    rows.let_go()
