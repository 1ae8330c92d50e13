"""scripts/setup.py and what it installs: versions read, problems said in one line, no work done twice.

Nothing here touches this folder's own .venv, a network or a real Java.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.setup_java import ivy_module
from tests.support.setup_script import ROOT, script, setup

# --- Python --------------------------------------------------------------------------------------


def test_a_newer_python_on_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python that runs the script is too old; ``python3.13`` on PATH does."""
    old = script(tmp_path / "python3", "#!/bin/sh\necho 3 9 2\n")
    answers = "#!/bin/sh\ncase $3 in *ensurepip*) echo 24.0;; *_base_executable*) echo $0;; *) echo 3 13 0;; esac\n"
    new = script(tmp_path / "python3.13", answers)
    monkeypatch.setattr(setup.sys, "executable", str(old))
    assert setup.find_python({"PATH": str(tmp_path)}) == str(new)


def test_no_python_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = script(tmp_path / "python3", "#!/bin/sh\necho 3 9 2\n")
    script(tmp_path / "python3.12", "#!/bin/sh\nexit 127\n")  # as pyenv's for a version that is not switched on
    monkeypatch.setattr(setup.sys, "executable", str(old))
    with pytest.raises(setup.Lacking, match=r"^no Python of 3\.11 or later on PATH; install one, .*python3-venv$"):
        setup.find_python({"PATH": str(tmp_path)})


def test_a_python_without_venv_is_told_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian's Python without python3-venv."""
    answers = "#!/bin/sh\ncase $3 in *ensurepip*) exit 1;; *_base_executable*) echo $0;; *) echo 3 11 2;; esac\n"
    python = script(tmp_path / "python3", answers)
    monkeypatch.setattr(setup.sys, "executable", str(python))
    with pytest.raises(setup.Lacking, match=r"^Python 3\.11 lacks .* apt-get install python3\.11-venv$"):
        setup.find_python({"PATH": str(tmp_path)})


# --- what is done, and what is left to do --------------------------------------------------------

JAR = b"a library"
LIBRARY = {
    "org": "org.example",
    "name": "thing_2.13",
    "version": "1.0",
    "sha256": hashlib.sha256(JAR).hexdigest(),
}
MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project that is set up: a stamp that says so, a Python that runs, one Java library."""
    root = tmp_path / "project"
    (root / "config").mkdir(parents=True)
    (root / "requirements.lock").write_text("setuptools==1 \\\n    --hash=sha256:00\n", encoding="utf-8")
    (root / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (root / "config/java.lock.json").write_text(
        json.dumps({"groups": {"delta": {"folder": "java", "libraries": [LIBRARY]}}}), encoding="utf-8"
    )
    venv = root / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    pyspark_jars = venv / "lib" / f"python{MINOR}" / "site-packages" / "pyspark" / "jars"
    pyspark_jars.mkdir(parents=True)
    (pyspark_jars / "ivy-2.5.3.jar").touch()
    (venv / "java").mkdir()
    (venv / "java" / "thing_2.13-1.0.jar").write_bytes(JAR)
    setup.write_stamp(venv, {**setup.wanted(root, ["delta"]), "python": MINOR})
    return root


def change_stamp(root: Path, step: str, value: str) -> None:
    setup.write_stamp(root / ".venv", {**setup.read_stamp(root / ".venv"), step: value})


def append(path: Path, text: str = "\n# changed\n") -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


CHANGES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "nothing": (lambda root: None, []),
    "lock": (lambda root: append(root / "requirements.lock"), ["packages", "project"]),
    "pyproject": (lambda root: append(root / "pyproject.toml"), ["project"]),
    "how tests are set": (lambda root: append(root / "pyproject.toml", "\n[tool.ruff]\nfix = true\n"), []),
    "jar lost": (lambda root: (root / ".venv/java/thing_2.13-1.0.jar").unlink(), ["java"]),
    "jar damaged": (lambda root: (root / ".venv/java/thing_2.13-1.0.jar").write_bytes(b"x"), ["java"]),
    "packages broke off": (lambda root: change_stamp(root, "packages", setup.STARTED), ["packages"]),
    "java broke off": (lambda root: change_stamp(root, "java:delta", setup.STARTED), ["java"]),
    "other Python": (
        lambda root: change_stamp(root, "python", "3.9"),
        ["venv", "packages", "project", "java"],
    ),
    "Python gone": (
        lambda root: (root / ".venv/bin/python").unlink(),
        ["venv", "packages", "project", "java"],
    ),
    "moved": (lambda root: change_stamp(root, "venv", "…"), ["venv", "packages", "project", "java"]),
    "stamp damaged": (
        lambda root: (root / ".venv" / setup.STAMP).write_text("{", encoding="utf-8"),
        ["venv", "packages", "project", "java"],
    ),
}


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps that a set-up takes, in order; each does nothing but write down its name."""
    taken: list[str] = []

    def make(command: list[str], what: str) -> None:
        taken.append("venv")
        venv = Path(command[-1])
        shutil.rmtree(venv)
        (venv / "bin").mkdir(parents=True)
        (venv / "bin" / "python").symlink_to(sys.executable)

    def jars(venv: Path, group: str, wanted: object, java: str, settings: str) -> None:
        taken.append("java")
        (venv / "java").mkdir(exist_ok=True)
        (venv / "java" / "thing_2.13-1.0.jar").write_bytes(JAR)

    monkeypatch.setattr(setup, "run", make)
    monkeypatch.setattr(setup, "install_packages", lambda root, venv: taken.append("packages"))
    monkeypatch.setattr(setup, "install_project", lambda root, venv: taken.append("project"))
    monkeypatch.setattr(setup, "fetch_jars", jars)
    return taken


