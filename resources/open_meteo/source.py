"""Open-Meteo as a source of hourly rows: see ``core.source``.

Its days are UTC days. The source adds hours to a day until the day is over, and revises some days afterwards: an
hourly run asks for those days again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from orchestration.core.errors import SourceError, SourceNonsense
from orchestration.core.partitions.days import Days
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.location import Location
from orchestration.core.source import REAL, SIMULATED, Answer, Reply
from orchestration.core.state.partition_record import Question
from resources.machine.proxies import check_way
from resources.open_meteo.answers import LocationAnswer, read_answers, schema_of
from resources.open_meteo.client import OpenMeteoClient, Sent
from resources.open_meteo.described import describe, described_request, domain_asked, domain_in_records
from resources.open_meteo.examination import brief, examined, terms_of
from resources.open_meteo.kind import kind_at
from resources.open_meteo.requests import FIRST_DAY, Request, plan_requests
from resources.open_meteo.settings import OpenMeteoSettings
from resources.open_meteo.unserved import Unserved
from resources.open_meteo.variables import INDEX, UNITS, check_known

if TYPE_CHECKING:
    import pyarrow as pa

NAME = "open_meteo"
ROUNDING = 1e-9
"""By so many degrees a difference of two decimal fractions may come out too large."""


class OpenMeteo:
    """The source. variables: API variable → column of the rows. client: the client to use; None: one by the settings.

    injected_clock: that of a client by the settings. essential: the columns that an answer must have; None: all.
    Another variable that the API does not have is null in the rows; if the API refuses the variable by name, it is not
    asked for again in this object's life.
    Raises DeclarationError for a variable that the API does not have.
    """

    first_day = FIRST_DAY
    values_from = date(2022, 9, 1)  # outside Europe values begin in August 2022; earlier days may be asked for

    def __init__(
        self,
        settings: OpenMeteoSettings,
        variables: Mapping[str, str],
        client: OpenMeteoClient | None = None,
        injected_clock: bool = False,
        essential: Collection[str] | None = None,
    ) -> None:
        check_known(variables)
        self._optional = frozenset(
            name for name, column in variables.items() if essential is not None and column not in essential
        )
        self._unserved = Unserved()
        self._settings = settings
        self._variables = dict(variables)
        self._client = client
        self._injected_clock = injected_clock
        self._making = threading.Lock()

    @property
    def address(self) -> str:
        return str(self._settings.base_url)

    @property
    def terms(self) -> str:
        return terms_of(self._settings)

    @property
    def kind(self) -> str:
        """REAL for the provider's own hosts. Any other host is asked whether it is a simulator; a host that does not
        know the question is real."""
        return kind_at(self._settings.base_url.get_secret_value())

    def check_way(self) -> None:
        check_way(self._settings.base_url.get_secret_value())

    def examined(self, location: Location, now: Callable[[], datetime]) -> str:
        essential = [column for name, column in self._variables.items() if name not in self._optional]
        asks = OpenMeteo(brief(self._settings), self._variables, None, self._injected_clock, essential)
        return examined(asks, location, now)

    @property
    def client(self) -> OpenMeteoClient:
        """The client: one for this object's life, so that its limits hold over all requests."""
        with self._making:
            self._client = self._client or OpenMeteoClient(self._settings, injected_clock=self._injected_clock)
        return self._client

    @property
    def columns(self) -> Sequence[tuple[str, str]]:
        """location_key, ts_utc (start of the hour), and the columns of the variables."""
        kinds = [(column, "integer" if UNITS[name] == INDEX else "double") for name, column in self._variables.items()]
        return [("location_key", "string"), ("ts_utc", "timestamp"), *kinds]

    @property
    def called(self) -> Mapping[str, str]:
        """Column → its name in the API; the start of an hour is ``time`` there."""
        return {"ts_utc": "time"} | {column: name for name, column in self._variables.items()}

    def requests(self, wanted: PartitionSet, locations: Sequence[Location]) -> Sequence[Request]:
        asked = [one for one in locations if one.key in wanted.locations]
        days = {one.key: wanted.days_of(one.key).pieces for one in asked}
        limits = (self._settings.max_weight_per_request, self._settings.max_days_per_request)
        planned = plan_requests(days, asked, tuple(self._variables), *limits)
        return [replace(one, domain=self._settings.model_domain, optional=self._optional) for one in planned]

    def alone(self, request: Request, location: Location) -> Request:
        return replace(request, locations=(location,))

    def fetch(
        self, request: Request, now: Callable[[], datetime], cancelled: Callable[[], bool], attempts: int | None = None
    ) -> Reply:
        left = attempts or self._settings.attempts

        def ask(asked: Request) -> Sent:
            nonlocal left
            try:
                sent = self.client.fetch(asked, now, cancelled, max(1, left))  # a refused variable may cost an attempt
            except SourceError as error:
                left = error.attempts_left
                raise
            left = sent.attempts_left
            return sent

        try:
            sent = self._unserved.fetch(request, ask, cancelled)
        except SourceError as error:
            error.attempts_left = left
            raise
        return Reply(self._answers(sent.answers), sent.asked, sent.body, left)

    def described(self, request: Request) -> Mapping[str, Any]:
        return describe(request)

    def read(self, request: Mapping[str, Any], body: bytes, asked: datetime) -> Sequence[Answer]:
        """The rows of a kept answer, in today's columns: a variable that was not asked for then is null, and one that
        is no longer asked for is left out. Digests are those of the answer."""
        return self._answers(read_answers(body, described_request(request), asked, "Open-Meteo"))

    def asked_then(self, request: Mapping[str, Any], location: str) -> Question:
        asked = described_request(request)
        for one in asked.locations:
            if one.key == location:
                return _question(str(request["domain"]), asked.variables, one)
        raise SourceNonsense(f"{asked} did not ask about {location}")

    def _answers(self, answers: Sequence[LocationAnswer]) -> list[Answer]:
        return [
            Answer(
                answer.location_key,
                self._rows(answer.table),
                answer.digests,
                self._by_column(answer.lacking),
                SIMULATED if answer.made_up else REAL,
                self._by_column(answer.unasked),
            )
            for answer in answers
        ]

    def _by_column(self, sentences: Mapping[str, str]) -> dict[str, str]:
        """Sentences about variables, by column of the rows instead of variable."""
        return {self._variables[name]: why for name, why in sentences.items() if name in self._variables}

    def _rows(self, table: pa.Table) -> pa.Table:
        """A table of the API's variables as rows of the source."""
        import pyarrow as pa

        schema = schema_of(self._variables)
        columns = [table[it.name] if it.name in table.column_names else pa.nulls(len(table), it.type) for it in schema]
        return pa.table(columns, [name for name, _ in self.columns])

    def only(self, rows: pa.Table, days: Days) -> pa.Table:
        import pyarrow as pa
        import pyarrow.compute as pc

        return rows.filter(pc.is_in(rows["ts_utc"].cast(pa.date32()), value_set=pa.array(list(days), pa.date32())))

    def more_may_come(self, day: date) -> bool:
        """True: the source adds hours until the day is over."""
        return True

    def domain_of(self, question: Question) -> str:
        return domain_asked(question.domain)

    def question(self, location: Location) -> Question:
        return _question(domain_in_records(self._settings.model_domain), self._variables, location)

    def difference(self, location: str, then: Question, now: Question) -> str:
        """Another domain, coordinates that moved by more than ``same_location_degrees``, a variable never asked for."""
        asked, configured = domain_asked(then.domain), domain_asked(now.domain)
        if asked != configured:
            return f"asked for with the domain {asked}, configured is {configured}"  # the same for all locations
        if self.is_elsewhere(then, now):
            return (
                f"{location} was asked for at {then.latitude}, {then.longitude}; "
                f"configured are {now.latitude}, {now.longitude}"
            )
        never = sorted(set(now.variables) - set(then.variables))
        return f"{', '.join(never)} was never asked for at {location}" if never else ""

    def is_elsewhere(self, then: Question, now: Question) -> bool:
        return distance(then, now) > self._settings.same_location_degrees + ROUNDING


def _question(domain: str, variables: Iterable[str], location: Location) -> Question:
    return Question(NAME, domain, tuple(sorted(variables)), location.latitude, location.longitude)


def distance(one: Question, other: Question) -> float:
    """The distance of two questions in degrees, along the axis that differs more; 0 where one has no location."""
    if None in (one.latitude, one.longitude, other.latitude, other.longitude):
        return 0.0
    assert one.latitude is not None and other.latitude is not None
    assert one.longitude is not None and other.longitude is not None
    east = abs(one.longitude - other.longitude) % 360
    return max(abs(one.latitude - other.latitude), min(east, 360 - east))
