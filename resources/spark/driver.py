"""The Spark session of a run: a driver JVM that is tuned for many small commits, and ends with the run.

With their defaults, 200 and 50, ``shuffle.partitions`` and ``snapshotPartitions`` cost seconds a commit. Adaptive
execution is off: it adds jobs, and finds nothing to adapt in tables of this size.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import distribution, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.core.errors import ConfigurationError, MachineError, QueueFull, RunError
from resources.machine.environment import for_a_jvm
from resources.machine.pinned import check_pinned
from resources.machine.shell import as_environment, own_folders, tidy
from resources.settings.load import Settings
from resources.settings.spark_values import SPARK_VALUE_SETTINGS, UNTRACED, VALUE_SETTINGS
from resources.spark.checks import check_session
from resources.spark.failures import AGAIN, Heaps, is_gone, of_the_jvm, text_of, told_of_memory
from resources.spark.gateway import launched
from resources.spark.java import java_version_text
from resources.spark.on_yarn import JAVA_OPTIONS, archive_uri, ensure_archive, jars_archive, write_jars
from resources.spark.queue_wait import QueueWait

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JARS_FOLDER = Path(sys.prefix) / "java"
ROWS_PER_SHUFFLE_PARTITION = 500_000
JVM_END_SECONDS = 20
"""A JVM may take this long to end after its session was stopped; then it is killed."""
DEATH_SECONDS = 3
"""After the connection to a JVM was lost, the JVM may take this long to end, so that its exit status is known."""
LOG_BYTES = 1 << 20
"""This many bytes at the end of a JVM's log are searched for the reason why the JVM ended."""

REDACTED = r"(?i)secret|password|passwd|token|credential|api_?key|access[._]?key|auth_string|://[^/\s]*:[^\s]*@"
"""Spark hides settings and variables whose name or value matches, wherever it shows them, also in its logs on YARN."""
_BASE_CONF: dict[str, str] = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.adaptive.enabled": "false",
    "spark.databricks.delta.snapshotPartitions": "1",
    # A step reads the version that it was planned on, even if that version is a week old and another run commits.
    "spark.databricks.delta.vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration": "false",
    "spark.scheduler.mode": "FAIR",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.redaction.regex": REDACTED,
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # A larger table of Arrow is sent to tasks as it is, and is not put into the plan as rows of Java objects.
    "spark.sql.execution.arrow.localRelationThreshold": "1MB",
    # Spark remembers few of the jobs that are done: the pages that would show them are not served.
    "spark.ui.retainedJobs": "20",
    "spark.ui.retainedStages": "20",
    "spark.ui.retainedTasks": "100",
    "spark.sql.ui.retainedExecutions": "20",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    **UNTRACED,
}


def spark_conf(
    settings: Settings, run_id: str, rows_expected: int, on_yarn: dict[str, str] | None = None
) -> dict[str, str]:
    """The configuration of a run's session: Spark's name of a setting → its value. Raises MachineError where Delta's
    Java libraries are missing.

    rows_expected: the number of rows of the largest step; decides into how many partitions rows are shuffled. on_yarn:
    the further settings of a session on YARN, whose executors get the Java libraries from an archive; None: the session
    runs on this machine.
    """
    jars = check_java_libraries()
    if on_yarn is None:
        place = {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            # A path without a scheme is a file of this machine, even if HADOOP_CONF_DIR names a cluster.
            "spark.hadoop.fs.defaultFS": "file:///",
        }
    else:
        jars, place = [f"local:{jar}" for jar in jars], on_yarn
    return _conf(settings, run_id, rows_expected, {"spark.jars": ",".join(jars), **place})


def submitted_conf(settings: Settings, run_id: str, rows_expected: int) -> dict[str, str]:
    """The configuration of a run's session in a process that spark-submit started. Settings that spark-submit was
    called with override it.

    Has no settings for the addresses of the driver and for the Java libraries: spark-submit sets them.
    """
    return _conf(settings, run_id, rows_expected, {})


