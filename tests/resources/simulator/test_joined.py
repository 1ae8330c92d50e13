"""Answers without moments: joined by their coordinates, compared, matched to locations."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from resources.simulator.documents import read_document
from resources.simulator.joined import Disagreement, Joined, Named, join, reach
from resources.simulator.requests import NO_DATA, AskedLocation, Refused
from tests.support.recording_shapes import HANOI, HOUR, START, document

CLOCK = datetime(2025, 9, 20, tzinfo=UTC)
DAY = START.date()


def joined(*documents: dict[str, Any], newest_wins: bool = False, said: list[str] | None = None) -> Joined:
    named = [Named(f"{number}.json", read_document(it)) for number, it in enumerate(documents)]
    say = (said if said is not None else []).append
    return join(named, newest_wins=newest_wins, wanted=("pm2_5", "dust"), say=say)


def pm25(recorded: Joined, where: tuple[float, float] = HANOI, first: date = DAY, last: date | None = None) -> Any:
    """The values of pm2_5 at a location; the reason of a refusal."""
    try:
        series, _ = recorded.answer(AskedLocation(*where, first, last or first), ["pm2_5"], CLOCK)
    except Refused as refusal:
        return str(refusal)
    return [None if cell != cell else cell for cell in series.values["pm2_5"].tolist()]


def a_day(value: float, day: date = DAY, where: tuple[float, float] = HANOI) -> dict[str, Any]:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return document({"pm2_5": [value] * 24, "dust": [0.0] * 24}, start, where)


@pytest.mark.parametrize(
    ("coordinates", "wanted"),
    [
        ((21.2, 106.0), 0.201),
        ((21.199997, 106.00001), 0.201),
        ((-33.6, 151.2), 0.201),
        ((21.0, 105.8), 0.201),
        ((52.55, 13.45), 0.051),
        ((52.549995, 13.450001), 0.051),
        ((52.5, 13.4), 0.051),
        ((52.4, 13.6), 0.201),
        ((21.0278, 105.8342), 0.01),
        ((21.2, 105.8342), 0.01),
    ],
)
def test_how_far_coordinates_reach(coordinates: tuple[float, float], wanted: float) -> None:
    assert reach(*coordinates) == pytest.approx(wanted)


def test_a_cell_serves_all_locations_in_it() -> None:
    recorded = joined(a_day(1.0, where=(21.2, 106.0)), a_day(2.0, where=(21.2, 105.6)))
    for where, value in (
        (HANOI, 1.0),
        ((21.0, 105.81), 1.0),
        ((21.39, 106.19), 1.0),
        ((21.0278, 105.79), 2.0),
        ((21.2, 105.8), 1.0),
    ):
        assert pm25(recorded, where) == [value] * 24, where
    for where in ((20.9, 105.8), (21.0278, 106.25), (10.8231, 106.6297)):
        assert pm25(recorded, where) == NO_DATA
    location = AskedLocation(*HANOI, DAY, DAY)
    assert recorded.answer(location, ["pm2_5"], CLOCK)[1] == (21.2, 106.0)


def test_the_nearest_of_those_that_reach_it_answers() -> None:
    """The cell of Europe's grid, which is narrow, does not reach what the global one does."""
    recorded = joined(a_day(1.0, where=(52.4, 13.6)), a_day(2.0, where=(52.55, 13.45)))
    assert pm25(recorded, (52.52, 13.41)) == [2.0] * 24
    assert pm25(recorded, (52.52, 13.52)) == [1.0] * 24


def test_hours_that_the_nearest_has_not_are_those_of_the_next() -> None:
    """As where a pipeline wrote the location's coordinates into some answers, and left the cell's in others."""
    half = document({"pm2_5": [1.0] * 12}, START + 12 * HOUR)
    recorded = joined(half, a_day(2.0, where=(21.2, 106.0)), a_day(3.0, DAY + timedelta(1), where=(21.2, 106.0)))
    assert pm25(recorded, last=DAY + timedelta(1)) == [2.0] * 12 + [1.0] * 12 + [3.0] * 24
    assert recorded.answer(AskedLocation(*HANOI, DAY, DAY), ["pm2_5"], CLOCK)[1] == HANOI
    assert pm25(recorded, (21.2, 105.95)) == [2.0] * 24


