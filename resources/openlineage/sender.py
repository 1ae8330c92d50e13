"""Sends OpenLineage events beside a run: in order, in a thread of its own. It never fails the run, nor delays it long.

While the run goes on, an event that did not arrive is sent again after a pause. The events behind it wait, so that
none overtakes another. At the end of the run the remaining events have ``timeout_seconds`` in all; after that they
are lost.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from resources.openlineage.settings import OpenLineageSettings

ATTEMPTS = 3
"""An event is sent at most so often to a receiver that answers, but cannot take it."""
MOST_WAITING = 2_000
"""At most so many events wait for a receiver. Further ones are lost."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 10.0

_MakeTransport = Callable[[OpenLineageSettings], Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """The numbers of events that arrived and that were lost."""

    taken: int
    """Events that the receiver, or the file, took."""
    lost: int
    """Events that did not arrive, or whose arrival nobody confirmed."""
    why: str = ""
    """Why the last lost event was lost; empty where none was."""


def _default_transport(settings: OpenLineageSettings) -> Any:
    from resources.openlineage.transports import transport_of  # in the sender's thread: the import takes half a second

    return transport_of(settings)


class Sender:
    """Takes events and sends them, until ``close``. Safe to call from several threads."""

    def __init__(self, settings: OpenLineageSettings, transport: _MakeTransport = _default_transport) -> None:
        self._settings = settings
        self._make_transport = transport
        self._waiting: deque[Mapping[str, Any]] = deque()
        self._changed = threading.Condition()
        self._deadline: float | None = None
        self._taken = self._lost = 0
        self._why = ""
        self._thread = threading.Thread(target=self._work, name="openlineage", daemon=True)
        self._thread.start()

    def send(self, event: Mapping[str, Any]) -> None:
        """Queue an event of ``core.openlineage.events``. Does not wait."""
        with self._changed:
            if len(self._waiting) >= MOST_WAITING:
                self._lost, self._why = self._lost + 1, "too many of them waited"
                return
            self._waiting.append(event)
            self._changed.notify()

    def close(self) -> Sent:
        """Wait until all events are sent, at most ``timeout_seconds``. Events that are still queued then are lost."""
        with self._changed:
            self._deadline = time.monotonic() + self._settings.timeout_seconds
            self._changed.notify()
        self._thread.join(self._settings.timeout_seconds)
        with self._changed:
            left = len(self._waiting)
            self._waiting.clear()
            self._lost += left
            if left and not self._why:
                self._why = f"no answer within {self._settings.timeout_seconds:g} s"
            return Sent(self._taken, self._lost, self._why)

    def _work(self) -> None:
        try:
            from resources.openlineage.facets import complete

            transport = self._make_transport(self._settings)
        except Exception as error:  # the run must not fail; ``close`` says what was lost  # noqa: BLE001
            self._why = f"{type(error).__name__} in OpenLineage's client"
            return
        while (event := self._next()) is not None:
            self._deliver(transport, complete, event)
        transport.close()

    def _next(self) -> Mapping[str, Any] | None:
        """The first event of the queue, or None at the end of the run. The event stays queued until it is done with."""
        with self._changed:
            while not self._waiting:
                if self._deadline is not None:
                    return None
                self._changed.wait()
            return self._waiting[0]

    def _deliver(self, transport: Any, complete: Callable[[Mapping[str, Any]], Any], event: Mapping[str, Any]) -> None:
        from resources.openlineage.transports import NotTaken

        attempts, pause = 0, FIRST_PAUSE_SECONDS
        while True:
            attempts += 1
            try:
                transport.emit(complete(event))
            except NotTaken as error:
                why, again, nobody = str(error), error.again, error.nobody
            except Exception as error:  # the run must not fail  # noqa: BLE001
                why, again, nobody = type(error).__name__, False, False
            else:
                self._done_with(event, "")
                return
            if not again or (attempts >= ATTEMPTS and not nobody) or not self._paused(pause):
                self._done_with(event, why, all_others=nobody and self._deadline is not None)
                return
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _paused(self, seconds: float) -> bool:
        """Wait before another attempt; whether there is time for one. There is none at the end of the run."""
        with self._changed:
            if self._deadline is None:
                self._changed.wait_for(lambda: self._deadline is not None, seconds)
                return True
            return False

    def _done_with(self, event: Mapping[str, Any], why: str, *, all_others: bool = False) -> None:
        """Take an event off the queue and count it, unless ``close`` has counted it. why: why it is lost; empty where
        it arrived. all_others: the events behind it are lost, too."""
        with self._changed:
            if not self._waiting or self._waiting[0] is not event:
                return
            count = len(self._waiting) if why and all_others else 1
            for _ in range(count):
                self._waiting.popleft()
            if why:
                self._lost, self._why = self._lost + count, why
            else:
                self._taken += 1
