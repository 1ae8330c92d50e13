"""How the records of partitions are written: format 2, in columns, and format 1, which is read for ever.

Format 2, of the partitions of a commit or of a whole state, in the order of ``keys``; a column is as in ``columnar``:

    keys        ["null", "2025-08", ["north", "2025-08-08", "2025-08-21"], …]: keys as text; days of a location
    rows, fp, code, contract, as_of, question     columns; the last two may be left out where they are empty
    checks, also, values, check_versions          {name: column with null where a partition has no such name}
    in          {upstream: {consulted, keys, fp, but}}
        consulted   column: which partitions: numbers are days from the partition's own at its location, text is a
                    key; null: none recorded of this upstream. Left out: each consulted its own key, [0]
        keys, fp    what was consulted by any, once, and its fingerprints. No keys: those of the partitions
        but         {number of the partition: {key: fingerprint}} where it is another than ``fp`` says
    answers     {count, asked, digest, forced, hours}: how many each partition has, then those one after the other,
                with question and broken where any has one;
                a null digest is the fingerprint in ``in`` of the upstream ``digest_in`` and the partition's own key
    turned_away {count, asked, digest, hours, variables}
    commits, commit     in states: [version, run, at] of the commits, and whose each record is, by number

What is empty is left out; names that are not known are passed over. Must not know: commits, tables, files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.state.columnar import (
    column_from_json,
    column_to_json,
    columns_from_json,
    columns_to_json,
    lists_from_json,
    lists_to_json,
)
from orchestration.core.state.partition_record import Answer, Inputs, PartitionRecord, TurnedAway
from orchestration.core.state.provenance_inputs import (
    Key,
    inputs_from_json,
    inputs_to_json,
    keys_from_json,
    keys_to_json,
    sorted_keys,
)

Records = Mapping[PartitionKey, PartitionRecord]
T = TypeVar("T")

_ANSWER = ("asked", "digest", "forced", "hours")
_MORE = ("question", "broken")
_TURNED_AWAY = ("asked", "digest", "hours", "variables")
_MAPPINGS = ("checks", "also", "values", "check_versions")


class Stamp(NamedTuple):
    """Which commit a record is of: the version that it became, the run, and when (ISO 8601, UTC)."""

    version: int
    run_id: str
    at: str


# --- format 1 ---------------------------------------------------------------------------------------------------


def records_from_json_1(data: Mapping[str, Any], stamp: Stamp) -> dict[PartitionKey, PartitionRecord]:
    """The records of a commit of format 1: ``partitions`` by key, and in ``all`` what they share."""
    records = {}
    for text, own in data["partitions"].items():
        facts = {**data["all"], **own}
        records[PartitionKey.parse(text)] = PartitionRecord(
            rows=facts["rows"],
            fingerprint=facts["fp"],
            inputs=facts["in"],
            code=facts["code"],
            contract=facts["contract"],
            checks=facts.get("checks", {}),
            as_of=facts.get("as_of", ""),
            run_id=stamp.run_id,
            at=stamp.at,
            version=stamp.version,
        )
    return records


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
