"""Settings as nested values, layer upon layer: YAML files, variables, flags; and where each value came from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from orchestration.core.errors import ConfigurationError


def read_yaml(path: Path) -> dict[str, Any]:
    """The sections of a file. Raises ConfigurationError naming it."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror})", "Check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: is not YAML: {error}", "Correct the file.") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path}: must hold sections (got a {type(data).__name__})")
    return data


def value_of(text: str) -> Any:
    """The value of a variable: nothing, a list or a mapping as YAML, else the text as it stands.

    The models read numbers and instants from text; YAML would make 83 of the API key 0123, and cut ``/a #b``.
    """
    if text in ("", "null"):
        return None
    if not text.startswith(("[", "{")):
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def nested(keys: list[str], value: Any) -> dict[str, Any]:
    """``value`` below ``keys``."""
    return {keys[0]: nested(keys[1:], value) if len(keys) > 1 else value}


def merge(
    into: dict[str, Any],
    new: Mapping[str, Any],
    origin: str,
    origins: dict[tuple[str, ...], str],
    path: tuple[str, ...] = (),
) -> None:
    """Put ``new`` over ``into``, section by section. origins: by path, where a value came from, which is ``origin``."""
    for key, value in new.items():
        here = (*path, str(key))
        origins[here] = origin
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value, origin, origins, here)
        else:
            if isinstance(value, dict):
                merge({}, value, origin, origins, here)
            into[key] = value
