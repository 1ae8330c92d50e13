"""Room for a few pieces of work at once, of which large ones take more."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator


class Slots:
    """``number`` of them. Who came first is served first, so that a large piece is not passed over for ever.

    Safe to call from several threads.
    """

    def __init__(self, number: int) -> None:
        self._number = self._free = number
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, wanted: int = 1) -> Iterator[None]:
        """Waits for ``wanted`` of them, or for all where there are not so many, and has them within the block."""
        wanted, me = min(wanted, self._number), object()
        with self._changed:
            self._queue.append(me)
            try:
                self._changed.wait_for(lambda: self._queue[0] is me and self._free >= wanted)
                self._free -= wanted
            finally:
                self._queue.remove(me)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()
