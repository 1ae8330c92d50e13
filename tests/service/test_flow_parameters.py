"""Parameters of flows: what is read, every refusal with its words, and a schema that refuses the same."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

import jsonschema
import pytest

from orchestration.core.errors import UsageError
from orchestration.core.planning.parameters import FLOWS, Backfill, Materialize
from orchestration.service.flow_parameters import check_parameters, parameter_schema, parse_parameters

DAYS = {"start_date": "2024-01-01", "end_date": "2024-12-31"}


def refusal(flow: str, **given: Any) -> tuple[str, str]:
    with pytest.raises(UsageError) as caught:
        parse_parameters(flow, given)
    return caught.value.message, caught.value.remedy


def test_defaults() -> None:
    read = parse_parameters("materialize", {})
    assert asdict(read) == {
        "selection": "*",
        "partitions": None,
        "locations": (),
        "hourly": False,
        "force": False,
        "wait": False,
        "profile": None,
    }
    backfill = parse_parameters("backfill", DAYS)
    assert isinstance(backfill, Backfill)
    assert (backfill.start_date, backfill.end_date) == (date(2024, 1, 1), date(2024, 12, 31))
    assert (backfill.chunk_mode, backfill.select, backfill.restart) == ("monthly", "*", False)
    assert not backfill.wait
    hourly = parse_parameters("materialize", {"hourly": True, "wait": True})
    assert isinstance(hourly, Materialize) and hourly.wait
    assert parse_parameters("backfill", {"start_date": date(2024, 1, 1), "end_date": date(2024, 12, 31)}) == backfill
    assert parse_parameters("maintenance", {"profile": "yarn"}).profile == "yarn"


@pytest.mark.parametrize(
    ("locations", "read"),
    [
        (["hanoi", "hcmc"], ["hanoi", "hcmc"]),
        ((), []),
        ("hanoi,hcmc", ["hanoi", "hcmc"]),
        (" hanoi , ", ["hanoi"]),
        ("", []),
    ],
)
def test_locations_are_a_list_or_text(locations: Any, read: list[str]) -> None:
    parsed = parse_parameters("backfill", {**DAYS, "locations": locations})
    assert isinstance(parsed, Backfill)
    assert parsed.locations == tuple(read)


@pytest.mark.parametrize(
    ("flow", "given", "message", "remedy"),
    [
        ("backfill", {}, "backfill: start_date is missing", "Give it: --param start_date=2024-01-01"),
        (
            "backfill",
            {"start_date": "2024-01-01"},
            "backfill: end_date is missing",
            "Give it: --param end_date=2024-12-31",
        ),
        (
            "backfill",
            {"star_date": "2024-01-01", "end_date": "2024-12-31"},
            "backfill: there is no parameter 'star_date'",
            "Did you mean 'start_date'?",
        ),
        (
            "maintenance",
            {"zzz": 1},
            "maintenance: there is no parameter 'zzz'",
            "Parameters are profile.",
        ),
        (
            "backfill",
            {**DAYS, "start_date": "2024-13-01"},
            "backfill: start_date must be a day such as 2024-01-01 (got '2024-13-01')",
            "Correct the value.",
        ),
        (
            "backfill",
            {**DAYS, "start_date": 20240101},
            "backfill: start_date must be a day such as 2024-01-01 (got 20240101)",
            "Correct the value.",
        ),
        (
            "backfill",
            {**DAYS, "start_date": "2025-01-01"},
            "backfill: end_date (2024-12-31) lies before start_date (2025-01-01)",
            "Change one of them.",
        ),
        (
            "backfill",
            {**DAYS, "chunk_mode": "yearly"},
            "backfill: chunk_mode must be 'monthly', 'weekly' or 'daily' (got 'yearly')",
            "Correct the value.",
        ),
        (
            "materialize",
            {"hourly": True, "partitions": "last:2"},
            "materialize: hourly decides by itself what is made: partitions does not go with it",
            "Change one of them.",
        ),
        (
            "materialize",
            {"hourly": True, "force": True},
            "materialize: hourly decides by itself what is made: force does not go with it",
            "Change one of them.",
        ),
        (
            "materialize",
            {"hourly": "yes"},
            "materialize: hourly must be true or false (got 'yes')",
            "Correct the value.",
        ),
        ("materialize", {"force": 1}, "materialize: force must be true or false (got 1)", "Correct the value."),
        ("materialize", {"partitions": 2025}, "materialize: partitions must be text (got 2025)", "Correct the value."),
        ("materialize", {"selection": ""}, "materialize: selection must not be empty (got '')", "Correct the value."),
        (
            "materialize",
            {"locations": [1]},
            'materialize: locations must be keys of locations, as ["hanoi", "hcmc"] or hanoi,hcmc (got [1])',
            "Correct the value.",
        ),
        ("maintenace", {}, "the flow 'maintenace' is unknown", "Did you mean 'maintenance'?"),
    ],
)
def test_refusals(flow: str, given: dict[str, Any], message: str, remedy: str) -> None:
    assert refusal(flow, **given) == (message, remedy)


@pytest.mark.parametrize("day", ["2024-W01-1", "20240101", "2024-1-1", "2024-01-01T00:00:00", " 2024-01-01", "", None])
def test_only_a_day_is_a_day(day: Any) -> None:
    assert refusal("backfill", **{**DAYS, "end_date": day})[0].startswith("backfill: end_date must be a day")


def test_what_is_declared_may_lack_what_a_run_gives() -> None:
    check_parameters("backfill", {})
    check_parameters("backfill", {"chunk_mode": "weekly", "end_date": "2024-01-01"})
    with pytest.raises(UsageError, match="there is no parameter"):
        check_parameters("backfill", {"chunks": 3})
    with pytest.raises(UsageError, match="lies before"):
        check_parameters("backfill", {"start_date": "2024-02-01", "end_date": "2024-01-01"})


@pytest.mark.parametrize("flow", FLOWS)
def test_the_schema_has_the_form_of_prefects(flow: str) -> None:
    schema = parameter_schema(flow)
    assert {name: schema[name] for name in ("title", "type", "definitions", "additionalProperties")} == {
        "title": "Parameters",
        "type": "object",
        "definitions": {},
        "additionalProperties": False,
    }
    assert [item["position"] for item in schema["properties"].values()] == list(range(len(schema["properties"])))
    for name, item in schema["properties"].items():
        assert item["title"] == name
        assert item["description"]
        assert ("default" in item) == (name not in schema["required"])
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("flow", "given", "good"),
    [
        ("backfill", DAYS, True),
        ("backfill", {**DAYS, "locations": "hanoi,hcmc", "chunk_mode": "daily", "restart": True}, True),
        ("backfill", {**DAYS, "locations": ["hanoi"], "profile": None}, True),
        ("materialize", {"selection": "layer:gold", "partitions": "2025-08", "force": False}, True),
        ("maintenance", {}, True),
        ("backfill", {"start_date": "2024-01-01"}, False),
        ("backfill", {**DAYS, "start_date": "1st of May"}, False),
        ("backfill", {**DAYS, "start_date": 20240101}, False),
        ("backfill", {**DAYS, "star_date": "2024-01-01"}, False),
        ("materialize", {"hourly": "yes"}, False),
        ("materialize", {"locations": 3}, False),
        ("maintenance", {"profile": 1}, False),
    ],
)
def test_schema_and_models_agree(flow: str, given: dict[str, Any], good: bool) -> None:
    assert jsonschema.Draft202012Validator(parameter_schema(flow)).is_valid(given) == good
    if good:
        parse_parameters(flow, given)
    else:
        refusal(flow, **given)
