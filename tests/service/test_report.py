"""The report that an hourly run of a deployment leaves behind: where settings say, and no failure of it is one of the
run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from orchestration.service import report


def workspace(tmp_path: Path, path: str | None) -> Workspace:
    return open_workspace(
        load(environment={}, flags={"warehouse": {"uri": str(tmp_path / "w")}, "report": {"path": path}})
    )


def test_it_is_left_where_settings_say(tmp_path: Path) -> None:
    warnings: list[str] = []
    path = tmp_path / "www" / "air.html"
    path.parent.mkdir()
    path.write_text("that of the hour before")
    report.leave_report(workspace(tmp_path, str(path)), warnings.append)
    assert warnings == []
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [file.name for file in path.parent.iterdir()] == ["air.html"]


def test_nothing_is_made_where_settings_say_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "render_page", pytest.fail)
    report.leave_report(workspace(tmp_path, None), pytest.fail)


@pytest.mark.parametrize("error", [OSError("no space left"), KeyError("a fault of ours"), ValueError()])
def test_whatever_goes_wrong_is_a_warning_with_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_: Any) -> str:
        raise error

    monkeypatch.setattr(report, "render_page", broken)
    warnings: list[str] = []
    report.leave_report(workspace(tmp_path, "/srv/air.html"), warnings.append)
    assert warnings == [f"the report /srv/air.html was not written: {str(error) or 'ValueError'}"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    warnings: list[str] = []
    report.leave_report(workspace(tmp_path, str(tmp_path / "file" / "air.html")), warnings.append)
    (said,) = warnings
    assert said.startswith(f"the report {tmp_path}/file/air.html was not written: ")
