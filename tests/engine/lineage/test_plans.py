"""Column lineage of small functions on both engines: each says what is written here, so both say the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from orchestration.core.lineage.columns import ColumnLineage, Sources
from orchestration.core.lineage.plan import Origin
from orchestration.engine.lineage.marks import marked
from orchestration.engine.lineage.of_frames import Given, lineage_of_frame
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace

A = {"k": pa.int64(), "v": pa.float64(), "t": pa.string(), "n": pa.int32(), "xs": pa.list_(pa.int64())}
B = {"k": pa.int64(), "w": pa.float64(), "t": pa.string(), "n": pa.int64()}
SHORT = {
    "IDENTITY": "=",
    "TRANSFORMATION": "~",
    "AGGREGATION": "agg",
    "GROUP_BY": "group",
    "CONDITIONAL": "if",
}


class Case(NamedTuple):
    """columns: what each is made of, ``a.v ~`` for a transformation of the first frame's v; see ``SHORT``."""

    make: Callable[[DataFrame, DataFrame], DataFrame]
    columns: Mapping[str, str]
    rows: str = ""


def by_t(order: str) -> Any:
    return Window.partitionBy("t").orderBy(order)


CASES: Mapping[str, Case] = {
    "as it is": Case(lambda a, b: a.select("k", F.col("v").alias("z")), {"k": "a.k =", "z": "a.v ="}),
    "constants": Case(lambda a, b: a.select(F.lit(1).alias("one"), F.current_date().alias("d")), {"one": "", "d": ""}),
    "row by row": Case(
        lambda a, b: a.select((a.k + a["v"] * 2).alias("x"), F.col("v").cast("int"), F.upper("t").alias("u")),
        {"x": "a.k ~, a.v ~", "v": "a.v ~", "u": "a.t ~"},
    ),
    "a column in its own location": Case(
        lambda a, b: a.select("k", "v").withColumns({"v": F.abs("v"), "K": F.col("k"), "z": F.col("v")}),
        {"K": "a.k =", "v": "a.v ~", "z": "a.v ="},
    ),
    "renamed, dropped, all named anew": Case(
        lambda a, b: a.withColumnRenamed("v", "w").drop("t", "xs").drop(a.n).toDF("x", "y"),
        {"x": "a.k =", "y": "a.v ="},
    ),
    "renamed one after the other": Case(
        lambda a, b: a.select("k", "v", "n").withColumnsRenamed({"k": "x", "v": "k", "x": "V", "n": "m"}),
        {"V": "a.k =", "k": "a.v =", "m": "a.n ="},
    ),
    "choices": Case(
        lambda a, b: a.select(
            F.when(F.col("t") == "x", F.col("v")).when(F.col("n") > 1, 0.0).otherwise(F.col("k")).alias("w"),
            F.coalesce("v", F.col("k").cast("double")).alias("c"),
            F.nullif("v", F.lit(1.0)).alias("u"),
            F.nvl2("t", "v", "v").alias("m"),
        ),
        {
            "w": "a.t if, a.n if, a.v ~, a.k ~",
            "c": "a.v if, a.v ~, a.k ~",
            "u": "a.v if, a.v ~",
            "m": "a.t if, a.v ~",
        },
    ),
    "functions of functions": Case(
        lambda a, b: a.select(
            F.filter("xs", lambda x: x > F.col("k")).alias("f"),
            F.transform("xs", lambda x: x + 1).alias("t"),
            F.struct("k", "v").getField("v").alias("s"),
            F.col("xs")[0].alias("first"),
        ),
        {"f": "a.xs ~, a.k ~", "t": "a.xs ~", "s": "a.k ~, a.v ~", "first": "a.xs ~"},
    ),
    "filtered": Case(
        lambda a, b: a.where((F.col("v") > 1) & F.col("t").isNotNull()).select("k"),
        {"k": "a.k ="},
        "a.v FILTER, a.t FILTER",
    ),
    "filtered by what was dropped": Case(
        lambda a, b: a.select("k").where(F.col("v") > 1).orderBy("t"), {"k": "a.k ="}, "a.v FILTER, a.t SORT"
    ),
    "filtered by what was made": Case(
        lambda a, b: a.select("k", F.length("t").alias("l")).where(F.col("l") > 1).select("k"),
        {"k": "a.k ="},
        "a.t FILTER",
    ),
    "grouped": Case(
        lambda a, b: a.groupBy("t", (F.col("k") % 2).alias("odd")).agg(
            F.sum(F.col("v") * 2).alias("s"), F.count(F.lit(1)).alias("c"), F.max_by("v", "n").alias("m")
        ),
        {"t": "a.t =", "odd": "a.k ~", "s": "a.v agg", "c": "", "m": "a.v agg, a.n agg"},
        "a.t group, a.k group",
    ),
    "grouped, then made": Case(
        lambda a, b: a.groupBy("t").agg(F.count_if(F.col("v") > 1).alias("c"), F.count_distinct("k").alias("d"))
        .where(F.col("c") > 2)
        .select((F.col("c") / F.col("d")).alias("r"), "t"),
        {"r": "a.v agg, a.k agg", "t": "a.t ="},
        "a.t group, a.v FILTER",
    ),
    "over a window": Case(
        lambda a, b: a.select(
            F.row_number().over(by_t("k")).alias("r"),
            F.lag("v").over(by_t("k")).alias("l"),
            F.sum("v").over(Window.partitionBy("t")).alias("s"),
            (F.col("k") - F.rank().over(by_t("n"))).alias("d"),
        ),
        {
            "r": "a.t WINDOW, a.k WINDOW",
            "l": "a.v ~, a.t WINDOW, a.k WINDOW",
            "s": "a.v agg, a.t WINDOW",
            "d": "a.k ~, a.t WINDOW, a.n WINDOW",
        },
    ),
    "the first of each": Case(
        lambda a, b: a.withColumn("r", F.row_number().over(by_t("v"))).where(F.col("r") == 1).select("k"),
        {"k": "a.k ="},
        "a.t FILTER, a.v FILTER",
    ),
    "exploded": Case(
        lambda a, b: a.select("k", F.explode("xs").alias("x")).where(F.col("x") > 0),
        {"k": "a.k =", "x": "a.xs ~"},
        "a.xs FILTER",
    ),
    "joined by name": Case(
        lambda a, b: a.select("k", "v").join(b.select("k", "w"), "k"),
        {"k": "a.k =", "v": "a.v =", "w": "b.w ="},
        "a.k JOIN, b.k JOIN",
    ),
    "joined by name, all of both": Case(
        lambda a, b: a.select("k", "v").join(b.select("k", "w"), ["k"], "full"),
        {"k": "a.k if, a.k ~, b.k ~", "v": "a.v =", "w": "b.w ="},
        "a.k JOIN, b.k JOIN",
    ),
    "joined by name, all of the right": Case(
        lambda a, b: a.select("k", "v").join(b.select("k", "w"), ["k"], "right"),
        {"k": "b.k =", "v": "a.v =", "w": "b.w ="},
        "a.k JOIN, b.k JOIN",
    ),
    "joined by a condition": Case(
        lambda a, b: a.join(b, (a.k == b.k) & (a.v < b.w), "left").select(a.t, b.t.alias("other"), "w"),
        {"t": "a.t =", "other": "b.t =", "w": "b.w ="},
        "a.k JOIN, b.k JOIN, a.v JOIN, b.w JOIN",
    ),
    "joined by aliases": Case(
        lambda a, b: a.alias("x").join(b.alias("y"), F.col("x.k") == F.col("y.k")).select("x.v", F.col("y.t")),
        {"v": "a.v =", "t": "b.t ="},
        "a.k JOIN, b.k JOIN",
    ),
    "joined with itself by aliases": Case(
        lambda a, b: a.alias("x").join(a.alias("y"), F.col("x.k") == F.col("y.n")).select("x.v", F.col("y.t"), "y.k"),
        {"v": "a.v =", "t": "a.t =", "k": "a.k ="},
        "a.k JOIN, a.n JOIN",
    ),
    "all of one side": Case(
        lambda a, b: a.alias("x").join(b.alias("y"), F.col("x.k") == F.col("y.k")).select("y.*", F.col("x.v")),
        {"k": "b.k =", "w": "b.w =", "t": "b.t =", "n": "b.n =", "v": "a.v ="},
        "a.k JOIN, b.k JOIN",
    ),
    "a field": Case(
        lambda a, b: a.select(F.struct("k", F.col("v").alias("w")).alias("p"), "t").select(
            "p.w", F.col("p")["k"].alias("q")
        ),
        {"w": "a.k ~, a.v ~", "q": "a.k ~, a.v ~"},
    ),
    "those that have one, those that have none": Case(
        lambda a, b: a.join(b, "k", "left_semi").join(b.select("t"), "t", "left_anti").select("v"),
        {"v": "a.v ="},
        "a.k JOIN, b.k JOIN, a.t JOIN, b.t JOIN",
    ),
    "joined with itself": Case(
        lambda a, b: a.select("k", "v").join(a.groupBy("k").agg(F.max("v").alias("most")), "k").select("v", "most"),
        {"v": "a.v =", "most": "a.v agg"},
        "a.k JOIN, a.k group",
    ),
    "each with each": Case(lambda a, b: a.select("v").crossJoin(b.select("w")), {"v": "a.v =", "w": "b.w ="}),
    "one after the other": Case(
        lambda a, b: a.select("k", F.col("v").alias("x")).union(b.select("k", "w")),
        {"k": "a.k =, b.k =", "x": "a.v =, b.w ="},
    ),
    "one after the other by name": Case(
        lambda a, b: a.select("k", "t").unionByName(b.select(F.lower("t").alias("t"), "k")),
        {"k": "a.k =, b.k =", "t": "a.t =, b.t ~"},
    ),
    "by name, where some are missing": Case(
        lambda a, b: a.select("k", "v").unionByName(b.select("w", "k"), allowMissingColumns=True),
        {"k": "a.k =, b.k =", "v": "a.v =", "w": "b.w ="},
    ),
    "one after the other, of other types": Case(
        lambda a, b: a.select("n").union(b.select("n")), {"n": "a.n ~, b.n ="}
    ),
    "one after itself": Case(
        lambda a, b: a.select("v").union(a.select("k").select(F.col("k") * 1.0)), {"v": "a.v =, a.k ~"}
    ),
    "what is in both, what is in one": Case(
        lambda a, b: a.select("k").intersect(b.select("k")).exceptAll(b.select("k")),
        {"k": "a.k ="},
        "a.k JOIN, b.k JOIN",
    ),
    "each once": Case(
        lambda a, b: a.select("k", "t").distinct().dropDuplicates(["t"]),
        {"k": "a.k =", "t": "a.t ="},
        "a.k group, a.t group",
    ),
    "ordered and cut": Case(
        lambda a, b: a.orderBy(F.desc("v"), "t").limit(3).offset(1).repartition(2).select("k"),
        {"k": "a.k ="},
        "a.v SORT, a.t SORT",
    ),
    "without nulls": Case(
        lambda a, b: a.select("k", "v", "t").na.drop(subset=["v"]).select("k"), {"k": "a.k ="}, "a.v FILTER"
    ),
    "something else for nulls": Case(
        lambda a, b: a.select("k", "v", "t").na.fill(0.5).na.fill({"t": "?", "k": 1}).na.fill("!", ["t", "v"]),
        {"k": "a.k ~, a.k if", "v": "a.v ~, a.v if", "t": "a.t ~, a.t if"},
    ),
    "something else for nulls where it fits": Case(
        lambda a, b: a.select("k", "t").na.fill("?"), {"k": "a.k =", "t": "a.t ~, a.t if"}
    ),
    "rows of no table": Case(
        lambda a, b: a.sparkSession.range(3).select(F.col("id").alias("i"), F.lit("x").alias("x")), {"i": "", "x": ""}
    ),
    "of two, and what is made of both": Case(
        lambda a, b: a.join(b, "k").select((F.col("v") + F.col("w")).alias("s")).groupBy().agg(F.max("s").alias("m")),
        {"m": "a.v agg, b.w agg"},
        "a.k JOIN, b.k JOIN",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    uri = str(tmp_path_factory.mktemp("lake"))
    return open_workspace(load(environment={}, flags={"warehouse": {"uri": uri}}))


def made_by(make: Callable[[DataFrame, DataFrame], DataFrame], either: Any, workspace: Workspace) -> ColumnLineage:
    engine = either.engine(workspace.warehouse)
    given = [Given(tuple(kinds), (Origin(of, {name: name for name in kinds}),)) for of, kinds in (("a", A), ("b", B))]
    with engine.working("a function"):
        frames = [
            marked(engine.rows(pa.schema(list(kinds.items())).empty_table()), number, tuple(kinds))
            for number, kinds in enumerate((A, B))
        ]
        return lineage_of_frame(make(*frames), given)


def said(sources: Sources) -> set[str]:
    return {f"{edge.of}.{edge.column} {SHORT.get(edge.kind, edge.kind)}" for edge in sources.edges}


def written(text: str) -> set[str]:
    return {part.strip() for part in text.split(",") if part.strip()}


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_of_it(name: str, either: Any, workspace: Workspace) -> None:
    case = CASES[name]
    found = made_by(case.make, either, workspace)
    assert not found.unknown
    assert list(found.columns) == list(case.columns)
    assert {column: said(sources) for column, sources in found.columns.items()} == {
        column: written(text) for column, text in case.columns.items()
    }
    assert said(found.rows) == written(case.rows)


def test_what_lies_below_a_frame_that_is_given_is_none_of_it(either: Any, workspace: Workspace, tmp_path: Path) -> None:
    """Frames as steps have them: files, filtered by partitions, together with what the run kept."""
    engine, columns = either.engine(workspace.warehouse), tuple(A)
    with engine.working("a function"):
        table = pa.schema(list(A.items())).empty_table()
        kept, files = engine.rows(table).where(F.col("k") > 1), engine.evaluate(engine.rows(table))
        read = files.frame().withColumn("t", F.lit(None).cast("string")).select(*columns)
        frame = marked(engine.union([kept, read]).where("v > 0"), 0, columns)
        found = lineage_of_frame(
            frame.where(F.col("n") > 1).join(frame.select("k"), "k").select("t"),
            [Given(columns, (Origin("a", {name: name for name in columns}),))],
        )
        files.let_go()
    assert (found.reads, found.unknown) == ({"a"}, frozenset())
    assert said(found.columns["t"]) == {"a.t ="}
    assert said(found.rows) == {"a.n FILTER", "a.k JOIN"}


def test_only_what_is_read_is_said_to_be(either: Any, workspace: Workspace) -> None:
    assert made_by(lambda a, b: a.select("k"), either, workspace).reads == {"a"}
    assert made_by(lambda a, b: a.crossJoin(b.limit(1)).select(a.k), either, workspace).reads == {"a", "b"}
    assert made_by(lambda a, b: a.sparkSession.range(1), either, workspace).reads == set()


def test_a_table_that_is_read_without_being_given_is_named(either: Any, workspace: Workspace, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"k": [1], "secret": [2.0]}), tmp_path / "rows.parquet")

    def reads_by_itself(a: DataFrame, b: DataFrame) -> DataFrame:
        return a.join(SparkSession.active().read.parquet(str(tmp_path)), "k").select("v", "secret")

    found = made_by(reads_by_itself, either, workspace)
    assert found.reads == {"a", f"parquet {tmp_path}"}
    assert said(found.columns["secret"]) == {f"parquet {tmp_path}.secret ="}


UNREADABLE: Mapping[str, tuple[Callable[[DataFrame, DataFrame], DataFrame], set[str], set[str]]] = {
    "a function of Python's": (
        lambda a, b: a.select("k", F.udf(lambda x: x, "bigint")("v").alias("u")),
        {"u"},
        {"PythonUDF"},
    ),
    "groups of groups": (
        lambda a, b: a.rollup("k").agg(F.sum("v").alias("s")),
        {"k", "s"},
        {"Expand", "aggregate"},
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_named_and_nothing_is_guessed(name: str, either: Any, workspace: Workspace) -> None:
    make, columns, names = UNREADABLE[name]
    found = made_by(make, either, workspace)
    assert {column for column, sources in found.columns.items() if sources.unknown} == columns
    assert all(not found.columns[column].edges for column in columns)
    assert found.unknown and found.unknown <= names
