"""Kept answers that are gone, where bronze is gone too: what they may have owned is not made of the others unsaid."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestration.cli.progress import Quiet
from orchestration.service.maintenance import TableUpkeep, run_maintenance
from tests.support import oracle
from tests.support.story import FIRST, LOCATIONS, Story, spoil, story

pytestmark = pytest.mark.engine

QUIET = Quiet(Console(stderr=True))


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, embedded: Any) -> tuple[Path, datetime, Mapping[str, Any]]:
    """A story's folder, its moment, and the memory of its provider."""
    with story(tmp_path_factory.mktemp("story") / "lake", embedded) as made:
        assert made.hourly().ok
        made.clock.pass_(hours=1)
        spoil(made, "nulls", "hanoi", 1, 0, 11)
        spoil(made, "revised", "hanoi", 1, 12, 23)
        assert made.hourly().ok
        made.clock.pass_(hours=1)
        spoil(made, "index null", "hanoi", 1, 6, 20)
        spoil(made, "revised again", "hanoi", 1, 21, 23)
        assert made.hourly().ok
        made.clock.pass_(hours=1)
        made.check()
        return made.folder, made.clock(), made.provider.memory


@pytest.fixture
def told(tmp_path: Path, embedded: Any, begun: tuple[Path, datetime, Mapping[str, Any]]) -> Iterator[Story]:
    """Three hourly runs. Of a day of Hanoi the first answer owns hours 0 to 11, the second 12 to 20, revised."""
    folder, moment, memory = begun
    shutil.copytree(folder, tmp_path / "lake")
    with story(tmp_path / "lake", embedded) as made:
        made.clock.instant = moment
        made.provider.recall(memory)
        yield made


def answers(told: Story) -> list[Path]:
    """The files of kept answers, in the order of asking."""
    kept = told.lake.workspace.raw.all(oracle.BRONZE).files
    return [told.folder / "_aqi/raw" / file.path for file in kept]


def maintain(told: Story) -> TableUpkeep:
    (done,) = run_maintenance(told.lake.workspace, QUIET, [oracle.BRONZE]).tables
    assert done.error == ""
    return done


def test_all_that_was_kept_gives_the_same_rows(told: Story) -> None:
    before = told.lake.tables()
    assert told.from_raw(lost=True).ok
    assert told.lake.tables() == before
    told.check()


def sorted_rows(rows: list[dict[str, Any]], but: date | None = None) -> list[str]:
    """Without those of a day, and without when they were taken in."""
    return sorted(str({**row, "_ingested_at": None}) for row in rows if row["date_utc"] != but)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink,
    "broken": lambda path: path.write_bytes(path.read_bytes()[:-9]),
}


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_an_owner_that_is_gone_is_refused_with_its_hours(
    told: Story, damage: Callable[[Path], object], number: int
) -> None:
    """The first, which owns most hours, or another: nothing is made of the rest."""
    kept = answers(told)
    assert len(kept) == 3
    damage(kept[number])
    summary = told.from_raw(lost=True)
    assert not summary.ok
    said = summary.in_words()
    for location in LOCATIONS:
        assert location in said
    assert "no answer is kept that has the hours 00:00Z..23:00Z of 2025-03-03..2025-03-04 × danang, hanoi" in said
    hours = f"00:00Z..{12 + number}:00Z of 2025-03-05"
    assert hours in said, "those that had begun when it was asked for"
    workspace = told.lake.workspace
    assert not workspace.warehouse.state(workspace.catalog[oracle.BRONZE]).records


def test_what_it_was_not_about_is_made(told: Story) -> None:
    spoil(told, "revised", "danang", 0)
    assert told.materialize("2025-03-03", force=True).ok
    before = told.lake.rows(oracle.BRONZE)
    answers(told)[-1].unlink()
    summary = told.from_raw(lost=True)
    assert not summary.ok
    assert "00:00Z..23:00Z of 2025-03-03 × danang, hanoi" in summary.in_words()
    assert sorted_rows(told.lake.rows(oracle.BRONZE)) == sorted_rows(before, but=FIRST)


def test_where_the_table_is_there_its_records_say_what_was_owned(told: Story) -> None:
    answers(told)[1].unlink()
    summary = told.from_raw(lost=False)
    assert not summary.ok
    assert "has the hours 12:00Z..20:00Z of 2025-03-04 × hanoi" in summary.in_words()
    assert summary.in_words().count("no answer is kept") == 1


def test_what_retention_removed_is_not_lost(told: Story) -> None:
    """An answer that lost its last row long ago: the others have all hours."""
    for location in LOCATIONS:
        for day in range(4):
            spoil(told, "revised", location, day)
    assert told.materialize("2025-03-03..2025-03-05", force=True).ok
    told.clock.pass_(days=1)
    assert told.hourly().ok
    told.clock.pass_(days=40)
    before, kept = told.lake.tables(), answers(told)
    assert maintain(told).raw_removed
    assert len(told.lake.workspace.raw.all(oracle.BRONZE).files) < len(kept)
    assert maintain(told).missing == 0
    summary = told.from_raw(lost=True)
    assert summary.ok, summary.in_words()
    assert told.lake.tables() == before


def test_an_owner_that_retention_removed_is_lost(told: Story) -> None:
    """Settings let owners go, the oldest first."""
    told.clock.pass_(days=2)
    sizes = [path.stat().st_size for path in answers(told)]
    lake = told.lake
    lake.flags["raw"] = {"keep_owned": False, "retention_bytes": sum(sizes[1:])}
    (done,) = run_maintenance(lake.workspace, QUIET, [oracle.BRONZE]).tables
    assert (done.raw_removed, done.error) == (1, "")
    summary = told.from_raw(lost=True)
    assert not summary.ok
    assert "has the hours 00:00Z..23:00Z of 2025-03-03..2025-03-04 × danang, hanoi" in summary.in_words()


def test_an_index_that_is_gone_or_cannot_be_read(told: Story) -> None:
    """Gone, as of a warehouse of before there was one: what is there is used. Broken: refused, with its remedy."""
    before = told.lake.tables()
    index = told.folder / "_aqi/raw" / oracle.BRONZE / "kept"
    (path, *_) = sorted(index.iterdir())
    path.write_text("{", encoding="utf-8")
    assert any(f"kept/{path.name} (" in said for said in maintain(told).broken)
    summary = told.from_raw(lost=True)
    assert not summary.ok
    assert f"kept/{path.name}" in summary.in_words() and "cannot be read" in summary.in_words()
    shutil.rmtree(index)
    assert told.from_raw(lost=False).ok
    assert told.lake.tables() == before
