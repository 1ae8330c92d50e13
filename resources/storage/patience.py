"""Waiting for HDFS, and no longer than so long: its clients without a JVM have no time-out for what they read.

A call that gets no answer goes on in a thread that nobody waits for, and that the end of the process does not wait for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

from orchestration.core.errors import MachineError, WarehouseError

T = TypeVar("T")

SETTING = "dfs.client.socket-timeout"
"""Hadoop's own, in milliseconds, 60 s by default."""
MOMENT_SECONDS = 5.0
"""So long is waited for who has just not answered: a command makes a hundred calls."""
_silent: set[str] = set()
"""The NameNodes whose last call had no answer."""


class NoAnswer(WarehouseError, TimeoutError):
    """HDFS did not answer in time; a file may be as it should, and what was to be written may be there or not."""


def answered(uri: str, what: str, call: Callable[[], T]) -> T:
    """What ``call`` gives, where ``uri`` is on HDFS within seconds; what it raises is raised here.

    what: the file that it is about, for the message. Raises NoAnswer.
    """
    if urlsplit(uri).scheme != "hdfs":
        return call()
    at, seconds = urlsplit(uri).netloc, _seconds()
    if at in _silent:
        seconds = min(seconds, MOMENT_SECONDS)
    given: list[T] = []
    raised: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            given.append(call())
        except BaseException as error:  # noqa: BLE001 (it is the caller's)
            panicked = type(error).__name__ == "PanicException"  # of Rust, and none of Exception's
            raised.append(OSError(f"HDFS's client failed: {error}") if panicked else error)
        finally:
            done.set()

    threading.Thread(target=run, name=f"hdfs {what}", daemon=True).start()
    if not done.wait(seconds):
        _silent.add(at)
        raise NoAnswer(
            f"HDFS ({at or 'the default'}) gave no answer within {seconds:g} s about {what}",
            "Look whether its NameNode and DataNodes answer (`hdfs dfsadmin -report`), then call the command again. "
            f"Where they are only slow: {SETTING} in hdfs-site.xml, in milliseconds.",
        )
    _silent.discard(at)
    if raised:
        raise raised[0]
    return given[0]


def each_answered(uri: str, what: str, items: Iterator[Any]) -> Iterator[Any]:
    """The same items, each of which has to come in time. Raises NoAnswer."""
    end = object()
    while (item := answered(uri, what, lambda: next(items, end))) is not end:
        yield item


@cache
def _seconds() -> float:
    from resources.hadoop.configuration import HadoopConf

    try:
        said = HadoopConf.load().get(SETTING, "60000")
    except MachineError:
        said = ""
    return int(said) / 1000 if said.isdecimal() and int(said) else 60.0
