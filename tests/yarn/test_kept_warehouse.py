"""What commit d35dc26 made, on HDFS: it opens as it is, its tables grow, a rename that is killed is gone on with."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from orchestration.core.errors import CommitConflict
from resources.delta.table_schema import grow
from resources.storage.files import open_files
from tests.real_data.test_migrate import DAILY, change_three, declare_equal
from tests.support.cluster_calls import YarnCommands
from tests.support.kept.trees import RANGE, ROOT, Tree, all_of_then, unpack

pytestmark = [pytest.mark.spark, pytest.mark.prefect, pytest.mark.yarn, pytest.mark.timeout(900)]

SILVER = "silver.air_quality_hourly_clean"
RENAME = ("location", "rename", "hanoi", "ha_noi", "--yes")


@pytest.fixture
def kept(aqi: YarnCommands, tmp_path: Path) -> YarnCommands:
    """The kept warehouse, on HDFS; nobody answers at the source."""
    folder = unpack(tmp_path / "kept")
    files, root = open_files(str(aqi.warehouse))
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            target = f"{root}/{path.relative_to(folder)}"
            files.makedirs(target.rpartition("/")[0], exist_ok=True)
            files.pipe_file(target, path.read_bytes())
    aqi.environment |= {"AQI_CLOCK__NOW": "2026-01-01T00:00:00Z", "AQI_OPEN_METEO__BASE_URL": "http://127.0.0.1:9"}
    return aqi


def versions(aqi: YarnCommands) -> dict[str, int | None]:
    workspace = aqi.workspace
    return {asset.key: workspace.warehouse.state(asset).version for asset in workspace.catalog}


@pytest.mark.slow
def test_it_opens_fresh_and_grows(kept: YarnCommands) -> None:
    """Without a commit, an application and a request; then a column is added by one commit, and a second is refused."""
    before = versions(kept)
    assert {item["state"] for item in kept.json("status")} == {"fresh"}
    assert kept.json("plan", "--changed")["steps"] == []
    assert kept.json("materialize", all_of_then(), "--partitions", RANGE)["steps"] == []
    assert (versions(kept), kept.applications()) == (before, [])
    workspace = kept.workspace
    contract = workspace.contracts[SILVER]
    new = {"name": "band", "type": "integer", "nullable": True, "metadata": {"comment": "A band"}}
    fields = [*contract.delta_schema()["fields"], new]
    uri = workspace.warehouse.table_uri(SILVER)
    assert grow(uri, fields, contract.description, "a test", before[SILVER]) == 2
    with pytest.raises(CommitConflict):
        grow(uri, [*fields, new | {"name": "another"}], contract.description, "a test", before[SILVER])
    assert {item["state"] for item in kept.json("status", SILVER)} == {"fresh"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "point", ["rename-begun", "before-commit:2", "after-commit:1", "between-tables:3", "before-rename-ends"]
)
def test_a_rename_that_is_killed_is_gone_on_with(kept: YarnCommands, tmp_path: Path, point: str) -> None:
    want = {key: sorted(without_ids(renamed(row)) for row in rows) for key, rows in kept.tables().items()}
    kept.environment["AQI_CRASH_POINT"] = point
    assert kept(*RENAME).returncode == -signal.SIGKILL
    del kept.environment["AQI_CRASH_POINT"]
    refused = kept("materialize", "*", "--partitions", RANGE)
    assert refused.returncode == 2 and "aqi location rename hanoi ha_noi" in refused.stderr
    done = kept(*RENAME)
    assert done.returncode == 0, done.stderr
    assert {key: sorted(map(without_ids, rows)) for key, rows in kept.tables().items()} == want
    profile = tmp_path / "renamed.yml"
    text = (ROOT / "config" / "yarn.yml").read_text(encoding="utf-8")
    locations = (ROOT / "config" / "locations.yml").read_text(encoding="utf-8")
    profile.write_text(text + locations.replace("key: hanoi", "key: ha_noi"), encoding="utf-8")
    assert {item["state"] for item in kept.json("status", "--profile", str(profile))} == {"fresh"}


@pytest.mark.slow
@pytest.mark.parametrize("point", ["before-commit", "after-commit"])
def test_a_migration_that_is_killed_is_there_or_not(kept: YarnCommands, tmp_path: Path, point: str) -> None:
    tree = Tree.copy(tmp_path / "project", str(kept.warehouse), environment=dict(kept.environment))
    then = tree.json("show", DAILY, "--limit", "1000")
    change_three(tree)
    declare_equal(tree, DAILY)
    migrate = ("migrate", DAILY, "--rename", "hours_measured=hours_with_index", "--yes")
    assert tree(*migrate, AQI_CRASH_POINT=point).returncode == -signal.SIGKILL
    tree.ok(*migrate)
    want = [{name.replace("hours_measured", "hours_with_index"): of for name, of in row.items()} for row in then]
    assert tree.json("show", DAILY, "--limit", "1000") == want
    assert {item["state"] for item in tree.json("status")} == {"fresh"}
    assert kept.workspace.warehouse.state(kept.workspace.catalog[DAILY]).version == 2


def renamed(row: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("'ha_noi'" if value == "'hanoi'" else value for value in row)


def without_ids(row: tuple[str, ...]) -> tuple[str, ...]:
    """Identifiers of the new key are another test's (real_data/test_rename)."""
    return tuple(value for value in row if len(value) != len("'00000000-0000-0000-0000-000000000000'"))
