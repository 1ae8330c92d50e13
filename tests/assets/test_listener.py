"""OpenLineage's own listener for Spark sees the same columns: what it tells of writes of all assets is what we tell.

It reads the plan of what Spark writes, we read the plan that an asset's function builds; on the embedded engine there
is no JVM that it could listen in. Compared are the direct fields, as they stand in the facets, names of datasets too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from assets import CATALOG
from orchestration.core.openlineage.columns import reported_columns
from orchestration.core.openlineage.naming import dataset_at
from orchestration.engine.lineage.of_frames import lineage_of_asset
from orchestration.engine.workspace import Workspace
from orchestration.project import load
from resources.simulator.server import Simulator
from resources.spark.driver import spark_conf
from tests.support.listener_writes import SENT
from tests.support.small_lake import NOW, Lake

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
JARS = Path(sys.prefix) / "listener"
COUNTED = {f"hours_in_cat_{name}" for name in ("good", "moderate", "usg", "unhealthy", "very_unhealthy", "hazardous")}
"""``count_if`` is an aggregation to us, and to it a transformation: it does not know the function, and names what is
inside."""
OVER_A_WINDOW = {"is_open"}
"""An hour's next one by ``lead``, aggregated then: an aggregation to us. To the listener it is a transformation
as well."""
DIFFERENT = {"gold.fact_city_daily": COUNTED, "gold.fact_episode": OVER_A_WINDOW}

Facet = dict[str, dict[tuple[str, str, str], set[str]]]
"""By column, the columns that it has its value of (namespace, dataset, column), and how."""


def direct(facet: dict[str, Any]) -> Facet:
    """Of the facet ``columnLineage``."""
    found: Facet = {}
    for name, field in facet["fields"].items():
        for one in field["inputFields"]:
            how = {way["subtype"] for way in one["transformations"] if way["type"] == "DIRECT"}
            if how:
                found.setdefault(name, {})[one["namespace"], one["name"], one["field"]] = how
    return found


@pytest.fixture(scope="module")
def warehouse(embedded: Any, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two days of all tables."""
    with Simulator(now=lambda: NOW) as simulator:
        lake = Lake(tmp_path_factory.mktemp("lake"), embedded, simulator.url, now=NOW)
        assert lake.materialize("2026-05-20..2026-05-21").exit_status == 0
        return lake.workspace


@pytest.fixture(scope="module")
def told_by_listener(warehouse: Workspace, into: Path) -> dict[str, Facet]:
    """By asset, from the events of a session that writes them all."""
    jars = sorted(JARS.glob("openlineage-spark_*.jar"))
    if not jars:
        pytest.fail(f"OpenLineage's listener is not in {JARS}: `make test-long` fetches it")
    events = into / "events.jsonl"
    conf = spark_conf(load(environment={}), "listener", 1)
    conf |= {
        "spark.jars": ",".join([conf["spark.jars"], *map(str, jars)]),
        "spark.extraListeners": "io.openlineage.spark.agent.OpenLineageSparkListener",
        "spark.openlineage.transport.type": "file",
        "spark.openlineage.transport.location": str(events),
    }
    said = {"conf": conf, "warehouse": warehouse.settings.warehouse.uri, "into": str(into)}
    (into / "said.json").write_text(json.dumps(said), encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENLINEAGE_", "SPARK_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.listener_writes", str(into / "said.json")],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Facet] = {}
    for event in map(json.loads, events.read_text(encoding="utf-8").splitlines()):
        for output in event["outputs"] if event["eventType"] == "COMPLETE" else ():
            told[Path(output["name"]).name] = direct(output["facets"].get("columnLineage", {"fields": {}}))
    return told


@pytest.fixture(scope="module")
def into(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("into")


@pytest.fixture(scope="module")
def told_by_us(warehouse: Workspace, embedded: Any, into: Path) -> dict[str, Facet]:
    engine, told = embedded.engine(warehouse.warehouse), dict[str, Facet]()
    for asset in CATALOG:
        source = None if asset.source is None else warehouse.sources[asset.source]
        with engine.working(asset.key):
            lineage = lineage_of_asset(asset, engine, warehouse.contracts, warehouse.code.arguments(asset), source)

        names = {of: dataset_at(warehouse.warehouse.table_uri(of)) for of in warehouse.assets if of != asset.key}
        names |= {of: dataset_at(str(into / SENT / of)) for of in warehouse.sources}
        found = direct(reported_columns(lineage, names.get).facet())
        if source is not None:  # a file has our names of columns
            ours = {name: column for column, name in source.called.items()}
            found = {
                name: {(*at, ours.get(column, column)): how for (*at, column), how in of.items()}
                for name, of in found.items()
            }
        told[asset.key] = found
    return told


@pytest.mark.parametrize("key", [asset.key for asset in CATALOG])
def test_direct_fields_are_those_of_the_listener(
    key: str, told_by_us: dict[str, Facet], told_by_listener: dict[str, Facet]
) -> None:
    ours, theirs = told_by_us[key], told_by_listener[key]
    if CATALOG[key].source is not None:  # when it was asked is no column of what was sent: it is our own
        theirs = {name: of for name, of in theirs.items() if name != "_ingested_at"}
    assert {name: of.keys() for name, of in ours.items()} == {name: of.keys() for name, of in theirs.items()}
    different = {name for name, of in ours.items() if of != theirs[name]}
    assert different == DIFFERENT.get(key, set())
    assert all(of < theirs["is_open"][at] for at, of in ours.get("is_open", {}).items())
    assert bool(ours) is bool(CATALOG[key].upstream_keys or CATALOG[key].source)
