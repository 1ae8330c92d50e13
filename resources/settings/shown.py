"""Settings as they are shown to people: each key with its value and its origin, without secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from orchestration.core.json_value import JsonValue
from resources.machine.secrets import hidden
from resources.settings.layers import Origins

DEFAULT = "default"
"""The origin of a value that no file, variable or flag sets."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting, as it is shown."""

    path: tuple[str, ...]
    value: JsonValue
    origin: str
    """The file, variable or command line that set the value, or ``default``."""

    @property
    def key(self) -> str:
        """The path as text: ``section.key``."""
        return ".".join(self.path)

    def to_json(self) -> dict[str, JsonValue]:
        """The setting as a JSON object with ``key``, ``value`` and ``from`` (the origin)."""
        return {"key": self.key, "value": self.value, "from": self.origin}


def shown(settings: BaseModel, said: Mapping[str, Any], origins: Origins) -> list[Shown]:
    """Every setting of a model, in the order of its fields. A mapping is shown key by key, a list as a whole.

    said: the values that the layers set. origins: of these values. Both are results of ``layers.values_of``.
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
    """A JSON value with ``***`` in place of the secrets that this process knows."""
    if isinstance(value, str):
        return hidden(value)
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _hidden(item) for name, item in value.items()}
    return value