def _conf(settings: Settings, run_id: str, rows_expected: int, place: Mapping[str, str]) -> dict[str, str]:
    return {
        **_BASE_CONF,
        "spark.app.name": f"aqi {run_id}",
        "spark.master": settings.spark.master,
        "spark.driver.memory": settings.spark.driver_memory,
        "spark.driver.extraJavaOptions": f"{JAVA_OPTIONS} {_archive_option()}".strip(),
        "spark.sql.shuffle.partitions": str(max(1, rows_expected // ROWS_PER_SHUFFLE_PARTITION)),
        "spark.sql.warehouse.dir": f"{tempfile.gettempdir()}/aqi-spark-warehouse",
        **place,
        **settings.spark.conf,
        **VALUE_SETTINGS,
        **SPARK_VALUE_SETTINGS,
    }


def is_submitted() -> bool:
    """Whether spark-submit started this process. Then its driver JVM runs already."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def check_java_libraries() -> list[str]:
    """The paths of Delta's Java libraries. Raises MachineError where there are none."""
    jars = sorted(str(jar) for jar in JARS_FOLDER.glob("*.jar"))
    if not jars:
        raise MachineError(
            f"Delta's Java libraries are not in {JARS_FOLDER}", "Run `make setup-spark`; it fetches them."
        )
    return jars


def spark_archive(settings: Settings, warehouse: str, say: Callable[[str], None]) -> str:
    """The URI of the archive of Spark's and Delta's jars on the cluster; the archive is uploaded if it is not there.

    warehouse: the URI of the warehouse. say: called with a message before an upload. Raises MachineError.
    """
    uri = spark_archive_uri(settings, warehouse)
    ensure_archive(uri, lambda target: write_jars(_cluster_jars(), target), say)
    return uri


def spark_archive_uri(settings: Settings, warehouse: str) -> str:
    """The URI at which the archive of Spark's and Delta's jars belongs on the cluster."""
    return archive_uri(settings, warehouse, jars_archive(_cluster_jars(), JARS_FOLDER / "archive.json"))


def _cluster_jars() -> list[Path]:
    return [*pyspark_jars(), *(Path(jar) for jar in check_java_libraries())]


def pyspark_jars() -> list[Path]:
    """The jars that come with pyspark, without importing it."""
    return sorted((pyspark_folder() / "jars").glob("*.jar"))


def pyspark_folder() -> Path:
    """The folder of the pyspark that set-up pinned, without importing it. It has a whole Spark in it."""
    return Path(str(distribution("pyspark").locate_file("pyspark")))


def _archive_option() -> str:
    """The option by which a JVM uses the class-data archive; empty where there is none."""
    archive = class_archive()
    return f"-XX:SharedArchiveFile={archive}" if archive.exists() else ""


def class_archive() -> Path:
    """The path of the class-data archive of the driver JVM, which need not exist: `make setup-spark` writes it.

    The archive holds the classes of Spark and Delta, parsed and verified. It fits one Java build, one set of libraries
    and one set of options; its name has a digest of them. A JVM that cannot use the archive starts without it.
    """
    libraries = sorted(jar.name for jar in JARS_FOLDER.glob("*.jar"))
    text = "\n".join([java_version_text(), pyspark_version(), JAVA_OPTIONS, *libraries])
    return JARS_FOLDER / f"classes-{hashlib.sha256(text.encode()).hexdigest()[:12]}.jsa"


def archiving_conf(conf: Mapping[str, str], archive: Path) -> dict[str, str]:
    """``conf`` changed so that the driver JVM writes the class-data archive ``archive`` when it ends."""
    return {**conf, "spark.driver.extraJavaOptions": f"{JAVA_OPTIONS} -XX:ArchiveClassesAtExit={archive}"}


def pyspark_version() -> str:
    """The installed version of pyspark, without importing it."""
    return version("pyspark")


def _heaps(get: Callable[[str, str], str]) -> Heaps:
    """The memory of a session by its configuration. get: (name of a setting, default) → its value."""
    names = ("spark.driver.memory", "spark.executor.memory", "spark.executor.memoryOverhead")
    return Heaps(*(get(name, "") for name in names))


class SparkDriver:
    """A driver JVM and its session.

    conf: the configuration of the session. log: the file for the JVM's own output. inherited_fds: descriptors of open
    files that the JVM inherits, as that of the warehouse's lock. end_seconds: the JVM is killed if it takes longer to
    end. cluster: whether the session uses a cluster or HDFS; if not, the JVM gets no variables about a cluster. queue:
    observes the wait in YARN's queue; None: the session does not wait in one.
    """

    def __init__(
        self,
        conf: Mapping[str, str],
        log: Path,
        inherited_fds: Sequence[int] = (),
        end_seconds: float = JVM_END_SECONDS,
        *,
        cluster: bool = True,
        queue: QueueWait | None = None,
    ) -> None:
        self._cluster = cluster
        self._queue, self._cancelled = queue, False
        self._end_seconds = end_seconds
        self._conf = conf
        self._heaps = _heaps(conf.get)
        self._log = log
        self._inherited_fds = tuple(inherited_fds)
        self._process: Any = None
        self._session: SparkSession | None = None
        self._application_id = ""
        self._log_begins = 0

    def start(self) -> SparkSession:
        """Start the JVM and open the session; takes seconds.

        Raises RunError, which names the JVM's log, where it does not start; QueueFull where YARN's queue has no room;
        MachineError for another pyspark than the pinned one; ConfigurationError as `check_session`.
        """
        tidy()
        if not is_submitted():
            check_pinned("pyspark")
        with as_environment(self._environment()):
            return self._start()

    def _environment(self) -> Mapping[str, str]:
        if is_submitted():
            return os.environ
        home = str(pyspark_folder())
        return for_a_jvm(os.environ, home, sys.executable, cluster=self._cluster, own=own_folders())

    def _start(self) -> SparkSession:
        from pyspark import SparkConf, SparkContext
        from pyspark.sql import SparkSession

        conf = SparkConf(loadDefaults=False)
        for key, value in self._conf.items():
            conf.set(key, value)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._log.open("ab") as log:
                self._log_begins = log.tell()
                pipes = {"stdout": log, "stderr": log, "pass_fds": self._inherited_fds}
                gateway = launched(self._conf, pipes)
            self._process = getattr(gateway, "proc", None)
            if is_submitted():  # settings of spark-submit override ours
                conf = SparkConf(loadDefaults=True, _jvm=gateway.jvm)
                for key, value in self._conf.items():
                    conf.setIfMissing(key, value)
                self._heaps = _heaps(conf.get)
            if self._queue is not None:
                self._queue.start()
            context = SparkContext(gateway=gateway, conf=conf)
            self._session = SparkSession(context)
            self._application_id = str(context.applicationId)
            if not is_submitted():
                check_session(self._session, self._conf)
        except ConfigurationError:
            raise
        except Exception as error:
            if (refused := self.refused) is not None:
                raise refused from error
            text = text_of(error)
            status = self._ended() if is_gone(text) else None
            if (explanation := told_of_memory(text, self._said(), status, self._heaps)) is not None:
                raise RunError(*explanation) from error
            raise RunError(
                f"the Spark session did not start: {of_the_jvm(error)}", f"The JVM's log is {self._log}."
            ) from error
        return self._session

    def explained(self, error: Exception) -> RunError | None:
        """The error to report in place of ``error``, if its cause is memory, YARN's queue, a cancelled run, or the end
        of the JVM; else None."""
        if (refused := self.refused) is not None:
            return refused
        if self._cancelled:
            return RunError("the run was ended, and Spark's work with it", AGAIN)
        text = text_of(error)
        if not is_gone(text):
            explanation = told_of_memory(text, "", None, self._heaps)
            return None if explanation is None else RunError(*explanation)
        status = self._ended()
        if (explanation := told_of_memory(text, self._said(), status, self._heaps)) is not None:
            return RunError(*explanation)
        if status is None:
            return None
        how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        return RunError(f"Spark's driver JVM ended in mid-run: {how}; its log is {self._log}", AGAIN)

    @property
    def refused(self) -> QueueFull | None:
        """Why the application was ended in YARN's queue; None where it was not."""
        return None if self._queue is None else self._queue.refused

    def _ended(self) -> int | None:
        """The exit status of the JVM; None where it lives, or is not a child of this process. Waits for
        ``DEATH_SECONDS``."""
        if self._process is None:
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(DEATH_SECONDS)
        status: int | None = self._process.returncode
        return status

    def _said(self) -> str:
        """The end of the JVM's log: at most ``LOG_BYTES``, and nothing that an earlier JVM wrote."""
        try:
            with self._log.open("rb") as log:
                log.seek(max(self._log_begins, self._log.stat().st_size - LOG_BYTES))
                return log.read().decode(errors="replace")
        except OSError:
            return ""

    @property
    def application_id(self) -> str:
        """Spark's id of the application; empty before the session has started."""
        return self._application_id

    def cancel(self) -> None:
        """Cancel all jobs of the session. An application that still waits in YARN's queue is ended."""
        self._cancelled = True
        if self._session is None and self._queue is not None:
            self._queue.cancel()
        if self._session is not None:
            with contextlib.suppress(Exception):
                self._session.sparkContext.cancelAllJobs()

    def stop(self) -> None:
        """Stop the session and wait until the JVM has ended; kill the JVM if that takes too long."""
        from pyspark import SparkContext

        if self._session is not None:
            gateway = SparkContext._gateway
            with contextlib.suppress(Exception):
                self._session.stop()
            if gateway is not None:
                with contextlib.suppress(Exception):
                    gateway.shutdown()
                SparkContext._gateway = None
                SparkContext._jvm = None
            self._session = None
        if self._process is not None:
            if self._process.stdin is not None:
                self._process.stdin.close()
            try:
                self._process.wait(self._end_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._queue is not None:
            self._queue.end()  # only now: the JVM, which submits the application, is gone
