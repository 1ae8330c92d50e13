"""Any answers in any runs: bronze is the fold of them that the oracle makes, and every table follows from that."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orchestration.core.runs.outcome import RunSummary
from tests.support import oracle
from tests.support.keeping_lake import KeepingLake
from tests.support.oracle.answers import ESSENTIAL
from tests.support.small_lake import FETCHED
from tests.support.story import (
    DAYS,
    FIRST,
    HOUR,
    KINDS,
    LOCATIONS,
    MINUTE,
    Story,
    mend,
    overtake,
    spoil,
    story,
)

pytestmark = pytest.mark.engine


@pytest.fixture
def told(tmp_path: Path, embedded: Any) -> Iterator[Story]:
    with story(tmp_path / "lake", embedded) as made:
        yield made


@pytest.mark.pipeline
@pytest.mark.costly
def test_nulls_take_nothing_away_and_what_is_filled_in_comes_in(told: Story) -> None:
    spoil(told, "nulls", "hanoi", 1)
    assert told.materialize().ok
    told.check()
    told.clock.pass_(minutes=30)
    mend(told)
    spoil(told, "nulls", "danang", 1)
    spoil(told, "left out", "hanoi", 2, 3, 5)
    assert told.hourly().ok
    want = told.check()
    assert {(one.location, one.instant.day) for one in want.standing} == {("danang", 4), ("hanoi", 5)}
    mend(told)
    told.clock.pass_(hours=1)
    assert told.hourly().ok
    assert not told.check().standing


def test_the_first_answer_again_takes_back_what_a_second_one_brought(told: Story) -> None:
    """Its digest is recorded already, and yet some hours are another answer's by now."""
    assert told.materialize().ok
    told.clock.pass_(minutes=20)
    spoil(told, "nulls", "hanoi", 1)
    spoil(told, "revised", "hanoi", 1, 3, 3)
    assert told.hourly().ok
    assert len({owner.asked for (key, at), owner in told.check().owners.items() if (key, at.day) == ("hanoi", 4)}) == 2
    told.clock.pass_(minutes=20)
    mend(told)
    assert told.hourly().ok
    told.check()


@pytest.mark.parametrize("kind", ["nulls", "left out"])
def test_a_regression_is_recorded_once_and_adds_no_file(told: Story, kind: str) -> None:
    """The same answer again is not new: no session, no commit."""
    assert told.hourly().ok
    told.clock.pass_(minutes=10)
    files, versions = sorted(told.folder.rglob("*/*/*.parquet")), told.lake.versions()
    spoil(told, kind, "hanoi", 1)
    assert told.hourly().ok
    assert sorted(told.folder.rglob("*/*/*.parquet")) == files
    recorded = told.lake.versions()
    assert {key for key, version in recorded.items() if version != versions[key]} == {oracle.BRONZE}
    told.clock.pass_(minutes=10)
    lake = told.lake
    summary = lake.hourly(FETCHED)
    assert (summary.ok, summary.outcomes, lake.sessions_wanted) == (True, (), 0)
    assert told.lake.versions() == recorded
    told.check()


@pytest.mark.parametrize(
    "kind", ["nulls", "left out", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("one null", "implausible"))]
)
def test_an_answer_that_another_run_overtook_is_put_where_it_belongs(told: Story, kind: str) -> None:
    """Asked first, taken in last: of a run that was on its way while another one asked, and ended."""
    assert told.materialize().ok
    told.clock.pass_(minutes=10)
    spoil(told, "revised", "hanoi", 1, 0, 11)
    spoil(told, kind, "hanoi", 1, 12, 17)

    def otherwise() -> None:
        spoil(told, kind, "hanoi", 1, 6, 14)
        spoil(told, "revised again", "hanoi", 1, 15, 20)

    overtake(told, otherwise)
    summary = told.hourly()
    assert summary.ok, summary.in_words()
    told.check()
    told.clock.pass_(minutes=30)
    mend(told)
    assert told.hourly().ok
    told.check()


