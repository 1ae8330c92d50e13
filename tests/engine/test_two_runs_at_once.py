"""Two runs at once without a lock, over a folder: each keeps what the other has not, by the moments of asking.

A folder stands here for a file system without a lock (``tests/yarn/test_folds.py`` has a real one).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.engine.steps import EngineWorld
from tests.support.clocks import MovingClock
from tests.support.two_runs import NOON, SEEN, UNSEEN, TwoRuns, provider_of, sent_to_one, sent_to_the_other

pytestmark = pytest.mark.engine


@pytest.fixture
def two(tmp_path: Path, embedded: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoRuns]:
    monkeypatch.setattr(EngineWorld, "alone", property(lambda _world: False, lambda _world, _alone: None))
    clock = MovingClock(NOON)
    with provider_of(clock) as provider:
        yield TwoRuns.over(provider, clock, embedded, tmp_path)


@pytest.mark.parametrize("was_there", [True, False])
@pytest.mark.parametrize("minutes", [3, -3])
@pytest.mark.parametrize("how", [SEEN, UNSEEN, "asked"])
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
    assert two.engine.meanwhile is None
    assert len({owner.asked for owner in two.check().owners.values()}) == 2 + was_there
    two.clock.pass_(minutes=30)
    two.provider.instead.clear()
    two.hourly()
    assert not two.check().standing
    version = two.version
    two.clock.pass_(minutes=30)
    two.hourly()
    assert two.version == version
