"""Columns as JSON (see ``columnar``) to arrays and back. Values are handled one by one only where a column is
irregular.

A *coded* column is an array of numbers, and the list of values that the numbers stand for, each value once. Must not
know what the columns are about.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from orchestration.core.state.columnar import column_from_json, column_to_json
from orchestration.core.state.record_texts import Numbers, Texts, as_list, texts_in, texts_of

Coded = tuple[Numbers, Sequence[Any]]

_AS_A_TABLE = 1 << 20
"""Up to this many possible pairs are counted in a table; more are sorted."""


# reading --------------------------------------------------------------------------------------------------------


def coded_from_json(data: Any, count: int) -> Coded:
    """A column of any values, coded. Raises ValueError or TypeError for other data."""
    if not isinstance(data, Mapping | list):
        return np.zeros(count, dtype=np.int32), [data]
    if isinstance(data, Mapping) and "runs" in data:
        lengths = data["runs"][1::2]
        if len(data["runs"]) % 2 or sum(lengths) != count or min(lengths, default=1) < 1:
            raise ValueError(f"the runs of a column must have {count} values (got {lengths})")
        numbers, values = interned(map(_value, data["runs"][::2]))
        return np.repeat(numbers, lengths), values
    if isinstance(data, Mapping) and "of" in data:
        numbers, values = interned(map(_value, data["of"]))
        return numbers[inside(numbers_from_json(data["at"], count), len(numbers))], values
    return interned(column_from_json(data, count))


def numbers_from_json(data: Any, count: int) -> Numbers:
    """A column of whole numbers. Raises ValueError or TypeError for other data."""
    if isinstance(data, list):
        if len(data) != count:
            raise ValueError(f"a column must have {count} values (got {len(data)})")
        return _whole(data)
    numbers, values = coded_from_json(data, count)
    return _whole(values)[numbers]


def texts_from_json(data: Any, count: int) -> Texts:
    """A column of texts. Raises ValueError or TypeError for other data."""
    if isinstance(data, str):
        return np.broadcast_to(texts_of([data]), count)
    if isinstance(data, Mapping) and "each" in data:
        text, each = data["text"], data["each"]
        if len(text) != each * count:
            raise ValueError(f"{count} texts of {each} characters must have {each * count} (got {len(text)})")
        return texts_in(text, each)
    if isinstance(data, Mapping) and ("runs" in data or "of" in data):
        numbers, values = coded_from_json(data, count)
        return texts_of(values)[numbers]
    return texts_of(column_from_json(data, count))


def lists_of(sizes: Numbers, coded: Coded) -> Coded:
    """A column of lists, coded. sizes: how many of the values of ``coded`` belong to each list, one list after the
    other."""
    numbers, values = coded
    starts = np.cumsum(sizes) - sizes
    found, lists = np.zeros(len(sizes), dtype=np.int64), list[Any]()
    for size in np.unique(sizes).tolist():
        at = np.flatnonzero(sizes == size)
        parts = [(numbers[starts[at] + number], values) for number in range(size)]
        of, tuples = combined(parts, len(at))
        found[at] = of + len(lists)
        lists += tuples
    return found, lists


def mappings_from_json(data: Mapping[str, Any], count: int) -> Coded:
    """A column of mappings as sorted items, coded: the inverse of ``mappings_to_json``."""
    names = sorted(data)
    numbers, rows = combined([coded_from_json(data[name], count) for name in names], count)
    pairs = (zip(names, row, strict=True) for row in rows)
    return numbers, [tuple((name, value) for name, value in row if value is not None) for row in pairs]


def combined(columns: Sequence[Coded], count: int) -> tuple[Numbers, list[tuple[Any, ...]]]:
    """A column of tuples, coded: each tuple has a value of each of ``columns``. The tuples are numbered in the order of
    the values."""
    number, parts = np.zeros(count, dtype=np.int64), np.zeros((1, 0), dtype=np.int64)
    for numbers, values in columns:
        if len(values) == 1:
            parts = np.column_stack([parts, np.zeros(len(parts), dtype=np.int64)])
            continue
        number, pairs = distinct(number * len(values) + numbers, len(parts) * len(values))
        parts = np.column_stack([parts[pairs // len(values)], pairs % len(values)])
    of = [values for _, values in columns]
    rows = (zip(of, row, strict=True) for row in parts.tolist())
    return number, [tuple(values[at] for values, at in row) for row in rows] if count else []


def distinct(numbers: Numbers, below: int) -> tuple[Numbers, Numbers]:
    """The distinct numbers, ascending, and for each number which of them it is. The latter comes first."""
    if below > max(_AS_A_TABLE, 4 * len(numbers)):
        values, found = np.unique(numbers, return_inverse=True)
        return found, values
    there = np.bincount(numbers, minlength=1) > 0
    return (np.cumsum(there) - 1)[numbers], np.flatnonzero(there)


def interned(values: Iterable[Hashable]) -> Coded:
    """Any values as a coded column."""
    items = list(values)
    numbers = {value: number for number, value in enumerate(dict.fromkeys(items))}
    return np.fromiter(map(numbers.__getitem__, items), dtype=np.int32, count=len(items)), list(numbers)


def _whole(values: Sequence[Any]) -> Numbers:
    if not set(map(type, values)) <= {int, bool}:
        raise TypeError("a column of numbers must have nothing but whole ones")
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError as error:
        raise ValueError(f"a number is too large ({error})") from error


def inside(numbers: Numbers, length: int) -> Numbers:
    """``numbers``, each of which must be a position in a list of ``length`` values; ValueError where one is not."""
    if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < length:
        raise ValueError(f"a number must be one of {length} values")
    return numbers


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


# writing --------------------------------------------------------------------------------------------------------


def coded_to_json(coded: Coded) -> Any:
    """A coded column of at least one value, in the form of ``column_to_json``."""
    numbers, values = coded
    starts = _runs(numbers)
    first = values[numbers[0]]
    if len(starts) == 1 and not isinstance(first, tuple):
        return first
    firsts = numbers[starts].tolist()
    if len(starts) * 2 <= len(numbers) and not (isinstance(first, str | tuple) and len(set(firsts)) * 2 <= len(firsts)):
        lengths = np.diff(np.append(starts, len(numbers))).tolist()
        return {"runs": list(chain.from_iterable(zip((values[at] for at in firsts), lengths, strict=True)))}
    return column_to_json([values[at] for at in numbers.tolist()])


def numbers_to_json(numbers: Numbers) -> Any:
    """A column of at least one whole number, in the form of ``column_to_json``."""
    starts = _runs(numbers)
    firsts = numbers[starts].tolist()
    if len(starts) == 1:
        return firsts[0]
    if len(starts) * 2 <= len(numbers):
        lengths = np.diff(np.append(starts, len(numbers))).tolist()
        return {"runs": list(chain.from_iterable(zip(firsts, lengths, strict=True)))}
    return numbers.tolist()


def mappings_to_json(coded: Coded) -> dict[str, Any]:
    """A column of mappings, given as sorted items: a column for each name, with null for mappings without that name."""
    numbers, items = coded
    mappings = [dict(one) for one in items]
    names = sorted(set().union(*mappings))
    return {name: coded_to_json(coded_by(numbers, [mapping.get(name) for mapping in mappings])) for name in names}


def texts_to_json(texts: Texts) -> Any:
    """A column of at least one text, in the form of ``column_to_json``."""
    if len(texts) > 1 and texts.strides == (0,):
        return as_list(texts[:1])[0]
    if texts.dtype.kind == "S" and len(texts) > 1:
        packed = np.ascontiguousarray(texts)
        runs = len(_runs(packed))
        if runs * 2 > len(texts) and b"\0" not in (text := packed.tobytes()) and len(set(packed.tolist())) * 2 > runs:
            return {"each": texts.dtype.itemsize, "text": text.decode("ascii")}
    return column_to_json(as_list(texts))


def coded_by(kind: Numbers, values: Sequence[Any]) -> Coded:
    """A coded column that has, for each number of ``kind``, the value of that number."""
    numbers, texts = interned(values)
    return numbers[kind], texts


def _runs(column: Numbers | Texts) -> Numbers:
    """The positions at which a value begins that differs from the one before."""
    return np.append(0, np.flatnonzero(column[1:] != column[:-1]) + 1)
