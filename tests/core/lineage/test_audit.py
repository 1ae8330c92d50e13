"""What a partition was made from, by records of small tables."""

from __future__ import annotations

from dataclasses import replace

from orchestration.core.declarations.catalog import Catalog
from orchestration.core.lineage.audit import Audit, Consulted, audited
from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.state.freshness import State
from orchestration.core.state.partition_record import ABSENT, Answer, PartitionRecord, Question
from orchestration.core.state.table_state import TableState
from tests.support.judged_tables import (
    AFTER,
    BEFORE,
    CLEAN,
    CURRENT,
    DAY,
    FEED,
    HOURS,
    LAKE,
    LOCATIONS,
    NULL,
    RUNS,
    feed,
    hours,
    locations,
    record,
    runs,
)
from tests.support.judged_tables import clean as clean_asset

CATALOG = Catalog(LAKE.values())
ASKED = Question("api", "auto", ("level",), 21.0, 105.0)


def text(*keys: PartitionKey, fingerprint: str) -> dict[str, str]:
    return {str(key): fingerprint for key in keys}


def tables() -> dict[str, TableState]:
    """A run of three days, of which the last was not there; all as its upstream is."""
    days = (BEFORE, DAY)
    of_feed = replace(
        record(feed, {"api": text(DAY, fingerprint="digest")}),
        answers=(Answer("2025-08-09T01:00:00Z", "digest"),),
        question=ASKED.id,
    )
    of_hours = record(
        hours, {CLEAN: text(DAY, fingerprint=f"rows of {CLEAN}"), LOCATIONS: {"null": f"rows of {LOCATIONS}"}}
    )
    return {
        FEED: TableState(5, dict.fromkeys(days, of_feed), questions={ASKED.id: ASKED}),
        CLEAN: TableState(
            5, dict.fromkeys(days, record(clean_asset, {FEED: text(DAY, fingerprint=f"rows of {FEED}")}))
        ),
        LOCATIONS: TableState(1, {NULL_KEY: record(locations, key=NULL_KEY)}),
        HOURS: TableState(5, dict.fromkeys(days, of_hours)),
        RUNS: TableState(
            5,
            {DAY: record(runs, {HOURS: text(*days, fingerprint=f"rows of {HOURS}") | text(AFTER, fingerprint=ABSENT)})},
        ),
    }


def of(found: dict[str, TableState], asset: str = RUNS, key: PartitionKey = DAY) -> Audit:
    return audited(CATALOG, asset, key, found, CURRENT)


def test_hop_by_hop_to_the_answers() -> None:
    audit = of(tables())
    told = [(hop.asset.key, str(hop.partitions)) for hop in audit.hops]
    assert sorted(told[2:4], key=lambda hop: hop[0] == LOCATIONS) == [(CLEAN, "2025-08-08 × hue"), (LOCATIONS, "null")]
    assert [told[0], told[1], told[4]] == [
        (RUNS, "2025-08-08 × hue"),
        (HOURS, "2025-08-07..2025-08-09 × hue"),
        (FEED, "2025-08-08 × hue"),
    ]
    assert str(audit.hops[1].absent) == "2025-08-09 × hue"
    (run,) = audit.hops[0].made
    assert run.judgement.state is State.FRESH
    assert run.code_counts is True
    assert [one.holds for one in run.reads[HOURS]] == [True, True, True]
    assert [one.was_absent for one in run.reads[HOURS]] == [False, False, True]
    (sent,) = audit.hops[-1].made
    assert sent.answers == (Answer("2025-08-09T01:00:00Z", "digest"),)
    assert sent.reads == {}
    assert audit.hops[-1].question_of(sent, sent.answers[0]) == ASKED


def test_what_changed_since_is_named_with_both_fingerprints() -> None:
    found = tables()
    found[HOURS] = TableState(6, {**dict(found[HOURS].records), BEFORE: replace(record(hours), fingerprint="new")})
    (run,) = of(found).hops[0].made
    assert [one for one in run.reads[HOURS] if not one.holds] == [Consulted(BEFORE, f"rows of {HOURS}", "new", False)]
    assert run.judgement.state is State.STALE


def test_what_somebody_else_changed_holds_no_more() -> None:
    found = tables()
    found[HOURS] = replace(found[HOURS], unrecorded=PartitionSet.one(DAY))
    (run,) = of(found).hops[0].made
    assert [(one.now, one.holds) for one in run.reads[HOURS] if one.partition == DAY] == [("unrecorded", False)]


def test_other_code_is_said() -> None:
    found = tables()
    found[RUNS] = TableState(6, {DAY: replace(record(runs), code="earlier")})
    (run,) = of(found).hops[0].made
    assert run.code_counts is False
    gone = audited(CATALOG, RUNS, DAY, found, replace(CURRENT, configured=frozenset({"hanoi"})))
    assert gone.hops[0].made[0].code_counts is None, "its location has no code of today"


def test_a_table_without_partitions() -> None:
    assert [str(hop.partitions) for hop in of(tables(), LOCATIONS, NULL_KEY).hops] == [str(NULL)]


def test_what_was_never_made_has_no_hops() -> None:
    assert of(tables(), key=AFTER).hops == ()
    assert of({}).hops == ()


def test_records_that_name_what_is_no_asset_any_more() -> None:
    found = tables()
    found[RUNS] = TableState(5, {DAY: record(runs, {"gold.gone": {str(DAY): "f"}})})
    audit = of(found)
    assert [hop.asset.key for hop in audit.hops] == [RUNS]
    assert audit.hops[0].made[0].reads["gold.gone"] == (Consulted(DAY, "f", ABSENT, False),)


def test_an_upstream_asset_that_became_one_downstream_is_walked_all_the_same() -> None:
    found = tables()
    found[FEED] = TableState(5, {DAY: PartitionRecord(1, "f", {RUNS: {str(DAY): "f"}}, "c", "c")})
    assert [hop.asset.key for hop in of(found, FEED).hops][:2] == [FEED, RUNS]
