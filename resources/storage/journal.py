"""The journal of runs: a file per run in the warehouse, ``_aqi/runs/<run id>.json``.

The tables do not need the journal: it may be removed, and a run goes on if the journal cannot be written. An entry that
cannot be written is kept *aside*, in a folder of this user on this machine, and is read from there. The next entry that
can be written brings it into the warehouse.
"""

from __future__ import annotations

import contextlib
import hashlib
from itertools import islice
from pathlib import Path

from orchestration.core.runs.journal import RunEntry, RunState
from orchestration.core.state.provenance import dumps
from resources.machine.state_folder import state_folder
from resources.storage.atomic_files import names_in, unfinished, write_atomically
from resources.storage.files import open_files
from resources.storage.json_text import read_json

FOLDER = "_aqi/runs"
KEPT = 500
"""The journal keeps the entries of this many runs."""
_ENDING = ".json"


class Journal:
    """The journal of the warehouse at ``uri`` (a folder, or a URI that fsspec knows). It keeps the last ``kept``
    runs."""

    def __init__(self, uri: str, kept: int = KEPT) -> None:
        self._kept = kept
        self._files, root = open_files(uri)
        self._folder = f"{root}/{FOLDER}"
        self.aside: Path = state_folder() / "runs" / hashlib.sha256(uri.encode()).hexdigest()[:12]

    def write(self, entry: RunEntry) -> None:
        """Write the entry of a run, in place of an earlier one. An entry of an ended run also removes the oldest
        entries.

        Raises OSError, and nothing else. The caller reports it; it is no reason for a run to fail.
        """
        text = dumps(entry.to_json())
        write_atomically(self._files, f"{self._folder}/{entry.run_id}{_ENDING}", text.encode("utf-8"))
        with contextlib.suppress(OSError):
            self._take_in(entry.run_id)
        if entry.state != RunState.RUNNING:
            self._prune()

    def keep_aside(self, entry: RunEntry) -> None:
        """Keep an entry aside that could not be written. The next `write` moves it into the warehouse. Raises
        OSError."""
        files, folder = open_files(str(self.aside))
        write_atomically(files, f"{folder}/{entry.run_id}{_ENDING}", dumps(entry.to_json()).encode("utf-8"))

    def _take_in(self, newer: str) -> None:
        """Move the entries that are kept aside into the warehouse. That of the run ``newer`` is only removed: the
        warehouse has a newer one. Raises OSError."""
        for run_id in self._ids_aside():
            path = self.aside / f"{run_id}{_ENDING}"
            if run_id != newer:
                write_atomically(self._files, f"{self._folder}/{path.name}", path.read_bytes())
            path.unlink()

    def entries(self, limit: int = 200) -> list[RunEntry]:
        """The entries of the last ``limit`` runs, by run id, the newest first. Files that cannot be read are
        skipped."""
        aside = set(self._ids_aside())
        run_ids = sorted(aside.union(self._run_ids()), reverse=True)
        found = ((self._read_aside(one) if one in aside else None) or self._read(one) for one in run_ids)
        return list(islice((entry for entry in found if entry is not None), limit))

    def _read(self, run_id: str) -> RunEntry | None:
        try:
            return RunEntry.from_json(read_json(self._files.cat_file(f"{self._folder}/{run_id}{_ENDING}")))
        except (OSError, ValueError):
            return None

    def _read_aside(self, run_id: str) -> RunEntry | None:
        try:
            return RunEntry.from_json(read_json((self.aside / f"{run_id}{_ENDING}").read_bytes()))
        except (OSError, ValueError):
            return None

    def _ids_aside(self) -> list[str]:
        try:
            return sorted(path.stem for path in self.aside.iterdir() if path.suffix == _ENDING and path.stem[0] != ".")
        except OSError:
            return []

    def _run_ids(self) -> list[str]:
        try:
            names = names_in(self._files, self._folder)
        except OSError:
            return []
        return sorted(name.removesuffix(_ENDING) for name in names if name.endswith(_ENDING))

    def _prune(self) -> None:
        """Remove all entries but those of the newest runs, and the unfinished files that killed writers left of the
        removed ones."""
        run_ids = self._run_ids()
        gone = [f"{run_id}{_ENDING}" for run_id in run_ids[: -self._kept]]
        for oldest in run_ids[-self._kept :][:1]:  # none where the folder cannot be listed
            gone += [name for name in unfinished(self._files, self._folder) if name < f".{oldest}"]
        for name in gone:
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(f"{self._folder}/{name}")
