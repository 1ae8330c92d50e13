"""The contracts of all assets in their plain form, kept on disk so that no command waits for pandera.

The kept form belongs to one text of ``assets/contracts.py`` and one set of limits; any other is made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.contract import Contract
from orchestration.core.declarations.parameters import Limits
from orchestration.core.errors import DeclarationError

SOURCE = Path(__file__).resolve().parents[2] / "assets" / "contracts.py"


def load_contracts(catalog: Catalog, limits: Limits) -> dict[str, Contract]:
    """The contract of every asset, by asset key. Raises DeclarationError for an asset whose contract is unknown."""
    named = _kept(limits) or _make_and_keep(limits)
    for asset in catalog:
        if asset.contract not in named:
            raise DeclarationError(
                f"asset {asset.key}: there is no contract {asset.contract!r}",
                f"Declare it in assets/contracts.py; known are {', '.join(sorted(named))}.",
            )
    return {asset.key: named[asset.contract] for asset in catalog}


def make_contracts(limits: Limits) -> dict[str, Contract]:
    """The contracts by name, made from the pandera models; imports pandera."""
    from assets import contracts

    return {name: contracts.contract_of(name, model) for name, model in contracts.models(limits).items()}


def _path(limits: Limits) -> Path:
    text = SOURCE.read_text(encoding="utf-8") + json.dumps(asdict(limits))
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "aqi" / f"contracts-{digest}.json"


def _kept(limits: Limits) -> dict[str, Contract] | None:
    try:
        data = json.loads(_path(limits).read_text(encoding="utf-8"))
        return {name: Contract.from_json(contract) for name, contract in data.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _make_and_keep(limits: Limits) -> dict[str, Contract]:
    made = make_contracts(limits)
    path = _path(limits)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8", suffix=".part") as part:
            json.dump({name: contract.to_json() for name, contract in made.items()}, part)
        Path(part.name).replace(path)
    except OSError:
        return made  # a home that cannot be written costs a second at the next call, nothing else
    return made
