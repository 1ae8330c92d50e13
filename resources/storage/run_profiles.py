"""The profiles of runs: a file per run in the warehouse, ``_aqi/profiles/<run id>.json.gz``.

Profiles are not part of the journal because readers of the journal read many runs at once, and because earlier versions
ignore a folder that they do not know. Nothing needs the profiles: they may be removed, and a run goes on if its profile
cannot be written.
"""

from __future__ import annotations

import contextlib
import gzip
import zlib

from orchestration.core.runs.profile import Profile
from orchestration.core.state.provenance import dumps
from resources.storage.atomic_files import names_in, unfinished, write_atomically
from resources.storage.files import open_files
from resources.storage.journal import KEPT
from resources.storage.json_text import read_json

FOLDER = "_aqi/profiles"
_ENDING = ".json.gz"


class RunProfiles:
    """The profiles in the warehouse at ``uri``. Those of the last ``kept`` runs are kept."""

    def __init__(self, uri: str, kept: int = KEPT) -> None:
        self._kept = kept
        self._files, root = open_files(uri)
        self._folder = f"{root}/{FOLDER}"

    def write(self, profile: Profile) -> None:
        """Write the profile of a run, and remove the oldest profiles. Raises OSError."""
        content = gzip.compress(dumps(profile.to_json()).encode("utf-8"), mtime=0)
        write_atomically(self._files, f"{self._folder}/{profile.run_id}{_ENDING}", content)
        run_ids = self.run_ids()
        gone = [f"{run_id}{_ENDING}" for run_id in run_ids[: -self._kept]]
        for oldest in run_ids[-self._kept :][:1]:  # none where all were removed meanwhile
            gone += [name for name in unfinished(self._files, self._folder) if name < f".{oldest}"]
        for name in gone:
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(f"{self._folder}/{name}")

    def read(self, run_id: str) -> Profile:
        """The profile of a run. Raises FileNotFoundError where there is none, ValueError where its file is damaged."""
        content = self._files.cat_file(f"{self._folder}/{run_id}{_ENDING}")
        try:
            return Profile.from_json(read_json(gzip.decompress(content)))
        except (OSError, EOFError, zlib.error) as error:  # gzip's errors for a file that is not gzip, or is cut off
            raise ValueError(f"it is damaged ({error})") from error

    def run_ids(self) -> list[str]:
        """The ids of the runs that have a profile, the oldest first."""
        names = names_in(self._files, self._folder)
        return sorted(name.removesuffix(_ENDING) for name in names if name.endswith(_ENDING) and name[0] != ".")
