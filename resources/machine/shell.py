"""This process, freed from what its shell says to Spark, Java and Python; see ``environment``, which decides.

The standard library alone, and little of it: this runs before any package is imported, at every start.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from resources.machine.environment import AT_THE_START, UTF8, cleaned, left_out, python_path, remembering

SEVERAL_SHOWN = 3
GATEWAY = "PYSPARK_GATEWAY_PORT"
HANDLES = 4096
"""So many open files a run may want; macOS gives a process 256."""


def begin() -> None:
    """Leave out of this process's environment what must not reach a run.

    What Python has read by now it cannot forget: where that is among it, the process begins once more, with the same
    arguments. Not where spark-submit started it: what that was told counts.
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
    """As ``begin``, for a process that others started and that cannot begin once more: what can still be left out.

    A gateway that is named by now is one of spark-submit.
    """
    if GATEWAY not in os.environ:
        _set(cleaned(os.environ))


def own_folders() -> list[str]:
    """Where Python looks for its own modules and for those that set-up pinned."""
    prefixes = tuple(f"{os.path.realpath(prefix)}{os.sep}lib" for prefix in (sys.base_prefix, sys.prefix))
    return [entry for entry in sys.path if os.path.realpath(entry).startswith(prefixes) and "python" in entry]


@contextlib.contextmanager
def as_environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Within it the environment is ``wanted``; what is the same is not touched, nor is what others set meanwhile."""
    was = dict(os.environ)
    changed = {name for name in was.keys() | wanted.keys() if was.get(name) != wanted.get(name)}
    _put(wanted, changed)
    try:
        yield
    finally:
        _put(was, changed)


def _open_closed() -> None:
    """Standard streams that are closed go nowhere: else the next file that is opened would be one of them, and
    whatever is printed, here or by a child, would stand in it."""
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
    """How many files this process may have open, and to how many it may raise that itself; -1: any number."""
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)


def _of_spark_submit() -> bool:
    """Whether spark-submit is the parent. A shell that a notebook opened has its variables, and is none."""
    if GATEWAY not in os.environ or "PYSPARK_GATEWAY_SECRET" not in os.environ:
        return False
    try:
        return Path(f"/proc/{os.getppid()}/comm").read_text(encoding="utf-8").strip() == "java"
    except OSError:  # no Linux
        return True


def _read_at_the_start(environment: Mapping[str, str]) -> bool:
    from fnmatch import fnmatchcase

    return any(fnmatchcase(name, one) for name in environment for one in AT_THE_START)


def _set(wanted: Mapping[str, str]) -> None:
    _put(wanted, os.environ.keys() | wanted.keys())


def _put(wanted: Mapping[str, str], names: set[str]) -> None:
    for name in names:
        if name not in wanted:
            os.environ.pop(name, None)
        elif os.environ.get(name) != wanted[name]:
            os.environ[name] = wanted[name]


def _python_path() -> tuple[str, str] | None:
    if not (paths := os.environ.get("PYTHONPATH", "")):
        return None
    entries = [entry or str(Path.cwd()) for entry in paths.split(":")]
    own = own_folders()
    first = next((at for at, entry in enumerate(entries) if entry in own), len(entries))
    if first == 0:  # set so before, or nothing is there
        return None
    ours = set(sys.stdlib_module_names).union(*map(_modules_in, own))
    shadowing = []
    for entry in entries[:first]:
        if found := sorted(_modules_in(entry) & ours):
            more = f" and {len(found) - SEVERAL_SHOWN} more" if len(found) > SEVERAL_SHOWN else ""
            shadowing.append(f"{', '.join(found[:SEVERAL_SHOWN])}{more} in {entry}")
    return python_path(entries, own, shadowing)


def _modules_in(folder: str) -> set[str]:
    """Modules and packages that an entry of Python's path has; a folder without ``__init__`` gives way to others."""
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
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = HANDLES if hard == resource.RLIM_INFINITY else min(HANDLES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
