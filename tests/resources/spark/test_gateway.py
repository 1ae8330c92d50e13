"""A session's settings are in a file for this user's eyes, for as long as its JVM needs it, and on no command line."""

from __future__ import annotations

import logging
import os
import shlex
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from py4j.clientserver import ClientServerConnection
from py4j.java_gateway import GatewayClient

from resources.spark.gateway import SUBMIT_ARGUMENTS, launched, no_interrupt, property_line


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


def test_a_ctrl_c_while_the_jvm_works_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """py4j's gateway is asked, and its connection is interrupted."""

    class Interrupted:
        socket = None

        def close(self, *_: object) -> None: ...

        def send_command(self, _command: str) -> str:
            raise KeyboardInterrupt

    client = GatewayClient()
    client._get_connection = Interrupted
    root, told = logging.getLogger(), logging.StreamHandler(sys.stdout)
    root.addHandler(told)
    root.addFilter(no_interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            client.send_command("x")
        root.error("told")
    finally:
        root.removeHandler(told)
        root.removeFilter(no_interrupt)
    assert capsys.readouterr().out == "told\n"


def test_a_connection_that_fails_while_it_is_closed_is_no_traceback(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a command that is ended while its JVM is."""
    from pyspark import java_gateway

    class Connection(ClientServerConnection):  # type: ignore[misc]
        def __init__(self) -> None:
            self.is_connected, self.socket, self.stream = True, Broken(), Broken()

        def __del__(self) -> None: ...

    class Broken:
        def sendall(self, _bytes: bytes) -> None:
            raise ConnectionResetError

        def close(self) -> None: ...

    monkeypatch.setattr(java_gateway, "launch_gateway", lambda _conf, _pipes: None)
    launched({}, {})
    Connection().shutdown_socket(1, 2)
    assert caplog.messages == []
