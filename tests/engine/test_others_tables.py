"""Tables that others moved, named otherwise or broke: nothing of them is taken for what it is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.engine.changes.rebuild import rebuild, to_rebuild
from tests.engine.test_damaged_tables import QUIET, RANGE, Made, aqi, lake, made
from tests.support import oracle
from tests.support.damages import lose_a_commit, put_another_in_its_place, recase_a_column
from tests.support.small_lake import ALL, DATED, Lake

__all__ = ["lake", "made"]


def test_the_table_of_another_asset_in_its_place(made: Made, lake: Lake) -> None:
    """By a slip of ``mv`` or ``cp``: it is told as that, nothing else waits for it, and none of its rows is taken."""
    put_another_in_its_place(lake.folder / "gold" / oracle.CITY_DAILY.partition(".")[2])
    what = f"the folder of {oracle.CITY_DAILY} holds the table of {oracle.EPISODE}. Move it back"
    assert what in aqi(lake, "status", oracle.CITY_DAILY).stderr.replace("\n", " ")
    assert aqi(lake, "plan", ALL, "--partitions", RANGE).exit_code == 0
    states = lake.states(days=RANGE)
    assert {key for key, found in states.items() if set(found) != {"fresh"}} == {oracle.CITY_DAILY}
    forced = lake.materialize(RANGE, oracle.EPISODE, force=True)
    assert forced.ok
    (rebuilt,) = rebuild(lake.workspace, to_rebuild(lake.workspace, list(DATED), sound=False), QUIET)
    assert (rebuilt.asset, rebuilt.rows) == (oracle.CITY_DAILY, 0)
    assert "aqi materialize" in rebuilt.in_words()
    assert lake.materialize(RANGE).ok
    assert all(set(found) == {"fresh"} for found in lake.states(days=RANGE).values())
    assert lake.tables() == made[1]


@pytest.mark.parametrize("damage", [recase_a_column, put_another_in_its_place])
def test_no_migration_makes_nulls_of_what_others_called_otherwise(
    made: Made, lake: Lake, damage: Callable[[Path], object]
) -> None:
    table = lake.folder.joinpath(*oracle.CITY_DAILY.split("."))
    damage(table)
    before = sorted(path.name for path in table.rglob("*"))
    for how in ("--dry-run", "--yes"):
        done = aqi(lake, "migrate", oracle.CITY_DAILY, how)
        assert done.exit_code == 1
        assert f"aqi repair {oracle.CITY_DAILY} --rebuild" in " ".join(done.stderr.split())
    assert sorted(path.name for path in table.rglob("*")) == before


def test_rows_that_are_there_need_no_kept_answers(made: Made, lake: Lake) -> None:
    """A table that is rebuilt is compared, and where it holds what was recorded nothing is made of answers."""
    shutil.rmtree(lake.folder / "_aqi" / "raw")
    lose_a_commit(lake.folder.joinpath(*oracle.BRONZE.split(".")))
    (rebuilt,) = rebuild(lake.workspace, [oracle.BRONZE], QUIET)
    assert rebuilt.rows
    assert lake.repair(oracle.BRONZE).ok
    assert set(lake.states(days=RANGE)[oracle.BRONZE]) == {"fresh"}
    assert lake.tables() == made[1]
