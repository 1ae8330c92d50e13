"""The memory of a long run's Python process: it returns free memory to the system, and collects garbage less often."""

from __future__ import annotations

import contextlib
import gc
import os

YOUNG_OBJECTS = 50_000
"""Python collects garbage after this many new objects. A run holds a record for every partition, none of which is
garbage: at Python's default of 700 objects a run spends a fifth of its time in looking through these records."""


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
ARENAS = 2
"""The number of arenas from which the C library (glibc) allocates. Each arena keeps free memory of its own. A run has
about sixty threads, but few of them work at once."""
LARGE_BYTES = 256 << 10
"""The C library allocates a block that is larger than this by a mapping of its own, and unmaps it when it is freed. By
default it raises this bound up to 32 MiB; then the columns of a step leave holes in the heap when they are freed."""
SPARE_BYTES = 16 << 20
"""The C library keeps at most this much free memory at the end of the heap."""


def choose_pool() -> None:
    """Let Arrow allocate from the system, in this process and in its children.

    Arrow's own pools keep the memory that was freed; the system's pool does not. Must be called before Arrow is
    imported: Arrow reads the variable only then.
    """
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"


def economize() -> None:
    """Set the C library, the garbage collector and Arrow to use little memory. Called when a run begins."""
    import ctypes

    import pyarrow as pa

    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, ARENAS)
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, SPARE_BYTES)
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)
    gc.freeze()  # the objects that exist now, as modules and their contents, are not looked through again
    pa.set_memory_pool(pa.system_memory_pool())


def give_back() -> None:
    """Free the objects that only refer to each other, and return the C library's (glibc's) free memory to the
    system."""
    import ctypes

    gc.collect(1)  # the garbage of a step is young; to collect all generations takes a tenth of a second
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
