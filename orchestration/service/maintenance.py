"""Maintenance: the weekly upkeep of tables, provenance, raw answers and logs of this machine, without a JVM.

It changes no partition's state. A failure is reported for its table, and the other tables are done nevertheless.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from orchestration.core.calendar import DAY, day_of, iso
from orchestration.core.counted import counted
from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import LakehouseError, WarehouseError, in_a_line
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.scheme import PartitionColumns
from orchestration.core.state.partition_record import PartitionRecord
from orchestration.core.state.raw_retention import KnownRequests, RetentionRules, retention_of
from orchestration.core.state.record_columns import Records
from orchestration.engine.exclusive import RunListener, locked, log_folder, new_run_id
from orchestration.engine.workspace import Workspace
from resources.delta.compaction import TableFiles
from resources.delta.log import DeltaLog
from resources.delta.pending import Pending
from resources.delta.step_history import FOLDER as STEP_HISTORY
from resources.delta.step_history import StepHistory
from resources.raw.files import RawFile

_SHOWN = 3
"""At most this many files are named in words; JSON has all of them."""


@dataclass(frozen=True, slots=True)
class TableUpkeep:
    """What was done for one table; in a dry run what would be done, without ``commits``.

    ``orphans``, ``broken`` and ``missing`` are no failures.
    """

    table: str
    joined: int = 0
    """Small data files that were joined."""
    into: int = 0
    """The number of files into which they were joined."""
    vacuumed: int = 0
    """Data files that were deleted because nothing names them any more."""
    kept: bool = False
    """Whether a whole snapshot of the state was written."""
    checkpoint: bool = False
    """Whether a Delta checkpoint was written."""
    commits: int = 0
    """Commits that were removed from the table's log."""
    provenance_files: int = 0
    """Provenance files that were removed."""
    raw_packed: int = 0
    """Files of raw answers that were put into packs."""
    raw_removed: int = 0
    """Raw answers that were removed because nothing needs them any more."""
    moments_packed: int = 0
    """Runs whose moments were put together into one file."""
    orphans: tuple[str, ...] = ()
    """Raw answers that no commit names."""
    broken: tuple[str, ...] = ()
    """Files of raw answers that cannot be read."""
    missing: int = 0
    """Partitions with rows whose raw answer is gone. Only rows count that were asked for since the first answer was
    kept."""
    error: str = ""
    """What failed; the rest was not tried."""

    def in_words(self) -> str:
        """One line; empty where there was nothing to do."""
        return f"{self.table}: {self.done}" if self.done else ""

    @property
    def done(self) -> str:
        """What was done and what failed; empty where there was nothing to do."""
        done = [f"{self.joined} small files put together into {self.into}"] if self.joined else []
        done += [f"{self.vacuumed} data files deleted"] if self.vacuumed else []
        done += ["its state kept"] if self.kept else []
        done += ["a checkpoint of its log"] if self.checkpoint else []
        done += [f"{self.commits} old commits removed from its log"] if self.commits else []
        done += [f"{self.provenance_files} provenance files removed"] if self.provenance_files else []
        done += [f"{self.raw_packed} raw answers packed"] if self.raw_packed else []
        done += [f"{self.raw_removed} raw answers removed"] if self.raw_removed else []
        done += [f"moments of {self.moments_packed} runs put together"] if self.moments_packed else []
        done += [f"raw answers that no commit names: {_shown(self.orphans)}"] if self.orphans else []
        done += [f"broken: {_shown(self.broken)}"] if self.broken else []
        done += [f"{self.missing} partitions have rows whose raw answer is not there"] if self.missing else []
        done += [f"FAILED: {self.error}"] if self.error else []
        return ", ".join(done)


@dataclass(frozen=True, slots=True)
class MaintenanceSummary:
    """What a maintenance did."""

    tables: tuple[TableUpkeep, ...]
    logs: int
    """The number of files with old output of runs that were removed."""
    seconds: float
    dry_run: bool = False
    errors: tuple[str, ...] = ()
    """Failures that concern no single table."""

    @property
    def ok(self) -> bool:
        return not self.errors and not any(table.error for table in self.tables)

    @property
    def exit_status(self) -> int:
        return 0 if self.ok else 1

    def in_words(self) -> str:
        """A line for each table for which something was done or failed, and a line for the whole."""
        lines = [line for table in self.tables if (line := table.in_words())] + self.beside
        return "\n".join([*(lines or ["nothing to do"]), self.at_last])

    @property
    def beside(self) -> list[str]:
        """A line for each thing that was done, or failed, for no single table."""
        return [
            *([f"{counted(self.logs, 'log')} of runs removed"] if self.logs else []),
            *(f"FAILED: {error}" for error in self.errors),
        ]

    @property
    def at_last(self) -> str:
        """The last line: how much was checked, and what failed."""
        failed = len(self.errors) + sum(bool(table.error) for table in self.tables)
        end = f"{counted(len(self.tables), 'table')}, {self.seconds:.1f} s" + (f", {failed} failed" if failed else "")
        return f"{end} (dry run: nothing was done)" if self.dry_run else end

    def to_json(self) -> dict[str, Any]:
        return {
            "state": "completed" if self.ok else "failed",
            "dry_run": self.dry_run,
            "seconds": round(self.seconds, 3),
            "logs": self.logs,
            "errors": list(self.errors),
            "tables": [asdict(table) for table in self.tables],
        }


