"""What is told of a Spark that failed for want of memory: a table of what Spark, YARN and Java say. Without a JVM."""

from __future__ import annotations

import pytest

from resources.spark.failures import Heaps, doubled, text_of, told_of_memory

LOCAL, YARN = Heaps("1g"), Heaps("1g", "2g", "512m")
AGAIN = "Ask for the same days again: what is committed stays."
DRIVER = ("Spark's driver ran out of memory{}: spark.driver_memory is 1g.",
          f"Set spark.driver_memory to 2g, or spark.max_parallel_steps lower. {AGAIN}")  # fmt: skip
EXECUTOR = ("an executor of Spark ran out of memory{}: yarn.executor_memory is 2g.",
            f"Set yarn.executor_memory to 4g, or yarn.executor_cores lower. {AGAIN}")  # fmt: skip
UNSET = ("an executor of Spark ran out of memory{}: yarn.executor_memory is Spark's default.",
         f"Set yarn.executor_memory to more, or yarn.executor_cores lower. {AGAIN}")  # fmt: skip
ENDED = ("an executor of Spark was ended (signal TERM): preempted or killed by YARN, see its log.",
         f"Look into the application's logs (yarn logs -applicationId …). {AGAIN}")  # fmt: skip
CONTAINER = (
    "YARN or the kernel killed an executor that took more memory than its container has (yarn.executor_memory is 2g, "
    "yarn.executor_memory_overhead 512m).",
    f"Set yarn.executor_memory_overhead to 1g, or yarn.executor_cores lower. {AGAIN}",
)
HEAP = " (Java heap space)"

IN_A_CALL = """Py4JJavaError: An error occurred while calling o83.collectToPython.
: java.lang.OutOfMemoryError: Java heap space
\tat java.base/java.util.Arrays.copyOf(Arrays.java:3745)"""
IN_A_CAUSE = """Py4JJavaError: An error occurred while calling o83.save.
: org.apache.spark.SparkException: [TASK_WRITE_FAILED] Task failed while writing rows.
\tat org.apache.spark.sql.errors.QueryExecutionErrors$.taskFailedWhileWritingRowsError(QueryExecutionErrors.scala:775)
Caused by: java.lang.OutOfMemoryError: GC overhead limit exceeded
\tat java.base/java.lang.Integer.valueOf(Integer.java:1077)"""
IN_A_TASK = """Job aborted due to stage failure: Task 1 in stage 7.0 failed {} times, most recent failure: Lost task \
1.3 in stage 7.0 (TID 12) ({} executor {}): java.lang.OutOfMemoryError: Java heap space
\tat org.apache.spark.sql.execution.UnsafeRowSerializerInstance

Driver stacktrace:"""
OWN = """Caused by: org.apache.spark.memory.SparkOutOfMemoryError: [UNABLE_TO_ACQUIRE_MEMORY] Unable to acquire 65536 \
bytes of memory, got 0."""
BROADCAST = "SparkException: Not enough memory to build and broadcast the table to all worker nodes."
LOST = "ConnectionRefusedError: [Errno 111] Connection refused\nConnectionError"
SHUT_DOWN = "Py4JJavaError: org.apache.spark.SparkException: Job 3 cancelled because SparkContext was shut down"
STOPPED = "IllegalStateException: Cannot call methods on a stopped SparkContext."
ENDS = "Terminating due to java.lang.OutOfMemoryError: Java heap space"
UNCAUGHT = """ERROR SparkUncaughtExceptionHandler: Uncaught exception in thread Thread[#69,Executor task launch worker]
java.lang.OutOfMemoryError: Java heap space"""
LOST_EXECUTOR = """Job aborted due to stage failure: Task 0 in stage 3.0 failed 4 times, most recent failure: \
Lost task 0.3 in stage 3.0 (TID 9) (node1 executor 4): ExecutorLostFailure (executor 4 exited caused by one of the \
running tasks) Reason: {}
Driver stacktrace:"""
BY_LIMIT = """Container killed by YARN for exceeding physical memory limits. 2.6 GB of 2.5 GB physical memory used. \
Consider boosting spark.executor.memoryOverhead."""
BEYOND = "Container [pid=7,containerID=c] is running 133627904B beyond the 'PHYSICAL' memory limit."
BAD_NODE = """Container from a bad node: container_1_0001_01_000005 on host: node1. Exit status: {}. Diagnostics: \
[2025-11-26 09:00:00.000]Container exited with a non-zero exit code {}."""


