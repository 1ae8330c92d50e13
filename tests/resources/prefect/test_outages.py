"""Cancellations are heard of after Prefect's server was away for longer than Prefect has patience."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect._internal import observers

from resources.prefect.outages import OBSERVERS, outlive_outages


class Away:
    """A client of a server that is away for some questions, and then knows of a run that is to be cancelled."""

    def __init__(self, run: UUID, failures: int) -> None:
        self.run, self.left = run, failures

    async def read_flow_runs(self, **_: Any) -> list[Any]:
        if self.left:
            self.left -= 1
            raise httpx.ConnectError("Connection refused")
        return [type("Run", (), {"id": self.run})()]


@pytest.fixture
def _patched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observers, "critical_service_loop", observers.critical_service_loop)
    outlive_outages()


@pytest.mark.usefixtures("_patched")
def test_a_run_is_cancelled_after_an_outage_of_any_length(caplog: pytest.LogCaptureFixture) -> None:
    run, heard = uuid4(), asyncio.Event()

    async def listen() -> None:
        observer = observers.FlowRunCancellingObserver(lambda _: heard.set(), polling_interval=0.001)
        observer._client = Away(run, failures=20)
        observer.add_in_flight_flow_run_id(run)
        lost = asyncio.ensure_future(_lost())
        await asyncio.wait([lost])
        observer._start_polling_task(lost)
        try:
            await asyncio.wait_for(heard.wait(), 5)
        finally:
            assert observer._polling_task is not None
            observer._polling_task.cancel()
            await asyncio.wait([observer._polling_task])
            assert not observer._polling_task.cancelled(), "which Prefect would tell with a stack"

    with caplog.at_level(logging.WARNING):
        asyncio.run(listen())
    assert all(record.exc_info is None for record in caplog.records if record.name in OBSERVERS)


async def _lost() -> None:
    raise ConnectionRefusedError(111, "Connect call failed")
