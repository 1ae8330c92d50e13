"""Somebody who deploys: calls `aqi deploy` with settings of the test's, and looks at the server by its API."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from orchestration.cli.app import main
from tests.service.prefect.conftest import PrefectServer
from tests.support.aqi_process import AQI


@dataclass
class Operator:
    """Calls `aqi deploy` with a profile and an environment of its own, and looks at the server by its API."""

    server: PrefectServer
    folder: Path
    environment: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def profile(self) -> Path:
        """The settings as a file."""
        deploy = {"environment": self.environment, **self.settings.get("deploy", {})}
        file = self.folder / "profile.yml"
        file.write_text(yaml.safe_dump({**self.settings, "deploy": deploy}))
        return file

    def process(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A call in a process of its own, which names its profile relative to its folder."""
        assert self.profile.exists()
        return subprocess.run(
            [AQI, "deploy", *arguments, "--profile", "profile.yml"],
            env={**self.server.env, **env},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def lines(self, *arguments: str) -> list[str]:
        """What a call in this process prints, which is done without a word on standard error."""
        from prefect.settings import PREFECT_API_URL, temporary_settings

        with temporary_settings({PREFECT_API_URL: self.server.api_url}):
            done = CliRunner().invoke(main, ["deploy", *arguments, "--profile", str(self.profile)])
        assert (done.exit_code, done.stderr) == (0, ""), done.output
        return done.stdout.splitlines()

    def deploy(self, *arguments: str) -> list[tuple[str, str]]:
        """Kinds and names of the changes that a call makes."""
        return [(change["change"], change["name"]) for change in self.changes(*arguments)]

    def changes(self, *arguments: str) -> list[dict[str, Any]]:
        changes: list[dict[str, Any]] = json.loads("\n".join(self.lines(*arguments, "--json")))
        return changes

    def refusal(self, *arguments: str, status: int = 2, **env: str) -> str:
        done = self.process(*arguments, **env)
        assert (done.returncode, done.stdout) == (status, ""), done.stderr
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr
        return done.stderr

    def found(self) -> dict[str, dict[str, Any]]:
        """The deployments of this environment on the server, by name."""
        tags = ["aqi", f"aqi-environment:{self.environment}"]
        found = self.server.call("POST", "/deployments/filter", {"deployments": {"tags": {"all_": tags}}})
        return {item["name"]: item for item in found}

    def one(self, name: str) -> dict[str, Any]:
        return self.found()[f"aqi-{name}-{self.environment}"]

    def limit(self, pool: str) -> int | None:
        limit: int | None = self.server.call("GET", f"/work_pools/{pool}")["concurrency_limit"]
        return limit

    def runs(self, deployment_id: str) -> list[dict[str, Any]]:
        body = {"deployments": {"id": {"any_": [deployment_id]}}}
        found: list[dict[str, Any]] = self.server.call("POST", "/flow_runs/filter", body)
        return found


MakeOperator = Callable[[str], Operator]
"""Gives one for an environment, which no other test should use."""


def schedules(item: dict[str, Any]) -> dict[str | None, tuple[str, str, bool]]:
    return {
        one["slug"]: (one["schedule"].get("cron"), one["schedule"].get("timezone"), one["active"])
        for one in item["schedules"]
    }
