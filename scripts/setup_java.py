"""The Java libraries of the set-up: those of config/java.lock.json, every digest checked, fetched with pyspark's Ivy.

For ``scripts/setup.py``: the standard library alone, and code that Python 3.7 reads.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from scripts.setup_machine import Lacking, StepFailed, say


def _groups(root: Path) -> dict[str, Any]:
    groups: dict[str, Any] = json.loads((root / "config" / "java.lock.json").read_text(encoding="utf-8"))["groups"]
    return groups


def has_group(root: Path, group: str) -> bool:
    """Whether config/java.lock.json has such a group (still)."""
    return group in _groups(root)


def java_group(root: Path, group: str) -> dict[str, Any]:
    """One group of config/java.lock.json: ``folder`` (below .venv) and ``libraries``."""
    groups = _groups(root)
    if group not in groups:
        raise Lacking(f"no group {group!r} of Java libraries; config/java.lock.json has: {', '.join(groups)}")
    chosen: dict[str, Any] = groups[group]
    return chosen


def jar_name(library: Mapping[str, str]) -> str:
    """File name of a library."""
    return f"{library['name']}-{library['version']}.jar"


def bad_jars(folder: Path, libraries: Sequence[Mapping[str, str]]) -> list[str]:
    """Names of the jars in ``folder`` that are missing or not what the list says."""
    bad = []
    for library in libraries:
        jar = folder / jar_name(library)
        if not jar.is_file() or hashlib.sha256(jar.read_bytes()).hexdigest() != library["sha256"]:
            bad.append(jar.name)
    return bad


def ivy_module(libraries: Sequence[Mapping[str, str]]) -> str:
    """An Ivy file that asks for exactly these libraries and nothing that they depend on."""
    dependencies = "".join(
        f"  <dependency org={quoteattr(library['org'])} name={quoteattr(library['name'])}"
        f' rev={quoteattr(library["version"])} transitive="false" conf="default->master"/>\n'
        for library in libraries
    )
    return (
        '<ivy-module version="2.0">\n <info organisation="aqi" module="libraries"/>\n'
        ' <configurations><conf name="default"/></configurations>\n'
        f" <dependencies>\n{dependencies} </dependencies>\n</ivy-module>\n"
    )


def fetch_jars(venv: Path, group: str, wanted_group: Mapping[str, Any], java: str, ivy_settings: str) -> None:
    """Fetch a group of libraries into a folder aside, check every digest, then move them into place.

    Ivy's cache is of that folder too: nothing that was fetched another time, or by someone else, is used.
    """
    libraries = wanted_group["libraries"]
    say(f"fetching {len(libraries)} Java libraries ({group})")
    ivy = sorted(venv.glob("lib/python*/site-packages/pyspark/jars/ivy-*.jar"))
    if not ivy:
        raise StepFailed("pyspark in .venv has no Ivy; remove .venv and call again")
    if ivy_settings and not Path(ivy_settings).is_file():
        raise Lacking(f"AQI_IVY_SETTINGS is {ivy_settings}, but there is no such file")
    with tempfile.TemporaryDirectory(prefix=".java-", dir=str(venv)) as aside_name:
        aside = Path(aside_name)
        (aside / "ivy.xml").write_text(ivy_module(libraries), encoding="utf-8")
        command = [java, "-XX:TieredStopAtLevel=1", "-cp", str(ivy[-1]), "org.apache.ivy.Main"]
        command += ["-settings", ivy_settings] if ivy_settings else []
        command += ["-cache", str(aside / "cache"), "-ivy", str(aside / "ivy.xml"), "-confs", "default"]
        command += [
            "-types",
            "jar",
            "bundle",
            "-retrieve",
            str(aside / "jars" / "[artifact]-[revision].[ext]"),
        ]
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        bad = bad_jars(aside / "jars", libraries)
        if answer.returncode != 0 or bad:
            print(answer.stdout[-4000:], file=sys.stderr)
            raise StepFailed(
                f"fetching Java libraries failed (Ivy's status {answer.returncode}; missing, or not of the "
                f"digest in config/java.lock.json: {', '.join(bad) or 'none'}); AQI_IVY_SETTINGS may name an "
                "Ivy settings file of your own"
            )
        folder = venv / wanted_group["folder"]
        folder.mkdir(parents=True, exist_ok=True)
        kept = {jar_name(library) for library in libraries}
        for name in sorted(kept):
            (aside / "jars" / name).replace(folder / name)
        for jar in folder.glob("*.jar"):
            if jar.name not in kept:
                jar.unlink()