@pytest.mark.parametrize(
    ("text", "log", "status", "heaps", "told"),
    [
        (IN_A_CALL, "", None, LOCAL, (DRIVER, HEAP)),
        (IN_A_CAUSE, "", None, LOCAL, (DRIVER, " (GC overhead limit exceeded)")),
        (IN_A_TASK.format(1, "host", "driver"), "", None, LOCAL, (DRIVER, HEAP)),
        (OWN, "", None, LOCAL, (DRIVER, "")),
        (BROADCAST, "", None, LOCAL, (DRIVER, "")),
        (BROADCAST, "", None, YARN, (DRIVER, "")),
        (IN_A_CALL, "", None, YARN, (DRIVER, HEAP)),
        (IN_A_CALL, "", 3, LOCAL, (DRIVER, HEAP)),
        (LOST, ENDS, 3, LOCAL, (DRIVER, HEAP)),
        (LOST, ENDS, None, LOCAL, (DRIVER, HEAP)),
        (LOST, UNCAUGHT, 52, LOCAL, (DRIVER, HEAP)),
        (LOST, "", 52, LOCAL, (DRIVER, "")),
        (SHUT_DOWN, UNCAUGHT, None, LOCAL, (DRIVER, HEAP)),
        (STOPPED, ENDS, None, LOCAL, (DRIVER, HEAP)),
        (IN_A_TASK.format(4, "node1", "2"), "", None, YARN, (EXECUTOR, HEAP)),
        (LOST_EXECUTOR.format(f"{BAD_NODE.format(143, 143)} {ENDS}"), "", None, YARN, (EXECUTOR, HEAP)),
        (LOST_EXECUTOR.format(f"{BAD_NODE.format(143, 143)} {BY_LIMIT}"), "", None, YARN, (CONTAINER, "")),
        (LOST_EXECUTOR.format(f"{BAD_NODE.format(143, 143)} {BEYOND}"), "", None, YARN, (CONTAINER, "")),
        (LOST_EXECUTOR.format(BAD_NODE.format(143, 143)), "", None, YARN, (ENDED, "")),
        (LOST_EXECUTOR.format(BAD_NODE.format(143, 143)) + "\n" + IN_A_CALL, "", None, YARN, (ENDED, "")),
        (IN_A_TASK.format(4, "node1", "2"), "", None, LOCAL, (UNSET, HEAP)),
        (LOST_EXECUTOR.format(BAD_NODE.format(3, 3)), "", None, LOCAL, (UNSET, "")),
        (LOST_EXECUTOR.format(BAD_NODE.format(3, 3)), "", None, YARN, (EXECUTOR, "")),
        (LOST_EXECUTOR.format("Command exited with code 52"), "", None, YARN, (EXECUTOR, "")),
        (LOST_EXECUTOR.format(BAD_NODE.format(137, 137)), "", None, YARN, (CONTAINER, "")),
        (LOST_EXECUTOR.format(BY_LIMIT), "", None, YARN, (CONTAINER, "")),
        (SHUT_DOWN, BY_LIMIT, None, YARN, (CONTAINER, "")),
    ],
)  # fmt: skip
def test_want_of_memory_is_told_as_that(
    text: str, log: str, status: int | None, heaps: Heaps, told: tuple[tuple[str, str], str]
) -> None:
    (message, remedy), what = told
    assert told_of_memory(text, log, status, heaps) == (message.format(what), remedy)


REFUSED = "Py4JJavaError: An error occurred while calling o83.save.\n: org.apache.hadoop.hdfs.protocol.{}: {}\n\tat x"
QUOTA = "The DiskSpace quota of /user/aqi/w is exceeded: quota = 10 MB = 10485760 B but diskspace consumed = 11 MB"
SAFE = "Cannot create file/w/gold/x. Name node is in safe mode."


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("DSQuotaExceededException", QUOTA),
        ("NSQuotaExceededException", QUOTA),
        ("QuotaExceededException", QUOTA),
        ("server.namenode.SafeModeException", SAFE),
    ],
)
def test_what_hdfs_refuses_is_told_in_its_words(kind: str, what: str) -> None:
    """Also where an executor went with it, or something else is said of memory later."""
    for after in ("", f"\n{IN_A_CALL}", f"\n{LOST_EXECUTOR.format(BY_LIMIT)}"):
        told = told_of_memory(REFUSED.format(kind, what) + after, "", None, YARN)
        assert told == (f"HDFS refused to write: {what}", AGAIN)


