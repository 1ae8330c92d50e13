"""Random functions of two frames, on both engines: the same lineage, and nothing of a plan unread."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from orchestration.core.lineage.columns import ColumnLineage
from orchestration.core.lineage.plan import Origin
from orchestration.engine.engines.engine import Engine
from orchestration.engine.lineage.marks import marked
from orchestration.engine.lineage.of_frames import Given, lineage_of_frame
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace

pytestmark = pytest.mark.spark

INPUTS = {"a": ("p", "q", "r", "s"), "b": ("p", "t", "u")}
STEPS = 5


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    uri = str(tmp_path_factory.mktemp("lake"))
    return open_workspace(load(environment={}, flags={"warehouse": {"uri": uri}}))


class Program:
    """A function of two frames, the same on every engine. All columns are whole numbers; ``names``: those at hand."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.number = 0

    def make(self, a: DataFrame, b: DataFrame) -> DataFrame:
        frames = {"a": a, "b": b}
        of = self.rng.choice(list(frames))
        made, names = frames[of], list(INPUTS[of])
        for _ in range(STEPS):
            step = self.rng.choice([self.select, self.add, self.filter, self.group, self.join, self.union, self.order])
            made, names = step(made, names, frames)
        return made.select(*names)

    def fresh(self) -> str:
        self.number += 1
        return f"c{self.number}"

    def some(self, names: list[str], most: int = 3) -> list[str]:
        return self.rng.sample(names, self.rng.randint(1, min(most, len(names))))

    def column(self, names: list[str], depth: int = 2) -> Column:
        if depth == 0 or self.rng.random() < 0.25:
            return (
                F.col(self.rng.choice(names))
                if self.rng.random() < 0.9
                else F.lit(self.rng.randrange(9)).cast("bigint")
            )
        one, two = self.column(names, depth - 1), self.column(names, depth - 1)
        kinds: list[Any] = [
            lambda: one + two,
            lambda: F.abs(one),
            lambda: F.when(self.condition(names), one).otherwise(two),
            lambda: F.coalesce(one, two),
            lambda: F.nullif(one, two),
            lambda: F.greatest(one, two),
            lambda: F.hash(one, two).cast("bigint"),
        ]
        return self.rng.choice(kinds)()

    def condition(self, names: list[str]) -> Column:
        one, two = self.column(names, 1), self.column(names, 1)
        return self.rng.choice([one > two, one.isNull(), (one == two) | two.isNotNull(), one.between(0, two)])

    def select(self, made: DataFrame, names: list[str], _: Any) -> tuple[DataFrame, list[str]]:
        kept, new = self.some(names), [self.fresh() for _ in range(self.rng.randint(1, 2))]
        return made.select(*kept, *(self.column(names).alias(name) for name in new)), kept + new

    def add(self, made: DataFrame, names: list[str], _: Any) -> tuple[DataFrame, list[str]]:
        target = self.rng.choice([*names, self.fresh()])
        if self.rng.random() < 0.4:
            window = Window.partitionBy(*self.some(names, 2)).orderBy(self.rng.choice(names))
            over = [F.row_number(), F.lag(self.rng.choice(names)), F.sum(self.rng.choice(names)), F.rank()]
            value = self.rng.choice(over).over(window).cast("bigint")
        else:
            value = self.column(names)
        return made.withColumn(target, value), names if target in names else [*names, target]

    def filter(self, made: DataFrame, names: list[str], _: Any) -> tuple[DataFrame, list[str]]:
        return made.where(self.condition(names)), names

    def group(self, made: DataFrame, names: list[str], _: Any) -> tuple[DataFrame, list[str]]:
        keys, new = self.some(names, 2), [self.fresh() for _ in range(2)]
        over = [F.max, F.sum, F.count, F.count_if, F.max_by]
        made_of = []
        for name in new:
            how, one = self.rng.choice(over), self.column(names, 1)
            if how is F.count_if:
                made_of.append(how(self.condition(names)).alias(name))
            elif how is F.max_by:
                made_of.append(how(one, self.column(names, 1)).alias(name))
            else:
                made_of.append(how(one).alias(name))
        return made.groupBy(*keys).agg(*made_of), keys + new

    def join(self, made: DataFrame, names: list[str], frames: dict[str, DataFrame]) -> tuple[DataFrame, list[str]]:
        of = self.rng.choice(list(frames))
        how = self.rng.choice(["inner", "left", "right", "full", "left_semi", "left_anti"])
        other = {name: self.fresh() for name in self.some(list(INPUTS[of]), 3)}
        renamed = frames[of].select(*(F.col(old).alias(new) for old, new in other.items()))
        new = list(other.values())
        on: Any = F.col(self.rng.choice(names)) == F.col(new[0])
        if self.rng.random() < 0.5:
            key = self.rng.choice(names)
            renamed, on = renamed.withColumnRenamed(new[0], key), [key]
            new = new[1:]
        joined = made.join(renamed, on, how)
        return joined, names if how in ("left_semi", "left_anti") else names + new

    def union(self, made: DataFrame, names: list[str], frames: dict[str, DataFrame]) -> tuple[DataFrame, list[str]]:
        of = self.rng.choice(list(frames))
        other = frames[of].select(*(self.column(list(INPUTS[of]), 1).alias(name) for name in names))
        if self.rng.random() < 0.5:
            mixed = self.rng.sample(names, len(names))
            return made.select(*names).unionByName(other.select(*mixed)), names
        return made.select(*names).union(other), names

    def order(self, made: DataFrame, names: list[str], _: Any) -> tuple[DataFrame, list[str]]:
        ways: list[Any] = [
            lambda: made.orderBy(*self.some(names, 2)).limit(5),
            lambda: made.dropDuplicates(self.some(names, 2)),
            lambda: made.select(*names).distinct(),
            lambda: made.na.drop(subset=self.some(names, 2)),
        ]
        return self.rng.choice(ways)(), names


def said_by(engine: Engine, seed: int) -> ColumnLineage:
    given = [Given(names, (Origin(of, {name: name for name in names}),)) for of, names in INPUTS.items()]
    with engine.working("a function"):
        frames = [
            marked(engine.rows(pa.schema([(name, pa.int64()) for name in one.columns]).empty_table()), at, one.columns)
            for at, one in enumerate(given)
        ]
        return lineage_of_frame(Program(seed).make(*frames), given)


def test_both_say_the_same(workspace: Workspace, embedded: Any, on_spark: Any) -> None:
    spark, connect = on_spark.engine(workspace.warehouse), embedded.engine(workspace.warehouse)
    for seed in range(60):
        with_jvm, without = said_by(spark, seed), said_by(connect, seed)
        assert without.to_json() == with_jvm.to_json(), seed
        assert not with_jvm.unknown, seed
