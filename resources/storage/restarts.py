"""Restarts that are under way, or were interrupted: one file for each in the warehouse, ``_aqi/restarts/<name>.json``.

The file is removed when the restart is done. If it is lost, the restart begins from the start. The tables do not need
it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.provenance import dumps
from resources.storage.atomic_files import write_atomically
from resources.storage.files import open_files
from resources.storage.json_text import read_json

FOLDER = "_aqi/restarts"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Begun:
    """A restart that has begun."""

    run_id: str
    """The run that began it."""
    at: str
    """When the restart began, ISO 8601."""
    done: Mapping[str, PartitionSet] = field(default_factory=dict)
    """Asset key → the partitions that have been made since."""


class Restarts:
    """The restarts in the warehouse at ``uri``, by name."""

    def __init__(self, uri: str) -> None:
        self._files, root = open_files(uri)
        self._folder = f"{root}/{FOLDER}"

    def path(self, name: str) -> str:
        """The path of the file of a restart."""
        return f"{self._folder}/{name}.json"

    def read(self, name: str) -> Begun | None:
        """The restart ``name``; None where there is none, or its file cannot be read."""
        try:
            data = read_json(self._files.cat_file(self.path(name)))
            if data["format"] != FORMAT:
                return None
            done = {asset: PartitionSet.from_json(of) for asset, of in data["done"].items()}
            return Begun(str(data["run_id"]), str(data["at"]), done)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, name: str, begun: Begun) -> None:
        """Write the file of a restart, in place of an earlier one. Raises OSError."""
        done = {asset: of.to_json() for asset, of in begun.done.items()}
        said = {"format": FORMAT, "run_id": begun.run_id, "at": begun.at, "done": done}
        write_atomically(self._files, self.path(name), dumps(said).encode("utf-8"))

    def remove(self, name: str) -> None:
        """Remove the file of a restart that is done. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self.path(name))
