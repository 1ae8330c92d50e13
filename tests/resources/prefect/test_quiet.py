"""What Prefect's loggers say of runs and tasks that ended as they were told to: a line, and no stack."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from resources.prefect.quiet import ENGINE, FLOW_RUNS, SERVICES, TASK_RUNS, quiet_prefect


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelno, record.getMessage()))


@pytest.fixture
def kept() -> Iterator[Kept]:
    """What arrives of the loggers of tasks, flows and Prefect's engine."""
    quiet_prefect()
    handler, loggers = Kept(), [logging.getLogger(name) for name in (TASK_RUNS, FLOW_RUNS, ENGINE, SERVICES)]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    yield handler
    for logger in loggers:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def test_a_failed_task_has_one_line_and_a_skipped_one_is_no_error(kept: Kept) -> None:
    tasks = logging.getLogger(TASK_RUNS)
    tasks.error("Task run failed with state: Failed(message='no')", exc_info=True)
    tasks.error("Finished in state Failed('no')")
    tasks.error("Finished in state PartlySkipped('x failed', type=CANCELLED)")
    tasks.error("Task run failed with exception: ValueError('a bug')")
    assert kept.lines == [
        (logging.ERROR, "Finished in state Failed('no')"),
        (logging.INFO, "Finished in state PartlySkipped('x failed', type=CANCELLED)"),
        (logging.ERROR, "Task run failed with exception: ValueError('a bug')"),
    ]


def test_an_outcome_has_no_stack_and_a_fault_has_one(kept: Kept) -> None:
    from prefect.exceptions import CancelledRun, FailedRun

    for name in (FLOW_RUNS, ENGINE):
        for error in (FailedRun("no"), CancelledRun("refused"), KeyError("a bug")):
            try:
                raise error
            except Exception:
                logging.getLogger(name).exception("%s ended with %s", name, type(error).__name__)
    assert [text for _, text in kept.lines] == [f"{name} ended with KeyError" for name in (FLOW_RUNS, ENGINE)]


def test_an_event_that_does_not_arrive_is_not_printed(kept: Kept) -> None:
    services = logging.getLogger(SERVICES)
    services.error("Service %r failed to process item %r", "EventsWorker", {"an": "event"})
    services.error("something else")
    assert kept.lines == [(logging.ERROR, "something else")]


def test_it_is_said_once_however_often_it_is_asked_for() -> None:
    quiet_prefect()
    before = [list(logging.getLogger(name).filters) for name in (TASK_RUNS, FLOW_RUNS, ENGINE)]
    quiet_prefect()
    assert [list(logging.getLogger(name).filters) for name in (TASK_RUNS, FLOW_RUNS, ENGINE)] == before
