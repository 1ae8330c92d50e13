"""A location was renamed, and the configuration still has its old key: nothing is fetched under it, and who may take
it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from orchestration.cli.app import main
from orchestration.cli.progress import Quiet
from orchestration.core.errors import UsageError
from orchestration.engine.changes.locations import check_ready, check_renamed
from orchestration.engine.changes.rename import run_rename
from orchestration.engine.executor import materialize
from orchestration.engine.wipe import run_wipes
from tests.support import oracle
from tests.support.clocks import MovingClock
from tests.support.keeping_lake import KeepingLake
from tests.support.provider import Provider, full_rows

pytestmark = pytest.mark.engine

OLD, NEW, OTHER = "hanoi", "ha_noi", "danang"
DAY = date(2025, 3, 3)
QUIET = Quiet(Console(stderr=True))
HANOI = {"key": OLD, "name": "Hà Nội", "latitude": 21.0278, "longitude": 105.8342, "timezone": "Asia/Ho_Chi_Minh"}
DANANG = {"key": OTHER, "name": "Đà Nẵng", "latitude": 16.0544, "longitude": 108.2022, "timezone": "Asia/Ho_Chi_Minh"}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    clock = MovingClock(datetime(2025, 3, 5, 12, tzinfo=UTC))
    with Provider(clock, full_rows((OLD, OTHER), DAY, 1)) as provider:
        yield provider


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory, embedded: Any, provider: Provider) -> KeepingLake:
    """Two locations, of which one was renamed; the configuration is as before."""
    lake = KeepingLake(
        tmp_path_factory.mktemp("renamed") / "lake",
        embedded,
        provider.url,
        {"locations": [HANOI, DANANG]},
        now=datetime(2025, 3, 5, 12, tzinfo=UTC),
    )
    assert lake.materialize(str(DAY), oracle.BRONZE).ok
    run_rename(lake.workspace, OLD, NEW, QUIET, embedded.make)
    return lake


@pytest.fixture
def changed(renamed: KeepingLake, tmp_path: Path) -> KeepingLake:
    """The same, for tests that change it."""
    shutil.copytree(renamed.folder, tmp_path / "lake")
    return replace(renamed, folder=tmp_path / "lake", flags=dict(renamed.flags))


def test_a_run_of_the_old_key_is_refused_before_any_work(renamed: KeepingLake, provider: Provider) -> None:
    asked, before = len(provider.requests), renamed.versions()
    for locations in ([], [OLD]):
        workspace = renamed.workspace
        request = workspace.requested([oracle.BRONZE], str(DAY), locations)
        with pytest.raises(UsageError, match=f"'{OLD}' was renamed to '{NEW}' in this warehouse") as refused:
            materialize(workspace, request, QUIET, title="", make_engine=renamed.shared.make)
        assert f"Write '{NEW}' there. To undo the rename: aqi location rename {NEW} {OLD}" in refused.value.remedy
    assert (len(provider.requests), renamed.versions()) == (asked, before)
    workspace = renamed.workspace
    check_ready(workspace, workspace.requested([oracle.BRONZE], str(DAY), [OTHER]))  # which was not renamed


@pytest.mark.parametrize("call", ["materialize --hourly", "materialize --hourly --dry-run", f"plan --partitions {DAY}"])
def test_the_file_that_has_the_old_key_is_named(
    call: str, renamed: KeepingLake, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = tmp_path / "mine.yml"
    profile.write_text(json.dumps({"locations": [HANOI, DANANG]}), encoding="utf-8")
    monkeypatch.setenv("AQI_WAREHOUSE__URI", str(renamed.folder))
    monkeypatch.setenv("AQI_OPEN_METEO__BASE_URL", provider.url)
    monkeypatch.setenv("AQI_CLOCK__NOW", "2025-03-05T12:00:00Z")
    asked = len(provider.requests)
    ended = CliRunner().invoke(main, [*call.split(), oracle.BRONZE, "--profile", str(profile)])
    assert (ended.exit_code, len(provider.requests)) == (2, asked)
    assert f"and {profile} still has '{OLD}'" in ended.stderr


def test_it_is_told_no_more_once_the_configuration_has_the_new_key(renamed: KeepingLake) -> None:
    with pytest.raises(UsageError, match="was renamed"):
        check_renamed(renamed.workspace)
    check_renamed(replace(renamed, flags={"locations": [HANOI | {"key": NEW}, DANANG]}).workspace)


def test_nor_once_the_rename_is_undone(changed: KeepingLake) -> None:
    run_rename(changed.workspace, NEW, OLD, QUIET, changed.shared.make)
    check_renamed(changed.workspace)


def test_another_location_may_take_the_old_key(changed: KeepingLake) -> None:
    """It has other coordinates, or the new key is configured beside it, or nothing is there under the new key."""
    check_renamed(replace(changed, flags={"locations": [HANOI | {"latitude": 10.5}, DANANG]}).workspace)
    check_renamed(replace(changed, flags={"locations": [HANOI, HANOI | {"key": NEW}]}).workspace)
    workspace = changed.workspace
    run_wipes(workspace, workspace.to_wipe(workspace.catalog.keys, None, [NEW]), QUIET)
    check_renamed(changed.workspace)
