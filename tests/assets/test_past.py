"""What is told of rows of commit d35dc26 that alone could say what the source was asked, and cannot be read."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.errors import WarehouseError
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from orchestration.reports.status import PartitionStatus, read_status
from tests.support.cli_calls import Aqi
from tests.support.kept.trees import unpack

BRONZE, SILVER = "bronze.open_meteo_hourly", "silver.air_quality_hourly_clean"
MOVED = [
    {"key": "hanoi", "name": "Hà Nội", "latitude": 21.03, "longitude": 105.83, "timezone": "Asia/Ho_Chi_Minh"},
    {"key": "danang", "name": "Đà Nẵng", "latitude": 16.06, "longitude": 108.2, "timezone": "Asia/Ho_Chi_Minh"},
]
"""Coordinates of which no version tells, where the table of locations is gone."""


def lose(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(b"no parquet")


def spoil(path: Path) -> None:
    """As large as it was, so that nobody who only looks can know."""
    path.write_bytes(b"no parquet".ljust(path.stat().st_size))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    folder = unpack(tmp_path / "warehouse")
    shutil.rmtree(folder / "gold" / "dim_location")
    return folder


def workspace_of(folder: Path) -> Workspace:
    flags: dict[str, Any] = {"warehouse": {"uri": str(folder)}, "clock": {"now": datetime(2026, 1, 1, tzinfo=UTC)}}
    return open_workspace(load(environment={}, flags=flags | {"locations": MOVED}))


def statuses(folder: Path) -> list[PartitionStatus]:
    return list(read_status(workspace_of(folder), [BRONZE, SILVER]))


@pytest.mark.parametrize(("harm", "why"), [(lose, "is gone"), (cut, "is cut off (10 of ")])
def test_what_is_lost_is_damaged_whatever_its_source_was_asked(
    kept: Path, harm: Callable[[Path], None], why: str
) -> None:
    before = statuses(kept)
    file = sorted((kept / "bronze" / "open_meteo_hourly").glob("*.parquet"))[0]
    harm(file)
    found = statuses(kept)
    told = [item for item in found if item.asset == BRONZE and item.state != "fresh"]
    assert {(str(item.state), str(item.partition.location)) for item in told} == {
        ("damaged", location) for location in ("hanoi", "danang", "hcmc")
    }
    assert all(f"the data file {file.name} {why}" in item.reason for item in told)
    assert [item for item in found if item.asset == SILVER] == [item for item in before if item.asset == SILVER]


def test_status_names_it_and_goes_on(kept: Path) -> None:
    before = statuses(kept)
    assert Counter("source" in item.reason for item in before if item.asset == BRONZE) == {False: 42}
    file = sorted((kept / "bronze" / "open_meteo_hourly").glob("*.parquet"))[0]
    spoil(file)
    found = statuses(kept)
    told = [item for item in found if item.asset == BRONZE and item.state != "fresh"]
    assert {str(item.partition.location) for item in told} == {"hanoi", "danang"}, "of the others nobody asks it"
    (reason,) = {item.reason for item in told}
    assert "what its source was asked is not known: rows of bronze.open_meteo_hourly cannot be read (" in reason
    assert "\n" not in reason and "\x1b" not in reason
    assert [item for item in found if item.asset == SILVER] == [item for item in before if item.asset == SILVER]


def test_who_needs_to_know_it_is_refused_by_name(kept: Path) -> None:
    spoil(sorted((kept / "bronze" / "open_meteo_hourly").glob("*.parquet"))[0])
    workspace = workspace_of(kept)
    asset = workspace.catalog[BRONZE]
    state = workspace.warehouse.state(asset)
    for key in list(state.records)[:2]:
        with pytest.raises(WarehouseError, match="cannot be read") as refused:
            workspace.history.question_of(asset, key, state.records[key], state)
        assert refused.value.remedy == "Restore the file from a copy."


def test_the_command(aqi: Aqi, kept: Path) -> None:
    spoil(sorted((kept / "bronze" / "open_meteo_hourly").glob("*.parquet"))[0])
    profile = aqi.folder / "moved.yml"
    locations = "\n".join(f"  - {{{', '.join(f'{name}: {value}' for name, value in one.items())}}}" for one in MOVED)
    profile.write_text(f"warehouse: {{uri: {kept}}}\nlocations:\n{locations}\n", encoding="utf-8")
    done = aqi("status", "--json", "--profile", str(profile))
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.count("what its source was asked is not known: rows of ") == 28
