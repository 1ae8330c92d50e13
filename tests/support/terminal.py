"""Calls of `aqi` on a terminal of a given width: a pseudo-terminal, as a person's."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from dataclasses import dataclass

from tests.support.aqi_process import AQI

_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Seen:
    """What a person saw: of standard output, without styles, and of standard error, which went elsewhere."""

    status: int
    lines: list[str]
    errors: str

    @property
    def widest(self) -> int:
        return max(map(len, self.lines), default=0)


def on_a_terminal(*args: str, width: int = 80, **env: str) -> Seen:
    """Call `aqi` with standard output on a terminal of ``width`` columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    plain = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    with subprocess.Popen(
        [AQI, *args],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**plain, "TERM": "xterm", **env},
        text=True,
    ) as process:
        os.close(theirs)
        seen = b""
        while part := _read(ours):
            seen += part
        assert process.stderr is not None
        errors = process.stderr.read()
        status = process.wait(timeout=60)
    os.close(ours)
    text = _STYLE.sub("", seen.decode("utf-8")).replace("\r\n", "\n")
    return Seen(status, text.splitlines(), errors)


def _read(file: int) -> bytes:
    try:
        return os.read(file, 65536)
    except OSError:  # nobody has it open any more
        return b""
