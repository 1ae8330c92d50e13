"""Tables in a form in which they are compared."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from numbers import Integral
from typing import Any


def canonical(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> list[tuple[str, ...]]:
    """Rows as sorted tuples of texts, so that tables compare with ==: NaN equals NaN, order does not count.

    Types count (1 and 1.0 differ, as INT and DOUBLE do). Instants are compared in UTC; a naive datetime is
    refused, for its zone would be a guess.

    Raises:
        ValueError: a datetime is naive.
    """
    names = tuple(columns)
    return sorted(tuple(_canonical_value(row[name]) for name in names) for row in rows)


def _canonical_value(value: Any) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"a timestamp must be aware (got {value!r})")
        return value.astimezone(UTC).isoformat()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_canonical_value(item) for item in value) + "]"
    if isinstance(value, bool):
        return repr(value)
    if isinstance(value, float):  # numpy's too, whose own repr names the type
        return repr(float(value))
    if isinstance(value, Integral):
        return repr(int(value))
    return repr(value)
