"""The core is pure, and so are its tests: no network, no process, no file. Whatever a test of this folder does of these
fails it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

_FORBIDDEN = ("socket.connect", "socket.bind", "subprocess.Popen", "os.fork", "os.exec", "os.posix_spawn")
_watching: list[list[str]] = []


def _is_written(arguments: tuple[Any, ...]) -> bool:
    """Whether a file is opened to be written; hypothesis keeps its examples, and Python what it has compiled."""
    path, _, flags = arguments
    writes = bool(flags & (os.O_WRONLY | os.O_RDWR)) if isinstance(flags, int) else False
    kept = isinstance(path, str) and any(part in path for part in (".hypothesis", "__pycache__"))
    return writes and isinstance(path, str) and not kept


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and (event in _FORBIDDEN or (event == "open" and _is_written(arguments))):
        _watching[-1].append(f"{event} {arguments!r}"[:200])


sys.addaudithook(_hook)


@pytest.fixture(autouse=True)
def _touches_nothing() -> Iterator[None]:
    seen: list[str] = []
    _watching.append(seen)
    yield
    _watching.remove(seen)
    assert not seen, "a test of the core touches the world; it belongs into another room"
