"""Which Java scripts/setup.py finds, and what it says where there is none that will do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.setup_script import call, copy_of_project, script, setup


def fake_java(folder: Path, says: str) -> Path:
    """A ``java`` whose ``-version`` says this on standard error, as the real one does."""
    return script(folder / "java", f"#!/bin/sh\ncat >&2 <<'END'\n{says}\nEND\n".replace("cat", "/bin/cat"))


def test_java_is_taken_from_path_where_java_home_is_unset_or_empty(tmp_path: Path) -> None:
    java = fake_java(tmp_path, 'openjdk version "17.0.15" 2025-04-15')
    assert setup.find_java({"PATH": str(tmp_path)}) == str(java)
    assert setup.find_java({"PATH": str(tmp_path), "JAVA_HOME": ""}) == str(java)


def test_java_home_wins_over_path_as_it_does_for_spark(tmp_path: Path) -> None:
    fake_java(tmp_path / "old", 'openjdk version "11.0.22" 2024-01-16')
    java = fake_java(tmp_path / "home" / "bin", 'openjdk version "21.0.2" 2024-01-16')
    assert setup.find_java({"PATH": str(tmp_path / "old"), "JAVA_HOME": str(tmp_path / "home")}) == str(java)


TOO_OLD = 'openjdk version "11.0.22" 2024-01-16'


@pytest.mark.costly
@pytest.mark.parametrize(
    ("on_path", "home", "told"),
    [
        (None, None, "no Java: 17 or later is needed; install one, for instance: apt-get install"),
        (
            TOO_OLD,
            None,
            "is version 11, but 17 or later is needed; install one, for instance: apt-get install",
        ),
        ('java version "1.8.0_402"', None, "is version 8, but 17 or later is needed"),
        ("cannot execute", None, "does not tell its version"),
        (
            'openjdk version "17.0.15"',
            TOO_OLD,
            "is version 11, but 17 or later is needed; set it to another, or unset",
        ),
        (
            'openjdk version "17.0.15"',
            "nothing there",
            "but there is no bin/java in it; set it to another, or unset",
        ),
    ],
)
def test_java_missing_or_too_old_is_one_line_and_status_2_before_any_work(
    tmp_path: Path, on_path: str | None, home: str | None, told: str
) -> None:
    tree = copy_of_project(tmp_path / "project")
    environment = {"PATH": str(tmp_path / "path")}
    (tmp_path / "path").mkdir()
    if on_path is not None:
        fake_java(tmp_path / "path", on_path)
    if home is not None:
        environment["JAVA_HOME"] = str(tmp_path / "home")
        if home != "nothing there":
            fake_java(tmp_path / "home" / "bin", home)
    answer = call(tree, environment, "--spark")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert len(answer.stderr.splitlines()) == 1 and told in answer.stderr
    assert not (tree / ".venv").exists()


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--spark",), 2), (("--java", "hadoop"), 2)], ids=str)
def test_java_is_looked_for_only_where_spark_is_wanted(tmp_path: Path, options: tuple[str, ...], status: int) -> None:
    tree = copy_of_project(tmp_path / "project")
    answer = call(tree, {"PATH": "/nowhere"}, "--check", *options)
    assert (answer.returncode, "no Java" in answer.stderr) == (status, status == 2)
