"""Calls of `aqi` on a machine without Java and network, and a warehouse for them that deltalake wrote."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from orchestration.cli.app import main
from orchestration.core.declarations.contract import Contract
from orchestration.core.partitions.keys import NULL_KEY, PartitionKey
from orchestration.core.state.provenance import PartitionRecord, Provenance, dumps
from orchestration.engine.workspace import Workspace
from tests.support.aqi_process import AQI

AT = "2025-08-19T07:00:00Z"
DAILY, EPISODE = "gold.fact_city_daily", "gold.fact_episode"
QUARANTINE = "silver.air_quality_hourly_quarantine"


def tree(folder: Path) -> dict[str, int]:
    """Every path below ``folder``, with its time of change."""
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


@dataclass
class Aqi:
    """Calls of `aqi` in an empty folder on 2025-08-20, 06:00 UTC, on a machine without Java and without a network."""

    folder: Path

    def __call__(self, *args: str, **env: str) -> Result:
        """A call in this process."""
        return CliRunner().invoke(main, args, env=env)

    def process(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A call in a process of its own."""
        return subprocess.run(
            [AQI, *args], env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=False
        )

    def json(self, *args: str, status: int = 0, **env: str) -> Any:
        """What a call with --json prints, which is nothing but JSON."""
        result = self(*args, "--json", **env)
        assert (result.exit_code, result.stderr) == (status, "")
        return json.loads(result.stdout, parse_constant=pytest.fail)

    def text(self, *args: str, **env: str) -> str:
        """What a call prints that is done without a word on standard error."""
        result = self(*args, **env)
        assert (result.exit_code, result.stderr) == (0, "")
        return result.stdout

    def refusal(self, *args: str, in_process: bool = True, **env: str) -> tuple[str, str]:
        """What is wrong with a call that is refused, and the remedy: on standard error, with --json as JSON on standard
        output too, with status 2, and nothing is done."""
        before = tree(self.folder)
        done = self(*args, **env) if in_process else self.process(*args, **env)
        status = done.exit_code if isinstance(done, Result) else done.returncode
        assert status == 2, done.stderr
        assert tree(self.folder) == before
        first, *rest = done.stderr.splitlines()
        assert first.startswith("error: ")
        assert done.stderr.count("error:") == 1
        assert rest[-1].startswith("  ")
        error, remedy = "\n".join([first.removeprefix("error: "), *rest[:-1]]), rest[-1].strip()
        if "--json" in args:
            assert json.loads(done.stdout) == {"error": error, "remedy": remedy}
        else:
            assert done.stdout == ""
        return error, remedy


def arrow_schema(contract: Contract) -> Any:
    import pyarrow as pa

    kinds = {
        "string": pa.string(),
        "integer": pa.int32(),
        "long": pa.int64(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", "UTC"),
        "array<string>": pa.list_(pa.string()),
    }
    return pa.schema(
        pa.field(column.name, kinds[column.type], column.nullable, {"comment": column.comment})
        for column in contract.columns
    )


def record(workspace: Workspace, key: str, partition: PartitionKey, rows: int) -> PartitionRecord:
    """Of today's code and contract (gold.dim_date: of an earlier code), made from rows that are gone.

    Dimensions, which a table that somebody adds may read, are recorded as they are now: mostly absent.
    """
    asset, current = workspace.catalog[key], workspace.current()
    code = "earlier" if key == "gold.dim_date" else current.code(asset, partition.location)
    inputs: dict[str, dict[str, str]] = {}
    for upstream in map(workspace.catalog.__getitem__, asset.upstream_keys):
        if upstream.partitions is None:
            inputs[upstream.key] = {"null": workspace.warehouse.state(upstream).fingerprint(NULL_KEY)}
        else:
            inputs[upstream.key] = {str(partition): "f"}
    return PartitionRecord(rows, "f", inputs, code, current.contracts[key])


def write(workspace: Workspace, key: str, rows: list[dict[str, Any]], **partitions: int) -> None:
    """Append rows as a run does: with a record per partition. No partitions: as somebody else would."""
    import pyarrow as pa
    from deltalake import CommitProperties, write_deltalake

    records = {
        PartitionKey.parse(text): record(workspace, key, PartitionKey.parse(text), count)
        for text, count in partitions.items()
    }
    metadata = {"userMetadata": dumps(Provenance("run-1", key, AT, records).to_json())} if records else {}
    write_deltalake(
        workspace.warehouse.table_uri(key),
        pa.Table.from_pylist(rows, schema=arrow_schema(workspace.contracts[key])),
        mode="append",
        description=workspace.contracts[key].description,
        commit_properties=CommitProperties(custom_metadata=metadata),
    )


def episode(location: str, day: int, hour: int, **values: Any) -> dict[str, Any]:
    start = datetime(2025, 8, day, hour, tzinfo=UTC)
    return {
        "episode_id": f"{location}-{day}-{hour}",
        "location_key": location,
        "start_ts_utc": start,
        "end_ts_utc": datetime(2025, 8, day, hour + 3, tzinfo=UTC),
        "start_date_utc": start.date(),
        "duration_hours": 4,
        "peak_aqi": 160,
        "hours_flagged": 4,
        "dominant_pollutant": "pm25",
        "rule_code": "AQI>=151_4h",
        **values,
    }
