"""The server of answers of a bad day, beside the project, as a process of its own."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from resources.machine.ports import free_ports


class FieldServer:
    """``serve.py`` of a folder, for the length of a with block: the first request gets the first file, and so on.

    files: names in the folder, or paths. asked: the first and last day of each request so far.
    """

    def __init__(self, folder: Path, log: Path, *files: str | Path) -> None:
        self._log = log
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        with log.open("w", encoding="utf-8") as err:
            self._process = subprocess.Popen(
                [sys.executable, folder / "serve.py", str(self.port), *map(str, files)], cwd=folder, stderr=err
            )

    @property
    def asked(self) -> list[tuple[str, str]]:
        lines = self._log.read_text(encoding="utf-8").splitlines()
        found = (re.fullmatch(r"\d+ \d+ \S+ (\S+) (\S+)", line) for line in lines)
        return [(match[1], match[2]) for match in found if match]

    def __enter__(self) -> FieldServer:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        raise AssertionError(f"it does not listen: {self._log.read_text(encoding='utf-8')}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(10)


def with_added(folder: Path, name: str, to: Path, variable: str, amount: float) -> Path:
    """A copy of an answer in which a variable is greater by ``amount`` where it has a value."""
    answer: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    values = answer["hourly"][variable]
    answer["hourly"][variable] = [None if value is None else value + amount for value in values]
    to.write_text(json.dumps(answer), encoding="utf-8")
    return to
