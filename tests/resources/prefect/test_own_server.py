"""The home and the settings of our own Prefect server, and why it did not start: a script says what it would."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import sys
import threading
import time
from pathlib import Path

import pytest

from orchestration.core.errors import MachineError, RunError
from orchestration.reports.network import prefect_found
from resources.prefect import home as module
from resources.prefect import server as server_module
from resources.prefect.home import (
    LOCK,
    how_to_look,
    is_ready,
    migrating,
    of_other_versions,
    own_home,
    prefect_version,
    revisions,
    servers_environment,
    set_in_environment,
)
from resources.prefect.server import EmbeddedServer, configured_api_url

pytestmark = pytest.mark.costly  # servers, or waits


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Our own, in a state folder of the test's."""
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "aqi" / f"prefect-{prefect_version()}"


def database(home: Path, revision: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(home / "prefect.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", [revision])


def test_the_home_is_of_this_version_unless_one_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_home() == folder
    assert how_to_look(folder) == f"PREFECT_HOME={folder} prefect server start"
    monkeypatch.setenv("PREFECT_HOME", "~/theirs")
    assert own_home() == Path.home() / "theirs"


def test_which_revisions_this_prefect_knows() -> None:
    known, newest = revisions()
    assert newest in known
    assert len(known) > 50


def test_a_database_is_ready_when_it_is_of_the_newest_revision(folder: Path) -> None:
    known, newest = revisions()
    assert not is_ready(folder)
    database(folder, next(iter(known - {newest})))
    assert not is_ready(folder)
    with sqlite3.connect(folder / "prefect.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [newest])
    assert is_ready(folder)
    (folder / "prefect.db").write_bytes(b"no database" * 99)
    assert not is_ready(folder)


def test_a_database_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database(tmp_path / "theirs", "ffffffffffff")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "theirs"))
    with pytest.raises(MachineError, match=r"theirs/prefect.db, is of another version .*ffffffffffff") as caught:
        EmbeddedServer(tmp_path / "log")
    assert "Unset PREFECT_HOME" in caught.value.remedy


def test_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(MachineError, match=r"cannot keep its history in .*file") as caught:
        EmbeddedServer(tmp_path / "log")
    assert "XDG_STATE_HOME" in caught.value.remedy


def test_one_migrates_and_the_other_waits_for_it(folder: Path) -> None:
    told: list[str] = []

    def other() -> None:
        with migrating(folder) as needed:
            told.append(f"other: {needed}")

    with migrating(folder) as needed:
        assert needed
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        waiting = threading.Thread(target=other)
        waiting.start()
        time.sleep(0.3)
        database(folder, revisions()[1])
        told.append("first")
    waiting.join(10)
    assert told == ["first", "other: False"]


def test_the_wait_for_it_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.2)
    folder.mkdir(parents=True)
    with (folder / LOCK).open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RunError, match=r"for 0\.2 s\n  Look what holds .*migrating\.lock"), migrating(folder):
            pass


def test_nothing_of_the_shell_reaches_the_server() -> None:
    shell = {
        "PATH": "/bin",
        "NO_PROXY": "a",
        "PREFECT_API_DATABASE_CONNECTION_URL": "postgresql://x",
        "PREFECT_SERVER_API_AUTH_STRING": "a:b",
        "PREFECT_PROFILE": "x",
        "prefect_home": "/x",
        "http_proxy": "http://x",
        "ALL_PROXY": "socks5://x",
    }
    given = servers_environment(Path("/home"), shell, migrate=True)
    theirs = {name: value for name, value in given.items() if not name.startswith("PREFECT_")}
    assert theirs == {"PATH": "/bin", "NO_PROXY": "a"}
    assert {name: value for name, value in given.items() if name not in theirs} == {
        "PREFECT_HOME": "/home",
        "PREFECT_PROFILES_PATH": "/home/no-profiles.toml",
        "PREFECT_API_URL": "",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:///prefect.db",
        "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "true",
    }


