"""What a reply of Open-Meteo means: an answer, a trouble that may pass, or an error with what to do about it.

Pure: status, headers and body in, a value out. Must not know: how the reply came, the content of answers, waiting.

=============================================  ========================================  =========================
reply                                          becomes                                   asked again
=============================================  ========================================  =========================
200                                            the answer
200 with an error, a sentence, half of JSON    Trouble                                   yes
408, 5xx                                       Trouble                                   yes
429 by minute, by concurrency, or unnamed      Trouble (SourceLimited)                   yes, after Retry-After
a limit of an hour, a day, a month             SourceLimited, with ``until``             no, whatever its status
a key that is wrong or wanted; 401, 403        SourceKeyRefused                          no
401 about a user and a password                SourceKeyRefused                          no
too much at once; 413, 414                     SourceTooMuch                             no
a variable that the source does not have       SourceVariableRefused                     no
400 about a day, a location, a domain          SourceRefused                             no
3xx                                            SourceNonsense, or SourceKeyRefused       no, and not followed
any other                                      SourceNonsense                            no
=============================================  ========================================  =========================

Source: the server, github.com/open-meteo/open-meteo.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

from orchestration.core.errors import (
    SourceError,
    SourceKeyRefused,
    SourceLimited,
    SourceNonsense,
    SourceRefused,
    SourceTooMuch,
    SourceUnreachable,
    SourceVariableRefused,
)
from resources.machine.addresses import without_secrets
from resources.open_meteo.hosts import CUSTOMER_URL, is_customers
from resources.open_meteo.limits import DAY, HOUR, MINUTE, MONTH, free_again, server_time, used_up, wanted_wait
from resources.open_meteo.requests import AUTO, Request

STREAM_ERROR = b"Unexpected error while streaming data"
"""The end of a body whose rest the server could not read. Its status was sent before."""
LONGEST_REASON = 300
KEY_SETTING = "open_meteo.api_key (AQI_OPEN_METEO__API_KEY)"
ADDRESS_SETTING = "open_meteo.base_url (AQI_OPEN_METEO__BASE_URL)"

_KEY = re.compile(r"\bapi[ _-]key\b|\bapikey\b(?!=)|requires the API \w+|customer-'? prefixed", re.IGNORECASE)
_TOO_MUCH = re.compile(
    r"too much data|requests? too much|must not exceed \d+ coordinates|only up to \d+ locations"
    r"|too many (locations|coordinates|variables|days|places)|(url|uri|request|range) is too (long|large)"
    r"|\b(exceed\w*|limit|more than|at most|maximum)\b.*\b\d+ (locations|coordinates|variables|days|places)",
    re.IGNORECASE,
)
_DAYS = re.compile(r"out of allowed range|\b(start|end)[_-]?date\b|invalid date", re.IGNORECASE)
_COORDINATES = re.compile(r"\b(latitude|longitude)\b", re.IGNORECASE)
_NO_DATA = re.compile(r"\bno data\b", re.IGNORECASE)
_UNKNOWN_VALUE = re.compile(r"invalid string value", re.IGNORECASE)
_CONCURRENT = re.compile(r"too many concurrent|concurrency", re.IGNORECASE)
_GO_ON = {HOUR: "in the next full hour", DAY: "tomorrow (UTC)", MONTH: "in the next month"}


@dataclass(frozen=True)
class Reply:
    """An HTTP reply. headers: names in any case. body: decoded, without secrets."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Trouble:
    """A failed attempt that may be repeated."""

    what: str
    """What the host did; follows its name in messages."""
    kind: type[SourceError]
    """The error that it becomes if no attempt is left."""
    wait_seconds: float | None = None
    """The pause that the source asked for; None: the usual back-off."""
    until: datetime | None = None
    """When a used-up limit begins again."""
    remedy: str = ""
    calls: float | None = 1.0
    """The calls that the provider has counted for it; None: those of the request."""
    heard: bool = True
    """Whether the host sent anything at all."""


@dataclass(frozen=True)
class Asked:
    """A request, as messages name it."""

    request: Request
    source: str
    """The host."""
    at: datetime
    """When it was sent."""
    has_key: bool = False
    """Whether it was sent with a key."""
    has_user: bool = False
    """Whether the address has a user or a password."""

    def __str__(self) -> str:
        return str(self.request)


def reason(body: bytes) -> str:
    """The ``reason`` of the provider's ``{"error": true, "reason": …}``, alone or in an array; empty where there is
    none."""
    found = _refusal(body)
    return "" if found is None else _said_in(found)


