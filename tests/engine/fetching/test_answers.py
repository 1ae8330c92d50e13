"""What a run's fetches bring: tables and digests, for each step its own."""

from __future__ import annotations

import gc
import weakref
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from assets.variables import VARIABLES
from orchestration.core.errors import SourceLimited
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.runs.decisions import Sourced
from orchestration.core.source import Reply
from resources.open_meteo.answers import schema_of
from resources.open_meteo.source import OpenMeteo
from resources.simulator.server import HourValues
from tests.support.fetches import (
    ENDED,
    HCMC,
    KEYS,
    NOW,
    STEP,
    TWO_DAYS,
    UNFINISHED,
    good_answer,
    outcomes,
    refusal,
    simulator,
    source,
)
from tests.support.scripted_api import ScriptedApi

# --- what came ------------------------------------------------------------------------------------


def test_the_table_has_the_columns_of_bronze_and_when_it_was_made() -> None:
    with simulator() as server:
        asked = source(server.url, max_days=1)
        for task in reversed(asked.tasks):
            asked.fetch(task)
    table = asked.table(STEP)
    assert table is not None
    sent = schema_of(VARIABLES).append(pa.field("_ingested_at", pa.timestamp("us", tz="UTC")))
    assert table.schema.types == sent.types
    assert table.schema.names == ["location_key", "ts_utc", *VARIABLES.values(), "_ingested_at"]
    assert set(table["_ingested_at"].to_pylist()) == {NOW}
    assert table.num_rows == 3 * 35
    assert {column.num_chunks for column in table.columns} == {1}  # Spark takes a first chunk without rows for the end
    assert max(table["ts_utc"].to_pylist()) == datetime(2025, 8, 9, 10, tzinfo=UTC)
    rows = zip(table["ts_utc"].to_pylist(), table["location_key"].to_pylist(), strict=True)
    blocks = list(dict.fromkeys((hour.date(), key) for hour, key in rows))
    assert blocks == [(day, key) for day in (ENDED, UNFINISHED) for key in ("danang", "hanoi", "hcmc")]


def test_digests_stand_for_what_the_source_sent() -> None:
    def digests(revised: str, max_days: int = 92) -> dict[PartitionKey, str]:
        def revise(latitude: float, longitude: float, values: HourValues) -> HourValues:
            is_it = (latitude, longitude) == HCMC and values["time"] == revised
            return values | {"dust": 99.5} if is_it else values

        with simulator(override=revise) as server:
            asked = source(server.url, max_days=max_days)
            outcomes(asked)
        return {key: sent.digest for key, sent in asked.sourced(STEP).items()}

    before, after = digests("never"), digests("2025-08-08T05:00")
    assert set(before) == {PartitionKey(day, key) for day in (ENDED, UNFINISHED) for key in KEYS}
    assert len(set(before.values())) == 6
    assert {key for key in before if before[key] != after[key]} == {PartitionKey(ENDED, "hcmc")}
    assert digests("never", max_days=1) == before  # however it was asked for


def test_a_day_without_an_hour_was_brought_too() -> None:
    tomorrow = PartitionSet.of(Days.of(date(2025, 8, 10)), ["hanoi"])
    with simulator() as server:
        asked = source(server.url, tomorrow)
        assert outcomes(asked) == {"hanoi": 0}
    assert asked.fetched(STEP) == tomorrow
    assert list(asked.sourced(STEP)) == [PartitionKey(date(2025, 8, 10), "hanoi")]
    table = asked.table(STEP)
    assert table is not None
    assert table.num_rows == 0


# --- for each step --------------------------------------------------------------------------------


FIRST, SECOND = "bronze.feed#c1", "bronze.feed#c2"
BY_STEP = {
    FIRST: PartitionSet.of(Days.of(ENDED), KEYS),
    SECOND: PartitionSet.of(Days.of(UNFINISHED), ["hanoi", "hcmc"]),
}


