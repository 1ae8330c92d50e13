"""The first row in which two versions of the same rows differ, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Rows = Mapping[tuple[Any, ...], Mapping[str, Any]]


def first_difference(then: DataFrame, now: DataFrame, key: Sequence[str], columns: Sequence[str]) -> str:
    """The first row, in the order of ``key``, that differs between two small frames. Only ``columns`` are compared."""
    names = list(dict.fromkeys([*key, *columns]))
    return in_words(_by_key(then.select(*names).collect(), key), _by_key(now.select(*names).collect(), key), key)


def in_words(then: Rows, now: Rows, key: Sequence[str]) -> str:
    """As ``first_difference``, for rows given by their key."""
    for at in sorted({*then, *now}, key=repr):
        named = ", ".join(f"{name}={value}" for name, value in zip(key, at, strict=True))
        if at not in now:
            return f"the row {named} is not made any more"
        if at not in then:
            return f"the row {named} is new"
        before, after = then[at], now[at]
        changed = [
            f"{name} was {before[name]}, is {after[name]}" for name in before if _differ(before[name], after[name])
        ]
        if changed:
            return f"in the row {named}: {'; '.join(changed)}"
    return "its rows are equal as they print; a type, or a value that prints alike, is another"


def _differ(one: Any, other: Any) -> bool:
    return repr(one) != repr(other)  # NaN is not equal to itself


def _by_key(rows: Iterable[Any], key: Sequence[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[name] for name in key): row.asDict() for row in rows}
