"""Outages of Prefect's server: afterwards, a worker or run goes on asking whether a run is to be cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

OBSERVERS = ("prefect.FlowRunCancellingObserver", "prefect.FlowRunSuspendingObserver")


def outlive_outages() -> None:
    """Let a worker, or a run, hear of cancellations after an outage of any length.

    Prefect listens to the server's events, and polls every ten seconds once that connection is lost. If three polls in
    a row fail, the process never polls again, and *Cancel* on Prefect's pages does nothing.
    """
    from prefect._internal import observers

    setattr(observers, "critical_service_loop", _again_and_again)  # noqa: B010  # the loop that polls
    for name in OBSERVERS:
        logger = logging.getLogger(name)
        if _without_stack not in logger.filters:
            logger.addFilter(_without_stack)


async def _again_and_again(workload: Callable[[], Awaitable[object]], interval: float, **_options: object) -> None:
    """Poll for ever, in place of Prefect's ``critical_service_loop``. Whoever started the loop cancels it. A cancelled
    loop returns without an exception: Prefect asks for the exception of the task, and would log it with a stack."""
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            with contextlib.suppress(Exception):
                await workload()
            await asyncio.sleep(interval)


def _without_stack(record: logging.LogRecord) -> bool:
    """Log a lost connection as one line, without the stack through Prefect's code."""
    record.exc_info, record.exc_text = None, None
    return True
