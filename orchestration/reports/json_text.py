"""JSON as all commands print it."""

from __future__ import annotations

import json
from typing import Any


def to_json(value: Any) -> str:
    """The text of a value. Raises ValueError for NaN and infinities, which JSON does not have."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
