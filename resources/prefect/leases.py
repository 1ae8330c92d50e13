"""The lease of a deployed run's slot: the run renews it while the server knows the lease, and goes on without it.

A deployment with a limit gives each run a slot, and a lease that the run renews. By default the server keeps leases
in memory: a restart loses them. The slots are in the server's database: they stay taken until their runs end. A lease
on disk expires if the server is away for longer than the lease lasts. Prefect's engine cancels a run whose lease
cannot be renewed. Our runs go on: they do not need the lease, as the warehouse keeps two runs apart.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resources.prefect.client import PrefectApi

RENEWER = "maintain_concurrency_lease"
GONE = 410
AGAIN_SECONDS = 10.0
"""The time between two attempts to renew a lease while the server does not answer."""
MEMORY = "prefect.server.concurrency.lease_storage.memory"
ON_DISK = "prefect.server.concurrency.lease_storage.filesystem"
SETTING = "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"
LOST = (
    "Prefect's server no longer knows the lease of this run's slot: it was started again, or was away for long. "
    "The run goes on; the warehouse keeps others out."
)


def lease_storage(api: PrefectApi) -> str:
    """The module in which a server keeps its leases; empty where the server does not say. Raises httpx's errors."""
    found = api.ask("GET", "/admin/settings")
    return str(((found.get("server") or {}).get("concurrency") or {}).get("lease_storage") or "")


def leases_in_words(storage: str) -> str:
    """A sentence for people: where the leases are, what follows from that, and what to set."""
    if storage == MEMORY:
        return (
            "in the server's memory: lost when it is started again. Runs go on all the same, and worker and watch free "
            f"the slot of one that never began. To keep them, start the server with {SETTING}={ON_DISK}"
        )
    return f"kept by {storage}" if storage else "the server does not tell where it keeps them"


def outlive_leases() -> None:
    """From now on, flow runs of this process go on when they lose their lease."""
    from prefect import flow_engine

    setattr(flow_engine, RENEWER, kept_lease)


@contextlib.contextmanager
def kept_lease(lease_id: Any, lease_duration: float, **_options: Any) -> Iterator[None]:
    """Renew a lease in a thread until the end of the block. It replaces Prefect's ``maintain_concurrency_lease``."""
    from prefect.concurrency import _leases

    ended, context = threading.Event(), contextvars.copy_context()
    every = lease_duration * _leases._RENEWAL_FRACTION
    renewing = threading.Thread(
        target=context.run, args=(_renew, lease_id, lease_duration, every, ended), daemon=True, name="slot-lease"
    )
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join(timeout=2)


def _renew(lease_id: Any, lasts: float, every: float, ended: threading.Event) -> None:
    from httpx import HTTPStatusError
    from prefect.client.orchestration import get_client

    say = _say()
    away = False
    with get_client(sync_client=True) as client:
        while not ended.is_set():
            pause = every
            try:
                client.renew_concurrency_lease(lease_id=lease_id, lease_duration=lasts)
            except Exception as error:  # the run goes on after any error  # noqa: BLE001
                if isinstance(error, HTTPStatusError) and error.response.status_code == GONE:
                    say(LOST)
                    return
                if not away:
                    say(f"Prefect's server does not answer ({type(error).__name__}); the run goes on.")
                away, pause = True, min(every, AGAIN_SECONDS)
            else:
                if away:
                    say("Prefect's server answers again.")
                away = False
            ended.wait(pause)


def _say() -> Callable[[str], None]:
    from prefect import get_run_logger

    try:
        return get_run_logger().warning
    except Exception:  # the run has no context  # noqa: BLE001
        return logging.getLogger(__name__).warning
