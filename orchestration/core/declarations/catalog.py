"""The catalog: all declared assets together, checked against each other, in topological order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import ModuleType

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.clocks import clock_in
from orchestration.core.declarations.dag import Dag
from orchestration.core.declarations.engine_functions import DIFFERENCES, Differences, check_functions
from orchestration.core.declarations.parameters import kind_at, names_of, numbers_of, rules_of
from orchestration.core.declarations.read_names import undeclared
from orchestration.core.errors import DeclarationError
from orchestration.core.partitions.scheme import DailyByLocation


class Catalog:
    """All assets by key. The constructor checks the declarations against each other.

    parameters: the dataclass whose fields assets may take as parameters; None: any names.

    Raises DeclarationError, naming the asset and the remedy, for: a key that is declared twice; an unknown upstream
    asset or parameter; a parameter that the function uses without declaring it; a function that reads a clock; a cycle;
    a mapping that does not fit the partitions of its two assets.
    """

    def __init__(self, assets: Iterable[Asset], parameters: type | None = None) -> None:
        self._assets: dict[str, Asset] = {}
        self._parameters = parameters
        for asset in assets:
            if asset.key in self._assets:
                raise DeclarationError(f"asset {asset.key} is declared twice", "Rename one of the two functions.")
            self._assets[asset.key] = asset
        self.dag = Dag({key: asset.upstream_keys for key, asset in self._assets.items()})
        self.keys: tuple[str, ...] = self.dag.nodes
        for asset in self._assets.values():
            _check_clock(asset)
            self._check_parameters(asset)
            self._check_mappings(asset)

    @classmethod
    def from_modules(
        cls, *modules: ModuleType, parameters: type | None = None, differences: Differences = DIFFERENCES
    ) -> Catalog:
        """The assets that these modules declare, in the order of their declaration.

        differences: functions that the engines compute differently. Raises DeclarationError as the constructor does,
        and where an asset uses one of ``differences``.
        """
        found = [value for module in modules for value in vars(module).values() if isinstance(value, Asset)]
        code = [module.__name__ for module in modules] + [asset.function.__module__ for asset in found]
        check_functions(found, {name.partition(".")[0] for name in code}, differences)
        return cls(found, parameters)

    def with_asset(self, asset: Asset) -> Catalog:
        """A catalog with ``asset`` added, or in place of the asset with its key. It is checked again."""
        return Catalog({**self._assets, asset.key: asset}.values(), self._parameters)

    @property
    def rule_parameters(self) -> tuple[str, ...] | None:
        """The names of the parameters that hold row rules; None where it is not known which parameters exist."""
        return None if self._parameters is None else rules_of(self._parameters)

    def _check_parameters(self, asset: Asset) -> None:
        if self._parameters is None:
            return
        known = names_of(self._parameters)
        for name in asset.parameters:
            if name not in known:
                raise DeclarationError(
                    f"asset {asset.key}: keyword argument {name!r} is no parameter",
                    f"Parameters are {', '.join(known)}.",
                )
        for name in undeclared(asset.function, known):
            raise DeclarationError(
                f"asset {asset.key}: parameter {name!r} is used and not declared",
                f"Take it as an argument: def {asset.name}(…, *, {name}).",
            )

    def _check_number(self, asset: Asset, path: str) -> None:
        """Checks that a mapping's parameter path leads to a number."""
        if self._parameters is None:
            return
        kind = kind_at(self._parameters, path)
        example = "".join(f", for instance {one}" for one in numbers_of(self._parameters)[:1])
        if kind is None:
            raise DeclarationError(
                f"asset {asset.key}: the mapping RunWindow names {path!r}, which is no parameter",
                f"Parameters are {', '.join(names_of(self._parameters))}; name a number in one of them{example}.",
            )
        if kind not in (int, float):
            raise DeclarationError(
                f"asset {asset.key}: the mapping RunWindow names {path!r}, which is no number",
                f"Name a number{example}.",
            )

    def _check_mappings(self, asset: Asset) -> None:
        for mapping in asset.upstream:
            upstream = self._assets[mapping.of]
            misfit = mapping.misfit(upstream.partitions is not None, asset.partitions is not None)
            if misfit:
                raise DeclarationError(
                    f"asset {asset.key}: the mapping {type(mapping).__name__} does not fit its upstream {mapping.of}",
                    misfit[0].upper() + misfit[1:] + ".",
                )
            schemes = {type(one.partitions) for one in (upstream, asset) if one.partitions is not None}
            if len(schemes) > 1 or (mapping.window is not None and schemes != {DailyByLocation}):
                raise DeclarationError(
                    f"asset {asset.key}: the mapping {type(mapping).__name__} does not join the periods of its upstream"
                    f" {mapping.of} and its own ({', '.join(sorted(one.__name__ for one in schemes))})",
                    "It joins the same periods; a mapping between others is a class in core/partitions/mappings.py.",
                )
            if mapping.window is not None:
                self._check_number(asset, mapping.window.at_least)

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


def _check_clock(asset: Asset) -> None:
    checks = ((f"the check {check.name}", check.count) for check in asset.checks)
    for what, function in (("its function", asset.function), *checks):
        if clock := clock_in(function):
            raise DeclarationError(
                f"asset {asset.key}: {what} asks a clock ({clock}): the same rows could not be made again",
                "Take days and instants from upstream columns, or from a parameter.",
            )
