"""Deployed runs under a real worker on the cluster: cancelled or killed, they leave no application behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest

from resources.spark.on_yarn import warehouse_tag
from scripts.cluster import Cluster
from tests.service.prefect.conftest import operator, prefect_server  # noqa: F401  # fixtures
from tests.support.cluster_calls import manager
from tests.support.deploy_operator import MakeOperator
from tests.support.prefect_site import GONE_SECONDS, Site, wait_until
from tests.yarn.conftest import FEW, NOW, on_yarn

pytestmark = [
    pytest.mark.spark,
    pytest.mark.prefect,
    pytest.mark.yarn,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]


@pytest.mark.parametrize("how", ["cancelled", "killed"])
def test_a_run_that_is_ended_leaves_no_application_and_is_made_good(
    cluster: Cluster,
    operator: MakeOperator,  # noqa: F811
    recorded: Path,
    undisturbed: Any,
    how: str,
) -> None:
    uri = f"{cluster.default_fs}/warehouses/deployed-{how}"
    with Site(operator(f"yarn-{how}"), recorded, NOW, **on_yarn(uri)) as one:
        done = one.operator.process("everything")
        assert done.returncode == 0, done.stderr
        one.start_worker()
        run = one.start_run("everything", partitions=FEW)
        one.committed_something(run)
        (application,) = applications(uri)
        processes = one.processes()
        if how == "cancelled":
            one.cancel(run)
        else:
            one.run_process().kill()
        assert one.ended(run, GONE_SECONDS)[0] == {"cancelled": "CANCELLED", "killed": "CRASHED"}[how]
        wait_until(lambda: not applications(uri), GONE_SECONDS, lambda: (application, applications(uri)))
        _gone, left = psutil.wait_procs(processes, GONE_SECONDS)
        assert not left
        again = one.start_run("everything", partitions=FEW)
        assert one.ended(again, 280)[0] == "COMPLETED"
        assert one.tables() == undisturbed(FEW)
        assert applications(uri) == []


def applications(uri: str) -> list[str]:
    """The applications on a warehouse that go on."""
    return [item.id for item in manager().applications(warehouse_tag(uri), running=True)]
