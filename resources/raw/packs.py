"""Packs: the files of several kept answers in one, which has them word for word.

A pack is a line of JSON, ``{"format": 1, "files": [[name, bytes], …]}``, and the files after it, in that order. Its
name says which days they were asked about, and the digest of that line. So a pack is never changed: one with other
files has another name, and whoever writes it removes what it replaces afterwards.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

from orchestration.core.partitions.days import Days
from orchestration.core.state.provenance import dumps
from resources.raw.files import DIGITS, FileName
from resources.storage.atomic_files import write_atomically
from resources.storage.json_text import read_json

FORMAT = 1
_NAME = re.compile(
    rf"pack_([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})_([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})_([0-9a-f]{{{DIGITS}}})"
)
_FIRST_READ = 1 << 16
"""Bytes in which most indexes end."""


class PackName(NamedTuple):
    """What the name of a pack says. first, last: of all days that its answers are about. digest: of its index."""

    first: date
    last: date
    digest: str

    def __str__(self) -> str:
        return f"pack_{self.first}_{self.last}_{self.digest}"

    @classmethod
    def parse(cls, name: str) -> PackName | None:
        """What a name says; None where it is not that of a pack."""
        if not (read := _NAME.fullmatch(name)):
            return None
        try:
            return cls(date.fromisoformat(read[1]), date.fromisoformat(read[2]), read[3])
        except ValueError:
            return None

    @property
    def days(self) -> Days:
        return Days.of(self.first, self.last) if self.first <= self.last else Days.empty()


def write_pack(files: Any, folder: str, packed: Mapping[str, bytes]) -> str:
    """Write the files ``packed``, by name, as one pack; gives its name. Raises OSError."""
    names = sorted(packed)
    index = dumps({"format": FORMAT, "files": [[name, len(packed[name])] for name in names]}).encode("utf-8")
    days = [parsed for name in names if (parsed := FileName.parse(name))]
    first, last = min(day.first for day in days), max(day.last for day in days)
    pack = str(PackName(first, last, hashlib.sha256(index).hexdigest()[:DIGITS]))
    write_atomically(files, f"{folder}/{pack}", b"".join([index, b"\n", *(packed[name] for name in names)]))
    return pack


def index_of(files: Any, path: str) -> tuple[int, list[tuple[str, int]]]:
    """Where the files of a pack begin, and their names and lengths. Raises OSError; ValueError for a damaged index."""
    read, length = b"", 0
    while b"\n" not in read:
        if len(read) < length:
            raise ValueError("its index has no end")
        length = max(_FIRST_READ, length * 4)
        read = files.cat_file(path, start=0, end=length)
    line, _, _ = read.partition(b"\n")
    name = PackName.parse(path.rpartition("/")[2])
    if name is None or hashlib.sha256(line).hexdigest()[:DIGITS] != name.digest:
        raise ValueError("its index is not what its name says")
    data = read_json(line)
    if data["format"] != FORMAT:
        raise ValueError(f"it is not of format {FORMAT}: a newer version wrote it")
    return len(line) + 1, [(name, length) for name, length in data["files"]]


def read_pack(files: Any, path: str, wanted: Callable[[str], bool] = lambda _name: True) -> dict[str, bytes]:
    """The wanted files of a pack by name, as they are in it, sound or not; read at once.

    Raises OSError; ValueError for a damaged index.
    """
    at, index = index_of(files, path)
    spans = {}
    for name, length in index:
        if wanted(name):
            spans[name] = (at, at + length)
        at += length
    if not spans:
        return {}
    first, last = min(start for start, _ in spans.values()), max(end for _, end in spans.values())
    is_there = first < files.info(path)["size"]  # else it was cut off; some file systems read nothing behind the end
    read = files.cat_file(path, start=first, end=last) if is_there else b""
    return {name: read[start - first : end - first] for name, (start, end) in spans.items()}


def total(packed: Iterable[bytes]) -> int:
    """The bytes of some files together."""
    return sum(map(len, packed))
