"""A deployed run under a real worker, with a secret in every setting that may hold one: what the server keeps of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.service.prefect.conftest import PrefectServer
from tests.support.deploy_operator import Operator
from tests.support.planted_secrets import KEY, PASSWORD, USER, command_lines, environment, told_in, written_in
from tests.support.prefect_site import Site

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]

NOW = datetime(2025, 9, 10, 10, 30, tzinfo=UTC)


class Planted(PrefectServer):
    """The server of others, asked with secrets in the environment. They are in nothing that it is started with."""

    def __init__(self, server: PrefectServer) -> None:
        self.home, self._port, self._process = server.home, server._port, None

    @property
    def env(self) -> dict[str, str]:
        return {**super().env, **environment(self.api_url), "PREFECT_LOGGING_LEVEL": "DEBUG"}


def test_a_run_that_completes_and_one_that_fails(prefect_server: PrefectServer, recorded: Path, tmp_path: Path) -> None:
    operator = Operator(Planted(prefect_server), tmp_path, "planted")
    with (
        Site(operator, recorded, NOW, engine="embedded", deployments={"hourly": None}) as site,
        command_lines() as lines,
    ):
        source: dict[str, Any] = operator.settings["open_meteo"]
        source |= {"base_url": site.api.url.replace("//", f"//{USER}:{PASSWORD.replace('/', '%2F')}@"), "api_key": KEY}
        deployed = operator.process("--all")
        assert deployed.returncode == 0, deployed.stderr
        site.start_worker()
        made = site.start_run("everything", selection="bronze.open_meteo_hourly", partitions="2025-09-09")
        assert site.ended(made)[0] == "COMPLETED"
        site.api.stop()
        failed = site.start_run("everything", selection="bronze.open_meteo_hourly", partitions="2025-09-08", force=True)
        state, message = site.ended(failed)
        assert state == "FAILED"
        watched = site.watch()
        log = site.log.read_text()
    assert any("worker start" in line for line in lines.seen)
    assert lines.told == []
    assert told_in(message, log, watched.stdout, watched.stderr, deployed.stdout, deployed.stderr) == []
    assert written_in(tmp_path, prefect_server.home, but=("profile.yml",)) == []
