"""A session's settings are in a file for this user's eyes, for as long as its JVM needs it, and on no command line."""

from __future__ import annotations

import logging
import os
import shlex
import stat
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from py4j.java_gateway import GatewayClient
from py4j.protocol import Py4JNetworkError

from resources.spark.gateway import SUBMIT_ARGUMENTS, launched, none_of_py4j, property_line


def test_what_the_jvm_is_started_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "a folder"))
    (tmp_path / "a folder").mkdir()
    monkeypatch.delenv(SUBMIT_ARGUMENTS, raising=False)

    def launch(conf: Any, pipes: Any) -> str:
        option, file, what = shlex.split(os.environ[SUBMIT_ARGUMENTS])
        seen.update(conf=conf, pipes=pipes, call=(option, what), mode=stat.S_IMODE(Path(file).stat().st_mode))
        seen["text"] = Path(file).read_text(encoding="utf-8")
        return "gateway"

    monkeypatch.setattr("pyspark.java_gateway.launch_gateway", launch)
    assert launched({"spark.x.password": "s3cret", "spark.y": "é"}, {"stdout": 1}) == "gateway"
    assert (seen["conf"], seen["pipes"]) == (None, {"stdout": 1})
    assert (seen["call"], seen["mode"]) == (("--properties-file", "pyspark-shell"), 0o600)
    assert seen["text"] == "spark.x.password=s3cret\nspark.y=é\n"
    assert SUBMIT_ARGUMENTS not in os.environ
    assert list((tmp_path / "a folder").iterdir()) == []


def test_the_file_goes_where_no_jvm_starts_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(SUBMIT_ARGUMENTS, "theirs")
    monkeypatch.setattr("pyspark.java_gateway.launch_gateway", lambda *_: (_ for _ in ()).throw(OSError("no java")))
    with pytest.raises(OSError, match="no java"):
        launched({"a": "b"}, {})
    assert os.environ[SUBMIT_ARGUMENTS] == "theirs"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("a.b", "c=d:e#f!", "a.b=c=d:e#f!"),
        ("a", "one\\two\nthree", "a=one\\\\two\\nthree"),
        ("a", " x ", "a=\\ x "),
        ("a b:c=d", "", "a\\ b\\:c\\=d="),
    ],
)
def test_a_line_as_java_reads_it(name: str, value: str, line: str) -> None:
    assert property_line(name, value) == line


@pytest.mark.parametrize(
    ("what", "raised"),
    [(KeyboardInterrupt(), KeyboardInterrupt), (Py4JNetworkError("Answer from Java side is empty"), None)],
    ids=["interrupted", "the JVM is gone"],
)
def test_a_call_that_breaks_off_is_no_traceback(
    capsys: pytest.CaptureFixture[str], what: BaseException, raised: type[BaseException] | None
) -> None:
    """py4j's gateway is asked, and its connection breaks off."""

    class Broken:
        socket = None

        def close(self, *_: object) -> None: ...

        def send_command(self, _command: str) -> str:
            raise what

    client = GatewayClient()
    client._get_connection = Broken
    root, told = logging.getLogger(), logging.StreamHandler(sys.stdout)
    root.addHandler(told)
    root.addFilter(none_of_py4j)
    try:
        with pytest.raises(raised) if raised else nullcontext():
            client.send_command("x", retry=False)
        root.error("told")
    finally:
        root.removeHandler(told)
        root.removeFilter(none_of_py4j)
    assert capsys.readouterr().out == "told\n"


def test_what_py4j_logs_by_name_stays_with_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pyspark.java_gateway.launch_gateway", lambda *_: "gateway")
    root, of_py4j = logging.getLogger(), logging.getLogger("py4j")
    told, before = logging.StreamHandler(sys.stdout), of_py4j.propagate
    root.addHandler(told)
    try:
        of_py4j.propagate = True
        launched({}, {})
        logging.getLogger("py4j.java_gateway").error("Error while sending or receiving.")
    finally:
        root.removeHandler(told)
        root.removeFilter(none_of_py4j)
        of_py4j.propagate = before
    assert capsys.readouterr().out == ""
