"""Ends a process whose work is done before libraries can make it crash while the interpreter shuts down."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

INTERRUPTED = 130


@contextmanager
def leaving() -> Iterator[None]:
    """After the block, once the interpreter begins to exit, the process ends at once with its exit status. By then its
    threads have ended, and the exit functions have run that were registered inside the block, for instance by libraries
    imported there.

    This skips the rest of the interpreter's shutdown, which could abort the process: Arrow's threads may release a
    Python file in it (apache/arrow#34314), and Python ends daemon threads wherever they are, even within C++.
    """
    status = 1  # the exit status of a process that ends by an exception

    def leave() -> None:
        logging.shutdown()
        with suppress(OSError, ValueError):  # a reader that went away, a stream that was closed
            sys.stdout.flush()
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)

    atexit.register(leave)  # the exit function that is registered first is called last
    try:
        yield
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        raise
    except KeyboardInterrupt:
        status = INTERRUPTED
        raise
