"""Checks that runs can write in the folders of a warehouse on this machine. No trace of the attempts is left."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from orchestration.core.errors import MachineError
from orchestration.engine.workspace import Workspace
from resources.delta.log import PROVENANCE_FOLDER
from resources.storage.lock import how_to_write

FREE_GIB = 2
FREE_FILES = 10_000
"""Each commit of a table needs a few files."""
SHOWN = 5
"""At most this many folders are named."""


def check_warehouse(workspace: Workspace) -> str:
    """Check the folder of the warehouse. Raises MachineError if it cannot be written, is full, or takes no commits."""
    folder = workspace.warehouse.folder
    if folder is None:
        return workspace.warehouse.uri
    place = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".aqi-doctor-") as probe:
            linked = _links(Path(probe.name))
    except OSError as error:
        raise MachineError(f"{folder} is not writable ({error.strerror})", how_to_write(folder, error)) from error
    if not linked:
        raise MachineError(
            f"{folder} lies on a file system without hard links, by which commits to a table are made",
            "Set AQI_WAREHOUSE__URI to a folder on another (a disk of this machine, NFS).",
        )
    free = check_room(folder)
    return f"{folder}{'' if Path(folder).exists() else ' (made at the first run)'}, {free:.0f} GiB free"


def check_room(folder: Path) -> float:
    """The free space, in GiB, where a folder is or will be. Raises MachineError for too little space or too few free
    files."""
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free / 2**30
    if free < FREE_GIB:
        raise MachineError(f"{folder}: only {free:.1f} GiB are free", f"Make room: at least {FREE_GIB} GiB.")
    disk = os.statvfs(place)
    if disk.f_files and disk.f_favail < FREE_FILES:  # some file systems do not count files
        raise MachineError(
            f"{folder}: only {disk.f_favail} more files fit on its disk (inodes)",
            f"Make room: remove small files (`df -i`), until {FREE_FILES} fit.",
        )
    return free


def check_folders(warehouse: Path) -> str:
    """Check the folders of a warehouse in which runs write. Raises MachineError for something that is no folder, or not
    writable."""
    own, logs = warehouse / PROVENANCE_FOLDER, sorted(warehouse.glob("*/*/_delta_log"))
    there = [own] if os.path.lexists(own) else []
    there += [path for path in sorted(own.glob("*")) if path.is_dir()]
    there += [path for log in logs for path in (log.parent, log)]
    refused = [f"{path} ({why})" for path in there if (why := _why_not_writable(path))]
    if refused:
        more = f", and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
        raise MachineError(
            f"runs cannot write in {', '.join(refused[:SHOWN])}{more}",
            f"Give this user rights to read and write all that is in {warehouse}; what is no folder, move away.",
        )
    return f"{len(there)} that runs write in"


def _why_not_writable(folder: Path) -> str:
    """Why a folder is not writable; empty where it is. Nothing is written in a writable folder."""
    try:
        if not folder.is_dir():
            raise NotADirectoryError(20, os.strerror(20))
        if not os.access(folder, os.W_OK | os.X_OK):
            with tempfile.TemporaryFile(dir=folder):  # raises the error that says why
                pass
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _links(file: Path) -> bool:
    """Whether a file can have a second name (hard link), by which deltalake makes commits."""
    other = file.with_name(f"{file.name}-linked")
    try:
        other.hardlink_to(file)
    except OSError:
        return False
    other.unlink()
    return True
