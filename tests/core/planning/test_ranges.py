"""A range of days is about what has days."""

from __future__ import annotations

from itertools import combinations

import pytest

from assets import CATALOG
from orchestration.core.errors import UsageError
from orchestration.core.planning.ranges import in_range

SELECTIONS = [keys for count in range(len(CATALOG) + 1) for keys in combinations(CATALOG.keys, count)]
DATED = {asset.key for asset in CATALOG if asset.partitions is not None}


def test_without_a_range_it_is_about_everything() -> None:
    assert all(in_range(CATALOG, keys, None) == keys for keys in SELECTIONS)


def test_what_has_no_days_is_left_out_and_the_rest_stays_in_its_order() -> None:
    for keys in SELECTIONS:
        if DATED & set(keys):
            assert in_range(CATALOG, keys, "2025-08-18") == tuple(key for key in keys if key in DATED)
    assert in_range(CATALOG, (), "2025-08-18") == ()


def test_where_nothing_has_days_a_range_is_refused_by_name() -> None:
    for keys in SELECTIONS[1:]:
        if not DATED & set(keys):
            with pytest.raises(UsageError) as raised:
                in_range(CATALOG, keys, "last:7")
            assert all(key in raised.value.message for key in keys)
            assert raised.value.remedy == "Leave out --partitions last:7."