@pytest.mark.costly
@pytest.mark.parametrize("change", CHANGES)
def test_only_what_changed_is_done_again(tree: Path, steps: list[str], change: str) -> None:
    apply, expected = CHANGES[change]
    apply(tree)
    assert setup.done(tree, tree / ".venv", ["delta"]) == (not expected)
    setup.set_up(tree, ["delta"], "java", os.environ)
    assert steps == expected
    assert setup.done(tree, tree / ".venv", ["delta"])


def test_python_alone_leaves_java_for_later(tree: Path, steps: list[str]) -> None:
    (tree / ".venv/java/thing_2.13-1.0.jar").unlink()
    assert setup.done(tree, tree / ".venv", [])
    assert not setup.done(tree, tree / ".venv", ["delta"])


def raise_version(root: Path) -> None:
    """Another version in config/java.lock.json, as after a `git pull`."""
    file = root / "config/java.lock.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"1.0"', '"1.1"'), encoding="utf-8")


KEPT: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "nothing": (lambda root: None, []),
    "list of libraries": (raise_version, ["delta"]),
    "other Python": (lambda root: change_stamp(root, "python", "3.9"), ["delta"]),
    "broke off": (lambda root: change_stamp(root, "java:delta", setup.STARTED), []),
    "group no more": (lambda root: change_stamp(root, "java:gone", "…"), []),
    "never set up": (lambda root: (root / ".venv" / setup.STAMP).write_text("{}", encoding="utf-8"), []),
}


@pytest.mark.parametrize("change", KEPT)
def test_java_libraries_that_are_there_stay_up_to_date(tree: Path, change: str) -> None:
    apply, expected = KEPT[change]
    apply(tree)
    assert setup.kept_groups(tree, tree / ".venv") == expected


# --- Python packages -----------------------------------------------------------------------------

PACKAGES_LOCK = "\n".join(
    f"{entry} \\\n    --hash=sha256:00" for entry in ("pyspark[connect]==4.2.0", "setuptools==1", "wheel==1", "x==2")
)


