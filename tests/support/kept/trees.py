"""The kept warehouse of commit d35dc26, and copies of this project with other code, contracts or settings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
KEPT = Path(__file__).with_name("d35dc26.tar.gz")
KEPT_BEFORE_LOCAL_TIME = Path(__file__).with_name("f94dd64.tar.gz")
RANGE = "2025-08-08..2025-08-21"
NOW = "2026-01-01T00:00:00Z"
FOLDERS = ("assets", "orchestration", "resources", "config", "scripts")


@cache
def tables_of_then() -> tuple[str, ...]:
    """The assets that the kept warehouse has tables of; what was declared since is none of its."""
    with tarfile.open(KEPT) as archive:
        logs = {Path(name).parts for name in archive.getnames() if Path(name).name == "_delta_log"}
    return tuple(sorted(f"{parts[-3]}.{parts[-2]}" for parts in logs if not parts[-3].startswith("_")))


def all_of_then() -> str:
    """Them as a SELECTION."""
    return " or ".join(tables_of_then())


def unpack(folder: Path, kept: Path = KEPT) -> Path:
    """A kept warehouse, in a folder of its own."""
    with tarfile.open(kept) as archive:
        # Python knows of filters from 3.11.4 on; before that the attribute means nothing to it.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        for member in archive:
            archive.extract(member, folder)
    return folder


def commits(warehouse: Path) -> dict[str, int]:
    """How many commits the log of every table has."""
    logs = sorted(warehouse.glob("[a-z]*/*/_delta_log"))
    return {f"{log.parent.parent.name}.{log.parent.name}": len(list(log.glob("*[0-9].json"))) for log in logs}


def row_commits(warehouse: Path) -> dict[str, int]:
    """How many commits of every table's log have files: those that change rows. Others change its metadata alone."""
    logs = sorted(warehouse.glob("[a-z]*/*/_delta_log"))
    return {
        f"{log.parent.parent.name}.{log.parent.name}": sum(
            any(action.keys() & {"add", "remove"} for action in map(json.loads, file.read_text().splitlines()))
            for file in log.glob("*[0-9].json")
        )
        for log in logs
    }


def data_files(warehouse: Path) -> dict[str, int]:
    """How many data files lie in the folder of every table."""
    return {
        f"{layer.name}.{table.name}": len(list(table.glob("*.parquet")))
        for layer in warehouse.iterdir()
        if not layer.name.startswith(("_", "."))
        for table in layer.iterdir()
    }


@dataclass
class Tree:
    """A copy of the project's code and configuration, on a warehouse. base_url: of the source; nobody is at port 9."""

    folder: Path
    warehouse: Path | str
    base_url: str = "http://127.0.0.1:9"
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def copy(cls, folder: Path, warehouse: Path | str, **more: Any) -> Tree:
        for name in FOLDERS:  # what is compiled too: of a module that a test edits it is out of date by its time
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc.*"))
        (folder / ".venv").symlink_to(Path(sys.prefix))
        return cls(folder, warehouse, **more)

    def edit(self, path: str, *changes: tuple[str, str]) -> None:
        """Replace texts that are once in a file."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        for old, new in changes:
            assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")

    def write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(text, encoding="utf-8")

    def __call__(self, *call: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A call of `aqi` as this tree has it."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AQI_", "PREFECT_"))}
        env = {
            **clean,
            "PYTHONPATH": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PREFECT_HOME": str(self.folder / "prefect"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "AQI_WAREHOUSE__URI": str(self.warehouse),
            "AQI_OPEN_METEO__BASE_URL": self.base_url,
            "AQI_OPEN_METEO__ATTEMPTS": "1",
            "AQI_CLOCK__NOW": NOW,
            **self.environment,
            **more,
        }
        code = "import sys; sys.argv[0] = 'aqi'; from orchestration.cli import run; run()"
        return subprocess.run(
            [sys.executable, "-c", code, *call],
            cwd=self.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    def json(self, *call: str, status: int = 0, **more: str) -> Any:
        done = self(*call, "--json", **more)
        assert done.returncode == status, f"{done.returncode}: {done.stderr}{done.stdout}"
        return json.loads(done.stdout)

    def ok(self, *call: str, status: int = 0, **more: str) -> str:
        done = self(*call, **more)
        assert done.returncode == status, f"{done.returncode}: {done.stderr}{done.stdout}"
        return done.stdout + done.stderr

    def states(self, *call: str) -> dict[str, set[tuple[str, tuple[str, ...]]]]:
        """Per asset of then, the states of its partitions with their marks."""
        found: dict[str, set[tuple[str, tuple[str, ...]]]] = {}
        for item in self.json("status", *call):
            if item["asset"] not in tables_of_then():
                continue
            found.setdefault(item["asset"], set()).add((item["state"], tuple(item["marks"])))
        return found
