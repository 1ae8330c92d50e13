"""The embedded engine as a child process, driven through pyspark's own Connect client.

The process only reads tables, and writes to a scratch folder: it cannot commit. So its end (a crash, a query without
end, out of memory, kill -9) makes only the current computation fail. The next caller that wants a session gets a new
process.
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
from resources.storage.lock import how_to_write

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

START_SECONDS = 60
END_SECONDS = 5
DEATH_SECONDS = 2
"""After the connection was lost, wait so long for the end of the process, which may be ending."""
SPILLED = "datafusion-*"
"""Folders that the engine, Sail, makes in scratch."""
LOST, OUT_OF_POOL = "UNAVAILABLE", "total memory pool"
"""Texts in an error: the connection is gone; an operator that cannot spill to disk wants too much memory."""
OF_THE_ENGINE = ("SAIL_", "RUST_", "TOKIO_", "DATAFUSION_")
"""Prefixes of variables that change what the engine does. Such variables of the user's shell do not reach the
engine."""
CLIENTS_LOGGER = "pyspark.sql.connect.logging"
CONNECT_MODE = "SPARK_CONNECT_MODE_ENABLED"
"""With this variable in the environment, pyspark's functions make expressions of Connect, not of a JVM."""


class EmbeddedProcess:
    """A process that starts when it is first used, and again after it has died. Safe to call from several threads.

    warehouse: folder of the warehouse; the scratch folder is in it. memory: limit of the process's resident memory, in
    bytes. memory_text: the same limit as the setting has it, for messages. timeout: limit of one piece of work, in
    seconds. conf: settings of the process's sessions. log: file for the process's own output.
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
        self._ended_because: dict[int, str] = {}  # by process id: another thread may have started the next process
        self._stopped = False

    @property
    def pid(self) -> int | None:
        """The id of the living process, or of the last one; None before the first."""
        return None if self._child is None else self._child.pid

    def session(self) -> SparkSession:
        """A session of a living process. Raises RunError where no process can be started."""
        with self._lock:
            if self._session is None or self._child is None or self._child.poll() is not None:
                self._start()
            session: Any = self._session
            # The active session, for the functions of assets. pyspark's own setter leaves a session that has ended.
            kind = type(session)
            kind._default_session = kind._active_session.session = session
            given: SparkSession = session
            return given

    @property
    def scratch(self) -> Path:
        """The folder in which the process may write. It outlives the death of a process."""
        self.session()
        assert self._scratch is not None
        return self._scratch.folder

    def _start(self) -> None:
        if self._stopped:
            raise RunError("the embedded engine was ended", "Ask for the same days again.")
        check_installed()
        check_pinned("pyspark")  # its Connect client is used
        tidy()
        os.environ[CONNECT_MODE] = "1"
        self._let_go()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._scratch = self._scratch or Scratch(self._warehouse)
            for spilled in self._scratch.folder.glob(SPILLED):  # left by a dead process
                shutil.rmtree(spilled, ignore_errors=True)
        except OSError as error:
            raise RunError(
                f"the embedded engine needs room for passing files below {self._warehouse}, and cannot write there "
                f"({error.strerror})",
                how_to_write(self._warehouse, error),
            ) from error
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-I", server.__file__, str(self._scratch.folder), str(self.memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={name: value for name, value in cleaned(os.environ).items() if _is_taken(name, value)},
                start_new_session=True,  # Ctrl-C must reach only this process, which then ends the engine
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
            # No proxy for connections within this machine.
            channel = DefaultChannelBuilder(f"sc://127.0.0.1:{port}", [("grpc.enable_http_proxy", 0)])
            session = SparkSession.builder.channelBuilder(channel).create()
            # A dead process does not come back at its port: retries would only take minutes.
            session.client.set_retry_policies([])
            logging.getLogger(CLIENTS_LOGGER).setLevel(logging.CRITICAL)  # our errors report what it logs
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
        """Do a piece of work on the engine. what: the work, for messages. Raises RunError where the process ends during
        the work, or the work takes too long."""
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
        """Kill the process; or ``child``, the process of a piece of work, where a newer one may run already.

        Takes no lock: the thread that holds the lock may wait for this very process.
        """
        child = child or self._child
        if child is not None:
            self._ended_because.setdefault(child.pid, why)
            child.kill()

    def cancel(self) -> None:
        """End the current work. The engine starts nothing more."""
        self._stopped = True
        self._end("it was cancelled")

    def stop(self) -> None:
        """End the process, wait until it is gone, and remove its scratch folder."""
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
    """Whether the engine gets a variable of the environment. It gets none of its own settings, and no variable that is
    not UTF-8: the engine panics at those."""
    return not name.startswith(OF_THE_ENGINE) and not any("\udc80" <= sign <= "\udcff" for sign in name + value)
