"""The embedded engine as a child process, driven through pyspark's own Connect client.

It only reads tables, and writes to a scratch folder: it cannot commit. So whatever becomes of it (a crash, a query
without end, out of memory, kill -9) fails what was computed at that moment, and nothing else; the next one that wants
a session gets a new process.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.core.errors import LakehouseError, MachineError, RunError, in_a_line
from resources.embedded import server
from resources.embedded.scratch import Scratch
from resources.machine.environment import cleaned
from resources.machine.pinned import check_pinned
from resources.machine.shell import tidy
from resources.settings.spark_values import UNTRACED

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

START_SECONDS = 60
END_SECONDS = 5
DEATH_SECONDS = 2
"""So long after the connection was lost it is waited for a process that may be ending."""
SPILLED = "datafusion-*"
"""Folders of Sail's own in scratch."""
LOST, OUT_OF_POOL = "UNAVAILABLE", "total memory pool"
"""In what an error says: that there is no connection any more; that an operator that cannot spill wants too much."""
OF_THE_ENGINE = ("SAIL_", "RUST_", "TOKIO_", "DATAFUSION_")
"""How variables begin that would change what the engine does: those of the user's shell do not reach it."""
CLIENTS_LOGGER = "pyspark.sql.connect.logging"
CONNECT_MODE = "SPARK_CONNECT_MODE_ENABLED"
"""With it in the environment, the functions of pyspark make expressions of Connect, not of a JVM."""


