"""Parameters: the configured values that assets are given, as frozen values.

A project declares its parameters as one frozen dataclass. Assets take its fields by name, as keyword-only arguments.
The engine itself reads only one field: ``locations``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Protocol, get_args, get_type_hints

from orchestration.core.declarations.contract import RowRule
from orchestration.core.partitions.location import Location


class Parameters(Protocol):
    """A frozen dataclass with all parameters. locations: the configured locations."""

    @property
    def locations(self) -> tuple[Location, ...]: ...


def value_at(parameters: Parameters, path: str) -> Any:
    """The value at a dotted path, for instance ``alarm_rule.threshold``. Raises AttributeError where there is none."""
    found: Any = parameters
    for name in path.split("."):
        found = getattr(found, name)
    return found


def names_of(kind: type) -> tuple[str, ...]:
    """The names of the parameters that a class declares, in alphabetical order."""
    described: Any = kind
    return tuple(sorted(one.name for one in fields(described)))


def numbers_of(kind: type) -> list[str]:
    """The dotted paths of all numbers that a class of parameters declares, in the order of its fields."""
    found: list[str] = []
    for name, of in get_type_hints(kind).items():
        if of in (int, float):
            found.append(name)
        elif isinstance(of, type) and is_dataclass(of):
            found += [f"{name}.{path}" for path in numbers_of(of)]
    return found


def rules_of(kind: type) -> tuple[str, ...]:
    """The names of the parameters that hold row rules."""
    return tuple(name for name, of in get_type_hints(kind).items() if RowRule in get_args(of))


def kind_at(kind: type, path: str) -> Any:
    """The type of the value at a dotted path; None where there is no such value."""
    found: Any = kind
    for name in path.split("."):
        known: Mapping[str, Any] = get_type_hints(found) if is_dataclass(found) else {}
        if name not in known:
            return None
        found = known[name]
    return found
