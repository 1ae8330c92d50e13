"""Delta's log, read without a JVM: which commits there are, who made them, and what they changed.

Delta removes old commits. So the states that follow from them are also kept as snapshots
(``orchestration.core.state.snapshots``) beside the table's data. Snapshots can be removed at will as long as the log is
complete.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from orchestration.core.errors import MachineError, PartitionRangeError, WarehouseError
from orchestration.core.partitions.scheme import PartitionColumns
from orchestration.core.state.provenance import FORMAT, MARK, Provenance, dumps, format_of
from orchestration.core.state.table_state import Commit, FileSpan, TableState
from resources.delta.live_files import read_live, span_of
from resources.delta.snapshot_files import SnapshotFiles
from resources.storage.atomic_files import names_in, write_atomically
from resources.storage.files import open_files
from resources.storage.json_text import read_json

MOST = (1 << 62) - 1
"""No table has a higher version; a file with a higher number is not of the log."""
PROVENANCE_FOLDER = "_aqi"
"""A folder beside the data of a table. Delta leaves folders alone whose names begin with ``_``."""


class DeltaLog:
    """The log of the table at ``uri`` (a folder, or a URI that fsspec knows).

    columns: those that say to which partition a row belongs; None for an unpartitioned table. locations: further
    locations that rows may have; a file of others names only its first and last location.
    """

    def __init__(self, uri: str, columns: PartitionColumns | None = None, locations: Iterable[str] = ()) -> None:
        self.uri = uri
        self._columns = columns
        self._locations = frozenset(locations)
        self._files, self._root = open_files(uri)
        self.snapshots = SnapshotFiles(self._files, f"{self._root}/{PROVENANCE_FOLDER}", self._digest)

    # Commits ----------------------------------------------------------------------------------------------------

    def versions(self, after: int = -1) -> list[int]:
        """The versions that have a commit file, above ``after``, ascending; empty where there is no table."""
        return [version for version in commits_in(self._log_names()) if version > after]

    def newest(self) -> int | None:
        """The version of the table, of which a checkpoint may be all that is left; None where there is no table."""
        return _newest(self._log_names())

    def _log_names(self) -> list[str]:
        return names_in(self._files, f"{self._root}/_delta_log")

    def has_folder(self) -> bool:
        """Whether there is a log at all, be it without a commit."""
        return bool(self._files.exists(f"{self._root}/_delta_log"))

    def _commit_path(self, version: int) -> str:
        return f"{self._root}/_delta_log/{version:020d}.json"

    def actions(self, version: int) -> list[dict[str, Any]]:
        """The actions of one commit, as Delta's protocol writes them. Raises ValueError for what is no commit."""
        text = self._files.cat_file(self._commit_path(version)).decode("utf-8")
        try:
            actions = [read_json(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise ValueError("it is cut off, or no JSON") from error
        if not actions:
            raise ValueError("the file is empty")
        if not all(isinstance(action, dict) for action in actions):
            raise ValueError("it has what is no action")
        return actions

    def commit(self, version: int, files: Mapping[str, FileSpan] | None = None) -> Commit:
        """One commit. files: what the table's files could hold before it, by path.

        Raises WarehouseError where the commit, or the provenance that it names, is damaged, or of a newer version of
        this project: to pass it over would be to take its rows for somebody else's.
        """
        try:
            return self._commit(version, files or {})
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError, PartitionRangeError) as error:
            path, why = self._commit_path(version), f"{error}" if isinstance(error, ValueError) else f"{error!r}"
            raise WarehouseError(
                f"{self.uri}: version {version} of the table's log is damaged ({path}: {why})",
                "Put that file back from a copy, or make the table anew: `aqi repair` of it, with --rebuild.",
            ) from error

    def _commit(self, version: int, files: Mapping[str, FileSpan]) -> Commit:
        metadata: str | None = None
        schema: str | None = None
        description: str | None = None
        protocol: str | None = None
        properties: str | None = None
        touched: list[FileSpan] = []
        added: dict[str, FileSpan] = {}
        removed: set[str] = set()
        for action in self.actions(version):
            if "commitInfo" in action:
                metadata = action["commitInfo"].get("userMetadata")
            elif "metaData" in action:
                schema = action["metaData"].get("schemaString")
                description = action["metaData"].get("description")
                properties = dumps(action["metaData"].get("configuration") or {})
            elif "protocol" in action:
                protocol = dumps(action["protocol"])
            elif "add" in action or "remove" in action:
                file = action.get("add") or action["remove"]
                path, span = file["path"], self._span(file.get("stats"))
                if "add" in action:
                    added[path] = replace(span, size=file.get("size"))
                else:
                    removed.add(path)
                    span = files.get(path, span)
                if file.get("dataChange", True):
                    touched.append(span)
        provenance = None
        if format_of(metadata) is not None:
            assert metadata is not None
            provenance = self._provenance(json.loads(metadata), version)
        said = {"schema": schema, "description": description, "protocol": protocol, "properties": properties}
        return Commit(version, provenance, tuple(touched), added, frozenset(removed), **said)

    def _provenance(self, data: Mapping[str, Any], version: int) -> Provenance:
        self._refuse_newer(data, version)
        if "file" in data:
            path = f"{self._root}/{PROVENANCE_FOLDER}/{data['file']}.json"
            what = f"{self.uri}: the provenance of version {version}"
            remedy = "Restore the file, or materialize the table's partitions again with --force."
            try:
                text = self._files.cat_file(path)
            except FileNotFoundError as error:
                raise WarehouseError(f"{what} is gone ({path})", remedy) from error
            if hashlib.sha256(text).hexdigest() != data["file"]:
                raise WarehouseError(f"{what} is damaged ({path})", remedy)
            data = read_json(text)
            self._refuse_newer(data, version)
        return Provenance.from_json(data, version)

    def _refuse_newer(self, data: Mapping[str, Any], version: int) -> None:
        if data[MARK] > FORMAT:
            by = f"version {data['by']}" if data.get("by") else "a newer version"
            raise MachineError(
                f"{self.uri}: version {version} of the table was written by {by} of this project, in format "
                f"{data[MARK]} of provenance; this one reads up to {FORMAT}",
                "Upgrade this installation: git pull, then python scripts/setup.py.",
            )

    def _span(self, stats: str | None) -> FileSpan:
        if self._columns is None:
            return FileSpan(has_null=True)
        try:
            parsed = read_json(stats or "{}")
            ends = [parsed.get(end, {}).get(of) for of in self._columns for end in ("minValues", "maxValues")]
        except (ValueError, AttributeError):
            return FileSpan()
        return span_of(*ends)

    def keep_provenance(self, digest: str, text: str) -> None:
        """Write provenance that is too large for a commit, before the commit that names it."""
        write_atomically(self._files, f"{self._root}/{PROVENANCE_FOLDER}/{digest}.json", text.encode("utf-8"))

    # States -----------------------------------------------------------------------------------------------------

    def acceptance_of(self, code: str, since: int) -> Provenance | None:
        """What the last commit after version ``since`` says that equates the code version ``code`` with another one;
        None where the log has none any more. Raises as ``commit`` does."""
        for version in reversed(self.versions(since)):
            said = self.commit(version).provenance
            if said is not None and any(code in (equal.one, equal.other) for equal in said.equal):
                return said
        return None

    def state(self, start: TableState | None = None, until: int | None = None) -> TableState:
        """The table's state: the fold of its commits on top of ``start``, or of the newest snapshot that is sound.

        until: as it was at that version; None for now.
        Commits that are gone may have changed anything: where some are missing, nothing of before is trusted, and
        every partition that has rows is there. Raises WarehouseError where the log, or the table, cannot be read.
        """
        state, error = self.state_as_far(start, until)
        if error is not None:
            raise error
        return state

    def state_as_far(
        self, start: TableState | None = None, until: int | None = None
    ) -> tuple[TableState, WarehouseError | None]:
        """The state as far as the log can be read, and why it cannot be any further; see ``state``."""
        names = self._log_names()
        newest = _newest(names)
        if newest is None:
            return start or TableState(), None
        newest = newest if until is None else min(newest, until)
        state = replace(start or self.snapshots.newest(newest) or TableState(), locations=self._locations)
        try:
            for version in commits_in(names):
                if not _last(state) < version <= newest:
                    continue
                try:
                    commit = self.commit(version, state.files)
                except FileNotFoundError:  # removed since it was listed
                    continue
                if version > _last(state) + 1:
                    state = self._after_gap(state, version - 1, newest)
                state = state.after(commit)
            return (self._after_gap(state, newest, newest) if newest > _last(state) else state), None
        except WarehouseError as error:
            return state, error

    def _after_gap(self, state: TableState, version: int, newest: int) -> TableState:
        live = read_live(self.uri, newest, self._columns)
        return state.after_gap(version, live.partitions, live.files)

    def keep_snapshot(self, state: TableState) -> TableState:
        """Give ``state`` its second home: a whole snapshot if one is due, else a supplement to the last.

        Gives the state that knows of it. Raises OSError where it cannot be written; the table is right all the same.
        """
        return self.snapshots.keep(state)

    def last_known(self) -> TableState | None:
        """The state in the newest snapshot that can be read, whatever has become of the log."""
        snapshots = SnapshotFiles(self._files, f"{self._root}/{PROVENANCE_FOLDER}", lambda _version: "")
        try:
            return snapshots.newest(MOST)
        except OSError:
            return None

    def _digest(self, version: int) -> str:
        """The digest of a commit, empty where it is gone."""
        try:
            return hashlib.sha256(self._files.cat_file(self._commit_path(version))).hexdigest()
        except FileNotFoundError:
            return ""


def commits_in(names: Iterable[str]) -> list[int]:
    """The versions of the commit files among the names of a log's files, ascending."""
    found = (int(name[:20]) for name in names if re.fullmatch(r"[0-9]{20}\.json", name))
    return sorted(version for version in found if version <= MOST)


def _newest(names: Iterable[str]) -> int | None:
    found = (int(name[:20]) for name in names if re.match(r"[0-9]{20}\.(json$|checkpoint\.)", name))
    return max((version for version in found if version <= MOST), default=None)


def _last(state: TableState) -> int:
    return -1 if state.version is None else state.version
