"""The scratch folder of an engine: in a local warehouse, on the same disk as the tables.

The user of the folder holds a lock on it. A folder whose lock nobody holds was left behind by a killed process, and
is removed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from resources.embedded.server import LOCK_SUFFIX

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "_aqi/scratch"
ATTEMPTS = 10


class Scratch:
    """A new folder in ``warehouse``, ours until ``close``. Removes folders that dead processes left behind.

    Raises OSError where nothing can be written in the warehouse.
    """

    def __init__(self, warehouse: Path) -> None:
        root = warehouse / FOLDER
        for attempt in range(ATTEMPTS):
            self.folder = root / uuid.uuid4().hex
            self._lock = Path(f"{self.folder}{LOCK_SUFFIX}")
            try:
                root.mkdir(parents=True, exist_ok=True)
                sweep(root)
                held = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:  # another process closed its folder, and removed the empty root
                if attempt + 1 == ATTEMPTS:
                    raise
                continue
            fcntl.flock(held, fcntl.LOCK_EX)
            if self._lock.exists():  # else another process swept the lock away before we held it
                self.folder.mkdir()
                self._held: int | None = held
                return
            os.close(held)
        raise OSError(errno.EBUSY, "others sweep it all the time", str(root))

    def close(self) -> None:
        """Remove the folder and its lock. A second call does nothing."""
        if self._held is None:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.unlink(missing_ok=True)
        os.close(self._held)
        self._held = None
        with contextlib.suppress(OSError):  # folders of other processes are there
            self.folder.parent.rmdir()


def sweep(root: Path) -> None:
    """Remove the folders in ``root`` whose lock nobody holds."""
    for lock in root.glob(f"*{LOCK_SUFFIX}"):
        with contextlib.suppress(OSError):
            held = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where another process holds the lock
                shutil.rmtree(str(lock).removesuffix(LOCK_SUFFIX), ignore_errors=True)
                lock.unlink(missing_ok=True)
            finally:
                os.close(held)
    for folder in root.iterdir():
        if folder.is_dir() and not Path(f"{folder}{LOCK_SUFFIX}").exists():  # a lock is made before its folder
            shutil.rmtree(folder, ignore_errors=True)


def write_parquet(rows: tuple[pa.Schema, Iterable[pa.RecordBatch]], folder: Path) -> None:
    """Write rows as one Parquet file in a new folder, batch by batch. Without rows the file has only the schema."""
    import pyarrow.parquet as pq

    schema, batches = rows
    folder.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(folder / "rows.parquet", schema, compression="lz4", store_schema=False) as writer:
        for batch in batches:
            writer.write_batch(batch)


def remove_folder(folder: str) -> None:
    """Remove a folder of rows that nobody reads any more. Never fails."""
    shutil.rmtree(folder, ignore_errors=True)
