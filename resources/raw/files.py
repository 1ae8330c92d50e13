"""A kept raw answer as a file: its name, its bytes, and what is known about it without its body.

The name says when the request was sent, for which days, and the digest of the content: the same answer kept twice is
one file. The bytes are a line of JSON and the body, compressed together (``zstd -dc FILE`` shows them).

Must not know: in which folder files are (``answers``), and how several are packed into one (``packs``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from orchestration.core.calendar import day_of, instant_of
from orchestration.core.partitions.days import Days
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.source import RawAnswer
from orchestration.core.state.provenance import dumps
from resources.raw.renames import Names
from resources.storage.json_text import read_json

FORMAT = 1
DIGITS = 16
"""The number of hexadecimal digits of the digest in a name."""
_NAME = re.compile(rf"([0-9]{{8}}T[0-9]{{6}}Z)_([0-9-]{{10}})_([0-9-]{{10}})_([0-9a-f]{{{DIGITS}}})\.zst")
_MOMENT = "%Y%m%dT%H%M%SZ"
_LEVEL = 3
"""The level of zstd: 283 KB of answers become 62 KB within 1.3 ms; with gzip 65 KB within 9 ms."""


class FileName(NamedTuple):
    """What the name of a file says. asked: whole seconds, UTC. first, last: the requested days, both included."""

    asked: datetime
    first: date
    last: date
    digest: str

    def __str__(self) -> str:
        return f"{self.asked:{_MOMENT}}_{self.first}_{self.last}_{self.digest}.zst"

    @classmethod
    def parse(cls, name: str) -> FileName | None:
        """What a name says; None for a file that is no kept answer."""
        if not (read := _NAME.fullmatch(name)):
            return None
        try:
            asked = datetime.strptime(read[1], _MOMENT).replace(tzinfo=UTC)
            return cls(asked, date.fromisoformat(read[2]), date.fromisoformat(read[3]), read[4])
        except ValueError:
            return None

    @property
    def days(self) -> Days:
        """The requested days; empty for a name that nobody wrote."""
        return Days.of(self.first, self.last) if self.first <= self.last else Days.empty()


@dataclass(frozen=True, slots=True)
class RawFile:
    """A kept answer without its body: the fields of ``RawAnswer``, and those of its file."""

    asset: str
    source: str
    asked: str
    run_id: str
    forced: bool
    first: date
    last: date
    locations: tuple[str, ...]
    """The present keys of its locations."""
    request: Mapping[str, Any] = field(hash=False)
    digest: str
    """SHA-256 of the body, 64 hexadecimal digits."""
    name: str
    """The name of the file."""
    size: int
    """In bytes, compressed."""
    path: str = field(default="", compare=False)
    """Where it was found, below the folder of all raw answers; packing moves it."""
    then: tuple[str, ...] = ()

    @property
    def names(self) -> Mapping[str, str]:
        """The keys of its locations then → today."""
        return dict(zip(self.then or self.locations, self.locations, strict=True))

    @property
    def partitions(self) -> PartitionSet:
        """What was asked for."""
        return PartitionSet.of(Days.of(self.first, self.last), self.locations)

    @property
    def asked_at(self) -> datetime:
        """``asked`` as an instant."""
        return instant_of(self.asked)

    @property
    def day(self) -> date:
        """The UTC day on which it was asked for."""
        return day_of(self.asked_at)


class Kept(NamedTuple):
    """What is in a file. renamed: the mark of the last renaming of a location by then; empty where there was none."""

    answer: RawAnswer
    renamed: str


def to_file(answer: RawAnswer, renamed: str = "") -> tuple[FileName, bytes]:
    """The name and the bytes of an answer's file. renamed: see ``Kept``."""
    header = dumps(
        {
            **({"renamed": renamed} if renamed else {}),
            "format": FORMAT,
            "asset": answer.asset,
            "source": answer.source,
            "asked": answer.asked,
            "run_id": answer.run_id,
            "forced": answer.forced,
            "first": answer.first.isoformat(),
            "last": answer.last.isoformat(),
            "locations": list(answer.locations),
            "request": dict(answer.request),
        }
    )
    content = header.encode("utf-8") + b"\n" + answer.body
    asked = instant_of(answer.asked).replace(microsecond=0)
    name = FileName(asked, answer.first, answer.last, hashlib.sha256(content).hexdigest()[:DIGITS])
    return name, compressed(content)


def from_file(name: str, packed: bytes) -> Kept:
    """What is in a file. Raises ValueError for what is damaged, or not what its name says."""
    parsed = FileName.parse(name)
    content = decompressed(packed)
    if parsed is None or hashlib.sha256(content).hexdigest()[:DIGITS] != parsed.digest:
        raise ValueError("its content is not what its name says")
    header, _, body = content.partition(b"\n")
    data = read_json(header)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"it is not of format {FORMAT}: a newer version wrote it")
    try:
        answer = RawAnswer(
            data["asset"],
            data["source"],
            data["asked"],
            data["run_id"],
            data["forced"],
            date.fromisoformat(data["first"]),
            date.fromisoformat(data["last"]),
            tuple(data["locations"]),
            data["request"],
            body,
        )
        return Kept(answer, data.get("renamed", ""))
    except (KeyError, TypeError) as error:
        raise ValueError(f"its header lacks something ({error!r})") from error


def compressed(content: bytes) -> bytes:
    """What a file has of ``content``."""
    import pyarrow as pa

    packed: bytes = pa.Codec("zstd", _LEVEL).compress(content, asbytes=True)
    return packed


def decompressed(packed: bytes) -> bytes:
    """The inverse of ``compressed``. Raises ValueError for what is damaged so that it shows."""
    import pyarrow as pa

    try:
        content: bytes = pa.CompressedInputStream(pa.BufferReader(packed), "zstd").read()
    except OSError as error:
        raise ValueError(f"it cannot be decompressed ({error})") from error
    return content


def described(kept: Kept, names: Names, name: str, size: int, path: str) -> RawFile:
    """An answer that was read, without its body."""
    answer = kept.answer
    return RawFile(
        answer.asset,
        answer.source,
        answer.asked,
        answer.run_id,
        answer.forced,
        answer.first,
        answer.last,
        tuple(names.now(key, kept.renamed) for key in answer.locations),
        answer.request,
        hashlib.sha256(answer.body).hexdigest(),
        name,
        size,
        path,
        answer.locations,
    )
