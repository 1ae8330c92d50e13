"""What the embedded engine and Spark answer to every function: equal, or on the list of differences, and no other way.

Two processes side by side, one an engine, make the calls of ``tests/support/function_cases.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Column
from pyspark.sql import functions as F

from orchestration.core.declarations.called_functions import PASSED_ON, SQL_TEXT
from orchestration.core.declarations.engine_functions import DIFFERENCES
from tests.support.function_values import ERROR, SESSIONS, asked
from tests.support.function_witnesses import RAISES, SHOWS_A_DIFFERENCE
from tests.support.ways_round import WAYS

pytestmark = [pytest.mark.spark, pytest.mark.timeout(400)]

ROOT = Path(__file__).resolve().parents[2]
OF_A_CLIENT = {"SPARK_CONNECT_MODE_ENABLED", "SPARK_REMOTE", "SPARK_LOCAL_REMOTE", "SPARK_API_MODE"}
Answers = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Answers]:
    """What each engine answers, by call."""
    folder = tmp_path_factory.mktemp("answers")
    # What pyspark's client leaves in the environment of a process that has it would make the other engine a client too.
    clean = {name: value for name, value in os.environ.items() if name not in OF_A_CLIENT}
    running = {}
    for engine in SESSIONS:
        command = [sys.executable, "-m", "tests.support.function_values", "--engine", engine]
        with (folder / f"{engine}.log").open("wb") as log:
            running[engine] = subprocess.Popen(
                [*command, "-o", str(folder / f"{engine}.json")], cwd=ROOT, env={**clean, "TZ": "UTC"},
                stdout=log, stderr=log,
            )  # fmt: skip
    for engine, process in running.items():
        assert process.wait() == 0, (folder / f"{engine}.log").read_text(errors="replace")[-2000:]
    return {engine: json.loads((folder / f"{engine}.json").read_text(encoding="utf-8")) for engine in SESSIONS}


@pytest.fixture(scope="module")
def differing(answers: Mapping[str, Answers]) -> Mapping[str, list[str]]:
    """The calls that are answered otherwise, by the name of their function."""
    spark, embedded = answers["spark"], answers["embedded"]
    assert spark.keys() == embedded.keys()
    names = {one.said: one.name for one in asked()}
    found: dict[str, list[str]] = {}
    for said in spark:
        if not said.startswith(("instead of ", "itself ")) and spark[said] != embedded[said]:
            found.setdefault(next(name for call, name in names.items() if said.startswith(call)), []).append(said)
    return found


def test_what_is_not_on_the_list_is_answered_alike(differing: Mapping[str, list[str]]) -> None:
    assert {name: calls for name, calls in differing.items() if name not in DIFFERENCES} == {}


def test_what_is_on_the_list_still_differs(differing: Mapping[str, list[str]]) -> None:
    """An entry whose one kept call is answered alike now has to go, or to show what is left of it."""
    listed = {name for name, one in DIFFERENCES.items() if one.kind != "untried"}
    assert listed - differing.keys() == set()


def test_what_is_missing_is_missing(answers: Mapping[str, Answers]) -> None:
    missing = {name for name, one in DIFFERENCES.items() if one.kind == "missing"}
    calls = [one for one in asked() if one.name in missing and not one.said.startswith(("instead of ", "itself "))]
    assert {one.name for one in calls} == missing
    assert [one.said for one in calls if answers["embedded"].get(one.said, ERROR) != ERROR] == []


def test_every_function_is_tried_or_on_the_list(answers: Mapping[str, Answers]) -> None:
    """Tried is what Spark answered at least once."""
    answered = {one.name for one in asked() if answers["spark"].get(one.said, ERROR) != ERROR}
    methods = {f".{name}" for name in vars(Column) if not name.startswith("_")}
    untold = {".over", ".outer", ".otherwise", ".when"} | {f".{name}" for name in ("asc", "desc")}
    untold |= {f".{name}_nulls_{end}" for name in ("asc", "desc") for end in ("first", "last")}
    assert set(F.__all__) - answered - DIFFERENCES.keys() == set()
    assert methods - answered - DIFFERENCES.keys() == untold  # as functions, and in how columns are used


def test_calls_that_stand_out_are_calls() -> None:
    """Of what is on the list one is kept, unless it cannot be asked."""
    calls = {one.said: one.name for one in asked(everything=True)}
    assert (SHOWS_A_DIFFERENCE | RAISES) - calls.keys() == set()
    kept = sorted(calls[said] for said in SHOWS_A_DIFFERENCE)
    assert kept == sorted(name for name, one in DIFFERENCES.items() if one.kind != "untried")


def test_everything_on_the_list_is_there() -> None:
    operators = {".+", ".-", ".*", "./", ".%", ".**", ".==", ".!=", ".<", ".<=", ".>", ".>="}
    others = {".selectExpr", ".sql", SQL_TEXT, PASSED_ON}
    for name in DIFFERENCES.keys() - operators - others:
        assert hasattr(Column, name[1:]) if name.startswith(".") else hasattr(F, name), name


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_way_round_is_answered_alike_and_is_what_it_stands_for(answers: Mapping[str, Answers], way: Any) -> None:
    said = f"instead of {way.name}"
    spark, embedded = answers["spark"], answers["embedded"]
    for suffix in ("", " of all", " of nothing") if way.kind == "aggregate" else ("",):
        assert embedded[said + suffix] == spark[said + suffix]
    assert spark[said] != ERROR
    if way.stands_for is not None:
        assert spark[said]["rows"] == spark[f"itself {way.name}"]["rows"]
