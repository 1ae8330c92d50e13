"""Raw answers: what sources sent, kept in the warehouse, in ``_aqi/raw/<asset>/<day of the request>/``.

There is a file for each request (``files``); after some days several files are put into a pack (``packs``). An answer
is found by its name, in a file or in a pack, and counts once: a kill during packing leaves it twice. Broken files are
reported and stop nothing; ``index`` knows what is gone. Locations go by their present keys (``renames``).

Must not know: which answers are still needed (``core.state.raw_retention``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from orchestration.core.calendar import day_of, instant_of, iso, midnight
from orchestration.core.errors import WarehouseError, in_a_line
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.source import RawAnswer
from resources.raw.files import FileName, RawFile, described, from_file, to_file
from resources.raw.index import Asked, KeptIndex
from resources.raw.packs import PackName, index_of, read_pack, total, write_pack
from resources.raw.renames import FOLDER, Names, Renamed, Renames
from resources.storage.atomic_files import names_in, unfinished, write_atomically
from resources.storage.files import open_files

PACK_BYTES = 64 << 20
"""The largest pack, and so the most that is in memory at once."""
_LOOKS = 4
"""A day is listed again at most this often, if files disappeared meanwhile into a pack or for good."""

Wanted = Callable[[FileName], bool]
"""Whether a kept answer is wanted, by its name."""


@dataclass(frozen=True, slots=True)
class Found:
    """Kept answers in the order of their requests, and descriptions of broken ones.

    since: when the first of all requests was sent; for a broken pack the day. None without any.
    """

    files: tuple[RawFile, ...]
    broken: tuple[str, ...] = ()

    @property
    def since(self) -> datetime | None:
        moments = [file.asked_at for file in self.files[:1]]
        return min([*moments, *(_asked_of(said) for said in self.broken)], default=None)


class RawAnswers:
    """The raw answers of the warehouse at ``uri`` (a folder, or a URI that fsspec knows)."""

    def __init__(self, uri: str) -> None:
        self._files, root = open_files(uri)
        self._root = f"{root}/{FOLDER}"
        self._renames = Renames(uri)
        self._index = KeptIndex(uri)

    def keep(self, answer: RawAnswer) -> str:
        """Write an answer, then enter it into the index. Gives the name of its file.

        Writing it again changes nothing. Raises OSError.
        """
        try:
            names = self._renames.of(answer.asset)
        except WarehouseError as error:  # whose answer it is would not be known
            raise OSError(str(error)) from error
        name, packed = to_file(answer, names.last)
        write_atomically(self._files, f"{self._folder(answer.asset, day_of(name.asked))}/{name}", packed)
        self._index.add(answer.asset, answer.run_id, name, Asked(answer.locations, names.last))
        return str(name)

    # Looking ----------------------------------------------------------------------------------------------------

    def look(self, asset: str, partitions: PartitionSet | None = None, since: str = "") -> Found:
        """The kept answers of an asset: all, or those to requests for any of ``partitions``, sent at ``since`` (ISO
        8601) or later.

        Files whose names say other days are not read. Raises WarehouseError if a folder cannot be listed, or if the
        present keys of locations are not known.
        """
        days = None if partitions is None else partitions.days
        begin = instant_of(since) if since else None
        floor = None if begin is None else begin.replace(microsecond=0)

        def wanted(name: FileName) -> bool:
            return (floor is None or name.asked >= floor) and (days is None or bool(name.days & days))

        names = self.names(asset)
        found: list[RawFile] = []
        broken: list[str] = []
        for day in self._days(asset):
            if floor is not None and day < day_of(floor):
                continue
            there, wrong = self._look_at(asset, day, wanted, days, names)
            broken += wrong
            for file in there:
                if begin is not None and file.asked_at < begin:
                    continue
                if partitions is None or file.partitions & partitions:
                    found.append(file)
        return Found(tuple(sorted(found, key=lambda file: (file.asked_at, file.name))), tuple(sorted(broken)))

    def of(self, asset: str, partitions: PartitionSet, since: str = "") -> list[RawFile]:
        """The kept answers to requests for any of ``partitions``, in the order of the requests; without broken ones."""
        return list(self.look(asset, partitions, since).files)

    def all(self, asset: str) -> Found:
        """Every kept answer of an asset. Reads every file."""
        return self.look(asset)

    def broken(self, asset: str) -> tuple[str, ...]:
        """Descriptions of the broken answers. Reads every file."""
        return self.look(asset).broken

    def lost(
        self, asset: str, partitions: PartitionSet, found: Iterable[RawFile] = ()
    ) -> list[tuple[str, PartitionSet]]:
        """The answers to requests for any of ``partitions`` that were kept, were not removed as unneeded, and are gone
        or broken.

        Gives when each request was sent (ISO 8601, whole seconds) and its partitions, in that order. found: kept
        answers that were read already. Raises WarehouseError as ``look`` does, and if the index cannot be read.
        """
        there = {file.name for file in found}
        named = self._index.read(asset, self.names(asset))
        gone = {name: of for name in sorted(named) if str(name) not in there and (of := named[name] & partitions)}
        if gone:  # or it was kept since, or nobody looked
            there |= {file.name for file in self.of(asset, PartitionSet.union_of(gone.values()))}
        return [(iso(name.asked), of) for name, of in gone.items() if str(name) not in there]

    def broken_index(self, asset: str) -> tuple[str, ...]:
        """Descriptions of files of the index that cannot be read."""
        return self._index.broken(asset)

    def read(self, file: RawFile) -> RawAnswer:
        """A kept answer with its body, under the keys of its time; also if it was packed since it was found.

        Raises WarehouseError that names the file.
        """
        wrong = "it is gone"
        for _ in range(_LOOKS):
            gone = False
            for _, stored in self._stored(self._folder(file.asset, file.day), lambda name: str(name) == file.name):
                if isinstance(stored, FileNotFoundError):
                    gone = True
                    continue
                try:
                    return from_file(file.name, _bytes(stored)).answer
                except ValueError as error:
                    wrong = str(error)
            if not gone:
                break
        raise WarehouseError(
            f"{FOLDER}/{file.path or file.name}: the raw answer of {file.asset}, asked at {file.asked}, cannot be read "
            f"({wrong})",
            "Restore the file from a copy, or fetch its partitions again with --force.",
        )

    def _look_at(
        self, asset: str, day: date, wanted: Wanted, about: Days | None, names: Names
    ) -> tuple[list[RawFile], list[str]]:
        """The wanted answers of a day, each name once; and descriptions of those without an undamaged copy."""
        folder, found = self._folder(asset, day), dict[str, RawFile]()
        wrong: dict[str, str] = {}
        for _ in range(_LOOKS):
            wrong = {}
            gone = False
            for path, stored in self._stored(folder, wanted, about):
                name = path.rpartition("/")[2]
                shown = path.removeprefix(f"{self._root}/")
                if isinstance(stored, FileNotFoundError):
                    gone = True
                elif name not in found:
                    try:
                        packed = _bytes(stored)
                        found[name] = described(from_file(name, packed), names, name, len(packed), shown)
                    except ValueError as error:
                        wrong[name] = f"{shown} ({error})"
            if not gone:
                break
        return list(found.values()), [said for name, said in wrong.items() if name not in found]

    def _stored(
        self, folder: str, wanted: Wanted, about: Days | None = None
    ) -> Iterator[tuple[str, bytes | Exception]]:
        """The wanted files of a day with their bytes, singly or in a pack, or with what is wrong with file or pack.

        about: days of which packs that are about none of them are not opened; None: all are.
        """
        names = self._names(folder)
        for name in names:
            path = f"{folder}/{name}"
            if (single := FileName.parse(name)) and wanted(single):
                try:
                    yield path, self._files.cat_file(path)
                except OSError as error:
                    yield path, error
        for name in names:
            path = f"{folder}/{name}"
            if (pack := PackName.parse(name)) and (about is None or pack.days & about):
                try:
                    packed = read_pack(self._files, path, lambda one: _is_wanted(one, wanted))
                except (OSError, ValueError) as error:
                    yield path, error
                    continue
                yield from ((f"{path}/{one}", of) for one, of in packed.items())

    def _days(self, asset: str) -> list[date]:
        """The days on which requests were sent."""
        names, days = self._names(f"{self._root}/{asset}"), set[date]()
        for name in names:
            with contextlib.suppress(ValueError):  # nothing of ours
                days.add(date.fromisoformat(name))
        return sorted(day for day in days if str(day) in names)

    def _folder(self, asset: str, day: date) -> str:
        return f"{self._root}/{asset}/{day}"

    def _names(self, folder: str) -> list[str]:
        try:
            return sorted(names_in(self._files, folder))
        except OSError as error:
            raise WarehouseError(
                f"{folder} cannot be read ({in_a_line(error)})", "Check that this user may read the warehouse."
            ) from error

    # Renamed locations -------------------------------------------------------------------------------------------

    def names(self, asset: str) -> Names:
        """The present keys of the locations of its answers. Raises WarehouseError if these cannot be read."""
        return self._renames.of(asset)

    def rename(self, asset: str, renamed: Renamed) -> None:
        """From now on the answers of a location belong to another key. Called again, it changes nothing.

        Raises OSError, and WarehouseError as ``names`` does.
        """
        self._renames.add(asset, renamed)

    # Upkeep -----------------------------------------------------------------------------------------------------

    def pack(self, asset: str, before: date, *, dry_run: bool = False) -> int:
        """Put the files of each day before ``before`` into packs, and the index too. Gives the number of files.

        A pack is complete before a file is removed. Broken files stay. Raises OSError, and WarehouseError if a folder
        cannot be listed.
        """
        if not dry_run:
            self._index.pack(asset, before)
        return sum(self._pack_day(self._folder(asset, day), dry_run) for day in self._days(asset) if day < before)

    def _pack_day(self, folder: str, dry_run: bool) -> int:
        names = self._names(folder)
        singles = [name for name in names if FileName.parse(name)]
        if dry_run:
            return sum(self._sound(folder, name) is not None for name in singles)
        if any(name.startswith(".") for name in names):  # of writers that were killed, days ago
            for name in unfinished(self._files, folder):
                self._remove(f"{folder}/{name}")
        if not singles:
            return 0
        small, packed_already = self._packs_of(folder, names)
        count, size, together, replaced = 0, 0, dict[str, bytes](), list[str]()
        for source, held in [*small.items(), *((name, None) for name in singles)]:
            if held is None:
                if (packed := self._sound(folder, source)) is None:
                    continue
                held, count = ({} if source in packed_already else {source: packed}), count + 1
            if together and size + total(held.values()) > PACK_BYTES:
                self._replace(folder, replaced, together)
                size, together, replaced = 0, {}, []
            together |= held
            size += total(held.values())
            replaced.append(source)
        self._replace(folder, replaced, together)
        return count

    def _packs_of(self, folder: str, names: Iterable[str]) -> tuple[dict[str, dict[str, bytes]], set[str]]:
        """The packs of a day that have room for more, with their files; and the names of the files in the other
        packs.
        """
        small: dict[str, dict[str, bytes]] = {}
        packed_already: set[str] = set()
        for pack in names:
            held = self._sound_in(folder, pack) if PackName.parse(pack) else None
            if held is not None and total(held.values()) < PACK_BYTES // 2:
                small[pack] = held
            else:
                packed_already.update(held or ())
        return small, packed_already

    def _replace(self, folder: str, replaced: Iterable[str], packed: dict[str, bytes]) -> None:
        """Write a pack, then remove the other copies of what is in it."""
        pack = write_pack(self._files, folder, packed) if packed else ""
        for name in replaced:
            if name != pack:
                self._remove(f"{folder}/{name}")

    def _sound(self, folder: str, name: str) -> bytes | None:
        """The bytes of a single file; None if it is broken or gone."""
        try:
            packed: bytes = self._files.cat_file(f"{folder}/{name}")
            from_file(name, packed)
        except (OSError, ValueError):
            return None
        return packed

    def _sound_in(self, folder: str, pack: str) -> dict[str, bytes] | None:
        """The files of a pack; None if one of them is broken: such a pack is left as it is."""
        try:
            held = read_pack(self._files, f"{folder}/{pack}")
            for name, packed in held.items():
                from_file(name, packed)
        except (OSError, ValueError):
            return None
        return held

    def remove(self, files: Iterable[RawFile], owners: Container[str] = ()) -> int:
        """Remove kept answers, also from packs. Gives their number. owners: the names of those from which the table has
        rows.

        Others leave the index first: a kill in between leaves a file that is not in the index, which is harmless.
        Owners stay in the index, since the table cannot be made again without them. Raises OSError, and WarehouseError
        as ``pack`` does.
        """
        by_day: dict[tuple[str, date], set[str]] = {}
        for file in files:
            by_day.setdefault((file.asset, file.day), set()).add(file.name)
        for asset in sorted({asset for asset, _ in by_day}):
            names = {name for (of, _), some in by_day.items() if of == asset for name in some}
            self._index.forget(asset, {name for name in names if name not in owners})
        for (asset, day), gone in by_day.items():
            self._remove_of_day(self._folder(asset, day), gone)
        return sum(map(len, by_day.values()))

    def _remove_of_day(self, folder: str, gone: set[str]) -> None:
        for name in self._names(folder):
            path = f"{folder}/{name}"
            if name in gone:
                self._remove(path)
            elif PackName.parse(name):
                try:
                    inside = {one for one, _ in index_of(self._files, path)[1]}
                    left = read_pack(self._files, path, lambda one: one not in gone) if inside & gone else None
                except (ValueError, FileNotFoundError):  # broken: nothing of it was found to be removed
                    continue
                if left is not None:
                    self._replace(folder, [name], left)
        if not self._names(folder):
            with contextlib.suppress(OSError):  # a run keeps something there at this moment
                self._files.rmdir(folder)

    def _remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(path)


def _asked_of(broken: str) -> datetime:
    """When the request of a broken file was sent, as far as its path says so."""
    _, day, name = broken.partition(" (")[0].split("/")[:3]
    parsed = FileName.parse(name)
    return midnight(date.fromisoformat(day)) if parsed is None else parsed.asked


def _is_wanted(name: str, wanted: Wanted) -> bool:
    parsed = FileName.parse(name)
    return parsed is not None and wanted(parsed)


def _bytes(stored: bytes | Exception) -> bytes:
    """Raises ValueError, with what is wrong."""
    if isinstance(stored, Exception):
        raise ValueError(in_a_line(stored) if isinstance(stored, OSError) else str(stored)) from stored
    return stored
