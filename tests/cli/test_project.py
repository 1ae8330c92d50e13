"""Whose command it is."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from orchestration.cli.app import main
from orchestration.engine.project import Project
from orchestration.project import PROJECT
from tests.support.river.project import PROJECT as RIVER


def help_of(project: Project | None) -> str:
    return " ".join(CliRunner().invoke(main, ["--help"], obj=project).output.split())


def test_the_help_is_of_the_project() -> None:
    assert main.help is not None and main.help.splitlines()[0] == PROJECT.title
    assert PROJECT.title in help_of(None)
    assert RIVER.title in help_of(RIVER)
    assert "air" not in help_of(RIVER).lower().split()


def test_the_help_of_another_project_does_not_stay() -> None:
    help_of(RIVER)
    assert PROJECT.title in help_of(None)


@pytest.mark.parametrize("call", [["deploy", "--all"], ["watch", "--once"], ["worker", "start"]])
def test_what_is_served_is_of_this_repository(call: list[str]) -> None:
    done = CliRunner().invoke(main, call, obj=RIVER)
    assert done.exit_code == 2
    assert "are of the project in orchestration/project.py" in done.output
