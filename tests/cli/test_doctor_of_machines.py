"""What `aqi doctor` finds of the shell and the machine: each with what is done about it, or what to do."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.errors import MachineError
from orchestration.reports.machine import check_clock
from resources.machine.environment import LEFT_OUT
from resources.simulator.server import Simulator
from tests.support.cli_calls import Aqi
from tests.support.hostile_shells import hostile_shell

NOW = datetime(2025, 8, 20, 6, tzinfo=UTC)


OF_ENGINES = ("SPARK_", "PYSPARK_", "HADOOP_", "LD_", "SAIL_", "TOKIO_", "DATAFUSION_")


def found_by(aqi: Aqi, status: int = 0, **env: str) -> dict[str, Any]:
    return {item.pop("what"): item for item in aqi.json("doctor", "--offline", status=status, **env)}


def test_a_machine_in_order(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(OF_ENGINES)]:
        monkeypatch.delenv(name)
    monkeypatch.delenv(LEFT_OUT, raising=False)
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", None)
    found = found_by(aqi)
    assert found["shell"] == {"ok": True, "found": "no variable is in the way", "remedy": ""}
    assert found["clock"]["found"] == (
        "stands still at 2025-08-20T06:00:00Z (clock.now, AQI_CLOCK__NOW): only tests want that"
    )
    assert found["locale"]["found"].startswith("names of files utf-8, output utf-8; of the shell: ")
    assert found["file handles"]["found"].endswith(" may be open at once")
    assert found["temporary files"]["found"] == tempfile.gettempdir()


@pytest.mark.costly
def test_the_command_tells_of_each_variable_that_it_left_out(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of those that were gone when it began once more."""
    monkeypatch.delenv(LEFT_OUT, raising=False)  # what tests before left out of this process
    shell = hostile_shell(aqi.folder / "cluster")
    done = aqi.process("doctor", "--offline", **shell.variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert not shell.ran.exists()
    told = [line.removeprefix("ok     variable ") for line in done.stdout.splitlines() if "variable " in line]
    names = [line.partition(":")[0] for line in told]
    for_locales = {"LC_ALL", "TZ"}
    assert names == sorted(names)
    of_this_process = os.environ.keys() - shell.variables.keys()  # tests before may have started engines in it
    assert sorted({*names} - of_this_process) == sorted(shell.variables.keys() - for_locales)
    (path,) = [line for line in told if line.startswith("PYTHONPATH")]
    assert path == f"PYTHONPATH: comes after what set-up pinned: click, pyspark in {shell.folder}"
    assert "ok     locale: names of files utf-8, output utf-8; of the shell: LC_ALL=C" in done.stdout


def test_a_clock_that_nobody_set(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AQI_CLOCK__NOW")
    assert found_by(aqi)["clock"]["found"].endswith("Z, this machine's")


@pytest.mark.parametrize(("seconds", "told"), [(90, "90 s ahead of"), (-30, "30 s behind"), (1, "")])
def test_the_source_s_clock(aqi: Aqi, seconds: int, told: str) -> None:
    with Simulator(now=lambda: NOW + timedelta(minutes=10, seconds=seconds)) as server:
        env = {"AQI_CLOCK__NOW": "2025-08-20T06:10:00Z", "AQI_OPEN_METEO__BASE_URL": server.url}
        found = {item["what"]: item for item in aqi.json("doctor", **env)}["source"]["found"]
    assert found.partition("; its clock is ")[2] == (f"{told} this machine's" if told else "")


@pytest.mark.parametrize(("written", "told"), [(1061.5, "62 s ahead of"), (900.0, "100 s behind")])
def test_the_clock_of_another_machine_s_disk(written: float, told: str) -> None:
    with pytest.raises(MachineError, match=rf"^the clock of HDFS is {told} this machine's") as caught:
        check_clock("HDFS", written, 1000.0)
    assert "date -u" in caught.value.remedy


def test_clocks_that_agree() -> None:
    check_clock("HDFS", 1059.0, 1000.0)


def test_a_disk_on_which_no_more_files_fit(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for bytes, and none for files: what many small files leave of a disk."""
    full = os.statvfs_result([*os.statvfs(aqi.folder)[:5], 1_000_000, 900, 900, *os.statvfs(aqi.folder)[8:]])
    monkeypatch.setattr("orchestration.reports.folders.os.statvfs", lambda _: full)
    found = found_by(aqi, status=1)
    for what in ("warehouse", "scratch disk", "temporary files"):
        assert not found[what]["ok"]
        assert "only 900 more files fit on its disk (inodes)" in found[what]["found"]
        assert "df -i" in found[what]["remedy"]


def test_a_disk_that_does_not_count_files(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    uncounted = os.statvfs_result([*os.statvfs(aqi.folder)[:5], 0, 0, 0, *os.statvfs(aqi.folder)[8:]])
    monkeypatch.setattr("orchestration.reports.folders.os.statvfs", lambda _: uncounted)
    assert found_by(aqi)["warehouse"]["ok"]


@pytest.mark.parametrize(
    ("soft", "hard", "how"),
    [(64, 64, "nofile in limits.conf"), (100, 4096, "ulimit -n 256"), (100, -1, "ulimit -n 256")],
)
def test_too_few_file_handles(aqi: Aqi, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, how: str) -> None:
    monkeypatch.setattr("orchestration.reports.machine.open_files", lambda: (soft, hard))
    found = found_by(aqi, status=1)["file handles"]
    assert (found["ok"], found["found"]) == (False, f"{soft} files may be open at once")
    assert how in found["remedy"]


def test_a_folder_for_temporary_files_that_is_not_there(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    found = found_by(aqi, TMPDIR="/nowhere")["temporary files"]
    assert (found["ok"], "because nothing can be written in TMPDIR (/nowhere)" in found["found"]) == (True, True)
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_java_s_locale_is_a_fault_where_spark_is_the_engine(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.reports.machine.UTF8_LOCALE", "xx_XX.UTF-8")
    assert found_by(aqi)["locale"]["ok"]
    found = found_by(aqi, status=1, AQI_ENGINE="spark")["locale"]
    assert (found["ok"], "no locale xx_XX.UTF-8" in found["found"]) == (False, True)


def test_a_java_of_which_options_speak_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A JVM says on standard error which options it picked up, before its version, or in place of it."""
    from resources.spark.java import check_java

    home = tmp_path / "java-17"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").write_text(
        '#!/bin/sh\n[ -n "$JAVA_TOOL_OPTIONS" ] && { echo "Picked up JAVA_TOOL_OPTIONS: -Xbad" >&2; exit 1; }\n'
        "echo 'openjdk version \"17.0.9\" 2023-10-17' >&2\n"
    )
    (home / "bin" / "java").chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xbad")
    assert check_java() == "17.0.9"


def test_a_java_that_says_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from resources.spark.java import check_java

    home = tmp_path / "java"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").write_text("#!/bin/sh\necho 'Error: could not create the Java Virtual Machine.' >&2\n")
    (home / "bin" / "java").chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(home))
    with pytest.raises(MachineError, match=r"says no version of Java \(but Error: could not create the Java"):
        check_java()
