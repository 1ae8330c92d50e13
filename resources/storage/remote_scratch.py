"""A folder for what a run evaluates, where the warehouse is on a cluster's file system and no lock can be held there.

Its name says which process of which machine it is of, so that what a killed one left behind can be told, and removed.
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
"""So long a run on another machine may go on that nobody here can ask after."""
_NAME = re.compile(r"[0-9a-f]{32}@(.+)@([0-9]+)-([0-9]+)")
_SECONDS_A_DAY = 86_400


class RemoteScratch:
    """A name for a new folder in the warehouse ``uri``, ours until ``close``. Removes what dead ones left behind."""

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
        """Remove a folder in it, by its URI. Never fails."""
        self._remove(f"{self._name}/{folder.rpartition('/')[2]}")

    def close(self) -> None:
        """Remove it."""
        self._remove(self._name)

    def _sweep(self) -> None:
        for name in names_in(self._files, self._root):
            with contextlib.suppress(OSError):
                if is_left(name, self._age_days(name)):
                    self._remove(name)

    def _age_days(self, name: str) -> float:
        return age_days(self._files.info(f"{self._root}/{name}"), time.time())

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):  # it was never written to
            self._files.rm(f"{self._root}/{name}", recursive=True)


def age_days(info: Mapping[str, Any], now: float) -> float:
    """How old what fsspec tells of is; 0 where it does not tell. now: seconds since 1970.

    A folder of this machine has ``mtime`` in seconds; one on HDFS, by hdfs-native, ``modification_time`` in
    milliseconds.
    """
    changed = info["mtime"] if "mtime" in info else info.get("modification_time", now * 1000) / 1000
    return (now - float(changed)) / _SECONDS_A_DAY


def is_left(name: str, age_days: float) -> bool:
    """Whether a folder of this name is of a process that is dead: of this machine for certain, of others by its age."""
    if not (read := _NAME.fullmatch(name)):
        return False
    if read[1] == socket.gethostname() and read[2] != "0":
        process = Process.find(int(read[2]))
        return process is None or process.start != int(read[3])
    return age_days > DAYS_KEPT
