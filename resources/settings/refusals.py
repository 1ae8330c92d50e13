"""What is wrong with settings, in words: where the value came from, its key, the rule, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from difflib import get_close_matches
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, ValidationError

from orchestration.core.errors import ConfigurationError
from resources.machine.addresses import without_secrets


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
    place = ".".join(path) or "settings"
    where = next(
        (origins[path[:length]] for length in range(len(path), 0, -1) if path[:length] in origins),
        "the configuration",
    )
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _known_keys(model, path[:-1])
        near = get_close_matches(path[-1], known, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"Known keys are {', '.join(known)}."
        return ConfigurationError(f"{where}: unknown key {place!r}", remedy)
    message = first["msg"].removeprefix("Value error, ")
    got = first.get("input")
    shown = (
        f" (got {_shown(got)!r})" if isinstance(got, str | int | float | bool | None) and not _is_secret(path) else ""
    )
    remedy = refused.remedy if isinstance(refused, Refused) else "Correct the value."
    return ConfigurationError(f"{where}: {place}: {message}{shown}", remedy)


def _is_secret(path: tuple[str, ...]) -> bool:
    """Whether values at a path are not shown: addresses of webhooks and receivers, passwords, keys."""
    return not path or path[0] in ("alerts", "openlineage") or path[-1] in ("api_key", "password", "token")


def _shown(got: object) -> object:
    """A value, without what an address in it may hold."""
    return without_secrets(got) if isinstance(got, str) and ("://" in got or "@" in got) else got


def _known_keys(model: type[BaseModel], path: tuple[str, ...]) -> list[str]:
    kind: Any = model
    for part in path:
        if part not in _fields(kind):
            continue  # the number of a list item or the key of a mapping: the model is that of its values
        kind = _fields(kind)[part]
        arguments = [item for item in get_args(kind) if isinstance(item, type) and _fields(item)]
        kind = arguments[0] if arguments else kind
    return sorted(_fields(kind))


def _fields(kind: Any) -> Mapping[str, Any]:
    """The types of the fields of a model or dataclass, by name; none for any other type."""
    if is_dataclass(kind) and isinstance(kind, type):
        return get_type_hints(kind)
    return {name: field.annotation for name, field in getattr(kind, "model_fields", {}).items()}
