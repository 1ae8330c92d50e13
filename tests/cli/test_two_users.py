"""Two users with different umask on one warehouse: who may write in its folder may take its lock; what one of them may
not read or write is named. Today is 2025-08-20."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestration.cli.app import main
from orchestration.core.errors import MachineError
from resources.storage.lock import LOCK_NAME
from tests.support.cli_calls import DAILY, EPISODE, Aqi
from tests.support.days_there import with_days
from tests.support.lock_holders import mine
from tests.support.other_user import ANNA, BORIS, SHARED, as_user

DAY = ("--partitions", "2025-08-02", "--locations", "hanoi", "--yes")
CALLS = (
    ("status", DAILY),
    ("plan", DAILY, "--partitions", "2025-08-02"),
    ("freshness",),
    ("doctor",),
    ("wipe", DAILY, *DAY),
    ("maintenance",),
    ("runs",),
    ("repair", "--rebuild", "--dry-run"),
)


@pytest.fixture(scope="module", autouse=True)
def no_server() -> Iterator[None]:
    """The doctor asks for no Prefect server, whose client is slow to import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestration.reports.doctor.prefect_found", lambda: "not asked")
        yield


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse that commands were called on, whose modules are there since, and those that a run needs."""
    import prefect.context  # noqa: F401  # another user may be unable to read them on this machine
    import pyspark.sql.connect.client  # noqa: F401

    lake = with_days(tmp_path_factory.mktemp("sound") / "lake", {"hanoi": ["2025-08-01..2025-08-03"]})
    env = {"AQI_WAREHOUSE__URI": lake, "AQI_CLOCK__NOW": "2025-08-20T06:00:00Z"}
    env["AQI_OPEN_METEO__BASE_URL"] = "http://127.0.0.1:9"
    for args in CALLS:
        CliRunner().invoke(main, [*args, "--dry-run"] if args[0] in ("wipe", "maintenance") else args, env=env)
    return Path(lake)


@pytest.fixture
def shared(sound: Path, aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy that Anna made for the group, in a folder that all may enter: pytest's own is root's."""
    with as_user(ANNA):  # skips where that cannot be
        pass
    with tempfile.TemporaryDirectory(prefix="aqi-two-users-") as folder:
        Path(folder).chmod(0o755)
        lake = Path(shutil.copytree(sound, Path(folder) / "lake"))
        for path in [lake, *lake.rglob("*")]:
            os.chown(path, ANNA, SHARED)
            path.chmod(0o2775 if path.is_dir() else 0o664)
        state = Path(folder) / "state"
        state.mkdir()
        state.chmod(0o777)
        monkeypatch.setenv("XDG_STATE_HOME", str(state))
        monkeypatch.chdir(folder)
        yield lake
        monkeypatch.chdir(aqi.folder)


def test_the_lock_is_for_all_who_may_write_in_the_folder(shared: Path) -> None:
    """Whatever umask it was made with; one of before is opened to others by the next run of its owner."""
    with as_user(ANNA, umask=0o077), mine(shared):
        pass
    lock = shared / LOCK_NAME
    assert stat.S_IMODE(lock.stat().st_mode) == 0o664
    with as_user(BORIS), mine(shared):
        pass
    lock.chmod(0o644)
    with as_user(BORIS), pytest.raises(MachineError) as caught, mine(shared):
        raise AssertionError("entered without the lock")
    assert caught.value.message == f"{lock} is not writable (Permission denied)"
    assert caught.value.remedy.endswith(f"chmod g+rw {lock}.")
    with as_user(ANNA), mine(shared):
        pass
    with as_user(BORIS), mine(shared):
        pass


