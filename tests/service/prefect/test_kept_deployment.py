"""Deployments that commit d35dc26 made run on a worker of this version as they are: nobody calls `aqi deploy`.

Their entry points are what that version wrote, and so is the warehouse that they work on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.service.prefect.conftest import PrefectServer
from tests.support.deploy_operator import Operator
from tests.support.kept.trees import KEPT, NOW, RANGE, commits, unpack
from tests.support.prefect_site import Site
from tests.support.small_lake import DATED

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(600)]

BODIES = KEPT.with_name("deployment_d35dc26.json")
FIELD = "entrypoint"
FIRST, _, LAST = RANGE.partition("..")
NEXT_DAY = "2025-08-22"
NEW_ROWS = dict(zip(DATED, (24, 24, 0, 24, 1, 0), strict=True))
"""By table: hours, and one day; no hour is refused, and no episode begins."""
DEPLOYED = (
    "id",
    "flow_id",
    "entrypoint",
    "parameters",
    "parameter_openapi_schema",
    "tags",
    "work_pool_name",
    "schedules",
)
ENTRYPOINTS = {
    "aqi-backfill-d35dc26": "orchestration.flows.backfill",
    "aqi-bronze-d35dc26": "orchestration.flows.materialize",
    "aqi-everything-d35dc26": "orchestration.flows.materialize",
    "aqi-gold-d35dc26": "orchestration.flows.materialize",
    "aqi-hourly-d35dc26": "orchestration.flows.materialize",
    "aqi-maintenance-d35dc26": "orchestration.flows.maintenance",
    "aqi-silver-d35dc26": "orchestration.flows.materialize",
}


def post(server: PrefectServer, profile: Path) -> Callable[[], None]:
    """Make on the server what d35dc26 made there; gives what takes it away again.

    Schedules rest: a run of theirs at a full hour would meet those of the tests.
    """
    kept: dict[str, Any] = json.loads(BODIES.read_text(encoding="utf-8"))
    made = []
    for pool in kept["work_pools"]:
        server.call("POST", "/work_pools/", pool)
        made.append(f"/work_pools/{pool['name']}")
    for body in kept["deployments"]:
        flow = body.pop("flow")
        body["flow_id"] = server.call("POST", "/flows/", {"name": flow})["id"]
        body["parameter_openapi_schema"] = kept["parameter_schemas"][flow]
        body["parameters"]["profile"] = str(profile)
        made.append(f"/deployments/{server.call('POST', '/deployments/', {**body, 'paused': True})['id']}")
    for automation in kept["automations"]:
        made.append(f"/automations/{server.call('POST', '/automations/', automation)['id']}")

    def remove() -> None:
        for path in reversed(made):
            server.call("DELETE", path)

    return remove


@pytest.fixture(scope="module")
def site(prefect_server: PrefectServer, recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The kept deployments and the kept warehouse, with a worker of this version."""
    operator = Operator(prefect_server, tmp_path_factory.mktemp("kept"), "d35dc26")
    unpack(operator.folder / "warehouse")
    with Site(operator, recorded, datetime.fromisoformat(NOW)) as one:
        remove = post(prefect_server, operator.profile)
        one.start_worker()
        yield one
    remove()


@pytest.fixture(autouse=True)
def _nothing_is_deployed(site: Site) -> Iterator[None]:
    """The server has the deployments of d35dc26 before a test, and the very same ones after it."""
    before = values(site)
    assert {name: one["entrypoint"] for name, one in before.items()} == ENTRYPOINTS
    yield
    assert values(site) == before


def values(site: Site) -> dict[str, dict[str, Any]]:
    """What only a deploy makes or changes, by name; the id is another where one was taken away and made again."""
    return {name: {key: one[key] for key in DEPLOYED} for name, one in site.operator.found().items()}


def test_tables_are_brought_to_the_contract_of_today_once(site: Site) -> None:
    """Columns and descriptions that were added since; no row is written."""
    assert site.ended(site.start_run("everything", partitions=RANGE)) == (
        "COMPLETED",
        "9 tables brought to the contract",
    )
    assert "its state kept" in site.ended(site.start_run("maintenance"))[1]


@pytest.mark.parametrize(
    ("name", "parameters", "told"),
    [
        ("everything", {"partitions": RANGE}, "nothing new"),
        ("backfill", {"start_date": FIRST, "end_date": LAST}, "nothing new"),
        ("maintenance", {}, "nothing to do\n11 tables, "),
    ],
    ids=["materialize", "backfill", "maintenance"],
)
def test_what_is_fresh_is_left_alone(site: Site, name: str, parameters: dict[str, str], told: str) -> None:
    """Each of the three flows, without an engine: no commit and no request."""
    before, asked = commits(site.operator.folder / "warehouse"), site.api.requests_served.total()
    state, message = site.ended(site.start_run(name, **parameters))
    assert state == "COMPLETED" and message.startswith(told), message
    assert commits(site.operator.folder / "warehouse") == before
    assert site.api.requests_served.total() == asked


def test_a_day_is_made(site: Site) -> None:
    """On the embedded engine, from a recorded answer: the kept rows stay, those of a day of one location are added."""
    before, asked = site.tables(), site.api.requests_served.total()
    run = site.start_run("everything", partitions=NEXT_DAY, locations=["danang"])
    assert site.ended(run) == ("COMPLETED", "6 partitions of 6 tables written")
    after = site.tables()
    assert all(set(after[key]) >= set(before[key]) for key in DATED)
    assert {key: len(after[key]) - len(before[key]) for key in DATED} == NEW_ROWS
    assert site.api.requests_served.total() == asked + 1


def test_a_deploy_leaves_the_entry_points(site: Site) -> None:
    """Its plan tells of none; where the server has another one, it goes back to the one that was kept."""
    assert not moves(site)
    this, other = f"/deployments/{site.operator.one('everything')['id']}", "orchestration.service.flows.materialize"
    site.server.call("PATCH", this, {"entrypoint": other})
    told = moves(site)
    site.server.call("PATCH", this, {"entrypoint": ENTRYPOINTS["aqi-everything-d35dc26"]})
    assert told == [("materialize/aqi-everything-d35dc26", ENTRYPOINTS["aqi-everything-d35dc26"])]


def moves(site: Site) -> list[tuple[str, str]]:
    """Names and entry points of the deployments that `aqi deploy` would make, take away or point elsewhere."""
    changes = site.operator.changes("--all", "--prune", "--dry-run")
    fields = [(change["name"], one["new"]) for change in changes for one in change["fields"] if one["field"] == FIELD]
    return fields + [(change["name"], "") for change in changes if change["change"] in ("create", "retire")]
