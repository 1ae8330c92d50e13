"""Make this folder ready to run: Python packages and, where Spark is wanted, Java libraries, all below ``.venv``.

Runs under the system's Python with the standard library alone (Python 3.7 reads the code too, here and in
the modules that it imports, so that an old one can look for a newer one). What it does, each step only
where needed:

    check     a Python of 3.11 or later that can make virtual environments; for Java libraries a Java of 17 or later
    .venv     a virtual environment
    packages  requirements.lock, every hash checked, no resolver, then ``pip check``
    project   this folder itself, editable, with its command ``aqi``
    java      only with ``--spark``: libraries of config/java.lock.json, every digest checked, fetched with the Ivy in
              pyspark; from then on they follow that file at every call

``.venv/.setup.json`` says which of that was done, and from what; a step that works is marked there, so
one that broke off is noticed and done again, after what pip left half installed was taken away. A
.venv that cannot be built on (its Python is gone or another, it has no pip, the folder was moved) is
made anew; a sound one that someone else made is kept and added to.

Where packages come from is the machine's affair: pip's own configuration holds for Python; for Java
it is Ivy's default, or the settings file that the variable AQI_IVY_SETTINGS names.

Exit status: 0 done; 1 a step failed; 2 the machine lacks something (said in one line each).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, it has only its own folder there

from scripts.setup_java import bad_jars, fetch_jars, has_group, java_group  # noqa: E402
from scripts.setup_machine import (  # noqa: E402
    OLDEST_PYTHON,
    Lacking,
    StepFailed,
    find_java,
    find_python,
    python_version,
    say,
)

STAMP = ".setup.json"
STARTED = "started"
BUILD_TOOLS = ("setuptools", "wheel")
SOURCE = "pyspark"
"""Comes as source, 450 MB of jars: built beside the installation of all the others."""
STORED = "[bdist_wheel]\ncompression = stored\n"
"""Setuptools: jars become no smaller in a wheel, and that takes longer than anything else."""


# --- what was done: the stamp --------------------------------------------------------------------


def digest_of(*parts: str | bytes) -> str:
    """SHA-256 over the parts, each with its length, so that no two lists of parts share one."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(b"%d:" % len(data) + data)
    return total.hexdigest()