def test_a_word_of_a_quota_is_no_refusal() -> None:
    assert told_of_memory("ValueError: the quota of the API is exceeded", "", None, YARN) is None


def test_executors_that_are_lost_for_another_reason() -> None:
    found = told_of_memory(LOST_EXECUTOR.format("Executor heartbeat timed out after 125000 ms"), "", None, YARN)
    assert found is not None
    assert found.message == (
        "Spark lost its executors: Executor heartbeat timed out after 125000 ms. Mostly they lacked memory: "
        "yarn.executor_memory is 2g, yarn.executor_memory_overhead 512m."
    )


def test_a_driver_that_runs_its_tasks_itself_has_lost_no_executor() -> None:
    text = LOST_EXECUTOR.replace("executor 4", "executor driver").format("Executor heartbeat timed out after 125000 ms")
    assert told_of_memory(text, "", None, LOCAL) is None


@pytest.mark.parametrize("status", [-15, 1, 3, 143, None])
def test_a_driver_that_ended_otherwise_is_told_by_its_log(status: int | None) -> None:
    assert told_of_memory(LOST, "", status, LOCAL) is None


@pytest.mark.parametrize(
    "log",
    [
        "# There is insufficient memory for the Java Runtime Environment to continue.",
        "Error occurred during initialization of VM\nCould not reserve enough space for 1073741824KB object heap",
    ],
)
def test_a_machine_without_that_memory(log: str) -> None:
    found = told_of_memory("[JAVA_GATEWAY_EXITED] Java gateway process exited", log, 1, LOCAL)
    assert found is not None
    assert found.message == "this machine has not the memory that Spark's driver wants: spark.driver_memory is 1g."


def test_a_driver_that_was_killed() -> None:
    found = told_of_memory(LOST, "", -9, LOCAL)
    assert found == (
        "Spark's driver JVM ended in mid-run: killed by signal 9, as the kernel does where memory runs out "
        "(spark.driver_memory is 1g).",
        f"If nobody killed it: end what else needs memory here, or lower spark.driver_memory. {AGAIN}",
    )


def test_threads_are_no_heap() -> None:
    text = (
        "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or process limits reached"
    )
    found = told_of_memory(text, "", None, LOCAL)
    assert found is not None and found.message.startswith("Spark's driver could start no more threads")
    assert "ulimit -u" in found.remedy


@pytest.mark.parametrize(
    "text",
    [
        "AnalysisException: [UNRESOLVED_COLUMN] no column x",
        "PermissionError: [Errno 13] Permission denied: '/data'",
        "SparkArithmeticException: [DIVIDE_BY_ZERO] Division by zero. exit status: 143",
        "",
    ],
)
@pytest.mark.parametrize("heaps", [LOCAL, YARN])
def test_what_is_not_about_memory_is_left_to_others(text: str, heaps: Heaps) -> None:
    assert told_of_memory(text, ENDS, None, heaps) is None


@pytest.mark.parametrize(
    ("memory", "more"),
    [
        ("1g", "2g"),
        ("512m", "1g"),
        ("768m", "1536m"),
        ("1536m", "3g"),
        ("524288k", "1g"),
        ("2t", "4t"),
        ("2048", "more"),
        ("", "more"),
    ],
)
def test_twice_as_much(memory: str, more: str) -> None:
    assert doubled(memory) == more


def test_the_text_of_an_error_has_its_causes_and_survives_one_that_cannot_speak() -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise ConnectionRefusedError("the JVM does not answer")

    try:
        try:
            raise Silent
        except Silent as error:
            raise ValueError("outer") from error
    except ValueError as error:
        text = text_of(error)
    assert "ValueError: outer" in text and "Silent: ConnectionRefusedError: the JVM does not answer" in text
    assert text_of(ConnectionResetError("x")).endswith("ConnectionError")
