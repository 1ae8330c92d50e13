"""The column lineage that a step records: once for each code version, read from the plan of the rows that it makes
anyway.

The frames are marked, and the plan is read while the rows are evaluated. If reading fails, that is noted and fails no
step. Whether lineage that differs from the declared one fails the step, the step decides.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.errors import in_a_line
from orchestration.core.lineage.columns import ColumnLineage
from orchestration.core.lineage.compare import Difference
from orchestration.core.source import Source
from orchestration.engine.lineage.declared import compared
from orchestration.engine.lineage.of_frames import ELSEWHERE, Given, all_marked, given_to, lineage_of_frame, not_known
from orchestration.engine.lineage.recorded import lineage_in

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

UNREADABLE = "a plan that cannot be read"


@dataclass(frozen=True, slots=True)
class FoundColumns:
    """What was found."""

    lineage: ColumnLineage
    """As far as it could be read."""
    differences: tuple[Difference, ...]
    note: str = ""
    """What went wrong; empty where nothing did."""


def is_as_declared(asset: Asset, contracts: Mapping[str, Contract], text: str) -> bool:
    """Whether recorded lineage agrees with today's declarations; lineage that cannot be read agrees.

    Contracts say from what columns are made, and can change although the code did not.
    """
    lineage = lineage_in(text)
    return lineage is None or not compared(asset, contracts, lineage)


class ColumnsOfStep:
    """Reads the lineage from the first frame that a step of ``asset`` makes. source: of a fetched asset.

    Call ``marked`` and then ``read``, as often as needed, and at last ``told``.
    """

    def __init__(
        self, asset: Asset, contracts: Mapping[str, Contract], source: Source[Any] | None, engine: str
    ) -> None:
        self._asset, self._contracts = asset, contracts
        self._given: tuple[Given, ...] = given_to(asset, contracts, source)
        self._lineage: ColumnLineage | None = None
        self._run: Collection[str] | None = None
        self._note = ""
        self._reading: threading.Thread | None = None
        if asset.engine is not None and asset.engine != engine:  # made by a child, which hands back files
            self._lineage = not_known(ELSEWHERE, contracts[asset.key])

    @property
    def _is_known(self) -> bool:
        return self._lineage is not None or self._reading is not None

    def marked(self, frames: Sequence[DataFrame]) -> Sequence[DataFrame]:
        """The frames to give to the function: the same rows, marked."""
        return frames if self._is_known else all_marked(frames, self._given)

    def read(self, frame: DataFrame, run: Collection[str] | None) -> None:
        """Read the plan of the function's result, in the columns of the contract. run: the tables that were read for
        it; None for a fetched asset."""
        self._run = run
        if not self._is_known:
            self._reading = threading.Thread(target=self._read, args=(frame,), name="columns", daemon=True)
            self._reading.start()

    def _read(self, frame: DataFrame) -> None:
        try:
            self._lineage = lineage_of_frame(frame, self._given)
        except Exception as error:  # its rows are as good as without  # noqa: BLE001
            self._note = f"what its columns are made of could not be read from its plan: {in_a_line(error)}"
            self._lineage = not_known(f"{UNREADABLE} ({type(error).__name__})", self._contracts[self._asset.key])

    def result(self) -> FoundColumns:
        """The lineage, and where it differs from the declarations."""
        if self._reading is not None:
            self._reading.join()
        assert self._lineage is not None, "a frame was read"
        return FoundColumns(self._lineage, compared(self._asset, self._contracts, self._lineage, self._run), self._note)
