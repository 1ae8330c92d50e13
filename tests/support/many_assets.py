"""A project of two hundred assets over thirty days at two locations, on plain values: nothing of it was ever made."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, cast

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.contract import Column, Contract
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import Identity
from orchestration.core.partitions.scheme import DailyByLocation
from orchestration.core.state.partition_record import PartitionRecord
from orchestration.core.state.table_state import TableState
from orchestration.engine.contracts import DeclaredContracts
from orchestration.engine.project import Project
from orchestration.engine.workspace import Workspace
from orchestration.project import PROJECT
from tests.support.report_lake import report_workspace

OF_LAYER = {"bronze": 40, "silver": 60, "gold": 100}
DAYS = Days.of(date(2025, 7, 20), date(2025, 8, 18))
COLUMNS = tuple(Column(f"column_{number}", "double", True, "", "A number") for number in range(8))


def made() -> None:
    """The function of them all."""


def many_assets(seed: int = 0) -> list[Asset]:
    """Each is made of one to three of those before it, of its own layer or of others."""
    rng, found = random.Random(seed), list[Asset]()
    for layer, many in OF_LAYER.items():
        for number in range(many):
            before = found[-60:] if layer != "bronze" else []
            upstream = rng.sample(before, min(len(before), rng.randint(1, 3)))
            found.append(
                Asset(
                    f"{layer}.a_table_of_{rng.choice(['rivers', 'rain', 'levels_by_hour'])}_{number:03d}",
                    "A table.",
                    made,
                    tuple(Identity(one.key) for one in upstream),
                    None,
                    DailyByLocation(),
                    "C",
                    (),
                    frozenset(),
                    (),
                )
            )
    return found


@dataclass(frozen=True)
class _Contracts:
    """The same for all."""

    def load(self, catalog: Catalog) -> dict[str, Contract]:
        return {key: Contract("C", "A contract.", COLUMNS, ("column_0",)) for key in catalog.keys}


@dataclass(frozen=True)
class _Parameters:
    """None."""


@dataclass(frozen=True)
class ManyTables(Workspace):
    """A workspace whose tables are there without a warehouse: fresh, or stale where something upstream changed."""

    def states(self, keys: Sequence[str]) -> dict[str, TableState]:
        return {key: self._tables[key] for key in self.catalog.keys}

    @cached_property
    def _tables(self) -> Mapping[str, TableState]:
        current, partitions = self.current(), PartitionSet.of(DAYS, ["hanoi", "odd"])
        return {
            asset.key: TableState(1, {key: self._record(asset, key, current) for key in partitions})
            for asset in self.catalog
        }

    def _record(self, asset: Asset, key: PartitionKey, current: Any) -> PartitionRecord:
        late = hash_of(asset.key) % 9 == 0 and key.day == DAYS.last
        inputs = {one: {str(key): "other" if late else "f"} for one in asset.upstream_keys}
        code = current.code(asset, key.location)
        return PartitionRecord(24, "f", inputs, code, current.contracts[asset.key], at="2025-08-19T07:00:00Z")


def hash_of(text: str) -> int:
    """The same in every process."""
    return sum(text.encode())


def many_tables(uri: str) -> Workspace:
    """A workspace of all of them."""
    usual = report_workspace(uri)
    catalog = Catalog(many_assets())
    project = Project(
        title="Two hundred tables.",
        catalog=catalog,
        package=__name__,
        settings=PROJECT.settings,
        folder=PROJECT.folder,
        files=PROJECT.files,
        sources={},
        contracts=lambda _: cast(DeclaredContracts, _Contracts()),
        parameters=lambda _, __: _Parameters(),
    )
    return ManyTables(project, usual.settings, usual.warehouse)
