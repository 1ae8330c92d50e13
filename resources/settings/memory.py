"""Amounts of memory in the settings: as they are written, and their bounds."""

from __future__ import annotations

MEMORY = r"^[0-9]+[kmgt]$"
LEAST_MEMORY, MOST_MEMORY = 512 << 20, 64 << 40
"""With less, the embedded engine has no room for the batches of a few steps at once, and Spark refuses to start (its
least is 450 MiB of what a JVM counts as its heap). More than the most is a slip of the pen: no machine has it."""


def bytes_of(memory: str) -> int:
    """``512m`` in bytes."""
    return int(memory[:-1]) << {"k": 10, "m": 20, "g": 30, "t": 40}[memory[-1]]


def check_memory(key: str, memory: str) -> None:
    """Raises ValueError for one that is out of bounds."""
    if bytes_of(memory) < LEAST_MEMORY:
        raise ValueError(f"{key} must be at least {LEAST_MEMORY >> 20}m (got {memory})")
    if bytes_of(memory) > MOST_MEMORY:
        raise ValueError(f"{key} must be at most {MOST_MEMORY >> 40}t (got {memory})")
