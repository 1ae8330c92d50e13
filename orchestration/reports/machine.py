"""Findings of `aqi doctor` about shell and machine: variables, encoding, clock, file handles, disks."""

from __future__ import annotations

import locale
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from orchestration.core.calendar import iso
from orchestration.core.errors import MachineError
from orchestration.reports.findings import Finding, look_at
from orchestration.reports.folders import check_room
from resources.machine.environment import UTF8, UTF8_LOCALE, notices
from resources.machine.shell import open_files
from resources.machine.state_folder import state_folder_found
from resources.settings.load import Settings

FEWEST_FILES = 256
"""A run needs to open this many files. It uses 60 to 100, with a server beside it."""
MOST_APART_SECONDS = 60
"""The clocks of machine and disk may differ by this much, as locks of other machines are judged by times of files."""


def examine_shell() -> list[Finding]:
    """A finding for each variable of the shell that could disturb runs, with what is done about it."""
    found = [Finding(f"variable {name}", True, done) for name, done in notices(os.environ).items()]
    return found or [Finding("shell", True, "no variable is in the way")]


def examine_machine(*, needs_java: bool) -> list[Finding]:
    """Encoding, file handles, and the folders for temporary files and for state; never raises LakehouseError."""
    return [
        look_at("locale", partial(_locale, needs_java=needs_java)),
        look_at("file handles", _file_handles),
        look_at("temporary files", _temporary_files),
        look_at("state folder", state_folder_found),
    ]


def clock_found(settings: Settings) -> str:
    """The present moment for runs, and the clock that it is from."""
    if settings.clock.now is not None:
        return f"stands still at {iso(settings.now())} (clock.now, AQI_CLOCK__NOW): only tests want that"
    return f"{iso(settings.now())}, this machine's"


def check_clock(what: str, written: float, now: float | None = None) -> None:
    """Raises MachineError if a file that was just written has another time than this machine.

    written, now: seconds since 1970 UTC; ``now`` by this machine.
    """
    apart = written - (time.time() if now is None else now)
    if abs(apart) > MOST_APART_SECONDS:
        raise MachineError(
            f"the clock of {what} is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} this machine's",
            "Set both by a time server (`timedatectl`, `date -u`).",
        )


def _locale(*, needs_java: bool) -> str:
    of_paths, of_output = (str(one).lower() for one in (sys.getfilesystemencoding(), sys.stdout.encoding))
    said = next((f"{name}={os.environ[name]}" for name in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(name)), "")
    if of_paths != UTF8:
        raise MachineError(f"names of files are {of_paths} ({said or 'no locale is set'})", "Set LC_ALL=C.UTF-8.")
    if needs_java and not _is_there(UTF8_LOCALE):
        raise MachineError(
            f"there is no locale {UTF8_LOCALE}, by which Java takes the names of files",
            "Install it (locale-gen C.UTF-8, or glibc's locales).",
        )
    return f"names of files {of_paths}, output {of_output}; of the shell: {said or 'no locale is set'}"


def _is_there(name: str) -> bool:
    was = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, name)
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_CTYPE, was)
    return True


def _file_handles() -> str:
    soft, hard = open_files()
    bound = "any number" if soft == -1 else str(soft)
    if 0 <= soft < FEWEST_FILES:
        how = f"`ulimit -n {FEWEST_FILES}`" if hard == -1 or hard >= FEWEST_FILES else "nofile in limits.conf"
        raise MachineError(f"{soft} files may be open at once", f"Raise it to {FEWEST_FILES} or more: {how}.")
    return f"{bound} may be open at once"


def _temporary_files() -> str:
    folder, said = Path(tempfile.gettempdir()), os.environ.get("TMPDIR", "")
    check_room(folder)
    if said and folder != Path(said).absolute():
        return f"{folder}, because nothing can be written in TMPDIR ({said})"
    return f"{folder}{' (TMPDIR)' if said else ''}"
