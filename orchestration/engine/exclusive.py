"""What a run holds while it changes a warehouse: its own id, and on a local warehouse the lock."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from orchestration.core.calendar import iso
from orchestration.core.planning.plan import Plan
from orchestration.engine.flow import Listener
from orchestration.engine.workspace import Workspace
from resources.hadoop.configuration import HadoopConf
from resources.hadoop.resource_manager import ResourceManager
from resources.machine.state_folder import state_folder
from resources.spark.driver import is_submitted
from resources.spark.on_yarn import end_orphans
from resources.storage.lock import WarehouseLock


class RunListener(Listener, Protocol):
    """Is told about the progress of a run."""

    def waiting(self, holder: str) -> None: ...

    def planned(self, plan: Plan) -> None: ...

    def starting(self, what: str) -> None: ...

    def warned(self, message: str) -> None: ...

    def orphan_ended(self, message: str) -> None: ...


def log_folder() -> Path:
    """The folder for the output of JVMs and of this project's own Prefect server."""
    return state_folder() / "logs"


def new_run_id() -> str:
    """A short unique id of a run. Ids sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"


@contextlib.contextmanager
def locked(workspace: Workspace, run_id: str, listener: RunListener) -> Iterator[list[int]]:
    """Holds the lock of a local warehouse. Gives the open files that a driver JVM must inherit, so that the lock lasts
    as long as the JVM.

    A warehouse on HDFS has no lock. There, applications of dead runs are ended on YARN, and Delta refuses the later one
    of two conflicting commits.
    """
    folder = workspace.warehouse.folder
    if folder is None:
        if workspace.settings.on_yarn and not is_submitted():
            end_orphans(ResourceManager(HadoopConf.load()), workspace.warehouse.uri, listener.orphan_ended)
        yield []
        return
    wait = workspace.settings.warehouse.lock_wait_seconds
    with WarehouseLock(folder, run_id, iso(datetime.now(UTC)), wait, listener.waiting, listener.orphan_ended) as lock:
        yield [lock.fd]
