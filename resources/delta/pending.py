"""A change of several commits that has begun and is not done: the file ``_aqi/pending.json`` in the warehouse.

It is written before the first commit and removed after the last. While it exists, the tables that it names are between
two states, and only the command that it names may write them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestration.core.errors import MachineError, UsageError, WarehouseError
from orchestration.core.state.provenance import dumps
from resources.delta.table_schema import write_new
from resources.storage.files import open_files
from resources.storage.json_text import read_json
from resources.storage.patience import NoAnswer

NAME = "_aqi/pending.json"


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A change of several commits."""

    command: str
    """The command that goes on with it."""
    run_id: str
    tables: tuple[str, ...]
    """The keys of the assets whose tables it changes."""
    versions: Mapping[str, int | None] = field(default_factory=dict)
    """The versions of these tables before the change."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What the kind of change needs besides."""


class Pending:
    """The pending change of the warehouse at ``uri``, if there is one."""

    def __init__(self, uri: str) -> None:
        self._files, root = open_files(uri)
        self._path = f"{root}/{NAME}"

    def read(self) -> PendingChange | None:
        """The pending change; None without one. Raises WarehouseError if the file cannot be read."""
        try:
            data = read_json(self._files.cat_file(self._path))
            return PendingChange(**{**data, "tables": tuple(data["tables"])})
        except (FileNotFoundError, NotADirectoryError):
            return None
        except NoAnswer:
            raise
        except OSError as error:
            raise MachineError(
                f"{self._path} cannot be read ({error})", "Check AQI_WAREHOUSE__URI and that this user may read it."
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise WarehouseError(
                f"{self._path} cannot be read ({error})",
                "It names a change of tables that was broken off: look into it before you remove it.",
            ) from error

    def begin(self, change: PendingChange) -> None:
        """Write the file. Raises OSError, and UsageError if another change has begun first."""
        self._files.makedirs(self._path.rpartition("/")[0], exist_ok=True)
        if not write_new(self._files, self._path, dumps(asdict(change)).encode("utf-8")):
            self.check(frozenset(change.tables))
            raise UsageError(f"{self._path}: another change of tables has begun", "Call the command again.")

    def end(self) -> None:
        """Remove the file. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path)

    def check(self, assets: frozenset[str]) -> None:
        """Raises UsageError if a pending change concerns one of ``assets``."""
        found = self.read()
        concerned = sorted(assets.intersection(found.tables)) if found is not None else []
        if found is not None and concerned:
            raise UsageError(
                f"{concerned[0]}: `{found.command}` is under way, or was broken off (run {found.run_id})",
                f"Call `{found.command}` again: it goes on where it was.",
            )
