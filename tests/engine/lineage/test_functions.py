"""Every function, in every call that the test of both engines' answers knows: both plans say the same of its sources,
and what is written of functions is what Spark's registry says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Window

from orchestration.core.lineage.columns import Sources
from orchestration.core.lineage.functions import AGGREGATES, CHOICES, GENERATORS, OFFSETS, RANKS, ROW_BY_ROW
from orchestration.core.lineage.plan import Origin
from orchestration.engine.lineage.marks import marked
from orchestration.engine.lineage.of_frames import Given, lineage_of_frame
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from tests.support.function_samples import samples
from tests.support.function_values import Asked, asked

pytestmark = [pytest.mark.spark, pytest.mark.timeout(400)]

BATCH = 60
REFUSED = (PySparkException, Py4JError, TypeError, ValueError, AttributeError)
Made = Mapping[str, Any]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    uri = str(tmp_path_factory.mktemp("lake"))
    return open_workspace(load(environment={}, flags={"warehouse": {"uri": uri}}))


def frame_of(kind: str, rows: DataFrame, columns: Made) -> DataFrame:
    """A frame with calls of one kind, each as the column of its name."""
    made = [column.alias(name) for name, column in columns.items()]
    if kind == "aggregate":
        return rows.groupBy("g").agg(*made)
    if kind == "window":
        window = Window.partitionBy("g").orderBy("id")
        return rows.select(*(column.over(window).alias(name) for name, column in columns.items()))
    return rows.orderBy(*columns.values()).select("id") if kind == "order" else rows.select(*made)


def said_of(kind: str, calls: list[Asked], rows: DataFrame, given: Given) -> dict[str, Sources]:
    """What is said of each call; nothing of one that the engine refuses before it evaluates anything."""
    columns = {}
    for at, call in enumerate(calls):
        try:
            columns[f"c{at}"] = call.make()
        except REFUSED:
            continue
    try:
        found = lineage_of_frame(frame_of(kind, rows, columns), [given])
    except REFUSED:
        if len(calls) < 2:
            return {}
        half = len(calls) // 2
        return said_of(kind, calls[:half], rows, given) | said_of(kind, calls[half:], rows, given)
    if kind == "order":
        return {calls[0].said: found.rows}
    return {call.said: found.columns[f"c{at}"] for at, call in enumerate(calls) if f"c{at}" in columns}


def said_on(engine: Any, wanted: Callable[[Asked], bool] = lambda _: True) -> dict[str, Sources]:
    table = samples()
    given = Given(tuple(table.column_names), (Origin("samples", {name: name for name in table.column_names}),))
    found: dict[str, Sources] = {}
    with engine.working("functions"):
        rows = marked(engine.rows(table.slice(0, 0)), 0, given.columns)
        calls = [call for call in asked(everything=True) if call.said.split()[0] not in ("instead", "itself")]
        for kind in dict.fromkeys(call.kind for call in calls):
            mine = [call for call in calls if call.kind == kind and wanted(call)]
            size = 1 if kind in ("generator", "order") else BATCH
            for start in range(0, len(mine), size):
                found |= said_of(kind, mine[start : start + size], rows, given)
    return found


def test_both_say_the_same_of_every_call(workspace: Workspace, embedded: Any, on_spark: Any) -> None:
    spark = said_on(on_spark.engine(workspace.warehouse))
    connect = said_on(embedded.engine(workspace.warehouse), lambda call: call.said in spark)
    assert len(spark) > 1000
    unknown = {said for said, sources in spark.items() if sources.unknown}
    assert {said.split("(")[0] for said in unknown} == {"column window", "column session_window"}
    assert all(connect[said].unknown for said in unknown)
    differing = {
        said: (sorted(sources.edges), sorted(connect[said].edges), connect[said].unknown)
        for said, sources in spark.items()
        if sources != connect[said] and said not in unknown
    }
    assert differing == {}


NOT_IN_THE_REGISTRY = {"product", "timestampadd", "timestampdiff"}
GROUPED_OTHERWISE = {"vector_avg", "vector_sum", "schema_of_variant_agg"}
"""Aggregates that the registry groups by what they are about."""
LEFT_OUT = {"window", "session_window", "window_time", "python_worker_logs", "range", "table_changes",
            "table_changes_by_path"}  # fmt: skip


def test_what_is_written_of_functions_is_what_the_registry_says(spark: Any) -> None:
    java = spark._jsparkSession.sessionState().catalog()
    identifier = spark._jvm.org.apache.spark.sql.catalyst.FunctionIdentifier
    groups: dict[str, set[str]] = {}
    for (name,) in spark.sql("show functions").collect():
        groups.setdefault(java.lookupFunctionInfo(identifier(name)).getGroup(), set()).add(name.lower())
    everything = set().union(*groups.values())
    assert groups["agg_funcs"] | GROUPED_OTHERWISE | {"product"} == AGGREGATES
    assert groups["window_funcs"] == RANKS | OFFSETS
    assert groups["generator_funcs"] - LEFT_OUT <= GENERATORS
    assert groups["conditional_funcs"] - {"between"} <= CHOICES
    kinds = [AGGREGATES, RANKS, OFFSETS, GENERATORS, CHOICES, ROW_BY_ROW]
    known = frozenset().union(*kinds)
    assert len(known) == sum(map(len, kinds))
    assert everything - known == LEFT_OUT
    assert known - everything <= NOT_IN_THE_REGISTRY | {"variant_explode", "variant_explode_outer"}
