"""Which runs lose their slot, on a server that is told here; the real one is in tests/service/prefect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from resources.prefect.leases import MEMORY, ON_DISK, SETTING, lease_storage, leases_in_words
from resources.prefect.slots import WAITS_FOR_OTHERS, Bounds, Restarted, free_slots

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
BOUNDS = Bounds(timedelta(seconds=300), {"aqi-backfill": timedelta(hours=1)})
MINE = "pool here"


class Server:
    """One run of one deployment in a pool. workers: names of those that are online. moves: the run goes on by itself
    between two looks."""

    page = 200

    def __init__(self, state: str, age: float, *workers: str, moves: bool = False) -> None:
        self.since, self.workers, self.moves = NOW - timedelta(seconds=age), workers, moves
        kind = "SCHEDULED" if state == WAITS_FOR_OTHERS else state
        self.state = {"id": "1", "type": kind, "name": state, "timestamp": self.since.isoformat()}
        self.run = {"id": "run-1", "name": "quick-fox", "work_pool_name": "pool", "deployment_id": "d"}
        self.became: dict[str, str] = {}

    def all(self, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        assert path == "/flow_runs/filter"
        wanted = body["flow_runs"]["state"]
        there = self.state["type"] in wanted.get("type", {}).get("any_", []) or self.state["name"] in wanted.get(
            "name", {}
        ).get("any_", [])
        return [{**self.run, "state": self.state}] if there else []

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        if path == "/work_pools/pool/workers/filter":
            return [{"name": name, "status": "ONLINE"} for name in self.workers]
        if path == "/flow_runs/run-1":
            return {"state": {**self.state, "id": "2" if self.moves else "1"}}
        if path == "/flow_runs/run-1/set_state":
            self.became = body["state"]
            return {"status": "ACCEPT"}
        if path == "/deployments/d":
            return {"name": "aqi-backfill"}
        assert path == "/flow_run_states/?flow_run_id=run-1"
        return [{"name": WAITS_FOR_OTHERS, "type": "SCHEDULED", "timestamp": self.since.isoformat()}]


def freed(server: Any, restarted: Restarted | None = None) -> str:
    told = free_slots(server, ["aqi"], NOW, BOUNDS, "aqi watch", restarted=restarted)
    assert bool(told) == bool(server.became)
    return str(server.became.get("type", ""))


@pytest.mark.parametrize(
    ("state", "age", "workers", "becomes"),
    [
        ("PENDING", 299, ["pool there"], ""),
        ("PENDING", 300, ["pool there"], "CRASHED"),
        ("PENDING", 29, [], ""),
        ("PENDING", 30, [], "CRASHED"),
        ("CANCELLING", 299, ["pool there"], ""),
        ("CANCELLING", 300, ["pool there"], "CANCELLED"),
        ("RUNNING", 9999, [], ""),
        (WAITS_FOR_OTHERS, 3599, [], ""),
        (WAITS_FOR_OTHERS, 3600, [], "CANCELLED"),
    ],
)
def test_who_loses_a_slot(state: str, age: float, workers: list[str], becomes: str) -> None:
    assert freed(Server(state, age, *workers)) == becomes


def test_what_a_worker_took_that_was_started_again_is_nobodys() -> None:
    since_an_hour = Restarted(MINE, NOW - timedelta(hours=1))
    just_now = Restarted(MINE, NOW)
    assert freed(Server("PENDING", 60, MINE), just_now) == "CRASHED"
    assert freed(Server("PENDING", 60, MINE), since_an_hour) == ""  # its own
    assert freed(Server("PENDING", 60, MINE, "pool there"), just_now) == ""  # perhaps the other's


def test_a_run_that_goes_on_meanwhile_is_left_alone() -> None:
    assert freed(Server("PENDING", 999, moves=True)) == ""


def test_it_says_what_and_why() -> None:
    server: Any = Server("PENDING", 400, "pool there")
    (told,) = free_slots(server, ["aqi"], NOW, BOUNDS, "aqi watch")
    assert told == (
        "run quick-fox (run-1): taken by a worker at 2026-01-01 11:53 UTC, it never began: nothing was heard of it for "
        "400 s; aqi watch freed its slot"
    )


class Settings:
    def __init__(self, found: Any) -> None:
        self._found = found

    def ask(self, method: str, path: str) -> Any:
        assert (method, path) == ("GET", "/admin/settings")
        return self._found


def test_where_leases_are() -> None:
    server: Any = Settings({"server": {"concurrency": {"lease_storage": MEMORY}}})
    assert f"start the server with {SETTING}={ON_DISK}" in leases_in_words(lease_storage(server))
    assert leases_in_words(ON_DISK) == f"kept by {ON_DISK}"
    nothing: Any = Settings({"server": {}})
    assert leases_in_words(lease_storage(nothing)) == "the server does not tell where it keeps them"


def test_a_run_that_is_tried_again_waits_from_then() -> None:
    def state(minutes: int, kind: str, name: str) -> dict[str, str]:
        return {"timestamp": (NOW - timedelta(minutes=minutes)).isoformat(), "type": kind, "name": name}

    waits, begun = ("SCHEDULED", WAITS_FOR_OTHERS), ("RUNNING", "Running")
    states = [state(90, *waits), state(80, *waits), state(70, *begun), state(65, "CRASHED", "Crashed")]
    states += [state(20, "SCHEDULED", "Scheduled"), state(10, *waits), state(5, *waits)]
    server: Any = Server(WAITS_FOR_OTHERS, 60)
    ask = server.ask
    server.ask = lambda method, path, body=None: states if "states" in path else ask(method, path, body)
    assert freed(server) == ""
    server.state["timestamp"] = states[0]["timestamp"]
    states[:] = states[:2]
    assert freed(server) == "CANCELLED"


def test_a_run_that_gets_its_slot_between_two_questions_is_left_alone() -> None:
    server: Any = Server(WAITS_FOR_OTHERS, 9999)
    taken = {"timestamp": NOW.isoformat(), "type": "PENDING", "name": "Pending"}
    ask = server.ask

    def moved_on(method: str, path: str, body: Any = None) -> Any:
        found = ask(method, path, body)
        return [*found, taken] if "states" in path else found

    server.ask = moved_on
    assert freed(server) == ""
