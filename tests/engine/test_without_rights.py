"""Files that this user may not read: `aqi repair --verify` goes on, names each, and takes nothing out of a log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration.core.errors import WarehouseError
from resources.delta.pending import Pending
from tests.engine.test_damaged_tables import QUIET, Made, lake, made
from tests.support import oracle
from tests.support.damages import data_files, lose_a_commit
from tests.support.small_lake import Lake

__all__ = ["lake", "made"]


def test_nothing_is_made_in_the_place_of_what_may_not_be_read(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that others made is in trouble, and one of its files is for its owner alone: its rows are not lost."""
    from fsspec.implementations.local import LocalFileSystem

    from orchestration.engine.changes.rebuild import rebuild

    table = lake.folder.joinpath(*oracle.CITY_DAILY.split("."))
    lose_a_commit(table)
    opens, refused = LocalFileSystem.open, data_files_below(table)[0]

    def open_most(system: Any, path: str, *args: Any, **named: Any) -> Any:
        if path.endswith(refused):
            raise PermissionError(13, "Permission denied", path)
        return opens(system, path, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(LocalFileSystem, "open", open_most)
        with pytest.raises(WarehouseError, match="the old table is as it was") as caught:
            rebuild(lake.workspace, [oracle.CITY_DAILY], QUIET)
    assert caught.value.remedy.startswith("Give this user rights")
    assert [path.name for path in table.parent.glob(f"*{table.name}*")] == [table.name]
    assert Pending(str(lake.folder)).read() is None
    (rebuilt,) = rebuild(lake.workspace, [oracle.CITY_DAILY], QUIET)
    assert rebuilt.left_out == ()


def data_files_below(table: Path) -> list[str]:
    return sorted(path.name for path in table.glob("*.parquet"))


def test_verify_goes_on_behind_files_that_may_not_be_read(
    made: Made, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.local import LocalFileSystem

    from orchestration.engine.changes.compare import compare_rows

    keys = [oracle.BRONZE, oracle.SILVER, oracle.CITY_DAILY]
    files = [file for key in keys[:2] for file in data_files(lake.folder.joinpath(*key.split(".")))]
    refused = {file.name for file in (files[0], *files[2:])}
    kept = files[1].name
    opens = LocalFileSystem.open

    def open_most(system: Any, path: str, *args: Any, **named: Any) -> Any:
        if path.rpartition("/")[2] in refused:
            raise PermissionError(13, "Permission denied", path)
        return opens(system, path, *args, **named)

    monkeypatch.setattr(LocalFileSystem, "open", open_most)
    workspace, before = lake.workspace, lake.versions()
    there = workspace.repaired(keys, workspace.states(keys), None, (), everything=True)
    bronze, silver, daily = compare_rows(workspace, keys, there, QUIET, lake.shared.make)
    told = bronze.in_words + silver.in_words
    assert all(name in told for name in refused), "each is named"
    assert kept not in told
    assert "Give this user rights" in bronze.in_words
    assert (bronze.whole, silver.whole, daily.whole) == (False, False, True)
    assert "are those that were recorded" in daily.in_words
    assert workspace.repair(keys, None).partitions.locations == (), "nothing is damaged because of it"
    assert lake.versions() == before


def test_nothing_is_read_of_a_table_of_which_nothing_can_be(
    made: Made, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dated or not; and where an engine fails at one table, the next ones are compared."""
    from fsspec.implementations.local import LocalFileSystem
    from pyspark.errors import PySparkException

    from orchestration.engine.changes.compare import compare_rows
    from orchestration.engine.steps import StepRunner

    keys = [oracle.BRONZE, "gold.dim_location", "gold.dim_time", oracle.CITY_DAILY]
    refused = {file.name for key in keys[:2] for file in data_files(lake.folder.joinpath(*key.split(".")))}
    opens, facts, read = LocalFileSystem.open, StepRunner.facts, list[str]()

    def open_most(system: Any, path: str, *args: Any, **named: Any) -> Any:
        if path.rpartition("/")[2] in refused:
            raise PermissionError(13, "Permission denied", path)
        return opens(system, path, *args, **named)

    def reads(runner: StepRunner, asset: Any, *args: Any) -> Any:
        read.append(asset.key)
        if asset.key == keys[2]:
            raise PySparkException("Permission denied (os error 13)")
        return facts(runner, asset, *args)

    monkeypatch.setattr(LocalFileSystem, "open", open_most)
    monkeypatch.setattr(StepRunner, "facts", reads)
    workspace = lake.workspace
    there = workspace.repaired(keys, workspace.states(keys), None, (), everything=True)
    *others, time, daily = compare_rows(workspace, keys, there, QUIET, lake.shared.make)
    assert "gold.dim_location" not in read, "it has one partition, and no rows of it can be had"
    assert "0 partitions have the rows" in others[1].in_words
    assert not any(one.whole for one in others)
    assert "gold.dim_time: its rows could not be compared: " in time.in_words
    assert "Permission denied" in time.in_words
    assert daily.whole
