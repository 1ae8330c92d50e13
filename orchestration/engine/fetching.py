"""Fetching for assets that have a source: requests for many places at once, an answer or an error per place.

A request is sent when the first of its places is asked for. Where it fails for a reason that may lie in one place,
every place is asked for by itself, so that one bad place fails alone. What is brought belongs to one step of the plan,
and is forgotten when that is done: fetching runs ahead of writing, but only by so much as the flow lets it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from orchestration.core.errors import FetchCancelled, SourceError, SourceLimited, SourceUnreachable
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.partitions.location import Location
from orchestration.core.runs.decisions import Sourced
from orchestration.core.runs.outcome import union
from orchestration.core.state.freshness import NOT_ANSWERED
from resources.machine.clock import Clock, iso
from resources.open_meteo.answers import Answer
from resources.open_meteo.client import OpenMeteoClient
from resources.open_meteo.requests import INDEX, VARIABLES, Request, plan_requests
from resources.settings.load import Settings

if TYPE_CHECKING:
    import pyarrow as pa

FETCHES_AT_ONCE = 4
SOURCE_COLUMNS = (
    ("location_key", "string"),
    ("ts_utc", "timestamp"),
    *((of.column, "integer" if of.unit == INDEX else "double") for of in VARIABLES.values()),
    ("_ingested_at", "timestamp"),
)
"""Columns and Spark types of what a fetched asset's function is given, from the source or from its own table."""

NOT_OF_A_PLACE = (SourceUnreachable, SourceLimited, FetchCancelled)
"""Errors that every place would meet: the others need not be asked for."""


@dataclass(frozen=True, slots=True)
class FetchTask:
    """One place of one request: what a fetch task of the flow brings. step: id of the step that it is for."""

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
    """A request whose places are asked for one by one, by several threads; sent once."""

    def __init__(self, client: OpenMeteoClient, request: Request, now: Clock, cancelled: Callable[[], bool]) -> None:
        self._client = client
        self._request = request
        self._now = now
        self._cancelled = cancelled
        self._lock = threading.Lock()
        self._answers: dict[str, Answer | SourceError] = {}
        self.asked_at: datetime | None = None

    def answer(self, location: str) -> Answer:
        """The answer for a place. Raises SourceError, also for a place whose request failed before.

        asked_at: the clock before the request was sent.
        """
        with self._lock:
            if not self._answers:
                self.asked_at = self._now()
                self._answers = self._ask(self.asked_at)
        found = self._answers[location]
        if isinstance(found, SourceError):
            raise found
        return found

    def give_up(self, error: SourceError) -> None:
        """Answer with ``error`` for every place, unless it was asked for already."""
        with self._lock:
            if not self._answers:
                self.asked_at = self._now()
                self._answers = {place.key: error for place in self._request.locations}

    def forget(self) -> None:
        """Let go of the answers."""
        self._answers = {}

    def _ask(self, now: datetime) -> dict[str, Answer | SourceError]:
        places = self._request.locations
        try:
            answers = self._client.fetch(self._request, now, self._cancelled)
            return {answer.location_key: answer for answer in answers}
        except SourceError as error:
            if len(places) == 1 or isinstance(error, NOT_OF_A_PLACE):
                return {place.key: error for place in places}
        found: dict[str, Answer | SourceError] = {}
        for place in places:
            found[place.key] = brought = self._ask_one(place, now)
            if isinstance(brought, NOT_OF_A_PLACE):
                return {**{place.key: brought for place in places}, **found}
        return found

    def _ask_one(self, place: Location, now: datetime) -> Answer | SourceError:
        request = Request((place,), self._request.first, self._request.last)
        try:
            return self._client.fetch(request, now, self._cancelled)[0]
        except SourceError as error:
            return error


