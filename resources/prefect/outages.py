"""Prefect's server was away: whether a run is to be cancelled is asked again when it is back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

OBSERVERS = ("prefect.FlowRunCancellingObserver", "prefect.FlowRunSuspendingObserver")


def outlive_outages() -> None:
    """A worker, or a run, hears of cancellations after an outage of any length.

    Prefect listens to the server's events, and asks every ten seconds once that connection is lost. Where three
    questions in a row fail, it asks no more as long as the process lives, and *Cancel* in its pages does nothing.
    """
    from prefect._internal import observers

    setattr(observers, "critical_service_loop", _again_and_again)  # noqa: B010  # what it asks by
    for name in OBSERVERS:
        logger = logging.getLogger(name)
        if _without_stack not in logger.filters:
            logger.addFilter(_without_stack)


async def _again_and_again(workload: Callable[[], Awaitable[object]], interval: float, **_options: object) -> None:
    """As Prefect's loop of that place, without an end of its own: whoever began it cancels it. Cancelled, it just ends:
    Prefect asks for its exception, and that a task was cancelled would be told with a stack."""
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            with contextlib.suppress(Exception):
                await workload()
            await asyncio.sleep(interval)


def _without_stack(record: logging.LogRecord) -> bool:
    """That a connection was lost is a line; the way to it through Prefect's code helps nobody."""
    record.exc_info, record.exc_text = None, None
    return True
