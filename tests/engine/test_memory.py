"""Memory that is too small for the smallest batch is told before any work, with the setting and what would do."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.core.errors import ConfigurationError
from orchestration.engine.session import check_memory
from tests.support.given_settings import given

ON_SPARK: dict[str, Any] = {"engine": "spark"}


@pytest.mark.parametrize(
    ("flags", "profile", "locations", "setting", "most", "enough"),
    [
        (
            {"engine": "embedded", "embedded": {"memory": "512m"}},
            "local",
            2730,
            "embedded.memory (512m)",
            65536,
            "513m",
        ),
        (ON_SPARK, "local", 10922, "spark.driver_memory (1g)", 262144, "1025m"),
        (ON_SPARK | {"spark": {"driver_memory": "512m"}}, "local", 5461, "spark.driver_memory (512m)", 131072, "513m"),
        ({"spark": {"driver_memory": "4g"}}, "yarn", 21845, "yarn.executor_memory (2g)", 524288, "2049m"),
        ({}, "yarn", 10922, "spark.driver_memory (1g)", 262144, "1025m"),
    ],
)
def test_a_day_of_more_locations_than_there_is_memory_for(
    flags: dict[str, Any], profile: str, locations: int, setting: str, most: int, enough: str
) -> None:
    settings = given(flags, profile)
    check_memory(settings, locations)
    with pytest.raises(ConfigurationError) as caught:
        check_memory(settings, locations + 1)
    of, rows = locations + 1, (locations + 1) * 24
    assert caught.value.message == f"a day of {of} locations is {rows} rows, and {setting} has room for {most}"
    assert caught.value.remedy == (
        f"Set {setting.split()[0]} to {enough} or more, or make fewer locations at once (--locations)."
    )
    assert caught.value.exit_status == 2
