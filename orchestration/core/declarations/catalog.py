"""The catalog: all declared assets together, checked against each other, in topological order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from types import ModuleType
from typing import Any, get_type_hints

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.dag import Dag
from orchestration.core.declarations.parameters import Parameters
from orchestration.core.errors import DeclarationError
from orchestration.core.partitions.mappings import RunWindow


class Catalog:
    """Assets by key. Building one checks every declaration against the others.

    Raises DeclarationError for a key that is declared twice, an upstream asset that does not exist, a cycle, and a
    mapping that does not fit the partitions of the two assets it joins; each names the asset and the remedy.
    """

    def __init__(self, assets: Iterable[Asset]) -> None:
        self._assets: dict[str, Asset] = {}
        for asset in assets:
            if asset.key in self._assets:
                raise DeclarationError(f"asset {asset.key} is declared twice", "Rename one of the two functions.")
            self._assets[asset.key] = asset
        self.dag = Dag({key: asset.upstream_keys for key, asset in self._assets.items()})
        self.keys: tuple[str, ...] = self.dag.nodes
        for asset in self._assets.values():
            self._check_mappings(asset)

    @classmethod
    def from_modules(cls, *modules: ModuleType) -> Catalog:
        """The assets that these modules declare, in the order of their declaration."""
        return cls(value for module in modules for value in vars(module).values() if isinstance(value, Asset))

    def _check_mappings(self, asset: Asset) -> None:
        for mapping in asset.upstream:
            upstream = self._assets[mapping.of]
            misfit = mapping.misfit(upstream.partitions is not None, asset.partitions is not None)
            if misfit:
                raise DeclarationError(
                    f"asset {asset.key}: the mapping {type(mapping).__name__} does not fit its upstream {mapping.of}",
                    misfit[0].upper() + misfit[1:] + ".",
                )
            if isinstance(mapping, RunWindow):
                _check_parameter_path(asset.key, mapping.at_least)

    def __getitem__(self, key: str) -> Asset:
        return self._assets[key]

    def __contains__(self, key: object) -> bool:
        return key in self._assets

    def __iter__(self) -> Iterator[Asset]:
        """The assets in topological order."""
        return (self._assets[key] for key in self.keys)

    def __len__(self) -> int:
        return len(self._assets)

    def layer_of(self, key: str) -> str:
        return self._assets[key].layer

    def tags_of(self, key: str) -> frozenset[str]:
        return self._assets[key].tags

    def windows_on(self, key: str) -> tuple[RunWindow, ...]:
        """The run windows through which other assets read ``key``."""
        found = (mapping for asset in self for mapping in asset.upstream if mapping.of == key)
        return tuple(mapping for mapping in found if isinstance(mapping, RunWindow))


def _check_parameter_path(key: str, path: str) -> None:
    kind: Any = Parameters
    for name in path.split("."):
        known = get_type_hints(kind) if is_dataclass(kind) else {}
        if name not in known:
            raise DeclarationError(
                f"asset {key}: the mapping RunWindow names {path!r}, which is no parameter",
                f"Parameters are {', '.join(sorted(get_type_hints(Parameters)))}; "
                "name a number in one of them, for instance episode_rule.threshold.",
            )
        kind = known[name]
    if kind not in (int, float):
        raise DeclarationError(
            f"asset {key}: the mapping RunWindow names {path!r}, which is no number",
            "Name a number, for instance episode_rule.threshold.",
        )
