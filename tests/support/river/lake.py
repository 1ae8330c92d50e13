"""A warehouse of the rivers in a temporary folder, with the sources that fill it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from orchestration.engine.workspace import Workspace
from tests.support.oracle.comparing import canonical
from tests.support.river import oracle
from tests.support.river.project import PROJECT
from tests.support.river.service import Buckets, GaugeService, write_rain
from tests.support.small_lake import ALL, Lake


@dataclass
class RiverLake(Lake):
    """rain: the folder with its files."""

    rain: Path = field(default_factory=lambda: Path("rain"))

    @property
    def workspace(self) -> Workspace:
        flags = {
            **self.flags,
            "gauges": {"base_url": self.base_url},
            "rain_files": {"folder": str(self.rain)},
            "engine": self.shared.name,
            "warehouse": {"uri": str(self.folder)},
            "clock": {"now": self.now},
        }
        return self.adapt(Workspace.open(PROJECT, PROJECT.load(environment={}, flags=flags)))

    def canonical(self, key: str) -> Any:
        return canonical(self.rows(key), oracle.COLUMNS[key])

    def tables(self, keys: Iterable[str] = tuple(oracle.COLUMNS)) -> dict[str, Any]:
        return {key: self.canonical(key) for key in keys}

    def state_names(self, days: str | None = None) -> dict[str, set[str]]:
        """By asset, the states that it has."""
        return {key: set(states) for key, states in self.states(ALL, days).items()}


@dataclass
class Rivers:
    """What the sources have, and where."""

    service: GaugeService
    rain: Buckets
    folder: Path

    def write(self) -> None:
        """The rain as it is now, into its files."""
        write_rain(self.folder, self.rain)

    def expected(
        self, days: Iterable[date], keys: Iterable[str] = tuple(oracle.COLUMNS), **more: Any
    ) -> dict[str, Any]:
        """The tables of ``days``, in the form in which they are compared."""
        made = oracle.tables(self.service.levels, self.rain, days, **more)
        return {key: canonical(made[key], oracle.COLUMNS[key]) for key in keys}
