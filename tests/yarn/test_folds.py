"""Bronze on HDFS as the fold of the answers: of two runs at once, and of what is kept there of all that was sent.

Two runs are held where they can meet: before Delta has looked at the table, while it writes, while an answer is on its
way. ``tests/engine/test_two_runs_at_once.py`` has the same over a folder, and more of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from orchestration.cli.progress import Quiet
from orchestration.reports.raw_answers import RawHistory, read_raw_answers
from orchestration.service.maintenance import TableUpkeep, run_maintenance
from resources.storage.files import open_files
from scripts.cluster import Cluster
from tests.support import oracle
from tests.support.aqi_process import ROOT
from tests.support.clocks import MovingClock
from tests.support.cluster_calls import YarnCommands
from tests.support.two_runs import (
    DAYS_IN_WORDS,
    NOON,
    SEEN,
    UNSEEN,
    TwoRuns,
    provider_of,
    sent_to_one,
    sent_to_the_other,
)

pytestmark = [pytest.mark.spark, pytest.mark.prefect, pytest.mark.yarn, pytest.mark.timeout(600)]

ASKED = "asked"


@pytest.fixture
def two(cluster: Cluster, on_spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoRuns]:
    """Runs in this process, on HDFS."""
    monkeypatch.setattr(on_spark.session.sparkContext, "pythonExec", sys.executable)  # what holds rows is Python
    clock, uri = MovingClock(NOON), f"{cluster.default_fs}/warehouses/{tmp_path.name}"
    with provider_of(clock) as provider:
        yield TwoRuns.over(provider, clock, on_spark, tmp_path, uri)


def meet(two: TwoRuns, how: str, minutes: float, *, was_there: bool) -> None:
    """Two runs, of which the second asks so many minutes later, or earlier, and lands first."""
    if was_there:
        two.hourly()
        two.clock.pass_(minutes=10)
    sent_to_one(two)
    other = two.other_run(sent_to_the_other, minutes)
    if how == ASKED:
        two.provider.meanwhile = other
    else:
        two.engine.meanwhile, two.engine.how = other, how
    two.hourly()
    assert not two.engine.is_waiting
    assert len({owner.asked for owner in two.check().owners.values()}) == 2 + was_there


@pytest.mark.parametrize(("how", "minutes", "was_there"), [(UNSEEN, 3, True)])
def test_two_runs_at_once(two: TwoRuns, how: str, minutes: int, was_there: bool) -> None:
    meet(two, how, minutes, was_there=was_there)


@pytest.mark.slow
@pytest.mark.parametrize("was_there", [True, False])
@pytest.mark.parametrize("minutes", [3, -3])
@pytest.mark.parametrize("how", [SEEN, UNSEEN, ASKED])
def test_two_runs_at_once_however_they_meet(two: TwoRuns, how: str, minutes: int, was_there: bool) -> None:
    """And what comes afterwards: what is right heals all, and nothing new makes no commit."""
    meet(two, how, minutes, was_there=was_there)
    two.clock.pass_(minutes=30)
    two.provider.instead.clear()
    two.hourly()
    assert not two.check().standing
    version = two.version
    two.clock.pass_(minutes=5)
    two.hourly()
    assert two.version == version


@pytest.mark.slow
@pytest.mark.parametrize("minutes", [3, -3])
def test_two_commands_at_once(two: TwoRuns, server: str, tmp_path: Path, minutes: int) -> None:
    """Two applications, of which one waits for its answer until the other is done."""

    profile = tmp_path / "two.yml"
    locations = yaml.safe_dump({"locations": two.lake.flags["locations"]})
    profile.write_text((ROOT / "config" / "yarn.yml").read_text(encoding="utf-8") + locations, encoding="utf-8")

    def command(name: str) -> YarnCommands:
        commands = YarnCommands(tmp_path / name, two.uri, two.provider.url, server)
        commands.environment |= {
            "AQI_CLOCK__NOW": two.clock().isoformat(),
            "AQI_HOURLY__REVISABLE_DAYS": "4",
            "AQI_OPEN_METEO__READ_TIMEOUT_SECONDS": "300",
            "AQI_PROFILE": str(profile),
        }
        return commands

    def hourly(name: str) -> None:
        done = command(name)("materialize", oracle.BRONZE, "--hourly", timeout=400)
        assert done.returncode == 0, done.stderr

    two.hourly()
    two.clock.pass_(minutes=10)
    sent_to_one(two)
    two.provider.meanwhile = two.other_run(sent_to_the_other, minutes, lambda: hourly("other"))
    hourly("one")
    assert len({owner.asked for owner in two.check().owners.values()}) == 3


@pytest.mark.slow
def test_what_was_sent_is_kept_found_packed_and_read(two: TwoRuns, tmp_path: Path) -> None:
    """By maintenance, which names what is broken; and `aqi show --raw`."""
    two.hourly()
    two.clock.pass_(minutes=10)
    sent_to_one(two)
    two.hourly()
    two.clock.pass_(minutes=5)
    two.hourly()
    workspace = two.lake.workspace
    kept = workspace.raw.all(oracle.BRONZE)
    assert [file.asked for file in kept.files] == [
        "2025-03-05T12:10:00Z",
        "2025-03-05T12:20:00Z",
        "2025-03-05T12:25:00Z",
    ]
    moments = workspace.moments.named(oracle.BRONZE)
    assert sorted(moments) == ["2025-03-05T12:20:00Z", "2025-03-05T12:25:00Z"]
    before = sent(two)
    assert sum(line.owns for line in before.lines) == len(two.check().rows)
    (became,) = [
        line.became for line in before.lines if (line.asked[11:16], line.partition) == ("12:20", "2025-03-04/hanoi")
    ]
    assert became == "owns 16 hours, turned away 8 hours"

    two.clock.pass_(days=3)
    done = upkeep(two)
    assert (done.raw_packed, done.moments_packed, done.broken, done.missing) == (3, 2, (), 0)
    assert sent(two) == before
    assert two.lake.workspace.moments.named(oracle.BRONZE) == moments
    assert upkeep(two).raw_packed == 0
    commands = YarnCommands(tmp_path, two.uri, two.provider.url, "http://127.0.0.1:9")
    shown = commands.json("show", oracle.BRONZE, "--raw", "--partitions", DAYS_IN_WORDS, "--locations", "hanoi,danang")
    assert [line["became"] for line in shown] == [line.became for line in before.lines]

    data = two.state.files
    two.from_raw()
    two.check()
    assert two.state.files == data
    (pack,) = [path for path in files_of(two) if "/pack_" in path]
    files, _ = open_files(two.uri)
    content = files.cat_file(pack)
    files.pipe_file(pack, content[: len(content) // 2])
    assert any(pack.rpartition("/")[2] in path for path in upkeep(two).broken)
    assert any(pack.rpartition("/")[2] in note for note in sent(two).notes)


def sent(two: TwoRuns) -> RawHistory:
    return read_raw_answers(two.lake.workspace, oracle.BRONZE, DAYS_IN_WORDS)


def upkeep(two: TwoRuns) -> TableUpkeep:
    summary = run_maintenance(two.lake.workspace, Quiet(Console(stderr=True)), [oracle.BRONZE])
    assert summary.ok, summary.in_words()
    (done,) = summary.tables
    return done


def files_of(two: TwoRuns) -> list[str]:
    """What is kept of what was sent."""
    files, root = open_files(two.uri)
    return [str(path) for path in files.find(f"{root}/_aqi/raw")]
