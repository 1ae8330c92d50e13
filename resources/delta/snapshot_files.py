"""The files of snapshots: ``state-<version>.json.gz``, and supplements to a whole snapshot,
``state-<version>-since-<version of the whole one>.json.gz``."""

from __future__ import annotations

import contextlib
import gzip
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from orchestration.core.state.provenance import dumps
from orchestration.core.state.snapshots import from_json, snapshot_due, to_json
from orchestration.core.state.table_state import TableState
from resources.storage.atomic_files import names_in, unfinished, write_atomically
from resources.storage.json_text import read_json

FORMAT_2 = "format-2"
"""A file that is written with the first snapshot of format 2. A snapshot of format 1 that is newer was written by a
version that did not understand the commits."""
KEPT = 2
"""The newest snapshot may be damaged, and a reader may be about to read the one before it."""

DigestOf = Callable[[int], str]
"""Version → the digest of its commit; empty if the commit is gone."""


class Snapshot(NamedTuple):
    """A file with a snapshot. since: the version of the whole snapshot to which it is a supplement; None for a whole
    one."""

    version: int
    since: int | None = None

    @property
    def name(self) -> str:
        since = "" if self.since is None else f"-since-{self.since:020d}"
        return f"state-{self.version:020d}{since}.json.gz"

    @classmethod
    def parse(cls, name: str) -> Snapshot | None:
        """The snapshot in a file of this name, None where it is none."""
        if not (read := re.fullmatch(r"state-([0-9]{20})(?:-since-([0-9]{20}))?\.json\.gz", name)):
            return None
        return cls(int(read[1]), int(read[2]) if read[2] else None)


class SnapshotFiles:
    """The snapshots of one table in ``folder``. files: the fsspec file system that it is in."""

    def __init__(self, files: Any, folder: str, digest_of: DigestOf) -> None:
        self._files = files
        self._folder = folder
        self._digest_of = digest_of

    def there(self) -> list[Snapshot]:
        """All snapshots, undamaged or not, by version."""
        return self._parsed(names_in(self._files, self._folder))

    @staticmethod
    def _parsed(names: Iterable[str]) -> list[Snapshot]:
        parsed = map(Snapshot.parse, names)
        return sorted((found for found in parsed if found), key=lambda found: (found.version, found.since is None))

    def newest(self, version: int) -> TableState | None:
        """The state in the newest undamaged snapshot up to ``version``; None without one.

        A snapshot that is damaged, or was removed meanwhile, is passed over: older ones and the log say the same.
        """
        names = names_in(self._files, self._folder)
        for found in reversed(self._parsed(names)):
            if found.version <= version:
                with contextlib.suppress(
                    FileNotFoundError, IsADirectoryError, gzip.BadGzipFile, EOFError, zlib.error, ValueError
                ):
                    return self._read(found, oldest=2 if FORMAT_2 in names else 1)
        return None

    def keep(self, state: TableState, due: Callable[[TableState], bool] = snapshot_due) -> TableState:
        """Write a whole snapshot if one is due, else a supplement. Gives the state that knows of it. Raises OSError."""
        if state.version is None or state.version == state.kept:
            return state
        whole = due(state) or not any(found == (state.snapshot, None) for found in self.there())
        new = Snapshot(state.version, None if whole else state.snapshot)
        text = dumps(to_json(state, self._digest_of(state.version), new.since))
        packed = gzip.compress(text.encode("utf-8"), compresslevel=3, mtime=0)
        write_atomically(self._files, f"{self._folder}/{new.name}", packed)
        if FORMAT_2 not in names_in(self._files, self._folder):
            write_atomically(self._files, f"{self._folder}/{FORMAT_2}", b"")
        self._prune(state.version)
        return replace(state, snapshot=state.version if whole else state.snapshot, kept=state.version)

    def _read(self, found: Snapshot, oldest: int = 1) -> TableState:
        """oldest: the first format that is trusted; the whole snapshot of a supplement may be older.

        Raises ValueError, among others, for a damaged snapshot, or one of an earlier table in the same folder.
        """
        base = None if found.since is None else self._read(Snapshot(found.since))
        packed = self._files.cat_file(f"{self._folder}/{found.name}")
        data = read_json(gzip.decompress(packed))
        state, commit = from_json(data, base)
        if data["format"] < oldest:
            raise ValueError(f"it was written by a version that did not understand format {oldest}")
        if state.version != found.version:
            raise ValueError(f"the version must be {found.version} (got {state.version})")
        if self._digest_of(found.version) not in ("", commit):
            raise ValueError(f"version {found.version} was made by another commit")
        return state

    def _prune(self, version: int) -> None:
        """Remove snapshots up to ``version`` that newer ones replace, and unfinished ones of killed writers."""
        there = [found for found in self.there() if found.version <= version]
        whole = [found for found in there if found.since is None][-KEPT:]
        bases = {found.version for found in whole}
        supplements = [found for found in there if found.since in bases][-KEPT:]
        gone = [found.name for found in there if found not in whole and found not in supplements]
        gone += [name for name in unfinished(self._files, self._folder) if ".state-" < name < f".{whole[0].name}"]
        for name in gone:
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(f"{self._folder}/{name}")
