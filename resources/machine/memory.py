"""What a long run does about its own memory: it gives back what it no longer needs, and collects garbage less often."""

from __future__ import annotations

import contextlib
import gc
import os

YOUNG_OBJECTS = 50_000
"""So many new objects between two collections. A run holds a record for every partition, none of which is garbage: at
Python's default of 700 a fifth of its time goes into looking at them."""


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
ARENAS = 2
"""Each of the C library's arenas keeps pieces of its own; a run has sixty threads, of which few work at once."""
LARGE_BYTES = 256 << 10
"""What is larger is a mapping of its own, gone as soon as it is freed. Left alone, the C library raises this to as
much as 32 MiB, and the columns of a step leave holes between what stays."""
SPARE_BYTES = 16 << 20
"""So much free memory at the end of the heap is kept."""


def choose_pool() -> None:
    """To be called before Arrow is imported, which looks once: its own pools keep what they were given, the system's
    does not. Programs that this one starts inherit it."""
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"


def economize() -> None:
    """To be called when a run begins."""
    import ctypes

    import pyarrow as pa

    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, ARENAS)
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, SPARE_BYTES)
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)
    gc.freeze()  # modules and what they hold need not be looked through again
    pa.set_memory_pool(pa.system_memory_pool())


def give_back() -> None:
    """Free what only refers to itself, and give to the system what the C library (glibc) has free."""
    import ctypes

    gc.collect(1)  # all generations take a tenth of a second, and what a step leaves is young
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
