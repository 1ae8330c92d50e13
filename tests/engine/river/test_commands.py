"""The command on another project: every way to use it, and that no word of air stands in what it says or keeps."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from orchestration.cli.app import main
from orchestration.reports.lineage import FORMATS
from resources.raw.files import decompressed
from tests.support.engines import SharedEmbedded
from tests.support.river.filled import DAYS, ENDED, NOW, TODAY, fill
from tests.support.river.lake import RiverLake, Rivers
from tests.support.river.oracle import COLUMNS, DAILY, FLOODS, LEVELS, RAINFALL, READINGS
from tests.support.river.project import PROJECT
from tests.support.words import words_of_air

pytestmark = [pytest.mark.engine, pytest.mark.prefect, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[3]
OF_OURS = (
    r'\\?"aqi\\?":',  # the mark of our commits: what an old warehouse has cannot be renamed
    r"/state/aqi\b",  # the folder of logs and the like below this user's state
    r"\b_aqi\b",  # the folder of our own files beside the tables
    r"\.aqi\.lock\b",  # the lock of a warehouse, which old versions take too
    r"· aqi \d+\.\d+\.\d+,",  # what made a report
    r"\burn:aqi:",  # who tells of lineage in OpenLineage's form: the package
    r"\baqi_(?=partitions|hours|lag|scale|step|runs?)",  # the names of metrics begin with the command's
)
"""Forms of the command's name in what it keeps, beside those that people read."""
CALLED = ("backfill", "lineage", "materialize", "plan", "repair", "runs", "show", "status", "wipe")
SAID = [
    ("plan", "*", "--partitions", "2025-02-27..2025-03-05"),
    ("plan", "*", "--partitions", "2025-02-27..2025-03-05", "--force", "--json"),
    ("plan", "--changed"),
    ("plan", "--changed", "--json"),
    ("status",),
    ("status", "--json"),
    ("status", "--partitions", "2025-02-28..2025-03-05"),
    *[("lineage", "--format", form) for form in FORMATS],
    ("repair", "--dry-run"),
    ("repair", "--refetch", "--dry-run", "--json"),
    ("backfill", "--start-date", "2025-02-01", "--end-date", "2025-02-03", "--dry-run"),
    ("materialize", "*", "--hourly", "--dry-run"),
    ("materialize", "*", "--hourly", "--dry-run", "--json"),
    ("wipe", "*", "--partitions", "2025-03-02", "--dry-run"),
    ("freshness",),
    ("freshness", "--json"),
    ("metrics",),
    ("metrics", "--json"),
    ("runs",),
    ("runs", "--json"),
    ("runs", "last"),
    ("runs", "last", "--json"),
    ("maintenance", "--dry-run"),
    *[(name, "--help") for name in CALLED],
    *[("show", key, "--format", form, "--limit", "1000") for key in COLUMNS for form in ("table", "csv", "json")],
]
REFUSED = [
    ("status", "gold.dayly_levels"),
    ("show", "gold.floods", "--locations", "aldr"),
    ("plan", "*", "--partitions", "2025-13"),
    ("plan", "*"),
    ("status", "--profile", "nowhere"),
    ("plan", "gold.floods", "--partitions", "2018-01-01..2018-01-02"),
]


@dataclass
class Site:
    """The rivers with a warehouse, and everything that calls of the command on it have said."""

    rivers: Rivers
    folder: Path
    said: list[str] = field(default_factory=list)

    @property
    def warehouse(self) -> Path:
        return self.folder / "lake"

    @property
    def env(self) -> dict[str, str]:
        return {
            "PREFECT_HOME": str(self.folder / "prefect"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "AQI_WAREHOUSE__URI": str(self.warehouse),
            "AQI_GAUGES__BASE_URL": self.rivers.service.url,
            "AQI_RAIN_FILES__FOLDER": str(self.rivers.folder),
            "AQI_CLOCK__NOW": NOW.isoformat(),
        }

    def process(self, *call: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A call in a process of its own."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AQI_", "PREFECT_"))}
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.river", *call],
            env={**clean, **self.env, "PYTHONPATH": str(ROOT), **more},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        self.said += [done.stdout, done.stderr]
        return done

    def __call__(self, *call: str, status: int = 0, **more: str) -> str:
        """A call in this process; gives standard output."""
        done = CliRunner().invoke(main, call, obj=PROJECT, env={**self.env, **more})
        assert done.exit_code == status, f"{call}: {done.output}{done.exception!r}"
        self.said += [done.stdout, done.stderr]
        return done.stdout

    def json(self, *call: str, status: int = 0, **more: str) -> Any:
        return json.loads(self(*call, "--json", status=status, **more))

    def tables(self) -> dict[str, Any]:
        shared = SharedEmbedded(self.folder)  # which reads nothing: deltalake does
        return RiverLake(self.warehouse, shared, self.rivers.service.url, now=NOW, rain=self.rivers.folder).tables()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """After three runs: a first one that one gauge had nothing for, a backfill in daily chunks, an hourly one."""
    folder = tmp_path_factory.mktemp("site")
    rivers = fill(folder)
    with rivers.service:
        yield Site(rivers, folder)


