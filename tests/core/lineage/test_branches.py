"""Walks as trees."""

from __future__ import annotations

import pytest

from orchestration.core.lineage.branches import (
    Branch,
    by_source,
    hops_to_json,
    limited,
    rows_downstream,
    rows_upstream,
    tree_of,
)
from orchestration.core.lineage.columns import ColumnLineage
from orchestration.core.lineage.kinds import Kind
from orchestration.core.lineage.walk import Field, downstream, upstream
from tests.core.lineage.test_walk import LINEAGES, sources

PEAK, WORD = Field("gold.peaks", "peak"), Field("gold.peaks", "word")


def lines(branch: Branch, depth: int = 0) -> list[str]:
    kinds = "+".join(branch.kinds)
    here = f"{'  ' * depth}{branch.field} {kinds}{' again' if branch.again else ''}{' '.join(branch.unknown)}"
    return [here.rstrip(), *(line for one in branch.below for line in lines(one, depth + 1))]


def test_upstream_to_the_source_with_what_a_table_keeps_of_its_own() -> None:
    assert lines(tree_of(upstream(LINEAGES, PEAK), down=False)) == [
        "gold.peaks.peak",
        "  silver.clean.metres AGGREGATION",
        "    bronze.rows.level TRANSFORMATION",
        "      bronze.rows.level IDENTITY again",
        "      feed.height IDENTITY",
    ]


def test_downstream_each_column_opens_once() -> None:
    both = {
        **LINEAGES,
        "gold.twice": ColumnLineage({"x": sources("silver.clean.metres IDENTITY", "bronze.rows.level SORT")}),
    }
    assert lines(tree_of(downstream(both, Field("feed", "height")), down=True)) == [
        "feed.height",
        "  bronze.rows.level IDENTITY",
        "    bronze.rows.level IDENTITY again",
        "    silver.clean.metres TRANSFORMATION",
        "      gold.peaks.peak AGGREGATION",
        "      gold.twice.x IDENTITY",
        "      gold.peaks.word CONDITIONAL",
        "    gold.twice.x SORT",
    ]


def test_what_cannot_be_read_is_said_of_its_column() -> None:
    tree = tree_of(upstream(LINEAGES, WORD), down=False)
    assert tree.unknown == ("Magic",)
    assert not tree.below[0].is_direct


@pytest.mark.parametrize(("hops", "found"), [(0, 0), (1, 1), (2, 2), (3, 4), (None, 4)])
def test_no_farther_than_so_many_hops(hops: int | None, found: int) -> None:
    assert len(limited(upstream(LINEAGES, PEAK), hops, down=False).hops) == found


def test_what_is_unknown_behind_the_last_hop_is_not_said_upstream() -> None:
    behind = {**LINEAGES, "gold.last": ColumnLineage({"x": sources("gold.peaks.word IDENTITY")})}
    walk = upstream(behind, Field("gold.last", "x"))
    assert [set(limited(walk, hops, down=False).unknown) for hops in (0, 1, 2, None)] == [set(), set(), {WORD}, {WORD}]
    assert set(limited(upstream(LINEAGES, WORD), 1, down=False).unknown) == {WORD}


def test_what_is_unknown_may_be_made_of_any_column_however_near() -> None:
    walk = downstream(LINEAGES, Field("feed", "time"))
    assert set(limited(walk, 1, down=True).unknown) == set(walk.unknown) == {WORD}


def test_who_decides_which_rows_there_are() -> None:
    up = rows_upstream(LINEAGES, upstream(LINEAGES, PEAK))
    assert [(key, sorted(rows.edges)) for key, rows in up.items()] == [
        ("gold.peaks", [("silver.clean", "at", Kind.GROUP_BY)]),
        ("silver.clean", [("bronze.rows", "level", Kind.FILTER)]),
    ]
    down = rows_downstream(LINEAGES, downstream(LINEAGES, Field("feed", "time")))
    assert [(key, sorted(rows.edges)) for key, rows in down.items()] == [
        ("gold.peaks", [("silver.clean", "at", Kind.GROUP_BY)])
    ]


def test_sources_by_column_direct_ones_first() -> None:
    found = by_source(sources("a.b.x FILTER", "a.b.z SORT", "a.b.y AGGREGATION", "a.b.y CONDITIONAL"))
    assert list(found.items()) == [
        (Field("a.b", "y"), (Kind.AGGREGATION, Kind.CONDITIONAL)),
        (Field("a.b", "x"), (Kind.FILTER,)),
        (Field("a.b", "z"), (Kind.SORT,)),
    ]


def test_hops_as_json() -> None:
    assert hops_to_json(upstream(LINEAGES, WORD).hops)[0] == {
        "source": {"of": "silver.clean", "column": "metres"},
        "target": {"of": "gold.peaks", "column": "word"},
        "type": "INDIRECT",
        "kind": "CONDITIONAL",
        "together": "CONDITIONAL",
        "distance": 1,
    }
