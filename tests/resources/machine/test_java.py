"""Which version a Java has, by what it prints."""

from __future__ import annotations

import pytest

from resources.machine.java import java_major, java_version


@pytest.mark.parametrize(
    ("says", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6-Debian)', 17),
        ('java version "1.8.0_402"\nJava(TM) SE Runtime Environment', 8),
        ('openjdk version "21-ea" 2023-09-19', 21),
        ('openjdk version "25" 2025-09-16 LTS', 25),
        ('openjdk version "11.0.22" 2024-01-16', 11),
        ('Picked up JAVA_TOOL_OPTIONS: -Dversion=9\nopenjdk version "17.0.1" 2021-10-19', 17),
        ("java: error while loading shared libraries", None),
        ("", None),
    ],
)
def test_java_major(says: str, major: int | None) -> None:
    assert java_major(says) == major


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', "17.0.15"),
        ('Picked up JAVA_TOOL_OPTIONS: -Dname="9"\nopenjdk version "21-ea" 2023-09-19', "21-ea"),
        ("java: error while loading shared libraries", ""),
    ],
)
def test_java_version(says: str, version: str) -> None:
    assert java_version(says) == version
