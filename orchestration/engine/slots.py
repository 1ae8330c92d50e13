"""Slots: how many pieces of work may run at once, where large ones take several slots."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator


class Slots:
    """A number of slots. They are given in the order of asking, so that a large piece of work is not passed over for
    ever.

    Safe to call from several threads.
    """

    def __init__(self, number: int) -> None:
        self._number = self._free = number
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, wanted: int = 1) -> Iterator[None]:
        """Wait for ``wanted`` slots (for all where there are fewer), and hold them within the block."""
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
