"""Every error that this project raises on purpose, in one tree.

LakehouseError                     message, and a remedy: what to do next
├── UsageError               the call or the configuration is wrong; nothing was done      exit status 2
│   ├── DeclarationError     an asset is declared wrongly (found when it is imported)
│   ├── SelectionError       a selection cannot be read; points at the place
│   ├── PartitionRangeError  a range of days or a location cannot be read
│   ├── ConfigurationError   a key or value of the configuration is wrong
│   └── MachineError    this machine lacks something (Java, a library, a writable folder)
└── RunError                 something failed while work was done                          exit status 1
    ├── SourceError          the source API failed (HTTP 5xx, at every attempt), or as follows
    │   ├── SourceRefused      it understood the request and refused it (HTTP 400 with a reason)
    │   │   └── SourceVariableRefused  because of variables that it cannot serve
    │   ├── SourceKeyRefused   it does not take the key
    │   ├── SourceTooMuch      one request asked for more than it gives at once
    │   ├── SourceNonsense     an answer came, but not one to the request (HTML, another unit, …)
    │   ├── SourceUnreachable  no connection, no answer in time, or a part of one, at every attempt
    │   ├── SourceLimited      a limit of calls is used up; a later request may pass
    │   ├── SourceNotAsked     it was not asked, because of what became of requests before
    │   ├── SourceClock        its clock and the run's are too far apart
    │   ├── SourceOfOtherKind  what it sends is made up and the table's rows are real, or the other way round
    │   ├── AnswerNotKept      it answered, and the answer could not be kept
    │   └── FetchCancelled     the caller ended the fetch while it waited
    ├── CheckFailed          a blocking check failed; the table is as it was
    ├── WarehouseError       a table could not be read or committed
    │   └── CommitConflict     another run committed first
    └── WarehouseLocked      another run holds the warehouse
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import datetime
from difflib import get_close_matches


class LakehouseError(Exception):
    """Base of all errors of the project.

    Parameters
    ----------
    message: what is wrong, and where.
    remedy: what to do about it; shown on a line of its own.
    """

    exit_status = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  {self.remedy}" if self.remedy else self.message


class UsageError(LakehouseError):
    """The call or the configuration is wrong. Raised before any work."""

    exit_status = 2


class DeclarationError(UsageError):
    """An asset is declared wrongly; raised at import, names the asset and the remedy."""


class SelectionError(UsageError):
    """A selection expression cannot be read; the message holds the text and a caret under the place."""


class PartitionRangeError(UsageError):
    """A partition range, day or location name cannot be read or makes no sense."""


class ConfigurationError(UsageError):
    """A configuration key or value is unknown, mistyped or out of bounds."""


class MachineError(UsageError):
    """The machine lacks something that is needed: Java, a library, a writable folder."""


class RunError(LakehouseError):
    """Something failed while work was being done."""


class SourceError(RunError):
    """The source could not give what was asked for. Raised as SourceError itself: it failed (HTTP 5xx) at every
    attempt.

    of_location: whether one location alone may be the cause, so that other locations are still asked. attempts_left:
    how many of the request's attempts were not needed; also 0 where that is not known.
    """

    of_location = True
    attempts_left = 0


class SourceRefused(SourceError):
    """The source understood the request and refused it (HTTP 400 with a reason). Asking again is no use."""


class SourceVariableRefused(SourceRefused):
    """The source cannot serve variables that the request names. A request for any other location would fail alike.

    variables: their names in the API.
    """

    of_location = False

    def __init__(self, message: str, remedy: str = "", variables: tuple[str, ...] = ()) -> None:
        super().__init__(message, remedy)
        self.variables = variables


class SourceKeyRefused(SourceError):
    """The source refuses the API key, or requires one and none was given."""

    of_location = False


class SourceTooMuch(SourceError):
    """One request asked for more locations, days or variables than the source gives at once."""

    of_location = False


class SourceNonsense(SourceError):
    """The answer is not one to the request: HTML, no JSON, another unit, one hour with two values, …"""


class SourceClock(SourceError):
    """The source's clock and the run's clock are too far apart. One of them is wrong, so nobody knows which hours are
    past."""

    of_location = False


class SourceOfOtherKind(SourceError):
    """The source sends made-up rows and the table holds real ones, or the other way round. They are mixed only if the
    run is told to."""

    of_location = False


class AnswerNotKept(SourceError):
    """A source answered, but the answer could not be stored. No rows are made of an answer that is not stored."""

    of_location = False


class SourceUnreachable(SourceError):
    """No connection, no answer in time, or an answer that broke off, at every attempt."""

    of_location = False


class SourceLimited(SourceError):
    """A limit of calls (of a minute, an hour, a day) is used up, or the source asks for a pause.

    until: from when on the source may be asked again (aware); None where that is not known. wait_seconds: how long that
    is from the moment at which this error was raised, by the clock that ``until`` comes from, which need not be the
    caller's; infinite where waiting does not help.
    """

    of_location = False

    def __init__(
        self, message: str, remedy: str = "", until: datetime | None = None, wait_seconds: float | None = None
    ) -> None:
        super().__init__(message, remedy)
        self.until = until
        self.wait_seconds = wait_seconds


class SourceNotAsked(SourceError):
    """A request was not sent, because earlier requests showed that it would fail.

    because: the error of those earlier requests.
    """

    of_location = False

    def __init__(self, because: SourceError) -> None:
        super().__init__(f"not asked: {because.message}", because.remedy)
        self.because = because


class FetchCancelled(SourceError):
    """The caller of a fetch ended it while it waited."""

    of_location = False


class CheckFailed(RunError):
    """A blocking check failed. The table is as it was."""


class WarehouseError(RunError):
    """A table could not be read or committed."""


class CommitConflict(WarehouseError):
    """Another run committed first; nothing was committed."""


class Refused(RunError):
    """A run waited as long as it may for something that other runs use, and then gave up. It did nothing, so it did not
    fail."""


class QueueFull(Refused):
    """YARN had no room for a run within yarn.queue_wait_seconds."""


class WarehouseLocked(Refused):
    """Another run holds the warehouse; the message names it."""


def with_remedy(message: str, remedy: str) -> str:
    """Message and remedy as sentences in one line: ``Port 80 is taken. Choose another one.``"""
    if not remedy or not message:
        return message or remedy
    return f"{message}{'' if message.endswith(('.', '!', '?', ':', ';')) else '.'} {remedy}"


_MOST = 600
"""The longest line of a report, in characters."""
_COLOURS = re.compile("\x1b\\[[0-9;]*m")
"""The escape sequences with which deltalake colours the causes of its errors."""
_CAUSE = "↳"
_TRACE = ("at ", "JVM stacktrace", "==", "'")
"""How a line begins that belongs to a stack trace, or to the query that an engine repeats below its message."""


def in_a_line(error: BaseException) -> str:
    """An error in one line for a report: without its stack trace, and cut where it is long.

    ==================================  ====================================================
    an error of this project            its message; the caller adds the remedy
    a system call that failed           ``Permission denied: /data/table``
    any other                           ``ValueError: the first two lines of its text``
    one that lists its causes (``↳``)   its first line, and all causes
    one without text                    ``KeyboardInterrupt``
    ==================================  ====================================================
    """
    if isinstance(error, LakehouseError):
        return error.message
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    lines = map(str.strip, _COLOURS.sub("", str(error)).splitlines())
    first, *rest = [line for line in lines if line] or [""]
    said = [first, *(line for line in rest if not line.startswith(_TRACE))]
    causes = [line for line in said if line.startswith(_CAUSE)]
    shown = [first, *causes] if causes else said[:2]
    return f"{type(error).__name__}: {' '.join(shown)}".removesuffix(": ")[:_MOST]


def unknown_names(
    what: str, given: Iterable[str], known: Collection[str], known_ones: str = "Known"
) -> tuple[str, str] | None:
    """Message and remedy for those of ``given`` names that are not ``known``, each named once; None where all are.

    ``unknown_names("asset", ["dayz", "x", "x"], ["days"])`` is ``assets 'dayz', 'x' are unknown`` and ``Did you mean
    'days'?``.
    """
    unknown = [name for name in dict.fromkeys(given) if name not in known]
    if not unknown:
        return None
    listed = sorted(known)
    near = dict.fromkeys(one for name in unknown for one in get_close_matches(name, listed, n=1))
    subject = f"{what} {unknown[0]!r} is" if len(unknown) == 1 else f"{what}s {', '.join(map(repr, unknown))} are"
    remedy = (
        f"Did you mean {' and '.join(map(repr, near))}?" if near else f"{known_ones} are {', '.join(listed) or 'none'}."
    )
    return f"{subject} unknown", remedy
