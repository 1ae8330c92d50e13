"""What a change would make stale, against a search over single partitions and single columns."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.declarations.catalog import Catalog
from orchestration.core.lineage.columns import ColumnLineage, Edge, Sources
from orchestration.core.lineage.kinds import Kind
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import ALL_DAY, LAST_HOUR, FlaggedHours, Identity, nothing_flagged
from orchestration.core.planning.what_if import NOT_RECORDED, Reached, reached_by
from orchestration.core.state.table_state import TableState
from tests.support.planned_lake import (
    BEFORE,
    CLEAN,
    DAILY,
    FEED,
    HOURS,
    LAKE,
    LOCATIONS,
    NOTHING,
    NULL,
    RUNS,
    SUMMARY,
    WITH_SUMMARY,
    at,
    august,
    everything,
    flagged_on,
    quick,
    table,
    there,
)

Lineages = Mapping[str, ColumnLineage]
COLUMNS = ("a", "b")
BOTH = "gold.both"
WHOLE = Catalog([*WITH_SUMMARY, table(BOTH, Identity(HOURS), Identity(FEED))])
HUE = [PartitionKey(day, "hue") for day in august(*range(1, 6)).days]
MASKS = st.sampled_from([0, 1, LAST_HOUR, ALL_DAY])


def found(
    start: str,
    changed: PartitionSet,
    tables: Mapping[str, TableState],
    flagged: Mapping[int, int] | None = None,
    column: str | None = None,
    lineages: Lineages | None = None,
) -> dict[str, Reached]:
    flags = flagged_on(flagged or {})
    said = reached_by(WHOLE, start, changed, tables, lambda _window, _state: flags, column, lineages)
    assert [one.asset for one in said] == [key for key in WHOLE.keys if key in {one.asset for one in said}]
    return {one.asset: one for one in said}


# --- by hand ------------------------------------------------------------------------------------------------------


def test_all_that_is_made_from_it_with_rows_and_the_shortest_way() -> None:
    said = found(CLEAN, august(10), everything(BEFORE, {*LAKE.keys, SUMMARY}))
    assert {key: one.partitions for key, one in said.items()} == {
        HOURS: august(10),
        DAILY: august(10),
        RUNS: august(10, 11),
        SUMMARY: august(10, 11),
    }
    runs = said[RUNS]
    assert (runs.rows, runs.there, runs.path) == (2, 14, (CLEAN, HOURS, RUNS))
    assert (runs.same, runs.columns, runs.whole, runs.unknown) == (NOTHING, (), False, "")
    assert said[SUMMARY].path == (CLEAN, HOURS, RUNS, SUMMARY)


def test_the_runs_that_reach_what_changes_and_any_hour_of_it() -> None:
    """As a plan's *may rewrite*: days 10 and 12 change, a run may come to reach from day 8 to the day after."""
    said = found(HOURS, august(10, 12), everything(BEFORE), {8: LAST_HOUR, 9: ALL_DAY, 11: ALL_DAY})
    assert said[RUNS].partitions == august(8, 9, 10, 11, 12, 13)


def test_what_is_not_there_is_not_reached_nor_what_only_it_leads_to() -> None:
    tables = everything(BEFORE) | {HOURS: there(august(3))}
    assert set(found(CLEAN, august(10), tables)) == set()
    assert set(found(CLEAN, august(3), tables)) == {HOURS, DAILY, RUNS}
    assert found(CLEAN, august(3), {CLEAN: there(BEFORE)}) == {}


def test_an_unpartitioned_table_reaches_all_partitions() -> None:
    said = found(LOCATIONS, NULL, everything(at("hue", 1, 2) | at("ulm", 2)))
    assert said[HOURS].partitions == at("hue", 1, 2) | at("ulm", 2)
    assert said[HOURS].path == (LOCATIONS, HOURS)


def test_of_two_ways_the_shorter_one_is_told() -> None:
    said = found(FEED, august(1), everything(august(1, 2), WHOLE.keys))
    assert said[BOTH].path == (FEED, BOTH)
    said = found(FEED, august(1), everything(august(1, 2), WHOLE.keys), column="a", lineages={BOTH: OF_HOURS})
    assert said[BOTH].path == (FEED, CLEAN, HOURS, BOTH)


def test_of_two_ways_one_may_lead_elsewhere() -> None:
    """The hours change on day 1; on day 2 the feed alone does, of which nothing is made there."""
    tables = everything(august(1, 2), WHOLE.keys) | {HOURS: there(august(1)), BOTH: there(august(2))}
    said = found(FEED, august(1, 2), tables, column="a", lineages={**BY_HAND, BOTH: OF_HOURS})
    assert (said[BOTH].partitions, said[BOTH].same, said[BOTH].columns) == (NOTHING, august(2), ())


def edges(*said: str, kind: Kind = Kind.IDENTITY) -> Sources:
    return Sources(frozenset(Edge(*one.rpartition(".")[::2], kind) for one in said))


