"""The Prefect server of a run: the configured one, or a server of our own for as long as the run lasts.

Our own server is Prefect's ordinary server on a free port of 127.0.0.1, with a database of its own (see ``home``).
The history stays in that database: `prefect server start` shows it. The server ends with the run. If this process is
killed, the kernel ends the server.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import requests

from orchestration.core.errors import MachineError, RunError, UsageError
from resources.machine.addresses import without_secrets
from resources.machine.certificates import OF_PREFECT, check_certificates
from resources.machine.ports import free_ports
from resources.machine.processes import end_with_parent
from resources.machine.proxies import for_requests, settle
from resources.machine.state_folder import home_folder
from resources.prefect.client import what_failed
from resources.prefect.home import (
    DATABASE,
    is_ready,
    migrating,
    own_home,
    servers_environment,
    set_in_environment,
    settings_as_before,
)
from resources.prefect.reach import check_reachable, where_one_is_needed
from resources.prefect.settings import check_settings, why

READY_SECONDS = 90
LOG_BYTES = 1 << 20
END_SECONDS = 15
PORTS = 3
"""So many ports are tried: another process may take a free port before the server does."""
PORT_TAKEN = "is already in use"
_CAUSES = {
    "Can't locate revision": "its database is of another version than this Prefect",
    "unable to open database file": "its database cannot be opened",
    "readonly database": "its database cannot be written",
    "database or disk is full": "the disk is full",
    "No space left on device": "the disk is full",
    "disk I/O error": "its database cannot be read or written (disk I/O error)",
    "malformed": "its database is damaged",
    "file is not a database": "its database is damaged",
    "database is locked": "its database is locked by another process",
    "Permission denied": "it may not read or write a file",
    "Too many open files": "it may not open as many files as it needs (ulimit -n)",
    "MemoryError": "there is not enough memory",
    "ModuleNotFoundError": "a Python package is missing",
}
"""Text in the server's log → its meaning. The first text that is found counts."""
_NOT_NEEDED = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
}
"""Settings that switch off what a server for one run does not need. Its services would act on other people's
deployments."""


def configured_api_url() -> str | None:
    """The API that Prefect's own settings name (environment or profile); None where they name none. Raises MachineError
    where Prefect does not take what its files say."""
    if os.environ.get("PREFECT_API_URL"):
        return os.environ["PREFECT_API_URL"]
    loaded = sys.modules.get("prefect.context")
    # A caller may have set other settings for a block since Prefect was loaded. Else Prefect's settings are those of
    # the environment at that time.
    as_then = loaded is None or loaded.SettingsContext.get() is loaded.GLOBAL_SETTINGS_CONTEXT
    if as_then and _nothing_names_one():
        return None
    logging.getLogger("prefect.plugins").disabled = True  # it would tell the same, with a traceback
    try:
        from prefect.settings import get_current_settings

        return get_current_settings().api.url
    except ValueError as error:  # of pydantic, and of TOML
        raise MachineError(
            f"Prefect does not take its settings ({why(error)})",
            f"Correct them in {_profiles()}, or in prefect.toml, pyproject.toml or .env of this folder.",
        ) from None


def _nothing_names_one() -> bool:
    """Whether no file that Prefect reads can name an API. Then Prefect need not be imported to find out: the import
    takes long enough to start a server meanwhile."""
    try:
        project = Path("pyproject.toml")
        if project.exists() and "tool.prefect" in project.read_text(encoding="utf-8"):
            return False
        return not any(
            file.exists() and "api" in file.read_text(encoding="utf-8").lower()
            for file in (_profiles(), Path("prefect.toml"), Path(".env"))
        )
    except (OSError, UnicodeDecodeError):
        return False


def _profiles() -> Path:
    """The file of Prefect's profiles."""
    home = Path(os.environ.get("PREFECT_HOME") or home_folder() / ".prefect")
    return Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")


def named_api_url() -> str:
    """The API that Prefect's own settings name. Raises UsageError where they name none, MachineError where there is no
    way to it."""
    check_client()
    url = configured_api_url()
    if not url:
        raise UsageError(
            "no Prefect server is named",
            "Start one with `prefect server start`, then `export PREFECT_API_URL=http://127.0.0.1:4200/api`.",
        )
    settle(url)
    return url


def check_client() -> None:
    """Raises MachineError where the environment has settings or certificates with which Prefect's client always
    fails."""
    check_settings()
    check_certificates(OF_PREFECT)


