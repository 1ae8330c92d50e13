"""Two runs at once without a lock, over a folder: each keeps what the other has not, by the moments of asking.

A folder stands here for a file system without a lock (``tests/yarn/test_folds.py`` has a real one).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.engine.steps import EngineWorld
from tests.support import oracle
from tests.support.clocks import MovingClock
from tests.support.oracle.answers import ESSENTIAL
from tests.support.small_lake import DATED, FETCHED
from tests.support.two_runs import NOON, SEEN, UNSEEN, TwoRuns, provider_of, sent_to_one, sent_to_the_other

pytestmark = pytest.mark.engine


@pytest.fixture
def two(tmp_path: Path, embedded: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoRuns]:
    shared = property(lambda _world: False, lambda _world, _alone: None)
    monkeypatch.setattr(EngineWorld, "alone", shared, raising=False)
    clock = MovingClock(NOON)
    with provider_of(clock) as provider:
        yield TwoRuns.over(provider, clock, embedded, tmp_path)


@pytest.mark.parametrize(
    ("how", "minutes", "was_there"),
    [
        pytest.param(how, minutes, was_there, marks=() if (minutes > 0) is was_there else pytest.mark.slow)
        for how in (SEEN, UNSEEN, "asked")
        for minutes in (3, -3)
        for was_there in (True, False)
    ],
)
def test_two_runs_that_keep_different_things(two: TwoRuns, how: str, minutes: int, was_there: bool) -> None:
    if was_there:
        two.hourly()
        two.clock.pass_(minutes=10)
    sent_to_one(two)
    other = two.other_run(sent_to_the_other, minutes)
    if how == "asked":
        two.provider.meanwhile = other
    else:
        two.engine.meanwhile, two.engine.how = other, how
    two.hourly()
    assert not two.engine.is_waiting
    assert len({owner.asked for owner in two.check().owners.values()}) == 2 + was_there
    two.clock.pass_(minutes=30)
    two.provider.instead.clear()
    two.hourly()
    assert not two.check().standing
    version = two.version
    two.clock.pass_(minutes=5)
    two.hourly()
    assert two.version == version


@pytest.mark.parametrize("minutes", [3, -3])
@pytest.mark.parametrize("how", [SEEN, UNSEEN])
def test_what_no_answer_is_kept_of_any_more_is_not_lost(two: TwoRuns, how: str, minutes: int) -> None:
    """Rows of before answers were kept, or whose answers were removed: what comes of two runs goes on from them."""
    two.hourly()
    before = two.lake.rows(oracle.BRONZE)
    two.lose_what_was_sent()
    two.clock.pass_(minutes=10)
    sent_to_one(two)
    two.engine.meanwhile, two.engine.how = two.other_run(sent_to_the_other, minutes), how
    two.hourly()
    after = {(row["location_key"], row["ts_utc"]): row for row in two.lake.rows(oracle.BRONZE)}
    lost = [row for row in before for name in ESSENTIAL if after[row["location_key"], row["ts_utc"]][name] is None]
    assert (len(after), lost) == (len(before), [])
    two.owners()


@pytest.mark.parametrize("how", [SEEN, UNSEEN])
def test_what_follows_is_made_of_the_fold(two: TwoRuns, how: str) -> None:
    """One run goes on to all tables; rows that it made before it knew of the other's are still in its memory."""
    two.hourly(FETCHED)
    two.clock.pass_(minutes=10)
    sent_to_one(two)
    two.engine.meanwhile, two.engine.how = two.other_run(sent_to_the_other, -3), how
    two.hourly(FETCHED)
    want = oracle.dated_tables(two.check().rows)
    have = two.lake.tables()
    assert {key: have[key] == oracle.canonical(want[key], oracle.COLUMNS[key]) for key in DATED} == dict.fromkeys(
        DATED, True
    )


@pytest.mark.parametrize("how", [SEEN, UNSEEN])
def test_folding_kept_answers_again_takes_in_what_lands_meanwhile(two: TwoRuns, how: str) -> None:
    two.hourly()
    shutil.rmtree(two.folder / "bronze" / "open_meteo_hourly")
    two.clock.pass_(minutes=10)
    two.engine.meanwhile, two.engine.how = two.other_run(sent_to_the_other, 3), how
    two.from_raw()
    assert not two.engine.is_waiting
    two.check()
