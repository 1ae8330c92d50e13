"""The session of a run: its one engine, started when it is needed and stopped at the end of the run."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from orchestration.core.errors import CommitConflict, ConfigurationError, LakehouseError, WarehouseError
from orchestration.core.planning.plan import Step
from orchestration.core.runs.profile import Phase
from orchestration.engine.engines.embedded import BYTES_A_ROW, EmbeddedEngine
from orchestration.engine.engines.engine import Engine, MakeEngine
from orchestration.engine.engines.spark import SparkEngine, rows_at_once
from orchestration.engine.engines.spark_child import SparkChild
from orchestration.engine.exclusive import RunListener, log_folder
from orchestration.engine.profiling import Spans
from orchestration.engine.steps import ROWS_A_PARTITION, explain
from orchestration.engine.workspace import Workspace
from resources.delta.warehouse import Warehouse, is_conflict
from resources.embedded.process import EmbeddedProcess, check_installed
from resources.hadoop.configuration import HadoopConf
from resources.hadoop.resource_manager import ResourceManager
from resources.machine.interrupts import first_on_interrupt
from resources.machine.memory import economize
from resources.settings.load import Settings
from resources.settings.memory import bytes_of
from resources.settings.spark_values import VALUE_SETTINGS
from resources.spark.checks import check_submitted
from resources.spark.driver import (
    SparkDriver,
    check_java_libraries,
    is_submitted,
    spark_archive,
    spark_conf,
    submitted_conf,
)
from resources.spark.java import check_java
from resources.spark.on_yarn import check_cluster, check_master, run_tag, yarn_conf
from resources.spark.queue_wait import QueueWait


class Session:
    """The engine of a run. spans: measures its start, and who waits for it."""

    def __init__(self, engine: Engine, pool: ThreadPoolExecutor, spans: Spans) -> None:
        self._engine = engine
        self._pool = pool
        self._spans = spans
        self._lock = threading.Lock()
        self._started: Future[None] | None = None

    def begin(self) -> Future[None]:
        """Start the engine, unless it was started already."""
        with self._lock:
            if self._started is None:
                self._started = self._pool.submit(self._spans.timed(Phase.SESSION, self._engine.start))
            return self._started

    def get(self) -> Engine:
        """The engine, once it is ready."""
        started = self.begin()
        if not started.done():
            with self._spans.span(Phase.SESSION):
                started.result()
        started.result()
        return self._engine

    def settle(self) -> None:
        """Wait for an engine that is still starting, since only a started engine can be stopped."""
        if self._started is not None:
            with contextlib.suppress(Exception):
                self._started.result()


@contextlib.contextmanager
def engine_session(
    workspace: Workspace,
    run_id: str,
    rows_expected: int,
    inherited: list[int],
    listener: RunListener,
    make_engine: MakeEngine | None = None,
) -> Iterator[Engine]:
    """An engine for work that is no materialization, started at the beginning of the block and stopped at its end.

    rows_expected, inherited: see ``MakeEngine``. Raises MachineError before anything is started.
    """
    check_master(workspace.settings)
    economize()
    if make_engine is None:
        check_engine(workspace)
        make_engine = own_engine(workspace.settings, listener)
    engine = make_engine(workspace.warehouse, run_id, rows_expected, inherited)
    listener.starting(ENGINE_TITLES[engine.name])
    try:
        with first_on_interrupt(engine.cancel):
            engine.start()
            yield engine
    except Exception as error:
        engine.cancel()
        if isinstance(error, LakehouseError):
            raise
        kind = CommitConflict if is_conflict(error) else WarehouseError
        raise kind(explain(error), "Ask for the same days again; nothing is half-done.") from error
    except BaseException:
        engine.cancel()
        raise
    finally:
        engine.stop()


ENGINE_TITLES = {"spark": "Spark", "embedded": "the embedded engine"}


def check_engine(workspace: Workspace, steps: Sequence[Step] = ()) -> None:
    """Raises UsageError if the machine, the cluster or the configured memory is not enough.

    steps: the steps to be run; some assets may need Spark.
    """
    settings = workspace.settings
    check_memory(settings, max((len(step.all_partitions.locations) for step in steps), default=0))
    if settings.engine == "embedded":
        check_installed()
        if any(workspace.catalog[step.asset].engine == "spark" for step in steps):
            check_java()
            check_java_libraries()
    elif is_submitted():
        check_submitted()
    else:
        check_java()
        check_java_libraries()
        if settings.on_yarn:
            check_cluster(settings, workspace.warehouse.uri)


def check_memory(settings: Settings, locations: int) -> None:
    """Raises ConfigurationError if the memory is not enough for one day of this many locations, the smallest batch."""
    key, memory, most = _room(settings)
    rows = locations * ROWS_A_PARTITION
    if rows > most:
        enough = -(-rows * (bytes_of(memory) // most) >> 20)
        raise ConfigurationError(
            f"a day of {locations} locations is {rows} rows, and {key} ({memory}) has room for {most}",
            f"Set {key} to {enough}m or more, or make fewer locations at once (--locations).",
        )


def _room(settings: Settings) -> tuple[str, str, int]:
    """The setting that limits how much is made at once, its value, and for how many rows it is enough."""
    if settings.engine == "embedded":
        return "embedded.memory", settings.embedded.memory, settings.embedded.memory_bytes // BYTES_A_ROW
    driver, executor = settings.spark.driver_memory, settings.yarn.executor_memory
    of_driver = settings.heap_bytes == bytes_of(driver)
    key, memory = ("spark.driver_memory", driver) if of_driver else ("yarn.executor_memory", executor)
    return key, memory, rows_at_once(settings.heap_bytes)


def own_engine(settings: Settings, listener: RunListener) -> MakeEngine:
    """Gives a function that makes the engine named in the settings."""

    def spark(warehouse: Warehouse, run_id: str, rows_expected: int, inherited: list[int]) -> Engine:
        queue = None
        if is_submitted():
            conf = submitted_conf(settings, run_id, rows_expected)
        else:
            on_yarn = None
            if settings.on_yarn:
                manager, yarn = ResourceManager(HadoopConf.load()), settings.yarn
                seconds = yarn.queue_wait_seconds
                queue = QueueWait(manager, run_tag(run_id), yarn.queue, seconds, listener.warned)
                archive = spark_archive(settings, warehouse.uri, listener.starting)
                on_yarn = yarn_conf(settings, run_id, warehouse.uri, archive)
            conf = spark_conf(settings, run_id, rows_expected, on_yarn)
        cluster = settings.on_yarn or warehouse.folder is None
        log = log_folder() / f"{run_id}-spark.log"
        driver = SparkDriver(conf, log, inherited, cluster=cluster, queue=queue)
        return SparkEngine(warehouse, driver, rows_at_once(settings.heap_bytes))

    def embedded(warehouse: Warehouse, run_id: str, rows_expected: int, inherited: list[int]) -> Engine:
        assert warehouse.folder is not None, "settings were validated"
        process = EmbeddedProcess(
            warehouse.folder,
            settings.embedded.memory_bytes,
            settings.embedded.memory,
            settings.embedded.timeout_seconds,
            VALUE_SETTINGS,
            log_folder() / f"{run_id}-embedded.log",
        )

        def on_spark() -> SparkChild:
            listener.warned('Spark is started for what is declared with engine="spark"')
            return SparkChild(spark_conf(settings, run_id, rows_expected), log_folder() / f"{run_id}-spark.log")

        return EmbeddedEngine(warehouse, process, on_spark)

    return embedded if settings.engine == "embedded" else spark
