"""What Delta's log says, read without a JVM: which commits there are, whose they are, what they touched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import fsspec

from orchestration.errors import WarehouseError
from orchestration.provenance import Commit, FileSpan, Provenance, TableState, fold, is_ours

PROVENANCE_FOLDER = "_aqi"
"""Beside the data of a table; Delta leaves folders alone that begin with ``_``."""


class DeltaLog:
    """The log of one table at ``uri`` (a folder, or a URI that fsspec knows).

    day_column, location_column: where the partitions of a row are written; None for an unpartitioned table.
    """

    def __init__(self, uri: str, day_column: str | None = None, location_column: str | None = None) -> None:
        self.uri = uri
        self.day_column = day_column
        self.location_column = location_column
        self._files, self._root = fsspec.core.url_to_fs(uri)

    def versions(self, after: int = -1) -> list[int]:
        """The versions that have a commit file, above ``after``, ascending; empty where there is no table."""
        folder = f"{self._root}/_delta_log"
        try:
            names = [name.rsplit("/", 1)[-1] for name in self._files.ls(folder, detail=False)]
        except FileNotFoundError:
            return []
        found = (int(name[:20]) for name in names if len(name) == 25 and name.endswith(".json"))
        return sorted(version for version in found if version > after)

    def state(self, start: TableState | None = None) -> TableState:
        """The table's state: the fold of its commits on top of ``start``."""
        begin = -1 if start is None or start.version is None else start.version
        return fold(self._commits(begin), start)

    def _commits(self, after: int) -> Iterator[Commit]:
        spans: dict[str, FileSpan] = {}
        for version in self.versions(after):
            yield self.commit(version, spans)

    def actions(self, version: int) -> list[dict[str, Any]]:
        """The actions of one commit, as Delta's protocol writes them."""
        path = f"{self._root}/_delta_log/{version:020d}.json"
        text = self._files.cat_file(path).decode("utf-8")
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    def commit(self, version: int, spans: dict[str, FileSpan] | None = None) -> Commit:
        """One commit. spans: what files seen before can hold, by path; extended with the files that this one adds."""
        spans = {} if spans is None else spans
        metadata: str | None = None
        touched: list[FileSpan] = []
        for action in self.actions(version):
            if "commitInfo" in action:
                metadata = action["commitInfo"].get("userMetadata")
            elif "add" in action:
                added = action["add"]
                span = self._span(added.get("stats"))
                spans[added["path"]] = span
                if added.get("dataChange", True):
                    touched.append(span)
            elif "remove" in action and action["remove"].get("dataChange", True):
                removed = action["remove"]
                touched.append(spans.get(removed["path"]) or self._span(removed.get("stats")))
        if is_ours(metadata):
            assert metadata is not None
            return Commit(version, self._provenance(json.loads(metadata), version))
        return Commit(version, None, tuple(touched))

    def _provenance(self, data: Mapping[str, Any], version: int) -> Provenance:
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
            data = json.loads(text)
        return Provenance.from_json(data, version)

    def _span(self, stats: str | None) -> FileSpan:
        if not stats or self.day_column is None or self.location_column is None:
            return FileSpan()
        parsed = json.loads(stats)
        low, high = parsed.get("minValues", {}), parsed.get("maxValues", {})
        return FileSpan(
            _day(low.get(self.day_column)),
            _day(high.get(self.day_column)),
            low.get(self.location_column),
            high.get(self.location_column),
        )

    def keep_provenance(self, digest: str, text: str) -> None:
        """Write provenance that is too large for a commit, before the commit that names it."""
        folder = f"{self._root}/{PROVENANCE_FOLDER}"
        self._files.makedirs(folder, exist_ok=True)
        self._files.pipe_file(f"{folder}/{digest}.json", text.encode("utf-8"))


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text[:10])