def test_the_lock_of_a_folder_of_one_user_is_his(shared: Path) -> None:
    shared.chmod(0o755)
    with as_user(ANNA), mine(shared):
        pass
    assert stat.S_IMODE((shared / LOCK_NAME).stat().st_mode) == 0o644
    with as_user(BORIS), pytest.raises(MachineError) as caught, mine(shared):
        raise AssertionError("entered")
    assert caught.value.message == f"the warehouse {shared} is not writable (Permission denied)"
    assert caught.value.remedy.startswith(f"Give this user rights to write in it (its owner: chmod -R g+rwX {shared})")
    assert "AQI_WAREHOUSE__URI" in caught.value.remedy


def call(aqi: Aqi, lake: Path, user: int, *args: str, umask: int = 0o002) -> Result:
    with as_user(user, umask=umask):
        done = aqi(*args, AQI_WAREHOUSE__URI=str(lake))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_both_write_where_the_group_may(aqi: Aqi, shared: Path) -> None:
    assert call(aqi, shared, BORIS, "wipe", DAILY, *DAY).exit_code == 0
    assert call(aqi, shared, ANNA, "maintenance").exit_code == 0
    done = call(aqi, shared, ANNA, "wipe", EPISODE, *DAY)
    assert done.exit_code == 0, done.stderr
    found = call(aqi, shared, BORIS, "doctor")
    assert "ok     folders:" in found.stdout, found.stdout


def test_a_reader_reads_and_is_told_that_he_may_not_write(aqi: Aqi, shared: Path) -> None:
    for path in [shared, *shared.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    for args in (("status", DAILY), ("freshness",), ("plan", DAILY, "--partitions", "2025-08-02"), ("runs",)):
        assert call(aqi, shared, BORIS, *args).exit_code in (0, 1), args
    for args in (("wipe", DAILY, *DAY), ("maintenance",)):
        done = call(aqi, shared, BORIS, *args)
        assert done.exit_code == 2
        assert "is not writable (Permission denied)" in done.stderr
    assert f"FAULT  warehouse: {shared} is not writable" in call(aqi, shared, BORIS, "doctor").stdout


def test_a_table_of_one_of_them_is_the_trouble_of_that_table(aqi: Aqi, shared: Path) -> None:
    """Boris' umask kept Anna out of what he made: from reading, or only from writing."""
    table = shared.joinpath(*DAILY.split("."))
    for path in [table, *table.rglob("*")]:
        os.chown(path, BORIS, SHARED)
        path.chmod(0o755 if path.is_dir() else 0o644)
    found = call(aqi, shared, ANNA, "doctor")
    assert f"FAULT  folders: runs cannot write in {table} (Permission denied)" in found.stdout
    assert call(aqi, shared, ANNA, "status", DAILY).exit_code == 0
    refused = call(aqi, shared, ANNA, "wipe", DAILY, *DAY)
    assert (refused.exit_code, "Permission denied" in refused.stderr) == (1, True), refused.stderr
    assert "rights" in refused.stderr
    (table / "_delta_log").chmod(0o700)
    told = call(aqi, shared, ANNA, "status", DAILY)
    assert (told.exit_code, "damaged" in told.stdout) == (0, True)
    assert "Give this user rights to read and write" in told.stderr
    assert "fresh" in call(aqi, shared, ANNA, "status", EPISODE).stdout
    done = call(aqi, shared, ANNA, "wipe", EPISODE, *DAY)
    assert done.exit_code == 0, done.stderr
    assert f"table {DAILY}" in call(aqi, shared, ANNA, "doctor").stdout
    for selection in ((), (DAILY,)):
        rebuilt = call(aqi, shared, ANNA, "repair", *selection, "--rebuild", "--yes")
        assert rebuilt.exit_code == 1
        assert "Give this user rights to read and write all that is in" in rebuilt.stderr
    assert [path.name for path in table.parent.glob(f"{table.name}*")] == [table.name], "it is not lost"


def test_a_folder_that_nobody_else_may_enter(aqi: Aqi, shared: Path) -> None:
    shared.chmod(0o700)
    for args in CALLS:
        done = call(aqi, shared, BORIS, *args)
        assert done.exit_code == (1 if args[0] == "doctor" else 2), args
        assert "Permission denied" in done.stdout + done.stderr, args
