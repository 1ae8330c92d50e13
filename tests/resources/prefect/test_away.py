"""The end of a run waits for the server that is to be told of it."""

from __future__ import annotations

import threading
import time

from resources.machine.ports import free_ports
from resources.prefect.away import wait_for_server
from tests.support.prefect_stub import PrefectStub, listening, of_prefect


def test_a_server_that_answers_is_not_waited_for() -> None:
    told: list[str] = []
    with listening(PrefectStub(of_prefect())) as server:
        assert wait_for_server(server.url, told.append)
    assert told == []


def test_one_that_stays_away_is_waited_for_within_a_bound() -> None:
    told: list[str] = []
    (port,) = free_ports(1)
    began = time.monotonic()
    assert not wait_for_server(f"http://ann:s3cret@127.0.0.1:{port}/api", told.append, 0.2, 0.05)
    assert time.monotonic() - began < 5
    (line,) = told
    assert line.startswith(f"Prefect's server at http://127.0.0.1:{port}/api is away; the work is done, and waits")


def test_one_that_comes_back_is_told_of() -> None:
    told: list[str] = []
    stub = PrefectStub(of_prefect(), status=503)  # as of a proxy before it
    with listening(stub) as server:
        threading.Timer(0.2, setattr, (stub, "status", 200)).start()
        assert wait_for_server(server.url, told.append, 30, 0.05)
    assert [line.rpartition(" ")[2] for line in told] == ["it.", "again."]
