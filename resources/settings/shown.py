"""Settings as people are shown them: each key with its value and where it was said, nothing secret in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from orchestration.core.json_value import JsonValue
from resources.machine.secrets import hidden
from resources.settings.layers import Origins

DEFAULT = "default"
"""Where a value is said that no file, variable or flag says."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting. value: a JSON value. origin: the file, the variable or the command line that says it."""

    path: tuple[str, ...]
    value: JsonValue
    origin: str

    @property
    def key(self) -> str:
        """``section.key``."""
        return ".".join(self.path)

    def to_json(self) -> dict[str, JsonValue]:
        """``key``, ``value`` and ``from``."""
        return {"key": self.key, "value": self.value, "from": self.origin}


def shown(settings: BaseModel, said: Mapping[str, Any], origins: Origins) -> list[Shown]:
    """Every setting of a model, in the order of its fields.

    A mapping is shown key by key, a list as a whole. said, origins: what ``layers.values_of`` gave.
    """
    return list(_shown((), settings.model_dump(mode="json"), said, origins))


def _shown(path: tuple[str, ...], value: Any, said: Any, origins: Origins) -> Iterator[Shown]:
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            below = said.get(name) if isinstance(said, Mapping) else None
            yield from _shown((*path, str(name)), item, below, origins)
        return
    origin = origins.get(path, DEFAULT)
    yield Shown(path, _hidden(value), DEFAULT if said is None and value is not None else origin)


def _hidden(value: JsonValue) -> JsonValue:
    """A JSON value without what this process knows to be secret."""
    if isinstance(value, str):
        return hidden(value)
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _hidden(item) for name, item in value.items()}
    return value
