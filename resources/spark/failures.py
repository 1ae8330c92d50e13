"""Explains failures of Spark that are due to memory: names that cause, and not its consequences.

Pure: the texts of errors and logs in, sentences out.
"""

from __future__ import annotations

import contextlib
import re
from typing import NamedTuple

from orchestration.core.errors import in_a_line

OUT_OF_MEMORY_EXIT = 52
"""The exit status with which Spark ends a JVM in which a task ran out of memory."""
ENDED_ITSELF = frozenset({3, OUT_OF_MEMORY_EXIT})
"""Exit statuses of executors that ran out of memory: 3 by Java's option ExitOnOutOfMemoryError, 52 by Spark."""
KILLED, TERMINATED = 9, 15
"""The signals SIGKILL and SIGTERM. YARN ends containers by SIGTERM; Java, when it runs out of memory, ends itself by
it."""
DEFAULT = "Spark's default"
AGAIN = "Ask for the same days again: what is committed stays."

_OUT_OF_MEMORY = re.compile(r"OutOfMemoryError(?:: ([^\n\r]+))?")
_NO_THREAD = re.compile("OutOfMemoryError: [^\n]*native thread")
_MACHINE = re.compile("insufficient memory for the Java Runtime Environment|Could not reserve enough space")
_BROADCAST = "Not enough memory to build and broadcast"
_IN_TASK = re.compile(r"Lost task [^\n]*\([^()\n]*executor (\w+)\): ([^\n]*)")
_LIMIT = re.compile(
    r"killed by YARN for exceeding|running (?:[0-9]+B )?beyond (?:the )?'?(?:physical|virtual)'? memory", re.IGNORECASE
)
_LOST_EXECUTOR = re.compile(r"ExecutorLostFailure \(executor (?!driver\b)\w+ [^)]*\)(?: Reason: ([^.\n]*))?")
_DRIVER_STACK = "Driver stacktrace:"
"""The text of a Spark error after these words is about the driver, not about an executor."""
_EXIT_STATUS = re.compile(r"[Ee]xit (?:status|code):? ([0-9]+)|exited with code ([0-9]+)")
_REFUSED = re.compile(r"(?:QuotaExceededException|SafeModeException)[^:\n]*: ([^\n]{1,300})")
_GONE = re.compile(
    "SparkContext was shut down|stopped SparkContext|Answer from Java side is empty|while sending or receiving"
    "|while trying to connect to the Java server|Py4JNetworkError|ConnectionError|JAVA_GATEWAY_EXITED"
)


class Heaps(NamedTuple):
    """How much memory the settings give, for instance ``2g``. Empty where nothing is set, as for executors in a session
    whose driver runs the tasks."""

    driver: str
    """The heap of the driver."""
    executor: str = ""
    """The heap of an executor."""
    overhead: str = ""
    """The memory that an executor's container has besides the heap."""


class Explanation(NamedTuple):
    """What went wrong, and the remedy, each in sentences for people."""

    message: str
    remedy: str


def told_of_memory(text: str, log: str, status: int | None, heaps: Heaps) -> Explanation | None:
    """The explanation of a failure of Spark; None where memory is not its cause.

    ===========================================================  ==============================================
    the failure                                                  the explanation names
    ===========================================================  ==============================================
    a quota of HDFS, or its safe mode                            the message of HDFS
    a container that YARN killed for its size, exit 137          the container; ``yarn.executor_memory_overhead``
    OutOfMemoryError in a task of an executor, exit 3 or 52      the executor; ``yarn.executor_memory``
    OutOfMemoryError logged by an executor that exited with 143  the executor; ``yarn.executor_memory``
    an executor that exited with 143, without OutOfMemoryError   the signal TERM, and who may have sent it
    OutOfMemoryError anywhere else in error and causes           the driver; ``spark.driver_memory``
    no connection; log or exit status have an OutOfMemoryError   the driver; ``spark.driver_memory``
    no connection; Java got no memory from the machine           the machine
    no connection; the JVM was killed by signal 9                the signal, and who may have sent it
    ===========================================================  ==============================================

    Whether driver or executor failed is read from the text and not from the settings: a session that spark-submit
    started may have other settings.

    text: the error with its causes, see `text_of`. log: the end of the JVM's log. status: the JVM's exit status as
    Python shows it (-9 for signal 9); None where the JVM lives, or its status is not known.
    """
    if refused := _REFUSED.search(text):
        return Explanation(f"HDFS refused to write: {refused[1].strip()}", AGAIN)
    if explanation := _of_executors(text, heaps):
        return explanation
    if _OUT_OF_MEMORY.search(text) or _BROADCAST in text:
        return _driver(text, heaps)
    if status is None and not is_gone(text):
        return None
    if status is None and (explanation := _of_executors(log, heaps)):
        return explanation
    if _OUT_OF_MEMORY.search(log) or status == OUT_OF_MEMORY_EXIT:
        return _driver(log, heaps)
    if _MACHINE.search(log):
        return Explanation(
            f"this machine has not the memory that Spark's driver wants: spark.driver_memory is {heaps.driver}.",
            f"End what else needs memory here, or lower spark.driver_memory. {AGAIN}",
        )
    if status == -KILLED:
        return Explanation(
            "Spark's driver JVM ended in mid-run: killed by signal 9, as the kernel does where memory runs out "
            f"(spark.driver_memory is {heaps.driver}).",
            f"If nobody killed it: end what else needs memory here, or lower spark.driver_memory. {AGAIN}",
        )
    return None


