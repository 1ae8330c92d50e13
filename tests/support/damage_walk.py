"""Every command over every damage, as a table: ``python -m tests.support.damage_walk WAREHOUSE``, on copies of one.

A row a damage, a column a command: the exit status; with a ``!`` where it is none that is documented, or a traceback.
Below it the first line of each that did not end with 0. The tests of ``tests/engine/test_damaged_tables.py`` say what
has to come out of it, and that the remedies mend.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from click.testing import CliRunner

from orchestration.cli.app import main
from orchestration.project import load, open_workspace
from tests.support import oracle
from tests.support.damages import ONE_OF_A_KIND, OTHERS, Damage

DOCUMENTED = (0, 1, 2, 3)
COMMANDS = (
    "status",
    "status --json",
    "plan * --partitions {days}",
    "plan --changed",
    "freshness",
    "metrics",
    "doctor",
    "report -o {out}/report.html",
    "lineage *",
    "runs",
    "show gold.dim_time",
    "show {key}",
    f"show {oracle.BRONZE} --raw --partitions {{days}}",
    "repair --dry-run",
    "repair --rebuild --dry-run --json",
    "maintenance --dry-run",
    "migrate {key} --dry-run",
    "accept {key} --dry-run",
    "wipe {key} --partitions {days} --dry-run",
    "wipe {key} --partitions {days} --yes",
    "maintenance",
)


def no_journal_but_a_file(warehouse: Path) -> None:
    shutil.rmtree(warehouse / "_aqi")
    (warehouse / "_aqi").touch()


def nothing(_warehouse: Path) -> None:
    """Sound."""


@contextlib.contextmanager
def read_only(warehouse: Path) -> Iterator[None]:
    """Nobody can write there, root neither."""
    subprocess.run(["mount", "--bind", warehouse, warehouse], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", warehouse], check=True)
        yield
    finally:
        subprocess.run(["umount", warehouse], check=True)


@contextlib.contextmanager
def full(warehouse: Path) -> Iterator[None]:
    """The warehouse on a disk of its own, on which no byte is left."""
    with tempfile.TemporaryDirectory() as aside:
        shutil.copytree(warehouse, aside, dirs_exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", warehouse], check=True)
        try:
            shutil.copytree(aside, warehouse, dirs_exist_ok=True)
            with contextlib.suppress(OSError), (warehouse / "filler").open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            yield
        finally:
            subprocess.run(["umount", "-l", warehouse], check=True)


Held = Callable[[Path], contextlib.AbstractContextManager[None]]


def cases() -> Iterator[tuple[str, str, Callable[[Path], object], Held]]:
    """Name, asset, what is done to a warehouse, and what holds while it is looked at."""
    none: Held = lambda _warehouse: contextlib.nullcontext()  # noqa: E731
    yield "sound", oracle.CITY_DAILY, nothing, none
    for damage in [*ONE_OF_A_KIND, *OTHERS]:
        yield f"{damage} ({damage.key.partition('.')[2]})", damage.key, damage.to, none
    yield "_aqi is a file", oracle.CITY_DAILY, no_journal_but_a_file, none
    if os.geteuid() == 0:
        yield "read-only", oracle.CITY_DAILY, nothing, read_only
        yield "disk full", oracle.CITY_DAILY, nothing, full
        yield "disk full, file lost", oracle.FACT_HOURLY, Damage(ONE_OF_A_KIND[0].do, oracle.FACT_HOURLY).to, full


def walk(warehouse: Path) -> None:
    """Print the table of a sound warehouse."""
    state = open_workspace(load(environment={}, flags={"warehouse": {"uri": str(warehouse)}}))
    days = state.warehouse.state(state.catalog[oracle.BRONZE]).records.partitions.days
    told: list[str] = []
    for number, command in enumerate(COMMANDS):
        print(f"{number:2} {command}")
    for name, key, do, held in cases():
        with tempfile.TemporaryDirectory() as folder:
            lake = Path(folder, "lake")
            shutil.copytree(warehouse, lake)
            do(lake)
            ends = []
            with held(lake):
                for number, command in enumerate(COMMANDS):
                    words = [word.format(key=key, days=days.last, out=folder) for word in command.split()]
                    env = {"AQI_WAREHOUSE__URI": str(lake), "AQI_OPEN_METEO__BASE_URL": "http://127.0.0.1:9"}
                    done = CliRunner().invoke(main, words, env=env)
                    broken = done.exception is not None and not isinstance(done.exception, SystemExit)
                    ends.append(f"{done.exit_code}{'!' if broken or done.exit_code not in DOCUMENTED else ''}")
                    first = (done.stderr or done.stdout).strip().partition("\n")[0].replace(folder, "…")
                    if broken or done.exit_code:
                        told.append(f"{name}: {number} {ends[-1]}: {done.exception!r} {first}"[:260] if broken else
                                    f"{name}: {number} {ends[-1]}: {first}"[:260])  # fmt: skip
            print(f"{name:45} {' '.join(f'{end:>2}' for end in ends)}", flush=True)
    print("\n".join(told))


if __name__ == "__main__":
    walk(Path(sys.argv[1]))