@pytest.fixture
def calls(tree: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What pip is asked for, in the order in which it ends; nothing is done."""
    asked: list[str] = []

    def named(arguments: tuple[str, ...]) -> str:
        if "-r" not in arguments:
            return " ".join(dict.fromkeys((arguments[0], arguments[-1])))
        lines = Path(arguments[arguments.index("-r") + 1]).read_text(encoding="utf-8").splitlines()
        return " ".join([arguments[0], *(line.split("==")[0] for line in lines if "==" in line)])

    @contextlib.contextmanager
    def beside(command: tuple[str, ...], what: str, env: dict[str, str]) -> Iterator[None]:
        asked.append(f"begin {what}")
        assert "stored" in Path(env["DIST_EXTRA_CONFIG"]).read_text(encoding="utf-8")
        yield
        asked.append(named(command))

    monkeypatch.setattr(setup, "pip_command", lambda venv, *arguments: arguments)
    monkeypatch.setattr(setup, "pip", lambda venv, *arguments: asked.append(named(arguments)))
    monkeypatch.setattr(setup, "beside", beside)
    monkeypatch.setattr(setup, "compile_all", lambda venv: asked.append("compile"))
    (tree / "requirements.lock").write_text(PACKAGES_LOCK + "\n", encoding="utf-8")
    return asked


@pytest.mark.parametrize("there", [(), ("pyspark-4.1.0.dist-info/INSTALLER",), ("pyspark-4.2.0.dist-info/METADATA",)])
def test_pyspark_is_built_beside_the_installation_of_the_others(
    tree: Path, calls: list[str], there: tuple[str, ...]
) -> None:
    """Where there is none, another one, or one whose installation was broken off."""
    for file in there:
        path = tree / ".venv" / "lib" / f"python{MINOR}" / "site-packages" / file
        path.parent.mkdir()
        path.touch()
    setup.install_packages(tree, tree / ".venv")
    assert calls == [
        "install setuptools wheel",
        "begin building pyspark",
        "install setuptools wheel x",
        "wheel pyspark[connect]",
        "install pyspark==4.2.0",
        "compile",
        "check",
    ]


def test_pyspark_is_not_built_again_where_it_is_there(tree: Path, calls: list[str]) -> None:
    metadata = tree / ".venv" / "lib" / f"python{MINOR}" / "site-packages" / "pyspark-4.2.0.dist-info"
    metadata.mkdir()
    (metadata / "INSTALLER").write_text("pip\n", encoding="utf-8")
    setup.install_packages(tree, tree / ".venv")
    assert calls == [
        "install setuptools wheel",
        "install pyspark[connect] setuptools wheel x",
        "compile",
        "check",
    ]


def test_a_build_that_fails_beside_is_told_and_one_that_is_in_vain_is_ended() -> None:
    with pytest.raises(setup.StepFailed, match=r"^building x failed"), setup.beside(["false"], "building x", env={}):
        pass
    started = time.monotonic()
    with pytest.raises(setup.StepFailed, match=r"^pip"), setup.beside(["sleep", "60"], "building x", env={}):
        raise setup.StepFailed("pip install failed")
    assert time.monotonic() - started < 30


def test_a_step_that_breaks_off_is_done_again_and_the_steps_before_it_are_not(
    tree: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip is stopped while it installs; one package is whole, of the other only some files are there."""
    site = tree / ".venv" / "lib" / f"python{MINOR}" / "site-packages"

    def broken_off(root: Path, venv: Path) -> None:
        for name in ("whole", "half"):
            (site / f"{name}-1.dist-info").mkdir()
            (site / f"{name}-1.dist-info" / "METADATA").touch()
        (site / "whole-1.dist-info" / "INSTALLER").touch()
        raise KeyboardInterrupt

    append(tree / "requirements.lock")
    with monkeypatch.context() as patch:
        patch.setattr(setup, "install_packages", broken_off)
        with pytest.raises(KeyboardInterrupt):
            setup.set_up(tree, ["delta"], "java", os.environ)
    assert not setup.done(tree, tree / ".venv", ["delta"])
    setup.set_up(tree, ["delta"], "java", os.environ)
    assert steps == ["packages", "project"]
    assert [path.name for path in site.glob("*.dist-info")] == ["whole-1.dist-info"]


def test_a_sound_venv_that_someone_else_made_is_kept(tree: Path, steps: list[str]) -> None:
    pip = tree / ".venv" / "lib" / f"python{MINOR}" / "site-packages" / "pip-23.2.1.dist-info"
    pip.mkdir()
    (pip / "INSTALLER").write_text("pip\n", encoding="utf-8")
    (tree / ".venv" / setup.STAMP).unlink()
    setup.set_up(tree, ["delta"], "java", os.environ)
    assert steps == ["packages", "project", "java"]


# --- Java libraries ------------------------------------------------------------------------------


def test_ivy_is_asked_for_exactly_the_listed_libraries() -> None:
    group = setup.java_group(ROOT, "delta")
    dependencies = ET.fromstring(ivy_module(group["libraries"])).findall("dependencies/dependency")  # noqa: S314
    assert [(d.get("org"), d.get("name"), d.get("rev")) for d in dependencies] == [
        (library["org"], library["name"], library["version"]) for library in group["libraries"]
    ]
    assert {d.get("transitive") for d in dependencies} == {"false"}


def fake_ivy(folder: Path, content: bytes) -> str:
    """A ``java`` that retrieves one library with this content, whatever it is asked for."""
    body = (
        f"#!{sys.executable}\nimport sys, pathlib\n"
        "jars = pathlib.Path(sys.argv[sys.argv.index('-retrieve') + 1]).parent\n"
        f"jars.mkdir(); (jars / 'thing_2.13-1.0.jar').write_bytes({content!r})\n"
    )
    return str(script(folder / "java", body))


def test_libraries_are_put_in_place_and_others_taken_away(tree: Path, tmp_path: Path) -> None:
    folder = tree / ".venv" / "java"
    (folder / "thing_2.13-1.0.jar").unlink()
    (folder / "thing_2.13-0.9.jar").touch()
    setup.fetch_jars(tree / ".venv", "delta", setup.java_group(tree, "delta"), fake_ivy(tmp_path, JAR), "")
    assert [path.name for path in folder.iterdir()] == ["thing_2.13-1.0.jar"]
    assert (folder / "thing_2.13-1.0.jar").read_bytes() == JAR
    assert not list((tree / ".venv").glob(".java-*"))


def test_a_library_of_another_digest_is_refused_and_nothing_changes(tree: Path, tmp_path: Path) -> None:
    group = setup.java_group(tree, "delta")
    with pytest.raises(setup.StepFailed, match=r"thing_2\.13-1\.0\.jar.*AQI_IVY_SETTINGS"):
        setup.fetch_jars(tree / ".venv", "delta", group, fake_ivy(tmp_path, b"forged"), "")
    assert (tree / ".venv" / "java" / "thing_2.13-1.0.jar").read_bytes() == JAR
    assert not list((tree / ".venv").glob(".java-*"))


def test_an_unknown_group_is_told_with_those_that_exist(tree: Path) -> None:
    with pytest.raises(setup.Lacking, match=r"^no group 'spark' .* has: delta$"):
        setup.java_group(tree, "spark")
