"""Every asset on both engines, over rows that no provider would send: the same rows, fingerprints and counts.

Extreme numbers and instants, NaN of either sign, infinities, −0.0, nulls, any letters, partitions that are empty or
large. Each asset gets what it has upstream as one engine made it, so that one difference does not hide another.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from assets import CATALOG
from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.runs.decisions import PartitionFacts
from orchestration.engine.engines.engine import Engine
from orchestration.engine.fingerprints import aggregate
from orchestration.engine.frames import conform
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from tests.support import oracle
from tests.support.strategies import random_bronze

pytestmark = pytest.mark.spark

NEGATIVE_NAN = struct.unpack("<d", struct.pack("<Q", 0xFFF8000000000001))[0]
DOUBLES = (0.0, -0.0, 5e-324, -5e-324, 1.7976931348623157e308, -1e308, math.inf, -math.inf, math.nan, NEGATIVE_NAN, 0.1)
WHOLE = (0, -1, 1, 150, 151, 2**31 - 1, -(2**31))
DAYS = (
    date(1, 1, 1),
    date(1582, 10, 15),
    date(1676, 12, 31),
    date(1969, 12, 31),
    date(2024, 2, 29),
    date(9999, 12, 30),
)
TEXTS = ("", " ", "Hà Nội", "e\u0301", "é", "😀", "a|b", "a\x00b", "'\"\\", "\u202eright", "x" * 3000)
SOMETIMES_EMPTY = {asset.key for asset in CATALOG if asset.upstream}
NUMBER, LARGE = 400, 3000


def instants(rng: random.Random) -> Iterator[tuple[date, datetime]]:
    """Distinct ones, on and off the hour, on its day and on another; many in a row at the end of a day."""
    for day in DAYS:
        for hour in range(24):
            yield day, datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        yield day, datetime(day.year, day.month, day.day, 23, 59, 59, 999999, tzinfo=UTC)
        yield day + timedelta(1), datetime(day.year, day.month, day.day, 12, 0, 0, rng.randrange(1, 10**6), tzinfo=UTC)


def extreme_bronze(seed: int, number: int) -> list[dict[str, Any]]:
    """At most so many rows of bronze: everything random, but for what a key is made of."""
    rng = random.Random(seed)
    locations = ("hanoi", *rng.sample(TEXTS[2:], 3))
    rows = []
    for location in locations:
        for day, instant in instants(rng):
            row = {name: _any(rng, WHOLE) for name in oracle.INDEXES}
            row |= {name: _any(rng, DOUBLES) for name in oracle.CONCENTRATIONS}
            row |= {"location_key": location, "ts_utc": instant, "date_utc": day, "model_domain": rng.choice(TEXTS)}
            row |= {"latitude": rng.choice(DOUBLES), "longitude": rng.choice(DOUBLES), "request_timezone": "UTC"}
            rows.append(row | {"_ingested_at": datetime(2026, 1, 1, tzinfo=UTC)})
    rng.shuffle(rows)
    return rows[:number]


def _any(rng: random.Random, of: tuple[Any, ...]) -> Any:
    return rng.choice((None, rng.choice(of), rng.choice(of)))


def one_large_partition() -> list[dict[str, Any]]:
    """Of many rows of one day; seconds apart."""
    rng, day = random.Random(5), date(2025, 8, 8)
    start = datetime(2025, 8, 8, tzinfo=UTC)
    rows = extreme_bronze(6, LARGE)
    keep = {"location_key": "hanoi", "date_utc": day}
    return [rng.choice(rows) | keep | {"ts_utc": start + timedelta(seconds=28 * number)} for number in range(LARGE)]


def recorded(seed: int) -> list[dict[str, Any]]:
    more = {"request_timezone": "UTC", "model_domain": "cams_global", "_ingested_at": datetime(2026, 1, 1, tzinfo=UTC)}
    return [more | row for row in random_bronze(seed, days=9)]


CASES: Mapping[str, Any] = {
    **{f"extreme {seed}": lambda seed=seed: extreme_bronze(seed, NUMBER) for seed in range(6)},
    "one large partition": one_large_partition,
    "nothing": list,
    "awkward": lambda: recorded(149),
    "broken keys": lambda: [row | {"_ingested_at": datetime(2026, 1, 1, tzinfo=UTC)} | _said for row in _broken()],
}
MORE_OF_A_KIND = {f"extreme {seed}" for seed in range(2, 6)}
_said = {"request_timezone": "UTC", "model_domain": "cams_global"}


def _broken() -> list[dict[str, Any]]:
    return random_bronze(11, days=5, broken_keys=True)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    uri = str(tmp_path_factory.mktemp("lake"))
    return open_workspace(load(environment={}, flags={"warehouse": {"uri": uri}}))


def made_by(
    engine: Engine, workspace: Workspace, asset: Asset, upstream: list[pa.Table]
) -> tuple[dict[PartitionKey, PartitionFacts], pa.Table]:
    """The facts of what an asset's function makes of Arrow tables, and the rows."""
    contract = workspace.contracts[asset.key]
    with engine.working(asset.key):
        frames = [engine.rows(table) for table in upstream]
        made = conform(engine.call(asset, frames, workspace.code.arguments(asset)), asset, contract)
        rows = engine.evaluate(made)
        try:
            facts = aggregate(rows.frame(), asset, contract, workspace.parameters)
            return facts, rows.frame().toArrow()
        finally:
            rows.let_go()


def arrow_of(rows: list[dict[str, Any]], workspace: Workspace, key: str) -> pa.Table:
    import json

    from deltalake import Schema

    schema = pa.schema(Schema.from_json(json.dumps(workspace.contracts[key].delta_schema())))
    bare = pa.schema([pa.field(field.name, field.type) for field in schema])
    return pa.Table.from_pylist(rows, bare)


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow if case in MORE_OF_A_KIND else ()) for case in CASES]
)
def test_both_engines_make_the_same(
    case: str, workspace: Workspace, embedded: Any, on_spark: Any, tmp_path: Path
) -> None:
    engines = [shared.engine(workspace.warehouse) for shared in (on_spark, embedded)]
    tables = {oracle.BRONZE: arrow_of(CASES[case](), workspace, oracle.BRONZE)}
    for asset in CATALOG:
        upstream = [tables[of] for of in asset.upstream_keys] if asset.source is None else [_sent(tables, asset)]
        (facts, rows), (same, _) = (made_by(engine, workspace, asset, upstream) for engine in engines)
        assert facts == same, asset.key
        if asset.source is None:
            tables[asset.key] = rows
        assert facts or case == "nothing" or asset.key in SOMETIMES_EMPTY, asset.key


def _sent(tables: Mapping[str, pa.Table], asset: Asset) -> pa.Table:
    made_here = ("date_utc", "latitude", "longitude", "model_domain", "request_timezone")
    return tables[asset.key].drop_columns(list(made_here))
