"""Requests to Open-Meteo's air quality API, and which of them a run needs.

Pure. Must not know: HTTP, what an answer looks like, Spark, tables, configuration files. Source:
https://open-meteo.com/en/docs/air-quality-api; weights: the server, github.com/open-meteo/open-meteo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from orchestration.core.errors import UsageError
from orchestration.core.partitions.days import Days
from orchestration.core.partitions.location import Location

FIRST_DAY = date(2013, 1, 1)
"""The API has nothing before this day (Europe; elsewhere before August 2022)."""

AUTO = "auto"
DOMAINS = (AUTO, "cams_global", "cams_europe")
"""The values of ``domains``: the provider's choice for each location, or one of its models alone."""


@dataclass(frozen=True)
class Request:
    """A request: some variables of some locations, for the UTC days ``first`` to ``last``, both included."""

    locations: tuple[Location, ...]
    first: date
    last: date
    variables: tuple[str, ...]
    """Their names in the API."""
    domain: str = AUTO
    """One of ``DOMAINS``."""
    optional: frozenset[str] = frozenset()
    """The variables that an answer need not have."""
    refused: frozenset[str] = frozenset()
    """The variables that are not sent, because the source refuses requests that name them. Its answer is read as one
    without them."""

    def __post_init__(self) -> None:
        if not self.locations or self.last < self.first:
            got = f"{len(self.locations)} locations, {self.first}..{self.last}"
            raise UsageError(f"a request needs a location, and a last day not before the first (got {got})")

    @property
    def days(self) -> Days:
        return Days.of(self.first, self.last)

    @property
    def weight(self) -> float:
        """The calls that the provider counts for the request: per location max(1, v/10, v/10 × days/14), v
        variables."""
        return _weight(len(self.locations), len(self.days), len(self.sent))

    @property
    def sent(self) -> tuple[str, ...]:
        """The variables that the query names."""
        return tuple(name for name in self.variables if name not in self.refused)

    @property
    def parameters(self) -> dict[str, str]:
        """The query, without the key."""
        return {
            "latitude": ",".join(_degrees(location.latitude) for location in self.locations),
            "longitude": ",".join(_degrees(location.longitude) for location in self.locations),
            "hourly": ",".join(self.sent),
            "domains": self.domain,
            "start_date": self.first.isoformat(),
            "end_date": self.last.isoformat(),
            "timezone": "UTC",
        }

    def __str__(self) -> str:
        keys = [location.key for location in self.locations]
        more = [f"{len(keys) - 5} more"] if len(keys) > 6 else []
        return f"{', '.join((keys[:5] if more else keys) + more)} on {self.days}"


def _weight(locations: int, days: int, variables: int) -> float:
    """The weight by one division, so that three locations and 14 days weigh 5.1 and not 5.1000000000000005."""
    return locations * max(140, 14 * variables, variables * days) / 140


def _degrees(value: float) -> str:
    """Decimal degrees without an exponent, to 0.1 m."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def plan_requests(
    wanted: Mapping[str, Sequence[tuple[date, date]]],
    locations: Sequence[Location],
    variables: tuple[str, ...],
    max_weight: float,
    max_days: int,
    max_locations: int = 1000,
) -> list[Request]:
    """The requests that ask for every wanted location-day exactly once.

    wanted: location key → ranges of UTC days, both ends included; they may touch or overlap.
    max_weight: of one request. Only a single day of a single location may weigh more.
    Locations with the same range share a request. A range that is too long or too heavy is cut by days; by locations
    only where even one day of all locations is too heavy.
    Order: by first day, last day, then as in ``locations``.
    Raises UsageError for a key that is not in ``locations`` and for a limit below 1, ValueError for a range that ends
    before it begins.
    """
    if unknown := sorted(set(wanted) - {location.key for location in locations}):
        raise UsageError(f"no location is configured with the key {', '.join(map(repr, unknown))}")
    if max_days < 1 or max_locations < 1:
        raise UsageError(f"a request needs at least 1 day and 1 location (got {max_days} and {max_locations})")
    sharing: dict[tuple[date, date], list[Location]] = {}
    for location in locations:
        for piece in Days.union_of(Days.of(*piece) for piece in wanted.get(location.key, ())).pieces:
            sharing.setdefault(piece, []).append(location)
    limits = (max_weight, max_days, max_locations)
    planned = [
        request for piece, locations in sharing.items() for request in _cut(piece, locations, variables, *limits)
    ]
    rank = {location.key: position for position, location in enumerate(locations)}
    return sorted(planned, key=lambda r: (r.first, r.last, rank[r.locations[0].key]))


def _cut(
    piece: tuple[date, date],
    locations: Sequence[Location],
    variables: tuple[str, ...],
    max_weight: float,
    max_days: int,
    max_locations: int,
) -> Iterator[Request]:
    """Requests for all days of a range and all locations, each within the limits."""
    first, last = piece
    size = _most(min(max_locations, len(locations)), lambda number: _weight(number, 1, len(variables)) <= max_weight)
    days = _most(
        min(max_days, (last - first).days + 1), lambda number: _weight(size, number, len(variables)) <= max_weight
    )
    while first <= last:
        end = min(first + timedelta(days=days - 1), last)
        for start in range(0, len(locations), size):
            yield Request(tuple(locations[start : start + size]), first, end, variables)
        first = end + timedelta(days=1)


def _most(limit: int, fits: Callable[[int], bool]) -> int:
    """The greatest number from ``limit`` down to 1 that fits; 1 where none does."""
    return next((number for number in range(limit, 1, -1) if fits(number)), 1)
