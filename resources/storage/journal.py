"""Where the journal of runs lies: a file per run in the warehouse, ``_aqi/runs/<run id>.json``.

The tables do not need it: runs go on where it cannot be written, and it may be removed. What it cannot take is kept
*aside*, in a folder of this user on this machine, until it can: there it is read from too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from itertools import islice
from pathlib import Path

from orchestration.core.runs.journal import RunEntry, RunState
from orchestration.core.state.provenance import dumps
from resources.machine.state_folder import state_folder
from resources.storage.atomic_files import names_in, unfinished, write_atomically
from resources.storage.files import open_files

FOLDER = "_aqi/runs"
KEPT = 500
_ENDING = ".json"


class Journal:
    """The journal of the warehouse at ``uri`` (a folder, or a URI that fsspec knows), with the last ``kept`` runs."""

    def __init__(self, uri: str, kept: int = KEPT) -> None:
        self._kept = kept
        self._files, root = open_files(uri)
        self._folder = f"{root}/{FOLDER}"
        self.aside: Path = state_folder() / "runs" / hashlib.sha256(uri.encode()).hexdigest()[:12]

    def write(self, entry: RunEntry) -> None:
        """Write what is known of a run, in place of what was known before; at its end remove runs of long ago.

        Raises OSError, and nothing else: that is for the caller to tell, and no reason to fail a run.
        """
        text = dumps(entry.to_json())
        write_atomically(self._files, f"{self._folder}/{entry.run_id}{_ENDING}", text.encode("utf-8"))
        with contextlib.suppress(OSError):
            self._take_in(entry.run_id)
        if entry.state != RunState.RUNNING:
            self._prune()

    def keep_aside(self, entry: RunEntry) -> None:
        """Keep what the journal could not take; the next one that it takes brings it in. Raises OSError."""
        files, folder = open_files(str(self.aside))
        write_atomically(files, f"{folder}/{entry.run_id}{_ENDING}", dumps(entry.to_json()).encode("utf-8"))

    def _take_in(self, newer: str) -> None:
        """Bring in what is kept aside; of the run ``newer`` the journal knows more. Raises OSError."""
        for run_id in self._ids_aside():
            path = self.aside / f"{run_id}{_ENDING}"
            if run_id != newer:
                write_atomically(self._files, f"{self._folder}/{path.name}", path.read_bytes())
            path.unlink()

    def entries(self, limit: int = 200) -> list[RunEntry]:
        """The last ``limit`` runs, newest first by run id. Files that cannot be read are passed over."""
        aside = set(self._ids_aside())
        run_ids = sorted(aside.union(self._run_ids()), reverse=True)
        found = ((self._read_aside(one) if one in aside else None) or self._read(one) for one in run_ids)
        return list(islice((entry for entry in found if entry is not None), limit))

    def _read(self, run_id: str) -> RunEntry | None:
        try:
            return RunEntry.from_json(json.loads(self._files.cat_file(f"{self._folder}/{run_id}{_ENDING}")))
        except (OSError, ValueError):
            return None

    def _read_aside(self, run_id: str) -> RunEntry | None:
        try:
            return RunEntry.from_json(json.loads((self.aside / f"{run_id}{_ENDING}").read_bytes()))
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
        """Remove all but the newest runs, and what killed writers left of older ones."""
        run_ids = self._run_ids()
        kept = run_ids[-self._kept :]
        gone = [f"{run_id}{_ENDING}" for run_id in run_ids[: -self._kept]]
        gone += [name for name in unfinished(self._files, self._folder) if name < f".{kept[0]}"]
        for name in gone:
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(f"{self._folder}/{name}")
