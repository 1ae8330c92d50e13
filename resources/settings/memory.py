"""Amounts of memory in the settings: how they are written (``512m``), and how large they may be."""

from __future__ import annotations

MEMORY = r"^[0-9]+[kmgt]$"
LEAST_MEMORY, MOST_MEMORY = 512 << 20, 64 << 40
"""Bytes. With less than ``LEAST_MEMORY`` the embedded engine has no room for the batches of several steps, and Spark
refuses to start: it wants 450 MiB of what a JVM counts as its heap. More than ``MOST_MEMORY`` is a typing error: no
machine has that much."""


def bytes_of(memory: str) -> int:
    """An amount in bytes: ``512m`` → 536870912."""
    return int(memory[:-1]) << {"k": 10, "m": 20, "g": 30, "t": 40}[memory[-1]]


def check_memory(key: str, memory: str) -> None:
    """Raises ValueError for an amount that is too small or too large. key: the setting, for the message."""
    if bytes_of(memory) < LEAST_MEMORY:
        raise ValueError(f"{key} must be at least {LEAST_MEMORY >> 20}m (got {memory})")
    if bytes_of(memory) > MOST_MEMORY:
        raise ValueError(f"{key} must be at most {MOST_MEMORY >> 40}t (got {memory})")
