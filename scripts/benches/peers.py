"""Dagster, in an environment of its own: the same functions on Spark, empty functions, and a large graph."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from resources.spark.driver import JARS_FOLDER
from scripts.benches.against_plain import LOCATIONS, YARDSTICK_HEAP, need_java
from scripts.benches.declared import Bench, Ratio, Side, Skipped
from scripts.benches.graph_shape import FIRST
from scripts.benches.site import ROOT, Site, module

REQUIREMENTS = ROOT / "scripts" / "bench_dagster_requirements.txt"
HERE = Path(__file__).resolve().parent
INSTALL_SECONDS = 900
GRAPH = 10_000
GRAPH_MIB = 300
PARTITIONS = 366
NOTHING: Mapping[str, str] = {}


class Dagster:
    """Its environment, below the output folder, made when it is first wanted, and made anew for other pins.

    Behind its own packages it has those of this project, so that Spark under its assets is the same.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
        self._folder = site.output / f"dagster-{digest}"
        if not (self._folder / "made").exists():
            self._make()

    def _make(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        pip = [str(self._folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps"]
        for command in ([sys.executable, "-m", "venv", str(self._folder)], [*pip, "-r", str(REQUIREMENTS)]):
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise Skipped(f"Dagster cannot be installed here: {error}") from None
            if done.returncode:
                said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
                raise Skipped(f"Dagster cannot be installed here: {said[-1] if said else 'pip said nothing'}")
        packages = self._folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
        (packages / "project.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        (self._folder / "made").touch()

    def python(self, name: str, *arguments: str) -> list[str]:
        """The command that runs one of the benches' own modules in it."""
        return [str(self._folder / "bin" / "python"), "-m", f"scripts.benches.{name}", *arguments]

    def command(self, name: str, *arguments: str) -> list[str]:
        """Its own command line, for a module with definitions."""
        call = [str(self._folder / "bin" / "python"), "-m", "dagster", "asset", "materialize"]
        return [*call, "-f", str(HERE / f"{name}.py"), "--select", "*", *arguments]

    def environment(self, more: Mapping[str, str] = NOTHING, *, in_process: bool = False) -> Mapping[str, str]:
        """Variables with a home of its own, and without telemetry."""
        home = self._site.home / "dagster"
        home.mkdir(exist_ok=True)
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
        said = {"DAGSTER_HOME": str(home), "PYTHONWARNINGS": "ignore"} | (
            {"BENCH_IN_PROCESS": "1"} if in_process else {}
        )
        return self._site.environment("dagster") | said | dict(more)


def dagster_spark(site: Site) -> Bench:
    """The same graph with the same functions on Spark: ours against Dagster in process and by its command line."""
    need_java()
    dagster = Dagster(site)
    with_data = {
        "BENCH_ANSWERS": site.answers(LOCATIONS, site.month),
        "BENCH_TABLES": str(site.warehouse("dagster-tables")),
        "BENCH_DAYS": str(site.month),
        "BENCH_PROFILE": site.profile(LOCATIONS),
        "BENCH_JARS": str(JARS_FOLDER),
    }
    rows = site.month.rows(LOCATIONS)
    ours = Side(
        "ours",
        "aqi materialize '*', engine spark, a Prefect server running",
        [site.materialize(LOCATIONS, site.month)],
        site.environment("ours", engine="spark", server=True, AQI_SPARK__DRIVER_MEMORY=YARDSTICK_HEAP),
        site.emptied("ours"),
        rows,
    )
    emptied, module_ = site.emptied("dagster-tables"), "dagster_air"
    sides = [
        ours,
        Side("process", "Dagster's materialize() in one process, one Spark session, nothing stored by Dagster",
             [dagster.python(module_)], dagster.environment(with_data), emptied, rows),
        Side("command", "dagster asset materialize, its default: a process and a Spark session for every asset",
             [dagster.command(module_)], dagster.environment(with_data), emptied, rows),
        Side("command-one-process", "dagster asset materialize with the in-process executor",
             [dagster.command(module_)], dagster.environment(with_data, in_process=True), emptied, rows),
    ]  # fmt: skip
    ratios = [Ratio("ours", side.name) for side in sides[1:]]
    return Bench("dagster-spark", "Dagster, the same functions on Spark", sides, ratios)


def dagster_empty(site: Site) -> Bench:
    """Five assets whose functions do nothing, for one partition and for a leap year, in a single run."""
    dagster = Dagster(site)
    sides, ratios = [], []
    for days in (1, 2 if site.smoke else PARTITIONS):
        last = FIRST + timedelta(days=days - 1)
        span = ["--partition-range", f"{FIRST}...{last}"]
        ours, own = module("our_empty", str(days)), f"ours-own-server-{days}"
        made = f"5 assets × {days}"
        sides += [
            Side(f"ours-{days}", f"ours, {made}, a Prefect server running", [ours],
                 site.environment("empty", server=True)),
            Side(own, f"ours, {made}, its own Prefect server", [ours], site.environment("empty")),
            Side(f"process-{days}", f"Dagster's materialize() in one process, {made}, nothing stored",
                 [dagster.python("dagster_empty", str(days))], dagster.environment()),
            Side(f"command-{days}", f"dagster asset materialize, {made}, its default: a process for every asset",
                 [dagster.command("dagster_empty", *span)], dagster.environment()),
            Side(f"command-one-process-{days}", f"the same with the in-process executor, {made}",
                 [dagster.command("dagster_empty", *span)], dagster.environment(in_process=True)),
        ]  # fmt: skip
        goal = None if days == 1 else 0.1
        ratios += [
            Ratio(f"ours-{days}", f"{kind}-{days}", goal=goal if kind == "command" else None)
            for kind in ("process", "command", "command-one-process")
        ]
        ratios.append(Ratio(own, f"command-{days}", goal=goal))
    return Bench("dagster-empty", "Dagster, empty functions, a single run", sides, ratios)


def graph(site: Site) -> Bench:
    """10,000 assets × 10 years: ours builds, selects and plans; Dagster builds and selects."""
    number = 50 if site.smoke else GRAPH
    ours = Side(
        "ours",
        f"{number:,} assets × 10 years: graph, selection and plan",
        [module("our_graph", str(number))],
        site.environment("graph"),
        limits_mib={"python": GRAPH_MIB},
    )
    try:
        dagster = Dagster(site)
    except Skipped as why:
        return Bench("graph", "A large graph", [ours], [], notes=[f"without Dagster: {why}"])
    theirs = Side(
        "dagster",
        f"Dagster, {number:,} assets × 10 years: graph and selection",
        [dagster.python("dagster_graph", str(number))],
        dagster.environment(),
    )
    return Bench("graph", "A large graph", [ours, theirs], [Ratio("ours", "dagster")])
