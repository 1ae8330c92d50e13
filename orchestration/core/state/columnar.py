"""Columns as JSON: many values, one for each of a row of things, written without repeating what repeats.

A column is a scalar (all values are that), or a list (one by one), or an object:

    {"runs": [24, 300, 23, 1]}              300 times 24, then once 23
    {"each": 4, "text": "00ffabcd"}         texts of one length, end to end
    {"text": "00ff empty -"}                texts with a space between them; - for null
    {"of": [[0], [-1, 0]], "at": column}    a few values that come again and again, then which of them, by number

Values are text, numbers, true, false, null and tuples of such. Must not know what the columns are about.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import chain, groupby
from typing import Any

Value = Hashable
NOTHING = "-"


def column_to_json(values: Sequence[Value]) -> Any:
    """At least one value as JSON. Equal values always give equal JSON, and nothing is lost."""
    distinct = dict.fromkeys(values)
    first = values[0]
    if len(distinct) == 1 and not isinstance(first, tuple):
        return first
    runs = [(value, sum(1 for _ in run)) for value, run in groupby(values)]
    if len(distinct) * 2 <= len(runs) and isinstance(first, str | tuple):
        numbers = {value: number for number, value in enumerate(distinct)}
        return {"of": list(distinct), "at": column_to_json([numbers[value] for value in values])}
    if len(runs) * 2 <= len(values) or (len(runs) == 1 and len(values) > 1):
        return {"runs": list(chain.from_iterable(runs))}
    texts = [value for value in distinct if isinstance(value, str)]
    if len(texts) < len(distinct) - (None in distinct):
        return list(values)
    return _texts_to_json(values, texts, None in distinct)


def _texts_to_json(values: Sequence[Any], texts: Iterable[str], has_null: bool) -> Any:
    lengths = {len(text) for text in texts}
    if not has_null and len(lengths) == 1 and 0 not in lengths:
        return {"each": lengths.pop(), "text": "".join(values)}
    if 0 in lengths or any(" " in text or text == NOTHING for text in texts):
        return list(values)
    return {"text": " ".join(NOTHING if value is None else value for value in values)}


def column_from_json(data: Any, count: int) -> list[Any]:
    """The inverse of ``column_to_json``: ``count`` values, lists as tuples. Raises ValueError for other data."""
    if isinstance(data, list):
        values = [_value(value) for value in data]
    elif not isinstance(data, Mapping):
        return [data] * count
    elif "runs" in data:
        values = _from_runs(data["runs"], count)
    elif "of" in data:
        of = [_value(value) for value in data["of"]]
        values = [of[number] for number in column_from_json(data["at"], count)]
    elif "each" in data:
        text, each = data["text"], data["each"]
        if len(text) != each * count:
            raise ValueError(f"{count} texts of {each} characters must have {each * count} (got {len(text)})")
        values = [text[at : at + each] for at in range(0, len(text), each)]
    else:
        values = [None if text == NOTHING else text for text in data["text"].split(" ")]
    if len(values) != count:
        raise ValueError(f"a column must have {count} values (got {len(values)})")
    return values


def _from_runs(data: Sequence[Any], count: int) -> list[Any]:
    lengths = data[1::2]
    if len(data) % 2 or sum(lengths) != count or min(lengths, default=1) < 1:
        raise ValueError(f"the runs of a column must have {count} values (got {lengths})")
    values: list[Any] = []
    for value, length in zip(data[::2], lengths, strict=True):
        values += [_value(value)] * length
    return values


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
