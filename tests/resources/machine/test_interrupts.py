"""Ctrl-C while threads are at work: what they wait for is ended before they are waited for."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from resources.machine.interrupts import first_on_interrupt

pytestmark = pytest.mark.costly  # servers, or waits


@pytest.fixture(autouse=True)
def _interrupts_raise() -> Iterator[None]:
    """Also where the tests run in the background, with interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_soon() -> None:
    threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()


def test_the_act_comes_before_what_waits_for_threads() -> None:
    ended = threading.Event()
    interrupt_soon()
    with pytest.raises(KeyboardInterrupt), first_on_interrupt(ended.set):
        try:
            time.sleep(30)
        finally:
            assert ended.wait(5), "as Prefect's task runner waits for its threads"


def test_afterwards_all_is_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with first_on_interrupt(lambda: None):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_ignored_stays_ignored_and_other_threads_have_no_say() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with first_on_interrupt(lambda: None):
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    seen: list[object] = []
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def elsewhere() -> None:
        with first_on_interrupt(lambda: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
