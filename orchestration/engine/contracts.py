"""The contracts of all assets as plain values, cached on disk, so that most commands need not import pandera.

The cache is valid for one text of the modules with the contracts, one text of the code that reads them, and one set of
configured values. Otherwise the contracts are made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.contract import Contract
from orchestration.core.declarations.fits import check_fits, check_reads
from orchestration.core.errors import DeclarationError
from orchestration.engine.importing import importing
from resources.machine.state_folder import home_folder
from resources.storage.json_text import read_json


@dataclass(frozen=True)
class DeclaredContracts:
    """Where a project declares its contracts."""

    file: Path
    """The file that declares them."""
    models: Callable[[Any], Mapping[str, Any]]
    """Imports the file; takes ``values`` and gives the pandera models by name."""
    values: Any = None
    """The configuration on which the models depend (JSON values, and dataclasses of them)."""

    def load(self, catalog: Catalog) -> dict[str, Contract]:
        """The contract of every asset, by asset key.

        Raises DeclarationError for an asset whose contract is unknown or does not fit it.
        """
        named = self._kept() or self._make_and_keep()
        for asset in catalog:
            if asset.contract not in named:
                raise DeclarationError(
                    f"asset {asset.key}: there is no contract {asset.contract!r}",
                    f"Declare it in {self.file.parent.name}/{self.file.name}; known are {', '.join(sorted(named))}.",
                )
            check_fits(asset, named[asset.contract], catalog.rule_parameters)
        contracts = {asset.key: named[asset.contract] for asset in catalog}
        for asset in catalog:
            check_reads(asset, contracts)
        return contracts

    def make(self) -> dict[str, Contract]:
        """The contracts by name, made from the pandera models. Imports pandera."""
        from orchestration.engine.pandera_contracts import contract_of

        with importing(f"{self.file.parent.name}.{self.file.stem}", self.file.parent):
            return {name: contract_of(name, model) for name, model in self.models(self.values).items()}

    def _path(self) -> Path:
        files = (*sorted(self.file.parent.glob("*.py")), Path(__file__).with_name("pandera_contracts.py"))
        made_of = hashlib.sha256(json.dumps(self.values, default=_plain, sort_keys=True).encode())
        for file in files:
            made_of.update(file.read_bytes())
        digest = made_of.hexdigest()[:16]
        cache = Path(os.environ.get("XDG_CACHE_HOME") or home_folder() / ".cache")
        return cache / "aqi" / f"contracts-{digest}.json"

    def _kept(self) -> dict[str, Contract] | None:
        try:
            data = read_json(self._path().read_text(encoding="utf-8"))
            return {name: Contract.from_json(contract) for name, contract in data.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _make_and_keep(self) -> dict[str, Contract]:
        made = self.make()
        path = self._path()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=path.parent, delete=False, encoding="utf-8", suffix=".part"
            ) as part:
                json.dump({name: contract.to_json() for name, contract in made.items()}, part)
            Path(part.name).replace(path)
        except OSError:
            return made  # a home that cannot be written costs a second at the next call, nothing else
        return made


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return dict(value)
