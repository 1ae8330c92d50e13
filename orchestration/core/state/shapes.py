"""Shapes: what the contracts of earlier commits demanded, compared with the contract of today.

Example: rows were made under a contract with the columns a and b. Today's contract has a nullable column c besides.
Then the rows *lack* c, and stay valid otherwise.

Pure.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from orchestration.core.declarations.contract import Contract
from orchestration.core.state.provenance import Shape


def shape_of(contract: Contract) -> Shape:
    """The shape of a contract: its columns, and a digest of its key and row rules."""
    rest = {"key": contract.key, "rules": [asdict(rule) for rule in contract.rules]}
    return Shape(
        tuple((column.name, column.type, column.nullable) for column in contract.columns),
        hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:16],
        tuple(contract.key),
    )


def lacking(contract: Contract, shape: Shape) -> tuple[str, ...] | None:
    """The columns of ``contract`` that rows of ``shape`` lack, if these can all be null; None where the rows would have
    to be made again, as ``contract`` demands more.

    | then          | now                          | result     |
    |---------------|------------------------------|------------|
    | a, b          | a, b                         | ()         |
    | a, b          | a, b, c (nullable)           | (c)        |
    | a, b          | a, b (nullable by now)       | ()         |
    | a, b          | a, b, c (not null)           | None       |
    | a, b          | a                            | None       |
    | a, b (string) | a, b (integer)               | None       |
    | a, b, key a   | a, b, key b, or other rules  | None       |
    """
    today = shape_of(contract)
    if today.rest != shape.rest:
        return None
    now = {name: (kind, nullable) for name, kind, nullable in today.columns}
    for name, kind, nullable in shape.columns:
        found = now.pop(name, None)
        if found is None or found[0] != kind or (nullable and not found[1]):
            return None
    return tuple(now) if all(nullable for _, nullable in now.values()) else None


def absent(contract: Contract, shape: Shape) -> tuple[str, ...]:
    """The columns of ``contract`` that rows of ``shape`` do not have; they are read as null. Other differences do not
    matter."""
    then = {name for name, _, _ in shape.columns}
    return tuple(column.name for column in contract.columns if column.name not in then)


def hashed_columns(shape: Shape, contract: Contract) -> tuple[str, ...] | None:
    """The columns over which today's rows need a fingerprint, so that it can be compared with one of rows of ``shape``.

    They stand in the order of ``shape``. None where today's contract has not all of them.
    """
    now = {column.name: column.type for column in contract.columns}
    if any(now.get(name) != kind for name, kind, _ in shape.columns):
        return None
    return hashed(shape)


def hashed(shape: Shape) -> tuple[str, ...]:
    """The columns that go into a fingerprint: those whose names have no leading underscore."""
    return tuple(name for name, _, _ in shape.columns if not name.startswith("_"))
