"""Ctrl-C while threads of ours are at work: what they wait for is ended first, or they would be waited for."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def first_on_interrupt(act: Callable[[], None]) -> Iterator[None]:
    """Within it an interrupt calls ``act``, in a thread of its own, and then does what it did before.

    Only in the main thread, and only where interrupts are not ignored; elsewhere nothing is different.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def interrupted(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=act, daemon=True).start()
        before(number, frame)

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