def test_an_answer_is_late_too_after_one_that_only_said_what_was_there(told: Story) -> None:
    """The run that overtook it made no commit: its moment is known from the answers that are kept."""
    assert told.materialize().ok
    told.clock.pass_(minutes=10)
    spoil(told, "revised", "hanoi", 1, 0, 11)
    overtake(told, lambda: mend(told))
    assert told.hourly().ok
    told.check()


def test_what_comes_after_a_moment_that_had_not_come_is_the_last_word(told: Story) -> None:
    """Also where a moment before that, which is believed, lies later than it."""
    assert told.materialize().ok
    told.clock.pass_(minutes=10)
    overtake(told, lambda: spoil(told, "implausible", "hanoi", 1, 0, 1))
    assert told.hourly().ok
    told.check()
    mend(told)
    told.clock.instant -= 3 * MINUTE  # six minutes before the other run's clock, three before this one's
    assert told.hourly().ok
    told.check()


@pytest.mark.parametrize(
    "back", [timedelta(hours=1), pytest.param(timedelta(days=1), marks=pytest.mark.slow), 4 * MINUTE]
)
def test_a_clock_that_was_ahead_is_not_believed_afterwards(told: Story, back: timedelta) -> None:
    assert told.materialize().ok
    told.clock.pass_(minutes=10)
    spoil(told, "one null", "hanoi", 2, 0, 9)
    assert told.hourly().ok
    told.check()
    mend(told)
    spoil(told, "revised", "hanoi", 2, 0, 11)
    told.clock.instant -= back
    summary = told.hourly()
    assert summary.ok, summary.in_words()
    told.check()
    told.clock.pass_(days=2)
    mend(told)
    assert told.hourly().ok
    told.check()


@pytest.mark.parametrize("later", [30 * MINUTE, 21 * HOUR])
def test_a_clock_that_was_ahead_is_not_believed_by_those_who_read_what_was_kept(told: Story, later: timedelta) -> None:
    """What was sent at a moment that had not come is older than all that was sent since, also once it has come."""
    told.clock.pass_(hours=20)
    spoil(told, "revised", "hanoi", 2)
    assert told.materialize().ok
    told.clock.pass_(hours=-20)
    mend(told)
    assert told.hourly().ok
    told.check()
    told.clock.instant += later
    summary = told.from_raw(lost=False)
    assert summary.ok, summary.in_words()
    told.check()


def test_an_answer_that_was_kept_and_not_used_is_harmless(told: Story) -> None:
    """Its run was killed before the commit, and the next one brought worse: tables are what they are from then on."""
    spoil(told, "one null", "hanoi", 1, 0, 5)
    assert told.materialize().ok
    told.clock.pass_(minutes=30)
    nulls = dict(told.provider.instead)
    mend(told)
    assert told.killed("before-commit", 1, told.hourly)
    told.check()
    told.clock.pass_(minutes=30)
    told.provider.instead = nulls
    assert told.hourly().ok
    before = told.lake.tables()
    told.clock.pass_(minutes=30)
    summary = told.from_raw(lost=False)
    assert summary.ok, summary.in_words()
    assert told.lake.tables() == before


@pytest.mark.parametrize(
    ("mended_by", "kept"),
    [
        ("hourly", False),
        ("repair", True),
        pytest.param("hourly", True, marks=pytest.mark.slow),
        pytest.param("repair", False, marks=pytest.mark.slow),
    ],
)
def test_rows_that_somebody_else_changed_are_folded_anew(told: Story, mended_by: str, kept: bool) -> None:
    """From the answers that are kept, whatever is sent by now; without those, what is sent is all there is."""
    assert told.materialize().ok
    told.clock.pass_(minutes=30)
    spoil(told, "revised", "hanoi", 1, 0, 11)
    spoil(told, "nulls", "hanoi", 1, 12, 23)
    assert told.hourly().ok
    table = DeltaTable(told.lake.uri(oracle.BRONZE))
    table.update({"pm25": "1.0"}, predicate="location_key = 'hanoi' AND date_utc = '2025-03-04' AND pm25 > 50.0")
    spoil(told, "nulls", "hanoi", 1)
    told.clock.pass_(minutes=5)
    if not kept:
        shutil.rmtree(told.folder / "_aqi" / "raw")
    summary = told.hourly() if mended_by == "hourly" else told.lake.repair(FETCHED)
    assert summary.ok, summary.in_words()
    if kept:
        told.check()
        return
    rows = [row for row in told.lake.rows(oracle.BRONZE) if row["location_key"] == "hanoi"]
    assert all((row["pm25"] is None) == (row["date_utc"].day == 4) for row in rows)


