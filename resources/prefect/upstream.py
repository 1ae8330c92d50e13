"""A task that waits for others, also for those that were skipped.

Prefect lets a task go on after one that failed, where that is allowed (``allow_failure``), but never after one that is
Cancelled: which is the only type of state, beside Completed and Failed, that its pages show as ended by intention.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from prefect import allow_failure
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Failed


def upstream(future: PrefectFuture[Any]) -> Any:
    """What a task has in its ``wait_for`` that goes on when ``future`` has completed, failed or was skipped.

    After one that crashed it does not go on: nobody knows what that one did.
    """
    return allow_failure(_Upstream(future))


class _Upstream(PrefectFuture[Any]):
    """A task's future, for one that waits for it: whose state is Failed where it is Cancelled."""

    def __init__(self, future: PrefectFuture[Any]) -> None:
        self._future = future

    @property
    def task_run_id(self) -> uuid.UUID:
        return self._future.task_run_id

    @property
    def state(self) -> State[Any]:
        found = self._future.state
        return Failed(message=found.message, state_details=found.state_details) if found.is_cancelled() else found

    def wait(self, timeout: float | None = None) -> None:
        self._future.wait(timeout)

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> Any:
        return self._future.result(timeout, raise_on_failure)

    def add_done_callback(self, fn: Callable[[PrefectFuture[Any]], None]) -> None:
        self._future.add_done_callback(lambda _: fn(self))