def is_gone(text: str) -> bool:
    """Whether the text of an error says that the driver is gone, or the connection to it."""
    return _GONE.search(text) is not None


def _of_executors(text: str, heaps: Heaps) -> Explanation | None:
    """The explanation where executors were lost, or ran out of memory; else None."""
    lost = _LOST_EXECUTOR.search(text)
    statuses = {int(one or other) for one, other in _EXIT_STATUS.findall(text)} if lost else set()
    heap = f"yarn.executor_memory is {heaps.executor or DEFAULT}"
    both = f"{heap}, yarn.executor_memory_overhead {heaps.overhead or DEFAULT}"
    if _LIMIT.search(text) or 128 + KILLED in statuses:
        return Explanation(
            f"YARN or the kernel killed an executor that took more memory than its container has ({both}).",
            f"Set yarn.executor_memory_overhead to {doubled(heaps.overhead)}, or yarn.executor_cores lower. {AGAIN}",
        )
    tasks = _IN_TASK.findall(text)
    in_task = any(executor != "driver" and "OutOfMemoryError" in said for executor, said in tasks)
    said_last = text[lost.start() :].partition(_DRIVER_STACK)[0] if lost else ""
    if in_task or ENDED_ITSELF & statuses or "OutOfMemoryError" in said_last:
        return Explanation(
            f"an executor of Spark ran out of memory{_what(text)}: {heap}.",
            f"Set yarn.executor_memory to {doubled(heaps.executor)}, or yarn.executor_cores lower. {AGAIN}",
        )
    if 128 + TERMINATED in statuses:
        return Explanation(
            "an executor of Spark was ended (signal TERM): preempted or killed by YARN, see its log.",
            f"Look into the application's logs (yarn logs -applicationId …). {AGAIN}",
        )
    if lost:
        reason = f": {lost[1].strip()}" if lost[1] else ""
        return Explanation(
            f"Spark lost its executors{reason}. Mostly they lacked memory: {both}.",
            f"Look into the application's logs (yarn logs -applicationId …), or set them higher. {AGAIN}",
        )
    return None


def _driver(text: str, heaps: Heaps) -> Explanation:
    """The explanation where the driver ran out of memory, or of threads."""
    if _NO_THREAD.search(text):
        return Explanation(
            "Spark's driver could start no more threads.",
            f"Raise the limit of processes of this user (ulimit -u), or lower spark.max_parallel_steps. {AGAIN}",
        )
    return Explanation(
        f"Spark's driver ran out of memory{_what(text)}: spark.driver_memory is {heaps.driver}.",
        f"Set spark.driver_memory to {doubled(heaps.driver)}, or spark.max_parallel_steps lower. {AGAIN}",
    )


def _what(text: str) -> str:
    """What kind of memory Java ran out of, for instance `` (Java heap space)``; empty where Java does not say it."""
    said = next((found[1].strip() for found in _OUT_OF_MEMORY.finditer(text) if found[1]), "")
    return f" ({said})" if said and len(said) <= 60 else ""


def doubled(memory: str) -> str:
    """Twice an amount of memory: ``512m`` → ``1g``, ``768m`` → ``1536m``; ``more`` for an amount that is written in
    another way."""
    if not re.fullmatch("[0-9]+[kmgt]", memory):
        return "more"
    number, unit = 2 * int(memory[:-1]), memory[-1]
    for smaller, larger in zip("kmg", "mgt", strict=True):
        if unit == smaller and number % 1024 == 0:
            number, unit = number // 1024, larger
    return f"{number}{unit}"


def text_of(error: BaseException) -> str:
    """The text of an error, of its causes and its contexts: their types and messages, and stacks of the JVM if it still
    answers."""
    said, seen, left = list[str](), set[int](), [error]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        said += [f"{type(one).__name__}: {_said_by(one)}", str(getattr(one, "_stackTrace", ""))]
        if isinstance(one, ConnectionError):
            said.append("ConnectionError")
        left += [other for other in (one.__cause__, one.__context__) if other is not None]
    return "\n".join(said)


def _said_by(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as other:  # the text is in a JVM that does not answer any more  # noqa: BLE001
        return f"{type(other).__name__}: {other}"


def of_the_jvm(error: Exception) -> str:
    """The message of an error in a line. For an exception of the JVM: its own message, not that of the bridge to it."""
    java = getattr(error, "java_exception", None)
    if java is not None:
        with contextlib.suppress(Exception):  # the JVM may be gone
            return str(java.toString()).splitlines()[0].rpartition("Exception: ")[2]
    return in_a_line(error)
