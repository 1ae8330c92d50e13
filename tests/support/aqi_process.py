"""The command as its users call it: a process of its own, its output, its exit status."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

AQI = Path(sys.executable).parent / "aqi"
ROOT = Path(__file__).resolve().parent.parent.parent
READING = {"checks", "freshness", "show", "status"}


@dataclass
class Commands:
    """Calls `aqi` on a warehouse, with Prefect's and our own state in a folder of the test's.

    reads_here: what ``json`` and ``csv`` read of tables they read in this process; all else is a process of its own.
    """

    home: Path
    warehouse: Path | str
    base_url: str
    environment: dict[str, str] = field(default_factory=dict)
    reads_here: bool = True

    @property
    def env(self) -> dict[str, str]:
        ours = ("AQI_", "PREFECT_", "OPENLINEAGE_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {
            **clean,
            "PREFECT_HOME": str(self.home / "prefect"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "AQI_WAREHOUSE__URI": str(self.warehouse),
            "AQI_OPEN_METEO__BASE_URL": self.base_url,
            "AQI_OPEN_METEO__BACKOFF_SECONDS": "0.05",
            "AQI_OPEN_METEO__ATTEMPTS": "2",
            **self.environment,
        }

    def __call__(self, *arguments: str, timeout: float = 280) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [AQI, *arguments], env=self.env, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
        )

    def read(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command that reads tables and changes nothing, in this process: half a second less than one of its own."""
        from click.testing import CliRunner

        from orchestration.cli.app import main

        with mock.patch.dict(os.environ, self.env, clear=True), contextlib.chdir(ROOT):
            done = CliRunner().invoke(main, arguments)
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    def json(self, *arguments: str, status: int = 0) -> Any:
        """What a command prints with --json; its exit status must be ``status``."""
        call = self.read if self.reads_here and arguments[0] in READING else self
        done = call(*arguments, "--json")
        assert done.returncode == status, done.stderr + done.stdout
        return json.loads(done.stdout)

    def csv(self, asset: str) -> list[dict[str, str]]:
        """All rows of a table as `aqi show --format csv` prints them."""
        import csv

        call = self.read if self.reads_here else self
        done = call("show", asset, "--format", "csv", "--limit", "100000")
        assert done.returncode == 0, done.stderr
        return list(csv.DictReader(done.stdout.splitlines()))