@pytest.mark.parametrize("sent", ["nulls", pytest.param("left out", marks=pytest.mark.slow)])
def test_rows_of_another_question_are_not_kept_against_todays(told: Story, sent: str) -> None:
    assert told.materialize().ok
    told.clock.pass_(minutes=30)
    ask_another_domain(told)
    spoil(told, sent, "hanoi", 1, 0, 11)
    workspace = told.lake.workspace
    assert told.lake.run(workspace.repair(workspace.select(FETCHED), None, refetch=True)).ok
    assert not told.check().standing
    told.clock.pass_(minutes=30)
    spoil(told, sent, "hanoi", 1, 0, 17)
    assert told.hourly().ok
    assert told.check().standing, "rows of this question are kept again"


def test_days_behind_their_question_stay_so_when_kept_answers_are_read(told: Story) -> None:
    """They were looked at by an hourly run, and left as they are until somebody says --refetch."""
    assert told.materialize().ok
    told.clock.pass_(minutes=30)
    ask_another_domain(told)
    assert told.hourly().ok
    before = told.lake.tables()
    told.clock.pass_(minutes=30)
    assert told.from_raw(lost=False).ok
    assert told.lake.tables() == before


def ask_another_domain(told: Story) -> None:
    """Which has other values."""
    told.told.append("another domain")
    told.domain = told.provider.domain = "cams_europe"
    told.provider.rows = {hour: values | {"pm25": values["pm25"] + 0.5} for hour, values in told.provider.rows.items()}


def test_a_late_answer_takes_what_is_less_where_those_between_are_gone(told: Story) -> None:
    """It cannot be put where it belongs: hours of which it has all that is there, and more, are its own."""
    spoil(told, "one null", "hanoi", 1, 0, 11)
    assert told.materialize().ok
    told.clock.pass_(minutes=10)
    mend(told)
    spoil(told, "revised", "hanoi", 1, 6, 17)

    def otherwise() -> None:
        mend(told)
        spoil(told, "one null", "hanoi", 1, 0, 11)
        spoil(told, "revised again", "hanoi", 1, 12, 12)

    overtake(told, otherwise, then=lambda: shutil.rmtree(told.folder / "_aqi" / "raw"))
    assert told.hourly().ok
    day = [row for row in told.lake.rows(oracle.BRONZE) if (row["location_key"], row["date_utc"].day) == ("hanoi", 4)]
    level = {row["ts_utc"].hour: row["pm25"] for row in day}
    assert level == {hour: 61.5 if 6 <= hour < 12 else 62.5 if hour == 12 else 54.0 + hour for hour in range(24)}


# --- any answers in any runs ----------------------------------------------------------------------