def test_tasks_stand_in_the_order_of_their_steps_and_share_no_request() -> None:
    asked = source("http://127.0.0.1:9", BY_STEP | {"bronze.feed#c3": PartitionSet.empty()})
    assert [(task.step, task.request, str(task)) for task in asked.tasks] == [
        (FIRST, 0, "hanoi 2025-08-08"),
        (FIRST, 0, "hcmc 2025-08-08"),
        (FIRST, 0, "danang 2025-08-08"),
        (SECOND, 1, "hanoi 2025-08-09"),
        (SECOND, 1, "hcmc 2025-08-09"),
    ]
    assert asked.tasks_of(FIRST) + asked.tasks_of(SECOND) == asked.tasks
    assert asked.tasks_of("bronze.feed#c3") == ()
    assert asked.tasks_of("silver.clean") == ()


def test_each_step_has_what_was_brought_for_it() -> None:
    with simulator() as server:
        asked = source(server.url, BY_STEP)
        for task in asked.tasks_of(FIRST):
            asked.fetch(task)
        assert server.requests_served == {"ok": 1}
        assert asked.fetched(FIRST) == BY_STEP[FIRST]
        assert asked.fetched(SECOND) == PartitionSet.empty()
        assert asked.table(SECOND) is None
        for task in asked.tasks_of(SECOND):
            asked.fetch(task)
        assert server.requests_served == {"ok": 2}
    first, second = asked.table(FIRST), asked.table(SECOND)
    assert first is not None
    assert second is not None
    assert {hour.date() for hour in first["ts_utc"].to_pylist()} == {ENDED}
    assert {hour.date() for hour in second["ts_utc"].to_pylist()} == {UNFINISHED}
    assert (first.num_rows, second.num_rows) == (3 * 24, 2 * 11)
    assert set(asked.sourced(FIRST)) == set(BY_STEP[FIRST])
    assert set(asked.sourced(SECOND)) == set(BY_STEP[SECOND])
    assert all(isinstance(sent, Sourced) and sent.digest for sent in asked.sourced(SECOND).values())
    assert asked.fetched("silver.clean") == PartitionSet.empty()
    assert asked.sourced("silver.clean") == {}


def test_what_goes_wrong_for_one_step_is_not_told_of_another() -> None:
    def answer(latitudes: list[str], number: int) -> tuple[int, bytes]:
        return refusal(429, "Hourly API request limit exceeded.") if number > 1 else good_answer(latitudes)

    with ScriptedApi(answer) as server:
        asked = source(server.url, {"a": TWO_DAYS, "b": TWO_DAYS}, attempts=1)
        for task in asked.tasks_of("a"):
            asked.fetch(task)
        for task in asked.tasks_of("b"):
            with pytest.raises(SourceLimited):
                asked.fetch(task)
    assert asked.errors("a") == {}
    assert set(asked.errors("b")) == set(asked.tasks_of("b"))
    assert asked.fetched("a") == TWO_DAYS
    assert asked.fetched("b") == PartitionSet.empty()


def test_what_is_forgotten_is_gone_and_other_steps_keep_theirs() -> None:
    with simulator(refuse_locations={HCMC}) as server:
        asked = source(server.url, BY_STEP)
        outcomes(asked)
        served = dict(server.requests_served)
        errors = asked.errors(FIRST)
        asked.forget(FIRST)
        asked.forget(FIRST)
        asked.forget("silver.clean")
        assert server.requests_served == served
    assert asked.table(FIRST) is None
    assert asked.sourced(FIRST) == {}
    assert asked.fetched(FIRST) == PartitionSet.empty()
    assert errors
    assert asked.errors(FIRST) == errors
    kept = asked.table(SECOND)
    assert kept is not None
    assert set(kept["location_key"].to_pylist()) == {"hanoi"}


def test_forgotten_answers_are_not_kept_anywhere() -> None:
    """A backfill of years must not hold all that it fetched."""
    tables: list[weakref.ref[pa.Table]] = []

    class Watched(OpenMeteo):
        def fetch(self, *arguments: Any) -> Reply:
            reply = super().fetch(*arguments)
            tables.extend(weakref.ref(answer.rows) for answer in reply.answers)
            return reply

    with simulator() as server:
        asked = source(server.url, BY_STEP, kind=Watched)
        assert [asked.fetch(task) for task in asked.tasks] == [24] * 3 + [11] * 2
        assert len(tables) == 5
        asked.forget(FIRST)
        gc.collect()
        assert [ref() is None for ref in tables] == [True] * 3 + [False] * 2
