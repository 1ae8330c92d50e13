"""kill -9 in the middle of a rename or a migration: the same call again, and nothing is half-named."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.real_data.test_migrate import DAILY, change_three, declare_equal
from tests.support.kept.trees import RANGE, Tree, commits, row_commits, unpack
from tests.support.stored_tables import there_of

pytestmark = pytest.mark.engine

KILLED = -signal.SIGKILL
RENAME = ("location", "rename", "hanoi", "ha_noi", "--yes")
MIGRATE = ("migrate", DAILY, "--rename", "hours_measured=hours_with_index", "--yes")


@pytest.fixture(scope="module")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("kept") / "warehouse")


def copied(kept: Path, folder: Path, engine: str = "embedded") -> Tree:
    shutil.copytree(kept, folder / "warehouse")
    return Tree.copy(folder / "project", folder / "warehouse", environment={"AQI_ENGINE": engine})


def slow(*values: str) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


def on_spark(*values: str) -> Any:
    return pytest.param(*values, "spark", marks=[pytest.mark.spark, pytest.mark.slow])


def named(tree: Tree) -> None:
    tree.edit("config/locations.yml", ("key: hanoi", "key: ha_noi"))


@pytest.fixture(scope="module")
def renamed(_kept: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The tables of a rename that nothing disturbed."""
    tree = copied(_kept, tmp_path_factory.mktemp("undisturbed"))
    tree.ok(*RENAME)
    return there_of(tree.warehouse)


@pytest.mark.parametrize(
    ("point", "engine"),
    [
        slow("rename-begun", "embedded"),
        slow("before-commit:1", "embedded"),
        ("after-files:2:both", "embedded"),
        slow("after-commit:2", "embedded"),
        slow("between-tables:4", "embedded"),
        slow("after-commit:7", "embedded"),
        slow("before-rename-ends", "embedded"),
        on_spark("rename-begun"),
        on_spark("before-commit:1"),
        on_spark("after-files:2:both"),
        on_spark("after-commit:2"),
        on_spark("between-tables:4"),
        on_spark("before-rename-ends"),
    ],
)
def test_a_rename_that_is_killed(_kept: Path, tmp_path: Path, renamed: dict[str, Any], point: str, engine: str) -> None:
    tree = copied(_kept, tmp_path, engine)
    assert tree(*RENAME, AQI_CRASH_POINT=point).returncode == KILLED
    refused = tree("materialize", "*", "--partitions", RANGE)
    assert refused.returncode == 2 and "aqi location rename hanoi ha_noi" in refused.stderr
    assert all(status in ("fresh", "stale", "missing") for states in tree.states().values() for status, _ in states)
    tree.ok(*RENAME)
    assert there_of(tree.warehouse) == renamed
    named(tree)
    assert all(state == "fresh" for of in tree.states().values() for state, _ in of), "columns were added since"
    assert tree.json("plan", "--changed")["steps"] == []


@pytest.fixture(scope="module")
def migrated(_kept: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `aqi show` prints after a migration that nothing disturbed."""
    tree = copied(_kept, tmp_path_factory.mktemp("undisturbed"))
    change_three(tree)
    declare_equal(tree, DAILY)
    tree.ok(*MIGRATE)
    found: dict[str, Any] = tree.json("show", DAILY, "--limit", "100000")
    return found


@pytest.mark.parametrize(
    ("point", "engine"),
    [
        slow("before-commit", "embedded"),
        slow("after-files:1:both", "embedded"),
        slow("after-commit", "embedded"),
        on_spark("before-commit"),
        on_spark("after-files:1:both"),
        on_spark("after-commit"),
    ],
)
def test_a_migration_that_is_killed(
    _kept: Path, tmp_path: Path, migrated: dict[str, Any], point: str, engine: str
) -> None:
    """It is one commit: there or not."""
    tree = copied(_kept, tmp_path, engine)
    change_three(tree)
    declare_equal(tree, DAILY)
    before = row_commits(tree.warehouse)[DAILY]
    assert tree(*MIGRATE, AQI_CRASH_POINT=point).returncode == KILLED
    assert row_commits(tree.warehouse)[DAILY] == before + (point == "after-commit")
    tree.ok(*MIGRATE)
    assert tree.json("show", DAILY, "--limit", "100000") == migrated
    assert row_commits(tree.warehouse)[DAILY] == before + 1
    assert all(state == "fresh" for of in tree.states().values() for state, _ in of), "columns were added since"


@pytest.mark.prefect
@pytest.mark.parametrize("engine", ["embedded", on_spark()])
def test_tables_that_grew_before_a_kill(_kept: Path, tmp_path: Path, server: str, engine: str) -> None:
    """The columns are there, no step has begun: the same run goes on, and adds nothing twice."""
    from tests.real_data.test_kept_warehouse import HOURLY, SILVER, grow

    tree = copied(_kept, tmp_path, engine)
    tree.environment["PREFECT_API_URL"] = server
    grow(tree)
    before = commits(tree.warehouse)
    call = ("materialize", "*", "--partitions", "2025-08-08..2025-08-09")
    assert tree(*call, AQI_CRASH_POINT="tables-changed").returncode == KILLED
    grew = {key for key, n in commits(tree.warehouse).items() if n != before[key]}
    assert grew == set(before) - {"gold.dim_pollutant"}, "what no column came to, nor another description"
    summary = tree.json(*call)
    assert "tables" not in summary
    assert commits(tree.warehouse)[SILVER] == before[SILVER] + 2, "the column, and two days with it"
    rows = tree.json("show", SILVER, "--partitions", "2025-08-08..2025-08-09", "--limit", "1000")
    assert {row["ozone_band"] for row in rows} == {int(row["o3"] // 60) for row in rows}
    (marked,) = (marks for state, marks in tree.states(HOURLY)[HOURLY] if marks)
    assert "without ozone_band" in marked[0], "filled by --force, as it only passes it on"
