"""How keys of partitions are written in format 2 of provenance, and the fingerprints that partitions consulted.

The layout is in ``provenance_format``. Keys are text here; those of a day × location are known for what they are, so
that days stand as ranges, and what a partition consulted at its own location as days from its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.state.columnar import column_from_json, column_to_json
from orchestration.core.state.partition_record import Inputs

_OWN = (0,)

# Keys -----------------------------------------------------------------------------------------------------------


class Key(NamedTuple):
    """A key as text; of a day × location also these (day: its ordinal, 0 for other keys)."""

    location: str
    day: int
    text: str

    def beside(self, days: int) -> str:
        """The text of the key that many days later at the same location."""
        return f"{date.fromordinal(self.day + days).isoformat()}/{self.location}"

    def parsed(self) -> PartitionKey:
        """The key itself; PartitionRangeError where there is none of this text."""
        return PartitionKey(date.fromordinal(self.day), self.location) if self.day else PartitionKey.parse(self.text)


def _key(text: str) -> Key:
    if text[10:11] == "/":
        try:
            day = date.fromisoformat(text[:10])
        except ValueError:
            return Key("", 0, text)
        if day.isoformat() == text[:10]:
            return Key(text[11:], day.toordinal(), text)
    return Key("", 0, text)


def sorted_keys(texts: Iterable[str]) -> list[Key]:
    """In the order in which they are written: by location, then by day; keys that have none first, as text."""
    return sorted(map(_key, texts), key=lambda key: (key.day > 0, key))


def keys_to_json(keys: Sequence[Key]) -> list[str | list[str]]:
    """Keys in the order of ``sorted_keys``: text, and ``[location, first day, last day]``."""
    told: list[str | list[str]] = []
    spans: list[tuple[str, int, int]] = []
    for key in keys:
        if not key.day:
            told.append(key.text)
        elif spans and spans[-1][0] == key.location and spans[-1][2] == key.day - 1:
            spans[-1] = (key.location, spans[-1][1], key.day)
        else:
            spans.append((key.location, key.day, key.day))
    days = date.fromordinal
    return told + [[location, days(a).isoformat(), days(b).isoformat()] for location, a, b in spans]


def keys_from_json(data: Iterable[Any]) -> list[Key]:
    """The inverse of ``keys_to_json``. Raises ValueError or TypeError for what is none."""
    keys = []
    for item in data:
        if isinstance(item, str):
            keys.append(Key("", 0, item))
            continue
        location, first, last = item
        ends = [date.fromisoformat(end).toordinal() for end in (first, last)]
        for day in range(ends[0], ends[1] + 1):
            keys.append(Key(location, day, f"{date.fromordinal(day).isoformat()}/{location}"))
    if len({key.text for key in keys}) != len(keys) or not keys:
        raise ValueError("keys must stand once")
    return keys


# Inputs ---------------------------------------------------------------------------------------------------------


def inputs_to_json(keys: Sequence[Key], inputs: Sequence[Inputs]) -> dict[str, Any]:
    """What each of ``keys`` consulted, by upstream asset or source."""
    upstream = sorted(set().union(*inputs))
    return {name: _upstream_to_json(keys, [of.get(name) for of in inputs]) for name in upstream}


def _upstream_to_json(keys: Sequence[Key], consulted: Sequence[Mapping[str, str] | None]) -> dict[str, Any]:
    said: dict[str, str] = {}
    but: dict[str, dict[str, str]] = {}
    for number, of in enumerate(consulted):
        for text, fingerprint in (of or {}).items():
            if said.setdefault(text, fingerprint) != fingerprint:
                but.setdefault(str(number), {})[text] = fingerprint
    parsed = {key.text: key for key in sorted_keys(said)}
    which = [None if of is None else _which(key, of, parsed) for key, of in zip(keys, consulted, strict=True)]
    data: dict[str, Any] = {}
    if any(one != _OWN for one in which):
        data["consulted"] = column_to_json(which)
    if said and list(parsed) != [key.text for key in keys]:
        data["keys"] = keys_to_json(list(parsed.values()))
    if said:
        data["fp"] = column_to_json([said[text] for text in parsed])
    return data | {"but": but} if but else data


def _which(own: Key, consulted: Iterable[str], parsed: Mapping[str, Key]) -> tuple[int | str, ...]:
    """The keys that were consulted, beside a partition's own; days before others."""
    days: list[int] = []
    others: list[str] = []
    for text in consulted:
        key = parsed[text]
        if text == own.text:
            days.append(0)
        elif key.day and own.day and key.location == own.location:
            days.append(key.day - own.day)
        else:
            others.append(text)
    return (*sorted(days), *sorted(others))


def inputs_from_json(data: Mapping[str, Any], keys: Sequence[Key]) -> list[Inputs]:
    """The inputs of each partition; those that are equal for many are one object, and so are the texts of keys."""
    columns = [(name, _upstream_from_json(of, keys)) for name, of in data.items()]
    seen: dict[tuple[int, ...], Inputs] = {}
    found = []
    for number in range(len(keys)):
        same = tuple(id(column[number]) for _, column in columns)
        inputs = seen.get(same)
        if inputs is None:
            own = ((name, column[number]) for name, column in columns)
            inputs = seen[same] = {name: of for name, of in own if of is not None}
        found.append(inputs)
    return found


def _upstream_from_json(data: Mapping[str, Any], keys: Sequence[Key]) -> list[Mapping[str, str] | None]:
    said = {}
    if "fp" in data:
        there = keys_from_json(data["keys"]) if "keys" in data else keys
        pairs = zip(there, column_from_json(data["fp"], len(there)), strict=True)
        said = {key.text: (key.text, fingerprint) for key, fingerprint in pairs}
    which = column_from_json(data["consulted"], len(keys)) if "consulted" in data else [_OWN] * len(keys)
    but = data.get("but", {})
    alike: dict[tuple[str, ...], Mapping[str, str]] = {}
    found: list[Mapping[str, str] | None] = []
    for number, (key, of) in enumerate(zip(keys, which, strict=True)):
        if of is None:
            found.append(None)
        elif str(number) in but:
            found.append({**_consulted(key, of, said), **but[str(number)]})
        elif of and isinstance(of[0], int):
            found.append(_consulted(key, of, said))
        else:
            if of not in alike:
                alike[of] = _consulted(key, of, said)
            found.append(alike[of])
    return found


def _consulted(own: Key, which: Iterable[int | str], said: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    return dict(said[one if isinstance(one, str) else own.beside(one) if one else own.text] for one in which)