OpenTable = Callable[[str, PartitionColumns | None], TableFiles]
"""Of a table's URI and its partition columns: its files."""


def run_maintenance(
    workspace: Workspace,
    listener: RunListener,
    keys: Sequence[str] | None = None,
    *,
    dry_run: bool = False,
    open_table: OpenTable = TableFiles,
) -> MaintenanceSummary:
    """Maintain the tables of ``keys``; None: all tables, the history of steps, and the logs of runs.

    It holds the lock of a local warehouse. On HDFS commits of runs win over those of maintenance, which then fails for
    that table.
    """
    started = time.perf_counter()
    assets = [asset for asset in workspace.catalog if keys is None or asset.key in keys]
    with ExitStack() as held:
        if not dry_run:
            held.enter_context(locked(workspace, new_run_id(), listener))
            Pending(workspace.warehouse.uri).check(frozenset(asset.key for asset in assets))
        tables = [_as_far_as_it_goes(asset.key, _steps(workspace, asset, dry_run, open_table)) for asset in assets]
        if keys is None:
            tables.append(_as_far_as_it_goes(STEP_HISTORY, _steps_of_history(workspace, dry_run, open_table)))
    logs, errors = _remove_logs(workspace, dry_run) if keys is None else (0, [])
    there = tuple(table for table in tables if table is not None)
    return MaintenanceSummary(there, logs, time.perf_counter() - started, dry_run, tuple(errors))


def _as_far_as_it_goes(table: str, steps: Iterator[dict[str, Any]]) -> TableUpkeep | None:
    """Take the steps, each of which gives what it did, up to the first that fails. None where there was nothing to
    do.
    """
    done = None
    try:
        for step in steps:
            done = replace(done or TableUpkeep(table), **step)
    except Exception as error:  # named here; the other tables are done  # noqa: BLE001
        remedy = error.remedy if isinstance(error, LakehouseError) else ""
        done = replace(done or TableUpkeep(table), error="; ".join(filter(None, (in_a_line(error), remedy))))
    return done


def _steps(workspace: Workspace, asset: Asset, dry_run: bool, open_table: OpenTable) -> Iterator[dict[str, Any]]:
    """What is done for a table, in this order; each step gives what it did. Nothing for a table that does not exist.

    The log is cleaned before anything is committed. A run on HDFS may be reading the newest version meanwhile: at this
    moment no checkpoint is newer than that version, so its commits stay in the log until the next maintenance.
    """
    uri, columns = workspace.warehouse.table_uri(asset.key), asset.partition_columns
    retention_hours = workspace.settings.maintenance.retention_hours
    files, log = open_table(uri, columns), DeltaLog(uri)
    if log.newest() is None:
        return
    yield {"kept": _keep_whole_state(workspace, asset, log, dry_run)}
    yield {"checkpoint": files.checkpoint(dry_run=dry_run)}
    if not dry_run:
        yield {"commits": files.clean_log()}
    groups = files.groups(_settled(workspace))
    if groups and not dry_run:
        files.compact(groups)
    yield {"joined": sum(map(len, groups)), "into": len(groups)}
    yield {"vacuumed": files.vacuum(retention_hours, dry_run=dry_run)}
    unneeded = files.unneeded_provenance(log, datetime.now(UTC) - timedelta(hours=retention_hours))
    if not dry_run:
        files.remove_provenance(unneeded)
    yield {"provenance_files": len(unneeded)}
    if asset.source is not None:
        yield from _steps_of_raw(workspace, asset, log, dry_run)


def _steps_of_raw(workspace: Workspace, asset: Asset, log: DeltaLog, dry_run: bool) -> Iterator[dict[str, Any]]:
    """What is done for the raw answers of an existing table. Those of a lost table can bring it back, so they stay."""
    settings, now = workspace.settings.raw, workspace.settings.now()
    raw, moments = workspace.raw, workspace.moments
    yesterday = day_of(now) - DAY
    requests = _known_requests(workspace, asset, log)
    yield {"raw_packed": raw.pack(asset.key, yesterday, dry_run=dry_run)}
    found = raw.all(asset.key)
    rules = RetentionRules(settings.retention_days, settings.retention_bytes, settings.keep_owned)
    retention = retention_of(found.files, requests, rules, now, found.since)
    if not dry_run:
        raw.remove(retention.remove, _owners(retention.remove, requests.records))
    yield {
        "raw_removed": len(retention.remove),
        "orphans": tuple(f"{file.day}/{file.name}" for file in retention.orphans),
        "broken": (*found.broken, *raw.broken_index(asset.key), *moments.broken(asset.key)),
        "missing": len(retention.missing),
    }
    since = iso(now - timedelta(days=settings.retention_days))
    yield {"moments_packed": moments.pack(asset.key, yesterday, since, dry_run=dry_run)}