def check_api() -> None:
    """A check before any work. Raises MachineError where the configured API cannot be worked with (see
    ``check_reachable``), or where PREFECT_HOME names a folder whose database is of another version of Prefect."""
    check_client()
    if url := configured_api_url():
        check_reachable(url)
    elif os.environ.get("PREFECT_HOME"):
        is_ready(own_home())


def api_to_work_with() -> str:
    """The API that Prefect's own settings name. Raises UsageError where they name none, MachineError where the API
    cannot be worked with."""
    url = named_api_url()
    try:
        check_reachable(url)
    except MachineError as error:
        raise MachineError(error.message, where_one_is_needed(error.remedy)) from error
    return url


class EmbeddedServer:
    """A Prefect server of our own. It starts at once, and is ready after ``wait``. log: the file for its output.

    Raises MachineError where its history cannot be stored. Waits while another run makes the database.
    """

    def __init__(self, log: Path) -> None:
        self._log, self._home = log, own_home()
        log.parent.mkdir(parents=True, exist_ok=True)
        self._migrating = contextlib.ExitStack()
        self._migrates = self._migrating.enter_context(migrating(self._home))
        self._begin()

    def _begin(self) -> None:
        (self._port,) = free_ports(1)
        with self._log.open("ab") as output:
            self._log_begins = output.tell()
            # -P: the server must not import a module from the user's current folder
            server = [sys.executable, "-P", "-m", "prefect", "server", "start"]
            self._process = subprocess.Popen(
                [*server, "--host", "127.0.0.1", "--port", str(self._port)],
                env={**servers_environment(self._home, os.environ, migrate=self._migrates), **_NOT_NEEDED},
                cwd=self._home,  # where no file of the user's names settings
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=end_with_parent,
                start_new_session=True,
            )

    @property
    def home(self) -> Path:
        """The server's PREFECT_HOME."""
        return self._home

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/api"

    def wait(self) -> None:
        """Wait until the server answers. Raises RunError with the cause and the name of the log where it does not."""
        for ports_left in reversed(range(PORTS)):
            if self._answers():
                self._migrating.close()
                return
            if self._process.poll() is None or PORT_TAKEN not in self._said() or not ports_left:
                break
            self._begin()
        raise RunError(f"Prefect's server did not start: {self._why()}", f"Its log is {self._log}.")

    def _answers(self) -> bool:
        deadline = time.monotonic() + READY_SECONDS
        url = f"{self.api_url}/health"
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if requests.get(url, timeout=2, proxies=for_requests(url)).ok:
                    return True
            except requests.RequestException:
                time.sleep(0.05)
        return False

    def _said(self) -> str:
        """What this server has written to its log."""
        try:
            with self._log.open("rb") as log:
                log.seek(self._log_begins)
                return log.read(LOG_BYTES).decode(errors="replace")
        except OSError:
            return ""

    def _why(self) -> str:
        said = self._said()
        what = next((what for words, what in _CAUSES.items() if words in said), "")
        if "database" in what:
            what += f" ({self._home / DATABASE})"
        lines = [line.strip() for line in said.splitlines() if line.strip() and line.strip() != "Server stopped!"]
        if not what and self._process.poll() is None:
            what = f"it did not answer within {READY_SECONDS} s"
        elif not what:
            status = self._process.returncode
            what = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        return f"{what}; its last words: {lines[-1][:200]}" if lines else what

    def stop(self) -> None:
        """End the server and wait until it is gone."""
        self._migrating.close()
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> EmbeddedServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@contextlib.contextmanager
def prefect_api(log: Path) -> Iterator[None]:
    """Prefect's API until the end of the block: the configured one, or a server of our own, which writes to ``log``.

    Raises RunError where the configured API fails. Prefect's own errors are replaced: they repeat the address, with its
    secrets.
    """
    if url := configured_api_url():
        settle(url)
        try:
            yield
        except Exception as error:
            if not (wrong := what_failed(error)):
                raise
            raise RunError(
                f"Prefect's server at {without_secrets(url)} {wrong}",
                "Start it (prefect server start), or unset PREFECT_API_URL to run without.",
            ) from None
        return
    with EmbeddedServer(log) as server:
        try:
            with set_in_environment(server.home, server.api_url):
                settle(server.api_url)
                from prefect.context import refresh_global_settings_context

                server.wait()
                os.environ["PREFECT_API_URL"] = server.api_url  # its port is another one if the first was taken
                refresh_global_settings_context()
                yield
        finally:
            settings_as_before(server.home)
