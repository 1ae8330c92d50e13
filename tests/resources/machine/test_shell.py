"""A process that frees itself from its shell, as one: what it is told, and what it has when it has begun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from resources.machine.environment import LEFT_OUT
from resources.machine.shell import as_environment, tidy
from tests.support.aqi_process import ROOT

TOLD = """
import json, os, sys, warnings
from resources.machine.shell import begin, open_files
begin()
import click
print(json.dumps({
    "optimize": sys.flags.optimize, "warnings": sys.warnoptions, "files": sys.getfilesystemencoding(),
    "output": sys.stdout.encoding, "click": click.__file__, "argv": sys.argv[1:], "environ": dict(os.environ),
    "handles": open_files()[0], "path": sys.path,
}))
"""
SANE = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def begun(variables: dict[str, str], program: tuple[str, ...] = (), **options: Any) -> dict[str, Any]:
    """What a process is that began in a shell with such variables. program: that starts it."""
    call = [*program, sys.executable, "-c", TOLD, "one", "hai số"]
    done = subprocess.run(
        call, env=SANE | variables, capture_output=True, encoding="utf-8", timeout=60, check=False, **options
    )
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["argv"] == ["one", "hai số"]
    return found


def test_what_python_has_read_by_then_is_left_out_all_the_same() -> None:
    found = begun({"PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert (found["optimize"], found["warnings"], found["output"]) == (0, [], "utf-8")
    assert list(json.loads(found["environ"][LEFT_OUT])) == ["PYTHONIOENCODING", "PYTHONOPTIMIZE", "PYTHONWARNINGS"]


@pytest.mark.costly
@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "vi_VN.ISO-8859-1"},
        {"LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "latin-1"},
        {"PYTHONLEGACYWINDOWSFSENCODING": "1"},
        {},
    ],
)
def test_names_of_files_and_output_are_utf8_in_every_locale(variables: dict[str, str]) -> None:
    found = begun(variables)
    assert (found["files"], found["output"]) == ("utf-8", "utf-8")


def test_a_module_before_ours_comes_after_it(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    (mine / "prefect").mkdir(parents=True)  # a folder without __init__.py: in nobody's way
    (mine / "assets_of_mine.py").write_text("")
    found = begun({"PYTHONPATH": f"{mine}:{ROOT}"})
    assert found["environ"]["PYTHONPATH"] == f"{mine}:{ROOT}"
    assert LEFT_OUT not in found["environ"]
    for name in ("click.py", "typing.py"):
        (mine / name).write_text("raise SystemExit('mine')")
    (tmp_path / "plain" / "click").mkdir(parents=True)
    (tmp_path / "plain" / "click" / "__init__.py").write_text("raise SystemExit('mine')")
    with zipfile.ZipFile(tmp_path / "py4j-src.zip", "w") as packed:
        packed.writestr("py4j/__init__.py", "")
        packed.writestr("yaml.py", "")
    entries = [str(mine), str(tmp_path / "plain"), str(tmp_path / "py4j-src.zip"), str(tmp_path / "gone"), str(ROOT)]
    found = begun({"PYTHONPATH": ":".join(entries[1:])})
    assert Path(found["click"]).is_relative_to(sys.prefix)
    told = json.loads(found["environ"][LEFT_OUT])["PYTHONPATH"]
    assert f"click in {entries[1]}; py4j, yaml in {entries[2]}" in told
    assert [entry for entry in found["path"] if entry in entries] == entries[1:]  # what is only there can be imported
    again = begun({"PYTHONPATH": found["environ"]["PYTHONPATH"]})
    assert again["environ"]["PYTHONPATH"] == found["environ"]["PYTHONPATH"]


def test_a_gateway_is_spark_submit_s_where_a_jvm_is_the_parent(tmp_path: Path) -> None:
    gateway = {"PYSPARK_GATEWAY_PORT": "1", "PYSPARK_GATEWAY_SECRET": "x", "SPARK_CONF_DIR": "/theirs"}
    assert not gateway.items() & begun(gateway)["environ"].items()
    (tmp_path / "java").symlink_to("/bin/sh")
    as_child = (str(tmp_path / "java"), "-c", '"$@"; exit $?', "java")
    assert gateway.items() <= begun(gateway, as_child)["environ"].items()


def test_more_files_may_be_open(tmp_path: Path) -> None:
    few = ("/bin/sh", "-c", 'ulimit -S -n 64; exec "$@"', "sh")
    assert begun({}, few)["handles"] > 64
    none_to_give = ("/bin/sh", "-c", 'ulimit -n 64; exec "$@"', "sh")
    assert begun({}, none_to_give)["handles"] == 64


def test_an_environment_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "1")
    monkeypatch.setenv("B", "2")
    before = dict(os.environ)
    with as_environment({**before, "A": "3", "C": "4"} | {"B": "2"}):
        assert (os.environ["A"], os.environ["B"], os.environ["C"]) == ("3", "2", "4")
        monkeypatch.setenv("D", "another thread's")
    assert dict(os.environ) == {**before, "D": "another thread's"}


def test_a_process_that_others_started_is_tidied_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.setenv("SPARK_REMOTE", "sc://there")
    monkeypatch.delenv(LEFT_OUT, raising=False)
    tidy()
    assert "SPARK_REMOTE" not in os.environ
    assert "SPARK_REMOTE" in os.environ[LEFT_OUT]
    monkeypatch.delenv(LEFT_OUT)


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_file_is_never_a_standard_stream_that_is_closed(tmp_path: Path, closed: str) -> None:
    """What is printed then, by this process or by one that it starts, would stand in the file."""
    file = tmp_path / "table"
    program = (
        "import subprocess, sys\nfrom resources.machine.shell import begin\nbegin()\n"
        f"with open({str(file)!r}, 'w') as table:\n"
        "    print('out')\n    print('err', file=sys.stderr)\n"
        "    subprocess.run(['sh', '-c', 'echo child; echo err >&2'])\n"
        "    assert table.fileno() > 2\n"
    )
    call = ["sh", "-c", f'"$@" {closed}', "sh", sys.executable, "-c", program]
    assert subprocess.run(call, env=SANE, capture_output=True, timeout=60, check=False).returncode == 0
    assert file.read_text() == ""
