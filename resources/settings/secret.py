"""Which settings may hold a secret. The type of a setting says so, and hides the secret wherever the setting is shown.

| type        | what is secret                  |
|-------------|---------------------------------|
| `SecretStr` | the whole value                 |
| `Address`   | user and password in an address |
| `Conf`      | the values of some of its keys  |

A setting of any other type must hold no secret: an address with a password is refused there. A setting whose name looks
like that of a secret must have one of these types (see `Section`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import is_dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BaseModel, PlainSerializer, Secret, SecretStr

from resources.machine.addresses import without_secrets
from resources.machine.secrets import A_SECRETS_NAME, HIDDEN, secrets_in, without_passwords

_A_NAME = re.compile(r"[\w.$/*-]+")


class Address(Secret[str]):
    """An address that may have user and password in it. It is shown without them."""

    def _display(self) -> str:
        return without_secrets(self.get_secret_value())


def is_secret_conf(name: str, value: str) -> bool:
    """Whether a setting of Spark is secret: its name or value has a word like ``password``, or its value has an address
    with a password."""
    return bool(A_SECRETS_NAME.search(name) or A_SECRETS_NAME.search(value)) or without_passwords(value) != value


class Conf(dict[str, str]):
    """Settings of Spark: name → value. Secret values are not shown."""

    def shown(self) -> dict[str, str]:
        """The settings with ``***`` in place of secret values, and of names that do not look like names: such a name
        may be a value that was written in the wrong place."""
        return {
            name if _A_NAME.fullmatch(name) else HIDDEN: HIDDEN if is_secret_conf(name, value) else value
            for name, value in self.items()
        }

    def __repr__(self) -> str:
        return repr(self.shown())


SparkConf = Annotated[dict[str, str], AfterValidator(Conf), PlainSerializer(lambda conf: Conf(conf).shown())]
"""The type of a setting that holds a `Conf`."""


def secrets_said(value: object) -> Iterator[str]:
    """All secret texts in a value of the settings, at any depth."""
    if isinstance(value, Address):
        yield from secrets_in(value.get_secret_value())
    elif isinstance(value, Secret | SecretStr):
        secret = value.get_secret_value()
        yield secret
        yield from secrets_in(secret)
    elif isinstance(value, Conf):
        yield from (text for name, text in value.items() if is_secret_conf(name, text))
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_said(getattr(value, name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from secrets_said(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secrets_said(item)


def may_hold_secrets(kind: Any) -> bool:
    """Whether a value of a type may hold a secret: the type, or the type of some part of it, is one that hides
    secrets."""
    if isinstance(kind, type) and issubclass(kind, Secret | SecretStr | Conf):
        return True
    if _is_conf(kind):
        return True
    return any(map(may_hold_secrets, fields_of(kind).values())) or any(map(may_hold_secrets, get_args(kind)))


def kind_at(model: Any, path: tuple[str, ...]) -> Any:
    """The type of the setting at a path of keys; None where a model has no such field."""
    kind = model
    for part in path:
        kind = _within(kind, part)
    return kind


def _within(kind: Any, part: str) -> Any:
    """The type of the field ``part`` of a model, or of the items of a collection; any other type itself."""
    if _is_conf(kind):
        return kind
    for one in ways(kind):
        if fields := fields_of(one):
            return fields.get(part)
        if (items := get_args(one)) and isinstance(of := get_origin(one), type) and issubclass(of, Collection):
            return items[-1]
    return kind


def fields_within(kind: Any) -> Mapping[str, Any]:
    """Name → type of the fields of a model; of a union, those of its first model. Empty for any other type."""
    return next((fields for one in ways(kind) if (fields := fields_of(one))), {})


def ways(kind: Any) -> Iterator[Any]:
    """The types that a type stands for, without annotations: the members of a union, or the type alone."""
    if get_origin(kind) is Annotated:
        yield from ways(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for one in get_args(kind):
            yield from ways(one)
    else:
        yield kind


def _is_conf(kind: Any) -> bool:
    """Whether a type is `SparkConf`."""
    return any(isinstance(part, AfterValidator) and part.func is Conf for part in getattr(kind, "__metadata__", ()))


def fields_of(kind: Any) -> Mapping[str, Any]:
    """Name → type of the fields of a model or dataclass; empty for any other type."""
    if not isinstance(kind, type):
        return {}
    if is_dataclass(kind):
        return get_type_hints(kind, include_extras=True)
    return {
        name: Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        for name, field in getattr(kind, "model_fields", {}).items()
    }