@pytest.fixture(scope="module")
def runs(site: Site, server: str) -> list[subprocess.CompletedProcess[str]]:
    """The first one starts a server of its own, the others are told of one."""
    site.rivers.service.broken = {"birch"}
    first = site.process("materialize", "*", "--partitions", f"{ENDED[0]}", "--json")
    site.rivers.service.broken = set()
    call = ("backfill", "--start-date", f"{ENDED[0]}", "--end-date", f"{ENDED[-1]}", "--chunk-mode", "daily")
    second = site.process(*call, PREFECT_API_URL=server)
    third = site.process("materialize", "*", "--hourly", PREFECT_API_URL=server)
    return [first, second, third]


def test_materialize_names_the_gauge_that_failed(runs: list[Any]) -> None:
    summary = json.loads(runs[0].stdout)
    assert runs[0].returncode == 1, runs[0].stderr
    told = {step["asset"]: step for step in summary["steps"]}
    assert "no data of birch" in json.dumps(told[READINGS])
    assert told[READINGS]["failed"] == told[DAILY]["skipped"] == [f"{ENDED[0]}/birch"]
    assert (told[RAINFALL]["state"], len(told[RAINFALL]["written"])) == ("written", 3)


def test_a_backfill_and_an_hourly_run_end_in_the_tables_of_the_oracle(site: Site, runs: list[Any]) -> None:
    for done in runs[1:]:
        assert done.returncode == 0, done.stderr + done.stdout
    assert site.tables() == site.rivers.expected(DAYS, now=NOW)
    assert {item["state"] for item in site.json("status")} == {"fresh"}


@pytest.mark.spark
def test_spark_is_an_engine_of_it_too(tmp_path: Path, server: str) -> None:
    rivers = fill(tmp_path)
    with rivers.service:
        site = Site(rivers, tmp_path)
        call = ("materialize", "*", "--partitions", f"{ENDED[0]}..{ENDED[-1]}", "--engine", "spark")
        done = site.process(*call, PREFECT_API_URL=server)
        assert done.returncode == 0, done.stderr + done.stdout
        third = site.process("materialize", "*", "--hourly", PREFECT_API_URL=server)
        assert third.returncode == 0, third.stderr + third.stdout
        assert site.tables() == rivers.expected(DAYS, now=NOW)


@pytest.mark.usefixtures("runs")
def test_a_plan_says_what_would_be_made_of_another_alarm(site: Site) -> None:
    plan = site.json("plan", "*", "--partitions", f"{ENDED[0]}..{TODAY}", AQI_ALARM__LEVEL="5.5")
    assert [step["asset"] for step in plan["steps"]] == ["gold.dim_alarm", FLOODS]
    assert site.json("plan", "*", "--partitions", f"{ENDED[0]}..{TODAY}")["steps"] == []


@pytest.mark.usefixtures("runs")
def test_lineage_has_its_columns_and_its_sources(site: Site) -> None:
    assets = {item["key"]: item for item in site.json("lineage")["assets"]}
    assert {key: item["source"] for key, item in assets.items() if item["source"]} == {
        READINGS: "gauges",
        RAINFALL: "rain_files",
    }
    assert [assets[key]["partitions"] for key in (LEVELS, RAINFALL, FLOODS, "gold.dim_gauge")] == [
        {"day": "reading_day", "location": "gauge_id"},
        {"day": "fell_on", "location": "station_id"},
        {"day": "began_day", "location": "gauge_id"},
        None,
    ]
    assert set(assets) == set(COLUMNS)


@pytest.mark.usefixtures("runs")
def test_rows_are_shown_of_a_day_at_a_gauge(site: Site) -> None:
    rows = json.loads(site("show", DAILY, "--partitions", "2025-03-02", "--locations", "alder", "--format", "json"))
    assert [(row["gauge_id"], row["reading_day"], row["level_max_m"]) for row in rows] == [("alder", "2025-03-02", 6.5)]


@pytest.mark.usefixtures("runs")
def test_no_word_of_air_stands_in_what_is_said_and_kept(site: Site) -> None:
    for call in SAID:
        site(*call)
    for call in REFUSED:
        site(*call, status=2)
    done = CliRunner().invoke(main, ["doctor"], obj=PROJECT, env=site.env)  # what it finds is this machine's
    assert f"source: {site.rivers.service.url}" in done.stdout
    site.said.append(done.output)
    assert words_of_air("\n".join(site.said), *OF_OURS) == []
    kept = 0
    for path in sorted(site.warehouse.rglob("*")):
        assert words_of_air(str(path.relative_to(site.warehouse)), *OF_OURS) == []
        if path.suffix == ".parquet":
            schema = pq.read_schema(path)
            told = {name.decode(): value.decode() for name, value in (schema.metadata or {}).items()}
            text = "\n".join([*schema.names, *map(str, told.items()), str(pq.read_metadata(path))])
        elif path.suffix == ".zst":  # what sources sent
            text = decompressed(path.read_bytes()).decode("utf-8")
        elif path.suffix == ".gz":  # of compressed bytes some are a short word now and then
            text = gzip.decompress(path.read_bytes()).decode("utf-8")
        elif path.is_file():
            text = path.read_bytes().decode("utf-8", errors="replace")
        else:
            continue
        kept += 1
        assert words_of_air(text, *OF_OURS) == [], path
    assert kept > 50, "or nothing was looked at"
