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

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.state.column_arrays import (
    Coded,
    coded_by,
    coded_from_json,
    coded_to_json,
    combined,
    inside,
    interned,
    lists_of,
    mappings_from_json,
    mappings_to_json,
    numbers_from_json,
    numbers_to_json,
    texts_from_json,
    texts_to_json,
)
from orchestration.core.state.columnar import column_from_json, column_to_json
from orchestration.core.state.partition_record import PartitionRecord, Stamp, TurnedAway
from orchestration.core.state.provenance_arrays import (
    keys_from_json,
    keys_to_json,
    own_texts,
    upstream_from_json,
    upstream_to_json,
)
from orchestration.core.state.record_arrays import ALSO, DIGESTS, Columns
from orchestration.core.state.record_building import sorted_columns
from orchestration.core.state.record_columns import Records
from orchestration.core.state.record_kinds import Kind
from orchestration.core.state.record_texts import Numbers, Texts, as_list, same, spread, taken, texts_of

_ANSWER = ("asked", "digest", "forced", "hours")
_MORE = ("question", "broken")
_TURNED_AWAY = ("asked", "digest", "hours", "variables")
_MAPPINGS = ("checks", "values", "check_versions")


# --- format 1 ---------------------------------------------------------------------------------------------------


def records_from_json_1(data: Mapping[str, Any], stamp: Stamp) -> dict[PartitionKey, PartitionRecord]:
    """The records of a commit of format 1: ``partitions`` by key, and in ``all`` what all of them share.

    Raises ValueError, KeyError or TypeError, among others, for other data.
    """
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
    _check_values_1(records.values())
    return records


def _check_values_1(records: Collection[PartitionRecord]) -> None:
    """Raises TypeError or ValueError for values that format 2 could not hold in its columns."""
    numbers, texts = list[Any](), set[Any]()
    for one in records:
        numbers += [one.rows, *one.checks.values()]
        texts |= {one.fingerprint, one.code, one.contract, one.as_of}
        for consulted in one.inputs.values():
            texts.update(consulted.values())
    numbers_from_json(numbers, len(numbers))
    texts_of(list(texts))


# --- format 2 ---------------------------------------------------------------------------------------------------


def records_to_json(records: Mapping[PartitionKey, PartitionRecord], stamped: bool = False) -> dict[str, Any]:
    """Records as JSON values. stamped: whether each record says which commit it is of."""
    if not records:
        return {}
    columns = Records.of(records).columns
    kinds, kind = columns.kinds, columns.kind
    dated = columns.location >= 0
    keys = keys_to_json(columns.locations, columns.location[dated], columns.day[dated])
    upstream = sorted({name for one in kinds for name, _ in one.inputs})
    data: dict[str, Any] = {
        "keys": keys if dated.all() else ["null", *keys],
        "rows": numbers_to_json(columns.rows),
        "fp": texts_to_json(columns.fingerprint),
        "in": {name: upstream_to_json(columns, name) for name in upstream},
        "answers": _answers_to_json(columns, upstream),
        "turned_away": _lists_to_json(
            kind,
            [[(t.asked, t.digest, t.hours, t.variables) for t in one.turned_away] for one in kinds],
            _TURNED_AWAY,
        ),
        "also": _also_to_json(columns),
    }
    for name in ("code", "contract", "as_of", "question"):
        data[name] = coded_to_json(coded_by(kind, [getattr(one, name) for one in kinds]))
    for name in _MAPPINGS:
        data[name] = mappings_to_json(coded_by(kind, [getattr(one, name) for one in kinds]))
    for name in ("as_of", "question", "in", "answers", "turned_away", "also", *_MAPPINGS):
        if not data[name]:
            del data[name]
    if stamped:
        numbers = {stamp: number for number, stamp in enumerate(sorted(columns.stamps))}
        commit = np.array([numbers[stamp] for stamp in columns.stamps])[columns.stamp]
        data |= {"commits": list(numbers), "commit": numbers_to_json(commit)}
    return data


def records_from_json(data: Mapping[str, Any], stamp: Stamp | None = None) -> Records:
    """The inverse of ``records_to_json``. stamp: the commit of all records; None where each record says its own.

    Raises ValueError, KeyError or TypeError, among others, for other data.
    """
    if not data:
        return Records.empty()
    keys = keys_from_json(data["keys"])
    for text in keys.texts:
        PartitionKey.parse(text)
    count = len(keys.day)
    stamps, commits = np.zeros(count, dtype=np.int64), [] if stamp is None else [stamp]
    if stamp is None:
        commits = [Stamp(*commit) for commit in data["commits"]]
        stamps = inside(numbers_from_json(data["commit"], count), len(commits))
    inputs = {name: upstream_from_json(of, keys) for name, of in sorted(data.get("in", {}).items())}
    also, earlier = _also_from_json(data.get("also", {}), count)
    answers, digests = _answers_from_json(data.get("answers"), count, inputs)
    parts = {
        "code": coded_from_json(data["code"], count),
        "contract": coded_from_json(data["contract"], count),
        "as_of": coded_from_json(data.get("as_of", ""), count),
        "question": coded_from_json(data.get("question", ""), count),
        "also": also,
        "answers": answers,
        "turned_away": _turned_away_from_json(data.get("turned_away"), count),
    }
    parts |= {name: mappings_from_json(data.get(name, {}), count) for name in _MAPPINGS}
    kind, rows = combined([*parts.values(), *(which for which, _ in inputs.values())], count)
    kinds = []
    for row in rows:
        which = zip(inputs, row[len(parts) :], strict=True)
        consulted = tuple((name, one) for name, one in which if one is not None)
        kinds.append(Kind(**dict(zip(parts, row, strict=False)), inputs=consulted))
    return Records(
        sorted_columns(
            keys.locations,
            keys.location,
            keys.day,
            numbers_from_json(data["rows"], count),
            texts_from_json(data["fp"], count),
            (commits, stamps),
            (kinds, kind),
            {("in", name): column for name, (_, column) in inputs.items()} | {ALSO: earlier, DIGESTS: digests},
        )
    )


