"""Walks over the lineages of several assets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.errors import UsageError
from orchestration.core.lineage.columns import ColumnLineage, Edge, Sources
from orchestration.core.lineage.kinds import Kind, along
from orchestration.core.lineage.walk import Field, downstream, ends, field_of, upstream


def sources(*edges: str, unknown: frozenset[str] = frozenset()) -> Sources:
    """``bronze.rows.level IDENTITY``."""
    found = []
    for edge in edges:
        name, kind = edge.split()
        of, _, column = name.rpartition(".")
        found.append(Edge(of, column, Kind(kind)))
    return Sources(frozenset(found), unknown)


LINEAGES = {
    "bronze.rows": ColumnLineage(
        {"at": sources("feed.time IDENTITY", "bronze.rows.at IDENTITY"),
         "level": sources("feed.height IDENTITY", "bronze.rows.level IDENTITY"),
         "model": sources()},
    ),
    "silver.clean": ColumnLineage(
        {"at": sources("bronze.rows.at IDENTITY"), "metres": sources("bronze.rows.level TRANSFORMATION"),
         "model": sources("bronze.rows.model IDENTITY")},
        sources("bronze.rows.level FILTER"),
    ),
    "gold.peaks": ColumnLineage(
        {"day": sources("silver.clean.at TRANSFORMATION"), "peak": sources("silver.clean.metres AGGREGATION"),
         "word": sources("silver.clean.metres CONDITIONAL", unknown=frozenset({"Magic"}))},
        sources("silver.clean.at GROUP_BY"),
    ),
}  # fmt: skip


def shown(walk: object) -> list[str]:
    return [
        f"{hop.source} → {hop.target} {hop.kind} {hop.together} {hop.distance}"
        for hop in walk.hops  # type: ignore[attr-defined]
    ]


def test_upstream_to_what_the_source_calls_it() -> None:
    walk = upstream(LINEAGES, Field("gold.peaks", "peak"))
    assert shown(walk) == [
        "silver.clean.metres → gold.peaks.peak AGGREGATION AGGREGATION 1",
        "bronze.rows.level → silver.clean.metres TRANSFORMATION AGGREGATION 2",
        "bronze.rows.level → bronze.rows.level IDENTITY AGGREGATION 3",
        "feed.height → bronze.rows.level IDENTITY AGGREGATION 3",
    ]
    assert ends(walk) == {Edge("feed", "height", Kind.AGGREGATION)}
    assert not walk.unknown


def test_with_what_decides_the_rows() -> None:
    walk = upstream(LINEAGES, Field("gold.peaks", "peak"), rows=True)
    assert ends(walk) == {
        Edge("feed", "height", Kind.AGGREGATION),
        Edge("feed", "height", Kind.FILTER),
        Edge("feed", "height", Kind.GROUP_BY),
        Edge("feed", "time", Kind.GROUP_BY),
    }


def test_a_constant_is_an_end() -> None:
    walk = upstream(LINEAGES, Field("silver.clean", "model"))
    assert ends(walk) == {Edge("bronze.rows", "model", Kind.IDENTITY)}


def test_what_could_not_be_read_on_the_way_is_told() -> None:
    walk = upstream(LINEAGES, Field("gold.peaks", "word"))
    assert walk.unknown == {Field("gold.peaks", "word"): {"Magic"}}


def test_downstream() -> None:
    walk = downstream(LINEAGES, Field("feed", "height"))
    assert [str(hop.target) for hop in walk.hops] == [
        "bronze.rows.level", "bronze.rows.level", "silver.clean.metres", "gold.peaks.peak", "gold.peaks.word",
    ]  # fmt: skip
    assert walk.hops[-1].together == Kind.CONDITIONAL
    everything = downstream(LINEAGES, Field("feed", "height"), rows=True)
    assert {str(hop.target) for hop in everything.hops} >= {"silver.clean.model", "gold.peaks.day"}


@pytest.mark.parametrize(
    "text, message, remedy",
    [
        ("gold.peaks.peek", "gold.peaks has no column 'peek'", "Did you mean 'peak'?"),
        ("gold.peak.peak", "gold.peak is no asset or source whose columns are known", "Did you mean 'gold.peaks'?"),
        ("feed.heigth", "feed has no column 'heigth'", "Did you mean 'height'?"),
        ("feed.qqq", "feed has no column 'qqq'", "Known are height, time."),
        ("peak", "'peak' names no column", "Known are bronze.rows, feed, gold.peaks, silver.clean."),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(text: str, message: str, remedy: str) -> None:
    with pytest.raises(UsageError) as raised:
        field_of(text, LINEAGES)
    assert (raised.value.message, raised.value.remedy) == (message, remedy)


def test_a_known_name() -> None:
    assert field_of("gold.peaks.peak", LINEAGES) == Field("gold.peaks", "peak")
    assert field_of("feed.height", LINEAGES) == Field("feed", "height")


NAMES = ("s.a", "s.b", "s.c", "s.d")
GRAPHS = st.dictionaries(
    st.sampled_from(NAMES),
    st.dictionaries(
        st.sampled_from("xy"),
        st.frozensets(
            st.builds(Edge, st.sampled_from(NAMES), st.sampled_from("xy"), st.sampled_from(list(Kind))), max_size=3
        ),
    ),
)


@given(GRAPHS, st.sampled_from(NAMES), st.sampled_from("xy"))
def test_both_ways_walk_the_same_edges_and_end(
    graph: dict[str, dict[str, frozenset[Edge]]], of: str, column: str
) -> None:
    lineages = {
        key: ColumnLineage({name: Sources(edges) for name, edges in columns.items()}) for key, columns in graph.items()
    }
    start = Field(of, column)
    up = upstream(lineages, start)
    for hop in up.hops:
        assert Edge(*hop.source, hop.kind) in lineages[hop.target.of].columns[hop.target.column].edges
        back = downstream(lineages, hop.source)
        assert any(other.target == start and other.together == hop.together for other in back.hops)
    near = [hop for hop in up.hops if hop.distance == 1]
    assert all(hop.together == along(hop.kind, Kind.IDENTITY) for hop in near)
    assert [hop.distance for hop in up.hops] == sorted(hop.distance for hop in up.hops)
