"""Every command over every damage: documented ends, other tables right, and the remedy, done literally, mends it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from orchestration.cli.app import main
from orchestration.cli.progress import Quiet
from orchestration.core.runs.journal import RunState
from orchestration.core.runs.outcome import RunSummary
from orchestration.engine.changes.compare import compare_rows
from orchestration.engine.changes.rebuild import rebuild, to_rebuild
from orchestration.engine.changes.tables import change_tables
from orchestration.engine.lags import read_lags
from orchestration.engine.workspace import Workspace
from resources.delta.pending import Pending
from resources.storage.journal import Journal
from tests.support import oracle
from tests.support.damages import (
    ONE_OF_A_KIND,
    OTHERS,
    Damage,
    data_files,
    lose_the_log,
)
from tests.support.feed import Feed
from tests.support.small_lake import ALL, DATED, Lake
from tests.support.strategies import random_bronze

RANGE = "2025-03-01..2025-03-02"
LOOKS = [
    ("status", ALL),
    ("status", ALL, "--json"),
    ("plan", ALL, "--partitions", RANGE),
    ("plan", ALL, "--partitions", RANGE, "--force", "--json"),
    ("plan", "--changed"),
    ("freshness",),
    ("metrics",),
    ("report", "-o", "{folder}/report.html"),
    ("doctor",),
    ("lineage", ALL),
    ("runs",),
    ("repair", "--dry-run"),
    ("repair", "--rebuild", "--dry-run"),
    ("maintenance", "--dry-run"),
    ("wipe", oracle.SILVER, "--partitions", RANGE, "--dry-run"),
    ("wipe", oracle.CITY_DAILY, "--partitions", RANGE, "--dry-run"),
    ("show", oracle.FACT_HOURLY),
    ("show", oracle.CITY_DAILY),
    ("show", oracle.BRONZE, "--raw", "--partitions", RANGE),
    ("migrate", oracle.CITY_DAILY, "--dry-run"),
    ("accept", oracle.FACT_HOURLY, "--dry-run"),
]
QUIET = Quiet(Console(stderr=True))
Made = tuple[Lake, dict[str, Any]]


@pytest.fixture(scope="module")
def made(embedded: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A lake of two days, made in two steps, and its tables."""
    folder = tmp_path_factory.mktemp("lake")
    with Feed(random_bronze(31, days=2, locations=["hanoi", "danang"], first=date(2025, 3, 1))) as feed:
        lake = Lake(folder, embedded, feed.server.url)
        assert lake.materialize(RANGE[:10]).ok
        assert lake.materialize(RANGE).ok
        for asset in lake.workspace.catalog:
            lake.workspace.warehouse.keep_state(asset, lake.workspace.warehouse.state(asset))
        yield lake, lake.tables()


@pytest.fixture
def lake(made: Made, tmp_path: Path) -> Lake:
    """A copy, whose source nobody can reach."""
    shutil.copytree(made[0].folder, tmp_path / "lake")
    return Lake(tmp_path / "lake", made[0].shared, "http://127.0.0.1:9")


def aqi(lake: Lake, *args: str) -> Result:
    """A call of the command in this process, which must end as commands end: no traceback."""
    env = {
        "AQI_WAREHOUSE__URI": str(lake.folder),
        "AQI_CLOCK__NOW": lake.now.isoformat(),
        "AQI_OPEN_METEO__BASE_URL": lake.base_url,
    }
    result = CliRunner().invoke(main, [arg.format(folder=lake.folder) for arg in args], env=env)
    assert result.exception is None or isinstance(result.exception, SystemExit), (args, result.exc_info)
    assert "Traceback" not in result.stderr
    if result.exit_code:
        assert result.exit_code in (1, 2, 3), args
    return result


def remedied(lake: Lake, key: str) -> str:
    """Do what `aqi status` says that mends the table, and give the command."""
    said = aqi(lake, "status", key)
    found = re.search(
        rf"`(aqi repair {re.escape(key)}(?: --rebuild)?)`", re.sub(r"\s+", " ", said.stdout + said.stderr)
    )
    assert found, said.stdout + said.stderr
    if "--rebuild" in found[1]:
        (rebuilt,) = rebuild(lake.workspace, [key], QUIET)
        assert Path(rebuilt.kept).is_dir()
    summary = lake.repair(key)
    assert summary.ok, [outcome.problems for outcome in summary.outcomes]
    return found[1]


