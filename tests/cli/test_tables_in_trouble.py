"""What commands say of tables in trouble, without an engine. Today is 2025-08-20."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.runs.journal import Attempt, RunEntry, RunState
from orchestration.core.runs.outcome import Outcome, Problem
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from orchestration.reports.page.found import Found
from orchestration.reports.page.partitions import facts
from resources.storage.journal import Journal
from tests.support.cli_calls import DAILY, Aqi
from tests.support.damages import lose_a_commit, lose_the_log
from tests.support.days_there import with_days

DAYS = {"hanoi": ["2025-08-01..2025-08-03"]}
BRONZE = "bronze.open_meteo_hourly"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(with_days(tmp_path_factory.mktemp("sound") / "lake", DAYS))


@pytest.fixture
def there(sound: Path, tmp_path: Path) -> Path:
    """A copy, for one test."""
    return Path(shutil.copytree(sound, tmp_path / "there"))


def folder(warehouse: Path, key: str) -> Path:
    return warehouse.joinpath(*key.split("."))


def cut_all(table: Path) -> None:
    """Nothing of the log can be read, nor was its state kept elsewhere."""
    for path in (table / "_delta_log").glob("*.json"):
        path.write_text('{"commitInfo":{"timest')


def lose_the_log_of_one_that_was_kept(table: Path) -> None:
    workspace = opened(table.parents[1])
    asset = workspace.catalog[DAILY]
    workspace.warehouse.keep_state(asset, workspace.warehouse.state(asset))
    lose_the_log(table)


@pytest.mark.parametrize("key", [BRONZE, DAILY])
def test_a_table_of_which_nothing_can_be_read_has_a_state(aqi: Aqi, there: Path, key: str) -> None:
    """Of the days that other tables have: nobody can tell which of them it has."""
    cut_all(folder(there, key))
    done = aqi("status", key, AQI_WAREHOUSE__URI=str(there))
    assert done.exit_code == 0
    assert "damaged" in done.stdout
    assert "There is nothing yet" not in done.stdout
    told = aqi("status", key, "--json", AQI_WAREHOUSE__URI=str(there)).stdout
    assert told.count('"state": "damaged"') == 3
    assert f"`aqi repair {key} --rebuild`" in told


def test_where_nothing_else_is_there_it_is_the_table_itself(aqi: Aqi, there: Path) -> None:
    for layer in ("silver", "gold"):
        shutil.rmtree(there / layer)
    cut_all(folder(there, BRONZE))
    told = json.loads(aqi("status", BRONZE, "--json", AQI_WAREHOUSE__URI=str(there)).stdout)
    assert [(one["partition"], one["state"]) for one in told] == [("null", "damaged")]
    assert "There is nothing yet" not in aqi("status", BRONZE, AQI_WAREHOUSE__URI=str(there)).stdout


def test_a_cut_commit_is_told_in_words(aqi: Aqi, there: Path) -> None:
    cut_all(folder(there, DAILY))
    said = aqi("status", DAILY, AQI_WAREHOUSE__URI=str(there)).stderr
    assert "00000000000000000000.json: it is cut off, or no JSON)" in said
    assert "Error" not in said


@pytest.mark.parametrize("damage", [cut_all, lose_a_commit])
def test_changes_cannot_be_told_of_what_cannot_be_read(aqi: Aqi, there: Path, damage: Any) -> None:
    """Whether something of the table is known or nothing: not all that a change would cost is told."""
    damage(folder(there, DAILY))
    for selection in ((), (DAILY,)):
        done = aqi("plan", "--changed", *selection, AQI_WAREHOUSE__URI=str(there))
        assert done.exit_code == 1
        assert f"`aqi repair {DAILY} --rebuild`" in " ".join(done.stdout.split())
    assert aqi("plan", "--changed", BRONZE, AQI_WAREHOUSE__URI=str(there)).exit_code == 0


def test_a_rebuilding_that_does_nothing_is_json_too(aqi: Aqi, there: Path) -> None:
    call = ("repair", "--rebuild", "--dry-run", "--json")
    sound = aqi(*call, AQI_WAREHOUSE__URI=str(there))
    assert (sound.exit_code, json.loads(sound.stdout)) == (0, {"rebuild": []})
    lose_a_commit(folder(there, DAILY))
    broken = aqi(*call, AQI_WAREHOUSE__URI=str(there))
    assert (broken.exit_code, json.loads(broken.stdout)) == (0, {"rebuild": [DAILY]})
    none = aqi("repair", BRONZE, "--rebuild", "--dry-run", "--json", AQI_WAREHOUSE__URI=str(there))
    assert json.loads(none.stdout) == {"rebuild": [BRONZE]}, "one that is named, whatever it is"


def test_what_failed_before_a_rebuilding_is_no_reason_after_it(aqi: Aqi, there: Path) -> None:
    """The journal knows of attempts at a table that is gone."""
    day = PartitionSet.from_json([["hanoi", "2025-08-04", "2025-08-04"]])
    attempt = Attempt(problems=(Problem(Outcome.SKIPPED, day, "its log is damaged"),), planned=day)
    times = ("2025-08-19T07:00:00Z", "2025-08-19T07:00:09Z")
    Journal(str(there)).write(RunEntry("20250819-1", "it", *times, RunState.FAILED, attempts={DAILY: attempt}))
    asked = ("status", DAILY, "--partitions", "2025-08-04", "--locations", "hanoi")
    assert "its log is damaged" in aqi(*asked, "--json", AQI_WAREHOUSE__URI=str(there)).stdout
    cut_all(folder(there, DAILY))
    rebuilt = aqi("repair", DAILY, "--rebuild", "--yes", "--dry-run", AQI_WAREHOUSE__URI=str(there))
    assert rebuilt.exit_code == 0
    rebuild_it(there, DAILY)
    (one,) = aqi.json(*asked, AQI_WAREHOUSE__URI=str(there))
    assert (one["state"], one["reason"]) == ("missing", "never made")
    newest = Journal(str(there)).entries()[0]
    assert (newest.title, newest.rebuilt) == (f"repair {DAILY} --rebuild", (DAILY,))
    assert RunEntry.from_json(newest.to_json()) == newest


def opened(warehouse: Path, **more: Any) -> Workspace:
    flags = {"warehouse": {"uri": str(warehouse)}, "clock": {"now": "2025-08-20T06:00:00Z"}, **more}
    return open_workspace(load(environment={}, flags=flags))


def rebuild_it(warehouse: Path, key: str) -> None:
    from rich.console import Console

    from orchestration.cli.progress import Quiet
    from orchestration.engine.changes.rebuild import rebuild

    rebuild(opened(warehouse), [key], Quiet(Console(stderr=True)))


def test_the_report_tells_holes_as_facts(tmp_path: Path) -> None:
    lake = with_days(tmp_path / "lake", {"hanoi": ["2025-08-01", "2025-08-03..2025-08-19"]})
    workspace = opened(Path(lake), history={"since": {"danang": "2025-08-19"}})
    told = facts(Found(workspace, (BRONZE, DAILY)))
    assert [(one["asset"], one["location"], one["missing_days"], one["hole_days"]) for one in told["holes"]] == [
        (BRONZE, "danang", "2025-08-19", ""),
        (BRONZE, "hanoi", "", "2025-08-02"),
        (DAILY, "danang", "2025-08-19", ""),
        (DAILY, "hanoi", "", "2025-08-02"),
    ]
    commands = [line for line in told["fill"] if line.startswith("  aqi backfill")]
    assert len(commands) == 2
    assert facts(Found(opened(Path(with_days(tmp_path / "whole", DAYS))), (BRONZE,)))["holes"] == []


# --- folders --------------------------------------------------------------------------------------


def finding(aqi: Aqi, warehouse: Path, what: str) -> dict[str, Any]:
    done = aqi("doctor", "--json", AQI_WAREHOUSE__URI=str(warehouse))
    return {one["what"]: one for one in json.loads(done.stdout)}[what]


def test_what_is_no_folder_is_a_fault(aqi: Aqi, there: Path) -> None:
    assert finding(aqi, there, "folders")["ok"]
    shutil.rmtree(there / "_aqi", ignore_errors=True)
    (there / "_aqi").touch()
    found = finding(aqi, there, "folders")
    assert (found["ok"], found["found"]) == (False, f"runs cannot write in {there / '_aqi'} (Not a directory)")
    assert "move away" in found["remedy"]


def test_a_file_system_that_is_read_only_is_not_called_one_without_rights(
    aqi: Aqi, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_named: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "is not writable (Read-only file system)" in finding(aqi, there, "warehouse")["found"]


@pytest.mark.parametrize("damage", [cut_all, lose_a_commit, lose_the_log_of_one_that_was_kept])
def test_a_migration_of_what_cannot_be_read_says_what_mends_it(aqi: Aqi, there: Path, damage: Any) -> None:
    """Not that there is no table, which would be materialized beside what is left of the old one."""
    damage(folder(there, DAILY))
    done = aqi("migrate", DAILY, "--dry-run", AQI_WAREHOUSE__URI=str(there))
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"`aqi repair {DAILY} --rebuild`" in done.stderr


def test_a_file_system_without_hard_links_takes_no_commits(
    aqi: Aqi, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of sshfs and some others that are mounted by a program."""

    def refuse(*_args: object, **_named: object) -> None:
        raise OSError(1, "Operation not permitted")

    before = sorted(path.name for path in there.iterdir())
    assert finding(aqi, there, "warehouse")["ok"]
    monkeypatch.setattr("pathlib.os.link", refuse)
    found = finding(aqi, there, "warehouse")
    assert (found["ok"], "without hard links" in found["found"]) == (False, True)
    assert sorted(path.name for path in there.iterdir()) == before, "nothing is left of the attempts"
