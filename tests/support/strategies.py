"""Bronze rows for tests: awkward on purpose, and the same for the same seed.

Two ways in: `random_bronze(seed)` for big varied inputs that a failing test can name by one number, and
hypothesis strategies (`bronze_rows`, `bronze_tables`) for small inputs that shrink. Both know the shape of
bronze and where its rules and tables have their edges, nothing of the project's code.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.support.oracle import CONCENTRATIONS, DEFAULT_LIMITS, INDEXES, TIE_ORDER, Row, dim_location

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

LOCATIONS: dict[str, tuple[float, float]] = {
    row["location_key"]: (row["latitude"], row["longitude"]) for row in dim_location()
}

FIRST_CALENDAR_DAY = date(2022, 1, 1)  # dim_date's default range begins here

# Every window of days that is generated holds at least one of these.
AWKWARD_DATES = (
    date(2022, 1, 1),  # first day of dim_date, in ISO week 52 of the year before
    date(2022, 12, 31),
    date(2023, 2, 28),  # the month's last day, no leap day after it
    date(2023, 12, 31),
    date(2024, 2, 29),
    date(2024, 4, 30),
    date(2024, 12, 30),  # already in ISO week 1 of the next year
    date(2024, 12, 31),
    date(2025, 3, 31),
)

EDGE_AQI = (0, 49, 50, 51, 100, 101, 150, 151, 200, 201, 300, 301, 500, 501, 600)
BRINK_AQI = (149, 150, 151, 152)

# A typical value of each concentration, and the ends of what is plausible.
_TYPICAL = {
    **dict.fromkeys(CONCENTRATIONS, 5.0),
    "pm25": 40.0,
    "pm10": 60.0,
    "o3": 80.0,
    "no2": 30.0,
    "so2": 15.0,
    "co": 600.0,
    "aod": 0.6,
    "dust": 2.0,
    "uv_index": 5.0,
    "co2": 450.0,
}
_GREATEST = {column: DEFAULT_LIMITS[column][1] for column in CONCENTRATIONS if column in DEFAULT_LIMITS}
_LEAST = {column: DEFAULT_LIMITS.get(column, (None, None))[0] or 0.0 for column in CONCENTRATIONS}

# (column, value) of values that break a rule, by the rule a reader would name first; some break several.
BREAKING_VALUES: dict[str, tuple[tuple[str, Any], ...]] = {
    "negative": (
        *((column, -0.1) for column in CONCENTRATIONS),
        *((column, -1) for column in INDEXES),
    ),
    "not_finite": (
        *((column, math.nan) for column in CONCENTRATIONS),
        *((column, math.inf) for column in CONCENTRATIONS),
        *((column, -math.inf) for column in CONCENTRATIONS),
    ),
    "implausible": (
        *((column, math.nextafter(greatest, math.inf)) for column, greatest in _GREATEST.items()),
        *((column, 1e9) for column in _GREATEST),
        ("co2", 249.9),
        ("co2", 0.0),
    ),
}
# (column, value) of values that stand exactly on a limit and break nothing.
LIMIT_VALUES: tuple[tuple[str, Any], ...] = (
    *_GREATEST.items(),
    *((column, _LEAST[column]) for column in CONCENTRATIONS),
    *((column, 0) for column in INDEXES),
    *((column, 600) for column in INDEXES),
)


def plain_row(location_key: str, ts_utc: datetime, aqi: int | None = 42) -> Row:
    """A bronze row that breaks no rule: PM2.5 leads with `aqi`, the other sub-indexes are half of it."""
    latitude, longitude = LOCATIONS[location_key]
    row: Row = {
        "location_key": location_key,
        "ts_utc": ts_utc,
        "date_utc": ts_utc.date(),
        "latitude": latitude,
        "longitude": longitude,
        "aqi": aqi,
    }
    for column in INDEXES[1:]:
        row[column] = None if aqi is None else aqi // 2
    row["aqi_pm25"] = aqi
    row.update(_TYPICAL)
    row["model_domain"] = "auto"
    row["request_timezone"] = "UTC"
    return row


def hours_of(first: date, days: int) -> list[datetime]:
    """Every hour of `days` UTC days from `first` on."""
    start = datetime.combine(first, time(0), tzinfo=UTC)
    return [start + n * HOUR for n in range(24 * days)]


# --- seeded ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Spoiling:
    """How often things go wrong at one location: chances an hour, except `missing_day` (a day)."""

    null_value: float
    null_row: float
    missing_hour: float
    missing_midnight: float
    missing_day: float
    breaking: float


# Long episodes only survive where little goes wrong, so each location draws one of these.
_SPOILINGS = (
    _Spoiling(0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    _Spoiling(0.01, 0.003, 0.005, 0.05, 0.05, 0.005),
    _Spoiling(0.05, 0.02, 0.03, 0.15, 0.15, 0.04),
)


def random_bronze(
    seed: int,
    days: int | None = None,
    locations: int | Sequence[str] | None = None,
    *,
    first: date | None = None,
    breaking: bool = True,
    broken_keys: bool = False,
) -> list[Row]:
    """Bronze rows of 1-3 locations over 3-14 days, sorted by their key, which is unique; never empty.

    Args:
        seed: the same seed and arguments give the same rows.
        days: length of the window in days; drawn from 3-14 if None.
        locations: how many locations, or which; drawn if None.
        first: first day of the window; if None, drawn so that the window holds one of AWKWARD_DATES.
        breaking: whether some values break the rules negative, not_finite and implausible.
        broken_keys: whether some rows break the rule key (off the hour, a date_utc that is another of the
            window's days). A null is never put into a key column: bronze could not be partitioned.
    """
    rng = random.Random(seed)
    days = rng.randint(3, 14) if days is None else days
    if locations is None:
        locations = rng.randint(1, len(LOCATIONS))
    names = sorted(rng.sample(sorted(LOCATIONS), locations)) if isinstance(locations, int) else sorted(locations)
    if first is None:
        first = max(FIRST_CALENDAR_DAY, rng.choice(AWKWARD_DATES) - rng.randrange(days) * DAY)

    rows = []
    for name in names:
        rows += _random_location(rng, name, hours_of(first, days), breaking, broken_keys)
    return rows


def _random_location(
    rng: random.Random, location_key: str, hours: list[datetime], breaking: bool, broken_keys: bool
) -> list[Row]:
    spoiling = rng.choice(_SPOILINGS)
    lost_days = {ts.date() for ts in hours if ts.hour == 0 and rng.random() < spoiling.missing_day}
    rows = []
    for ts, aqi in zip(hours, _random_levels(rng, len(hours)), strict=True):
        row = plain_row(location_key, ts, aqi)
        _random_indexes(rng, row)
        _random_concentrations(rng, row)
        at_midnight = ts.hour in (0, 23)
        missing = spoiling.missing_midnight if at_midnight else spoiling.missing_hour
        lost = rng.random() < missing or ts.date() in lost_days
        if rng.random() < spoiling.null_row:
            row.update(dict.fromkeys((*INDEXES, *CONCENTRATIONS)))
        for column in (*INDEXES, *CONCENTRATIONS):
            if rng.random() < spoiling.null_value:
                row[column] = None
        if breaking and rng.random() < spoiling.breaking:
            for _ in range(rng.choice((1, 1, 2, 3))):
                column, value = rng.choice(BREAKING_VALUES[rng.choice(sorted(BREAKING_VALUES))])
                row[column] = value
        elif rng.random() < spoiling.breaking:
            column, value = rng.choice(LIMIT_VALUES)
            row[column] = value
        off_hour = {**row, "ts_utc": ts + timedelta(minutes=rng.choice((1, 30, 59)))}
        if broken_keys and rng.random() < 0.02:
            row["date_utc"] = rng.choice(hours).date()  # now and then still the right one
        if not lost:
            rows.append(row)
        if broken_keys and rng.random() < 0.02:
            rows.append(off_hour)
    return rows or [plain_row(location_key, hours[0])]


def _random_levels(rng: random.Random, count: int) -> list[int | None]:
    """AQI of `count` adjacent hours, in stretches of one kind each."""
    levels: list[int | None] = []
    while len(levels) < count:
        kind = rng.choice(("quiet", "quiet", "brink", "edges", "episode", "episode", "plateau", "null"))
        if kind == "quiet":
            levels += [rng.randint(10, 149) for _ in range(rng.randint(1, 36))]
        elif kind == "brink":
            levels += [rng.choice(BRINK_AQI) for _ in range(rng.randint(2, 24))]
        elif kind == "edges":
            levels += [rng.choice(EDGE_AQI) for _ in range(rng.randint(1, 16))]
        elif kind == "episode":
            length = rng.choice((3, 4, 5, 8, 12, 24, 36, 60, 100, 168))
            levels += [rng.randint(151, 320) for _ in range(length)] + [rng.randint(100, 150)]
        elif kind == "plateau":
            levels += [rng.choice(EDGE_AQI)] * rng.randint(2, 30)
        else:
            levels += [None] * rng.choice((1, 2, 3, 6, 24, 50))
    # A window should not always begin at the beginning of a stretch.
    skipped = rng.randint(0, len(levels) - count)
    return levels[skipped : skipped + count]


def _random_indexes(rng: random.Random, row: Row) -> None:
    """Sub-indexes around the row's aqi: one leads, several tie, some or all are null, or none fits it."""
    aqi = row["aqi"]
    top = rng.randint(0, 200) if aqi is None else aqi
    shape = rng.choice(("one", "one", "one", "tie", "tie", "all tie", "some null", "all null", "unlike"))
    if aqi is None and shape == "one":
        shape = "all null"
    below = {pollutant: rng.randint(0, max(0, top - 1)) for pollutant in TIE_ORDER}
    leaders = rng.sample(TIE_ORDER, {"tie": rng.randint(2, 4), "all tie": len(TIE_ORDER)}.get(shape, 1))
    for pollutant in TIE_ORDER:
        row[f"aqi_{pollutant}"] = top if pollutant in leaders else below[pollutant]
        if shape == "all null" or (shape == "some null" and rng.random() < 0.5):
            row[f"aqi_{pollutant}"] = None
        elif shape == "unlike":
            row[f"aqi_{pollutant}"] = rng.randint(0, 600)


def _random_concentrations(rng: random.Random, row: Row) -> None:
    for column, typical in _TYPICAL.items():
        row[column] = round(typical * rng.uniform(0.6, 1.8), 2)


# --- hypothesis -----------------------------------------------------------------------------------

indexes = st.none() | st.sampled_from(EDGE_AQI) | st.integers(-2, 600)


def _values(column: str) -> st.SearchStrategy[float | None]:
    special = [value for pairs in (*BREAKING_VALUES.values(), LIMIT_VALUES) for name, value in pairs if name == column]
    return st.none() | st.just(_TYPICAL[column]) | st.sampled_from(special) | st.floats(width=64)


@st.composite
def bronze_rows(draw: st.DrawFn) -> Row:
    """One bronze row with a sound key and any values at all: for what is decided row by row."""
    location_key = draw(st.sampled_from(sorted(LOCATIONS)))
    day = draw(st.sampled_from(AWKWARD_DATES))
    hour = draw(st.sampled_from((0, 5, 6, 11, 12, 17, 18, 23)))
    row = plain_row(location_key, datetime.combine(day, time(hour), tzinfo=UTC))
    for column in INDEXES:
        row[column] = draw(indexes)
    for column in CONCENTRATIONS:
        row[column] = draw(_values(column))
    return row


_MISSING = "missing"
_levels = st.sampled_from((*EDGE_AQI, None, _MISSING))
_lengths = st.sampled_from((1, 2, 3, 4, 5, 8, 23, 24, 25, 60, 168))
_edits = st.sampled_from(
    [
        *BREAKING_VALUES["negative"],
        *BREAKING_VALUES["not_finite"],
        *BREAKING_VALUES["implausible"],
        *LIMIT_VALUES,
        *((column, None) for column in (*INDEXES, *CONCENTRATIONS)),
        *((f"aqi_{pollutant}", aqi) for pollutant in TIE_ORDER for aqi in (150, 151, 200, 600)),
    ]
)


@st.composite
def bronze_tables(
    draw: st.DrawFn, *, min_days: int = 3, max_days: int = 14, max_locations: int = len(LOCATIONS)
) -> list[Row]:
    """Bronze rows of 1-3 locations over 3-14 days, sorted by their key, which is unique; may be empty.

    Drawn as a few stretches of equal hours and a few edits, so that it shrinks to the stretch that matters,
    towards fewer days, fewer locations and hours of AQI 0 without a gap.
    """
    days = draw(st.integers(min_days, max_days))
    first = draw(st.sampled_from(AWKWARD_DATES)) - draw(st.integers(0, days - 1)) * DAY
    hours = hours_of(max(FIRST_CALENDAR_DAY, first), days)
    names = draw(st.lists(st.sampled_from(sorted(LOCATIONS)), min_size=1, max_size=max_locations, unique=True))
    table = []
    for name in sorted(names):
        stretches = draw(st.lists(st.tuples(_levels, _lengths), max_size=12))
        levels = [level for level, length in stretches for _ in range(length)][: len(hours)]
        levels += [EDGE_AQI[0]] * (len(hours) - len(levels))
        rows = [
            plain_row(name, ts, level) for ts, level in zip(hours, levels, strict=True) if not isinstance(level, str)
        ]
        for position, (column, value) in draw(st.lists(st.tuples(st.integers(0, 335), _edits), max_size=8)):
            if position < len(rows):
                rows[position][column] = value
        table += rows
    return table