def judged(reply: Reply, asked: Asked) -> Trouble | None:
    """None for an answer; a ``Trouble`` for an attempt that may be repeated. Raises a SourceError for other replies."""
    status = reply.status
    if status == 200:
        return _of_an_answer(reply, asked)
    said = reason(reply.body)
    plain = "" if said else _plain_text(reply.body)
    shown = said or plain
    did = f"answered HTTP {status}" + (f" ({shown})" if shown else "")
    head = f"{asked.source} {did} to {asked}"
    of_limit = said or (plain if used_up(plain) else "")  # a proxy has limits, too: text without a period says nothing
    if limited := _of_a_limit(status, of_limit, did, reply, asked):
        return limited
    if status == 408 or 500 <= status <= 599:
        return Trouble(did, SourceError, wanted_wait(reply.headers))
    if 300 <= status <= 399:
        raise _redirected(reply, asked)
    if not _KEY.search(shown) and _is_of_a_user(reply, asked):
        raise _user_refused(did, asked)
    if error := _lasting(status, shown, did, asked):
        raise error
    if status == 400 and said:
        raise _refused(said, asked)
    raise SourceNonsense(head, "Check open_meteo.base_url, and what stands between: a proxy may answer in its place.")


def _of_an_answer(reply: Reply, asked: Asked) -> Trouble | None:
    """The trouble with a body under status 200, as far as it shows without parsing the body; None where none shows."""
    body = reply.body.removeprefix(b"\xef\xbb\xbf").strip()
    if body.startswith(b"<"):
        return None  # ``read_answers`` reports HTML
    refusal = _refusal(body) if b'"error"' in body else None
    if refusal is not None:
        said = _said_in(refusal) or "no reason is given"
    elif (start := body.rfind(STREAM_ERROR)) >= 0:
        said = _in_a_line(body[start:].decode("utf-8", "replace"))
    elif not body:
        return Trouble("answered HTTP 200 with nothing", SourceUnreachable, calls=None)
    elif body[:1] not in b"{[":
        said = _in_a_line(body[: 2 * LONGEST_REASON].decode("utf-8", "replace"))
    elif body[-1:] not in b"}]":
        end = _in_a_line(body[-80:].decode("utf-8", "replace"))
        return Trouble(
            f"answered HTTP 200 with JSON that breaks off; it ends in {end!r}", SourceUnreachable, calls=None
        )
    else:
        return None
    did = f"answered HTTP 200 with an error ({said})"
    if limited := _of_a_limit(200, said, did, reply, asked):
        return limited
    if refusal is not None and (error := _lasting(200, said, did, asked)):
        raise error
    calls = 1.0 if refusal is not None else None  # a body that broke off later was counted with its full weight
    return Trouble(did, SourceError, wanted_wait(reply.headers), calls=calls)


def _of_a_limit(status: int, said: str, did: str, reply: Reply, asked: Asked) -> Trouble | None:
    """Trouble for a limit that is soon free again; None where no limit is used up. Raises SourceLimited for a long
    limit."""
    period = used_up(said)
    if status == 429:
        period = period or ""
    elif period == "" and _TOO_MUCH.search(said):
        return None
    if not period and _CONCURRENT.search(said):
        return Trouble(did, SourceLimited, wanted_wait(reply.headers), calls=_cost(status))
    if period is None:
        return None
    clock = server_time(reply.headers)
    wait, until = wanted_wait(reply.headers), free_again(period, clock or asked.at)
    if wait is not None and until is not None:
        until = max(until, (clock or asked.at) + timedelta(seconds=wait))
    if period == MINUTE or (not period and status == 429):
        if wait is None and period == MINUTE:
            wait = 60.0 - (clock.second if clock else 0)
        return Trouble(did, SourceLimited, wait, until, calls=_cost(status))
    if period not in _GO_ON:
        when = "later"
    elif clock is None or until is None:
        when = _GO_ON[period]
    else:
        when = f"after {until:%Y-%m-%dT%H:%MZ}"
    remedy = f"The limit of this address or key is used up. Go on {when}."
    seconds = None if clock is None or until is None else (until - clock).total_seconds()
    raise SourceLimited(f"{asked.source} {did} to {asked}", remedy, until, seconds)


def _cost(status: int) -> float:
    """The calls that an error costs: one, or none for a request that was refused for a limit."""
    return 0.0 if status == 429 else 1.0


def _lasting(status: int, said: str, did: str, asked: Asked) -> SourceError | None:
    """The error for a reason that is the same for every location; None where the reason is another."""
    if status in (401, 403) or _KEY.search(said):
        return _key_refused(did, asked)
    if status in (413, 414, 431) or _TOO_MUCH.search(said):
        weight = f"{asked.request.weight:.1f} calls"
        what = f"{asked.source} {did} to {asked}, which is too much at once ({weight})"
        remedy = "Lower open_meteo.max_weight_per_request, or open_meteo.max_days_per_request."
        return SourceTooMuch(what, remedy)
    unknown = _UNKNOWN_VALUE.search(said)
    if unknown and re.search("domain", said, re.IGNORECASE):
        error = SourceRefused(
            f"{asked.source} refused {asked}: {said}",
            "It does not know this domain: correct open_meteo.model_domain.",
        )
        error.of_location = False
        return error
    if unknown or (status == 400 and re.search(r"\bvariables?\b", said, re.IGNORECASE)):
        variables = asked.request.variables
        named = tuple(name for name in variables if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said))
        if named:
            names = ", ".join(named)
            what = f"{asked.source} refused the variable {names}, asked for {asked}: {said}"
            remedy = f"It has no {names} now. Ask again later; if it stays, its documentation says what came instead."
            return SourceVariableRefused(what, remedy, named)
    return None


