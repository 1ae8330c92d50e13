"""Finds the Java that Spark will use, and checks its version."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from orchestration.core.errors import MachineError
from resources.machine.environment import cleaned
from resources.machine.java import OLDEST_JAVA, java_major, java_version

VERSION_SECONDS = 60


def _java() -> Path | None:
    """The program ``java``: that of JAVA_HOME if it is set, else the one on PATH. None where it does not exist."""
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java")
    return Path(java) if java is not None and Path(java).exists() else None


def java_version_text() -> str:
    """The output of ``java -version``; empty where there is no Java. Where Java does not run, the error in words."""
    java = _java()
    return "" if java is None else _version_text(java)


@cache
def _version_text(java: Path) -> str:
    env = cleaned(os.environ)
    call = [str(java), "-version"]
    try:
        done = subprocess.run(call, capture_output=True, text=True, check=False, env=env, timeout=VERSION_SECONDS)
    except subprocess.TimeoutExpired:
        return f"nothing within {VERSION_SECONDS} s"
    except OSError as error:  # this user may not run it, or it is a program for another kind of machine
        return error.strerror or str(error)
    return done.stderr


def check_java() -> str:
    """The version of the Java that Spark will use, for instance ``17.0.15``. Raises MachineError where there is no
    Java, or one older than ``OLDEST_JAVA``."""
    home = os.environ.get("JAVA_HOME")
    remedy = f"Install Java {OLDEST_JAVA} (apt-get install openjdk-{OLDEST_JAVA}-jre-headless)"
    if _java() is None:
        place = f"JAVA_HOME ({home})" if home else "PATH"
        also = ", or correct JAVA_HOME." if home else "."
        raise MachineError(f"there is no Java in {place}", f"{remedy}{also}")
    text = java_version_text()
    found, major = java_version(text), java_major(text)
    if major is None:
        raise MachineError(
            f"{_java()} says no version of Java (but {' '.join(text.split())[:200] or 'nothing'})",
            f"{remedy} and point JAVA_HOME to it.",
        )
    if major < OLDEST_JAVA:
        raise MachineError(
            f"Java {found} ({_java()}) is too old: Spark needs {OLDEST_JAVA} or newer",
            f"{remedy} and point JAVA_HOME to it.",
        )
    return found
