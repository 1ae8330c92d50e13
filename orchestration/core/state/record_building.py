"""Builds the columns of records (``record_arrays``): from records, from arrays in any order, and from other columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.state.partition_record import PartitionRecord, Stamp
from orchestration.core.state.record_arrays import ALSO, DIGESTS, Columns, frozen, numbered
from orchestration.core.state.record_kinds import Kind, taken_apart
from orchestration.core.state.record_texts import Numbers, Texts, joined, texts_of


def columns_of(records: Mapping[PartitionKey, PartitionRecord]) -> Columns:
    """``records`` in columns."""
    keys = sorted((key.location or "", key.day.toordinal(), key) if key.day else ("", 0, key) for key in records)
    kinds, stamps, locations = dict[Kind, int](), dict[Stamp, int](), dict[str, int]()
    rows, fingerprints = list[int](), list[str]()
    stamp, kind, location, day = list[int](), list[int](), list[int](), list[int]()
    texts: dict[tuple[str, str], list[str]] = {}
    for at, ordinal, key in keys:
        record = records[key]
        of, own = taken_apart(key, record)
        location.append(locations.setdefault(at, len(locations)) if ordinal else -1)
        day.append(ordinal)
        rows.append(record.rows)
        fingerprints.append(record.fingerprint)
        kind.append(kinds.setdefault(of, len(kinds)))
        by = Stamp(record.version, record.run_id, record.at)
        stamp.append(stamps.setdefault(by, len(stamps)))
        if own.also:
            texts.setdefault(ALSO, []).extend(own.also)
        if own.digests:
            texts.setdefault(DIGESTS, []).extend(own.digests)
        for (name, _), consulted in zip(of.inputs, own.inputs, strict=True):
            texts.setdefault(("in", name), []).extend(consulted)
    return Columns(
        tuple(locations),
        frozen(location),
        frozen(day),
        frozen(rows, np.int64),
        texts_of(fingerprints),
        tuple(stamps),
        frozen(stamp),
        tuple(kinds),
        frozen(kind),
        {of: texts_of(values) for of, values in texts.items()},
    )


def sorted_columns(
    locations: Sequence[str],
    location: Numbers,
    day: Numbers,
    rows: Numbers,
    fingerprint: Texts,
    stamped: tuple[Sequence[Stamp], Numbers],
    kinds: tuple[Sequence[Kind], Numbers],
    texts: Mapping[tuple[str, str], Texts],
) -> Columns:
    """Columns of records from arrays in any order.

    stamped: the commits, and for each record the number of its commit. kinds: the kinds, and for each record the number
    of its kind.
    """
    names = sorted(locations)
    rank = {name: number for number, name in enumerate(names)}
    stamps = numbered(stamped[0])
    numbers = numbered(kinds[0])
    made = Columns(
        tuple(names),
        frozen(np.array([*(rank[name] for name in locations), -1], dtype=np.int32)[location]),
        frozen(day),
        frozen(rows, np.int64),
        fingerprint,
        tuple(stamps),
        frozen(np.array([stamps[one] for one in stamped[0]], dtype=np.int32)[stamped[1]]),
        tuple(numbers),
        frozen(np.array([numbers[one] for one in kinds[0]], dtype=np.int32)[kinds[1]]),
        texts,
    )
    return made.taken(np.argsort(made.codes, kind="stable"))


def put_over(base: Columns, new: Columns) -> Columns:
    """The records of both; where both have a record, that of ``new``."""
    locations = tuple(sorted({*base.locations, *new.locations}))
    numbers = {at: number for number, at in enumerate(locations)}
    kinds, stamps = numbered((*base.kinds, *new.kinds)), numbered((*base.stamps, *new.stamps))
    both = (base, new)
    known: dict[tuple[int, ...], Texts] = {}
    texts: dict[tuple[str, str], Texts] = {}
    for of in base.texts.keys() | new.texts.keys():
        columns = [one.texts[of] for one in both if of in one.texts]
        at = tuple(map(id, columns))
        if at not in known:
            known[at] = joined(columns)
        texts[of] = known[at]
    all_of = Columns(
        locations,
        _renumbered(both, lambda one: one.location, lambda one: [numbers[at] for at in one.locations]),
        np.concatenate([one.day for one in both]),
        np.concatenate([one.rows for one in both]),
        joined([one.fingerprint for one in both]),
        tuple(stamps),
        _renumbered(both, lambda one: one.stamp, lambda one: [stamps[stamp] for stamp in one.stamps]),
        tuple(kinds),
        _renumbered(both, lambda one: one.kind, lambda one: [kinds[kind] for kind in one.kinds]),
        texts,
    )
    codes = all_of.codes
    order = np.argsort(codes, kind="stable")
    newest = np.append(codes[order][1:] != codes[order][:-1], True) if len(order) else order.astype(bool)
    return all_of.taken(order[newest])


def _renumbered(
    both: Iterable[Columns], column: Callable[[Columns], Numbers], numbers: Callable[[Columns], Sequence[int]]
) -> Numbers:
    """A column of numbers of both, with the new numbers in place of the old ones; -1 stays."""
    return np.concatenate([np.array([*numbers(one), -1], dtype=np.int32)[column(one)] for one in both])
