"""Any `aqi` command through spark-submit on YARN; `scripts/spark_submit.sh` calls it.

    scripts/spark_submit.sh [--deploy-mode client|cluster] -- materialize '*' --partitions last:7

client: the driver is here, as with `aqi … --profile yarn`. cluster: it is in the application master, with our code and
packages brought along, and goes on when this machine goes away; what it prints is in its container's log.
What would be exit status 2 is found before anything is submitted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestration.core.errors import LakehouseError
from orchestration.engine.exclusive import new_run_id
from orchestration.project import load, open_workspace
from resources.hadoop.configuration import HadoopConf
from resources.hadoop.packages import ROOT, packages_name, write_packages
from resources.hadoop.resource_manager import ResourceManager
from resources.machine.environment import for_a_jvm
from resources.machine.shell import begin, own_folders
from resources.settings.load import Settings
from resources.spark.driver import (
    check_java_libraries,
    pyspark_folder,
    spark_archive,
    spark_conf,
)
from resources.spark.gateway import property_line
from resources.spark.java import check_java
from resources.spark.on_yarn import (
    JAVA_OPTIONS,
    archive_uri,
    check_cluster,
    check_master,
    ensure_archive,
    run_tags,
    yarn_conf,
)

SUBMITTED = ROOT / "scripts" / "submitted.py"
TOLD = "told.json"
"""The variables that the driver on the cluster is told; `submitted.py` reads it."""
PACKAGES = "packages"
"""Where the packages are below the working directory of the application master; unpacked there by `submitted.py`."""
_LOGGING = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n
"""
_SET_BY_THE_RUN = ("spark.sql.shuffle.partitions", "spark.sql.warehouse.dir")


def main(arguments: Sequence[str]) -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="scripts/spark_submit.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deploy-mode", choices=["client", "cluster"], default="client")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="after --: the aqi command and its arguments")
    options = parser.parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("name a command, for instance: -- materialize '*' --partitions last:7")
    os.environ.setdefault("AQI_PROFILE", "yarn")
    if status := _dry_run(command):
        return status
    try:
        return _submit(command, in_cluster=options.deploy_mode == "cluster")
    except LakehouseError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 130


def _dry_run(command: Sequence[str]) -> int:
    """2 where the call is wrong, which `aqi` itself says; 0 otherwise."""
    aqi = [str(Path(sys.executable).parent / "aqi"), *command]
    can = subprocess.run([aqi[0], command[0], "--help"], capture_output=True, text=True, check=False)
    dry = ["--dry-run"] if "--dry-run" in can.stdout and "--dry-run" not in command else []
    if can.returncode == 0 and not dry:
        return 0
    return 2 if subprocess.run([*aqi, *dry], stdout=subprocess.DEVNULL, check=False).returncode == 2 else 0


def _submit(command: list[str], *, in_cluster: bool) -> int:
    profile = command[command.index("--profile") + 1] if "--profile" in command[:-1] else None
    settings = load(profile)
    check_master(settings)
    check_java()
    check_java_libraries()
    warehouse = open_workspace(settings).warehouse.uri
    manager = check_cluster(settings, warehouse, in_cluster=in_cluster)
    run_id = new_run_id()
    archive = spark_archive(settings, warehouse, _say)
    on_yarn = yarn_conf(settings, run_id, warehouse, archive, in_cluster=in_cluster)
    conf = spark_conf(settings, run_id, 1, on_yarn)
    for name in _SET_BY_THE_RUN:
        del conf[name]
    pinned = for_a_jvm(os.environ, str(pyspark_folder()), sys.executable, cluster=True, own=own_folders())
    environment = {**pinned, "AQI_RUN_ID": run_id, "PYSPARK_DRIVER_PYTHON": sys.executable}
    if in_cluster:
        packages = archive_uri(settings, warehouse, packages_name())
        ensure_archive(packages, write_packages, _say)
        conf |= _in_cluster(settings, packages, profile)
        del conf["spark.jars"]
        command = _with_profile(command, profile)
    with _files() as scratch:
        if in_cluster:
            told = _written(scratch / TOLD, json.dumps(_told(settings, run_id, profile)))
            conf["spark.yarn.dist.files"] += f",{told}"
        logging = _written(scratch / "log4j2.properties", _LOGGING)
        lines = (f"{property_line(name, value)}\n" for name, value in conf.items())
        properties = _written(scratch / "spark.conf", "".join(lines))
        environment["SPARK_SUBMIT_OPTS"] = f"-Dlog4j2.configurationFile={logging}"
        submit = pyspark_folder() / "bin" / "spark-submit"
        mode = "cluster" if in_cluster else "client"
        call = [str(submit), "--master", "yarn", "--deploy-mode", mode, "--properties-file", str(properties)]
        if in_cluster:
            _say(f"run {run_id}: its driver is in the application master; this waits for it, and may be left")
        output = subprocess.PIPE if in_cluster else None
        done = subprocess.run([*call, str(SUBMITTED), *command], env=environment, stderr=output, text=True, check=False)
    if not in_cluster:
        return done.returncode
    return _report(manager, run_id, warehouse, done)


