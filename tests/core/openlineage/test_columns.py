"""Where columns come from, in OpenLineage's facet: every kind of edge, several ways, and what is not known whole."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from orchestration.core.lineage.columns import ColumnLineage, Edge, Sources
from orchestration.core.lineage.kinds import Kind
from orchestration.core.openlineage.columns import ReportedColumns, SourceField, reported_columns
from orchestration.core.openlineage.naming import Dataset

HOURS, DAYS = Dataset("file", "/lake/silver/hours"), Dataset("file", "/lake/gold/days")
NAMES = {"silver.hours": HOURS, "gold.days": DAYS}


def sources(*edges: tuple[str, str, Kind], unknown: Iterable[str] = ()) -> Sources:
    return Sources(frozenset(Edge(*edge) for edge in edges), frozenset(unknown))


def test_a_column_that_is_used_in_two_ways_is_named_once() -> None:
    ways = [
        SourceField("file", "/a", "x", "DIRECT", "IDENTITY"),
        SourceField("file", "/a", "x", "INDIRECT", "CONDITIONAL"),
        SourceField("file", "/a", "x", "DIRECT", "IDENTITY"),
    ]
    made = ReportedColumns({"y": ways, "constant": []}).facet()
    assert made == {
        "fields": {
            "y": {
                "inputFields": [
                    {
                        "namespace": "file",
                        "name": "/a",
                        "field": "x",
                        "transformations": [
                            {"type": "DIRECT", "subtype": "IDENTITY"},
                            {"type": "INDIRECT", "subtype": "CONDITIONAL"},
                        ],
                    }
                ]
            },
            "constant": {"inputFields": []},
        }
    }


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_has_its_type_and_subtype(kind: Kind) -> None:
    told = reported_columns(ColumnLineage({"y": sources(("silver.hours", "x", kind))}), NAMES.get).facet()
    [field] = told["fields"]["y"]["inputFields"]
    assert (field["namespace"], field["name"], field["field"]) == (*HOURS, "x")
    direct = kind in (Kind.IDENTITY, Kind.TRANSFORMATION, Kind.AGGREGATION)
    assert field["transformations"] == [{"type": "DIRECT" if direct else "INDIRECT", "subtype": kind.name}]


def test_what_decides_about_rows_is_of_the_whole() -> None:
    rows = sources(("silver.hours", "ts", Kind.GROUP_BY), ("gold.days", "day", Kind.JOIN))
    told = reported_columns(ColumnLineage({"one": sources()}, rows), NAMES.get)
    assert told == ReportedColumns(
        {"one": ()},
        (
            SourceField(*DAYS, "day", "INDIRECT", "JOIN"),
            SourceField(*HOURS, "ts", "INDIRECT", "GROUP_BY"),
        ),
    )
    assert [one["field"] for one in told.facet()["dataset"]] == ["day", "ts"]


def test_what_is_not_known_whole_is_not_told() -> None:
    """A part of it would be taken for all; what comes from nothing is told, so that the two are not mixed up."""
    part = sources(("silver.hours", "x", Kind.IDENTITY), unknown=["magic"])
    told = reported_columns(
        ColumnLineage({"y": part, "z": sources(unknown=["magic"]), "one": sources()}, part), NAMES.get
    )
    assert told.facet() == {"fields": {"one": {"inputFields": []}}}


def test_what_has_no_name_here_is_left_out() -> None:
    told = reported_columns(ColumnLineage({"y": sources(("gauges", "x", Kind.IDENTITY))}), NAMES.get)
    assert told.facet() == {"fields": {"y": {"inputFields": []}}}