def read_stamp(venv: Path) -> dict[str, str]:
    """What was done to ``venv``, step → digest of what it was done from. Empty where unknown."""
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(venv: Path, stamp: Mapping[str, str]) -> None:
    """Replace the stamp in one move: a reader sees the old one or the new one, never half of it."""
    new = venv / f"{STAMP}.new"
    new.write_text(json.dumps(stamp, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    new.replace(venv / STAMP)


@contextlib.contextmanager
def stamped(venv: Path, step: str, digest: str) -> Iterator[None]:
    """The stamp says STARTED while the step works, and its digest after; STARTED stays if it breaks off."""
    write_stamp(venv, {**read_stamp(venv), step: STARTED})
    yield
    write_stamp(venv, {**read_stamp(venv), step: digest})


def install_part(pyproject: str) -> str:
    """What an editable install depends on in a pyproject.toml: not how tests and linters are set."""
    tables = re.split(r"^(?=\[)", pyproject, flags=re.MULTILINE)
    return "\n".join(t.strip() for t in tables if re.match(r"\[(build-system|project|tool\.setuptools)\b", t))


def wanted(root: Path, groups: Sequence[str]) -> dict[str, str]:
    """The stamp of a set-up that has nothing left to do, .venv's Python aside.

    The folder's path counts: a virtual environment that was moved or copied works no more.
    """
    lock = (root / "requirements.lock").read_bytes()
    project = install_part((root / "pyproject.toml").read_text(encoding="utf-8"))
    steps = {"venv": digest_of(str(root)), "packages": digest_of(lock), "project": digest_of(lock, project)}
    for group in groups:
        steps[f"java:{group}"] = digest_of(json.dumps(java_group(root, group), sort_keys=True))
    return steps


# --- Python --------------------------------------------------------------------------------------


def run(command: Sequence[str], what: str, *, env: Mapping[str, str] | None = None) -> None:
    """Run a command whose output is shown as it comes (on standard error). Raises StepFailed."""
    status = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode
    if status != 0:
        raise StepFailed(f"{what} failed (status {status}); what is above tells why")


def usable(venv: Path, stamp: Mapping[str, str], digest: str) -> bool:
    """Whether ``venv`` can be built on: its Python runs, is not too old, and is the one it was made with.

    Without a stamp (someone else made it, or its making broke off) it is kept where it has a whole pip.
    """
    version = python_version(str(venv / "bin" / "python"))
    if version is None or version < OLDEST_PYTHON:
        return False
    if "venv" in stamp:
        minor = ".".join(map(str, version[:2]))
        return stamp["venv"] == digest and stamp.get("python") == minor
    return any(venv.glob("lib/python*/site-packages/pip-*.dist-info/INSTALLER"))


def make_venv(root: Path, venv: Path, digest: str, environment: Mapping[str, str]) -> None:
    """Make ``venv`` unless it is usable, and stamp it."""
    stamp = read_stamp(venv)
    if not usable(venv, stamp, digest):
        python = find_python(environment)
        version = ".".join(map(str, python_version(python) or ()))
        say(f"making .venv with Python {version}")
        if venv.is_symlink() or venv.is_file():
            venv.unlink()
        run([python, "-I", "-m", "venv", "--clear", str(venv)], "making .venv")
        stamp = {}
    minor = ".".join(map(str, (python_version(str(venv / "bin" / "python")) or ())[:2]))
    write_stamp(venv, {**stamp, "venv": digest, "python": minor})


def pip_command(venv: Path, *arguments: str) -> list[str]:
    """.venv's pip, which says nothing unless it has something to complain about."""
    return [str(venv / "bin" / "python"), "-I", "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]


def pip(venv: Path, *arguments: str) -> None:
    """Run .venv's pip. Raises StepFailed."""
    run(pip_command(venv, *arguments), f"pip {arguments[0]}")


@contextlib.contextmanager
def beside(command: Sequence[str], what: str, *, env: Mapping[str, str]) -> Iterator[None]:
    """Run a command while the body works, and wait for it; a body that fails interrupts it. Raises StepFailed."""
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    try:
        yield
    except StepFailed:
        process.send_signal(signal.SIGINT)
        raise
    finally:
        status = process.wait()
    if status != 0:
        raise StepFailed(f"{what} failed (status {status}); what is above tells why")


def drop_half_installed(venv: Path) -> None:
    """Make pip forget what it was installing when it was stopped, so that it installs that again.

    pip writes the file INSTALLER after all files of a package, so that one without it may be incomplete.
    """
    for metadata in venv.glob("lib/python*/site-packages/*.dist-info"):
        if not (metadata / "INSTALLER").is_file():
            shutil.rmtree(str(metadata))


def only(lock: str, names: Sequence[str], others: bool = False) -> str:
    """The entries of a lock file that have these names, hashes and all; ``others``: all but these."""
    entries = re.split(r"\n(?=[^\s#])", lock)
    chosen = [e for e in entries if (re.split(r"[\[=\s]", e, maxsplit=1)[0] in names) != others]
    return "\n".join(chosen) + "\n"


def install_packages(root: Path, venv: Path) -> None:
    """Install the lock. What comes as source is built with the locked build tools, not the newest.

    Byte code is made afterwards, on all cores; pip would make it on one.
    """
    say("installing the Python packages of requirements.lock (about a minute the first time)")
    lock = (root / "requirements.lock").read_text(encoding="utf-8")
    install = ["install", "--no-deps", "--no-compile"]
    with tempfile.TemporaryDirectory(prefix="aqi-setup-") as aside:
        folder = Path(aside)

        def written(file: str, text: str) -> str:
            (folder / file).write_text(text, encoding="utf-8")
            return str(folder / file)

        pip(venv, *install, "--require-hashes", "-r", written("tools.txt", only(lock, BUILD_TOOLS)))
        exact = [*install, "--require-hashes", "--no-build-isolation"]
        source = only(lock, [SOURCE])
        name, version = re.findall(r"([\w.-]+)[^=]*==(\S+)", source)[0]
        if any(venv.glob(f"lib/python*/site-packages/{name}-{version}.dist-info/INSTALLER")):
            pip(venv, *exact, "-r", str(root / "requirements.lock"))
        else:
            wheels = str(folder / "wheels")
            options = ["--no-deps", "--require-hashes", "--no-build-isolation", "--wheel-dir", wheels]
            command = pip_command(venv, "wheel", *options, "-r", written("source.txt", source))
            environment = {**os.environ, "DIST_EXTRA_CONFIG": written("build.cfg", STORED)}
            with beside(command, f"building {SOURCE}", env=environment):
                pip(venv, *exact, "-r", written("others.txt", only(lock, [SOURCE], others=True)))
            pip(venv, *install, "--no-index", "--find-links", wheels, f"{name}=={version}")
    compile_all(venv)
    pip(venv, "check")


def compile_all(venv: Path) -> None:
    """Make the byte code that is missing, also for users who may not write here; not every file can have one."""
    folders = [str(folder) for folder in venv.glob("lib/python*/site-packages")]
    command = [str(venv / "bin" / "python"), "-I", "-m", "compileall", "-qq", "-j", "0", *folders]
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def install_project(root: Path, venv: Path) -> None:
    """Install this folder itself, editable, and with it the command ``aqi``."""
    say("installing the project itself (editable)")
    pip(venv, "install", "--no-deps", "--no-build-isolation", "-e", str(root))


# --- all of it -----------------------------------------------------------------------------------


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """One set-up of a folder at a time; the other waits."""
    handle = os.open(str(root), os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another set-up of this folder")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def kept_groups(root: Path, venv: Path) -> list[str]:
    """The groups of Java libraries that were set up once and have to be again: their list changed, or .venv did."""
    stamp = read_stamp(venv)
    groups = [step[len("java:") :] for step in stamp if step.startswith("java:") and stamp[step] != STARTED]
    groups = [group for group in groups if has_group(root, group)]
    steps = wanted(root, groups)
    if groups and not usable(venv, stamp, steps["venv"]):
        return groups
    return [group for group in groups if stamp[f"java:{group}"] != steps[f"java:{group}"]]


def done(root: Path, venv: Path, groups: Sequence[str]) -> bool:
    """Whether nothing is left to do."""
    steps, stamp = wanted(root, groups), read_stamp(venv)
    if any(stamp.get(step) != digest for step, digest in steps.items()):
        return False
    libraries = ((venv / part["folder"], part["libraries"]) for part in (java_group(root, g) for g in groups))
    return usable(venv, stamp, steps["venv"]) and not any(bad_jars(folder, jars) for folder, jars in libraries)


def set_up(root: Path, groups: Sequence[str], java: str, environment: Mapping[str, str]) -> None:
    """Do what is left to do. Raises Lacking or StepFailed."""
    venv = root / ".venv"
    steps = wanted(root, groups)
    make_venv(root, venv, steps["venv"], environment)
    if STARTED in read_stamp(venv).values():
        drop_half_installed(venv)
    if read_stamp(venv).get("packages") != steps["packages"]:
        with stamped(venv, "packages", steps["packages"]):
            install_packages(root, venv)
    if read_stamp(venv).get("project") != steps["project"]:
        with stamped(venv, "project", steps["project"]):
            install_project(root, venv)
    for group in groups:
        step, part = f"java:{group}", java_group(root, group)
        if read_stamp(venv).get(step) != steps[step] or bad_jars(venv / part["folder"], part["libraries"]):
            with stamped(venv, step, steps[step]):
                fetch_jars(venv, group, part, java, environment.get("AQI_IVY_SETTINGS", ""))


def check(root: Path, groups: Sequence[str], environment: Mapping[str, str]) -> str:
    """Path of Java (empty where no Java libraries are asked for). Raises Lacking with all that is missing."""
    problems, java = [], ""
    venv = root / ".venv"
    if not usable(venv, read_stamp(venv), digest_of(str(root))):
        try:
            find_python(environment)
        except Lacking as lacking:
            problems.append(str(lacking))
    if groups:
        try:
            java = find_java(environment)
        except Lacking as lacking:
            problems.append(str(lacking))
    if problems:
        raise Lacking("\n".join(problems))
    return java


def main(arguments: Sequence[str]) -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="scripts/setup.py", description="Make this folder ready to run.")
    parser.add_argument("--check", action="store_true", help="only look whether the machine has what is needed")
    parser.add_argument("--quiet", action="store_true", help="say nothing where nothing is to be done")
    parser.add_argument("--spark", action="store_true", help="what Spark needs besides: Java libraries (Java 17)")
    parser.add_argument(
        "--java",
        action="append",
        default=[],
        metavar="GROUP",
        help="as --spark, and a further group of config/java.lock.json",
    )
    options = parser.parse_args(arguments)
    groups = ["delta", *options.java] if options.spark or options.java else []
    started = time.monotonic()
    environment = os.environ
    try:
        groups += [group for group in kept_groups(ROOT, ROOT / ".venv") if group not in groups]
        java = check(ROOT, groups, environment)
        if options.check:
            return 0
        work = not done(ROOT, ROOT / ".venv", groups)
        if work:
            with alone(ROOT):
                set_up(ROOT, groups, java, environment)
        if work or not options.quiet:
            say(f"{'done' if work else 'nothing to do'} ({time.monotonic() - started:.1f} s)")
    except Lacking as lacking:
        for line in str(lacking).splitlines():
            say(line)
        return 2
    except StepFailed as failure:
        say(str(failure))
        return 1
    except KeyboardInterrupt:
        say("interrupted; call again to go on")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
