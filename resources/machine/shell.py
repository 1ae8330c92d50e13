"""Removes environment variables from this process that would change Spark, Java or Python. ``environment`` says which.

Imports the standard library alone, and little of it: this code runs at every start, before any package is imported.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from resources.machine.environment import AT_THE_START, UTF8, cleaned, left_out, python_path, remembering

SEVERAL_SHOWN = 3
"""At most this many modules of a folder are named."""
GATEWAY = "PYSPARK_GATEWAY_PORT"
"""The variable that spark-submit sets for the Python that it starts."""
HANDLES = 4096
"""A run may need this many open files; macOS gives a process 256."""


def begin() -> None:
    """Remove the variables that must not reach a run from this process's environment.

    Python reads some variables only when it starts. If one of these has to be removed, the process starts again, with
    the same arguments. A process that spark-submit started is left alone: there the variables of spark-submit count.
    """
    _open_closed()
    if _of_spark_submit():
        return
    wanted = cleaned(os.environ)
    again = any(name.startswith("PYTHON") for name in left_out(os.environ)) and _read_at_the_start(os.environ)
    if sys.getfilesystemencoding() != UTF8:
        done = {"PYTHONUTF8": f"1: the locale's encoding is {sys.getfilesystemencoding()}, and all of ours is UTF-8"}
        wanted, again = remembering({**wanted, "PYTHONUTF8": "1"}, done), True
    if (path := _python_path()) is not None:
        wanted, again = remembering({**wanted, "PYTHONPATH": path[0]}, {"PYTHONPATH": path[1]}), True
    if again:
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], wanted)  # noqa: S606
    if wanted != os.environ:
        _set(wanted)
    _raise_handles()


def tidy() -> None:
    """As ``begin``, for a process that others started and that cannot start again: removes what can still be removed.

    Leaves a process alone in which ``GATEWAY`` is set: spark-submit started it.
    """
    if GATEWAY not in os.environ:
        _set(cleaned(os.environ))


def own_folders() -> list[str]:
    """The folders of ``sys.path`` with Python's own modules and with the packages that set-up pinned."""
    prefixes = tuple(f"{os.path.realpath(prefix)}{os.sep}lib" for prefix in (sys.base_prefix, sys.prefix))
    return [entry for entry in sys.path if os.path.realpath(entry).startswith(prefixes) and "python" in entry]


@contextlib.contextmanager
def as_environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Within the block the environment is ``wanted``; afterwards it is as before. Only variables that differ are
    changed: others, which code in the block may set, stay as it sets them."""
    was = dict(os.environ)
    changed = {name for name in was.keys() | wanted.keys() if was.get(name) != wanted.get(name)}
    _put(wanted, changed)
    try:
        yield
    finally:
        _put(was, changed)


def _open_closed() -> None:
    """Open closed standard streams as ``/dev/null``. Else the next file that is opened would get the number of such a
    stream, and everything that this process or a child prints would be written into that file."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            stream = os.fdopen(number, "r" if name == "stdin" else "w", encoding=UTF8, closefd=False)
            setattr(sys, name, stream)


def open_files() -> tuple[int, int]:
    """(soft, hard): how many files this process may have open, and up to how many it may raise that; -1: any number."""
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)


def _of_spark_submit() -> bool:
    """Whether spark-submit started this process. Its variables alone do not say so: a shell that was opened in a
    notebook inherits them. So the parent has to be a Java process too."""
    if GATEWAY not in os.environ or "PYSPARK_GATEWAY_SECRET" not in os.environ:
        return False
    try:
        return Path(f"/proc/{os.getppid()}/comm").read_text(encoding="utf-8").strip() == "java"
    except OSError:  # not Linux: there is no /proc
        return True


def _read_at_the_start(environment: Mapping[str, str]) -> bool:
    """Whether the environment has a variable that Python reads only when it starts."""
    from fnmatch import fnmatchcase

    return any(fnmatchcase(name, one) for name in environment for one in AT_THE_START)


def _set(wanted: Mapping[str, str]) -> None:
    _put(wanted, os.environ.keys() | wanted.keys())


def _put(wanted: Mapping[str, str], names: set[str]) -> None:
    """Set the variables ``names`` of this process as ``wanted`` has them; unset those that it does not have."""
    for name in names:
        if name not in wanted:
            os.environ.pop(name, None)
        elif os.environ.get(name) != wanted[name]:
            os.environ[name] = wanted[name]


def _python_path() -> tuple[str, str] | None:
    """The PYTHONPATH that this process needs, and a sentence about it; None where it is as it should be."""
    if not (paths := os.environ.get("PYTHONPATH", "")):
        return None
    entries = [entry or str(Path.cwd()) for entry in paths.split(":")]
    own = own_folders()
    first = next((at for at, entry in enumerate(entries) if entry in own), len(entries))
    if first == 0:  # our folders come first already
        return None
    ours = set(sys.stdlib_module_names).union(*map(_modules_in, own))
    shadowing = []
    for entry in entries[:first]:
        if found := sorted(_modules_in(entry) & ours):
            more = f" and {len(found) - SEVERAL_SHOWN} more" if len(found) > SEVERAL_SHOWN else ""
            shadowing.append(f"{', '.join(found[:SEVERAL_SHOWN])}{more} in {entry}")
    return python_path(entries, own, shadowing)


def _modules_in(folder: str) -> set[str]:
    """The names of the modules and packages in an entry of PYTHONPATH, a folder or a zip. A folder without
    ``__init__.py`` does not count: Python prefers a package of that name in any later entry."""
    try:
        names = _names_in_zip(folder) if Path(folder).is_file() else [path.name for path in Path(folder).iterdir()]
    except OSError:
        return set()
    found = set()
    for name in names:
        stem, dot, ending = name.partition(".")
        if (dot and ending.rpartition(".")[2] in ("py", "so", "pyc")) or (
            not dot and (name.isidentifier() and Path(folder, name, "__init__.py").is_file())
        ):
            found.add(stem)
    return found


def _names_in_zip(file: str) -> list[str]:
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return []
    packages = {name.partition("/")[0] for name in names if name.count("/") == 1 and name.endswith("/__init__.py")}
    return [f"{name}.py" for name in packages] + [name for name in names if "/" not in name]


def _raise_handles() -> None:
    """Raise the number of files that this process may have open to ``HANDLES``, as far as it may."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = HANDLES if hard == resource.RLIM_INFINITY else min(HANDLES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