def test_a_cell_on_the_date_line() -> None:
    assert pm25(joined(a_day(1.0, where=(-16.8, -180.0))), (-16.85, 179.95)) == [1.0] * 24


def test_the_same_cell_written_otherwise_is_one() -> None:
    recorded = joined(a_day(1.0, where=(21.2, 106.0)), a_day(2.0, DAY + timedelta(1), where=(21.199997, 106.00001)))
    assert len(recorded.recordings) == 1
    assert pm25(recorded, last=DAY + timedelta(1)) == [1.0] * 24 + [2.0] * 24


def test_days_between_the_answers_are_refused() -> None:
    later = DAY + timedelta(3)
    recorded = joined(a_day(1.0), a_day(2.0, later))
    assert pm25(recorded, first=later) == [2.0] * 24
    assert pm25(recorded, last=later) == "No answer about 2025-09-02 was recorded"
    outside = "Parameter 'end_date' is out of allowed range from 2025-09-01 to 2025-09-04"
    assert pm25(recorded, last=later + timedelta(1)) == outside


def test_overlaps_that_agree() -> None:
    """Null is a value: it agrees with null alone."""
    first = document({"pm2_5": [1.0, None, 3.0]})
    second = document({"pm2_5": [None, 3.0, 4.0]}, START + HOUR)
    said: list[str] = []
    assert pm25(joined(first, second, said=said)) == [1.0, None, 3.0, 4.0]
    assert said == ["dust never asked for at 21.0278, 105.8342: served as null"]


def test_what_a_change_of_unit_rounds_agrees() -> None:
    grams = document({"pm2_5": [35.1, 0.3]})
    milligrams = document({"pm2_5": [0.0351, 0.0003]}, units={"pm2_5": "mg/m³"})
    assert pm25(joined(grams, milligrams)) == [35.1, 0.3]


@pytest.mark.parametrize(
    ("later", "said"),
    [
        (
            9.0,
            "0.json and 1.json disagree: pm2_5 at 2025-09-01T01:00Z of 21.0278, 105.8342 is 2 in the first, 9 in",
        ),
        (None, "is 2 in the first, null in the second"),
    ],
)
def test_overlaps_that_disagree(later: float | None, said: str) -> None:
    first, second = document({"pm2_5": [1.0, 2.0]}), document({"pm2_5": [later, later]}, START + HOUR)
    with pytest.raises(Disagreement) as caught:
        joined(first, second)
    assert said in str(caught.value)
    assert (caught.value.first, caught.value.second) == ("0.json", "1.json")
    notes: list[str] = []
    assert pm25(joined(first, second, newest_wins=True, said=notes)) == [1.0, later, later]
    assert notes[0] == "where answers disagree the last by name counts: 1 values, as of 1.json instead of 0.json"


def test_a_disagreement_says_how_many_hours_and_with_which() -> None:
    documents = document({"pm2_5": [1.0]}), document({"pm2_5": [2.0, 2.0]}, START + HOUR), a_day(3.0)
    with pytest.raises(
        Disagreement, match=r"^0.json and 2.json disagree: .* is 1 in the first, 3 in the second, and in 2"
    ):
        joined(*documents)


def test_answers_about_different_variables_are_put_together() -> None:
    first, second = document({"pm2_5": [1.0, 2.0]}), document({"dust": [7.0, 8.0]}, START + HOUR)
    said: list[str] = []
    recorded = joined(first, second, said=said)
    series, _ = recorded.answer(AskedLocation(*HANOI, DAY, DAY), ["dust", "pm2_5"], CLOCK)
    assert str(series.values["dust"].tolist()) == "[nan, 7.0, 8.0]"
    assert str(series.values["pm2_5"].tolist()) == "[1.0, 2.0, nan]"
    gaps = "pm2_5 not asked for in 1 of 3 hours; dust not asked for in 1 of 3 hours"
    assert said == [f"{gaps} at 21.0278, 105.8342: served as null"]


def test_what_nobody_asked_for_is_null_and_said_once() -> None:
    said: list[str] = []
    recorded = joined(*(document({"pm2_5": [1.0]}, where=(10.0 + n, 100.0)) for n in range(3)), said=said)
    assert said == ["dust never asked for at 10, 100 and 2 other locations: served as null"]
    series, _ = recorded.answer(AskedLocation(10.0, 100.0, DAY, DAY), ["methane"], CLOCK)
    assert str(series.values["methane"].tolist()) == "[nan]"
