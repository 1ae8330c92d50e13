"""Provenance of any kind, and as it is to be read again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.state.provenance import Answer, PartitionRecord, Provenance, Question, Shape, TurnedAway, dumps
from orchestration.core.state.versions import Equal
from tests.support.records import AT, key

HUE = Question("open_meteo", "cams_global", ("pm2_5", "no2"), 16.0, 107.5)


def record(fingerprint: str = "f", rows: int = 24, **facts: Any) -> PartitionRecord:
    return PartitionRecord(rows, fingerprint, facts.pop("inputs", {}), facts.pop("code", "c1"), "k1", **facts)


def through_json(provenance: Provenance, version: int = 7) -> Provenance:
    return Provenance.from_json(json.loads(dumps(provenance.to_json())), version)


def stamped(provenance: Provenance, version: int = 7) -> Provenance:
    """As it is to be read: the records know which commit they are of."""
    by = {"run_id": provenance.run_id, "at": provenance.at, "version": version}
    return replace(provenance, records={at: replace(told, **by) for at, told in provenance.records.items()})


words = st.text(alphabet="abcdef0123456789", min_size=1, max_size=4)
odd_texts = ["absent", "unrecorded", "empty", "f without a,b", "", "-", "Huế", "ff" * 10, "f" * 200, "f\0"]
fingerprints = words | st.sampled_from(odd_texts)
some_keys = st.builds(key, st.integers(1, 9), st.sampled_from(["hanoi", "hcmc", "hue"])) | st.just(NULL_KEY)
odd_keys = st.sampled_from(
    ["", "0", "-1", "2025-08", "2025-08/hue", "2025-08-08", "2025-13-01/hue", "2025-W32-5/hue", "2025-08-08/", "x/y"]
)
consulted = st.dictionaries(some_keys.map(str) | odd_keys, fingerprints, max_size=4)
upstream = st.sampled_from(["open_meteo", "silver.clean", "gold.dim"])
masks = st.none() | st.integers(0, 2**25)
moments = st.sampled_from(["", AT, "2025-08-19T00:00:00Z"])
names = st.sampled_from(["aqi", "pm2_5", "no2", "late"])
records = st.builds(
    PartitionRecord,
    rows=st.integers(0, 10**12),
    fingerprint=fingerprints,
    inputs=st.dictionaries(upstream, consulted, max_size=3),
    code=st.sampled_from(["c1", "2:aa:bb"]),
    contract=st.sampled_from(["k1", "k2"]),
    checks=st.dictionaries(words, st.integers(1, 9), max_size=2),
    as_of=moments,
    also=st.dictionaries(words, fingerprints, max_size=2),
    answers=st.lists(st.builds(Answer, moments, fingerprints, st.booleans(), masks), max_size=3).map(tuple),
    turned_away=st.lists(
        st.builds(TurnedAway, moments, fingerprints, st.integers(0, 99), st.lists(names, max_size=2).map(tuple)),
        max_size=2,
    ).map(tuple),
    question=st.sampled_from(["", "0123456789ab", "q"]),
    values=st.dictionaries(names, st.integers(0, 25), max_size=3),
    check_versions=st.dictionaries(names, words, max_size=2),
)


@st.composite
def regular(draw: st.DrawFn) -> dict[PartitionKey, PartitionRecord]:
    """Records as runs make them: each consulted its own key, and asked for it once."""
    told = {}
    for at in draw(st.lists(some_keys, max_size=12, unique=True)):
        one, digest = draw(records), draw(words)
        inputs = {"open_meteo": {str(at): digest}, "gold.dim": {"null": "n"}}
        told[at] = replace(one, inputs=inputs, answers=(Answer(AT, digest), *one.answers[1:]))
    return told


provenances = st.builds(
    Provenance,
    run_id=words,
    asset=st.just("gold.hours"),
    at=st.just(AT),
    records=st.dictionaries(some_keys, records, max_size=6) | regular(),
    wiped=st.frozensets(some_keys, max_size=5).map(PartitionSet.from_keys),
    questions=st.dictionaries(words, st.sampled_from([HUE, replace(HUE, variables=(), latitude=None)]), max_size=2),
    shapes=st.dictionaries(words, st.sampled_from([Shape((), "r"), Shape((("a", "long", True),), "r")]), max_size=2),
    equal=st.lists(st.builds(Equal, words, st.none() | words, words, words), max_size=2).map(tuple),
    past=st.lists(st.dictionaries(names, words | st.floats(-90, 90) | st.none(), max_size=2), max_size=2).map(tuple),
    columns_of=st.dictionaries(words, words, max_size=2),
    by=st.sampled_from(["", "0.2.0"]),
)
