"""Where the profiles of runs lie: a file per run in the warehouse, ``_aqi/profiles/<run id>.json.gz``.

Beside the journal, not in it: whoever looks at the journal reads many runs, and earlier versions pass over a folder
that they do not know. Nothing needs these files: runs go on where they cannot be written, and they may be removed.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib

from orchestration.core.runs.profile import Profile
from orchestration.core.state.provenance import dumps
from resources.storage.atomic_files import names_in, unfinished, write_atomically
from resources.storage.files import open_files
from resources.storage.journal import KEPT

FOLDER = "_aqi/profiles"
_ENDING = ".json.gz"


class RunProfiles:
    """The profiles of the warehouse at ``uri``, of the last ``kept`` runs."""

    def __init__(self, uri: str, kept: int = KEPT) -> None:
        self._kept = kept
        self._files, root = open_files(uri)
        self._folder = f"{root}/{FOLDER}"

    def write(self, profile: Profile) -> None:
        """Keep a profile, and remove those of runs of long ago. Raises OSError."""
        content = gzip.compress(dumps(profile.to_json()).encode("utf-8"), mtime=0)
        write_atomically(self._files, f"{self._folder}/{profile.run_id}{_ENDING}", content)
        run_ids = self.run_ids()
        gone = [f"{run_id}{_ENDING}" for run_id in run_ids[: -self._kept]]
        gone += [name for name in unfinished(self._files, self._folder) if name < f".{run_ids[-self._kept :][0]}"]
        for name in gone:
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(f"{self._folder}/{name}")

    def read(self, run_id: str) -> Profile:
        """The profile of a run. Raises FileNotFoundError where there is none, ValueError for what cannot be read."""
        content = self._files.cat_file(f"{self._folder}/{run_id}{_ENDING}")
        try:
            return Profile.from_json(json.loads(gzip.decompress(content)))
        except (OSError, EOFError, zlib.error) as error:  # as gzip has it for what is no such file
            raise ValueError(f"it is damaged ({error})") from error

    def run_ids(self) -> list[str]:
        """The runs that have a profile, oldest first."""
        names = names_in(self._files, self._folder)
        return sorted(name.removesuffix(_ENDING) for name in names if name.endswith(_ENDING) and name[0] != ".")
