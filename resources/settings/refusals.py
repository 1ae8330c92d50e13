"""What is wrong with settings, in words: where the value came from, its key, the rule, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from orchestration.core.errors import ConfigurationError
from resources.machine.addresses import without_secrets
from resources.machine.secrets import hidden, without_passwords
from resources.settings.secret import Address, fields_within, kind_at, may_hold_secrets

_A_NAME = re.compile(r"[A-Za-z0-9_.*-]{1,80}|\[key\]")
"""What the key of a mapping looks like, where it is no value that lost its place."""


class Refused(ValueError):
    """A key that does not go with others of the settings, where a model of several is validated; with its remedy."""

    def __init__(self, path: tuple[str, ...], message: str, remedy: str) -> None:
        super().__init__(message)
        self.path, self.remedy = path, remedy


def as_configuration_error(
    model: type[BaseModel], error: ValidationError, origins: Mapping[tuple[str, ...], str]
) -> ConfigurationError:
    """The first thing that is wrong, naming file or variable, key and remedy. origins: of values, by their path."""
    first = error.errors()[0]
    refused = first.get("ctx", {}).get("error")
    path = refused.path if isinstance(refused, Refused) else tuple(str(part) for part in first["loc"])
    place, where = _place(path), _where(path, origins)
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _known_keys(model, path[:-1])
        near = get_close_matches(path[-1], known, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"Known keys are {', '.join(known)}."
        return ConfigurationError(f"{where}: unknown key {place!r}", remedy)
    message = hidden(first["msg"].removeprefix("Value error, "))
    got = first.get("input")
    is_plain = isinstance(got, str | int | float | bool | None)
    shown = f" (got {_shown(got)!r})" if is_plain and _may_be_shown(model, path) else ""
    remedy = refused.remedy if isinstance(refused, Refused) else "Correct the value."
    return ConfigurationError(f"{where}: {place}: {message}{shown}", remedy)


def check_no_secrets(model: type[BaseModel], values: Mapping[str, Any], origins: Mapping[tuple[str, ...], str]) -> None:
    """Raises ConfigurationError for an address with a password or key in it, where the type of a setting is none that
    hides it: it would be in what is told, kept and sent."""
    for path, text in _texts((), values):
        if without_passwords(text) != text and not may_hold_secrets(kind_at(model, path)):
            raise ConfigurationError(
                f"{_where(path, origins)}: {_place(path)}: must have no password and no key in an address",
                "Leave it out; say it where whoever is called looks for it, as in Hadoop's configuration.",
            )


def _texts(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """All texts in values, keys of mappings among them, by their path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield (*path, str(key)), str(key)
            yield from _texts((*path, str(key)), item)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _texts((*path, str(number)), item)


def _place(path: tuple[str, ...]) -> str:
    return ".".join(part if _A_NAME.fullmatch(part) else "…" for part in path) or "settings"


def _where(path: tuple[str, ...], origins: Mapping[tuple[str, ...], str]) -> str:
    found = (origins[path[:length]] for length in range(len(path), 0, -1) if path[:length] in origins)
    return next(found, "the configuration")


def _may_be_shown(model: type[BaseModel], path: tuple[str, ...]) -> bool:
    """Whether what was given at a path is none that is secret as a whole, or of which a part may be."""
    if path[-1:] == ("[key]",) and not _A_NAME.fullmatch(path[-2]):
        return False
    kind = kind_at(model, path)
    return bool(path) and (_is_an_address(kind) or not may_hold_secrets(kind))


def _is_an_address(kind: Any) -> bool:
    return kind is Address or any(map(_is_an_address, get_args(kind)))


def _shown(got: object) -> object:
    """A value, without what an address in it may hold."""
    return without_secrets(got) if isinstance(got, str) and ("://" in got or "@" in got) else got


def _known_keys(model: type[BaseModel], path: tuple[str, ...]) -> list[str]:
    return sorted(fields_within(kind_at(model, path)))