class EmbeddedProcess:
    """A process that starts when it is wanted, and again when it has died; safe to use from several threads.

    warehouse: below whose folder it has its scratch. memory: so many bytes it may have resident, ``memory_text`` as the
    setting says it. timeout: so many seconds a piece of work may take. conf: settings of its sessions. log: where its
    own output goes.
    """

    def __init__(
        self, warehouse: Path, memory: int, memory_text: str, timeout: float, conf: Mapping[str, str], log: Path
    ) -> None:
        self._warehouse, self.memory, self._memory_text, self.timeout = warehouse, memory, memory_text, timeout
        self._conf, self._log = dict(conf), log
        self._lock = threading.RLock()
        self._child: subprocess.Popen[bytes] | None = None
        self._session: Any = None
        self._scratch: Scratch | None = None
        self._ended_because: dict[int, str] = {}  # by process: another thread may have started the next one
        self._stopped = False

    @property
    def pid(self) -> int | None:
        """Of the process that lives, or lived last."""
        return None if self._child is None else self._child.pid

    def session(self) -> SparkSession:
        """The session of a process that lives. Raises RunError where none can be started."""
        with self._lock:
            if self._session is None or self._child is None or self._child.poll() is not None:
                self._start()
            session: Any = self._session
            # What an asset's function calls the active session. pyspark's own way to say so leaves one that has ended.
            kind = type(session)
            kind._default_session = kind._active_session.session = session
            given: SparkSession = session
            return given

    @property
    def scratch(self) -> Path:
        """The folder in which the process may write; it outlives a process that dies."""
        self.session()
        assert self._scratch is not None
        return self._scratch.folder

    def _start(self) -> None:
        if self._stopped:
            raise RunError("the embedded engine was ended", "Ask for the same days again.")
        check_installed()
        check_pinned("pyspark")  # its client
        tidy()
        os.environ[CONNECT_MODE] = "1"
        self._let_go()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._scratch = self._scratch or Scratch(self._warehouse)
            for spilled in self._scratch.folder.glob(SPILLED):  # by one that is dead
                shutil.rmtree(spilled, ignore_errors=True)
        except OSError as error:
            raise RunError(
                f"the embedded engine cannot write below {self._warehouse} ({error.strerror})", "Check the disk."
            ) from error
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-I", server.__file__, str(self._scratch.folder), str(self.memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={name: value for name, value in cleaned(os.environ).items() if _is_taken(name, value)},
                start_new_session=True,  # Ctrl-C is for whoever started it, who ends it then
            )
        self._session = self._connected(self._port(self._child))

    def _port(self, child: subprocess.Popen[bytes]) -> int:
        assert child.stdout is not None
        line, deadline = b"", time.monotonic() + START_SECONDS
        while not line.endswith(b"\n") and select.select([child.stdout], [], [], deadline - time.monotonic())[0]:
            more = os.read(child.stdout.fileno(), 4096)
            if not more:
                break
            line += more
        try:
            return int(json.loads(line)["port"])
        except (ValueError, KeyError, TypeError) as error:
            child.kill()
            raise RunError("the embedded engine did not start", f"Its log is {self._log}.") from error

    def _connected(self, port: int) -> Any:
        from pyspark.sql.connect.client import DefaultChannelBuilder
        from pyspark.sql.connect.session import SparkSession

        try:
            # What is on this machine goes through no proxy.
            channel = DefaultChannelBuilder(f"sc://127.0.0.1:{port}", [("grpc.enable_http_proxy", 0)])
            session = SparkSession.builder.channelBuilder(channel).create()
            # A process that is gone does not come back at its port: to try again would only take minutes.
            session.client.set_retry_policies([])
            logging.getLogger(CLIENTS_LOGGER).setLevel(logging.CRITICAL)  # what it says is in the errors, in our words
            session.client.disable_reattachable_execute()
            for name, value in {**UNTRACED, **self._conf}.items():
                session.conf.set(name, value)
        except Exception as error:
            why = self._why_ended(self._child, error) or in_a_line(error)
            self._end("it did not answer")
            raise RunError(f"the embedded engine did not start: {why}", f"Its log is {self._log}.") from error
        return session

    @contextlib.contextmanager
    def working(self, what: str) -> Iterator[None]:
        """A piece of work on the engine. Where the process ends in it, or it takes too long, RunError says so."""
        os.environ[CONNECT_MODE] = "1"
        with self._lock:
            self.session()
            child = self._child
        too_long = f"{what} took longer than {self.timeout:g} s (setting embedded.timeout_seconds)"
        timer = threading.Timer(self.timeout, self._end, [too_long, child])
        timer.daemon = True
        timer.start()
        try:
            yield
        except LakehouseError:
            raise
        except Exception as error:
            why = self._why_ended(child, error)
            if why is None:
                if OUT_OF_POOL in str(error):
                    raise RunError(
                        f"the embedded engine gave up: {self._too_little}", "Ask for the same days again."
                    ) from error
                raise
            raise RunError(f"the embedded engine ended in mid-run: {why}", "Ask for the same days again.") from error
        finally:
            timer.cancel()

    @property
    def _too_little(self) -> str:
        return (
            f"it needed more than the {self._memory_text} of memory that it may have "
            "(setting embedded.memory; smaller chunks need less)"
        )

    def _why_ended(self, child: subprocess.Popen[bytes] | None, error: Exception) -> str | None:
        """Why the process ended; None where it lives."""
        if child is None:
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(DEATH_SECONDS if LOST in str(error) else 0)
        if child.returncode is None:
            return None
        if child.pid in self._ended_because:
            return self._ended_because[child.pid]
        if child.returncode == server.OUT_OF_MEMORY:
            return self._too_little
        how = f"killed by signal {-child.returncode}" if child.returncode < 0 else f"exit status {child.returncode}"
        return f"{how}; its log is {self._log}"

    def _end(self, why: str, child: subprocess.Popen[bytes] | None = None) -> None:
        """Kill the process, or ``child`` where the work on that one is meant.

        Without the lock: whoever holds it may wait for this very process.
        """
        child = child or self._child
        if child is not None:
            self._ended_because.setdefault(child.pid, why)
            child.kill()

    def cancel(self) -> None:
        """End whatever is going on; nothing more is started."""
        self._stopped = True
        self._end("it was cancelled")

    def stop(self) -> None:
        """End the process and wait until it is gone, with its scratch."""
        with self._lock:
            self._stopped = True
            self._let_go()
            if self._scratch is not None:
                self._scratch.close()
                self._scratch = None

    def _let_go(self) -> None:
        session, child, self._session = self._session, self._child, None
        if session is not None:
            with contextlib.suppress(Exception):  # the process may be gone
                session.client.close()
        if child is None:
            return
        assert child.stdin is not None and child.stdout is not None
        with contextlib.suppress(OSError):
            child.stdin.close()
        try:
            child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()


def check_installed() -> str:
    """The version of the engine. Raises MachineError where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pysail")
    except PackageNotFoundError as error:
        raise MachineError("the embedded engine (pysail) is not installed", "Run `make setup`.") from error


def _is_taken(name: str, value: str) -> bool:
    """Whether the engine gets a variable: none of its own settings, and none that is not UTF-8, at which it panics."""
    return not name.startswith(OF_THE_ENGINE) and not any("\udc80" <= sign <= "\udcff" for sign in name + value)
