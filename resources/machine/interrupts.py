"""Signals that end a process: they are heeded however it was started, and what its threads wait for is ended first."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


def heed_signals() -> None:
    """SIGINT and SIGTERM end this process, also where whoever started it ignores or blocks them.

    A shell that runs a script ignores SIGINT in what it starts in the background, and that is inherited.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


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
