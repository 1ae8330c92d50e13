"""The values of the parameters that made the rows of a warehouse, in ``_aqi/parameters/<digest>.json``.

A code version has only a digest of the values; the files have the values. A file holds those of every asset and
location for one configuration, and is written by the first run with that configuration. The files decide nothing: they
are read for the reasons that are shown. Without them a reason does not name old and new values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property

from orchestration.core.json_value import JsonValue
from resources.storage.atomic_files import names_in, write_atomically
from resources.storage.files import open_files
from resources.storage.json_text import read_json

FOLDER = "_aqi/parameters"
FORMAT = 1
_ENDING = ".json"

Values = Mapping[str, Mapping[str, JsonValue]]
"""Digest as it stands in code versions → the values of which it is the digest, by name."""


class ParameterValues:
    """The values of parameters that are kept in the warehouse at ``uri``."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def keep(self, values: Values) -> None:
        """Write the values of a configuration, unless a file has them already. Raises OSError."""
        files, root = open_files(self._uri)
        name = hashlib.sha256("\n".join(sorted(values)).encode()).hexdigest()[:16]
        path = f"{root}/{FOLDER}/{name}{_ENDING}"
        if files.exists(path):
            return
        text = json.dumps({"format": FORMAT, "values": values}, ensure_ascii=False, sort_keys=True)
        write_atomically(files, path, text.encode("utf-8"))

    @cached_property
    def by_digest(self) -> Values:
        """The values of all files that can be read."""
        found: dict[str, Mapping[str, JsonValue]] = {}
        try:
            files, root = open_files(self._uri)
            names = names_in(files, f"{root}/{FOLDER}")
        except OSError:
            return found
        for name in sorted(names):
            if name.endswith(_ENDING) and not name.startswith("."):
                try:
                    read = read_json(files.cat_file(f"{root}/{FOLDER}/{name}"))
                    found |= read["values"] if read["format"] == FORMAT else {}
                except (OSError, ValueError, KeyError, TypeError):  # a file that is damaged, or of a later version
                    continue
        return found