class OpenMeteoSource:
    """Open-Meteo as the source of a run: tasks to fetch what steps want, and the answers that they brought.

    wanted: the partitions to fetch, by the id of the step that they are for, in the steps' order.
    looked: what was asked for already is not asked for again.
    """

    def __init__(
        self,
        settings: Settings,
        wanted: Mapping[str, PartitionSet],
        client: OpenMeteoClient,
        cancelled: Callable[[], bool] = lambda: False,
        looked: OpenMeteoSource | None = None,
    ) -> None:
        self._now = settings.now
        self._wanted = dict(wanted)
        self._fetches: list[SharedFetch] = [] if looked is None else list(looked._fetches)
        self._cancel: threading.Event = threading.Event() if looked is None else looked._cancel
        self._answers: dict[FetchTask, Answer] = {}
        self._errors: dict[FetchTask, SourceError] = {}

        def is_cancelled() -> bool:
            return self._cancel.is_set() or cancelled()

        tasks: list[FetchTask] = []
        for step, partitions in self._wanted.items():
            there = [task for task in looked.tasks if task.partitions & partitions] if looked is not None else []
            tasks += [replace(task, step=step) for task in there]
            left = partitions - union(task.partitions for task in there)
            places = [place for place in settings.parameters.locations if place.key in left.locations]
            days = {place.key: left.days_of(place.key).pieces for place in places}
            api = settings.open_meteo
            for request in plan_requests(days, places, api.max_weight_per_request, api.max_days_per_request):
                span = Days.of(request.first, request.last)
                tasks += [FetchTask(len(self._fetches), place.key, span, step) for place in request.locations]
                self._fetches.append(SharedFetch(client, request, settings.now, is_cancelled))
        self.tasks: tuple[FetchTask, ...] = tuple(tasks)
        self._tasks_of = {step: tuple(task for task in tasks if task.step == step) for step in self._wanted}

    def fetch(self, task: FetchTask) -> int:
        """Bring the hours of one task; gives their number. Raises SourceError, and remembers it."""
        try:
            answer = self._fetches[task.request].answer(task.location)
        except SourceError as error:
            self._errors[task] = error
            raise
        except Exception as error:
            self._errors[task] = SourceError(f"{task} could not be fetched ({type(error).__name__}: {error})")
            raise self._errors[task] from error
        self._answers[task] = answer
        return int(answer.table.num_rows)

    def fetch_all(self) -> None:
        """Bring everything, some requests at a time; what goes wrong is in ``errors``.

        Where the source is unreachable or its limit used up, what was not asked for yet is not asked for.
        """
        outage: list[SourceError] = []

        def bring(task: FetchTask) -> None:
            if outage:
                self._fetches[task.request].give_up(outage[0])
            try:
                self.fetch(task)
            except NOT_OF_A_PLACE as error:
                outage.append(error)
            except SourceError:
                pass  # remembered

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

    def errors(self, step: str) -> dict[FetchTask, SourceError]:
        """What went wrong for a step, by task."""
        return {task: self._errors[task] for task in self.tasks_of(step) if task in self._errors}

    def fetched(self, step: str) -> PartitionSet:
        """The partitions that were brought for a step, those without a single hour included."""
        brought = PartitionSet.empty()
        for task in self._brought(step):
            brought |= task.partitions
        return brought & self._wanted.get(step, PartitionSet.empty())

    def table(self, step: str, partitions: PartitionSet | None = None) -> pa.Table | None:
        """The hours of ``partitions`` that were brought for a step, with ``_ingested_at``; None where nothing was.

        partitions: None for all that were brought.
        """
        import pyarrow as pa

        brought = self._brought(step)
        if not brought:
            return None
        ordered = sorted(brought.items(), key=lambda item: (item[0].days.first, item[0].location))
        # In one chunk: Spark takes a table whose first chunk is empty for an empty table.
        rows = pa.concat_tables([_hours(task, answer.table, partitions) for task, answer in ordered]).combine_chunks()
        stamp = pa.scalar(self._now(), pa.timestamp("us", tz="UTC"))
        return rows.append_column("_ingested_at", pa.repeat(stamp, rows.num_rows))

    def sourced(self, step: str) -> dict[PartitionKey, Sourced]:
        """What was sent for each partition that was brought for a step."""
        return {
            PartitionKey(day, answer.location_key): Sourced(digest, self._as_of(task, day), self._asked(task))
            for task, answer in self._brought(step).items()
            for day, digest in answer.digests.items()
        }

    def sent(self, step: str) -> dict[PartitionKey, str]:
        """The digest of what is sent for each partition that a step wanted, or that there was no answer."""
        brought = self.sourced(step)
        return {
            key: brought[key].digest if key in brought else NOT_ANSWERED
            for key in self._wanted.get(step, PartitionSet.empty())
        }

    def forget(self, step: str) -> None:
        """Let go of the answers for a step that is done."""
        for task in self._brought(step):
            self._fetches[task.request].forget()
            del self._answers[task]

    def _brought(self, step: str) -> dict[FetchTask, Answer]:
        return {task: self._answers[task] for task in self.tasks_of(step) if task in self._answers}

    def _asked(self, task: FetchTask) -> str:
        """When the request was sent that brought a task's answer (ISO 8601, UTC)."""
        asked_at = self._fetches[task.request].asked_at
        assert asked_at is not None
        return iso(asked_at)

    def _as_of(self, task: FetchTask, day: date) -> str:
        """When a day that was not over was asked for (ISO 8601, UTC); empty for a day that had ended."""
        asked_at = self._fetches[task.request].asked_at
        assert asked_at is not None
        ends = datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1)
        return iso(asked_at) if asked_at < ends else ""


def _hours(task: FetchTask, rows: pa.Table, partitions: PartitionSet | None) -> pa.Table:
    """The rows of an answer that are of ``partitions``."""
    if partitions is None or task.partitions <= partitions:
        return rows
    import pyarrow as pa
    import pyarrow.compute as pc

    days = pa.array([key.day for key in task.partitions & partitions], pa.date32())
    return rows.filter(pc.is_in(rows["ts_utc"].cast(pa.date32()), value_set=days))
