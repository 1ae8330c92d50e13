"""A task's upstream that may complete, fail or be skipped: in each case the task goes on.

Prefect lets a task go on after a failed one where that is allowed (``allow_failure``), but never after a Cancelled one.
Skipped tasks are Cancelled: beside Completed and Failed, only this type of state is shown as an intended end on
Prefect's pages.
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
    """An item for a task's ``wait_for``: the task goes on when ``future`` has completed, failed or was skipped.

    It does not go on after a task that crashed: nobody knows what the crashed task did.
    """
    return allow_failure(_Upstream(future))


class _Upstream(PrefectFuture[Any]):
    """The future of an upstream task, for a task that waits for it. It shows the state Cancelled as Failed."""

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