def act(told: Story, chance: random.Random, *, kills: bool, look: Callable[[], None]) -> RunSummary:
    """A few hours are spoiled or mended, some time goes by, and a run of some kind.

    kills: runs are killed; else they are overtaken, and kept answers are read again. look: is done after such a one.
    """
    if chance.random() < 0.35:
        mend(told)
    spoil_some(told, chance)
    trouble = chance.random()
    told.provider.down = trouble < 0.1
    told.provider.refused = frozenset({chance.choice(LOCATIONS)}) if 0.1 < trouble < 0.2 else frozenset()
    if trouble > 0.85 and not kills:
        overtake(told, lambda: spoil_some(told, chance))
    told.clock.instant += chance.choice((4 * MINUTE, 30 * MINUTE, HOUR, 5 * HOUR, -3 * MINUTE))
    first, last = sorted(chance.choice(range(DAYS)) for _ in range(2))
    days = f"{FIRST + timedelta(days=first)}..{FIRST + timedelta(days=last)}"
    kind = chance.random()
    if kills and kind < 0.5:
        point = chance.choice(("before-write", "before-commit", "after-commit"))
        told.killed(point, chance.randint(1, 4), told.hourly)
        look()
        told.provider.down, told.provider.refused = False, frozenset()
        spoil_some(told, chance)
        told.clock.pass_(minutes=4)
        return told.hourly()  # finishes the work
    if kind < 0.6:
        return told.hourly()
    if kind < 0.75:
        return told.materialize(days, force=True)
    if kind < 0.8:
        return told.materialize(days)
    if kind < 0.85 or kills:
        return told.backfill()
    told.provider.meanwhile = None
    return told.from_raw(lost=kind > 0.95 and not told.was_ahead)


def spoil_some(told: Story, chance: random.Random) -> None:
    for _ in range(chance.randint(0, 3)):
        first = chance.choice((0, 0, chance.randint(0, 23)))
        last = 23 if first == 0 and chance.random() < 0.4 else min(23, first + chance.choice((0, 1, 5, 12)))
        spoil(told, chance.choice(sorted(KINDS)), chance.choice(LOCATIONS), chance.randrange(DAYS), first, last)


def any_story(told: Story, chance: random.Random, runs: int) -> None:
    """After every run all tables are those of the fold, and no value of a good row is lost unforced; last, all is well.

    A row that broke a row rule may lose values: it is not a good one.
    """
    good: dict[tuple[str, datetime], set[str]] = {}
    forced = 0

    def look() -> None:
        nonlocal good, forced
        there = {(row["location_key"], row["ts_utc"]): row for row in told.lake.rows(oracle.BRONZE)}
        before, forced = forced, sum(said.forced for said in told.provider.said)
        if forced == before:
            lost = {hour for hour, names in good.items() if not names <= essential_of(there.get(hour))}
            assert not lost, told.told
        good = {hour: essential_of(row) for hour, row in there.items() if not oracle.broken_rules(row)}

    kills = chance.random() < 0.4
    for number in range(runs):
        if number == 0:
            spoil(told, chance.choice(sorted(KINDS)), chance.choice(LOCATIONS), chance.randrange(DAYS), 0, 20)
            summary = told.materialize()
        else:
            summary = act(told, chance, kills=kills, look=look)
            told.provider.meanwhile = None
        is_well = not told.provider.down and not told.provider.refused
        assert summary.ok or not is_well, (told.told, summary.in_words())
        told.check()
        look()
    mend(told)
    told.clock.instant = max(told.clock.instant, datetime(2025, 3, 6, 6, 30, tzinfo=UTC)) + HOUR
    summary = told.hourly()
    assert summary.ok, summary.in_words()
    assert not told.check().standing
    days = f"{FIRST}..{told.clock().date()}"
    clean = KeepingLake(told.folder.parent / "clean", told.shared, told.provider.url, told.lake.flags, now=told.clock())
    assert clean.materialize(days, FETCHED).ok
    assert told.lake.tables() == clean.tables()


def essential_of(row: Mapping[str, Any] | None) -> set[str]:
    return set() if row is None else {name for name in ESSENTIAL if row[name] is not None}


few = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # a smaller seed is no simpler story
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.mark.timeout(600)
@settings(few, max_examples=2)
@given(st.integers(0, 2**32 - 1))
def test_any_answers_in_any_runs(tmp_path_factory: pytest.TempPathFactory, embedded: Any, seed: int) -> None:
    with story(tmp_path_factory.mktemp("story") / "lake", embedded) as told:
        any_story(told, random.Random(seed), runs=5)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(few, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_many_answers_in_many_runs(tmp_path_factory: pytest.TempPathFactory, embedded: Any, seed: int) -> None:
    with story(tmp_path_factory.mktemp("story") / "lake", embedded) as told:
        any_story(told, random.Random(seed), runs=10)
