"""What a project hands to the engine: its assets, parameters, contracts, sources, and the settings that they need.

The engine imports no project. A composition root (``orchestration.project``) makes one ``Project`` and opens workspaces
with it; a second project makes another.
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
    """The asset that lists the configured locations, a row each. columns: of it, by field of ``Location``."""

    asset: str
    columns: Mapping[str, str] = field(default_factory=dict)

    def column(self, name: str) -> str:
        return self.columns.get(name, name)

    def location(self, row: Mapping[str, Any]) -> Location:
        """The location of a row. Raises KeyError where the table has not these columns."""
        names = ("key", "name", "latitude", "longitude", "timezone")
        return Location(**{name: row[self.column(name)] for name in names})


@dataclass(frozen=True)
class Project:
    """A project; names of its sources are checked when it is made.

    title: one line, for people. catalog: its assets. package: the Python package whose code makes rows.
    settings: the model of its configuration. folder: with its YAML files; files: those that every profile begins with.
    sources: what makes a source of the settings, by the name that assets call it.
    contracts: of settings. parameters: of settings and the contracts by asset key.
    locations: the asset that lists the locations, if there is one. same_rows: a file that says which code parts make
    the same rows. past: of a workspace, what is known of rows that were made before commits recorded it.
    simulated: stands in for the sources, on this machine, by a clock: gives the flags that make settings ask it.
    insights: sentences about what the tables say, from a function that reads an asset's rows.
    figures: what of its tables people come for, for a page of the report.
    scales: which of its sources may change, by the key of the asset whose rows show it.
    Raises DeclarationError for an asset whose source is unknown, and for figures and scales of an asset that is.
    """

    title: str
    catalog: Catalog
    package: str
    settings: type[Settings]
    folder: Path
    files: tuple[str, ...]
    sources: Mapping[str, Callable[[Any], Source[Any]]]
    contracts: Callable[[Any], DeclaredContracts]
    parameters: Callable[[Any, Mapping[str, Contract]], Any]
    locations: LocationTable | None = None
    same_rows: Path | None = None
    past: Callable[[Any], Past] | None = None
    simulated: Callable[[Clock], AbstractContextManager[Mapping[str, Any]]] | None = None
    insights: Callable[[Callable[[str], list[dict[str, Any]]]], list[str]] | None = None
    figures: Figures | None = None
    scales: Mapping[str, WatchedScale] = field(default_factory=dict)

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
