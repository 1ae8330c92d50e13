"""What one engine answers to every call of ``function_cases``, as JSON: ``python -m tests.support.function_values``.

A process has one engine: pyspark cannot be a client of both. The answer to a call is its type and its values by row,
exactly; a row at which the engine raises has ``error`` instead. Rows are by the key of the sample, so that no order of
rows is asked for that nobody promised.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from orchestration.core.declarations.engine_functions import DIFFERENCES
from tests.support.column_cases import METHODS, OPERATORS
from tests.support.function_cases import Call, Col, Lit, calls
from tests.support.function_samples import samples
from tests.support.function_witnesses import RAISES, SHOWS_A_DIFFERENCE

BATCH = 40
ALONE = RAISES | SHOWS_A_DIFFERENCE
PARTS = ([1, 3, 4, 10, 11], [0, 7, 9], [2, 5], [6, 8], [12, 13])
"""Rows of the samples that are asked one part after the other where a call fails on all together; mild ones first."""
IN_NO_ORDER = ("aggregate array_agg(", "aggregate collect_list(")
"""Lists of a group: in which order is up to the query, of either engine."""
WITHOUT_FRAMES = ["cume_dist", "dense_rank", "lag", "lead", "nth_value", "ntile", "percent_rank", "rank", "row_number"]
ERROR = {"error": True}
Answer = dict[str, Any]
Way = Callable[[list[Any]], tuple[Any, str]]
"""A frame that has the columns, and the column that says which row is which."""


class Asked(NamedTuple):
    """A call. kind: how its column is used. make: the column, once there is a session."""

    kind: str
    name: str
    said: str
    make: Callable[[], Any]


def asked(everything: bool = False) -> Iterator[Asked]:
    """Every call of what is not on the list of differences, one of what is, and the ways round.

    everything: all calls of all functions.
    """
    from pyspark.sql import functions as F

    from tests.support.ways_round import WAYS

    for way in WAYS:
        yield Asked(way.kind, way.name, f"instead of {way.name}", way.instead)
        if way.stands_for is not None:
            yield Asked(way.kind, way.name, f"itself {way.name}", way.stands_for)
    for one in _all_calls(F):
        if everything or one.name not in DIFFERENCES or one.said in SHOWS_A_DIFFERENCE:
            yield one


def _all_calls(F: Any) -> Iterator[Asked]:
    for kind, name, call in calls():
        if hasattr(F, name):
            yield Asked(kind, name, f"{kind} {name}({_in_words(call)})", _function(F, name, call))
    for names, several in METHODS:
        for name in names.split():
            for call in several:
                yield Asked("column", f".{name}", f"{call[0]} .{name}({_in_words(call[1:])})", _method(F, name, call))


def _function(F: Any, name: str, call: Call) -> Callable[[], Any]:
    return lambda: getattr(F, name)(*_arguments(F, call))


def _method(F: Any, name: str, call: Call) -> Callable[[], Any]:
    def make() -> Any:
        column, rest = F.col(call[0]), _arguments(F, call[1:])
        return OPERATORS[name](column, *rest) if name in OPERATORS else getattr(column, name)(*rest)

    return make


def _arguments(F: Any, call: Call) -> list[Any]:
    return [_argument(F, one) for one in call]


def _argument(F: Any, one: Any) -> Any:
    if isinstance(one, Lit):
        return F.lit(one.value)
    return F.col(one.name) if isinstance(one, Col) else one


def _in_words(call: Call) -> str:
    return ", ".join("function" if callable(one) else repr(one) for one in call)


# --- sessions ------------------------------------------------------------------------------------


_SERVERS: list[Any] = []
"""A server ends when nobody has it."""


def embedded() -> Any:
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    _SERVERS.append(server)
    return SparkSession.builder.remote(f"sc://127.0.0.1:{server.listening_address[1]}").getOrCreate()


def spark() -> Any:
    from pyspark.sql import SparkSession

    conf = {
        "spark.master": "local[1]",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.ui.enabled": "false",
        "spark.log.level": "OFF",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.maxPlanStringLength": "1",
        "spark.sql.debug.maxToStringFields": "1",
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        "spark.sql.warehouse.dir": "/nonexistent",
    }
    builder = SparkSession.builder
    for name, value in conf.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


SESSIONS = {"embedded": embedded, "spark": spark}


# --- answers -------------------------------------------------------------------------------------


class Engine:
    """Asks one session. Whatever an engine raises is its answer."""

    def __init__(self, session: Any) -> None:
        from pyspark.sql.functions import lit

        session.conf.set("spark.sql.session.timeZone", "UTC")
        session.conf.set("spark.sql.ansi.enabled", "true")
        self._samples = samples()
        self._frame = session.createDataFrame(self._samples)
        self._parts = [session.createDataFrame(self._samples.take(rows)) for rows in PARTS]
        self._lit = lit
        self._pool = ThreadPoolExecutor(4)
        self._ways = {
            "column": self._columns,
            "aggregate": self._aggregates,
            "window": self._windows,
            "generator": self._generators,
            "order": self._orders,
        }

    def answers(self, several: Sequence[Asked]) -> dict[str, Answer]:
        found: dict[str, Answer] = {}
        for kind, way in self._ways.items():
            columns = {}
            for one in several:
                if one.kind == kind:
                    made = _tried(one.make)
                    if made is None:
                        found[one.said] = ERROR
                    else:
                        columns[one.said] = made
            way(columns, found)
        return found

    def _columns(self, columns: dict[str, Any], found: dict[str, Answer]) -> None:
        self._together(self._frame, columns, found)
        failed = {said: columns[said] for said in columns if found[said] == ERROR}
        kinds = self._pool.map(lambda said: _tried(lambda: self._type(failed[said])), failed)
        typed = {said: kind for said, kind in zip(failed, kinds, strict=True) if kind}
        parts: list[dict[str, Answer]] = [{} for _ in PARTS]
        for frame, part in zip(self._parts, parts, strict=True):
            self._together(frame, {said: failed[said] for said in typed}, part)
        for said, kind in typed.items():
            if any(part[said] != ERROR for part in parts):
                found[said] = {"type": kind, "parts": [part[said].get("rows", "error") for part in parts]}

    def _type(self, column: Any) -> str:
        return str(self._frame.select(column.alias("value")).schema["value"].dataType.simpleString())

    def _together(self, frame: Any, columns: dict[str, Any], found: dict[str, Answer]) -> None:
        """The values of many columns, many in one query."""
        self._asked_in_parts(lambda made: (frame.select("id", *made), "id"), columns, found, "")

    def _asked_in_parts(self, way: Way, columns: dict[str, Any], found: dict[str, Answer], suffix: str) -> None:
        names = list(columns)
        alone = [[name] for name in names if name in ALONE]
        names = [name for name in names if name not in ALONE]
        parts = [*alone, *(names[start : start + BATCH] for start in range(0, len(names), BATCH))]
        for answers in self._pool.map(lambda part: self._by_halves(way, {name: columns[name] for name in part}), parts):
            found.update({f"{name}{suffix}": answer for name, answer in answers.items()})

    def _answers_of(self, frame: Any, key: str) -> list[Answer]:
        if hasattr(frame, "_jdf"):  # classic Spark evaluates local rows as it plans; where that raises, no job is begun
            frame._jdf.queryExecution().optimizedPlan()
        return _read(frame, key)

    def _by_halves(self, way: Way, columns: dict[str, Any]) -> dict[str, Answer]:
        """One query for all; where that fails, one for each half."""
        names = list(columns)
        made = [columns[name].alias(f"value{at}") for at, name in enumerate(names)]
        answers = _tried(lambda: self._answers_of(*way(made)))
        if answers is not None:
            return dict(zip(names, answers, strict=True))
        if len(names) == 1:
            return {names[0]: ERROR}
        found: dict[str, Answer] = {}
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            found |= self._by_halves(way, {name: columns[name] for name in half})
        return found

    def _aggregates(self, columns: dict[str, Any], found: dict[str, Answer]) -> None:
        one = [self._lit(0).alias("g")]
        self._asked_in_parts(lambda made: (self._frame.groupBy("g").agg(*made), "g"), columns, found, "")
        self._asked_in_parts(lambda made: (self._frame.agg(*made).select(*one, "*"), "g"), columns, found, " of all")
        for said, answer in found.items():
            if said.startswith(IN_NO_ORDER):
                answer["rows"] = [[key, sorted(value)] for key, value in answer["rows"]]
        nothing = self._frame.where("id < 0")
        self._asked_in_parts(lambda made: (nothing.agg(*made).select(*one, "*"), "g"), columns, found, " of nothing")

    def _windows(self, columns: dict[str, Any], found: dict[str, Answer]) -> None:
        from pyspark.sql import Window

        by_id, tied = Window.partitionBy("g").orderBy("id"), Window.partitionBy("g").orderBy("n")
        windows = {
            "": by_id,
            " of ties": tied,
            " of three rows": by_id.rowsBetween(-1, 1),
            " of a range": tied.rangeBetween(-1, 0),
            " of all": Window.partitionBy("g"),
        }
        over = {}
        for said, column in columns.items():
            for suffix, window in windows.items():
                if suffix in ("", " of ties") or said.partition(" ")[2].partition("(")[0] not in WITHOUT_FRAMES:
                    over[f"{said}{suffix}"] = column.over(window)
        self._together(self._frame, over, found)

    def _generators(self, columns: dict[str, Any], found: dict[str, Answer]) -> None:
        answers = self._pool.map(
            lambda one: _tried(lambda: _read_rows(self._frame.select("id", one))), columns.values()
        )
        found.update({said: answer or ERROR for said, answer in zip(columns, answers, strict=True)})

    def _orders(self, columns: dict[str, Any], found: dict[str, Answer]) -> None:
        for said, column in columns.items():
            ids = _tried(partial(self._ids_by, column))
            found[said] = ERROR if ids is None else {"type": "order", "rows": ids}

    def _ids_by(self, column: Any) -> list[Any]:
        ids: list[Any] = self._frame.orderBy(column, "id").select("id").toArrow().column(0).to_pylist()
        return ids


def _tried(what: Callable[[], Any]) -> Any:
    try:
        return what()
    except Exception:  # noqa: BLE001 - whatever an engine raises
        return None


def _read(frame: Any, key: str) -> list[Answer]:
    """Of every column but ``key`` its type and its values, by ``key``."""
    table, schema = frame.toArrow(), frame.schema
    keys = table.column(key).to_pylist()
    answers = []
    for field in schema.fields:
        if field.name != key:
            values = [plain(value) for value in table.column(field.name)]
            rows = sorted(
                ([at, value] for at, value in zip(keys, values, strict=True)),
                key=lambda row: (row[0] is not None, row[0] or 0),
            )
            answers.append({"type": field.dataType.simpleString(), "rows": rows})
    return answers


def _read_rows(frame: Any) -> Answer:
    table, schema = frame.toArrow(), frame.schema
    rows = [[plain(column[at]) for column in table.columns] for at in range(table.num_rows)]
    return {"type": schema.simpleString(), "rows": sorted(rows, key=lambda row: int(row[0]))}


def plain(scalar: Any) -> Any:
    """A value as JSON that keeps apart whatever can be told apart; all NaN are one."""
    if not scalar.is_valid:
        return None
    kind = scalar.type
    if pa.types.is_floating(kind):
        value = scalar.as_py()
        return "NaN" if math.isnan(value) else repr(value)
    if pa.types.is_temporal(kind):
        return str(scalar.value)
    if pa.types.is_map(kind):
        return [[plain(entry["key"]), plain(entry["value"])] for entry in scalar.values or ()]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [plain(item) for item in scalar.values]
    if pa.types.is_struct(kind):
        return [plain(item) for item in scalar.values()]
    value = scalar.as_py()
    return value.hex() if isinstance(value, bytes) else str(value)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--engine", choices=sorted(SESSIONS), required=True)
    options.add_argument("-o", "--output", type=Path, required=True)
    options.add_argument("--all", action="store_true", help="every call, of listed functions too: minutes")
    given = options.parse_args()
    os.environ["TZ"] = "UTC"
    logging.disable()
    warnings.simplefilter("ignore")
    session = SESSIONS[given.engine]()
    answers = Engine(session).answers(list(asked(given.all)))
    given.output.write_text(json.dumps(answers, ensure_ascii=False, indent=0), encoding="utf-8")


if __name__ == "__main__":
    main()
