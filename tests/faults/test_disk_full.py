"""A disk that is full, on the embedded engine: what failed is named, every table is whole, the next run finishes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.support import oracle
from tests.support.engines import SharedEmbedded
from tests.support.feed import Feed
from tests.support.small_lake import DATED, FETCHED, Lake
from tests.support.strategies import random_bronze

pytestmark = pytest.mark.engine

SIZE = 32 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of the test's own, and small."""
    folder = tmp_path / "disk"
    folder.mkdir()
    call = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if subprocess.run(call, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, left: int) -> Path:
    """Fill it but for so many bytes; gives the file that does."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
    filler.open("r+b").truncate(filler.stat().st_size - left)
    return filler


@pytest.mark.parametrize("left", [0, 64 << 10, 512 << 10], ids=["nothing", "64k", "512k"])
def test_a_disk_that_is_full(disk: Path, left: int) -> None:
    """In the middle of the fetched rows, of what is evaluated, of a table's new files, or of a commit."""
    rows = random_bronze(61, days=40, first=date(2025, 3, 1), breaking=False)
    before = [row for row in rows if row["date_utc"] <= date(2025, 3, 2)]
    after = {key: oracle.canonical(made, oracle.COLUMNS[key]) for key, made in oracle.dated_tables(rows).items()}
    shared = SharedEmbedded(disk)
    try:
        with Feed(rows) as feed:
            lake = Lake(disk / "lake", shared, feed.server.url)
            assert lake.materialize("2025-03-01..2025-03-02", FETCHED).ok
            tables = lake.tables()
            assert len(tables[oracle.BRONZE]) == len(before)
            filler = fill(disk, left)
            summary = lake.materialize("2025-03-01..2025-04-09", FETCHED)
            assert summary.exit_status == 1
            said = " ".join(problem.message for outcome in summary.outcomes for problem in outcome.problems)
            assert "No space left on device" in said
            filler.unlink()
            found = lake.tables()
            assert all(found[key] in (tables[key], after[key]) for key in DATED)
            assert any(found[key] == tables[key] != after[key] for key in DATED)
            assert lake.materialize("2025-03-01..2025-04-09", FETCHED).ok
            assert lake.tables() == after
            assert {state for states in lake.states("tag:fact").values() for state in states} <= {"fresh"}
    finally:
        shared.process.end()
    assert not list(disk.glob("_aqi/scratch/*"))


def test_a_disk_that_is_full_from_the_beginning(disk: Path) -> None:
    """There is no room for the engine's own folder."""
    shared = SharedEmbedded(disk / "engine")
    rows = random_bronze(61, days=1, locations=["hanoi"], breaking=False)
    with Feed(rows) as feed:
        lake = Lake(disk / "lake", shared, feed.server.url)
        lake.folder.mkdir()
        filler = fill(disk, 0)
        (disk / "engine").mkdir()
        summary = lake.materialize(str(rows[0]["date_utc"]), FETCHED, ["hanoi"])
        assert summary.exit_status == 1
        assert "No space left on device" in summary.outcomes[0].problems[0].message
        filler.unlink()
        assert lake.materialize(str(rows[0]["date_utc"]), FETCHED, ["hanoi"]).ok
    shared.process.end()
