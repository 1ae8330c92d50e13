"""Client of Open-Meteo's air quality API: asks politely, asks again, and says what a failed fetch means.

Has network, clock and sleep. Must not know: Spark, tables, runs, configuration files; what to ask for
(``requests``) and what an answer must look like (``answers``) stand beside it.

Source: https://open-meteo.com/en/docs/air-quality-api and the server, github.com/open-meteo/open-meteo.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn
from urllib.parse import urlsplit

import requests

from orchestration.core.errors import (
    ConfigurationError,
    FetchCancelled,
    SourceClock,
    SourceError,
    SourceLimited,
    SourceNonsense,
    SourceRefused,
    SourceUnreachable,
)
from resources.machine.clock import Clock
from resources.open_meteo.answers import PlaceAnswer, read_answers
from resources.open_meteo.clocks import CLOCK_HEADER, INJECTED, Exchange
from resources.open_meteo.limits import (
    WINDOWS,
    long_limit,
    reason,
    seconds_until,
    server_time,
    until_free,
    used_up_until,
    wanted_wait,
)
from resources.open_meteo.requests import Request
from resources.open_meteo.secrets import Secrets
from resources.open_meteo.settings import OpenMeteoSettings

FREE_URL = "https://air-quality-api.open-meteo.com"
MAX_WAIT_SECONDS = 120.0  # a source that wants to be left alone for longer is an error, not a pause


def never() -> bool:
    """The default of ``cancelled``."""
    return False


@dataclass(frozen=True, eq=False)
class Sent:
    """What the source sent to a request.

    answers: in the order of its locations. asked: the moment of asking (aware), by the source's clock where that was
    compared. body: as it was sent, but for secrets that it repeats. attempts_left: of those that the request had.
    """

    answers: list[PlaceAnswer]
    asked: datetime
    body: bytes
    attempts_left: int = 0


@dataclass(frozen=True)
class _Trouble:
    """An attempt that failed and may be repeated.

    kind: the error that it becomes where no attempt is left. wait_seconds: as the source asked; None: back
    off.
    """

    what: str
    kind: type[SourceError]
    wait_seconds: float | None = None


class _Attempts:
    """How often a request may be sent yet."""

    def __init__(self, given: int | None, configured: int) -> None:
        self.left = configured if given is None else given
        self.most = min(self.left, configured)

    def take(self) -> None:
        self.left -= 1


class OpenMeteoClient:
    """Fetches from the API, one request at a time, within its limits; safe to share between threads.

    settings: where it is, with which key, how often and how long it is asked, and the limits of the plan: it waits for
    the minute's, and refuses to exceed the others. Before the second attempt it waits for ``backoff_seconds``, doubled
    each time, ± half of it.
    injected_clock: the clock that ``fetch`` is given is not the time of day; then the source's is compared with it only
    where that says that it is not either. sleep, monotonic: for tests.
    Raises ConfigurationError for a base URL that is none.
    """

    def __init__(
        self,
        settings: OpenMeteoSettings,
        *,
        injected_clock: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        base_url = settings.base_url
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"the base URL of Open-Meteo must be like {FREE_URL} (got {base_url!r})")
        self._url = base_url.rstrip("/") + "/v1/air-quality"
        self._host = parts.hostname + (f":{parts.port}" if parts.port else "")
        self._api_key = (settings.api_key.get_secret_value() if settings.api_key else None) or None
        self._secrets = Secrets(self._api_key, parts.password)
        self._injected_clock = injected_clock
        self._most_apart_minutes = settings.max_clock_difference_minutes
        self._timeout = (settings.connect_timeout_seconds, settings.read_timeout_seconds)
        self._attempts, self._backoff_seconds = settings.attempts, settings.backoff_seconds
        self._calls = (settings.calls_per_day, settings.calls_per_hour, settings.calls_per_minute)
        self._sleep, self._monotonic = sleep, monotonic
        self._sent: list[tuple[float, float]] = []  # (when, weight) of the last day
        self._lock = threading.Lock()
        self._reading = threading.Lock()  # one at a time: Python's objects of an answer are ten times its text
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "air-quality-lakehouse"

    def fetch(
        self, request: Request, now: Clock, cancelled: Callable[[], bool] = never, attempts: int | None = None
    ) -> Sent:
        """What the source sends; hours after the moment of asking are left out of the answers. now: the run's clock.
        attempts: so many at the most, where they are fewer than the settings give.

        Raises SourceRefused, SourceNonsense, SourceClock, SourceUnreachable, SourceLimited, FetchCancelled, and a plain
        SourceError where the source failed (HTTP 5xx) at every attempt; ``core.errors`` says what they mean.
        The messages name host, places and days, never the key.
        """
        counted = _Attempts(attempts, self._attempts)
        try:
            return self._fetch(request, now, cancelled, counted)
        except SourceError as error:
            error.attempts_left = counted.left
            raise

    def _fetch(self, request: Request, now: Clock, cancelled: Callable[[], bool], attempts: _Attempts) -> Sent:
        body, exchange = self._ask(request, now, cancelled, attempts)
        body = self._secrets.hidden_in_body(body)  # before it is read: what is kept must read the same
        try:
            with self._reading:
                answers = read_answers(body, request, exchange.asked, self._host)
        except SourceNonsense as error:
            raise SourceNonsense(self._hide(error.message), error.remedy) from None
        if exchange.apart.total_seconds() > self._most_apart_minutes * 60:
            self._refuse(request, exchange)
        return Sent(answers, exchange.asked, body, attempts.left)

    def _ask(
        self, request: Request, now: Clock, cancelled: Callable[[], bool], attempts: _Attempts
    ) -> tuple[bytes, Exchange]:
        """The body as it was sent, and when; errors as in ``fetch``."""
        trouble = _Trouble("was never asked", SourceError)
        with self._turn(request, cancelled):
            for attempt in range(attempts.most):
                if attempt:
                    backoff = self._backoff_seconds * 2 ** (attempt - 1)
                    jitter = random.uniform(0.5, 1.5)  # noqa: S311 (no secret)
                    asked = trouble.wait_seconds
                    wait = min(MAX_WAIT_SECONDS, backoff * jitter) if asked is None else asked
                    self._pause(wait, request, cancelled)
                self._keep_pace(request, cancelled)
                attempts.take()
                before = now()  # a request can wait for minutes until it is its turn
                outcome = self._attempt(request)
                if not isinstance(outcome, _Trouble):
                    return outcome.content, self._in_time(before, now(), outcome)
                trouble = outcome
        times = "once" if attempts.most == 1 else f"{attempts.most} times"
        remedy = "Ask again later, or check the network and open_meteo.base_url."
        raise trouble.kind(self._hide(f"{self._host} {trouble.what}; asked {times} for {request}"), remedy)

    def _in_time(self, before: datetime, after: datetime, reply: requests.Response) -> Exchange:
        """The source's clock is compared where it and the run's are of one kind."""
        is_injected = reply.headers.get(CLOCK_HEADER) == INJECTED
        date = server_time(reply) if is_injected or not self._injected_clock else None
        return Exchange(before, after, date, is_injected)

    def _refuse(self, request: Request, exchange: Exchange) -> NoReturn:
        apart = f"more than {self._most_apart_minutes:g} min apart (open_meteo.max_clock_difference_minutes)"
        what = f"{self._host} answered {request}, but {exchange.told}: {apart}"
        if exchange.is_injected:
            remedy = "The source's clock is injected, as a simulator's is: give it and the run the same AQI_CLOCK__NOW."
        else:
            remedy = (
                "One of them is wrong, and nothing was taken. Look at this machine's (`date -u`); "
                "if it is right, at the source's, or at what stands between: open_meteo.base_url."
            )
        raise SourceClock(self._hide(what), remedy)

    def _attempt(self, request: Request) -> requests.Response | _Trouble:
        """One HTTP exchange: a good reply, or trouble that may pass. Raises SourceError for what will not."""
        query = request.parameters | ({"apikey": self._api_key} if self._api_key else {})
        # The texts of requests' exceptions hold the whole URL with the key: none is passed on.
        try:
            reply = self._session.get(self._url, params=query, timeout=self._timeout, allow_redirects=False)
        except requests.ConnectTimeout:
            return _Trouble(f"could not be reached within {self._timeout[0]:g} s", SourceUnreachable)
        except requests.Timeout:
            self._count(request)
            return _Trouble(f"did not answer within {self._timeout[1]:g} s", SourceUnreachable)
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
            self._count(request)
            return _Trouble("cut its answer short", SourceUnreachable)
        except requests.ConnectionError as error:
            what = f"refused or broke the connection ({_root_cause(error)})"
            return _Trouble(what, SourceUnreachable)
        except requests.RequestException as error:
            what = f"{self._host} cannot be asked for {request} ({type(error).__name__})"
            raise SourceUnreachable(what, "Check open_meteo.base_url.") from None
        if reply.status_code != 429:
            self._count(request)
        if reply.status_code == 200:
            return reply
        return self._judge(reply, request)

    def _judge(self, reply: requests.Response, request: Request) -> _Trouble:
        """What a status other than 200 means: trouble that may pass. Raises SourceError for what will not."""
        status, because = reply.status_code, reason(reply)
        said = f"answered HTTP {status}" + (f" ({because})" if because else "")
        head = self._hide(f"{self._host} {said} to {request}")
        wait = wanted_wait(reply)
        if status == 429 and (until := long_limit(reply)):
            again = used_up_until(reply)
            seconds = None if again is None else seconds_until(reply, again)
            remedy = f"The limit of this address or key is used up. Go on {until}."
            raise SourceLimited(head, remedy, again, seconds)
        if status in (429, 500, 502, 503, 504):
            if wait is not None and wait > MAX_WAIT_SECONDS:
                remedy = f"It asks to be left alone for {wait:.0f} s. Go on after that."
                raise SourceLimited(head, remedy, wait_seconds=wait)
            return _Trouble(said, SourceLimited if status == 429 else SourceError, wait)
        if status == 400 and because:
            refusal = self._hide(f"{self._host} refused {request}: {because}")
            raise SourceRefused(refusal, "Change the days or the location that it names.")
        kind = SourceError if status >= 500 else SourceNonsense
        raise kind(head, "Check open_meteo.base_url and the API key, or ask again later.")

    def _count(self, request: Request) -> None:
        """Note that the provider has counted the request."""
        self._sent.append((self._monotonic(), request.weight))

    def _keep_pace(self, request: Request, cancelled: Callable[[], bool]) -> None:
        """Wait until the request fits into the minute's limit; refuse to exceed the hour's or the day's."""
        at = self._monotonic()
        self._sent = [(when, weight) for when, weight in self._sent if when > at - 86400]
        for (name, seconds), calls in zip(WINDOWS, self._calls, strict=True):
            limit = f"the {calls:.12g} calls a {name} that {self._host} allows"
            if request.weight > calls:
                what = f"{request} weighs {request.weight:.1f} calls, more than {limit}"
                remedy = "Ask for less in one request: lower open_meteo.max_weight_per_request."
                raise SourceLimited(what, remedy)
            wait = until_free(self._sent, request.weight, at, seconds, calls)
            if name == "minute":
                self._pause(wait, request, cancelled)
            elif wait:
                remedy = f"Go on in {wait / 60:.0f} minutes, or raise the limit with a paid plan."
                raise SourceLimited(f"{request} would exceed {limit}", remedy, wait_seconds=wait)

    def _pause(self, seconds: float, request: Request, cancelled: Callable[[], bool]) -> None:
        """Sleep, at most a second at a time, so that a cancelled run ends soon."""
        while True:
            if cancelled():
                raise FetchCancelled(f"the fetch of {request} from {self._host} was cancelled")
            if seconds <= 0:
                return
            self._sleep(min(seconds, 1.0))
            seconds -= 1.0

    @contextmanager
    def _turn(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[None]:
        """One request at a time: the provider serves them so, and refuses a sixth that waits."""
        while not self._lock.acquire(timeout=0.2):
            self._pause(0, request, cancelled)
        try:
            yield
        finally:
            self._lock.release()

    def _hide(self, text: str) -> str:
        """The text without the key, in case that the source repeated it."""
        return self._secrets.hidden_in(text)


def _root_cause(error: BaseException) -> str:
    """The name or the system's text of what lies under a chain of exceptions; never a URL."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__