def _key_refused(did: str, asked: Asked) -> SourceKeyRefused:
    """The error for a key that is not accepted, or is missing."""
    if asked.has_key:
        what = f"{asked.source} does not take the key (open_meteo.api_key): it {did} to {asked}"
        remedy = f"Correct {KEY_SETTING}, or open_meteo.base_url: a key is for {CUSTOMER_URL} and for nothing else."
    else:
        what = f"{asked.source} wants a key, and open_meteo.api_key is not set: it {did} to {asked}"
        remedy = f"Set {KEY_SETTING}, or ask a host that wants none: open_meteo.base_url."
    return SourceKeyRefused(what, remedy)


def _is_of_a_user(reply: Reply, asked: Asked) -> bool:
    """Whether a refusal is about user and password, not about a key: for instance those of a proxy before the
    source."""
    wanted = reply.headers.get("WWW-Authenticate", "").strip().lower().startswith(("basic", "digest"))
    if reply.status == 401:
        return wanted or (asked.has_user and not asked.has_key)
    return reply.status == 403 and asked.has_user and not asked.has_key


def _user_refused(did: str, asked: Asked) -> SourceKeyRefused:
    """The error for a user and password that are not accepted, or are missing."""
    if asked.has_user:
        what = f"{asked.source} does not take the user and password of open_meteo.base_url: it {did} to {asked}"
        remedy = f"Correct them in {ADDRESS_SETTING}; a sign like @ or / in them is written %40, %2F."
    else:
        what = f"{asked.source} wants a user and a password, and open_meteo.base_url has none: it {did} to {asked}"
        remedy = f"Write them before the host in {ADDRESS_SETTING}, or ask another host."
    return SourceKeyRefused(what, remedy)


def _refused(said: str, asked: Asked) -> SourceRefused:
    """The error for days and locations that the source does not have."""
    domain = asked.request.domain
    about = str(asked) if domain == AUTO else f"{asked} (domain {domain})"
    remedy = "Change the days or the location that it names."
    if _DAYS.search(said):
        remedy = "Ask for days that it has: --partitions, or history.since."
    elif _COORDINATES.search(said):
        remedy = "Correct the location's coordinates (locations)."
    elif _NO_DATA.search(said):
        remedy = "Correct the location's coordinates (locations)."
        if domain != AUTO:
            remedy = (
                f"The domain {domain} may not cover it: take another open_meteo.model_domain (auto: what there is), or "
                "leave the location out."
            )
    return SourceRefused(f"{asked.source} refused {about}: {said}", remedy)


def _redirected(reply: Reply, asked: Asked) -> SourceError:
    """The error for a redirect. Redirects are not followed: the key would go to the other address, too."""
    location = reply.headers.get("Location", "").strip()
    try:
        to = without_secrets(urljoin(f"http://{asked.source}/", location)) if location else ""
        host = urlsplit(to).hostname or ""
    except ValueError:  # its text repeats the address
        to = host = ""
    what = f"{asked.source} answered HTTP {reply.status} to {asked}: it sends us on to {to or 'no address'}"
    if is_customers(host):
        what += ", where keys belong; that was not followed"
        remedy = f"Set open_meteo.base_url to https://{host}, or ask without {KEY_SETTING}."
        return SourceKeyRefused(what, remedy)
    if host == urlsplit(f"//{asked.source}").hostname and to.startswith("https:"):
        remedy = f"Set open_meteo.base_url to https://{urlsplit(to).netloc}."
    else:
        remedy = (
            "If it has moved there, set open_meteo.base_url; if not, a proxy or a login page answers in its place: "
            "open the address in a browser."
        )
    error = SourceNonsense(what + ", which was not followed", remedy)
    error.of_location = False
    return error


def _refusal(body: bytes) -> Mapping[str, Any] | None:
    """The provider's error in a body; the body may have several documents."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return None
    documents = payload if isinstance(payload, list) else [payload]
    return next((it for it in documents if isinstance(it, dict) and it.get("error") and "hourly" not in it), None)


def _said_in(refusal: Mapping[str, Any]) -> str:
    said = refusal.get("reason", refusal["error"])
    return _in_a_line(said) if isinstance(said, str) else ""


def _plain_text(body: bytes) -> str:
    """The text of a body that is neither JSON nor HTML; empty for such a body."""
    text = body[:LONGEST_REASON].decode("utf-8", "replace").strip()
    return "" if text[:1] in ("<", "{", "[") else _in_a_line(text)


def _in_a_line(text: str) -> str:
    """A text as one line, without control characters, cut to LONGEST_REASON."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 3] + "..."


def left_alone(trouble: Trouble, asked: Asked, now: datetime, wait_seconds: float) -> SourceLimited:
    """The error where the source asks for a pause that is longer than a request may take."""
    what = f"{asked.source} {trouble.what} to {asked}"
    until = max(trouble.until or now, now + timedelta(seconds=wait_seconds))
    remedy = f"It asks to be left alone for {wait_seconds:.0f} s. Go on after that."
    return SourceLimited(what, remedy, until, wait_seconds)
