"""On which days a scale changed: by a day and the two weeks before it, whatever else is looked at with them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.declarations.asset import HourlyRows, asset
from orchestration.core.declarations.scales import WatchedScale, check_scales
from orchestration.core.errors import DeclarationError
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.partitions.scheme import DailyByLocation
from orchestration.core.state.scales import LOOK_BACK, ScaleChange, changes, in_words

FIRST = date(2025, 9, 1)
A, B, C, OTHER, ANY = 1, 2, 4, 8, 15
SCALE = WatchedScale("the gauges' scale", ("level",), ("scale a", "scale b", "scale c"), "It matters.", lambda of: of)


def day(number: int) -> date:
    return FIRST + timedelta(days=number - 1)


def found(*masks: int) -> list[ScaleChange]:
    return changes({"north": np.array(masks)}, FIRST, SCALE.any)


@pytest.mark.parametrize(
    ("masks", "on"),
    [
        ([A, A, A], {}),
        ([ANY, ANY, B, B], {}),
        ([A, ANY, B], {3: (A, B)}),
        ([A, A | B, B, B], {3: (A, B)}),
        ([A, B | C, B, C], {2: (A, B | C), 4: (B, C)}),
        ([B | C, B, B | C, C], {4: (B, C)}),
        ([A, B, A], {2: (A, B), 3: (B, A)}),
        ([A | B | C, OTHER, OTHER], {2: (A | B | C, OTHER)}),
        ([A, *[ANY] * (LOOK_BACK - 1), B], {LOOK_BACK + 1: (A, B)}),
        ([A, *[ANY] * LOOK_BACK, B], {}),
        ([], {}),
    ],
)
def test_a_change_is_the_first_day_that_cannot_follow_what_those_before_did(
    masks: list[int], on: dict[int, tuple[int, int]]
) -> None:
    assert found(*masks) == [ScaleChange(day(number), "north", *of) for number, of in on.items()]


@given(st.lists(st.sampled_from([A, B, C, A | B, B | C, A | B | C, OTHER, ANY]), max_size=40), st.integers(1, 9))
def test_it_does_not_matter_what_is_looked_at_together(masks: list[int], size: int) -> None:
    told = []
    for begin in range(0, len(masks), size):
        lead = max(0, begin - LOOK_BACK)
        part = changes({"north": np.array(masks[lead : begin + size])}, FIRST + timedelta(days=lead), SCALE.any)
        told += [one for one in part if one.day >= day(begin + 1)]
    assert told == found(*masks)


def test_alike_changes_are_told_in_a_sentence() -> None:
    changed = [ScaleChange(day(3), f"l{number}", A, B | C) for number in range(8)] + [
        ScaleChange(day(4), "m", B, OTHER)
    ]
    present = PartitionSet.of(Days.of(day(1), day(9)), ["l0", "l1", "other"])
    first, second = in_words(changed, SCALE, "bronze.levels", present)
    assert first == (
        "the gauges' scale changed on 2025-09-03 at l0, l1, l2, l3, l4, l5 and 2 locations more: from then on it is "
        "scale b, or scale c; the days before follow scale a. It matters. To have one scale, ask for the days before "
        "again: aqi materialize bronze.levels --force --partitions 2025-09-01..2025-09-02 --locations l0,l1"
    )
    assert second == (
        "the gauges' scale changed on 2025-09-04 at m: from then on it is no scale that is known here; the days before "
        "follow scale b. It matters."
    )
    assert SCALE.in_words(A | B | C) == "one of the scales that are known"


def test_what_is_watched_must_be_hours_of_a_fetched_asset() -> None:
    @asset(
        layer="bronze", contract="C", source="gauges", partitions=DailyByLocation(), hours=HourlyRows("at", ("level",))
    )
    def levels(gauges: Any) -> Any:
        """Levels."""

    @asset(layer="bronze", contract="C", source="gauges", partitions=DailyByLocation())
    def days(gauges: Any) -> Any:
        """Days."""

    assets = {one.key: one for one in (levels, days)}
    check_scales({"bronze.levels": SCALE}, assets)
    for key, why in (("bronze.days", "keeps no hours"), ("bronze.level", "is unknown")):
        with pytest.raises(DeclarationError, match=f"watched scales: asset '{key}' {why}"):
            check_scales({key: SCALE}, assets)
