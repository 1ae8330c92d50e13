"""What a long run does about its own memory: it gives back what it no longer needs, and collects garbage less often."""

from __future__ import annotations

import contextlib
import ctypes
import gc

YOUNG_OBJECTS = 50_000
"""So many new objects between two collections. A run holds a record for every partition, none of which is garbage: at
Python's default of 700 a fifth of its time goes into looking at them."""


_M_ARENA_MAX = -8
ARENAS = 2
"""Each of the C library's arenas keeps pieces of its own; a run has sixty threads, of which few work at once."""


def economize() -> None:
    """To be called when a run begins. Arrow's own pools keep what they were given; the system's does not."""
    import pyarrow as pa

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)

    gc.set_threshold(YOUNG_OBJECTS, 20, 100)
    pa.set_memory_pool(pa.system_memory_pool())


def give_back() -> None:
    """Give freed memory back to the system, where the C library can (glibc)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