@pytest.mark.parametrize(
    "damage", [*ONE_OF_A_KIND, *(pytest.param(one, marks=pytest.mark.slow) for one in OTHERS)], ids=str
)
def test_every_command_over_a_damage(made: Made, lake: Lake, damage: Damage) -> None:
    damage.to(lake.folder)
    ends = {args: aqi(lake, *args).exit_code for args in LOOKS}
    assert {ends[args] for args in LOOKS if args[0] in ("status", "runs", "lineage", "metrics")} == {0}
    states = lake.states(days=RANGE)
    sound = {key: found for key, found in states.items() if key != damage.key}
    assert all(set(found) == {"fresh"} for found in sound.values()), sound
    if not damage.said:
        assert set(states[damage.key]) == {"fresh"}
        assert lake.repair().plan.is_empty
        return
    assert ("damaged" in states[damage.key]) is not damage.readable
    assert ends[("doctor",)] == 1
    told = re.sub(r"\s+", " ", aqi(lake, "doctor").stdout)
    assert damage.said in told
    if damage.rebuilt and not damage.readable:
        lags = read_lags(lake.workspace, [damage.key])
        assert {lag.covered_until for lag in lags} == {None}, "what is damaged covers nothing"
    forced = lake.materialize(RANGE, "layer:gold", force=True)
    left_out = {item.asset for item in forced.plan.left_out}
    assert {outcome.step.asset for outcome in forced.outcomes if outcome.not_made} == set()
    assert (damage.key in left_out) is (damage.rebuilt and damage.key.startswith("gold.")), forced.plan.left_out
    assert forced.ok is not bool(left_out)
    if damage.key.startswith("gold.") and not damage.rebuilt:
        assert "damaged" not in lake.states(damage.key)[damage.key], "what was forced is there"
        assert lake.repair(damage.key).ok
    else:
        assert remedied(lake, damage.key).endswith("--rebuild") is damage.rebuilt
    assert all(set(found) == {"fresh"} for found in lake.states(days=RANGE).values())
    assert lake.tables() == made[1]
    assert aqi(lake, "doctor", "--offline").exit_code == 0
    assert lake.materialize(RANGE).plan.is_empty


def test_what_is_damaged_is_left_out_and_the_rest_is_made(made: Made, lake: Lake) -> None:
    """Rows of a fact are lost, and a daily row has to be made anew: it waits, with the reason; others do not."""
    ONE_OF_A_KIND[0].to(lake.folder)
    wiped = aqi(lake, "wipe", f"{oracle.CITY_DAILY} or {oracle.QUARANTINE}", "--partitions", RANGE, "--yes")
    assert wiped.exit_code == 0, wiped.stderr
    summary = lake.materialize(RANGE)
    assert summary.exit_status == 1
    assert {outcome.step.asset for outcome in summary.outcomes} >= {oracle.QUARANTINE}
    reasons = {item.asset: item.reason for item in summary.plan.left_out}
    assert "is damaged there" in reasons[oracle.CITY_DAILY]
    assert f"`aqi repair {oracle.FACT_HOURLY}`" in reasons[oracle.CITY_DAILY]
    remedied(lake, oracle.FACT_HOURLY)
    assert lake.materialize(RANGE).ok
    assert lake.tables() == made[1]


