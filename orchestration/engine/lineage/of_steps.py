"""What a step tells of the columns that it makes: once for each code version, of the plan of rows that it makes anyway.

The frames that the function is given are marked, and the plan is read while its rows are evaluated. Whatever goes wrong
in that is told, and fails no step; what is made otherwise than declared is for the step to judge.
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
class Told:
    """lineage: as far as it could be read. note: what went wrong in that; empty where nothing did."""

    lineage: ColumnLineage
    differences: tuple[Difference, ...]
    note: str = ""


def is_as_declared(asset: Asset, contracts: Mapping[str, Contract], text: str) -> bool:
    """Whether what was recorded of an asset's columns is what is declared now; so is what nobody can read.

    Contracts say what columns are made of, and may say otherwise while the code is as it was.
    """
    lineage = lineage_in(text)
    return lineage is None or not compared(asset, contracts, lineage)


class ColumnsOfStep:
    """Of a step of ``asset``, on the engine of that name: of the first frame that it makes. source: the asset's.

    To be called in this order: ``marked``, ``read``; again and again, if need be; ``told``.
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
        """What the function is to be given for ``frames``: the same rows."""
        return frames if self._is_known else all_marked(frames, self._given)

    def read(self, frame: DataFrame, run: Collection[str] | None) -> None:
        """Read the plan of what the function made, in the columns of the contract. run: the tables that were read for
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

    def told(self) -> Told:
        """What was found, and where it is not as declared."""
        if self._reading is not None:
            self._reading.join()
        assert self._lineage is not None, "a frame was read"
        return Told(self._lineage, compared(self._asset, self._contracts, self._lineage, self._run), self._note)
