"""Moments: when partitions were asked for although nothing new came, ``_aqi/moments/<asset>/<run id>.json``.

Such a question makes no commit. Where its moment is lost, it is asked once more; no state rests on it. Locations are
told by their keys of today (``renames``).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

from orchestration.core.calendar import day_of, instant_of
from orchestration.core.errors import WarehouseError, in_a_line
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from resources.raw.renames import Names, Renames
from resources.storage.atomic_files import names_in, unfinished, write_atomically
from resources.storage.files import open_files
from resources.storage.json_text import read_json

FOLDER = "_aqi/moments"
_ENDING = ".json"
_PACKED = "packed-"
"""How the name of a file begins that has the moments of several runs."""
_KEEPING = threading.Lock()
"""Steps of a run keep their moments in one file."""

Asked = dict[str, PartitionSet]
"""Moment of asking (ISO 8601, UTC) → the partitions."""


@dataclass(frozen=True, slots=True)
class _Read:
    """The files of an asset that can be read, by name, and what is wrong with the others. names: of today."""

    files: Mapping[str, Asked]
    broken: tuple[str, ...]
    names: Names

    @property
    def asked(self) -> Asked:
        return _together(self.files.values())


class Moments:
    """The moments in the warehouse at ``uri`` (a folder, or a URI that fsspec knows)."""

    def __init__(self, uri: str) -> None:
        self._files, root = open_files(uri)
        self._root = f"{root}/{FOLDER}"
        self._renames = Renames(uri)

    def keep(self, asset: str, run_id: str, asked: Mapping[PartitionKey, str]) -> None:
        """Add to what a run asked for in vain. asked: moments (ISO 8601, UTC). Raises OSError."""
        if not asked:
            return
        keys: dict[str, list[PartitionKey]] = {}
        for key, moment in asked.items():
            keys.setdefault(moment, []).append(key)
        new = {moment: PartitionSet.from_keys(of) for moment, of in keys.items()}
        path = f"{self._root}/{asset}/{run_id}{_ENDING}"
        names = self._names(asset)
        with _KEEPING:
            before: Asked = {}
            with suppress(FileNotFoundError, ValueError):  # ValueError: it is broken, and worth no more than a question
                before = _from_json(self._files.cat_file(path), names)
            write_atomically(self._files, path, _to_json(_together([before, new]), names))

    def read(self, asset: str) -> dict[PartitionKey, str]:
        """When each partition was last asked for in vain. What is broken is passed over.

        Raises WarehouseError where the folder cannot be listed.
        """
        return _latest(self._read(asset).asked)

    def named(self, asset: str) -> Asked:
        """Every moment that is kept, and the partitions that were asked for at it."""
        return self._read(asset).asked

    def broken(self, asset: str) -> tuple[str, ...]:
        """Where files lie that cannot be read, and why."""
        return self._read(asset).broken

    def pack(self, asset: str, before: date, since: str, *, dry_run: bool = False) -> int:
        """Put the files of runs that asked last before the day ``before`` into one; gives how many. Raises OSError.

        since: a moment; what was asked for before it is left out, but for the last time of each partition. The file is
        there whole before the others go.
        """
        read = self._read(asset)
        old = {name: asked for name, asked in read.files.items() if _last_day(asked) < before}
        single = [name for name in old if not name.startswith(_PACKED)]
        if not single or dry_run:
            return len(single)
        for name in unfinished(self._files, f"{self._root}/{asset}"):
            if _of_an_old_run(name, old):
                self._remove(asset, name)
        last = _latest(read.asked)
        needed: Asked = {}
        for moment, partitions in _together(old.values()).items():
            if instant_of(moment) < instant_of(since):
                partitions = PartitionSet.from_keys(key for key in partitions if last[key] == moment)
            if partitions:
                needed[moment] = partitions
        content = _to_json(needed, read.names)
        packed = f"{_PACKED}{hashlib.sha256(content).hexdigest()[:16]}{_ENDING}"
        write_atomically(self._files, f"{self._root}/{asset}/{packed}", content)
        for name in old:
            if name != packed:
                self._remove(asset, name)
        return len(single)

    def _remove(self, asset: str, name: str) -> None:
        with suppress(FileNotFoundError):
            self._files.rm_file(f"{self._root}/{asset}/{name}")

    def _read(self, asset: str) -> _Read:
        folder = f"{self._root}/{asset}"
        try:
            names = names_in(self._files, folder)
        except OSError as error:
            raise WarehouseError(
                f"{folder} cannot be read ({in_a_line(error)})", "Check that this user may read the warehouse."
            ) from error
        files, broken, now = dict[str, Asked](), list[str](), self._names(asset)
        for name in sorted(names):
            if name.startswith(".") or not name.endswith(_ENDING):
                continue
            try:
                files[name] = _from_json(self._files.cat_file(f"{folder}/{name}"), now)
            except FileNotFoundError:  # packed since it was listed: lost to this look alone
                continue
            except (OSError, ValueError) as error:
                why = in_a_line(error) if isinstance(error, OSError) else str(error)
                broken.append(f"{FOLDER}/{asset}/{name} ({why})")
        return _Read(files, tuple(broken), now)

    def _names(self, asset: str) -> Names:
        """What cannot be read is told of raw answers; here it costs a question."""
        try:
            return self._renames.of(asset)
        except WarehouseError:
            return Names()


def _to_json(asked: Asked, names: Names) -> bytes:
    mark = {"renamed": names.last} if names.last else {}
    items = [{"asked": moment, "partitions": asked[moment].to_json(), **mark} for moment in sorted(asked)]
    return json.dumps(items, separators=(",", ":")).encode("utf-8")


def _from_json(content: bytes, names: Names) -> Asked:
    """Raises ValueError for what is none."""
    try:
        data: list[Any] = read_json(content)
        read = _together([{str(item["asked"]): _partitions(item, names)} for item in data])
        for moment in read:
            instant_of(moment)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"it is no list of moments ({error!r})") from error
    return read


def _partitions(item: Mapping[str, Any], names: Names) -> PartitionSet:
    return names.partitions(PartitionSet.from_json(item["partitions"]), str(item.get("renamed", "")))


def _together(all_asked: Iterable[Asked]) -> Asked:
    sets: dict[str, list[PartitionSet]] = {}
    for asked in all_asked:
        for moment, partitions in asked.items():
            sets.setdefault(moment, []).append(partitions)
    return {moment: of[0] if len(of) == 1 else PartitionSet.union_of(of) for moment, of in sets.items()}


def _latest(asked: Asked) -> dict[PartitionKey, str]:
    return {key: moment for moment in sorted(asked, key=instant_of) for key in asked[moment]}


def _last_day(asked: Asked) -> date:
    return max((day_of(instant_of(moment)) for moment in asked), default=date.min)


def _of_an_old_run(temporary: str, old: Mapping[str, Asked]) -> bool:
    """Whether an unfinished file is that of a run whose other moments are packed now."""
    return any(temporary.startswith(f".{name}.") for name in old)
