"""Format 2 of provenance, record by record: as it was written before records lay in columns. The oracle of these.

Nothing of this is used by the product, which must write the same JSON to the last byte, and read the same records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple, TypeVar

from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.state.columnar import column_from_json, column_to_json
from orchestration.core.state.partition_record import Answer, Inputs, PartitionRecord, Stamp, TurnedAway
from tests.support.row_wise_columns import columns_from_json, columns_to_json, lists_from_json, lists_to_json

Records = Mapping[PartitionKey, PartitionRecord]
T = TypeVar("T")

_OWN = (0,)
_ANSWER = ("asked", "digest", "forced", "hours")
_MORE = ("question", "broken")
_TURNED_AWAY = ("asked", "digest", "hours", "variables")
_MAPPINGS = ("checks", "also", "values", "check_versions")

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


# --- format 2 ---------------------------------------------------------------------------------------------------


def records_to_json(records: Records, stamped: bool = False) -> dict[str, Any]:
    """Records as JSON values. stamped: with the commits that they are of."""
    if not records:
        return {}
    by_text = {str(key): record for key, record in records.items()}
    keys = sorted_keys(by_text)
    told = [by_text[key.text] for key in keys]
    data: dict[str, Any] = {
        "keys": keys_to_json(keys),
        "rows": column_to_json([one.rows for one in told]),
        "fp": column_to_json([one.fingerprint for one in told]),
        "code": column_to_json([one.code for one in told]),
        "contract": column_to_json([one.contract for one in told]),
        "as_of": column_to_json([one.as_of for one in told]),
        "question": column_to_json([one.question for one in told]),
        "in": inputs_to_json(keys, [one.inputs for one in told]),
        "answers": _answers_to_json(keys, told),
        "turned_away": _listed(
            [[(t.asked, t.digest, t.hours, t.variables) for t in one.turned_away] for one in told], _TURNED_AWAY
        ),
    }
    for name in _MAPPINGS:
        data[name] = columns_to_json([getattr(one, name) for one in told])
    for name in ("as_of", "question", "in", "answers", "turned_away", *_MAPPINGS):
        if not data[name]:
            del data[name]
    if stamped:
        stamps = [Stamp(one.version, one.run_id, one.at) for one in told]
        numbers = {stamp: number for number, stamp in enumerate(sorted(set(stamps)))}
        data |= {"commits": list(numbers), "commit": column_to_json([numbers[stamp] for stamp in stamps])}
    return data


def records_from_json(data: Mapping[str, Any], stamp: Stamp | None = None) -> dict[PartitionKey, PartitionRecord]:
    """The inverse of ``records_to_json``. stamp: of all of them, None where they are stamped one by one.

    Raises ValueError, KeyError or TypeError, among others, for what is no such data.
    """
    if not data:
        return {}
    keys = keys_from_json(data["keys"])
    count = len(keys)
    inputs = inputs_from_json(data.get("in", {}), keys)
    if stamp is None:
        commits = [Stamp(*commit) for commit in data["commits"]]
        stamps = [commits[number] for number in column_from_json(data["commit"], count)]
    else:
        stamps = [stamp] * count
    columns = [column_from_json(data[name], count) for name in ("rows", "fp", "code", "contract")]
    columns += [column_from_json(data.get(name, ""), count) for name in ("as_of", "question")]
    columns += [columns_from_json(data.get(name, {}), count) for name in _MAPPINGS]
    answers = _answers_from_json(data.get("answers"), keys, inputs)
    turned_away = _unlisted(data.get("turned_away"), _TURNED_AWAY, count, TurnedAway)
    records = {}
    rows = zip(keys, inputs, stamps, answers, turned_away, *columns, strict=True)
    for key, of, by, answered, turned, n, fingerprint, code, contract, as_of, question, *mappings in rows:
        checks, also, values, check_versions = mappings
        records[key.parsed()] = PartitionRecord(
            rows=n,
            fingerprint=fingerprint,
            inputs=of,
            code=code,
            contract=contract,
            checks=checks,
            as_of=as_of,
            run_id=by.run_id,
            at=by.at,
            version=by.version,
            also=also,
            answers=answered,
            turned_away=turned,
            question=question,
            values=values,
            check_versions=check_versions,
        )
    return records


# Answers --------------------------------------------------------------------------------------------------------


def _answers_to_json(keys: Sequence[Key], records: Sequence[PartitionRecord]) -> dict[str, Any]:
    digest_in = next(
        (
            name
            for key, record in zip(keys, records, strict=True)
            for answer in record.answers
            for name in sorted(record.inputs)
            if record.inputs[name].get(key.text) == answer.digest
        ),
        None,
    )
    names: tuple[str, ...] = _ANSWER
    if any(answer.question or answer.broken is not None for record in records for answer in record.answers):
        names += _MORE
    lists = []
    for key, record in zip(keys, records, strict=True):
        known = None if digest_in is None else record.inputs.get(digest_in, {}).get(key.text)
        rows = [(a.asked, None if a.digest == known else a.digest, *_rest(a)) for a in record.answers]
        lists.append([row[: len(names)] for row in rows])
    found = _listed(lists, names)
    return found if digest_in is None else {"digest_in": digest_in, **found}


def _rest(answer: Answer) -> tuple[Any, ...]:
    return answer.forced, answer.hours, answer.question, answer.broken


def _answers_from_json(
    data: Mapping[str, Any] | None, keys: Sequence[Key], inputs: Sequence[Inputs]
) -> list[tuple[Answer, ...]]:
    names = _ANSWER if data is None or "broken" not in data else (*_ANSWER, *_MORE)
    if data is None or "digest_in" not in data:
        return _unlisted(data, names, len(keys), Answer)
    digest_in = data["digest_in"]
    lists = lists_from_json(data, names, len(keys))
    return [
        tuple(
            Answer(asked, of[digest_in][key.text] if digest is None else digest, *rest) for asked, digest, *rest in one
        )
        for key, of, one in zip(keys, inputs, lists, strict=True)
    ]


def _listed(lists: Sequence[Sequence[tuple[Any, ...]]], names: Sequence[str]) -> dict[str, Any]:
    return lists_to_json(lists, names) if any(lists) else {}


def _unlisted(
    data: Mapping[str, Any] | None, names: Sequence[str], count: int, make: Callable[..., T]
) -> list[tuple[T, ...]]:
    """Tuples of what ``make`` makes of each; equal ones are one object."""
    if data is None:
        return [()] * count
    seen: dict[tuple[Any, ...], tuple[T, ...]] = {}
    lists = lists_from_json(data, names, count)
    return [seen.get(one) or seen.setdefault(one, tuple(make(*values) for values in one)) for one in lists]
