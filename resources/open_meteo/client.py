"""A client of Open-Meteo's air quality API: it keeps the limits, tries again, and says what a failed fetch means.

Has clock and sleep. Must not know: Spark, tables, runs, configuration files. Other modules know what to ask for
(``requests``), how to send it (``exchange``), what a reply means (``replies``), and what an answer must look like
(``answers``).

Source: https://open-meteo.com/en/docs/air-quality-api and the server, github.com/open-meteo/open-meteo.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

from orchestration.core.errors import (
    ConfigurationError,
    FetchCancelled,
    SourceClock,
    SourceError,
    SourceLimited,
    SourceUnreachable,
)
from resources.machine.clock import Clock
from resources.machine.secrets import never_log
from resources.open_meteo.answers import LocationAnswer, read_answers
from resources.open_meteo.clocks import CLOCK_HEADER, INJECTED, Exchange
from resources.open_meteo.exchange import Bounds, Exchanges, NoReply
from resources.open_meteo.hosts import FREE_URL
from resources.open_meteo.limits import WINDOWS, server_time, until_free
from resources.open_meteo.replies import Asked, Reply, Trouble, judged, left_alone
from resources.open_meteo.requests import Request
from resources.open_meteo.secrets import Secrets
from resources.open_meteo.settings import OpenMeteoSettings

LONGEST_BACKOFF_SECONDS = 60.0
ATTEMPTS_IN_TIME = 3
"""At least this many attempts fit into the time of a request, however slow each of them is."""
SPARE_BYTES, BYTES_A_CELL = 1 << 20, 64
"""The greatest length of a decoded answer. A value has some 8 bytes, an hour 19."""


def never() -> bool:
    """The default of ``cancelled``."""
    return False


@dataclass(frozen=True, eq=False)
class Sent:
    """The source's answer to a request."""

    answers: list[LocationAnswer]
    """In the order of the request's locations."""
    asked: datetime
    """When the request was sent (aware); by the source's clock, if that was compared."""
    body: bytes
    """The body as it was sent, without secrets that it repeats."""
    attempts_left: int = 0
    """How many attempts of the request were not needed."""


@dataclass
class _Made:
    """The number of attempts made for a request."""

    times: int = 0


E = TypeVar("E", bound=SourceError)