def _owners(files: Iterable[RawFile], records: Mapping[PartitionKey, PartitionRecord]) -> set[str]:
    """The names of the files from which the table has rows."""
    of = Records.of(records)
    asked = [{one.asked for one in record.answers} for record in of.kinds]
    return {
        file.name
        for file in files
        if any(file.asked in asked[number] for number in set(of.kind[of.index(file.partitions)].tolist()))
    }


def _known_requests(workspace: Workspace, asset: Asset, log: DeltaLog) -> KnownRequests:
    """What is known about raw answers from the table, from the commits in its log, and from moments; under today's
    keys."""
    named = {asked: [partitions] for asked, partitions in workspace.moments.named(asset.key).items()}
    removed: list[tuple[PartitionSet, str]] = []
    names = workspace.raw.names(asset.key)
    versions, first, mark = log.versions(), "", names.last
    for version in reversed(versions):
        try:
            said = log.commit(version).provenance
        except FileNotFoundError:  # removed since it was listed
            continue
        if said is None:
            continue
        first, is_renaming = said.at, said.run_id in names.marks
        mark = said.run_id if is_renaming else mark
        if said.wiped and not is_renaming:
            removed.append((names.partitions(said.wiped, mark), said.at))
        sets: dict[str, list[PartitionSet]] = {}
        records = Records.of(said.records)
        for number, at in enumerate(records.by_kind()):
            record, of = records.kinds[number], records.set_of(at)
            answers = {one.asked for one in record.answers} | {one.asked for one in record.turned_away}
            for asked in filter(None, answers | {record.as_of}):
                sets.setdefault(asked, []).append(of)
        for asked, several in sets.items():
            named.setdefault(asked, []).append(names.partitions(PartitionSet.union_of(several), mark))
        mark = names.before(mark) if is_renaming else mark
    whole = versions[:1] == [0]
    return KnownRequests(
        workspace.warehouse.state(asset).records,
        {asked: PartitionSet.union_of(sets) for asked, sets in named.items()},
        since="" if whole else first or iso(workspace.settings.now()),
        removed=removed,
        began=first if whole else "",
    )


def _steps_of_history(workspace: Workspace, dry_run: bool, open_table: OpenTable) -> Iterator[dict[str, Any]]:
    uri = StepHistory(workspace.warehouse.uri).uri
    if DeltaLog(uri).newest() is None:
        return
    files = open_table(uri, None)
    if not dry_run:
        joined = files.join_all()
        yield {"joined": joined, "into": 1 if joined else 0}
    yield {"vacuumed": files.vacuum(workspace.settings.maintenance.retention_hours, dry_run=dry_run)}
    yield {"checkpoint": files.checkpoint(dry_run=dry_run)}
    if not dry_run:
        yield {"commits": files.clean_log()}


def _shown(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _settled(workspace: Workspace) -> date:
    """The first day that runs still make again, hour by hour. Its files, and later ones, stay as they are."""
    return day_of(workspace.settings.now()) - workspace.settings.hourly.revisable_days * DAY


def _keep_whole_state(workspace: Workspace, asset: Asset, log: DeltaLog, dry_run: bool) -> bool:
    """Write a whole snapshot of a table's state and read it back, so that its log may be cleaned. Gives whether that
    was due.

    Raises WarehouseError if the snapshot does not give the same state.
    """
    state = workspace.warehouse.state(asset)
    if state.version is None or state.snapshot == state.version:
        return False
    if dry_run:
        return True
    workspace.warehouse.keep_state(asset, replace(state, snapshot=None, kept=None))
    if log.snapshots.newest(state.version) != state:
        raise WarehouseError(
            f"what was kept of the state of {asset.key} is not its state; its log was left as it is",
            "Look at the disk, and call the command again.",
        )
    return True


def _remove_logs(workspace: Workspace, dry_run: bool) -> tuple[int, list[str]]:
    """Remove old output of runs on this machine. Gives the number of files, and what went wrong."""
    oldest = time.time() - timedelta(days=workspace.settings.maintenance.logs_days).total_seconds()
    removed, errors = 0, []
    for path in sorted(log_folder().glob("*.log")):
        try:
            if path.stat().st_mtime < oldest:
                if not dry_run:
                    path.unlink()
                removed += 1
        except FileNotFoundError:
            continue
        except OSError as error:
            errors.append(f"{path} cannot be removed ({error.strerror})")
    return removed, errors
