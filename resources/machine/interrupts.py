"""SIGINT and SIGTERM: a process reacts to them however it was started, and can first end what its threads wait for."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType


def heed_signals() -> None:
    """Let SIGINT and SIGTERM end this process, even if it inherited that they are ignored or blocked.

    A shell that runs a script starts background processes with SIGINT ignored, and their children inherit that.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


class Terminated(KeyboardInterrupt):
    """Raised on SIGTERM, as KeyboardInterrupt on Ctrl-C: ``with`` and ``finally`` blocks end what was begun."""


@contextlib.contextmanager
def first_on_interrupt(
    act: Callable[[], None], numbers: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM)
) -> Iterator[None]:
    """Within the block a SIGINT or SIGTERM starts ``act`` in a thread of its own, and then does what it did before. But
    a SIGTERM that would have ended the process at once raises Terminated.

    Signals that are ignored stay ignored. Outside the main thread the block changes nothing. numbers: the signals.
    """
    with contextlib.ExitStack() as after:
        if threading.current_thread() is threading.main_thread():
            for number in numbers:
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
