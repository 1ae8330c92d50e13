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
    report.leave_report(workspace(tmp_path, "s3://lake/air.html"), warnings.append)
    assert warnings == [f"the report s3://lake/air.html was not written: {str(error) or 'ValueError'}"]


def test_a_location_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    warnings: list[str] = []
    report.leave_report(workspace(tmp_path, str(tmp_path / "file" / "air.html")), warnings.append)
    (said,) = warnings
    assert said.startswith(f"the report {tmp_path}/file/air.html was not written: ")


@pytest.mark.parametrize(
    ("given", "left"), [({"hourly": True}, True), ({"partitions": "last:2"}, False)], ids=["hourly", "of a range"]
)
def test_only_an_hourly_run_leaves_one_and_ends_as_it_would_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], left: bool
) -> None:
    """Of the flow itself: what it runs is made up, and the location cannot be written."""
    from orchestration.service import flows

    (tmp_path / "file").touch()
    opened = workspace(tmp_path, str(tmp_path / "file" / "air.html"))
    warnings: list[str] = []

    class Logger:
        warning = staticmethod(warnings.append)

    class Summary:
        ok = True

        def in_words(self) -> str:
            return "all done"

    monkeypatch.chdir(tmp_path)  # the flow leaves it
    monkeypatch.setattr(flows, "load", lambda _: None)
    monkeypatch.setattr(flows, "open_workspace", lambda _: opened)
    monkeypatch.setattr(flows, "request_of", lambda *_: None)
    monkeypatch.setattr(flows, "run_request", lambda *_, **__: Summary())
    monkeypatch.setattr(flows, "get_run_logger", Logger)
    state = flows._run("materialize", {"selection": "*", **given})
    assert (state.type.value, state.message) == ("COMPLETED", "all done")
    assert [said.partition(":")[0] for said in warnings] == [
        f"the report {tmp_path}/file/air.html was not written"
    ] * left
