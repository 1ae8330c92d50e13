"""Fetching for assets that have a source. A request is for many locations; each location gets its own answer or error.

A request is sent when the first of its locations is needed; ``asking`` sends it. Answers belong to one step of the plan
and are dropped when the step is done. Fetching runs ahead of writing, as far as the flow allows.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from orchestration.core.calendar import iso
from orchestration.core.errors import (
    AnswerNotKept,
    SourceError,
    in_a_line,
)
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.partitions.location import Location
from orchestration.core.runs.decisions import Sourced
from orchestration.core.runs.profile import Phase
from orchestration.core.source import INGESTED_AT, Answer, FetchRequest, RawAnswer, Reply, Source
from orchestration.core.state.freshness import NOT_ANSWERED
from orchestration.engine.asking import Asking, Askings
from orchestration.engine.profiling import Spans
from resources.machine.clock import Clock

if TYPE_CHECKING:
    import pyarrow as pa

FETCHES_AT_ONCE = 4
SHOWN_ONE_BY_ONE = 120
"""Up to this many fetches are shown as one Prefect task run each. As a task run costs more than the fetch, more fetches
share one task run for each request."""


def stored_columns(source: Source[Any]) -> tuple[tuple[str, str], ...]:
    """The columns that the function of a fetched asset is given, with their Spark types."""
    return (*source.columns, (INGESTED_AT, "timestamp"))


Keep = Callable[[RawAnswer], object]
"""Stores a reply before it is used. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to be fetched for a step."""

    source: str
    """The name of the source."""
    partitions: PartitionSet
    asset: str = ""
    """The key of the asset."""
    forced: bool = False
    """Whether ``--force`` was given."""


@dataclass(frozen=True, slots=True)
class FetchTask:
    """One location of one request: the unit that a fetch task of the flow fetches. step: id of the step for which it
    is."""

    request: int
    location: str
    days: Days
    step: str = ""

    @property
    def partitions(self) -> PartitionSet:
        return PartitionSet.of(self.days, [self.location])

    def __str__(self) -> str:
        return f"{self.location} {self.days}"


class SharedFetch:
    """A request whose locations are needed by several threads, and that is sent once.

    wanted: for what it is. asking: how its source is asked. keep: called with every reply before its answers are used.
    measured: measures it.
    """

    def __init__(
        self,
        wanted: Wanted,
        source: Source[Any],
        asking: Asking,
        request: FetchRequest,
        now: Clock,
        cancelled: Callable[[], bool],
        keep: Callable[[Wanted, FetchRequest, Reply], None],
        measured: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.name, self.source = wanted.source, source
        self._wanted, self._asking = wanted, asking
        self._request = request
        self._now = now
        self._cancelled = cancelled
        self._keep = keep
        self._measured = measured
        self._lock = threading.Lock()
        self._answers: dict[str, Answer | SourceError] = {}
        self._asked: dict[str, datetime] = {}

    def answer(self, location: str) -> Answer:
        """The answer for a location. Raises SourceError, also for one whose request failed before."""
        with self._lock:
            if not self._answers:
                with self._measured():
                    self._answers = self._ask()
        found = self._answers[location]
        if isinstance(found, SourceError):
            raise found
        return found

    def asked_at(self, location: str) -> datetime:
        """When the request was sent whose answer a location got."""
        return self._asked[location]

    def forget(self) -> None:
        """Drop the answers."""
        self._answers = {}

    def _ask(self) -> dict[str, Answer | SourceError]:
        try:
            return self._asking.ask(self.source, self._request, self._now, self._cancelled, self._got)
        except SourceError as error:  # before it was its turn
            return {location.key: error for location in self._request.locations}

    def _got(self, request: FetchRequest, reply: Reply) -> None:
        self._keep(self._wanted, request, reply)
        self._asked |= dict.fromkeys((answer.location for answer in reply.answers), reply.asked)


class Fetching:
    """Everything that a run fetches: the fetch tasks of the steps, and the answers.

    sources: by name. wanted: step id → what has to be fetched, in the order of the steps. locations: the configured
    ones. earlier: what was fetched already is not fetched again. keep: stores every reply; None: replies are not
    stored. spans: measures. askings: how sources are asked in the whole run; None: as in ``earlier``. meet: called with
    an asset and the kinds of its answers; raises SourceOfOtherKind.
    """

    def __init__(
        self,
        sources: Mapping[str, Source[Any]],
        wanted: Mapping[str, Wanted],
        locations: Sequence[Location],
        now: Clock,
        cancelled: Callable[[], bool] = lambda: False,
        earlier: Fetching | None = None,
        keep: Keep | None = None,
        run_id: str = "",
        spans: Spans | None = None,
        askings: Askings | None = None,
        meet: Callable[[str, Iterable[str]], None] = lambda _asset, _kinds: None,
    ) -> None:
        spans = spans or Spans()
        self._meet = meet
        self._askings: Askings = askings or (Askings() if earlier is None else earlier._askings)
        self._now = now
        self._keep, self._run_id, self._sources = keep, run_id, sources
        self._wanted = dict(wanted)
        self._fetches: list[SharedFetch] = [] if earlier is None else list(earlier._fetches)
        self._cancel: threading.Event = threading.Event() if earlier is None else earlier._cancel
        self._answers: dict[FetchTask, Answer] = {}
        self._errors: dict[FetchTask, SourceError] = {}

        def is_cancelled() -> bool:
            return self._cancel.is_set() or cancelled()

        tasks: list[FetchTask] = []
        for step, what in self._wanted.items():
            source = sources[what.source]
            there = [] if earlier is None else earlier._tasks_with(what)
            tasks += [replace(task, step=step) for task in there]
            left = what.partitions - PartitionSet.union_of(task.partitions for task in there)
            asking = self._askings.of(what.source)
            asking.of(what.partitions.locations)
            for request in source.requests(left, locations):
                tasks += [FetchTask(len(self._fetches), at.key, request.days, step) for at in request.locations]
                measured = partial(spans.span, Phase.FETCH, step)
                self._fetches.append(
                    SharedFetch(what, source, asking, request, now, is_cancelled, self._kept, measured)
                )
        self.tasks: tuple[FetchTask, ...] = tuple(tasks)
        self._tasks_of = {step: tuple(task for task in tasks if task.step == step) for step in self._wanted}

    def fetch(self, task: FetchTask) -> int:
        """Fetch the rows of one task. Gives their number. Raises SourceError, and remembers it."""
        try:
            answer = self._fetches[task.request].answer(task.location)
        except SourceError as error:
            self._errors[task] = error
            raise
        except Exception as error:
            self._errors[task] = SourceError(f"{task} could not be fetched ({in_a_line(error)})")
            raise self._errors[task] from error
        self._answers[task] = answer
        return int(answer.rows.num_rows)

    def fetch_all(self) -> None:
        """Fetch everything, several requests at once. ``errors`` has what went wrong."""

        def bring(task: FetchTask) -> None:
            with contextlib.suppress(SourceError):  # remembered
                self.fetch(task)

        pool = ThreadPoolExecutor(FETCHES_AT_ONCE, "fetch")
        try:
            list(pool.map(bring, self.tasks))
        except BaseException:
            self.cancel()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def cancel(self) -> None:
        """Send no further request."""
        self._cancel.set()

    def tasks_of(self, step: str) -> tuple[FetchTask, ...]:
        """The fetch tasks of a step."""
        return self._tasks_of.get(step, ())

    def groups_of(self, step: str) -> tuple[tuple[FetchTask, ...], ...]:
        """The fetch tasks of a step as they are shown to people: one by one, or by request where there are many.

        Either way the failure of one location is that location's alone.
        """
        tasks = self.tasks_of(step)
        if len(self.tasks) <= SHOWN_ONE_BY_ONE:
            return tuple((task,) for task in tasks)
        return tuple(tuple(group) for _, group in groupby(tasks, key=lambda task: task.request))

    def errors(self, step: str) -> dict[FetchTask, SourceError]:
        """The errors of a step's fetch tasks."""
        return {task: self._errors[task] for task in self.tasks_of(step) if task in self._errors}

    def fetched(self, step: str) -> PartitionSet:
        """The partitions that were fetched for a step, those without rows included."""
        brought = PartitionSet.union_of(task.partitions for task in self._brought(step))
        return brought & self._partitions_of(step)

    def table(self, step: str, partitions: PartitionSet | None = None) -> pa.Table | None:
        """The fetched rows of ``partitions`` (None: all) for a step, with ``_ingested_at``; None where nothing was
        fetched."""
        import pyarrow as pa

        brought = self._brought(step)
        if not brought:
            return None
        ordered = sorted(brought.items(), key=lambda item: (item[0].days.first, item[0].location))
        # In one chunk: Spark takes a table whose first chunk is empty for an empty table.
        rows = pa.concat_tables([self._rows(task, answer, partitions) for task, answer in ordered]).combine_chunks()
        stamp = pa.scalar(self._now(), pa.timestamp("us", tz="UTC"))
        return rows.append_column(INGESTED_AT, pa.repeat(stamp, rows.num_rows))

    def sourced(self, step: str) -> dict[PartitionKey, Sourced]:
        """For each partition fetched for a step, what the source sent."""
        found = {}
        for task, answer in self._brought(step).items():
            fetch = self._fetches[task.request]
            asked = iso(fetch.asked_at(answer.location))
            for day, digest in answer.digests.items():
                whole = not fetch.source.more_may_come(day)
                found[PartitionKey(day, answer.location)] = Sourced(
                    digest, asked, whole=whole, lacking=answer.lacking, unasked=answer.unasked
                )
        return found

    def sent(self, step: str) -> dict[PartitionKey, str]:
        """For each partition that a step wants, the digest of what the source sends; ``NOT_ANSWERED`` where it did not
        answer."""
        brought = self.sourced(step)
        return {key: brought[key].digest if key in brought else NOT_ANSWERED for key in self._partitions_of(step)}

    def forget(self, step: str) -> None:
        """Drop the answers for a step that is done."""
        for task in self._brought(step):
            self._fetches[task.request].forget()
            del self._answers[task]

    def _kept(self, wanted: Wanted, request: FetchRequest, reply: Reply) -> None:
        """Store a reply before it is used. A reply of a kind that the table does not take is neither stored nor
        used.
        """
        self._meet(wanted.asset, {answer.kind for answer in reply.answers})
        if self._keep is None:
            return
        days, described = request.days, self._sources[wanted.source].described(request)
        raw = RawAnswer(
            asset=wanted.asset,
            source=wanted.source,
            asked=iso(reply.asked),
            run_id=self._run_id,
            forced=wanted.forced,
            first=days.first,
            last=days.last,
            locations=tuple(location.key for location in request.locations),
            request=described,
            body=reply.body,
        )
        try:
            self._keep(raw)
        except OSError as error:
            message = f"the answer for {request} could not be kept ({in_a_line(error)})"
            raise AnswerNotKept(message, "Make room in the warehouse, or mend its rights; then call again.") from error

    def _partitions_of(self, step: str) -> PartitionSet:
        return self._wanted[step].partitions if step in self._wanted else PartitionSet.empty()

    def _tasks_with(self, what: Wanted) -> list[FetchTask]:
        """The fetch tasks that get what is wanted."""
        asked = (task for task in self.tasks if self._fetches[task.request].name == what.source)
        return [task for task in asked if task.partitions & what.partitions]

    def _brought(self, step: str) -> dict[FetchTask, Answer]:
        return {task: self._answers[task] for task in self.tasks_of(step) if task in self._answers}

    def _rows(self, task: FetchTask, answer: Answer, partitions: PartitionSet | None) -> pa.Table:
        """The rows of an answer that are of ``partitions``."""
        if partitions is None or task.partitions <= partitions:
            return answer.rows
        return self._fetches[task.request].source.only(answer.rows, (task.partitions & partitions).days)
