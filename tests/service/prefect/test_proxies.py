"""A worker and the runs below it on a machine with proxies: Prefect's server and the source, both here, are asked
directly."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.counting_proxy import CountingProxy
from tests.support.deploy_operator import MakeOperator
from tests.support.prefect_site import Site

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_deployed_run(operator: MakeOperator, recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2025, 9, 10, 10, 30, tzinfo=UTC)
    with CountingProxy() as proxy, Site(operator("proxied"), recorded, now, engine="embedded") as site:
        done = site.operator.process("everything")
        assert done.returncode == 0, done.stderr
        with pytest.MonkeyPatch.context() as patch:
            for name in ("HTTP_PROXY", "https_proxy", "WS_PROXY"):
                patch.setenv(name, proxy.url)
            patch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
            patch.setenv("NO_PROXY", "[::1]")
            site.start_worker()
            looked = site.watch()
        assert site.ended(site.start_run("everything", partitions="2025-09-10"))[0] == "COMPLETED"
    assert "further behind than" in looked.stdout, looked.stderr
    assert proxy.asked == []
