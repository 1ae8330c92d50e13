"""Another user of this machine, for a moment, in this process: who may do less than root."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

ANNA, BORIS, SHARED = 64_001, 64_002, 64_100
"""Two users, and a group of both; nobody else on a machine has such numbers."""


@contextmanager
def as_user(user: int, *, group: int = SHARED, umask: int = 0o022) -> Iterator[None]:
    """All of this process is that user's; skips the test where this process may not become another.

    What is to be imported within must have been before: an interpreter may lie where others cannot read.
    """
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    groups, before = os.getgroups(), os.umask(umask)
    try:
        try:
            os.setgroups([])
            os.setresgid(group, group, 0)
            os.setresuid(user, user, 0)
        except OSError as error:  # a container whose root is none elsewhere, or has no such users
            pytest.skip(f"root may not become another user here ({error.strerror})")
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        with suppress(OSError):
            os.setgroups(groups)
        os.umask(before)
        importlib.invalidate_caches()  # of folders that could not be listed, which would stay empty
