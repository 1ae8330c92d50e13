"""The index of raw answers: what was kept, and whom it was about, ``_aqi/raw/<asset>/kept/<run id>.json``.

So an answer that is gone is known to be gone also where no table names it any more. A file a run, and after some days
one of several runs. What is not in it counts like any other answer.

Must not know: where answers lie (``answers``), and which are still needed.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from orchestration.core.calendar import day_of
from orchestration.core.errors import WarehouseError, in_a_line
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.provenance import dumps
from resources.raw.files import DIGITS, FileName
from resources.raw.renames import FOLDER, Names
from resources.storage.atomic_files import names_in, unfinished, write_atomically
from resources.storage.files import open_files
from resources.storage.json_text import read_json

FORMAT = 1
NAME = "kept"
_ENDING = ".json"
_PACKED = "packed-"
"""How the name of a file begins that has what several runs kept."""
_LOOKS = 4
"""So often it is read again where files went away meanwhile, into that of several runs."""
_WRITING = threading.Lock()
"""Several threads of a run keep answers at once."""


class Asked(NamedTuple):
    """Whom an answer is about: keys of then. renamed: the mark of the last renaming by then; empty for none."""

    locations: tuple[str, ...]
    renamed: str = ""


_Entries = Mapping[str, Asked]
"""By the names of answers, which are taken apart only where they are read: a run writes its file for each answer."""


@dataclass(frozen=True, slots=True)
class _Read:
    """The files of an asset that can be read, by name, and what is wrong with the others."""

    files: Mapping[str, _Entries]
    broken: tuple[str, ...]


class KeptIndex:
    """The index in the warehouse at ``uri`` (a folder, or a URI that fsspec knows)."""

    def __init__(self, uri: str) -> None:
        self._files, root = open_files(uri)
        self._root = f"{root}/{FOLDER}"

    def add(self, asset: str, run_id: str, name: FileName, asked: Asked) -> None:
        """An answer more that a run kept; again it changes nothing. Raises OSError."""
        path = f"{self._folder(asset)}/{run_id}{_ENDING}"
        with _WRITING:
            there: _Entries = {}
            try:
                there = _from_json(self._files.cat_file(path))
            except FileNotFoundError:
                pass
            except ValueError as error:  # to write it anew would forget what it says
                raise OSError(f"{path} cannot be read ({error})") from error
            if str(name) not in there:
                write_atomically(self._files, path, _to_json({**there, str(name): asked}))

    def read(self, asset: str, names: Names) -> dict[FileName, PartitionSet]:
        """What was kept, and not removed since as not needed, with what it is about under the keys of today.

        Raises WarehouseError where that is not known.
        """
        read = self._read(asset)
        if read.broken:
            raise WarehouseError(
                f"{', '.join(read.broken)} cannot be read: it says which raw answers of {asset} were kept",
                "Restore it from a copy. Where there is none, remove it: then nobody knows which answers are gone, and "
                "--from-raw takes those that are there for all.",
            )
        return {
            name: names.partitions(PartitionSet.of(name.days, asked.locations), asked.renamed)
            for entries in read.files.values()
            for text, asked in entries.items()
            if (name := FileName.parse(text)) is not None
        }

    def broken(self, asset: str) -> tuple[str, ...]:
        """Where files lie that cannot be read, and why."""
        return self._read(asset).broken

    def pack(self, asset: str, before: date) -> None:
        """Put the files of runs that asked last before the day ``before`` into one, which is there whole before they
        go. Raises OSError, and WarehouseError where the folder cannot be listed."""
        with _WRITING:
            old = {name: of for name, of in self._read(asset).files.items() if _last_day(of) < before}
            if all(name.startswith(_PACKED) for name in old):
                return
            for name in unfinished(self._files, self._folder(asset)):
                if any(name.startswith(f".{run}.") for run in old):
                    self._remove(asset, name)
            self._replace(asset, old, {name: asked for of in old.values() for name, asked in of.items()})

    def forget(self, asset: str, gone: Iterable[str]) -> None:
        """Answers of these names were kept, and are no longer needed. Raises as ``pack``."""
        names = set(gone)
        with _WRITING:
            for file, entries in self._read(asset).files.items():
                left = {name: asked for name, asked in entries.items() if name not in names}
                if len(left) == len(entries):
                    continue
                if left and not file.startswith(_PACKED):
                    write_atomically(self._files, f"{self._folder(asset)}/{file}", _to_json(left))
                else:
                    self._replace(asset, [file], left)
        if not names_in(self._files, self._folder(asset)):
            with suppress(OSError):  # there is none, or a run keeps something at this moment
                self._files.rmdir(self._folder(asset))

    def _replace(self, asset: str, replaced: Iterable[str], entries: _Entries) -> None:
        """Write a file of several runs, then remove those in whose place it is."""
        packed = ""
        if entries:
            content = _to_json(entries)
            packed = f"{_PACKED}{hashlib.sha256(content).hexdigest()[:DIGITS]}{_ENDING}"
            write_atomically(self._files, f"{self._folder(asset)}/{packed}", content)
        for name in replaced:
            if name != packed:
                self._remove(asset, name)

    def _remove(self, asset: str, name: str) -> None:
        with suppress(FileNotFoundError):
            self._files.rm_file(f"{self._folder(asset)}/{name}")

    def _read(self, asset: str) -> _Read:
        folder = self._folder(asset)
        files: dict[str, _Entries] = {}
        broken: list[str] = []
        for _ in range(_LOOKS):
            files, broken, is_gone = {}, [], False
            for name in self._names(folder):
                if name.startswith(".") or not name.endswith(_ENDING):
                    continue
                try:
                    files[name] = _checked(_from_json(self._files.cat_file(f"{folder}/{name}")))
                except FileNotFoundError:
                    is_gone = True
                except (OSError, ValueError) as error:
                    why = in_a_line(error) if isinstance(error, OSError) else str(error)
                    broken.append(f"{asset}/{NAME}/{name} ({why})")
            if not is_gone:
                break
        return _Read(files, tuple(broken))

    def _names(self, folder: str) -> list[str]:
        try:
            return sorted(names_in(self._files, folder))
        except OSError as error:
            raise WarehouseError(
                f"{folder} cannot be read ({in_a_line(error)})", "Check that this user may read the warehouse."
            ) from error

    def _folder(self, asset: str) -> str:
        return f"{self._root}/{asset}/{NAME}"


def _to_json(entries: _Entries) -> bytes:
    """Names by whom they are about: those of a run are mostly about the same locations."""
    names: dict[Asked, list[str]] = {}
    for name, asked in entries.items():
        names.setdefault(asked, []).append(name)
    kept = [
        {"locations": asked.locations, "names": sorted(of), **({"renamed": asked.renamed} if asked.renamed else {})}
        for asked, of in sorted(names.items())
    ]
    return dumps({"format": FORMAT, "kept": kept}).encode("utf-8")


def _from_json(content: bytes) -> _Entries:
    """Raises ValueError for what is none."""
    entries: dict[str, Asked] = {}
    try:
        data: Any = read_json(content)
        if data["format"] != FORMAT:
            raise ValueError(f"it is not of format {FORMAT}: a newer version wrote it")
        for one in data["kept"]:
            asked = Asked(tuple(map(str, one["locations"])), str(one.get("renamed", "")))
            entries |= dict.fromkeys(map(str, one["names"]), asked)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"it is no list of raw answers ({error!r})") from error
    return entries


def _checked(entries: _Entries) -> _Entries:
    """Raises ValueError for a name that no answer has."""
    for name in entries:
        if FileName.parse(name) is None:
            raise ValueError("it has a name that no raw answer has")
    return entries


def _last_day(entries: _Entries) -> date:
    """When the newest of them was asked for."""
    moments = [name.asked for text in entries if (name := FileName.parse(text)) is not None]
    return day_of(max(moments)) if moments else date.min