BY_HAND: Lineages = {
    CLEAN: ColumnLineage({"a": edges(f"{FEED}.a"), "b": edges(f"{FEED}.b")}, reads=frozenset({FEED})),
    HOURS: ColumnLineage(
        {"a": edges(f"{CLEAN}.a"), "b": edges(f"{CLEAN}.b", kind=Kind.CONDITIONAL), "name": edges(f"{LOCATIONS}.name")},
        edges(f"{LOCATIONS}.key", kind=Kind.JOIN),
        frozenset({CLEAN, LOCATIONS}),
    ),
    DAILY: ColumnLineage({"most": edges(f"{HOURS}.a", kind=Kind.AGGREGATION)}, reads=frozenset({HOURS})),
    RUNS: ColumnLineage({"hours": Sources()}, edges(f"{HOURS}.b", kind=Kind.FILTER), frozenset({HOURS})),
    SUMMARY: ColumnLineage({"number": Sources()}, reads=frozenset({RUNS})),
}


OF_HOURS = ColumnLineage({"a": edges(f"{HOURS}.a")}, reads=frozenset({HOURS, FEED}))


def test_of_a_column_only_what_is_made_of_it_may_differ() -> None:
    tables = everything(august(1, 2), WITH_SUMMARY.keys)
    said = found(FEED, august(1), tables, column="a", lineages=BY_HAND)
    assert {key: (one.partitions, one.same) for key, one in said.items()} == {
        CLEAN: (august(1), NOTHING),
        HOURS: (august(1), NOTHING),
        DAILY: (august(1), NOTHING),
        RUNS: (NOTHING, august(1, 2)),  # and so nothing of the summary
    }
    assert (said[DAILY].columns, said[DAILY].whole) == (("most",), False)
    assert (said[RUNS].columns, said[RUNS].rows, said[RUNS].same_rows) == ((), 0, 2)


def test_a_column_that_decides_which_rows_there_are_reaches_whoever_counts_them() -> None:
    said = found(FEED, august(1), everything(august(1, 2), WITH_SUMMARY.keys), column="b", lineages=BY_HAND)
    assert (said[HOURS].columns, said[HOURS].whole) == (("b",), False)
    assert (said[RUNS].columns, said[RUNS].whole) == ((), True)
    assert (said[SUMMARY].partitions, said[SUMMARY].columns, said[SUMMARY].whole) == (august(1, 2), (), True)
    assert (said[DAILY].partitions, said[DAILY].same) == (NOTHING, august(1))


def test_an_asset_without_recorded_columns_counts_and_so_does_all_that_reads_it() -> None:
    lineages = {key: one for key, one in BY_HAND.items() if key != HOURS}
    said = found(FEED, august(1), everything(august(1, 2), WITH_SUMMARY.keys), column="a", lineages=lineages)
    assert (said[HOURS].partitions, said[HOURS].whole, said[HOURS].unknown) == (august(1), True, NOT_RECORDED)
    assert said[RUNS].partitions == august(1, 2)
    assert said[RUNS].unknown == ""


def test_what_is_declared_and_never_read_makes_no_difference() -> None:
    unread = ColumnLineage({"name": edges(f"{LOCATIONS}.name")}, reads=frozenset({LOCATIONS}))
    said = found(FEED, august(1), everything(august(1)), column="a", lineages={HOURS: unread})
    assert (said[CLEAN].whole, said[HOURS].partitions, said[HOURS].same) == (True, NOTHING, august(1))


@pytest.mark.parametrize("where", ["columns", "rows"])
def test_what_could_not_be_read_of_a_plan_counts(where: str) -> None:
    lost = Sources(unknown=frozenset({"Mystery"}))
    days = ColumnLineage({"most": lost}) if where == "columns" else ColumnLineage({"most": Sources()}, lost)
    said = found(FEED, august(1), everything(august(1)), column="b", lineages={**BY_HAND, DAILY: days})
    assert (said[DAILY].partitions, said[DAILY].same) == (august(1), NOTHING)
    assert said[DAILY].unknown == "its plan could not be read whole (Mystery)"
    assert (said[DAILY].columns, said[DAILY].whole) == (((), True) if where == "rows" else (("most",), False))


def test_as_json() -> None:
    said = found(FEED, august(1), everything(august(1, 2), WITH_SUMMARY.keys), column="a", lineages=BY_HAND)
    assert said[RUNS].to_json() == {
        "asset": RUNS,
        "partitions": 0,
        "rows": 0,
        "intervals": [],
        "same_partitions": 2,
        "same_rows": 2,
        "same_intervals": [["hue", "2025-08-01", "2025-08-02"]],
        "there": 2,
        "path": [FEED, CLEAN, HOURS, RUNS],
        "columns": [],
        "whole": False,
        "unknown": "",
    }


# --- against a search ---------------------------------------------------------------------------------------------

Stale = dict[str, set[PartitionKey]]


