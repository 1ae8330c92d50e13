"""Keeps Prefect's own log lines off the console."""

from __future__ import annotations

import logging
import os

from resources.machine.secrets import hide_in_logs
from resources.prefect.settings import no_word_of_home

TASK_RUNS, FLOW_RUNS, ENGINE = "prefect.task_runs", "prefect.flow_runs", "prefect.engine"
SERVICES = "prefect._internal.concurrency"
_OUTCOMES = {("prefect.exceptions", "FailedRun"), ("prefect.exceptions", "CancelledRun")}
_ERRORS = ("Finished in state Failed(", "Finished in state Crashed(")


class _OneLineATask(logging.Filter):
    """For a task that returned its state, keep one line in Prefect's log, without a stack.

    Prefect logs a failed task twice, first with the traceback of no exception (``NoneType: None``). It logs every state
    but Completed as an error, even that of a skipped task.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if text.startswith("Finished in state ") and not text.startswith(_ERRORS):
            record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
        return not text.startswith("Task run failed with state: ")


class _NoStackOfAnOutcome(logging.Filter):
    """Drop the stack of a flow run that returned Failed or Cancelled. The outcome was reported before; where a worker
    runs the flow, Prefect then raises an exception for the outcome and logs the stack through its own code."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        return kind is None or (kind.__module__, kind.__name__) not in _OUTCOMES


class _NoLostEvents(logging.Filter):
    """Drop what Prefect logs about events that a server did not get: each event in full, kilobytes long, then their
    number."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not any(lost in str(record.msg) for lost in ("failed to process item", "pending items"))


def quiet_prefect() -> None:
    """Send Prefect's own log lines to its API, not to the console. To be called before Prefect is imported.

    Secrets in the lines are hidden: Prefect's client logs addresses as it got them, with what is secret in them.
    """
    hide_in_logs()
    no_word_of_home()
    of_outcomes = ((TASK_RUNS, _OneLineATask), (FLOW_RUNS, _NoStackOfAnOutcome), (ENGINE, _NoStackOfAnOutcome))
    for name, only in (*of_outcomes, (SERVICES, _NoLostEvents)):
        logger = logging.getLogger(name)
        if not any(isinstance(one, only) for one in logger.filters):
            logger.addFilter(only())
    logging.raiseExceptions = False  # else each log line that fails to reach a server adds two lines
    os.environ.setdefault("DO_NOT_TRACK", "1")  # no usage reports, and no advertisements on a terminal
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    # Libraries that log through the root logger give it a handler for everything, if it has none.
    warnings = logging.StreamHandler()
    warnings.setLevel(logging.WARNING)
    warnings.addFilter(lambda record: not record.name.startswith("prefect"))
    logging.getLogger().addHandler(warnings)
    os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")
