"""The Prefect server of a run: the one that is configured, or one of our own for as long as the run lasts.

Our own is Prefect's ordinary server on a free port of 127.0.0.1, over Prefect's ordinary database: the history is
there afterwards for whoever starts `prefect server start`. It ends with the run; if this process is killed, the
kernel ends it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import requests

from orchestration.core.errors import RunError, UsageError
from resources.machine.addresses import without_secrets
from resources.machine.processes import end_with_parent
from resources.prefect.client import what_failed

READY_SECONDS = 90
END_SECONDS = 15
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
"""Services that a server for one run has no use for; they would act on other people's deployments."""


def configured_api_url() -> str | None:
    """The API that Prefect's own settings name (environment or profile), None where there is none."""
    if os.environ.get("PREFECT_API_URL"):
        return os.environ["PREFECT_API_URL"]
    if "prefect" not in sys.modules and _nothing_names_one():
        return None
    from prefect.settings import get_current_settings

    return get_current_settings().api.url


def _nothing_names_one() -> bool:
    """Whether no file that Prefect would read can name an API: then it need not be imported to know, which takes long
    enough to start a server meanwhile."""
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    profiles = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    try:
        project = Path("pyproject.toml")
        if project.exists() and "tool.prefect" in project.read_text(encoding="utf-8"):
            return False
        return not any(
            file.exists() and "api" in file.read_text(encoding="utf-8").lower()
            for file in (profiles, Path("prefect.toml"), Path(".env"))
        )
    except (OSError, UnicodeDecodeError):
        return False


def named_api_url() -> str:
    """The API that Prefect's own settings name. Raises UsageError where there is none."""
    url = configured_api_url()
    if not url:
        raise UsageError(
            "no Prefect server is named",
            "Start one with `prefect server start`, then `export PREFECT_API_URL=http://127.0.0.1:4200/api`.",
        )
    return url


class EmbeddedServer:
    """A Prefect server of our own. ``log``: where its output goes. Started at once, ready after ``wait``."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._port = _free_port()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self._port)],
                env={**os.environ, **_NOT_NEEDED, "PREFECT_API_URL": ""},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=end_with_parent,
                start_new_session=True,
            )

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/api"

    def wait(self) -> None:
        """Wait until the server answers. Raises RunError that names its log."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if requests.get(f"{self.api_url}/health", timeout=2).ok:
                    return
            except requests.RequestException:
                time.sleep(0.05)
        raise RunError("Prefect's server did not start", f"Its log is {self._log}.")

    def stop(self) -> None:
        """End the server and wait until it is gone."""
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def prefect_api(log: Path) -> Iterator[None]:
    """Prefect's API until the end of the block: the configured one, or a server of our own, which writes to ``log``.

    Raises RunError where the configured one fails: Prefect's own errors repeat its address, with what is secret in it.
    """
    if url := configured_api_url():
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
        from prefect.context import refresh_global_settings_context

        server.wait()
        before = os.environ.get("PREFECT_API_URL")
        os.environ["PREFECT_API_URL"] = server.api_url
        refresh_global_settings_context()
        try:
            yield
        finally:
            if before is None:
                del os.environ["PREFECT_API_URL"]
            else:
                os.environ["PREFECT_API_URL"] = before
            refresh_global_settings_context()