def _report(manager: ResourceManager, run_id: str, warehouse: str, done: subprocess.CompletedProcess[str]) -> int:
    """Say what became of a run in cluster mode."""
    tag = run_tags(run_id, warehouse, in_cluster=True)[1]
    for application in manager.applications(tag, running=False):
        _say(f"{application.id} ({application.name}): {application.final}")
        if application.final != "SUCCEEDED":
            why = next((line for line in application.diagnostics.splitlines() if line.strip()), "")
            _say(f"{why}\n  What it printed: yarn logs -applicationId {application.id}; what is there: aqi status")
            return 1
        return 0 if done.returncode == 0 else 1
    lines = [line for line in (done.stderr or "").splitlines() if line.strip() and not line.startswith("\tat ")]
    _say(f"nothing was submitted: {next((line for line in lines if 'Exception' in line), '; '.join(lines[-1:]))}")
    return 1


def _told(settings: Settings, run_id: str, profile: str | None) -> dict[str, str]:
    """The variables for the driver on the cluster. They may hold secrets, and have any sign in them.

    Of the variables that a container is given YARN makes a script, which it copies beside the container's log.
    """
    ours = ("AQI_", "PREFECT_API_", "PREFECT_CLIENT_")
    told = {
        **{name: value for name, value in os.environ.items() if name.startswith(ours)},
        **settings.openlineage.as_environment(),  # the standard variables, and files that they name, are not there
        "AQI_RUN_ID": run_id,
        "YARN_RM_URL": HadoopConf.load().resource_managers()[0],
    }
    if (file := _profile_file(profile)) is not None:
        told["AQI_PROFILE"] = f"./{file.name}"
    return told


def _profile_file(profile: str | None) -> Path | None:
    """The file of the profile, None where its name says it."""
    name = profile or os.environ["AQI_PROFILE"]
    return Path(name).resolve() if "/" in name or name.endswith((".yml", ".yaml")) else None


def _in_cluster(settings: Settings, packages: str, profile: str | None) -> dict[str, str]:
    """What the application master needs besides, to be a driver."""
    here = "{{PWD}}"
    python = settings.yarn.python or str(Path(sys.executable).resolve())
    variables = {
        "PYTHONPATH": f"{here}/{PACKAGES}",
        "PYSPARK_PYTHON": python,
        "HADOOP_CONF_DIR": f"{here}/__spark_conf__/__hadoop_conf__",
        "PREFECT_HOME": f"{here}/prefect",
        "XDG_STATE_HOME": f"{here}/state",
    }
    files = [f"{packages}#{PACKAGES}.zip", *filter(None, [settings.spark.conf.get("spark.yarn.dist.files")])]
    if (file := _profile_file(profile)) is not None:
        files.append(str(file))
    return {
        **{f"spark.yarn.appMasterEnv.{name}": value for name, value in variables.items()},
        "spark.yarn.dist.files": ",".join(files),
        "spark.driver.memoryOverhead": "1g",
        "spark.driver.extraJavaOptions": JAVA_OPTIONS,
    }


def _with_profile(command: list[str], profile: str | None) -> list[str]:
    """The command without ``--profile``: a file of this machine is another on the node, and the environment says it."""
    if profile is None or "/" not in profile:
        return command
    at = command.index("--profile")
    return command[:at] + command[at + 2 :]


@contextmanager
def _files() -> Iterator[Path]:
    """A folder for files, gone at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="aqi-submit-") as scratch:
        yield Path(scratch)


def _written(file: Path, text: str) -> Path:
    """A file with a text, for this user's eyes only."""
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
    return file


def _say(line: str) -> None:
    print(f"submit: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    begin()
    sys.exit(main(sys.argv[1:]))
