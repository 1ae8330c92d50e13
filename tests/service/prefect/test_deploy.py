"""`aqi deploy` against a real Prefect server: what it makes, what it leaves alone, what it refuses.

Called in this process where only the server's answer matters, else in a process of its own.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.support.deploy_operator import MakeOperator, schedules

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(240)]
NAMES = {"hourly", "bronze", "silver", "gold", "everything", "backfill", "maintenance"}
ICT = "Asia/Ho_Chi_Minh"


def test_deployed_twice_the_server_has_what_is_declared(operator: MakeOperator) -> None:
    one = operator("twice")
    would = one.deploy("--all", "--dry-run")
    assert not one.found()
    done = one.process("--all", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [(change["change"], change["name"]) for change in json.loads(done.stdout)] == would
    assert set(would) == {
        ("create pool", "aqi-twice"),
        ("create automation", "aqi-twice: runs without a heartbeat are crashed"),
        *(("create", f"materialize/aqi-{name}-twice") for name in NAMES - {"backfill", "maintenance"}),
        ("create", "backfill/aqi-backfill-twice"),
        ("create", "maintenance/aqi-maintenance-twice"),
    }
    found = one.found()
    assert set(found) == {f"aqi-{name}-twice" for name in NAMES}

    hourly = one.one("hourly")
    profile = str(one.folder / "profile.yml")
    assert hourly["parameters"] == {"selection": "*", "hourly": True, "profile": profile}
    assert hourly["entrypoint"] == "orchestration.flows.materialize"
    assert hourly["work_pool_name"] == "aqi-twice"
    assert hourly["enforce_parameter_schema"]
    assert hourly["global_concurrency_limit"]["limit"] == 1
    assert hourly["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert one.one("backfill")["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert one.one("silver")["global_concurrency_limit"] is None
    assert {name: schedules(item) for name, item in found.items() if item["schedules"]} == {
        "aqi-hourly-twice": {"hourly": ("0 * * * *", ICT, True)},
        "aqi-maintenance-twice": {"weekly": ("30 3 * * 0", ICT, True)},
    }
    pool = one.server.call("GET", "/work_pools/aqi-twice")
    assert (pool["type"], pool["concurrency_limit"]) == ("process", None)
    assert "working_dir" in pool["base_job_template"]["variables"]["properties"]

    assert one.deploy("--all", "--prune") == []
    assert one.process("--all").stdout == "Nothing to do.\n"
    assert one.found().keys() == found.keys()
    assert [item["updated"] for item in one.found().values()] == [item["updated"] for item in found.values()]


def test_what_an_operator_did_stays(operator: MakeOperator) -> None:
    """Paused, switched off: stays. Scheduled by hand: goes. Renamed: the old one is left until it is pruned."""
    one = operator("kept")
    one.deploy("--all")
    hourly, weekly = one.one("hourly"), one.one("maintenance")
    one.server.call("PATCH", f"/deployments/{hourly['id']}", {"paused": True})
    off = f"/deployments/{weekly['id']}/schedules/{weekly['schedules'][0]['id']}"
    one.server.call("PATCH", off, {"active": False})
    foreign = [
        {"schedule": {"cron": "5 * * * *", "timezone": "UTC"}, "active": True},
        {"schedule": {"interval": 3600}, "active": True, "slug": "mine"},
    ]
    for item in foreign:
        one.server.call("POST", f"/deployments/{hourly['id']}/schedules", [item])
    assert one.deploy("--all") == [("remove schedule", "materialize/aqi-hourly-kept")] * 2
    assert one.deploy("--all") == []

    one.settings["deployments"] = {
        "hourly": {"description": "Other words.", "schedules": {"hourly": {"cron": "30 * * * *"}}},
        "maintenance": {"schedules": {"weekly": {"cron": "0 4 * * 0"}, "extra": {"cron": "0 5 * * 3"}}},
        "gold": None,
        "golden": {"flow": "materialize", "parameters": {"selection": "layer:gold", "partitions": "last:2"}},
    }
    told = one.lines("--all", "--dry-run")
    words = "'Today, the days that the provider still revises, and what a gap left missing.'"
    assert one.lines("--all") == told
    unwrapped = re.sub("\n {20,}", " ", "\n".join(told)).splitlines()
    assert [re.split(" {2,}", line) for line in unwrapped] == [
        ["change", "of", "schedule", "how"],
        ["change schedule", "maintenance/aqi-maintenance-kept", "weekly", "cron '30 3 * * 0' → '0 4 * * 0'"],
        ["add schedule", "maintenance/aqi-maintenance-kept", "extra", "0 5 * * 3 UTC"],
        ["create", "materialize/aqi-golden-kept"],
        ["update", "materialize/aqi-hourly-kept", f"description {words} → 'Other words.'"],
        ["change schedule", "materialize/aqi-hourly-kept", "hourly", "cron '0 * * * *' → '30 * * * *'"],
        ["leave", "materialize/aqi-gold-kept", "no longer declared, --all --prune retires it"],
    ]
    assert one.deploy("--all") == [("leave", "materialize/aqi-gold-kept")]
    assert one.one("hourly")["paused"]
    assert one.one("hourly")["description"] == "Other words."
    assert schedules(one.one("hourly")) == {"hourly": ("30 * * * *", ICT, True)}
    assert schedules(one.one("maintenance")) == {
        "weekly": ("0 4 * * 0", ICT, False),
        "extra": ("0 5 * * 3", "UTC", True),
    }
    assert one.one("hourly")["id"] == hourly["id"]

    assert one.deploy("golden") == []
    assert one.deploy("--all", "--prune") == [("retire", "materialize/aqi-gold-kept")]
    assert set(one.found()) == {f"aqi-{name}-kept" for name in (NAMES - {"gold"}) | {"golden"}}
    assert one.deploy("--all", "--prune") == []


def test_limits_and_parameters_are_converged(operator: MakeOperator) -> None:
    one = operator("limits")
    one.settings["deploy"] = {"pools": {"aqi": {"limit": 2}, "heavy": {"limit": 1}}}
    one.settings["deployments"] = {"backfill": {"pool": "heavy"}}
    assert one.deploy("backfill", "silver")[:2] == [("create pool", "aqi-limits"), ("create pool", "heavy-limits")]
    assert one.one("backfill")["work_pool_name"] == "heavy-limits"
    assert one.limit("aqi-limits") == 2
    assert one.limit("heavy-limits") == 1

    one.settings["deploy"] = {"pools": {"aqi": {"limit": None}}}
    one.settings["deployments"] = {
        "backfill": {"overlap": None, "pool": None},
        "silver": {"overlap": {"limit": 3, "on_collision": "queue"}, "parameters": {"locations": ["hanoi"]}},
    }
    [pool, backfill, silver] = one.changes("silver", "backfill")
    assert pool["fields"] == [{"field": "limit", "old": 2, "new": None}]
    assert backfill["fields"] == [
        {"field": "pool", "old": "heavy-limits", "new": "aqi-limits"},
        {"field": "limit", "old": 1, "new": None},
        {"field": "collision", "old": "ENQUEUE", "new": None},
    ]
    assert silver["fields"] == [
        {"field": "parameters.locations", "old": None, "new": ["hanoi"]},
        {"field": "limit", "old": None, "new": 3},
        {"field": "collision", "old": None, "new": "ENQUEUE"},
    ]
    assert one.changes("silver", "backfill") == []
    assert one.limit("aqi-limits") is None
    assert one.limit("heavy-limits") == 1


def test_two_environments_do_not_touch_each_other(operator: MakeOperator) -> None:
    dev, default = operator("dev"), operator("default")
    dev.deploy("--all")
    before = dev.found()
    default.settings["deploy"] = {"environment": ""}
    assert ("create", "materialize/aqi-hourly") in default.deploy("--all", "--prune")
    default.settings["deployments"] = {"silver": None}
    assert default.deploy("--all", "--prune") == [("retire", "materialize/aqi-silver")]
    assert dev.found() == before
    assert dev.deploy("--all", "--prune") == []
    assert set(default.found()) == {f"aqi-{name}" for name in NAMES - {"silver"}}
    default.settings["deployments"] = {"silver-dev": {"flow": "materialize"}}
    assert "belongs to the environment 'dev'" in default.refusal("--all")


def test_wrong_declarations_change_nothing(operator: MakeOperator) -> None:
    one = operator("wrong")
    for declared, place in (
        (
            {"silver": {"parameters": {"partition": "last:2"}}},
            "deployments.silver.parameters: materialize: there is no",
        ),
        ({"hourly": {"schedules": {"hourly": {"cron": "99 * * * *"}}}}, "deployments.hourly.schedules.hourly.cron"),
    ):
        one.settings["deployments"] = declared
        assert place in one.refusal("--all")
        assert not one.found()
    one.settings.pop("deployments")
    assert "Did you mean 'hourly'?" in one.refusal("hurly")
    assert "--all" in one.refusal()
    assert "--prune" in one.refusal("hourly", "--prune")
    assert not one.found()


def test_a_server_that_is_not_there_or_not_one(operator: MakeOperator) -> None:
    one = operator("away")
    key = "pnu_do_not_show_this"
    said = one.refusal("hourly", PREFECT_API_URL="http://u:pass-word@127.0.0.1:9/api", PREFECT_API_KEY=key)
    assert "http://127.0.0.1:9/api does not answer" in said
    assert key not in said
    assert "pass-word" not in said
    assert "prefect server start" in one.refusal("hourly", PREFECT_API_URL="")
    root = one.server.api_url.removesuffix("/api")
    assert f"Did you mean {one.server.api_url}?" in one.refusal("hourly", PREFECT_API_URL=root)


class Refuses(BaseHTTPRequestHandler):
    """Answers every request with 401 and what it was sent, as some gateways do."""

    def do_POST(self) -> None:
        self.send_response(401)
        self.end_headers()
        self.wfile.write(json.dumps({"detail": str(self.headers)}).encode())

    do_GET = do_POST

    def log_message(self, *_: Any) -> None: ...


def test_a_key_that_is_refused_is_not_shown(operator: MakeOperator) -> None:
    one = operator("refused")
    key = "pnu_do_not_show_this"
    gateway = ThreadingHTTPServer(("127.0.0.1", 0), Refuses)
    threading.Thread(target=gateway.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{gateway.server_port}/api"
        said = one.refusal("hourly", PREFECT_API_URL=url, PREFECT_API_KEY=key)
    finally:
        gateway.shutdown()
        gateway.server_close()
    assert "refuses the key (401)" in said
    assert key not in said
