"""How every bad day of the source ends: a row a fault, for all locations and for one.

``PYTHONPATH=. python -m tests.support.fault_table`` prints it; tests/faults/test_fault_table.py holds commands to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

COMMANDS = ("materialize", "backfill", "hourly")
SCOPES = ("all", "one")
ONE = "hcmc"
"""The location that a fault is confined to."""


class Ends(StrEnum):
    """How a command ends."""

    WHOLE = "whole"
    """Well: the tables are those of a command without faults."""
    LATER = "later"
    """Well: what the source sent is in the tables; once it sends what is right, and is asked again, they are whole."""
    ALL_LATER = "later, all"
    """As ``LATER``, and of all locations, though one alone met it: it was not of one."""
    ALL_FAIL = "all fail"
    """Nothing was written; the failure names locations, days and cause once. The same call again makes all whole."""
    ONE_FAILS = "one fails"
    """As ``ALL_FAIL``, of the one location; the others are whole."""
    DAYS_FAIL = "days fail"
    """As ``ALL_FAIL``, of the days that were not brought any more."""


WHOLE, LATER, WIDER, ALL, ONLY, DAYS = Ends


@dataclass(frozen=True)
class Row:
    """kind: faults of which ``make test`` tries one. fault: as for ``--fault``, for all locations. of_all, of_one: how
    it ends. cause: what people are told, a regular expression; empty: nothing. once: one request, and no more.
    domain: that is asked for.
    """

    kind: str
    fault: str
    of_all: Ends
    of_one: Ends | None
    cause: str = ""
    once: bool = False
    domain: str = "auto"

    def ends(self, scope: str) -> Ends | None:
        return self.of_all if scope == "all" else self.of_one

    def faults(self, scope: str) -> str:
        return self.fault if scope == "all" else f"{self.fault}@{ONE}"


_STREAM = "Unexpected error while streaming data: timeoutReached"
_REFUSED = "No data is available for this location"
ROWS = (
    # What passes is asked again, in the same command.
    Row("passes", "stream_error@1x", WHOLE, WHOLE),
    Row("passes", "stream_error_alone@1x", WHOLE, WHOLE),
    Row("passes", "error_in_200@1x", WHOLE, WHOLE),
    Row("passes", "timeout@1x", WHOLE, WHOLE),
    Row("passes", "error@1x", WHOLE, WHOLE),
    Row("passes", "overload@1x", WHOLE, WHOLE),
    Row("passes", "proxy@1x", WHOLE, WHOLE),
    Row("passes", "limit@1x", WHOLE, WHOLE),
    Row("passes", "limit_429@concurrent@1x", WHOLE, WHOLE),
    Row("passes", "limit_400@concurrent@1x", WHOLE, WHOLE),
    Row("passes", "drop@1x", WHOLE, WHOLE),
    Row("passes", "truncate@1x", WHOLE, WHOLE),
    Row("passes", "drip@1x", WHOLE, WHOLE),
    Row("passes", "endless@1x", WHOLE, WHOLE),
    Row("passes", "slow", WHOLE, WHOLE),
    # What stays may be of one location, or not.
    Row("stays", "stream_error", ALL, ONLY, _STREAM),
    Row("stays", "stream_error_alone", ALL, ONLY, _STREAM),
    Row("stays", "error_in_200", ALL, ONLY, r"Something went wrong\."),
    Row("stays", "timeout", ALL, ONLY, "HTTP 408"),
    Row("stays", "error", ALL, ONLY, r"HTTP 500 \(Internal server error\)"),
    Row("stays", "overload", ALL, ONLY, r"HTTP 503 \(The service is overloaded\)"),
    Row("stays", "proxy@522", ALL, ONLY, "HTTP 522"),
    Row("no answer", "drop", ALL, ALL, "refused or broke the connection"),
    Row("no answer", "truncate", ALL, ALL, "cut its answer short"),
    Row("no answer", "drip", ALL, ALL, "did not send the whole of its answer"),
    Row("no answer", "endless", ALL, ALL, "did not send the whole of its answer|sent more than"),
    Row("no answer", "die:1", DAYS, None, "refused or broke the connection"),
    Row("nonsense", "html", ALL, ONLY, "HTML"),
    Row("nonsense", "nonsense", ALL, ONLY, "another shape"),
    Row("nonsense", "conflict", ALL, ONLY, "two different values for the hour"),
    # Refusals.
    Row("refused", "refuse", ALL, ONLY, _REFUSED),
    Row("refused", "domain_refused", ALL, ONLY, _REFUSED, domain="cams_europe"),
    Row("of nobody", "limit", ALL, ALL, "Minutely API request limit exceeded"),
    Row("of nobody", "limit_429@minute", ALL, ALL, "Minutely API request limit exceeded", once=True),
    Row("of nobody", "limit_429@hour", ALL, ALL, "Hourly API request limit exceeded", once=True),
    Row("of nobody", "limit_429@day", ALL, ALL, "Daily API request limit exceeded", once=True),
    Row("of nobody", "limit_400@hour", ALL, ALL, "Hourly API request limit exceeded", once=True),
    Row("of nobody", "limit_400@day", ALL, ALL, "Daily API request limit exceeded", once=True),
    Row("of nobody", "wrong_key", ALL, ALL, "The supplied API key is invalid", once=True),
    Row("of nobody", "redirect", ALL, ALL, r"HTTP 303.*/customer/v1/air-quality", once=True),
    Row("of nobody", "too_much", ALL, ALL, "requests too much data", once=True),
    Row("of nobody", "clock", ALL, ALL, "more than 5 min apart", once=True),
    Row("variables", "variable_refused@pm2_5", ALL, ALL, "pm2_5", once=True),
    Row("variables", "variable_refused", LATER, WIDER, "carbon_dioxide"),
    Row("variables", "undefined@pm2_5", ALL, ONLY, "pm2_5"),
    Row("variables", "undefined", LATER, LATER, "carbon_dioxide"),
    # Values.
    Row("values", "duplicate", WHOLE, WHOLE),
    Row("values", "nulls", LATER, LATER, "incomplete|stay as they were"),
    Row("values", "nulls@pm2_5", LATER, LATER, "incomplete|stay as they were"),
    Row("values", "nulls@2026-05-31T05", LATER, LATER, "incomplete|stay as they were"),
    Row("values", "withdrawn", LATER, LATER, "incomplete|stay as they were"),
    Row("values", "withdrawn:0.3", LATER, LATER, "incomplete|stay as they were"),
    Row("values", "negative", LATER, LATER),
    Row("values", "revise", LATER, LATER),
    Row("values", "frozen@2026-05-31T01", LATER, LATER, "the feed may stand still"),
    Row("values", "scale@2026-05-31", LATER, LATER, "scale"),
)


def cells() -> Iterator[tuple[Row, str, str]]:
    """Row, scope and command."""
    for row in ROWS:
        for scope in SCOPES:
            if row.ends(scope) is not None:
                yield from ((row, scope, command) for command in COMMANDS)


def in_words() -> str:
    """The table as Markdown."""
    lines = ["| fault | all locations | one location | told |", "|---|---|---|---|"]
    for row in ROWS:
        told = row.cause.replace("\\", "").replace("|", " or ") + (" (one request)" if row.once else "")
        lines.append(f"| `{row.fault}` | {row.of_all} | {row.of_one or ''} | {told} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(in_words())