def test_a_rebuilding_that_was_broken_off_is_gone_on_with(
    made: Made, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two moves there is no table: nothing but the same command goes on, and it finds its way."""
    key, workspace = oracle.CITY_DAILY, lake.workspace
    ONE_OF_A_KIND[2].to(lake.folder)
    with monkeypatch.context() as patch:
        patch.setattr("resources.delta.rebuilding.failpoints.reach", _dies)
        with pytest.raises(SystemExit):
            rebuild(workspace, [key], QUIET)
    assert not Path(lake.uri(key)).exists()
    refused = aqi(lake, "materialize", key, "--partitions", RANGE)
    assert refused.exit_code == 2
    assert f"`aqi repair {key} --rebuild`" in refused.stderr
    assert to_rebuild(lake.workspace, [key], sound=False) == [key]
    rebuild(lake.workspace, [key], QUIET)
    assert Pending(str(lake.folder)).read() is None
    assert lake.repair(key).ok
    assert lake.tables(DATED) == made[1]


def _dies(_point: str) -> None:
    raise SystemExit


def rot(path: Path) -> None:
    """Other bytes, and as many of them."""
    content = bytearray(path.read_bytes())
    for at in range(4, len(content) // 2):
        content[at] ^= 0xFF
    path.write_bytes(bytes(content))


def other_rows(path: Path) -> None:
    """A sound file of the same size, in which values are others."""
    rows, size, padding = pq.read_table(path), path.stat().st_size, 0
    changed = pa.array([value + 1 for value in rows["hours_in_cat_good"].to_pylist()], pa.int64())
    at = rows.column_names.index("hours_in_cat_good")
    rows = rows.set_column(at, rows.schema.field(at), changed).replace_schema_metadata(None)
    for _ in range(9):
        with pq.ParquetWriter(path, rows.schema, store_schema=False) as writer:
            writer.write_table(rows)
            writer.add_key_value_metadata({"padding": "x" * padding})
        if path.stat().st_size == size:
            break
        padding += size - path.stat().st_size
    assert path.stat().st_size == size


def verified(lake: Lake, key: str) -> tuple[list[str], RunSummary]:
    """`aqi repair --verify`, without Prefect."""
    workspace = lake.workspace
    there = workspace.states([key])
    partitions = workspace.repaired([key], there, None, (), everything=True)
    told = [found.in_words for found in compare_rows(workspace, [key], partitions, QUIET, lake.shared.make)]
    lake.adapt = lambda fresh: _with(fresh, workspace.compared)
    try:
        return told, lake.repair(key)
    finally:
        lake.adapt = lambda fresh: fresh


def _with(workspace: Workspace, compared: dict[str, Any]) -> Workspace:
    workspace.compared.update(compared)
    return workspace


def test_verify_finds_what_no_listing_shows(made: Made, lake: Lake) -> None:
    """Bytes that rotted, and rows that somebody wrote over; sound tables get no commit."""
    fact, daily = (data_files(Path(lake.uri(key)))[0] for key in (oracle.FACT_HOURLY, oracle.CITY_DAILY))
    rot(fact)
    assert all(set(found) == {"fresh"} for found in lake.states(days=RANGE).values()), "a listing sees nothing"
    told, summary = verified(lake, oracle.FACT_HOURLY)
    assert f"the data file {fact.name} cannot be read" in told[0]
    assert summary.ok
    assert summary.outcomes[0].written
    before = lake.versions()
    told, summary = verified(lake, oracle.FACT_HOURLY)
    assert "are those that were recorded" in told[0]
    assert (summary.plan.steps, lake.versions()) == ((), before)
    other_rows(daily)
    told, summary = verified(lake, oracle.CITY_DAILY)
    assert "have others" in told[0]
    assert summary.ok
    assert lake.tables() == made[1]
    assert all(set(found) == {"fresh"} for found in lake.states(days=RANGE).values())


def test_a_refused_run_is_in_the_journal(lake: Lake) -> None:
    ONE_OF_A_KIND[1].to(lake.folder)
    before = len(Journal(str(lake.folder)).entries())
    done = aqi(lake, "materialize", oracle.FACT_HOURLY, "--partitions", RANGE)
    assert done.exit_code == 1
    entry, *earlier = Journal(str(lake.folder)).entries()
    assert (len(earlier), entry.state) == (before, RunState.FAILED)
    (problem,) = entry.attempts[oracle.FACT_HOURLY].problems
    assert "deletionVectors" in problem.message


def test_repair_goes_on_after_the_commit_that_takes_lost_files_out(made: Made, lake: Lake) -> None:
    """Killed between the two, what was damaged is unrecorded, and the same command mends it; also bronze, offline."""
    OTHERS[0].to(lake.folder)
    workspace = lake.workspace
    request = workspace.repair([oracle.BRONZE], None)
    plan, states = workspace.plan(request)
    change_tables(workspace, plan, states, "killed")
    found = lake.states(oracle.BRONZE)[oracle.BRONZE]
    assert set(found) == {"fresh", "unrecorded"}, "what has no rows has lost none"
    said = re.sub(r"\s+", "", aqi(lake, "status").stdout)
    assert f"itsrepairisnotdone(rowsthatwerelost,orarenotcomparedyet):`aqirepair{oracle.BRONZE}`goeson" in said
    assert "somebodyelse" not in said
    assert set(lake.states(oracle.SILVER)[oracle.SILVER]) == {"fresh"}, "what was made from it before is right still"
    assert lake.repair(oracle.BRONZE).ok
    assert lake.tables() == made[1]
    assert all(set(found) == {"fresh"} for found in lake.states(days=RANGE).values())


def test_nothing_is_asked_of_a_source_for_what_kept_answers_give(lake: Lake) -> None:
    """Without them the hours are named, and --refetch is the way."""
    OTHERS[0].to(lake.folder)
    shutil.rmtree(lake.folder / "_aqi" / "raw")
    for _ in range(2):  # the second time its log names the lost file no more
        summary = lake.repair(oracle.BRONZE)
        assert summary.exit_status == 1
        (problem,) = {problem.message for outcome in summary.outcomes for problem in outcome.problems}
        assert "no answer is kept that has the hours" in problem
    assert f"`aqi repair --refetch {oracle.BRONZE}` asks the source again" in problem
    assert "--from-raw" not in problem, "nobody has asked for that"
    workspace = lake.workspace
    plan, _ = workspace.plan(workspace.repair([oracle.BRONZE], None, refetch=True))
    assert plan.steps_of(oracle.BRONZE)[0].fetched == plan.steps_of(oracle.BRONZE)[0].partitions


def test_no_row_of_the_old_table_is_believed(made: Made, lake: Lake) -> None:
    """Somebody wrote over a file, and then the table had to be rebuilt: what differs from its record is made anew."""
    other_rows(data_files(Path(lake.uri(oracle.CITY_DAILY)))[0])
    ONE_OF_A_KIND[2].to(lake.folder)
    remedied(lake, oracle.CITY_DAILY)
    assert lake.tables() == made[1]
    assert all(set(found) == {"fresh"} for found in lake.states(days=RANGE).values())


def no_log_but_a_file(table: Path) -> None:
    lose_the_log(table)
    (table / "_delta_log").write_text("no folder")


def no_folder_but_a_file(table: Path) -> None:
    shutil.rmtree(table)
    table.write_text("no folder")


def no_folder_but_a_link(table: Path) -> None:
    shutil.rmtree(table)
    table.symlink_to(table.parent / "not-mounted", target_is_directory=True)


def no_folder_but_a_link_to_itself(table: Path) -> None:
    shutil.rmtree(table)
    table.symlink_to(table.name)


@pytest.mark.parametrize("do", [no_folder_but_a_link, no_folder_but_a_link_to_itself])
def test_a_link_to_nothing_is_not_rebuilt(made: Made, lake: Lake, do: Callable[[Path], None]) -> None:
    """Its table may be on a disk that is not mounted. Who removes the link can make the table."""
    Damage(do, oracle.CITY_DAILY).to(lake.folder)
    refused = aqi(lake, "repair", oracle.CITY_DAILY, "--rebuild", "--yes")
    assert refused.exit_code == 1 and "or remove the link" in refused.stderr
    lake.folder.joinpath(*oracle.CITY_DAILY.split(".")).unlink()
    assert lake.materialize(RANGE).ok
    assert lake.tables() == made[1]


@pytest.mark.parametrize(
    ("do", "remedy"),
    [
        (no_log_but_a_file, f"`aqi repair {oracle.CITY_DAILY} --rebuild` makes it anew."),
        (no_folder_but_a_file, f"`aqi repair {oracle.CITY_DAILY} --rebuild` makes it anew."),
        (no_folder_but_a_link, "or remove the link "),
        (no_folder_but_a_link_to_itself, "or remove the link "),
    ],
)
def test_a_location_without_a_table_is_told_alike_by_all(lake: Lake, do: Callable[[Path], None], remedy: str) -> None:
    """Neither "there is no table, make it", which cannot be done, nor "the warehouse cannot be read", which can."""
    Damage(do, oracle.CITY_DAILY).to(lake.folder)
    shown = aqi(lake, "show", oracle.CITY_DAILY)
    assert (shown.exit_code, shown.stdout) == (1, "")
    told = [shown.stderr] + [aqi(lake, *args).stdout for args in (("status",), ("doctor",), ("freshness",))]
    assert all(re.sub(r"\s+", "", remedy) in re.sub(r"\s+", "", text) for text in told), told
    lags = {(one["asset"], "trouble" in one) for one in json.loads(aqi(lake, "freshness", "--json").stdout)}
    assert (oracle.CITY_DAILY, True) in lags
    assert (oracle.FACT_HOURLY, False) in lags


def test_freshness_says_what_is_damaged_and_what_mends_it(lake: Lake) -> None:
    """Days that are damaged farther back do not let a table lie behind; they are told all the same."""
    ONE_OF_A_KIND[0].to(lake.folder)
    told = aqi(lake, "freshness").stdout
    assert f"`aqi repair {oracle.FACT_HOURLY}` mends it." in told.splitlines()[-1]
    assert "is gone (" in told.splitlines()[-1]


def test_what_a_look_cannot_see_has_a_remedy_that_mends_it(made: Made, lake: Lake) -> None:
    """Other bytes, as many: status says fresh, `aqi repair` finds nothing; whoever reads it names --verify."""
    (path, *_) = data_files(Path(lake.uri(oracle.FACT_HOURLY)))
    path.write_bytes(bytes(path.stat().st_size))
    assert lake.repair(oracle.FACT_HOURLY).plan.is_empty
    assert f"`aqi repair {oracle.FACT_HOURLY} --verify`" in aqi(lake, "show", oracle.FACT_HOURLY).stderr
    failed = lake.materialize(RANGE, oracle.CITY_DAILY, force=True)
    problems = {problem.message for outcome in failed.outcomes for problem in outcome.problems}
    assert any(f"`aqi repair {oracle.FACT_HOURLY} --verify`" in problem for problem in problems), problems
    _, mended = verified(lake, oracle.FACT_HOURLY)
    assert mended.ok
    assert lake.tables() == made[1]


def test_metrics_go_on_without_the_history_of_steps(lake: Lake) -> None:
    """It is no table of people's: what is damaged there must not hide what is said of theirs."""
    log = lake.folder / "_aqi" / "step_history" / "_delta_log"
    shutil.rmtree(log.parent, ignore_errors=True)
    log.mkdir(parents=True)
    (log / f"{0:020d}.json").write_text("no commit")
    said = aqi(lake, "metrics")
    assert said.exit_code == 0
    assert "step_history" in said.stderr
    assert f'aqi_partitions{{asset="{oracle.BRONZE}",state="damaged"}} 0.0' in said.stdout
    assert aqi(lake, "metrics", "--json").exit_code == 2


@pytest.mark.parametrize(("key", "how"), [(oracle.BRONZE, " --from-raw"), (oracle.EPISODE, "")])
def test_what_a_cut_commit_alone_recorded_is_told_of(made: Made, lake: Lake, key: str, how: str) -> None:
    """Nobody can know it any more; it is missing after the rebuilding, and of what was fetched the answers are kept."""
    last = sorted((Path(lake.uri(key)) / "_delta_log").glob("*.json"))[-1]
    last.write_text(last.read_text()[:300])
    shutil.rmtree(Path(lake.uri(key)) / "_aqi", ignore_errors=True)
    (rebuilt,) = rebuild(lake.workspace, [key], QUIET)
    assert f"`aqi materialize {key}{how} --partitions RANGE`" in rebuilt.in_words()


def test_of_a_log_that_was_read_nothing_is_missing(lake: Lake) -> None:
    ONE_OF_A_KIND[1].to(lake.folder)
    (rebuilt,) = rebuild(lake.workspace, [oracle.FACT_HOURLY], QUIET)
    assert "missing" not in rebuilt.in_words()
