"""A time limit for calls of HDFS: its clients without a JVM have none for reading.

A call without an answer is abandoned: it goes on in a daemon thread, for which neither the caller nor the end of the
process waits.
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
"""The setting of Hadoop that is the time limit, in milliseconds; 60 s by default."""
MOMENT_SECONDS = 5.0
"""The time limit for a NameNode whose last call had no answer. It is short because a command makes a hundred calls."""
_silent: set[str] = set()
"""The NameNodes whose last call had no answer, as ``host:port``."""


class NoAnswer(WarehouseError, TimeoutError):
    """HDFS did not answer in time. The file may be all right; what was to be written may have been written or not."""


def answered(uri: str, what: str, call: Callable[[], T]) -> T:
    """The result of ``call()``, with a time limit if ``uri`` is on HDFS. An error of ``call`` is raised here too.

    what: the path of the file that the call is about, for the message. Raises NoAnswer when the time is over.
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
            panicked = type(error).__name__ == "PanicException"  # a panic in Rust; it is no subclass of Exception
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
    """The items of ``items``, with a time limit for each, see `answered`. Raises NoAnswer."""
    end = object()
    while (item := answered(uri, what, lambda: next(items, end))) is not end:
        yield item


@cache
def _seconds() -> float:
    """The time limit that Hadoop's configuration sets, in seconds; 60 where it sets none."""
    from resources.hadoop.configuration import HadoopConf

    try:
        said = HadoopConf.load().get(SETTING, "60000")
    except MachineError:
        said = ""
    return int(said) / 1000 if said.isdecimal() and int(said) else 60.0
