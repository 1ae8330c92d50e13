"""The state folder: the folder of this user in which commands keep files that do not belong in a warehouse."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from orchestration.core.errors import MachineError

REMEDY = "Give this user rights to write there, or name another folder in XDG_STATE_HOME."


def home_folder() -> Path:
    """The home folder of this user. Raises MachineError where there is none: a container may run as a user that its
    machine does not know."""
    try:
        return Path.home()
    except RuntimeError:
        raise MachineError(
            f"HOME is not set, and this machine knows no home folder of user {os.getuid()}",
            "Set HOME to a folder that this user may write in.",
        ) from None


def state_folder() -> Path:
    """``$XDG_STATE_HOME/aqi``, or ``~/.local/state/aqi``; it need not exist. Raises MachineError as `home_folder`."""
    return Path(os.environ.get("XDG_STATE_HOME") or home_folder() / ".local" / "state") / "aqi"


def make_state_folder() -> None:
    """Make the state folder. Called before any work. Raises MachineError where it cannot be made, or not be written."""
    folder = state_folder().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_in(folder)
    except OSError as error:
        raise _refused(folder, error) from error


def state_folder_found() -> str:
    """The path of the state folder, for people, with a word on whether it exists. Does not make it. Raises MachineError
    as `make_state_folder`."""
    folder = state_folder().absolute()
    there = next(one for one in (folder, *folder.parents) if one.exists())
    try:
        _write_in(there)
    except OSError as error:
        raise _refused(folder, error) from error
    return f"{folder}{'' if there == folder else ' (made by the next run)'}"


def _write_in(folder: Path) -> None:
    """Make a folder in ``folder``, and remove it. Raises OSError where that is refused."""
    Path(tempfile.mkdtemp(prefix=".aqi-", dir=folder)).rmdir()


def _refused(folder: Path, error: OSError) -> MachineError:
    return MachineError(f"the state folder {folder} cannot be written ({error.strerror})", REMEDY)
