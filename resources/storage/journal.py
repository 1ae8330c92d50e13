"""Where the journal of runs lies: a file per run in the warehouse, ``_aqi/runs/<run id>.json``.

The tables do not need it: runs go on where it cannot be written, and it may be removed.
"""

from __future__ import annotations

import contextlib
import json
from itertools import islice

from orchestration.core.runs.journal import RunEntry, RunState
from orchestration.core.state.provenance import dumps
from resources.storage.files import open_files
from resources.storage.whole_files import names_in, unfinished, write_whole

FOLDER = "_aqi/runs"
KEPT = 500
_ENDING = ".json"


class Journal:
    """The journal of the warehouse at ``uri`` (a folder, or a URI that fsspec knows), with the last ``kept`` runs."""

    def __init__(self, uri: str, kept: int = KEPT) -> None:
        self._kept = kept
        self._files, root = open_files(uri)
        self._folder = f"{root}/{FOLDER}"

    def write(self, entry: RunEntry) -> None:
        """Write what is known of a run, in place of what was known before; at its end remove runs of long ago.

        Raises OSError, and nothing else: that is for the caller to tell, and no reason to fail a run.
        """
        text = dumps(entry.to_json())
        write_whole(self._files, f"{self._folder}/{entry.run_id}{_ENDING}", text.encode("utf-8"))
        if entry.state != RunState.RUNNING:
            self._prune()

    def entries(self, limit: int = 200) -> list[RunEntry]:
        """The last ``limit`` runs, newest first by run id. Files that cannot be read are passed over."""
        found = (self._read(run_id) for run_id in reversed(self._run_ids()))
        return list(islice((entry for entry in found if entry is not None), limit))

    def _read(self, run_id: str) -> RunEntry | None:
        try:
            return RunEntry.from_json(json.loads(self._files.cat_file(f"{self._folder}/{run_id}{_ENDING}")))
        except (OSError, ValueError):
            return None

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
