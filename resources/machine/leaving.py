"""An end of a process that no library can spoil, once its work is done."""

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
    """The process ends by itself after the block, when its threads have ended and all exit functions have been called
    that were registered after this began, as those of libraries are that are imported in it.

    While the interpreter is taken down, Arrow's threads may let go of a file of Python's (apache/arrow#34314), and
    Python ends daemon threads wherever they are, in C++ too: either aborts the process whose work is done.
    """
    status = 1  # of a process that ends by an exception

    def leave() -> None:
        logging.shutdown()
        with suppress(OSError, ValueError):  # a reader that went away, a stream that was closed
            sys.stdout.flush()
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)

    atexit.register(leave)  # the first is called last
    try:
        yield
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        raise
    except KeyboardInterrupt:
        status = INTERRUPTED
        raise
