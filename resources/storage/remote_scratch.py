"""The scratch folder of a run in a warehouse on a cluster: it holds the computed rows of steps until they are
committed.

No lock can be held there. The name of the folder says which process on which machine made it, so that a later run can
recognise and remove the folder of a process that was killed.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
import uuid
from collections.abc import Mapping
from typing import Any

from resources.machine.processes import Process
from resources.storage.atomic_files import names_in
from resources.storage.files import open_files

FOLDER = "_aqi/scratch"
DAYS_KEPT = 7
"""A folder of another machine is removed when it is this many days old: whether its process lives is not known here."""
_NAME = re.compile(r"[0-9a-f]{32}@(.+)@([0-9]+)-([0-9]+)")
_SECONDS_A_DAY = 86_400


class RemoteScratch:
    """A new scratch folder in the warehouse at ``uri``, which exists until ``close``. Making one also removes the
    folders that dead processes left behind."""

    def __init__(self, uri: str) -> None:
        this = Process.this()
        start = 0 if this is None else this.start
        pid = 0 if this is None else this.pid
        self._files, root = open_files(uri)
        self._root = f"{root}/{FOLDER}"
        self._name = f"{uuid.uuid4().hex}@{socket.gethostname()}@{pid}-{start}"
        self.folder = f"{uri}/{FOLDER}/{self._name}"
        self._sweep()

    def remove(self, folder: str) -> None:
        """Remove a folder within the scratch folder. folder: its URI. Never fails."""
        self._remove(f"{self._name}/{folder.rpartition('/')[2]}")

    def close(self) -> None:
        """Remove the scratch folder. Never fails."""
        self._remove(self._name)

    def _sweep(self) -> None:
        names: list[str] = []
        with contextlib.suppress(OSError):  # then a later run removes what was left
            names = names_in(self._files, self._root)
        for name in names:
            with contextlib.suppress(OSError):
                if is_left(name, self._age_days(name)):
                    self._remove(name)

    def _age_days(self, name: str) -> float:
        return age_days(self._files.info(f"{self._root}/{name}"), time.time())

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):  # nothing was written, so the folder does not exist
            self._files.rm(f"{self._root}/{name}", recursive=True)


def age_days(info: Mapping[str, Any], now: float) -> float:
    """The age of a folder in days; 0 where it is not known. info: what fsspec's ``info`` gives. now: seconds since
    1970.

    A folder of this machine has ``mtime``, in seconds. A folder on HDFS has ``modification_time``, in milliseconds.
    """
    changed = info["mtime"] if "mtime" in info else info.get("modification_time", now * 1000) / 1000
    return (now - float(changed)) / _SECONDS_A_DAY


def is_left(name: str, age_days: float) -> bool:
    """Whether the scratch folder ``name`` was left behind by a dead process. For a process of this machine that is
    certain; a folder of another machine counts as left behind when it is old enough."""
    if not (read := _NAME.fullmatch(name)):
        return False
    if read[1] == socket.gethostname() and read[2] != "0":
        process = Process.find(int(read[2]))
        return process is None or process.start != int(read[3])
    return age_days > DAYS_KEPT
