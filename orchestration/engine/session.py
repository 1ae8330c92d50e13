"""The one Spark session of a run: started when it is wanted, stopped with the run."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from orchestration.core.errors import CommitConflict, LakehouseError, WarehouseError
from orchestration.engine.exclusive import RunListener, log_folder
from orchestration.engine.steps import explain
from orchestration.engine.workspace import Workspace
from resources.delta.warehouse import is_conflict
from resources.settings.load import Settings
from resources.spark.driver import (
    SparkDriver,
    check_java,
    check_java_libraries,
    is_submitted,
    spark_archive,
    spark_conf,
)
from resources.spark.on_yarn import check_cluster, check_master, yarn_conf

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class SparkProvider(Protocol):
    """Gives a Spark session for a run; tests give one that is shared."""

    def start(self) -> SparkSession: ...

    @property
    def application_id(self) -> str: ...

    def cancel(self) -> None: ...

    def stop(self) -> None: ...


MakeSpark = Callable[[str, int, list[int]], SparkProvider]
"""(run id, rows expected of the largest step, files to inherit) → provider."""


class Session:
    """The session of a run: started when it is told to, or when it is wanted."""

    def __init__(self, driver: SparkProvider, pool: ThreadPoolExecutor) -> None:
        self._driver = driver
        self._pool = pool
        self._lock = threading.Lock()
        self._started: Future[SparkSession] | None = None

    def begin(self) -> Future[SparkSession]:
        """Start it, if nobody has."""
        with self._lock:
            if self._started is None:
                self._started = self._pool.submit(self._driver.start)
            return self._started

    def get(self) -> SparkSession:
        """Wait until it is ready."""
        return self.begin().result()

    def settle(self) -> None:
        """Wait for a session that is still starting: only what has started can be stopped."""
        if self._started is not None:
            with contextlib.suppress(Exception):
                self._started.result()


@contextlib.contextmanager
def spark_session(
    workspace: Workspace,
    run_id: str,
    rows_expected: int,
    inherited: list[int],
    listener: RunListener,
    make_spark: MakeSpark | None = None,
) -> Iterator[SparkSession]:
    """A session for what is no materialization: started at the beginning of the block, stopped at its end.

    rows_expected, inherited: see ``MakeSpark``. Raises EnvironmentError_ before anything is started.
    """
    check_master(workspace.settings)
    if make_spark is None:
        check_spark(workspace)
        make_spark = own_driver(workspace.settings, workspace.warehouse.uri, listener)
    driver = make_spark(run_id, rows_expected, inherited)
    listener.starting("Spark")
    try:
        yield driver.start()
    except Exception as error:
        driver.cancel()
        if isinstance(error, LakehouseError):
            raise
        kind = CommitConflict if is_conflict(error) else WarehouseError
        raise kind(explain(error), "Call the same command again; nothing is half-done.") from error
    except BaseException:
        driver.cancel()
        raise
    finally:
        driver.stop()


def check_spark(workspace: Workspace) -> None:
    """Raises EnvironmentError_ where this machine, or the cluster, cannot give a session."""
    if not is_submitted():
        check_java()
        check_java_libraries()
        if workspace.settings.on_yarn:
            check_cluster(workspace.settings, workspace.warehouse.uri)


def own_driver(settings: Settings, warehouse: str, listener: RunListener) -> MakeSpark:
    def make(run_id: str, rows_expected: int, inherited: list[int]) -> SparkProvider:
        on_yarn = None
        if settings.on_yarn and not is_submitted():
            on_yarn = yarn_conf(settings, run_id, warehouse, spark_archive(settings, warehouse, listener.starting))
        conf = spark_conf(settings, run_id, rows_expected, on_yarn)
        return SparkDriver(conf, log_folder() / f"{run_id}-spark.log", inherited)

    return make
