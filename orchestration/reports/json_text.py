"""The JSON text that all commands print."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from orchestration.core.json_value import JsonValue

AT_ONCE = 1000
"""This many items of a list are written at a time."""

_FLAT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",\n    ", ": "))


def to_json(value: JsonValue) -> str:
    """The text of a value. Raises ValueError for NaN and infinities, which JSON does not have."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def list_to_json(items: Iterable[JsonValue]) -> Iterator[str]:
    """The text of ``to_json`` for a list, in parts, while its items are made.

    Raises ValueError as ``to_json`` does, after the parts before.
    """
    before, part = "[", list[str]()
    for item in items:
        part.append(f"{before}\n  {_inside(item)}")
        before = ","
        if len(part) == AT_ONCE:
            yield "".join(part)
            part.clear()
    yield "".join([*part, "[]" if before == "[" else "\n]"])


def _inside(item: JsonValue) -> str:
    """The text of an item within a list. An item without nesting needs no indentation, which is much faster."""
    if isinstance(item, dict) and item and not any(isinstance(of, list | dict | tuple) and of for of in item.values()):
        return f"{{\n    {_FLAT.encode(item)[1:-1]}\n  }}"
    return to_json(item).replace("\n", "\n  ")
