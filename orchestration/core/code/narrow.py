"""Narrowed parameters: an asset can read only those attributes of a parameter that its code version counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, NoReturn

from orchestration.core.errors import DeclarationError


class Narrowed:
    """A value with some of its attributes. Frozen. Equal to a value with the same attributes of the same kind.

    Reading another attribute, or ordering, raises DeclarationError: the rows would depend on something that is not
    counted.
    """

    __slots__ = ("__kind", "__values")
    __kind: str
    __values: dict[str, Any]

    def __init__(self, kind: str, values: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_Narrowed__kind", kind)
        object.__setattr__(self, "_Narrowed__values", dict(values))

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("__", "_Narrowed__")):  # what Python itself asks for, for instance when it copies
            raise AttributeError(name)
        try:
            return self.__values[name]
        except KeyError:
            raise DeclarationError(
                f"the attribute {name!r} of a {self.__kind} was read, which the code version does not count",
                f"Write .{name} out in the asset's code, so that its code version counts it.",
            ) from None

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a parameter cannot be changed: {name!r} of a {self.__kind}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a parameter cannot be changed: {name!r} of a {self.__kind}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Narrowed):
            return NotImplemented
        return (self.__kind, self.__values) == (other.__kind, other.__values)

    def __hash__(self) -> int:
        return hash((self.__kind, tuple(sorted(self.__values.items(), key=lambda item: item[0]))))

    def __repr__(self) -> str:
        return f"{self.__kind}({', '.join(f'{name}={value!r}' for name, value in self.__values.items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Narrowed, (self.__kind, self.__values)

    def __lt__(self, other: object) -> NoReturn:
        raise DeclarationError(
            f"values of the kind {self.__kind} were put in order, by attributes that the code version does not count",
            "Sort by attributes that the asset's code names: sorted(…, key=lambda one: one.key).",
        )

    __gt__ = __le__ = __ge__ = __lt__


def narrowed(value: Any, used: frozenset[str] | None) -> Any:
    """``value`` with only the attributes ``used``; for a tuple, each of its dataclasses. None: the value itself."""
    if used is None:
        return value
    if type(value) is tuple:
        return tuple(narrowed(item, used) for item in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    kind = type(value)
    return Narrowed(kind.__name__, {name: getattr(value, name) for name in readable(kind) if name in used})


def readable(kind: type) -> tuple[str, ...]:
    """The attributes of a dataclass that are read rather than called: its fields in order, then properties and similar
    ones."""
    names = [field.name for field in fields(kind)]
    return (*names, *(name for name in _others(kind) if name not in names and not _is_method(kind, name)))


def methods(kind: type) -> frozenset[str]:
    """The names of the methods of a dataclass."""
    names = {field.name for field in fields(kind)}
    return frozenset(name for name in _others(kind) if name not in names and _is_method(kind, name))


def _others(kind: type) -> list[str]:
    found = {name for base in kind.__mro__[:-1] for name in vars(base) if not name.startswith("__")}
    return sorted(found)


def _is_method(kind: type, name: str) -> bool:
    found = next(vars(base)[name] for base in kind.__mro__ if name in vars(base))
    return callable(found) or isinstance(found, classmethod | staticmethod)