def searched(
    start: str,
    changed: PartitionSet,
    tables: Mapping[str, TableState],
    flagged: Mapping[int, int],
    column: str | None,
    lineages: Lineages,
) -> tuple[Stale, Stale, set[tuple[str, str]]]:
    """Key by key: which may come out otherwise, and which come out the same; and all nodes that are reached.

    A key reads a change if what it depends on, by ``consulted_by`` where any hour of what changes may be flagged, has
    some of it. It differs if from a node that the change reached, a column or the rows of a table, an edge leads on.
    """
    stale: Stale = {start: set(changed)}
    same: Stale = {}
    nodes = {(start, column if column is not None else "rows")}
    for asset in WHOLE:
        if asset.key == start:
            continue
        reads: dict[str, set[PartitionKey]] = {}
        for mapping in asset.upstream:
            above = stale.get(mapping.of, set())
            within = any_hour_of(above, flagged_on(flagged)) if mapping.window else nothing_flagged
            reads[mapping.of] = {
                key
                for key in tables.get(asset.key, TableState()).records
                if above & set(mapping.consulted_by(key, within))
            }
        arrows = {
            (node, target)
            for node, target in steps(asset.key, column, lineages)
            if node in nodes and reads.get(node[0])
        }
        nodes |= {(asset.key, target) for _, target in arrows}
        through = {of for (of, _), _ in arrows}
        stale[asset.key] = {key for of in through for key in reads[of]}
        same[asset.key] = {key for keys in reads.values() for key in keys} - stale[asset.key]
    return stale, same, nodes


def any_hour_of(keys: set[PartitionKey], stored: FlaggedHours) -> FlaggedHours:
    return lambda location, day: ALL_DAY if PartitionKey(day, location) in keys else stored(location, day)


def steps(asset: str, column: str | None, lineages: Lineages) -> set[tuple[tuple[str, str], str]]:
    """What leads to a column of an asset or to its ``rows``: ((upstream, column or rows), column or rows)."""
    upstream = WHOLE[asset].upstream_keys
    lineage = None if column is None else lineages.get(asset)
    if lineage is None:
        return {((of, node), "rows") for of, node in product(upstream, (*COLUMNS, "rows"))}
    targets = [*lineage.columns.items(), ("rows", lineage.rows)]
    by_value = {((edge.of, edge.column), name) for name, sources in targets for edge in sources.edges}
    return by_value | {((of, "rows"), "rows") for of in lineage.reads}


@st.composite
def some_lineages(draw: st.DrawFn) -> Lineages:
    """Of some assets; each column, and the rows, of a few columns of what is upstream."""
    found = {}
    for asset in WHOLE:
        if not asset.upstream or (draw(st.booleans()) and draw(st.booleans())):
            continue
        above = st.sampled_from([Edge(of, name, Kind.FILTER) for of in asset.upstream_keys for name in COLUMNS])
        few = st.frozensets(above, max_size=2).map(Sources)
        found[asset.key] = ColumnLineage(
            {name: draw(few) for name in COLUMNS}, draw(few), draw(st.frozensets(st.sampled_from(asset.upstream_keys)))
        )
    return found


some_days = st.frozensets(st.sampled_from(HUE)).map(PartitionSet.from_keys)
some_tables = st.fixed_dictionaries(
    {key: (st.sampled_from([NULL, NOTHING]) if key == LOCATIONS else some_days) for key in WHOLE.keys}
)


@quick
@given(
    start=st.sampled_from(WHOLE.keys),
    partitions=some_tables,
    which=some_days,
    flagged=st.dictionaries(st.integers(0, 6), MASKS),
    column=st.sampled_from([None, *COLUMNS]),
    lineages=some_lineages(),
)
def test_it_is_what_a_search_finds(
    start: str,
    partitions: dict[str, PartitionSet],
    which: PartitionSet,
    flagged: dict[int, int],
    column: str | None,
    lineages: Lineages,
) -> None:
    tables = {key: there(of) for key, of in partitions.items()}
    changed = partitions[start] & (which | NULL)
    said = found(start, changed, tables, flagged, column, lineages)
    stale, same, nodes = searched(start, changed, tables, flagged, column, lineages)
    stale.pop(start)
    assert {key: set(one.partitions) for key, one in said.items() if one.partitions} == {
        key: keys for key, keys in stale.items() if keys
    }
    assert {key: set(one.same) for key, one in said.items() if one.same} == {
        k: keys for k, keys in same.items() if keys
    }
    for key, one in said.items():
        if column is not None:
            assert {*one.columns, *["rows"] * one.whole} == {node for of, node in nodes if of == key}
        assert (one.rows, one.same_rows) == (len(one.partitions), len(one.same))  # a row each
        assert one.path[0] == start
        assert one.path[-1] == one.asset
        assert all(above in WHOLE[below].upstream_keys for above, below in zip(one.path, one.path[1:], strict=False))
