"""A table knows whether its rows are real or made up, and takes no others unasked, whatever brings them."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assets.variables import VARIABLES
from orchestration.core.errors import SourceOfOtherKind
from orchestration.core.source import REAL, SIMULATED
from orchestration.core.state.snapshots import from_json, to_json
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes.rebuild import rebuild
from orchestration.engine.source_kinds import SourceKinds
from orchestration.engine.wipe import run_wipes
from orchestration.engine.workspace import Workspace
from orchestration.project import load
from resources.raw.files import decompressed
from resources.simulator.server import Simulator
from tests.support.cli_calls import Aqi
from tests.support.oracle import BRONZE, SILVER
from tests.support.small_lake import Lake

NOW = datetime(2025, 8, 12, 6, tzinfo=UTC)
DAYS, NEXT = "2025-08-09..2025-08-10", "2025-08-11"
Make = Callable[[Simulator], Lake]


@pytest.fixture
def made_up() -> Iterator[Simulator]:
    with Simulator(now=lambda: NOW) as server:
        yield server


@pytest.fixture
def real(made_up: Simulator, tmp_path: Path) -> Iterator[Simulator]:
    """Answers that do not say of themselves that they are made up, served again."""
    (tmp_path / "recorded").mkdir()
    for at in load(environment={}).locations:
        query = f"latitude={at.latitude}&longitude={at.longitude}&hourly={','.join(VARIABLES)}&timezone=UTC"
        _, answer = made_up.answer(f"{query}&start_date=2025-08-08&end_date=2025-08-12")
        del answer["simulated"]
        own = {"latitude": at.latitude, "longitude": at.longitude}
        (tmp_path / "recorded" / f"{at.key}.json").write_text(json.dumps(answer | own))
    with Simulator(now=lambda: NOW, replay=tmp_path / "recorded") as server:
        yield server


@pytest.fixture
def lake(embedded: Any, tmp_path: Path) -> Make:
    """The warehouse of the test, filled by a server."""
    return lambda server: Lake(tmp_path / "lake", embedded, server.url, now=NOW)


def mixed(lake: Lake) -> Lake:
    def adapt(workspace: Workspace) -> Workspace:
        settings = workspace.settings
        warehouse = settings.warehouse.model_copy(update={"mixed_sources": True})
        return replace(workspace, settings=settings.model_copy(update={"warehouse": warehouse}))

    return replace(lake, adapt=adapt)


def state(lake: Lake) -> TableState:
    workspace = lake.workspace
    return workspace.warehouse.state(workspace.assets[BRONZE])


def raw_answers(lake: Lake) -> int:
    return len(list(lake.folder.rglob("*.zst")))


def is_refused(lake: Lake, run: Callable[[], Any]) -> None:
    """It fails in a sentence, and neither table nor kept answers are others than before."""
    before = state(lake).version, raw_answers(lake)
    summary = run()
    told = {problem.message for outcome in summary.outcomes for problem in outcome.problems}
    assert not summary.ok
    assert any(f"{BRONZE} in {lake.folder} has " in line for line in told), told
    assert (state(lake).version, raw_answers(lake)) == before


def test_a_table_says_of_what_kind_its_rows_are(lake: Make, made_up: Simulator, real: Simulator) -> None:
    one = lake(made_up)
    assert one.materialize(DAYS, BRONZE).ok
    assert state(one).kinds == {SIMULATED}
    said, _ = from_json(json.loads(json.dumps(to_json(state(one), "commit"))))
    assert said.kinds == {SIMULATED}
    shutil.rmtree(one.folder)
    assert lake(real).materialize(DAYS, BRONZE).ok
    assert state(one).kinds == {REAL}


@pytest.mark.parametrize("first", ["made_up", "real"])
def test_no_way_brings_another_kind(first: str, lake: Make, made_up: Simulator, real: Simulator) -> None:
    own, other = (lake(server) for server in ((made_up, real) if first == "made_up" else (real, made_up)))
    assert own.materialize(DAYS, BRONZE).ok
    workspace = other.workspace
    is_refused(other, lambda: other.materialize(NEXT, BRONZE))
    is_refused(other, lambda: other.materialize(DAYS, BRONZE, force=True))
    is_refused(other, lambda: other.backfill("2025-08-09", NEXT, "daily", BRONZE))
    is_refused(other, lambda: other.hourly(BRONZE))
    elsewhere = replace(other, flags={"open_meteo": {"model_domain": "cams_global"}})
    is_refused(other, lambda: elsewhere.run(elsewhere.workspace.repair([BRONZE], None, refetch=True)))
    assert own.materialize(NEXT, BRONZE).ok
    assert workspace.warehouse.state(workspace.assets[BRONZE]).kinds == {SIMULATED if first == "made_up" else REAL}


def test_a_run_is_refused_before_any_work(lake: Make, made_up: Simulator, real: Simulator, aqi: Aqi) -> None:
    one = lake(made_up)
    assert one.materialize(DAYS, BRONZE).ok
    env = {"AQI_WAREHOUSE__URI": str(one.folder), "AQI_CLOCK__NOW": NOW.isoformat()}
    served = real.requests_served.total()
    for call in (("--partitions", NEXT), ("--hourly",)):
        error, remedy = aqi.refusal("materialize", BRONZE, *call, **env, AQI_OPEN_METEO__BASE_URL=real.url)
        said = "has made-up values of a simulator, and its source sends real answers"
        assert error == f"{BRONZE} in {one.folder} {said} ({real.url})"
        assert "AQI_WAREHOUSE__MIXED_SOURCES=true" in remedy
    assert real.requests_served.total() == served


def test_a_demo_does_not_go_into_real_rows(lake: Make, real: Simulator, aqi: Aqi) -> None:
    one = lake(real)
    assert one.materialize(DAYS, BRONZE).ok
    error, _ = aqi.refusal("demo", "--warehouse", str(one.folder), AQI_CLOCK__NOW=NOW.isoformat())
    assert "has real answers, and its source sends made-up values of a simulator" in error


def test_what_is_told_so_is_mixed_and_stays_so(lake: Make, made_up: Simulator, real: Simulator) -> None:
    assert lake(made_up).materialize(DAYS, BRONZE).ok
    assert mixed(lake(real)).materialize(NEXT, BRONZE).ok
    assert state(lake(real)).kinds == {REAL, SIMULATED}
    assert lake(made_up).materialize(DAYS, BRONZE, force=True).ok
    assert lake(real).materialize(NEXT, BRONZE, force=True).ok


def test_a_table_without_a_record_or_a_partition_takes_the_next_one(
    lake: Make, made_up: Simulator, real: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:  # as versions did that knew of no kinds
        before.setattr(SourceKinds, "to_say", lambda *_: ())
        assert lake(made_up).materialize(DAYS, BRONZE).ok
    assert state(lake(real)).kinds == frozenset()
    assert lake(real).materialize(NEXT, BRONZE).ok
    assert state(lake(real)).kinds == {REAL}
    workspace = lake(real).workspace
    run_wipes(workspace, workspace.to_wipe([BRONZE], "2025-08-09..2025-08-11"), Silent())
    assert lake(made_up).materialize(DAYS, BRONZE).ok
    assert state(lake(real)).kinds == {SIMULATED}


def test_a_wiped_table_takes_no_other_kind_while_days_that_were_made_of_it_are_there(
    lake: Make, made_up: Simulator, real: Simulator, aqi: Aqi
) -> None:
    """Or the days of gold would be made up, and those of bronze real, and nothing would say so."""
    one = lake(made_up)
    assert one.materialize("2025-08-09", f"{BRONZE} or {SILVER}").ok
    workspace = one.workspace
    run_wipes(workspace, workspace.to_wipe([BRONZE], "2025-08-09"), Silent())
    env = {"AQI_WAREHOUSE__URI": str(one.folder), "AQI_CLOCK__NOW": NOW.isoformat()}
    call = ("materialize", BRONZE, "--partitions", NEXT)
    error, remedy = aqi.refusal(*call, **env, AQI_OPEN_METEO__BASE_URL=real.url)
    assert error == (
        f"{SILVER} in {one.folder} were made of made-up values of a simulator, which are not in {BRONZE} any more, "
        f"and its source sends real answers ({real.url})"
    )
    wipe = f"aqi wipe '{BRONZE}+' --partitions 2025-08-09..2025-08-09"
    assert f"`{wipe}`" in remedy
    assert one.materialize("2025-08-10", BRONZE).ok  # of the same kind
    run_wipes(one.workspace, one.workspace.to_wipe([BRONZE], "2025-08-10"), Silent())
    assert aqi(*shlex.split(wipe)[1:], "--yes", **env).exit_code == 0
    assert lake(real).materialize(NEXT, BRONZE).ok
    assert state(one).kinds == {REAL}


def test_kept_answers_of_another_kind_are_not_folded(lake: Make, made_up: Simulator, real: Simulator) -> None:
    """As where the folder of kept answers was copied from another warehouse."""
    one = lake(made_up)
    assert one.materialize(DAYS, BRONZE).ok
    kept = one.folder.with_name("kept")
    shutil.copytree(one.folder / "_aqi" / "raw", kept)
    shutil.rmtree(one.folder)
    assert lake(real).materialize(NEXT, BRONZE).ok
    shutil.copytree(kept, one.folder / "_aqi" / "raw", dirs_exist_ok=True)
    workspace = lake(real).workspace
    is_refused(one, lambda: lake(real).run(workspace.requested([BRONZE], DAYS, from_raw=True)))


def test_what_is_kept_says_it_wherever_it_is_served(lake: Make, made_up: Simulator) -> None:
    one = lake(made_up)
    assert one.materialize(DAYS, BRONZE).ok
    (answer, *_) = one.folder.rglob("*.zst")
    assert b'"simulated"' in decompressed(answer.read_bytes())
    with Simulator(now=lambda: NOW, replay=one.folder / "_aqi" / "raw" / BRONZE) as again:
        assert again.made_up is True
        other = Lake(one.folder.with_name("other"), one.shared, again.url, now=NOW)
        assert other.materialize(DAYS, BRONZE).ok
    assert state(other).kinds == {SIMULATED}


def test_a_table_that_is_rebuilt_knows_it_still(lake: Make, made_up: Simulator) -> None:
    one = lake(made_up)
    assert one.materialize(DAYS, BRONZE).ok
    list(rebuild(one.workspace, [BRONZE], Silent()))
    assert state(one).kinds == {SIMULATED}


def test_two_kinds_in_one_first_run_are_not_taken(made_up: Simulator) -> None:
    kinds = SourceKinds(lambda _key: TableState(), "here", mixed=False)
    kinds.meet(BRONZE, [REAL])
    with pytest.raises(SourceOfOtherKind):
        kinds.meet(BRONZE, [SIMULATED])


class Silent:
    """Is told what happens, and says nothing of it."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None
