"""Which key a location of a kept answer has today: the renamings of locations, ``_aqi/raw/<asset>/renamed.json``.

Answers and moments stay as they were kept. Each says which renaming was the last by then, and those after it are
applied where it is read. So a key that another location got since is not mistaken, whatever any clock says.

Must not know: how tables are renamed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from orchestration.core.errors import WarehouseError, in_a_line
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.source import Answer
from orchestration.core.state.provenance import dumps
from resources.storage.atomic_files import names_in, write_atomically
from resources.storage.files import open_files
from resources.storage.json_text import read_json

FORMAT = 1
FOLDER = "_aqi/raw"
NAME = "renamed.json"


@dataclass(frozen=True, slots=True)
class Renamed:
    """A location got another key. run_id: of the run that did it, and its mark."""

    old: str
    new: str
    run_id: str


@dataclass(frozen=True, slots=True)
class Names:
    """The renamings of an asset's locations, in their order. Pure."""

    renamed: tuple[Renamed, ...] = ()

    @property
    def last(self) -> str:
        """The mark of the last renaming; empty where there was none."""
        return self.renamed[-1].run_id if self.renamed else ""

    @property
    def marks(self) -> tuple[str, ...]:
        """The mark of each."""
        return tuple(one.run_id for one in self.renamed)

    def before(self, mark: str) -> str:
        """The mark of the renaming before one that is known; empty for the first."""
        at = self.marks.index(mark)
        return self.marks[at - 1] if at else ""

    def now(self, key: str, mark: str) -> str:
        """Which key a location has that had ``key`` after the renaming ``mark``; an unknown one was before all.

        Whoever had the new key of a renaming before it is another location, and gone: it has no key that one can have.
        """
        known = self.marks
        for one in self.renamed[known.index(mark) + 1 if mark in known else 0 :]:
            if key == one.old:
                key = one.new
            elif key == one.new:
                key = f"{key}~{one.run_id}"
        return key

    def renamed_to(self, key: str) -> tuple[str, ...]:
        """The keys that the locations have today that had ``key`` and were renamed; none from before another location
        was renamed to ``key``."""
        since = max((at for at, one in enumerate(self.renamed) if one.new == key), default=-1) + 1
        away = [one for one in self.renamed[since:] if one.old == key]
        return tuple(self.now(key, self.before(one.run_id)) for one in away)

    def partitions(self, partitions: PartitionSet, mark: str) -> PartitionSet:
        """Partitions under the keys of today."""
        names = {key: self.now(key, mark) for key in partitions.locations} if self.renamed else {}
        if all(key == now for key, now in names.items()):
            return partitions
        rest = partitions.restrict(locations=[key for key, now in names.items() if key == now])
        moved = [PartitionSet.of(partitions.days_of(key), [now]) for key, now in names.items() if key != now]
        return PartitionSet.union_of([rest, *moved])


class Renames:
    """The renamings in the warehouse at ``uri`` (a folder, or a URI that fsspec knows)."""

    def __init__(self, uri: str) -> None:
        self._files, root = open_files(uri)
        self._root = f"{root}/{FOLDER}"

    def of(self, asset: str) -> Names:
        """What is known of an asset's locations. Raises WarehouseError where the file cannot be read."""
        path = self._path(asset)
        try:
            return _names(read_json(self._files.cat_file(path)))
        except (FileNotFoundError, NotADirectoryError):
            return Names()
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise WarehouseError(
                f"{path} cannot be read ({in_a_line(error)}): it says which keys locations of kept answers have today",
                "Restore it from a copy. Where there is none, remove it: answers from before a renaming are not found "
                "then, and --force asks the source again.",
            ) from error

    def add(self, asset: str, renamed: Renamed) -> None:
        """A renaming more; again it changes nothing. Nothing is written where no answer was ever kept.

        Raises OSError, and WarehouseError as ``of``.
        """
        if not names_in(self._files, f"{self._root}/{asset}"):
            return
        known = self.of(asset)
        if renamed.run_id not in known.marks:
            said = {"format": FORMAT, "renamed": [asdict(one) for one in (*known.renamed, renamed)]}
            write_atomically(self._files, self._path(asset), dumps(said).encode("utf-8"))

    def _path(self, asset: str) -> str:
        return f"{self._root}/{asset}/{NAME}"


def _names(said: Any) -> Names:
    """Raises ValueError, KeyError, TypeError for what is none."""
    if said["format"] != FORMAT:
        raise ValueError(f"it is not of format {FORMAT}: a newer version wrote it")
    return Names(tuple(Renamed(str(one["old"]), str(one["new"]), str(one["run_id"])) for one in said["renamed"]))


def under_names_of_today(answers: Sequence[Answer], names: Mapping[str, str], column: str | None) -> list[Answer]:
    """What was read of a kept answer, under the keys of today.

    names: key then → today. column: that of rows which has the key; None for rows that have none.
    """
    return [_named(one, names.get(one.location, one.location), column) for one in answers]


def _named(answer: Answer, name: str, column: str | None) -> Answer:
    import pyarrow as pa

    if name == answer.location:
        return answer
    rows = answer.rows
    if column is not None:
        field = rows.schema.field(column)
        at = rows.schema.get_field_index(column)
        rows = rows.set_column(at, field, pa.repeat(pa.scalar(name, field.type), rows.num_rows))
    return replace(answer, location=name, rows=rows)
