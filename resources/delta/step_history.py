"""The history of steps: a small Delta table in the warehouse, ``_aqi/step_history``, with one commit for each run.
Needs no JVM.

It is for people and dashboards and decides nothing. Runs go on if it cannot be written, and it may be removed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from orchestration.core.calendar import iso
from orchestration.core.errors import in_a_line
from resources.delta.opening import open_table
from resources.delta.warehouse import TABLE_PROPERTIES
from resources.storage.files import open_files
from resources.storage.patience import answered

FOLDER = "_aqi/step_history"


@dataclass(frozen=True, slots=True)
class StepRow:
    """The outcome of one step of a run. The fields are the columns of the table."""

    run_id: str
    flow_run_id: str
    title: str
    asset: str
    step: str
    state: str
    started_at: datetime
    """When the run started (UTC)."""
    seconds: float
    """Of the step."""
    rows: int
    """The number of rows written."""
    partitions_written: int
    partitions_unchanged: int
    partitions_failed: int
    partitions_skipped: int
    lag_hours: float | None = None
    """The largest lag of the asset after the run; None where it has none."""

    def to_json(self) -> dict[str, Any]:
        """JSON values, by the names of the columns."""
        return asdict(self) | {"started_at": iso(self.started_at)}


class StepHistory:
    """The history of steps of the warehouse at ``uri``."""

    def __init__(self, uri: str) -> None:
        self.uri = f"{uri}/{FOLDER}"

    def append(self, rows: Sequence[StepRow], warn: Callable[[str], None]) -> None:
        """Add the steps of a run in one commit; no commit without steps. warn: called if that failed.

        At each 100th commit deltalake writes a checkpoint and removes expired commits; no state depends on this log.
        """
        if not rows:
            return
        import pyarrow as pa
        from deltalake import write_deltalake
        from deltalake.exceptions import DeltaError

        try:
            table = pa.Table.from_pylist([asdict(row) for row in rows], schema=_schema())
            files, root = open_files(self.uri)
            there = open_table(self.uri) if "://" in self.uri and files.exists(f"{root}/_delta_log") else self.uri
            write_deltalake(there, table, mode="append", configuration=TABLE_PROPERTIES)
        except (DeltaError, pa.ArrowException, OSError) as error:
            warn(f"the history of steps could not be written ({in_a_line(error)[:300]})")

    def rows(self, limit: int | None = None, since: datetime | None = None) -> list[StepRow]:
        """The last ``limit`` steps, newest run first, in the order of their run; empty without a history.

        since: only runs that started then or later; files of earlier ones are not read. Raises OSError if it cannot be
        read.
        """
        files, root = open_files(self.uri)
        if not files.exists(f"{root}/_delta_log"):
            return []
        import pyarrow as pa
        from deltalake.exceptions import DeltaError

        try:
            opened = open_table(self.uri)
            table = answered(
                self.uri,
                self.uri,
                lambda: opened.to_pyarrow_table(
                    columns=[field.name for field in fields(StepRow)],
                    filters=None if since is None else [("started_at", ">=", since)],
                ),
            )
        except (DeltaError, pa.ArrowException, ValueError) as error:
            raise OSError(f"{self.uri} cannot be read ({error})") from error
        newest = table.sort_by([("started_at", "descending"), ("run_id", "descending")])
        return [_row(values) for values in newest.slice(0, limit).to_pylist()]


def _row(values: dict[str, Any]) -> StepRow:
    return StepRow(**values | {"started_at": values["started_at"].astimezone(UTC)})


def _schema() -> Any:
    import pyarrow as pa

    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "datetime": pa.timestamp("us", "UTC")}
    return pa.schema(
        pa.field(field.name, kinds[str(field.type).partition(" ")[0]], "None" in str(field.type))
        for field in fields(StepRow)
    )
