"""The wait of a run in a queue of YARN: for its application master, and then for its first executor.

Spark itself waits for both without a time limit. Meanwhile a thread asks the ResourceManager. When the time is over, or
the run is cancelled, the thread ends the application, and the start of Spark's session fails because of that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from orchestration.core.errors import LakehouseError, QueueFull
from resources.hadoop.resource_manager import Application

POLL_SECONDS = 1.0
TOLD_AFTER_SECONDS = 15.0
"""A wait is reported after this time. A cluster with room needs less."""


class Manager(Protocol):
    """The methods of the ResourceManager that are used here."""

    def applications(self, tag: str) -> Sequence[Application]: ...

    def kill(self, application_id: str) -> None: ...


class QueueWait:
    """Observes the application with ``tag`` until it has an executor, and ends it when it waits too long.

    queue: the name of its queue, for messages. seconds: how long it may wait for its application master, and then for
    an executor. say: called once for each of the two waits, and when an application cannot be ended. poll_seconds: the
    time between two questions. The attribute ``refused`` is the error that says why the application was ended; None
    while it was not.
    """

    def __init__(
        self,
        manager: Manager,
        tag: str,
        queue: str,
        seconds: float,
        say: Callable[[str], None],
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._manager, self._tag, self._queue, self._seconds, self._say = manager, tag, queue, seconds, say
        self._poll_seconds = poll_seconds
        self._over = threading.Event()
        self._cancelled = False
        self._thread: threading.Thread | None = None
        self.refused: QueueFull | None = None

    def start(self) -> None:
        """Start the thread that observes the application."""
        self._thread = threading.Thread(target=self._look, daemon=True, name="yarn-queue")
        self._thread.start()

    def cancel(self) -> None:
        """End the application, now or as soon as there is one."""
        self._cancelled = True

    def end(self) -> None:
        """Stop the thread. If the run was cancelled and its application has no executor, the application is ended.

        To be called when no application can be submitted any more.
        """
        self._over.set()
        if self._thread is None:
            return
        self._thread.join()
        self._thread = None
        if not self._cancelled:
            return
        try:
            for application in self._manager.applications(self._tag):
                if not application.has_executors:
                    self._kill(application)
        except LakehouseError as error:
            self._say(str(error))

    def _look(self) -> None:
        waits_for, since, reported = "", 0.0, set[str]()
        while not self._over.wait(self._poll_seconds):
            try:
                found = self._manager.applications(self._tag)
            except LakehouseError:  # the ResourceManager does not answer: Spark reports that in the end
                continue
            if not found:
                continue
            application = found[0]
            if (what := _what(application)) != waits_for:
                waits_for, since = what, time.monotonic()
            waited = time.monotonic() - since
            if self._cancelled:
                self._kill(application)
            elif application.has_executors:
                return
            elif not what:
                continue
            elif waited >= self._seconds:
                self.refused = QueueFull(
                    f"refused: YARN's queue {self._queue} had no room for {what} of {application.id} "
                    f"within {self._seconds:g} s; it was ended",
                    "Wait until others are done (yarn application -list), take another yarn.queue, or wait longer: "
                    "yarn.queue_wait_seconds.",
                )
                self._kill(application)
            elif waited >= min(TOLD_AFTER_SECONDS, self._seconds / 2) and what not in reported:
                reported.add(what)
                self._say(
                    f"{application.id} waits in YARN's queue {self._queue} for {what}, "
                    f"{self._seconds:g} s at most (yarn.queue_wait_seconds)"
                )

    def _kill(self, application: Application) -> None:
        try:
            self._manager.kill(application.id)
        except LakehouseError as error:  # tried again at the next question
            self._say(str(error))


def _what(application: Application) -> str:
    """What an application waits for in the queue; empty where its application master has a container, and starts."""
    if application.state == "RUNNING":
        return "an executor"
    return "" if application.containers else "the application master"