def test_the_settings_of_this_process_are_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_KEY", "key")
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
    before = dict(os.environ)
    with set_in_environment(Path("/home"), "http://127.0.0.1:1/api"):
        assert {name: value for name, value in os.environ.items() if name.startswith("PREFECT_")} == {
            "PREFECT_LOGGING_LEVEL": "DEBUG",
            "PREFECT_HOME": "/home",
            "PREFECT_PROFILES_PATH": "/home/no-profiles.toml",
            "PREFECT_API_URL": "http://127.0.0.1:1/api",
        }
    assert dict(os.environ) == before


def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> EmbeddedServer:
    """A server in whose place a shell script runs."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(server_module.sys, "executable", str(program))
    (tmp_path / "log").write_text("the disk is full, said an older run: No space left on device\n")
    return EmbeddedServer(tmp_path / "log")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (
            "echo \"Can't locate revision identified by 'x'\"; exit 3",
            r"its database is of another version .*prefect\.db",
        ),
        ("echo 'sqlite3.OperationalError: database or disk is full'", "the disk is full; its last words: sqlite3"),
        ("echo 'PermissionError: [Errno 13] Permission denied: /x'", "it may not read or write a file; .* /x"),
        ("echo hello; echo Server stopped!; exit 7", "exit status 7; its last words: hello"),
        ("exit 7", "exit status 7"),
        ("kill -9 $$", "killed by signal 9"),
    ],
)
def test_why_it_did_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, told: str) -> None:
    with (
        says(tmp_path, monkeypatch, script) as server,
        pytest.raises(RunError, match=rf"Prefect's server did not start: {told}.*\n  Its log is .*/log\.$"),
    ):
        server.wait()


def test_one_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "READY_SECONDS", 0.3)
    with (
        says(tmp_path, monkeypatch, "exec sleep 60") as server,
        pytest.raises(RunError, match=r"did not start: it did not answer within 0\.3 s\n"),
    ):
        server.wait()


def test_a_port_that_somebody_took_is_tried_again_at_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third of them answers."""
    answers = f"exec {sys.executable} -m http.server --bind 127.0.0.1 --directory . $9"
    script = (
        f'echo x >> tried; [ $(wc -l < tried) -gt 2 ] || {{ echo "Port $9 is already in use."; exit 1; }}\n{answers}'
    )
    with says(tmp_path, monkeypatch, script) as server:
        (server.home / "api").mkdir()
        (server.home / "api" / "health").touch()
        server.wait()
        assert len((server.home / "tried").read_text().splitlines()) == 3
        assert f"{server._port} is" not in (tmp_path / "log").read_text()
    with (
        says(tmp_path, monkeypatch, 'echo "Port $9 is already in use."') as server,
        pytest.raises(RunError, match=r"did not start: exit status 0; its last words: Port .* is already in use"),
    ):
        server.wait()


def test_an_api_that_is_named_no_more(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Prefect keeps the settings of when it was loaded; those of a block count in it."""
    from prefect.context import refresh_global_settings_context
    from prefect.settings import PREFECT_API_URL, temporary_settings

    folder.mkdir(parents=True)
    monkeypatch.setenv("PREFECT_HOME", str(folder))
    monkeypatch.chdir(folder.parents[1])
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    refresh_global_settings_context()
    monkeypatch.delenv("PREFECT_API_URL")
    assert configured_api_url() is None
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:10/api"}):
        assert configured_api_url() == "http://127.0.0.1:10/api"
    refresh_global_settings_context()


def test_databases_of_other_versions_are_found(folder: Path, tmp_path: Path) -> None:
    assert of_other_versions() == []
    database(folder, revisions()[1])
    database(tmp_path / "aqi" / "prefect-3.1.0", "b")
    (tmp_path / "aqi" / "prefect-3.0.0").mkdir()  # without one
    assert of_other_versions() == [tmp_path / "aqi" / "prefect-3.1.0"]
    assert str(tmp_path / "aqi" / "prefect-3.1.0") in prefect_found()
