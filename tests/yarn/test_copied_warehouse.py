"""A warehouse that the embedded engine made, copied to HDFS and gone on with there; and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resources.simulator.server import Simulator
from resources.storage.files import open_files
from tests.support.cluster_calls import YarnCommands
from tests.support.small_lake import DATED, Lake
from tests.yarn.conftest import NOW

pytestmark = [pytest.mark.spark, pytest.mark.prefect, pytest.mark.yarn, pytest.mark.slow, pytest.mark.timeout(900)]

FIRST, SECOND, BOTH = "2025-08-12", "2025-08-13", "2025-08-12..2025-08-13"


def upload(folder: Path, uri: str) -> None:
    files, root = open_files(uri)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            target = f"{root}/{path.relative_to(folder)}"
            files.makedirs(target.rpartition("/")[0], exist_ok=True)
            files.pipe_file(target, path.read_bytes())


def download(uri: str, folder: Path) -> None:
    files, root = open_files(uri)
    for path in files.find(root):
        name = path.partition(root)[2].lstrip("/")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(files.cat_file(path))


def versions(aqi: YarnCommands) -> dict[str, int | None]:
    workspace = aqi.workspace
    return {asset.key: workspace.warehouse.state(asset).version for asset in workspace.catalog}


def test_a_folder_goes_to_the_cluster_and_back(
    aqi: YarnCommands, embedded: Any, replay: Simulator, undisturbed: Any, tmp_path: Path
) -> None:
    """Nothing is stale or rewritten there, all comes out the same on Spark, and the next day is added by it."""
    lake = Lake(tmp_path / "local", embedded, replay.url, now=NOW)
    assert lake.materialize(FIRST).ok
    upload(tmp_path / "local", str(aqi.warehouse))
    aqi.environment["AQI_CLOCK__NOW"] = NOW.isoformat()
    before = versions(aqi)
    assert {item["state"] for item in aqi.json("status")} == {"fresh"}
    found = aqi.json("verify", "*", "--partitions", FIRST)
    assert {one["engine"] for one in found} == {"spark"} and [one for one in found if one["different"]] == []
    assert sum(len(one["equal"]) for one in found) == 6 * 3 + 4
    again = aqi.json("materialize", "silver.* or gold.fact_*", "--partitions", FIRST, "--force")
    assert [step["written"] for step in again["steps"]] == [[]] * len(again["steps"]) != []
    assert versions(aqi) == before
    assert aqi.json("materialize", "*", "--partitions", SECOND)["steps"]
    assert aqi.tables() == undisturbed(BOTH)
    download(str(aqi.warehouse), tmp_path / "back")
    back = Lake(tmp_path / "back", embedded, replay.url, now=NOW)
    assert {state for of in back.states(days=BOTH).values() for state in of} == {"fresh"}
    forced = back.materialize(BOTH, "silver.* or gold.fact_*", force=True)
    assert forced.ok and not any(outcome.written for outcome in forced.outcomes)
    assert {key: back.canonical(key) for key in DATED} == undisturbed(BOTH)
