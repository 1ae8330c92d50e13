"""Mappings and lists as columns of JSON, row by row: as they were written before records lay in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from orchestration.core.state.columnar import Value, column_from_json, column_to_json


def columns_to_json(mappings: Sequence[Mapping[str, Value]]) -> dict[str, Any]:
    """A column per key that any of the mappings has, with null in those that do not have it."""
    names = sorted(set().union(*{tuple(mapping) for mapping in mappings}))
    return {name: column_to_json([mapping.get(name) for mapping in mappings]) for name in names}


def columns_from_json(data: Mapping[str, Any], count: int) -> list[Mapping[str, Any]]:
    """The inverse of ``columns_to_json``; mappings that are equal are one object."""
    seen: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    if not data:
        return [seen.setdefault((), {})] * count
    found = []
    for row in zip(*(column_from_json(column, count) for column in data.values()), strict=True):
        mapping = seen.get(row)
        if mapping is None:
            mapping = {name: value for name, value in zip(data, row, strict=True) if value is not None}
            seen[row] = mapping
        found.append(mapping)
    return found


def lists_to_json(lists: Sequence[Sequence[Value]], names: Sequence[str]) -> dict[str, Any]:
    """Lists of tuples, a tuple having a value for each of ``names``: how many are in each list, then their columns."""
    flat = list(chain.from_iterable(lists))
    columns = zip(*flat, strict=True)
    told = {name: column_to_json(column) for name, column in zip(names, columns, strict=True)}
    return {"count": column_to_json([len(one) for one in lists]), **told}


def lists_from_json(data: Mapping[str, Any], names: Sequence[str], count: int) -> list[tuple[Any, ...]]:
    """The inverse of ``lists_to_json``, a list being a tuple."""
    sizes = column_from_json(data["count"], count)
    if min(sizes) < 0:
        raise ValueError(f"a list must have 0 values or more (got {min(sizes)})")
    flat = zip(*(column_from_json(data[name], sum(sizes)) for name in names), strict=True)
    return [tuple(next(flat) for _ in range(size)) for size in sizes]
