"""Other people's shells: a real second pyspark on PYTHONPATH and in SPARK_HOME, and options of all sorts."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from tests.support.aqi_process import ROOT

OLD_VERSION = "3.4.1"


@dataclass(frozen=True)
class HostileShell:
    """folder: with the second pyspark and the rest of it. ran: is there once anything of it has run."""

    folder: Path

    @property
    def ran(self) -> Path:
        return self.folder / "ran"

    @property
    def variables(self) -> dict[str, str]:
        """Those that are overridden; more than twelve, of all kinds."""
        spark = str(self.folder / "pyspark")
        return self.of_spark | {
            "SPARK_HOME": spark,
            "PYTHONPATH": f"{self.folder}:{ROOT}",
            "PYTHONOPTIMIZE": "2",
            "PYTHONWARNINGS": "error",
            "PYTHONIOENCODING": "ascii",
            "PYTHONSTARTUP": str(self.folder / "startup.py"),
            "JAVA_TOOL_OPTIONS": "-Xmx8m",
            "_JAVA_OPTIONS": "-Duser.language=th",
            "JDK_JAVA_OPTIONS": "-Xss1k",
            "HADOOP_CONF_DIR": "/nowhere",
            "YARN_CONF_DIR": "/nowhere",
            "HADOOP_USER_NAME": "hdfs",
            "HADOOP_TOKEN_FILE_LOCATION": "/nowhere/token",
            "LC_ALL": "C",
            "TZ": "Asia/Kathmandu",
            "SAIL_EXECUTION__BATCH_SIZE": "none",
        }

    @property
    def of_spark(self) -> dict[str, str]:
        submit = "--packages org.example:nothing:1 --conf spark.sql.ansi.enabled=false --conf spark.x.password=s3cret"
        return {
            "SPARK_CONF_DIR": str(self.folder / "conf"),
            "PYSPARK_SUBMIT_ARGS": submit,  # and without pyspark-shell
            "PYSPARK_PYTHON": "/nowhere/python",
            "PYSPARK_DRIVER_PYTHON": "/nowhere/python",
            "PYSPARK_GATEWAY_PORT": "1",
            "PYSPARK_GATEWAY_SECRET": "of a shell in a notebook",
            "SPARK_DRIVER_MEMORY": "1m",
            "SPARK_LOCAL_DIRS": "/nowhere",
            "SPARK_LOCAL_IP": "203.0.113.1",
            "SPARK_REMOTE": "sc://203.0.113.1",
            "SPARK_CONNECT_MODE": "1",
            "SPARK_API_MODE": "connect",
            "SPARK_TESTING": "1",
        }


def hostile_shell(folder: Path) -> HostileShell:
    """Make the files that its variables name: pyspark's own, but with another version, and programs that only mark."""
    shell, pinned = HostileShell(folder), Path(str(distribution("pyspark").locate_file("pyspark")))
    second = folder / "pyspark"
    (second / "bin").mkdir(parents=True)
    for path in pinned.iterdir():
        if path.name not in ("bin", "version.py", "__pycache__"):
            (second / path.name).symlink_to(path)
    (second / "version.py").write_text(f"__version__ = '{OLD_VERSION}'\nopen({str(shell.ran)!r}, 'a').close()\n")
    for program in ("spark-submit", "spark-class", "load-spark-env.sh", "find-spark-home"):
        (second / "bin" / program).write_text(f"#!/bin/sh\ntouch '{shell.ran}'\nexit 1\n")
        (second / "bin" / program).chmod(0o755)
    (folder / "conf").mkdir()
    (folder / "conf" / "spark-env.sh").write_text(f"touch '{shell.ran}'\n")
    (folder / "conf" / "spark-defaults.conf").write_text("spark.sql.session.timeZone Asia/Kathmandu\n")
    for module in ("startup", "click"):  # another click, before which nothing of ours can speak
        (folder / f"{module}.py").write_text(f"open({str(shell.ran)!r}, 'a').close()\nraise SystemExit({module!r})\n")
    return shell
