"""What the set-up asks of the machine: a Python that makes virtual environments, and a Java; and how it says things.

For ``scripts/setup.py``: the standard library alone, and code that Python 3.7 reads.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from resources.machine.java import OLDEST_JAVA, java_major

OLDEST_PYTHON = (3, 11)
PYTHON_REMEDY = "install one, for instance: apt-get install python3 python3-venv"
JAVA_REMEDY = "install one, for instance: apt-get install default-jre-headless (or openjdk-17-jre-headless)"


class Lacking(Exception):
    """The machine lacks something that only its owner can add. One line, with the remedy."""


class StepFailed(Exception):
    """A step of the set-up failed. Calling again starts where that is safe."""


def say(line: str) -> None:
    """One line of progress, on standard error."""
    print(f"set-up: {line}", file=sys.stderr, flush=True)


def find_java(environment: Mapping[str, str]) -> str:
    """Path of the Java that Spark will use: ``$JAVA_HOME/bin/java`` where that variable is set, else PATH's.

    Raises Lacking where there is none, or it is too old; a newer one elsewhere does not help, because
    Spark would not look there.
    """
    home = environment.get("JAVA_HOME", "")
    if home:
        java = str(Path(home, "bin", "java"))
        origin, remedy = f"JAVA_HOME ({home})", "set it to another, or unset it to use the one on PATH"
        if not os.access(java, os.X_OK):
            raise Lacking(f"JAVA_HOME is {home}, but there is no bin/java in it; {remedy}")
    else:
        java = shutil.which("java", path=environment.get("PATH", os.defpath)) or ""
        origin, remedy = f"PATH ({java})", JAVA_REMEDY
        if not java:
            raise Lacking(f"no Java: {OLDEST_JAVA} or later is needed; {JAVA_REMEDY}")
    try:
        answer = subprocess.run(
            [java, "-version"],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=60,
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Lacking(f"the Java of {origin} does not run ({type(error).__name__}); {remedy}") from error
    major = java_major(answer)
    if major is None:
        raise Lacking(f"the Java of {origin} does not tell its version; {remedy}")
    if major < OLDEST_JAVA:
        needed = f"{OLDEST_JAVA} or later is needed"
        raise Lacking(f"the Java of {origin} is version {major}, but {needed}; {remedy}")
    return java


def ask_python(python: str, code: str) -> str | None:
    """What ``python`` prints for ``code``, or None where it does not run or the code fails."""
    try:
        answer = subprocess.run(
            [python, "-I", "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def python_version(python: str) -> tuple[int, ...] | None:
    """(3, 11, 7) for a Python that runs, else None."""
    answer = ask_python(python, "import sys; print(*sys.version_info[:3])")
    return tuple(int(part) for part in answer.split()) if answer else None


def find_python(environment: Mapping[str, str]) -> str:
    """Path of a Python that can make the virtual environment: the one that runs this, else a newer on PATH.

    Never one inside a virtual environment, which may be the very one that is made anew.
    Raises Lacking where there is none.
    """
    path = environment.get("PATH", os.defpath)
    names = ["python3.11", "python3.12", "python3.13", "python3.14", "python3"]
    candidates = [sys.executable, *filter(None, (shutil.which(name, path=path) for name in names))]
    without_venv = ""
    base = "import sys; print(getattr(sys, '_base_executable', None) or sys.executable)"
    for candidate in candidates:
        version = python_version(candidate)
        if version is None or version < OLDEST_PYTHON:
            continue
        python = ask_python(candidate, base) or candidate
        if ask_python(python, "import ensurepip, venv; print(ensurepip.version())"):
            return python
        without_venv = without_venv or f"{version[0]}.{version[1]}"
    if without_venv:
        raise Lacking(
            f"Python {without_venv} lacks the modules venv and ensurepip; "
            f"add them: apt-get install python{without_venv}-venv"
        )
    oldest = ".".join(map(str, OLDEST_PYTHON))
    raise Lacking(f"no Python of {oldest} or later on PATH; {PYTHON_REMEDY}")
