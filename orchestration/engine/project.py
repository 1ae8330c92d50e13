"""A project: what it hands to the engine. Assets, parameters, contracts, sources, and the settings that they need.

The engine imports no project. The composition root (``orchestration.project``) builds a ``Project`` and opens
workspaces with it; a second project would build another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from orchestration.core.declarations.asset import Asset, check_source
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.contract import Contract
from orchestration.core.declarations.figures import Figures
from orchestration.core.declarations.scales import WatchedScale, check_scales
from orchestration.core.partitions.location import Location
from orchestration.core.source import Source
from orchestration.engine.changes.past import Past
from orchestration.engine.contracts import DeclaredContracts
from resources.machine.clock import Clock
from resources.settings.load import Settings, load


@dataclass(frozen=True, slots=True)
class LocationTable:
    """The asset whose table lists the configured locations, one row each."""

    asset: str
    columns: Mapping[str, str] = field(default_factory=dict)
    """Field of ``Location`` → column of the table, where the two have different names."""

    def column(self, name: str) -> str:
        return self.columns.get(name, name)

    def location(self, row: Mapping[str, Any]) -> Location:
        """The location of a row. Raises KeyError where the table does not have these columns."""
        names = ("key", "name", "latitude", "longitude", "timezone")
        return Location(**{name: row[self.column(name)] for name in names})


@dataclass(frozen=True)
class Project:
    """A project. The names of its sources are checked when it is created.

    Raises DeclarationError for an asset with an unknown source, and for figures or scales of an unknown asset.
    """

    title: str
    """One line, for people."""
    catalog: Catalog
    """Its assets."""
    package: str
    """The Python package with the code that makes rows."""
    settings: type[Settings]
    """The model of its configuration."""
    folder: Path
    """The folder with its YAML files."""
    files: tuple[str, ...]
    """The files with which every profile begins."""
    sources: Mapping[str, Callable[[Any], Source[Any]]]
    """Name of a source → a function that makes it from the settings."""
    contracts: Callable[[Any], DeclaredContracts]
    """Gives the contracts, from the settings."""
    parameters: Callable[[Any, Mapping[str, Contract]], Any]
    """Gives the parameters, from the settings and the contracts by asset key."""
    locations: LocationTable | None = None
    """The asset that lists the locations; None without one."""
    same_rows: Path | None = None
    """The file that says which code parts make the same rows."""
    past: Callable[[Any], Past] | None = None
    """Gives what is known about rows from before commits recorded everything, from a workspace."""
    simulated: Callable[[Clock], AbstractContextManager[Mapping[str, Any]]] | None = None
    """A simulator in place of the sources. Takes the clock; gives the flags with which settings use it."""
    insights: Callable[[Callable[[str], list[dict[str, Any]]]], list[str]] | None = None
    """Makes sentences about the contents of the tables, from a function that reads an asset's rows."""
    figures: Figures | None = None
    """The figures of the report."""
    scales: Mapping[str, WatchedScale] = field(default_factory=dict)
    """Asset key → the scale of its source that is watched."""

    def __post_init__(self) -> None:
        for asset in self.catalog:
            check_source(asset, self.sources)
        if self.figures is not None:
            self.figures.check({asset.key: asset for asset in self.catalog})
        check_scales(self.scales, {asset.key: asset for asset in self.catalog})

    @cached_property
    def fetched(self) -> tuple[Asset, ...]:
        """The assets that have a source."""
        return tuple(asset for asset in self.catalog if asset.source is not None)

    def load(
        self,
        profile: str | None = None,
        environment: Mapping[str, str] | None = None,
        flags: Mapping[str, Any] | None = None,
    ) -> Any:
        """The settings of a profile; see ``resources.settings.load``."""
        return load(self.settings, self.folder, self.files, profile, environment, flags)
