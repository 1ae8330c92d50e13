"""The folder in which our own Prefect server keeps its history, and the server's settings, which no user's shell
changes.

The folder's name has Prefect's version, so that no other Prefect migrates its database: for instance
``$XDG_STATE_HOME/aqi/prefect-3.8.8``. If PREFECT_HOME is set, the history is in that folder. Prefect is not imported.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import time
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from orchestration.core.errors import MachineError, RunError
from resources.machine.state_folder import home_folder, state_folder

DATABASE, LOCK = "prefect.db", "migrating.lock"
LOCK_SECONDS = 120
"""A run waits at most this long while another run makes the database. That takes seconds, half a minute on a busy
machine."""
OURS = "PREFECT_"
OF_LOGS = "PREFECT_LOGGING_"
_MIGRATIONS = Path("server", "database", "_migrations", "versions", "sqlite")
_REVISION = re.compile(r"""^(down_)?revision\s*(?::[^=]*)?=\s*["'](\w+)["']""", re.MULTILINE)


def prefect_version() -> str:
    return version("prefect")


def own_home() -> Path:
    """The folder of our own server: the one that PREFECT_HOME names, else one for this user and version of Prefect."""
    if named := os.environ.get("PREFECT_HOME"):
        return Path(named).expanduser().absolute()
    return _own_folder()


def _own_folder() -> Path:
    return state_folder().absolute() / f"prefect-{prefect_version()}"


def of_other_versions() -> list[Path]:
    """The folders with databases of other versions of Prefect, in our state folder."""
    found = sorted(path.parent for path in state_folder().absolute().glob(f"prefect-*/{DATABASE}"))
    return [home for home in found if home != _own_folder()]


def how_to_look(home: Path) -> str:
    """The command that starts a server which shows the history."""
    return f"PREFECT_HOME={shlex.quote(str(home))} prefect server start"


def own_settings(home: Path, api_url: str = "") -> dict[str, str]:
    """Prefect's settings for our server and its clients. The user's profiles do not change them."""
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "no-profiles.toml"),
        "PREFECT_API_URL": api_url,
    }


def servers_environment(home: Path, environ: Mapping[str, str], *, migrate: bool) -> dict[str, str]:
    """The environment of our server. It has none of the user's settings of Prefect, and no proxy: the server calls
    nobody. migrate: whether the server migrates its database when it starts."""
    database = {
        # Relative to the folder in which the server is started: the folder's name may have characters that a URL
        # reserves.
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{DATABASE}",
        "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": str(migrate).lower(),
    }
    kept = {name: value for name, value in environ.items() if not _is_in_the_way(name)}
    return {**kept, **own_settings(home), **database}


def _is_in_the_way(name: str) -> bool:
    return name.upper().startswith(OURS) or (name.lower().endswith("_proxy") and name.lower() != "no_proxy")


@contextlib.contextmanager
def set_in_environment(home: Path, api_url: str) -> Iterator[None]:
    """Until the end of the block, Prefect's settings in this process are ours, except the settings of its logs."""
    before = {name: value for name, value in os.environ.items() if name.upper().startswith(OURS)}
    for name in before:
        if not name.startswith(OF_LOGS):
            del os.environ[name]
    os.environ.update(own_settings(home, api_url))
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.upper().startswith(OURS)]:
            del os.environ[name]
        os.environ.update(before)


def settings_as_before(home: Path) -> None:
    """After our server has ended: load Prefect's settings again from the environment. home: the folder of our
    server."""
    from prefect.context import refresh_global_settings_context

    # Prefect makes its home folder where there is none. It must not make one for a user who does not use Prefect.
    absent = not os.environ.get("PREFECT_HOME") and not (home_folder() / ".prefect").exists()
    if absent:
        os.environ["PREFECT_HOME"] = str(home)
    try:
        refresh_global_settings_context()
    finally:
        if absent:
            del os.environ["PREFECT_HOME"]


@contextlib.contextmanager
def migrating(home: Path) -> Iterator[bool]:
    """Whether this run has to make or migrate the database, by the end of the block. No other run does so meanwhile.

    Makes the folder. Raises MachineError where the folder cannot be made, or the database is of another version of
    Prefect; RunError where another run has held the lock for too long.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _own_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = None if is_ready(home) else (_own_folder() / LOCK).open("ab")
    except OSError as error:
        raise MachineError(
            f"Prefect's server cannot keep its history in {error.filename} ({error.strerror})",
            "Give this user rights to write there, or name another folder in XDG_STATE_HOME or PREFECT_HOME.",
        ) from error
    if lock is None:
        yield False
        return
    with lock:
        _take(lock)
        yield not is_ready(home)


def _take(lock: IO[bytes]) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise RunError(
                    f"another run has been making the database of Prefect's server for {LOCK_SECONDS} s",
                    f"Look what holds {lock.name} (fuser), and call again.",
                ) from None
            time.sleep(0.1)
        except OSError:  # a file system without locks
            return
        else:
            return


def is_ready(home: Path) -> bool:
    """Whether the database exists and is migrated to this Prefect. Raises MachineError where it is of another
    Prefect."""
    found = _revision_of(home / DATABASE)
    if not found:
        return False
    known, newest = revisions()
    if known and found not in known:
        raise MachineError(
            f"the database of Prefect's server, {home / DATABASE}, is of another version than Prefect "
            f"{prefect_version()} (revision {found})",
            "Unset PREFECT_HOME: then it has one of its own; or name another folder, or move this one away.",
        )
    return found == newest


def _revision_of(database: Path) -> str:
    """The revision of a database's tables. Empty where there is no database, or it cannot be read now."""
    import sqlite3

    if not database.exists():
        return ""
    try:
        with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        return ""
    return str(row[0]) if row else ""


@cache
def revisions() -> tuple[frozenset[str], str]:
    """The revisions that the installed Prefect knows, and the newest of them. Empty where Prefect's files are not where
    they are expected."""
    spec = find_spec("prefect")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    known: set[str] = set()
    before: set[str] = set()
    for file in (file for folder in folders for file in (Path(folder) / _MIGRATIONS).glob("*.py")):
        for down, revision in _REVISION.findall(file.read_text(encoding="utf-8")):
            (before if down else known).add(revision)
    newest = known - before
    return frozenset(known), newest.pop() if len(newest) == 1 else ""