class OpenMeteoClient:
    """Fetches from the API, one request at a time, within its limits. Can be shared between threads.

    settings: the address, the key, the number and times of attempts, and the limits of the plan. The client waits for
    the limit of a minute and refuses to exceed the others. Before the second attempt it waits ``backoff_seconds``,
    doubled each time, ± half of it. All attempts and pauses of a request end within ``request_deadline_seconds``; those
    at a host that sends nothing within ``unreachable_seconds``. injected_clock: whether the clock given to ``fetch`` is
    not the time of day; then the source's clock is compared with it only if that one says the same of itself. sleep,
    monotonic: for tests. Raises ConfigurationError for a wrong base URL.
    """

    def __init__(
        self,
        settings: OpenMeteoSettings,
        *,
        injected_clock: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        base_url = settings.base_url.get_secret_value()
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"the base URL of Open-Meteo must be like {FREE_URL} (got {settings.base_url})")
        self._settings = settings
        self._url = base_url.rstrip("/") + "/v1/air-quality"
        name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self._host = name + (f":{parts.port}" if parts.port else "")
        self._api_key = (settings.api_key.get_secret_value() if settings.api_key else None) or None
        self._secrets = Secrets(self._api_key, parts.password, user=parts.username)
        self._has_user = bool(parts.username or parts.password)
        never_log(self._secrets)
        self._injected_clock = injected_clock
        self._calls = (settings.calls_per_day, settings.calls_per_hour, settings.calls_per_minute)
        self._sleep, self._monotonic = sleep, monotonic
        self._sent: list[tuple[float, float]] = []  # (when, weight) of the last day
        self._lock = threading.Lock()
        self._reading = threading.Lock()  # one at a time: Python's objects of an answer are ten times its text
        self._exchanges = Exchanges("air-quality-lakehouse")

    def fetch(
        self,
        request: Request,
        now: Clock,
        cancelled: Callable[[], bool] = never,
        attempts: int | None = None,
    ) -> Sent:
        """What the source answers to a request. Hours after the moment of asking are left out. now: the run's clock.

        attempts: the greatest number of attempts; None: that of the settings.
        Raises SourceRefused, SourceVariableRefused, SourceKeyRefused, SourceTooMuch, SourceNonsense, SourceClock,
        SourceUnreachable, SourceLimited, FetchCancelled, and a plain SourceError where the source failed (HTTP 5xx, or
        an error under status 200) at every attempt. ``core.errors`` says what the errors mean, ``replies`` which reply
        becomes which error. The messages name host, locations and days, never the key.
        """
        made = _Made()
        most = attempts or self._settings.attempts
        try:
            reply, exchange = self._ask(request, now, cancelled, most, made)
            with self._reading:
                answers = read_answers(reply.body, request, exchange.asked, self._host)
            if exchange.apart.total_seconds() > self._settings.max_clock_difference_minutes * 60:
                self._refuse(request, exchange)
        except SourceError as error:
            error.attempts_left = most - made.times
            raise self._hidden(error) from None
        return Sent(answers, exchange.asked, reply.body, most - made.times)

    def _ask(
        self, request: Request, now: Clock, cancelled: Callable[[], bool], attempts: int, made: _Made
    ) -> tuple[Reply, Exchange]:
        """The reply with the answer, and the moments of the exchange. Raises the errors of ``fetch``."""
        settings, heard = self._settings, False
        attempts = min(attempts, settings.attempts)
        with self._turn(request, cancelled):
            self._keep_pace(request, now, cancelled)
            began = self._monotonic()
            while True:
                passed = self._monotonic() - began
                before = now()  # again for each attempt: a request can wait for minutes until it is sent
                asked = Asked(request, self._host, before, self._api_key is not None, self._has_user)
                made.times += 1
                outcome = self._attempt(asked, self._bounds(request, passed, heard), cancelled)
                if isinstance(outcome, Reply):
                    return outcome, self._in_time(before, now(), outcome)
                heard = heard or outcome.heard
                if made.times >= attempts:
                    break
                most = settings.request_deadline_seconds
                most = most if heard else min(most, settings.unreachable_seconds)
                left = most - (self._monotonic() - began)
                wait = outcome.wait_seconds or self._backoff(made.times)  # 0: no host is asked twice without a pause
                if wait >= left and outcome.wait_seconds:
                    raise left_alone(outcome, asked, now(), wait)
                if wait >= left:
                    break
                self._pause(wait, request, cancelled)
                self._keep_pace(request, now, cancelled)
        times = "once" if made.times == 1 else f"{made.times} times"
        ended = ""
        if made.times < attempts:
            name = "request_deadline_seconds" if heard else "unreachable_seconds"
            ended = f", which is what open_meteo.{name} ({most:g}) leaves time for"
        what = f"{self._host} {outcome.what}; asked {times} for {request}{ended}"
        remedy = outcome.remedy or "Ask again later, or check the network and open_meteo.base_url."
        if issubclass(outcome.kind, SourceLimited):
            until = outcome.until or self._later(now, outcome.wait_seconds)
            raise SourceLimited(what, remedy, until, outcome.wait_seconds)
        raise outcome.kind(what, remedy)

    def _bounds(self, request: Request, passed: float, heard: bool) -> Bounds:
        """The bounds of an attempt that begins ``passed`` seconds after the first one. heard: whether the host has sent
        anything."""
        settings = self._settings
        whole = settings.request_deadline_seconds
        silent = settings.read_timeout_seconds
        if not heard:
            silent = min(silent, max(settings.unreachable_seconds - passed, 1.0))
        return Bounds(
            min(settings.connect_timeout_seconds, silent),
            silent,
            max(min(whole / ATTEMPTS_IN_TIME, whole - passed), 0.1),
            SPARE_BYTES + BYTES_A_CELL * len(request.locations) * len(request.days) * 24 * (len(request.variables) + 1),
        )

    def _backoff(self, made: int) -> float:
        """Seconds to wait before the next attempt. made: the number of attempts so far."""
        seconds = min(LONGEST_BACKOFF_SECONDS, self._settings.backoff_seconds * 2.0 ** min(made - 1, 20))
        return seconds * random.uniform(0.5, 1.5)  # noqa: S311 (no secret)

    def _attempt(self, asked: Asked, bounds: Bounds, cancelled: Callable[[], bool]) -> Reply | Trouble:
        """One HTTP exchange: its reply, or a trouble that may pass. Raises SourceError for an error that will not
        pass."""
        query = asked.request.parameters | ({"apikey": self._api_key} if self._api_key else {})
        try:
            status, headers, body = self._exchanges.get(self._url, query, bounds, cancelled)
        except NoReply as failed:
            if failed.taken:  # perhaps the provider has served and counted the request
                self._count(asked.request.weight)
            if failed.passes:
                return Trouble(failed.what, SourceUnreachable, remedy=failed.remedy, calls=None, heard=failed.heard)
            what = f"{self._host} {failed.what}; asked once for {asked}"
            raise SourceUnreachable(what, failed.remedy) from None
        self._pause(0, asked.request, cancelled)
        reply = Reply(status, headers, self._secrets.hidden_in_body(body))  # read as it will be kept
        try:
            trouble = judged(reply, asked)
        except SourceError:
            if status != 429:
                self._count(1.0)
            raise
        calls = None if trouble is None else trouble.calls
        self._count(asked.request.weight if calls is None else calls)
        return trouble or reply

    def _in_time(self, before: datetime, after: datetime, reply: Reply) -> Exchange:
        """The moments of an exchange, with the source's clock only if both clocks show the time of day, or both are
        injected."""
        is_injected = reply.headers.get(CLOCK_HEADER) == INJECTED
        date = server_time(reply.headers) if is_injected or not self._injected_clock else None
        return Exchange(before, after, date, is_injected)

    def _refuse(self, request: Request, exchange: Exchange) -> NoReturn:
        most_apart = self._settings.max_clock_difference_minutes
        apart = f"more than {most_apart:g} min apart (open_meteo.max_clock_difference_minutes)"
        what = f"{self._host} answered {request}, but {exchange.in_words}: {apart}"
        if exchange.is_injected:
            remedy = "The source's clock is injected, as a simulator's is: give it and the run the same AQI_CLOCK__NOW."
        else:
            remedy = (
                "One of them is wrong, and nothing was taken. Look at this machine's (`date -u`); "
                "if it is right, at the source's, or at what stands between: open_meteo.base_url."
            )
        raise SourceClock(what, remedy)

    def _count(self, calls: float) -> None:
        """Note that the provider has counted this many calls: the weight of a request, or one for an error."""
        if calls:
            self._sent.append((self._monotonic(), calls))

    def _keep_pace(self, request: Request, now: Clock, cancelled: Callable[[], bool]) -> None:
        """Wait until the request fits into the minute's limit; refuse to exceed the hour's or the day's."""
        at = self._monotonic()
        self._sent = [(when, weight) for when, weight in self._sent if when > at - 86400]
        for (name, seconds), calls in zip(WINDOWS, self._calls, strict=True):
            limit = f"the {calls:.12g} calls a {name} that {self._host} allows"
            if request.weight > calls:
                what = f"{request} weighs {request.weight:.1f} calls, more than {limit}"
                remedy = "Ask for less in one request: lower open_meteo.max_weight_per_request."
                raise SourceLimited(what, remedy, wait_seconds=inf)
            wait = until_free(self._sent, request.weight, at, seconds, calls)
            if name == "minute":
                self._pause(wait, request, cancelled)
            elif wait:
                remedy = f"Go on in {wait / 60:.0f} minutes, or raise the limit with a paid plan."
                raise SourceLimited(f"{request} would exceed {limit}", remedy, self._later(now, wait), wait)

    def _later(self, now: Clock, seconds: float | None) -> datetime | None:
        return None if seconds is None else now() + timedelta(seconds=seconds)

    def _pause(self, seconds: float, request: Request, cancelled: Callable[[], bool]) -> None:
        """Sleep, at most a second at a time, so that a cancelled run ends soon. Raises FetchCancelled."""
        while True:
            if cancelled():
                raise FetchCancelled(f"the fetch of {request} from {self._host} was cancelled")
            if seconds <= 0:
                return
            self._sleep(min(seconds, 1.0))
            seconds -= 1.0

    @contextmanager
    def _turn(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[None]:
        """Wait until no other request is in progress: the provider serves one at a time, and refuses a sixth that
        waits."""
        while not self._lock.acquire(timeout=0.2):
            self._pause(0, request, cancelled)
        try:
            yield
        finally:
            self._lock.release()

    def _hidden(self, error: E) -> E:
        """The error without secrets, which the source may have repeated."""
        error.message, error.remedy = self._secrets.hidden_in(error.message), self._secrets.hidden_in(error.remedy)
        error.args = (error.message,)
        return error
