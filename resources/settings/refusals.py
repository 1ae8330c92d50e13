"""Errors in settings, in words: the origin of the value, its key, the rule that it breaks, and the remedy."""

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
"""The form of a key. A text of another form in place of a key may be a value, perhaps a secret, and is not shown."""


class Refused(ValueError):
    """A value that contradicts other settings: its key as a path, what is wrong, and the remedy.

    Raised by the model that holds all of these settings, when pydantic validates it.
    """

    def __init__(self, path: tuple[str, ...], message: str, remedy: str) -> None:
        super().__init__(message)
        self.path, self.remedy = path, remedy


def as_configuration_error(
    model: type[BaseModel], error: ValidationError, origins: Mapping[tuple[str, ...], str]
) -> ConfigurationError:
    """The first of pydantic's errors, as an error that names file or variable, key and remedy.

    origins: path of a key → the file or variable that set its value.
    """
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
    """Raises ConfigurationError for an address with a password or key in it, if the type of its setting does not hide
    secrets: the password would stand in output, logs and files. For the other arguments see `as_configuration_error`.
    """
    for path, text in _texts((), values):
        if without_passwords(text) != text and not may_hold_secrets(kind_at(model, path)):
            raise ConfigurationError(
                f"{_where(path, origins)}: {_place(path)}: must have no password and no key in an address",
                "Leave it out; say it where whoever is called looks for it, as in Hadoop's configuration.",
            )


def _texts(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """(path, text) of all texts in a value: of its items at any depth, and of the keys of mappings."""
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
    """``("warehouse", "uri")`` → ``warehouse.uri``; a part that does not look like a key is shown as ``…``."""
    return ".".join(part if _A_NAME.fullmatch(part) else "…" for part in path) or "settings"


def _where(path: tuple[str, ...], origins: Mapping[tuple[str, ...], str]) -> str:
    """The origin of the value at a path, or of the nearest section around it."""
    found = (origins[path[:length]] for length in range(len(path), 0, -1) if path[:length] in origins)
    return next(found, "the configuration")


def _may_be_shown(model: type[BaseModel], path: tuple[str, ...]) -> bool:
    """Whether an error may show the value at a path: its setting holds no secret, or is an `Address`, whose secret part
    can be left out."""
    if path[-1:] == ("[key]",) and not _A_NAME.fullmatch(path[-2]):
        return False
    kind = kind_at(model, path)
    return bool(path) and (_is_an_address(kind) or not may_hold_secrets(kind))


def _is_an_address(kind: Any) -> bool:
    return kind is Address or any(map(_is_an_address, get_args(kind)))


def _shown(got: object) -> object:
    """A value as an error shows it: an address without user, password, query and fragment."""
    return without_secrets(got) if isinstance(got, str) and ("://" in got or "@" in got) else got


def _known_keys(model: type[BaseModel], path: tuple[str, ...]) -> list[str]:
    """The keys of the section at a path."""
    return sorted(fields_within(kind_at(model, path)))
