"""The values of parameters that made the rows of a warehouse, in ``_aqi/parameters/<digest>.json``.

A code version has the digest of these values alone. A file holds the values of every asset and location for one
configuration; it is written by the first run with it. Nothing is decided by these files: without them a reason names no
values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property

from orchestration.core.json_value import JsonValue
from resources.storage.atomic_files import names_in, write_atomically
from resources.storage.files import open_files

FOLDER = "_aqi/parameters"
FORMAT = 1
_ENDING = ".json"

Values = Mapping[str, Mapping[str, JsonValue]]
"""By the digest that stands in code versions, what it is the digest of."""


class ParameterValues:
    """The values of parameters that are kept in the warehouse at ``uri``."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def keep(self, values: Values) -> None:
        """Keep values, unless just these are kept. Raises OSError."""
        files, root = open_files(self._uri)
        name = hashlib.sha256("\n".join(sorted(values)).encode()).hexdigest()[:16]
        path = f"{root}/{FOLDER}/{name}{_ENDING}"
        if files.exists(path):
            return
        text = json.dumps({"format": FORMAT, "values": values}, ensure_ascii=False, sort_keys=True)
        write_atomically(files, path, text.encode("utf-8"))

    @cached_property
    def by_digest(self) -> Values:
        """All that is kept and can be read."""
        found: dict[str, Mapping[str, JsonValue]] = {}
        try:
            files, root = open_files(self._uri)
            names = names_in(files, f"{root}/{FOLDER}")
        except OSError:
            return found
        for name in sorted(names):
            if name.endswith(_ENDING) and not name.startswith("."):
                try:
                    read = json.loads(files.cat_file(f"{root}/{FOLDER}/{name}"))
                    found |= read["values"] if read["format"] == FORMAT else {}
                except (OSError, ValueError, KeyError, TypeError):  # damaged, or of a later version
                    continue
        return found
