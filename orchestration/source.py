"""Fetching for assets that have a source: requests for many places at once, an answer or an error per place.

A request is sent when the first of its places is asked for. Where it fails for a reason that may lie in one place,
every place is asked for by itself, so that one bad place fails alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from orchestration.errors import FetchCancelled, SourceError, SourceLimited, SourceUnreachable
from orchestration.parameters import Location
from orchestration.partitions import Days, PartitionKey, PartitionSet
from resources.clock import Clock, iso
from resources.open_meteo import OpenMeteoClient
from resources.open_meteo_answers import Answer
from resources.open_meteo_requests import Request, plan_requests
from resources.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

NOT_OF_A_PLACE = (SourceUnreachable, SourceLimited, FetchCancelled)
"""Errors that every place would meet: the others need not be asked for."""


@dataclass(frozen=True, slots=True)
class FetchTask:
    """One place of one request: what a fetch task of the flow brings."""

    request: int
    location: str
    days: Days

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

    def answer(self, location: str) -> Answer:
        """The answer for a place. Raises SourceError, also for a place whose request failed before."""
        with self._lock:
            if not self._answers:
                self._answers = self._ask()
        found = self._answers[location]
        if isinstance(found, SourceError):
            raise found
        return found

    def _ask(self) -> dict[str, Answer | SourceError]:
        places = self._request.locations
        try:
            answers = self._client.fetch(self._request, self._now(), self._cancelled)
            return {answer.location_key: answer for answer in answers}
        except SourceError as error:
            if len(places) == 1 or isinstance(error, NOT_OF_A_PLACE):
                return {place.key: error for place in places}
        found: dict[str, Answer | SourceError] = {}
        for place in places:
            found[place.key] = brought = self._ask_one(place)
            if isinstance(brought, NOT_OF_A_PLACE):
                return {**{place.key: brought for place in places}, **found}
        return found

    def _ask_one(self, place: Location) -> Answer | SourceError:
        request = Request((place,), self._request.first, self._request.last)
        try:
            return self._client.fetch(request, self._now(), self._cancelled)[0]
        except SourceError as error:
            return error


class OpenMeteoSource:
    """Open-Meteo as the source of a run: tasks to fetch ``partitions``, and the answers that they brought."""

    def __init__(
        self,
        settings: Settings,
        partitions: PartitionSet,
        client: OpenMeteoClient,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        places = [place for place in settings.parameters.locations if place.key in partitions.locations]
        wanted = {place.key: partitions.days_of(place.key).pieces for place in places}
        requests = plan_requests(
            wanted, places, settings.open_meteo.max_weight_per_request, settings.open_meteo.max_days_per_request
        )
        self._fetches = [SharedFetch(client, request, settings.now, cancelled) for request in requests]
        self._now = settings.now
        self._partitions = partitions
        self._answers: dict[FetchTask, Answer] = {}
        self._errors: dict[FetchTask, SourceError] = {}
        self.tasks = tuple(
            FetchTask(number, place.key, Days.of(request.first, request.last))
            for number, request in enumerate(requests)
            for place in request.locations
        )

    def fetch(self, task: FetchTask) -> int:
        """Bring the hours of one task; gives their number. Raises SourceError, and remembers it."""
        try:
            answer = self._fetches[task.request].answer(task.location)
        except SourceError as error:
            self._errors[task] = error
            raise
        self._answers[task] = answer
        return int(answer.table.num_rows)

    @property
    def errors(self) -> Mapping[FetchTask, SourceError]:
        """What went wrong, by task."""
        return self._errors

    @property
    def fetched(self) -> PartitionSet:
        """The partitions that were brought, those without a single hour included."""
        brought = PartitionSet.empty()
        for task in self._answers:
            brought |= task.partitions
        return brought & self._partitions

    def table(self) -> pa.Table | None:
        """All hours that were brought, with ``_ingested_at``; None where nothing was."""
        import pyarrow as pa

        if not self._answers:
            return None
        ordered = sorted(self._answers.items(), key=lambda item: (item[0].days.first, item[0].location))
        # In one chunk: Spark takes a table whose first chunk is empty for an empty table.
        rows = pa.concat_tables([answer.table for _, answer in ordered]).combine_chunks()
        stamp = pa.scalar(self._now(), pa.timestamp("us", tz="UTC"))
        return rows.append_column("_ingested_at", pa.repeat(stamp, rows.num_rows))

    def digests(self) -> dict[PartitionKey, str]:
        """The digest of what the source sent, per partition that was brought."""
        return {
            PartitionKey(day, answer.location_key): digest
            for answer in self._answers.values()
            for day, digest in answer.digests.items()
        }

    def as_of(self, day: date) -> str:
        """When a day that is not over was asked for (ISO 8601, UTC); empty for a day that had ended."""
        now = self._now()
        ends = datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1)
        return iso(now) if now < ends else ""
