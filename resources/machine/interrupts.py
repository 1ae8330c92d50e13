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


class Terminated(KeyboardInterrupt):
    """SIGTERM, heeded as Ctrl-C is: what was begun is ended in order."""


@contextlib.contextmanager
def first_on_interrupt(act: Callable[[], None]) -> Iterator[None]:
    """Within it SIGINT and SIGTERM call ``act``, in a thread of its own, and then do what they did before; a SIGTERM
    that would end the process at once raises Terminated.

    Only in the main thread, and only where they are not ignored; elsewhere nothing is different.
    """
    with contextlib.ExitStack() as after:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.getsignal(number)
                if number == signal.SIGTERM and before is signal.SIG_DFL:
                    after.callback(signal.signal, number, before)
                    signal.signal(number, _acting(act, _terminate))
                elif callable(before):
                    after.callback(signal.signal, number, before)
                    signal.signal(number, _acting(act, before))
        yield


Handler = Callable[[int, FrameType | None], object]


def _acting(act: Callable[[], None], then: Handler) -> Handler:
    def heard(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=act, daemon=True).start()
        then(number, frame)

    return heard


def _terminate(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends it at once
    raise Terminated
