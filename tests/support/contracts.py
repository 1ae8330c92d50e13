"""The contracts of this project for limits of a test's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import assets
from assets.parameters import Bounds
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.contract import Contract
from orchestration.engine.contracts import DeclaredContracts

FILE = Path(assets.__file__).with_name("contracts.py")


def declared(limits: Mapping[str, Bounds]) -> DeclaredContracts:
    from assets.contracts import models

    return DeclaredContracts(FILE, models, dict(limits))


def load_contracts(catalog: Catalog, limits: Mapping[str, Bounds]) -> dict[str, Contract]:
    """By asset key, kept or made."""
    return declared(limits).load(catalog)


def make_contracts(limits: Mapping[str, Bounds]) -> dict[str, Contract]:
    """By name, made."""
    return declared(limits).make()
