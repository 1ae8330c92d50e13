"""One answer as people keep it: what is moved and converted, and what is refused by variable and hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from resources.simulator.documents import NotAnAnswer, WrongDocument, read_document
from tests.support.recording_shapes import API_UNITS, HANOI, START, document, values_of

TWO = {"pm2_5": [30.0, None, 32.5], "us_aqi": [100, 101, None]}
HOURS = {START: 30.0, START + timedelta(hours=1): None, START + timedelta(hours=2): 32.5}


def hours_of(content: dict[str, Any], name: str = "pm2_5") -> dict[datetime, float | None]:
    series = read_document(content).series
    moments = [datetime.fromtimestamp(hour * 3600, UTC) for hour in series.hours.tolist()]
    cells = [None if cell != cell else cell for cell in series.values[name].tolist()]
    return dict(zip(moments, cells, strict=True))


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("Asia/Ho_Chi_Minh", 7), ("America/New_York", -4), ("Pacific/Auckland", 13), ("GMT", 0), ("Etc/GMT+12", -12)],
)
def test_local_time_is_moved_to_utc(zone: str, hours: int) -> None:
    content = document(TWO, offset=timedelta(hours=hours), zone=zone)
    assert hours_of(content) == HOURS
    sign = "-" if hours < 0 else "+"
    said = f"in {zone} (UTC{sign}{abs(hours):02}:00), moved to UTC"
    assert read_document(content).notes == ((said,) if hours else ())


def test_one_offset_holds_over_a_change_of_summer_time() -> None:
    """As the API writes it: in Berlin 02:00 comes once, and the hours before and after are as far from UTC."""
    night = datetime(2025, 10, 25, 22, tzinfo=UTC)
    content = document({"pm2_5": [float(n) for n in range(6)]}, night, offset=timedelta(hours=2), zone="Europe/Berlin")
    assert content["hourly"]["time"][2:5] == ["2025-10-26T02:00", "2025-10-26T03:00", "2025-10-26T04:00"]
    assert hours_of(content) == {night + timedelta(hours=n): float(n) for n in range(6)}


@pytest.mark.parametrize("offset", [0, 7, -4])
def test_unix_times_are_utc_whatever_the_offset(offset: int) -> None:
    content = document(TWO, unix=True, offset=timedelta(hours=offset), zone="Asia/Ho_Chi_Minh")
    assert hours_of(content) == HOURS
    del content["hourly_units"]["time"]
    assert hours_of(content) == HOURS
    content["hourly"]["time"] = [float(time) for time in content["hourly"]["time"]]
    assert hours_of(content) == HOURS


def test_times_that_say_their_zone() -> None:
    content = document(TWO)
    content["hourly"]["time"] = ["2025-09-01T00:00Z", "2025-09-01T01:00:00+00:00", "2025-09-01T09:00+07:00"]
    assert hours_of(content) == HOURS
    content["utc_offset_seconds"] = 25200
    with pytest.raises(WrongDocument, match="2025-09-01T00:00Z says another zone than utc_offset_seconds"):
        read_document(content)


def test_hours_in_any_order_and_twice_alike() -> None:
    content = document(TWO)
    for cells in content["hourly"].values():
        cells.append(cells.pop(0))
        cells.append(cells[0])
    assert hours_of(content) == HOURS


@pytest.mark.parametrize(
    ("name", "unit", "factor", "converted"),
    [
        ("pm2_5", "\u00b5g/m³", 1, False),
        ("pm2_5", "ug/m^3", 1, False),
        ("pm2_5", "mg/m³", 1000, True),
        ("carbon_dioxide", "ppm", 1, False),
        ("carbon_monoxide", "mg/m3", 1000, True),
        ("us_aqi", "US AQI", 1, False),
    ],
)
def test_units_are_converted(name: str, unit: str, factor: int, converted: bool) -> None:
    content = document({name: [30, None]}, units={name: unit})
    assert list(hours_of(content, name).values()) == [30 * factor, None]
    assert bool(read_document(content).notes) is converted


def test_a_decimal_number_stays_one_when_it_is_converted() -> None:
    content = document({"pm2_5": [0.0351]}, units={"pm2_5": "mg/m³"})
    assert list(hours_of(content).values()) == [35.1]
    assert read_document(content).notes == ("pm2_5 in mg/m³, converted to µg/m³",)


def test_what_says_no_unit_is_taken_as_the_apis_and_said() -> None:
    content = document(values_of(3))
    content["hourly_units"] = {}
    said = "no unit of us_aqi, us_aqi_pm2_5, us_aqi_pm10 and 14 more is said, taken as the API's"
    assert read_document(content).notes == (said,)


def test_nulls_need_no_unit() -> None:
    content = document({"carbon_dioxide": [None, None], "dust": [1.0, 2.0]}, units=API_UNITS)
    content["hourly_units"]["carbon_dioxide"] = "undefined"
    assert list(hours_of(content, "carbon_dioxide").values()) == [None, None]


def test_variables_that_are_not_served_are_left() -> None:
    content = document(TWO)
    content["hourly"]["european_aqi"] = ["whatever"]
    content["hourly"]["methane"] = [1, 2, 3]
    assert set(read_document(content).series.values) == {"pm2_5", "us_aqi", "methane"}
    assert np.isnan(read_document(content).series.values["us_aqi"][2])


def of(path: str, value: Any, content: dict[str, Any] | None = None) -> dict[str, Any]:
    """An answer with one thing changed, or (...) taken out."""
    content = document(TWO) if content is None else content
    *way, last = path.split("/")
    inside: Any = content
    for name in way:
        inside = inside[int(name) if isinstance(inside, list) else name]
    if value is ...:
        del inside[last]
    else:
        inside[int(last) if isinstance(inside, list) else last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("hourly/pm2_5", [30.0, 31.0], "pm2_5 has not a value for each hour: 2 for 3, none for 2025-09-01T02:00"),
        ("hourly/us_aqi", [1, 2, 3, 4], "us_aqi has not a value for each hour: 4 for 3, more after 2025-09-01T02:00"),
        ("hourly/pm2_5/1", "n/a", "'n/a' as pm2_5 at 2025-09-01T01:00 is no number"),
        ("hourly/pm2_5/1", "31.5", "'31.5' as pm2_5 at 2025-09-01T01:00 is no number"),
        ("hourly/pm2_5/2", True, "True as pm2_5 at 2025-09-01T02:00 is no number"),
        ("hourly/pm2_5/2", [1], "[1] as pm2_5 at 2025-09-01T02:00 is no number"),
        ("hourly/pm2_5/2", 10**400, "a pm2_5 is too large for a number"),
        ("hourly/pm2_5", {"0": 1}, "pm2_5 is {'0': 1} instead of a list"),
        ("hourly/us_aqi/1", 101.5, "101.5 as us_aqi at 2025-09-01T01:00 is no whole number"),
        ("hourly/us_aqi/1", 2**31, "2147483648 as us_aqi at 2025-09-01T01:00 is no whole number"),
        ("hourly/us_aqi/0", float("inf"), "inf as us_aqi at 2025-09-01T00:00 is no whole number"),
        ("hourly/time", [], "it has no hours (hourly.time is empty)"),
        ("hourly/time", ..., "it has no list hourly.time"),
        ("hourly/time/1", "soon", "the time 'soon' is not a timestamp like 2025-08-08T06:00"),
        ("hourly/time/1", None, "the time None is not a timestamp"),
        ("hourly/time/1", "0001-01-01T00:00", "the time '0001-01-01T00:00' is not a timestamp"),
        ("hourly/time/1", 1756684800, "the time 1756684800 is not a timestamp"),
        ("hourly/time/1", "2025-09-01T01:30", "the time 2025-09-01T01:30 (2025-09-01T01:30Z) is not on the full hour"),
        ("hourly/time/1", "2025-09-01T00:00", "pm2_5 has two different values at 2025-09-01T00:00Z"),
        ("hourly_units/pm2_5", "ppb", "pm2_5 is in 'ppb', which cannot be converted to µg/m³"),
        ("hourly_units/pm2_5", "undefined", "pm2_5 is in 'undefined', which cannot be converted"),
        ("hourly_units/us_aqi", "EAQI", "us_aqi is in 'EAQI', which cannot be converted to US AQI"),
        ("hourly_units/pm2_5", 3, "pm2_5 is in 3, which cannot be converted"),
        ("hourly_units", [], None),
        ("hourly_units", ["a"], "its hourly or hourly_units is not an object"),
        ("hourly", [{"time": 1}], "its hourly or hourly_units is not an object"),
        ("hourly", ..., "it has no hours (hourly)"),
        ("hourly", {"time": ["2025-09-01T00:00"]}, "it has no variable"),
        ("latitude", ..., "it has no latitude"),
        ("latitude", "21.0278", "its latitude is '21.0278'"),
        ("longitude", 200.0, "its longitude is 200.0"),
        ("longitude", float("nan"), "its longitude is nan"),
        ("utc_offset_seconds", "25200", "its utc_offset_seconds is '25200'"),
        ("utc_offset_seconds", True, "its utc_offset_seconds is True"),
        ("error", False, None),
    ],
)
def test_what_is_refused(path: str, value: Any, said: str | None) -> None:
    content = of(path, value)
    if said is None:
        read_document(content)
        return
    with pytest.raises(WrongDocument) as caught:
        read_document(content)
    assert str(caught.value).startswith(said)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1756684800000, "the time 1756684800000 is not a unix time in seconds"),
        (1756684800.5, "is not a unix time in seconds"),
        ("2025-09-01T00:00", "the time '2025-09-01T00:00' is not a unix time"),
        (float("nan"), "is not a unix time"),
        (float("inf"), "is not a unix time"),
        (1756684860, "the time 1756684860 (2025-09-01T00:01Z) is not on the full hour"),
    ],
)
def test_unix_times_that_are_refused(value: Any, said: str) -> None:
    with pytest.raises(WrongDocument) as caught:
        read_document(of("hourly/time/1", value, document(TWO, unix=True)))
    assert said in str(caught.value)


@pytest.mark.parametrize("unix", [False, True])
@pytest.mark.parametrize(
    ("zone", "minutes"), [("Asia/Kathmandu", 345), ("Asia/Kolkata", 330), ("America/St_Johns", -150)]
)
def test_hours_of_no_full_hour_are_refused_by_their_zone(zone: str, minutes: int, unix: bool) -> None:
    """The API shows the values of the full hours beside them."""
    offset = timedelta(minutes=minutes)
    content = document(TWO, START - offset, offset=offset, zone=zone, unix=unix)
    with pytest.raises(WrongDocument, match="is not on the full hour: its hours are those of") as caught:
        read_document(content)
    assert f"those of {zone} (UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:" in str(caught.value)
    assert "timezone=UTC" in caught.value.remedy


def test_a_zone_without_its_offset_is_refused() -> None:
    content = document(TWO, zone="Asia/Ho_Chi_Minh")
    del content["utc_offset_seconds"]
    with pytest.raises(WrongDocument, match="its times are those of 'Asia/Ho_Chi_Minh', and it has no utc_offset"):
        read_document(content)
    content["timezone"] = "UTC"
    assert hours_of(content) == HOURS
    content = document(TWO, zone="Asia/Ho_Chi_Minh", unix=True)
    del content["utc_offset_seconds"]
    assert hours_of(content) == HOURS


def test_an_error_of_the_api_and_an_answer_to_another_question() -> None:
    with pytest.raises(WrongDocument, match="it is an error of the API: Minutely API request limit exceeded"):
        read_document({"error": True, "reason": "Minutely API request limit exceeded. Please try again in one minute."})
    weather = {"time": ["2025-09-01T00:00"], "temperature_2m": [20.0]}
    with pytest.raises(NotAnAnswer, match=r"none of its variables is served here \(temperature_2m\)"):
        read_document({"latitude": HANOI[0], "longitude": HANOI[1], "hourly": weather})
