"""Fetching for assets that have a source: requests for many locations at once, an answer or an error per location.

A request is sent when the first of its locations is asked for; ``asking`` knows how. What is brought belongs to one
step of the plan, and is forgotten when that is done: fetching runs ahead of writing, but only by so much as the flow
lets it.
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
"""So many fetches are a task run of Prefect's each, which costs more than the fetch; more are one for every request."""


def stored_columns(source: Source[Any]) -> tuple[tuple[str, str], ...]:
    """Columns and Spark types of what a fetched asset's function is given, from the source or from its own table."""
    return (*source.columns, (INGESTED_AT, "timestamp"))


Keep = Callable[[RawAnswer], object]
"""Keeps a reply before anything is made of it. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a step wants fetched. source: the name of the one that has it. asset: for which; forced: by ``--force``."""

    source: str
    partitions: PartitionSet
    asset: str = ""
    forced: bool = False


@dataclass(frozen=True, slots=True)
class FetchTask:
    """One location of one request: what a fetch task of the flow brings. step: id of the step that it is for."""

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
    """A request whose locations are asked for one by one, by several threads; sent once.

    wanted: what it is for. asking: how its source is asked. keep: gets every reply, before its answers are given to
    anybody. measured: what it takes.
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
        """The moment at which a location that was answered was asked for."""
        return self._asked[location]

    def forget(self) -> None:
        """Let go of the answers."""
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
    """What is fetched in a run: tasks that bring what steps want, and the answers that they brought.

    sources: by name. wanted: by the id of the step that it is for, in the steps' order. locations: the configured ones.
    earlier: what was asked for already is not asked for again. keep: gets every reply; None: they are not kept.
    run_id: of the run that asks. spans: measure what that takes. askings: how sources are asked all over the run; None:
    as ``earlier`` asked them. meet: is told of which kinds answers for an asset are, and raises SourceOfOtherKind.
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
        """Bring the rows of one task; gives their number. Raises SourceError, and remembers it."""
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
        """Bring everything, some requests at a time; what goes wrong is in ``errors``."""

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
        """Ask for nothing more."""
        self._cancel.set()

    def tasks_of(self, step: str) -> tuple[FetchTask, ...]:
        """The tasks that bring what a step wants."""
        return self._tasks_of.get(step, ())

    def groups_of(self, step: str) -> tuple[tuple[FetchTask, ...], ...]:
        """The tasks for a step as they are shown to people: each by itself, or, where they are many, by request.

        One location's failure is that location's alone either way.
        """
        tasks = self.tasks_of(step)
        if len(self.tasks) <= SHOWN_ONE_BY_ONE:
            return tuple((task,) for task in tasks)
        return tuple(tuple(group) for _, group in groupby(tasks, key=lambda task: task.request))

    def errors(self, step: str) -> dict[FetchTask, SourceError]:
        """What went wrong for a step, by task."""
        return {task: self._errors[task] for task in self.tasks_of(step) if task in self._errors}

    def fetched(self, step: str) -> PartitionSet:
        """The partitions that were brought for a step, those without a single row included."""
        brought = PartitionSet.union_of(task.partitions for task in self._brought(step))
        return brought & self._partitions_of(step)

    def table(self, step: str, partitions: PartitionSet | None = None) -> pa.Table | None:
        """The rows of ``partitions`` that were brought for a step, with ``_ingested_at``; None where nothing was.

        partitions: None for all that were brought.
        """
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
        """What was sent for each partition that was brought for a step."""
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
        """The digest of what is sent for each partition that a step wanted, or that there was no answer."""
        brought = self.sourced(step)
        return {key: brought[key].digest if key in brought else NOT_ANSWERED for key in self._partitions_of(step)}

    def forget(self, step: str) -> None:
        """Let go of the answers for a step that is done."""
        for task in self._brought(step):
            self._fetches[task.request].forget()
            del self._answers[task]

    def _kept(self, wanted: Wanted, request: FetchRequest, reply: Reply) -> None:
        """Keep a reply, before it is used; one of a kind that its table does not take is neither."""
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
        """The tasks that ask a source for some of what is wanted of it."""
        asked = (task for task in self.tasks if self._fetches[task.request].name == what.source)
        return [task for task in asked if task.partitions & what.partitions]

    def _brought(self, step: str) -> dict[FetchTask, Answer]:
        return {task: self._answers[task] for task in self.tasks_of(step) if task in self._answers}

    def _rows(self, task: FetchTask, answer: Answer, partitions: PartitionSet | None) -> pa.Table:
        """The rows of an answer that are of ``partitions``."""
        if partitions is None or task.partitions <= partitions:
            return answer.rows
        return self._fetches[task.request].source.only(answer.rows, (task.partitions & partitions).days)