# Answers --------------------------------------------------------------------------------------------------------


def _answers_to_json(columns: Columns, upstream: Sequence[str]) -> dict[str, Any]:
    kinds = columns.kinds
    if not any(one.answers for one in kinds):
        return {}
    digests, counts = columns.texts[DIGESTS], columns.counts(DIGESTS)[columns.kind]
    of, known = np.repeat(np.arange(len(counts)), counts), dict[str, Numbers]()
    for name in upstream:
        which = [one.consulted(name) for one in kinds]
        at = own_texts(columns.kind, which, columns.starts(("in", name)))[of]
        is_known = np.zeros(len(of), dtype=bool)
        is_known[at >= 0] = same(digests[at >= 0], columns.texts["in", name][at[at >= 0]])
        if is_known.any():
            known[name] = is_known
    names: tuple[str, ...] = _ANSWER
    if any(question or broken is not None for one in kinds for *_, question, broken in one.answers):
        names += _MORE
    lists = [[(asked, None, *rest)[: len(names)] for asked, *rest in one.answers] for one in kinds]
    data = _lists_to_json(columns.kind, lists, names)
    if not known:
        return data | {"digest": texts_to_json(digests)}
    digest_in = min(known, key=lambda name: (int(known[name].argmax()), name))
    if not known[digest_in].all():
        pairs = zip(as_list(digests), known[digest_in].tolist(), strict=True)
        data["digest"] = column_to_json([None if is_known else text for text, is_known in pairs])
    return {"digest_in": digest_in, **data}


def _answers_from_json(
    data: Mapping[str, Any] | None, count: int, inputs: Mapping[str, tuple[Coded, Texts]]
) -> tuple[Coded, Texts]:
    """The answers of each partition without their digests, and the digests."""
    if data is None:
        return (np.zeros(count, dtype=np.int64), [()]), texts_of([])
    sizes = _sizes(data, count)
    total = int(sizes.sum())
    columns = [coded_from_json(data[name], total) for name in ("asked", "forced", "hours")]
    more = [(data[name] for name in _MORE)] if "broken" in data else [iter(("", None))]
    columns += [coded_from_json(column, total) for column in more[0]]
    answers = lists_of(sizes, combined(columns, total))
    if "digest_in" not in data:
        return answers, texts_from_json(data["digest"], total)
    (kind, which), texts = inputs[data["digest_in"]]
    lengths = np.array([len(one or ()) for one in which], dtype=np.int64)[kind]
    at = own_texts(kind, which, np.append(0, np.cumsum(lengths)))[np.repeat(np.arange(count), sizes)]
    digests = None if data["digest"] is None else column_from_json(data["digest"], total)
    if (at[[one is None for one in digests] if digests else slice(None)] < 0).any():
        raise KeyError(data["digest_in"])
    if digests is None:
        return answers, texts if np.array_equal(at, np.arange(len(texts))) else taken(texts, at)
    known = as_list(texts)
    return answers, texts_of(
        [known[own] if one is None else one for one, own in zip(digests, at.tolist(), strict=True)]
    )


# Lists and mappings ---------------------------------------------------------------------------------------------


def _lists_to_json(kind: Numbers, lists: Sequence[Sequence[tuple[Any, ...]]], names: Sequence[str]) -> dict[str, Any]:
    """As ``lists_to_json``, given the lists of each kind of record."""
    if not any(lists):
        return {}
    sizes = np.array([len(one) for one in lists], dtype=np.int64)
    at = spread((np.cumsum(sizes) - sizes)[kind], sizes[kind])
    columns = zip(*chain.from_iterable(lists), strict=True)
    written = {name: coded_to_json(coded_by(at, column)) for name, column in zip(names, columns, strict=True)}
    return {"count": numbers_to_json(sizes[kind]), **written}


def _turned_away_from_json(data: Mapping[str, Any] | None, count: int) -> Coded:
    if data is None:
        return np.zeros(count, dtype=np.int64), [()]
    sizes = _sizes(data, count)
    total = int(sizes.sum())
    numbers, rows = combined([coded_from_json(data[name], total) for name in _TURNED_AWAY], total)
    return lists_of(sizes, (numbers, [TurnedAway(*row) for row in rows]))


def _sizes(data: Mapping[str, Any], count: int) -> Numbers:
    sizes = numbers_from_json(data["count"], count)
    if sizes.min() < 0:
        raise ValueError(f"a list must have 0 values or more (got {sizes.min()})")
    return sizes


def _also_to_json(columns: Columns) -> dict[str, Any]:
    data = {}
    for name in sorted({name for one in columns.kinds for name in one.also}):
        within = np.array([one.also.index(name) if name in one.also else -1 for one in columns.kinds])[columns.kind]
        at = columns.starts(ALSO)[:-1] + within
        texts = as_list(columns.texts[ALSO])
        data[name] = column_to_json(
            [texts[one] if there >= 0 else None for one, there in zip(at.tolist(), within.tolist(), strict=True)]
        )
    return data


def _also_from_json(data: Mapping[str, Any], count: int) -> tuple[Coded, Texts]:
    if not data:
        return (np.zeros(count, dtype=np.int64), [()]), texts_of([])
    names = sorted(data)
    rows = list(zip(*(column_from_json(data[name], count) for name in names), strict=True))
    lists = [tuple(name for name, text in zip(names, row, strict=True) if text is not None) for row in rows]
    return interned(lists), texts_of([text for row in rows for text in row if text is not None])
