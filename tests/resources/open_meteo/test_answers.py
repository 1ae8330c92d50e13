"""Answers: what becomes a table, what is refused, and the digest of a day."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.core.errors import SourceNonsense
from resources.open_meteo.answers import read_answers, schema_of
from resources.open_meteo.requests import Request
from tests.support.api_answers import DAY, NOW, ONE_DAY, TWO_CITIES, VARIABLES, document

# --- tables ---------------------------------------------------------------------------------------


def read(content: Any, request: Request = ONE_DAY, now: datetime = NOW) -> Any:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_answers(body, request, now, "api.example")


def change(path: str, value: Any) -> dict[str, Any]:
    """A document of one day with one thing changed: ``hourly.pm10.3`` for the fourth value of pm10."""
    result = document()
    *parents, last = path.split(".")
    location: Any = result
    for name in parents:
        location = location[name]
    if isinstance(location, list):
        location[int(last)] = value
    elif value is ...:
        del location[last]
    else:
        location[last] = value
    return result


def test_an_answer_becomes_a_table_of_bronze_columns() -> None:
    content = change("hourly.pm10.3", None)
    content["hourly"]["us_aqi"][0] = None
    (answer,) = read(content)
    table = answer.table
    assert (answer.location_key, answer.first, answer.last) == ("hanoi", DAY, DAY)
    assert table.schema == schema_of(VARIABLES)
    assert table.column_names[:4] == ["location_key", "ts_utc", "us_aqi", "us_aqi_pm2_5"]
    assert table["ts_utc"].to_pylist() == [datetime(2025, 8, 8, hour, tzinfo=UTC) for hour in range(24)]
    assert table["pm10"].to_pylist()[2:5] == [802.0, None, 804.0]
    assert table["us_aqi"].to_pylist()[:2] == [None, 1]
    assert table["us_aqi_carbon_monoxide"].to_pylist()[5] == 605
    assert set(table["location_key"].to_pylist()) == {"hanoi"}


def test_answers_match_the_request_by_position() -> None:
    second = document(48)
    second["hourly"]["pm10"] = [7.0] * 48
    answers = read([document(48), second], TWO_CITIES)
    assert [answer.location_key for answer in answers] == ["hanoi", "hcmc"]
    assert set(answers[1].table["pm10"].to_pylist()) == {7.0}


def test_hours_after_now_are_forecasts() -> None:
    (answer,) = read(document(), now=datetime(2025, 8, 8, 10, 59, 59, tzinfo=UTC))
    assert answer.table["ts_utc"].to_pylist()[-1] == datetime(2025, 8, 8, 10, tzinfo=UTC)
    (answer,) = read(document(), now=datetime(2025, 8, 7, tzinfo=UTC))
    assert answer.table.num_rows == 0
    assert answer.table.schema == schema_of(VARIABLES)
    with pytest.raises(ValueError, match="aware"):
        read(document(), now=datetime(2025, 8, 8))


def test_nulls_are_rows_and_not_finite_values_are_kept() -> None:
    content = document()
    for name in VARIABLES:
        content["hourly"][name][5] = None
    content["hourly"]["pm10"][:3] = [math.nan, math.inf, -math.inf]
    (answer,) = read(content)
    assert answer.table.num_rows == 24
    assert all(answer.table[name][5].as_py() is None for name in VARIABLES)
    nan, above, below = answer.table["pm10"].to_pylist()[:3]
    assert math.isnan(nan)
    assert (above, below) == (math.inf, -math.inf)


def test_hours_in_disorder_are_sorted() -> None:
    content = document()
    content["hourly"] = {name: values[::-1] for name, values in content["hourly"].items()}
    assert read(content)[0].table == read(document())[0].table


def doubled(change_last: float = 0.0) -> dict[str, Any]:
    """Hour 5 comes twice; its second dust differs by ``change_last``."""
    content = document()
    for values in content["hourly"].values():
        values.append(values[5])
    content["hourly"]["dust"][-1] += change_last
    return content


def test_an_hour_that_comes_twice_is_taken_once() -> None:
    assert read(doubled())[0].table == read(document())[0].table
    assert read(doubled())[0].digests == read(document())[0].digests


def test_an_hour_with_two_different_values_is_refused() -> None:
    with pytest.raises(SourceNonsense, match=r"hanoi on 2025-08-08 with two different .* hour 2025-08-08T05:00Z"):
        read(doubled(0.5))
    content = doubled()
    content["hourly"]["dust"][-1] = None  # null and a value differ, too
    with pytest.raises(SourceNonsense, match="two different"):
        read(content)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("hourly.time.1", "2025-08-08T01:30", "the time 2025-08-08T01:30, which is not on the full hour"),
        (
            "hourly.time.1",
            "yesterday",
            "the time 'yesterday', which is not a timestamp like 2025-08-08T06:00",
        ),
        ("hourly.time.1", 1754611200, "the time 1754611200, which is not a timestamp"),
        ("hourly.time.1", "2025-02-30T01:00", "the time '2025-02-30T01:00', which is not a timestamp"),
        ("hourly.time.1", "2025-08-08T01:00+07:00", "which is not a timestamp"),
        ("hourly.time.1", "2025-08-09T00:00", "the hour 2025-08-09T00:00, which was not asked for"),
        ("hourly.time.1", "2025-08-07T23:00", "the hour 2025-08-07T23:00, which was not asked for"),
        ("hourly.pm10", [1.0] * 23, "23 values of pm10 for 24 hours"),
        ("hourly.pm10", ..., r"instead of a list 'pm10'"),
        ("hourly.pm10", "none", "'none' instead of a list 'pm10'"),
        ("hourly.pm10.3", "12.5", "'12.5' as pm10 at 2025-08-08T03:00, which is no number"),
        ("hourly.pm10.3", True, "True as pm10 at 2025-08-08T03:00, which is no number"),
        ("hourly.pm10.3", [1], r"\[1\] as pm10 at 2025-08-08T03:00, which is no number"),
        ("hourly.pm10.3", 10**400, "a pm10 that is too large for a number"),
        ("hourly.us_aqi.3", 51.5, "51.5 as us_aqi at 2025-08-08T03:00, which is no whole number"),
        ("hourly.us_aqi.3", math.nan, "nan as us_aqi at 2025-08-08T03:00, which is no whole number"),
        ("hourly.us_aqi.3", math.inf, "inf as us_aqi at 2025-08-08T03:00, which is no whole number"),
        ("hourly.us_aqi.3", 2**40, "1099511627776 as us_aqi at"),
        ("hourly_units.pm10", "ppb", "pm10 in 'ppb' instead of 'µg/m³'"),
        ("hourly_units.pm10", "undefined", "pm10 in 'undefined' instead of 'µg/m³'"),
        ("hourly_units.pm10", ..., "pm10 in None instead of 'µg/m³'"),
        ("hourly_units.us_aqi", "EAQI", "us_aqi in 'EAQI' instead of 'US AQI'"),
        ("hourly_units.carbon_dioxide", "", "carbon_dioxide in '' instead of 'ppm'"),
        ("hourly_units.uv_index", "%", "uv_index in '%' instead of '1'"),
        ("hourly", ..., "the keys .* instead of an object 'hourly'"),
        ("hourly_units", None, "None instead of an object 'hourly_units'"),
        ("utc_offset_seconds", 25200, r"local time \(25200 seconds from UTC\) instead of UTC"),
    ],
)
def test_nonsense_is_refused_with_its_place(path: str, value: Any, message: str) -> None:
    with pytest.raises(SourceNonsense, match=message) as caught:
        read(change(path, value))
    assert caught.value.message.startswith("api.example answered hanoi on 2025-08-08 with ")
    assert "compare with its documentation" in caught.value.remedy


@pytest.mark.parametrize(
    ("path", "unit"),
    [("hourly_units.pm10", "\u00b5g/m³"), ("hourly_units.uv_index", "1"), ("hourly_units.us_aqi", "US AQI")],
)
def test_units_may_be_written_in_two_ways(path: str, unit: str) -> None:
    assert read(change(path, unit))[0].table.num_rows == 24


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "something that is not JSON .''"),
        (b'{"hourly": ', "something that is not JSON"),
        (b"\xff\xfe", "something that is not JSON"),
        (b"[" * 100_000, "something that is not JSON"),
        (b"<html><title>Log in</title>", "an HTML page instead of JSON ..<html><title>Log in"),
        (b"[]", "0 locations instead of 1"),
        (b"[{}, {}]", "2 locations instead of 1"),
        (b"12", "12 instead of an object with 'hourly'"),
        (b"null", "None instead of an object with 'hourly'"),
        (b'{"hourly": {}, "hourly_units": {}}', "instead of a list 'time'"),
    ],
)
def test_bodies_that_are_no_answer(body: bytes, message: str) -> None:
    with pytest.raises(SourceNonsense, match=message) as caught:
        read(body)
    assert "hanoi on 2025-08-08" in caught.value.message
    assert caught.value.remedy


# --- variables that are not there, and other units ---------------------------------------------------

OPTIONAL = replace(ONE_DAY, optional=frozenset({"carbon_dioxide", "dust"}))


def without(*names: str) -> dict[str, Any]:
    """A document that has nothing of some variables."""
    result = document()
    for name in names:
        del result["hourly"][name], result["hourly_units"][name]
    return result


def undefined(*names: str) -> dict[str, Any]:
    """A document in which the provider says that it has no values of some variables."""
    result = document()
    for name in names:
        result["hourly"][name] = [None] * 24
        result["hourly_units"][name] = "undefined"
    return result


@pytest.mark.parametrize(
    ("content", "request_", "why"),
    [
        (without("dust"), OPTIONAL, "dust was left out of the answer"),
        (without("dust"), replace(OPTIONAL, refused=frozenset({"dust"})), "dust was refused"),
        (undefined("dust"), OPTIONAL, "dust has the unit 'undefined'"),
    ],
)
def test_an_answer_may_be_without_an_optional_variable(content: Any, request_: Request, why: str) -> None:
    """The others come in, and the digest is that of nulls under the right unit."""
    (answer,) = read(content, request_)
    (nulls,) = read(change("hourly.dust", [None] * 24))
    assert answer.lacking == {"dust": why}
    assert answer.table == nulls.table
    assert answer.digests == nulls.digests
    assert (nulls.lacking, read(document(), OPTIONAL)[0].lacking) == ({}, {})


def test_a_variable_that_was_refused_and_came_all_the_same_is_told() -> None:
    refused = replace(OPTIONAL, refused=frozenset({"dust"}))
    (answer,), (asked,) = read(document(), refused), read(document(), OPTIONAL)
    assert answer.unasked == {"dust": "dust was refused before, and came all the same"}
    assert (answer.lacking, asked.unasked) == ({}, {})
    assert (answer.table, answer.digests) == (asked.table, asked.digests), "kept, it is read again like any other"


@pytest.mark.parametrize("name", VARIABLES)
def test_an_answer_without_any_other_is_none(name: str) -> None:
    with pytest.raises(SourceNonsense, match=f"instead of a list '{name}'"):
        read(without(name))
    with pytest.raises(SourceNonsense, match=f"{name} in 'undefined' instead of"):
        read(undefined(name))


def test_values_without_a_unit_are_refused_also_of_an_optional_variable() -> None:
    content = undefined("dust")
    content["hourly"]["dust"][7] = 1.0
    with pytest.raises(SourceNonsense, match="dust in 'undefined' instead of 'µg/m³'"):
        read(content, OPTIONAL)
    content["hourly_units"]["dust"] = "m/s"
    with pytest.raises(SourceNonsense, match="dust in 'm/s' instead of 'µg/m³'"):
        read(content, OPTIONAL)


def test_other_units_are_converted() -> None:
    content = document()
    content["hourly"]["pm10"] = [0.0351, None] + [1.1] * 22
    content["hourly_units"] |= {"pm10": "mg/m³", "ozone": "ppb", "carbon_dioxide": "ppb", "us_aqi": "us_aqi"}
    content["hourly"]["ozone"] = [24.45] * 24
    content["hourly"]["carbon_dioxide"] = [430_000] * 24
    table = read(content)[0].table
    assert table["pm10"].to_pylist()[:3] == [35.1, None, 1100.0]
    assert table["ozone"].to_pylist()[0] == 48.0
    assert table["carbon_dioxide"].to_pylist()[0] == 430.0
    same = document()
    same["hourly"] |= {"pm10": [35.1, None] + [1100] * 22, "ozone": [48] * 24, "carbon_dioxide": [430.0] * 24}
    assert read(same)[0].digests == read(content)[0].digests, "how it was written does not count"
    content["hourly"]["pm10"][0] = 1e308
    with pytest.raises(SourceNonsense, match="a pm10 that is too large for a number"):
        read(content)


# --- digests --------------------------------------------------------------------------------------


def test_a_digest_depends_on_the_values_of_its_day_alone() -> None:
    both = read([document(48), document(48)], TWO_CITIES)[0].digests
    (alone,) = read(document())
    assert list(both) == [DAY, DAY + timedelta(days=1)]
    assert both[DAY] == alone.digests[DAY]
    assert len(both[DAY]) == 32
    changed = document(48)
    changed["hourly"]["dust"][30] += 0.1
    again = read([changed, document(48)], TWO_CITIES)[0].digests
    assert again[DAY] == both[DAY]
    assert again[DAY + timedelta(days=1)] != both[DAY + timedelta(days=1)]


def test_a_digest_does_not_depend_on_how_a_number_is_written() -> None:
    def digest(text: str) -> str:
        body = json.dumps(change("hourly.dust.0", "HERE")).replace('"HERE"', text)
        return str(read(body.encode())[0].digests[DAY])

    assert digest("0.0") == digest("0") == digest("-0.0") == digest("0e5")
    assert digest("1e2") == digest("100") == digest("100.00")
    assert len({digest(text) for text in ("0", "null", "NaN", "Infinity", "0.1")}) == 5


def test_a_digest_counts_rows() -> None:
    noon = read(document(), now=datetime(2025, 8, 8, 12, tzinfo=UTC))[0].digests
    assert noon != read(document())[0].digests
    assert list(read(document(0))[0].digests) == [DAY]
